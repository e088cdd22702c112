"""Figure: for whom a method helps."""

import numpy as np
import pandas as pd

from benchmark.report import style
from benchmark.report.leaderboard import scored, title


def per_subject(rows: pd.DataFrame, kind: str) -> pd.Series:
    """A score that every subject with a clip has, mean over clips and seeds; higher is better.

    classification: share correct; ordinal and regression: minus the mean absolute error, in units of the target.
    """
    if kind == "classification":
        hit = (rows.truth.to_numpy() == rows.prediction.to_numpy()).astype(float)
    else:
        hit = -np.abs(rows.truth.to_numpy(float) - rows.prediction.to_numpy(float))
    return pd.Series(hit).groupby(rows.subject_id.to_numpy()).mean()


def draw(records: list[dict], predictions: dict[str, pd.DataFrame], unread: dict[str, str]) -> style.Drawn:
    """Difference to prevalent_only of every subject, a row for each model."""
    shown = style.Drawn("subjects", "Spread over subjects")
    own = [r for r in scored(records) if r["method"] not in ("prevalent_only", "availability")]
    found = {r["method"]: predictions[r["method"]] for r in own if r["method"] in predictions}
    if "prevalent_only" not in predictions or not found:
        reason = unread.get("prevalent_only") or next(iter(unread.values()), "prevalent_only has no predictions")
        return shown._replace(reason=reason)
    kind = own[0]["definition"]["kind"]
    measure = "share correct: more" if kind == "classification" else "mean absolute error: less"
    base = per_subject(predictions["prevalent_only"], kind)
    heading = f"{title(own[0])}: each subject's difference to prevalent_only, seeing {own[0]['headline']['condition']}"
    figure = style.canvas(9, 1.4 + 0.36 * len(found), heading)
    with style.settings():
        axes = figure.subplots()
        counts = [draw_row(axes, y, per_subject(rows, kind) - base) for y, rows in enumerate(found.values())]
        axes.axvline(0, color="0.4", linewidth=1)
        axes.set_yticks(range(len(found)), list(found))
        axes.set_ylim(len(found) - 0.4, -0.6)
        beside = axes.twinx()
        beside.set_ylim(axes.get_ylim())
        beside.set_yticks(range(len(found)), counts)
        beside.tick_params(length=0)
        beside.spines[["top", "right"]].set_visible(False)
        axes.set_xlabel(f"{measure} than prevalent_only (right of 0: better)")
        style.tidy(axes)
    reading = (
        "A dot per subject: mean over clips and seeds. Black bars: medians. Right: subjects for whom the model is "
        "better than prevalent_only. Some must lie on either side by chance alone; the test is in the table."
    )
    lost = [f"{name}: {reason}" for name, reason in unread.items()]
    return shown._replace(figure=figure, reading=" ".join([reading, *(f"Not drawn, {text}." for text in lost)]))


def draw_row(axes, y: int, found: pd.Series) -> str:
    """Dots of one model, and how many subjects it serves better."""
    found = np.sort(found.dropna().to_numpy())
    heights = y + 0.22 * np.sin(np.arange(len(found)) * 2.4)  # beside each other, always in the same way
    axes.scatter(found, heights, s=9, color=style.COLOURS[0], alpha=0.55, linewidths=0)
    axes.vlines(np.median(found), y - 0.33, y + 0.33, color="black", linewidth=1.8)
    return f"{(found > 0).sum()} of {len(found)}"
