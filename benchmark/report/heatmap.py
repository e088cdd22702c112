"""Figure: methods by conditions."""

import matplotlib
import numpy as np

from benchmark.records import CONTROLS
from benchmark.report import style
from benchmark.report.leaderboard import better, condition_names, entry_of, score_of, scored, title


def draw(records: list[dict]) -> style.Drawn:
    """The headline score of every model under every condition."""
    shown = style.Drawn("heatmap", "Every model under every condition")
    own = [record for record in scored(records) if record["method"] not in CONTROLS]
    names = condition_names(own)
    values = np.array([[score_of(record, name)["value"] for record in own] for name in names], dtype=float)
    if not np.isfinite(values).any():
        return shown._replace(reason="no model of this task has a score under any condition")
    metric = own[0]["headline"]["metric"]
    size = max(2.4 + 0.52 * len(own), style.NARROWEST), 2.2 + 0.235 * len(names)
    figure = style.canvas(*size, f"{title(own[0])}: {metric} ({better(metric)}) by model and condition")
    with style.settings():
        axes = figure.subplots()
        paint(axes, values, higher="higher" in better(metric))
        axes.set_yticks(range(len(names)), [label(own, name) for name in names])
        axes.set_xticks(
            range(len(own)), [record["method"] for record in own], rotation=40, ha="left", rotation_mode="anchor"
        )
        axes.tick_params(top=True, labeltop=True, bottom=False, labelbottom=False, length=2)
        protocols = [entry_of(own, name)["protocol"] for name in names]
        for row in np.flatnonzero(np.array(protocols[1:]) != np.array(protocols[:-1])):
            axes.axhline(row + 0.5, color="black", linewidth=1.2)
    reading = (
        "Rows are conditions, grouped by protocol: subsets of the modalities, modalities hidden at random, the same "
        "among prevalent ones, equal and unequal rates, gaps, degraded input. Lighter is better. Hatched cells have no "
        "score; the table of conditions says why."
    )
    return shown._replace(figure=figure, reading=reading)


def paint(axes, values: np.ndarray, higher: bool) -> None:
    """Coloured cells with their numbers, hatched where there is none."""
    scale = matplotlib.colormaps[style.SCALE if higher else f"{style.SCALE}_r"]
    image = axes.imshow(np.ma.masked_invalid(values), cmap=scale, aspect="auto")
    axes.set_facecolor("0.97")
    for (y, x), value in np.ndenumerate(values):
        if np.isfinite(value):
            text = f"{value:.2f}".replace("0.", ".", 1)
            axes.text(x, y, text, ha="center", va="center", fontsize=7.5, color=style.on(image.cmap(image.norm(value))))
        else:
            cell = matplotlib.patches.Rectangle(
                (x - 0.5, y - 0.5), 1, 1, fill=False, hatch="////", edgecolor="0.6", linewidth=0
            )
            axes.add_patch(cell)


def label(records: list[dict], name: str) -> str:
    """How a condition is named beside its row."""
    entry = entry_of(records, name)
    if entry["protocol"] == "subset":
        return f"sees {name}"
    words = name.replace("_", " ")
    return f"{words} %" if entry["protocol"] in ("random", "wild", "equal", "gap") and entry["rate"] else words
