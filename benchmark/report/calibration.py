"""Figure: whether probabilities mean what they say."""

import numpy as np
import pandas as pd

from benchmark.report import style
from benchmark.report.leaderboard import scored, title

BINS = 10
RARE = 0.01  # share of the predictions below which a bin says little


def reliability(rows: pd.DataFrame) -> tuple[pd.DataFrame, float]:
    """Bins of the probability given to the predicted class: confidence, share correct, count; and their mean gap (ECE).

    rows: predictions with p0, p1, ... ECE: Guo et al. 2017, ICML; 0 is calibrated, 1 the worst.
    """
    classes = sum(name[0] == "p" and name[1:].isdigit() for name in rows.columns)
    said = rows[[f"p{number}" for number in range(classes)]].to_numpy()
    confidence = said[np.arange(len(rows)), rows.prediction.to_numpy(int)]
    table = pd.DataFrame({"confidence": confidence, "correct": rows.truth.to_numpy() == rows.prediction.to_numpy()})
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    found = table.groupby(bins).agg(
        confidence=("confidence", "mean"), correct=("correct", "mean"), count=("correct", "size")
    )
    return found, float(((found.correct - found.confidence).abs() * found["count"]).sum() / len(rows))


def draw(records: list[dict], predictions: dict[str, pd.DataFrame], unread: dict[str, str]) -> style.Drawn:
    """Share of correct predictions by their probability, a panel for each model."""
    shown = style.Drawn("reliability", "Reliability of probabilities")
    own = scored(records)
    if own and not own[0]["definition"]["classes"]:
        return shown._replace(reason="this task predicts values, which come without probabilities")
    found = {r["method"]: predictions[r["method"]] for r in own if "p0" in predictions.get(r["method"], ())}
    if not found:
        return shown._replace(reason=next(iter(unread.values()), "no predictions with probabilities"))
    heading = f"{title(own[0])}: share correct by probability, seeing {own[0]['headline']['condition']}"
    figure, grid = style.panels(len(found), 5, (1.95, 1.95), heading, sharex=True, sharey=True)
    with style.settings():
        for number, (axes, (name, rows)) in enumerate(zip(grid, found.items(), strict=True)):
            table, error = reliability(rows)
            axes.plot([0, 1], [0, 1], color="0.5", linestyle=":", linewidth=1)
            share = table["count"] / table["count"].sum()
            full, rare = table[share >= RARE], table[share < RARE]
            axes.plot(full.confidence, full.correct, color=style.COLOURS[0], linewidth=1)
            axes.scatter(
                full.confidence, full.correct, s=8 + 60 * share[share >= RARE], color=style.COLOURS[0], zorder=3
            )
            axes.scatter(rare.confidence, rare.correct, s=10, facecolors="none", edgecolors=style.COLOURS[0], zorder=3)
            axes.set_title(f"{name}\nECE {error:.3f}", pad=3)
            axes.set_xlim(0, 1.03)
            axes.set_ylim(-0.03, 1.03)
            style.tidy(axes)
            if number in style.below(len(found), 5):
                axes.set_xlabel("probability")
                axes.tick_params(labelbottom=True)
        for axes in grid[::5]:
            axes.set_ylabel("share correct")
    reading = (
        "Points on the dotted line: predictions made with a probability of 70 % are right in 70 % of cases. Below it "
        f"the model is too sure. {BINS} equal bins of the probability given to the predicted class, seeds together; "
        f"the size of a point is its share of the predictions, hollow ones hold less than {RARE:.0%}. ECE: mean gap to "
        "the line, weighted by these shares."
    )
    lost = [f"{name}: {reason}" for name, reason in unread.items()]
    return shown._replace(figure=figure, reading=" ".join([reading, *(f"Not drawn, {text}." for text in lost)]))
