"""Continuous annotations become clips: windows of a recording, each labelled with what was annotated a little later."""

from typing import Annotated

import numpy as np
import pandas as pd
from pydantic import BaseModel, Field


class Windows(BaseModel, extra="forbid"):
    """How a recording is cut; a section of a dataset's options."""

    length_s: Annotated[float, Field(gt=0)]
    hop_s: Annotated[float, Field(gt=0)]  # from one start to the next; below the length, windows overlap
    delay_s: Annotated[float, Field(ge=0)] = 0.0  # by how much raters lag behind what they see
    min_valid: Annotated[float, Field(gt=0, le=1)] = 0.5  # share of a window's frames that must carry a label


def cut(times: np.ndarray, labels: pd.DataFrame, windows: Windows) -> tuple[pd.DataFrame, int]:
    """Windows of one recording, and how many were dropped because too few of their frames carry a label.

    times: (M,) s, increasing, one per annotated frame; labels: M rows, NaN where a frame carries none. A window's
    label is the mean over [start + delay, end + delay). Rows: number, start_s, end_s, each label and its variance
    over the frames (<label>_variance), and their number (frames).
    """
    step = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    count = max(0, int((times[-1] + step - windows.length_s) / windows.hop_s + 1e-6) + 1) if len(times) else 0
    start = np.arange(count) * windows.hop_s
    first, last = (np.searchsorted(times, start + windows.delay_s + shift - 1e-6) for shift in (0.0, windows.length_s))
    values = labels.to_numpy(float)
    valid = np.isfinite(values).all(axis=1)
    frames = _between(valid.astype(float)[:, None], first, last)[:, 0]
    kept = frames >= max(1.0, windows.min_valid * windows.length_s / step) if step else frames > 0
    values = np.where(valid[:, None], values, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean, square = (_between(v, first, last) / frames[:, None] for v in (values, values**2))
    table = pd.DataFrame({"number": np.arange(count), "start_s": start, "end_s": start + windows.length_s})
    for column, name in enumerate(labels):
        table[name], table[f"{name}_variance"] = mean[:, column], np.maximum(square - mean**2, 0)[:, column]
    return table.assign(frames=frames)[kept].reset_index(drop=True), int((~kept).sum())


def _between(values: np.ndarray, first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Sums of rows first to last - 1."""
    total = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)])
    return total[last] - total[first]
