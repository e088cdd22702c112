"""Continuous annotations become clips: windows of a recording, each labelled with what was annotated a little later."""

from typing import Annotated

import numpy as np
import pandas as pd
from pydantic import BaseModel, Field

from benchmark.reading import sizes
from benchmark.types import Unusable

Share = Annotated[float, Field(gt=0, le=1)]


class Windows(BaseModel, extra="forbid"):
    """How a recording is cut; a section of a dataset's options."""

    length_s: Annotated[float, Field(gt=0)]
    hop_s: Annotated[float, Field(gt=0)]  # from one start to the next; below the length, windows overlap
    delay_s: Annotated[float, Field(ge=0)] = 0.0  # by how much raters lag behind what they see
    min_valid: Share = 0.5  # share of a window's frames that must carry a label
    agreement: Share = 0.9  # of these, share that must carry the same one where labels are classes


def cut(times: np.ndarray, labels: pd.DataFrame, windows: Windows) -> tuple[pd.DataFrame, int]:
    """Windows of one recording, and how many were dropped because too few of their frames carry a label.

    times: (M,) s, increasing, one per annotated frame; labels: M rows, NaN where a frame carries none. A window's
    label is the mean over [start + delay, end + delay). Rows: number, start_s, end_s, each label and its variance
    over the frames (<label>_variance), and their number (frames).
    """
    table, first, last, least = grid(times, windows)
    values = labels.to_numpy(float)
    valid = np.isfinite(values).all(axis=1)
    frames = between(valid[:, None], first, last)[:, 0]
    values = np.where(valid[:, None], values, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean, square = (between(v, first, last) / frames[:, None] for v in (values, values**2))
    for column, name in enumerate(labels):
        table[name], table[f"{name}_variance"] = mean[:, column], np.maximum(square - mean**2, 0)[:, column]
    return kept(table.assign(frames=frames), frames >= least)


def vote(times: np.ndarray, codes: pd.Series, windows: Windows) -> tuple[pd.DataFrame, int]:
    """As `cut` for labels that are classes, NaN where a frame carries none: a window carries that of most frames.

    Dropped, too, where these are fewer than the agreed share of the frames that carry one.
    """
    table, first, last, least = grid(times, windows)
    classes = np.unique(codes[np.isfinite(codes)])
    if not len(classes):
        return kept(table.assign(**{codes.name: np.nan}), np.zeros(len(table), bool))
    counts = between(codes.to_numpy()[:, None] == classes, first, last)
    most, total = counts.max(axis=1), counts.sum(axis=1)
    table[codes.name] = classes[counts.argmax(axis=1)]
    return kept(table, (total >= least) & (most >= windows.agreement * total - 1e-9))


def grid(times: np.ndarray, windows: Windows) -> tuple[pd.DataFrame, np.ndarray, np.ndarray, float]:
    """All windows, the first frame of each and the first after it, and the fewest labelled frames it needs."""
    steps = np.diff(times)
    step, duration = (float(np.median(steps)), times[-1] + steps[-1]) if len(steps) else (0.0, 0.0)
    if not (duration - windows.length_s) / windows.hop_s < sizes.WINDOWS:
        raise Unusable(f"time goes on to {duration:g} s: more than {sizes.WINDOWS} windows")
    count = max(0, int(np.floor((duration - windows.length_s) / windows.hop_s + 1e-6)) + 1)
    start = np.arange(count) * windows.hop_s
    ends = (np.searchsorted(times, start + windows.delay_s + shift - 1e-6) for shift in (0.0, windows.length_s))
    least = max(1.0, windows.min_valid * windows.length_s / step) if step else 1.0
    table = pd.DataFrame({"number": np.arange(count), "start_s": start, "end_s": start + windows.length_s})
    return table, *ends, least


def between(values: np.ndarray, first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Sums of rows first to last - 1."""
    total = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0, dtype=float)])
    return total[last] - total[first]


def kept(table: pd.DataFrame, good: np.ndarray) -> tuple[pd.DataFrame, int]:
    return table[good].reset_index(drop=True), int((~good).sum())
