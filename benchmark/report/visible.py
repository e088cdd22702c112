"""Figure: scores by method and condition."""

import numpy as np

from benchmark.report import style
from benchmark.report.leaderboard import better, score_of, scored, title


def draw(records: list[dict]) -> style.Drawn:
    """Scores of one task by method: everything visible, the prevalent modalities, each modality alone."""
    shown = style.Drawn("visible", "Scores by method and what the model sees")
    own = scored(records)
    names = shown_conditions(own[0]) if own else []
    if not any(score_of(record, name)["value"] is not None for record in own for name in names):
        return shown._replace(reason="no model of this task has a score")
    metric, confidence = own[0]["headline"]["metric"], own[0]["evaluation"]["confidence"]
    figure = style.canvas(9, 1.6 + 0.38 * len(own), f"{title(own[0])}: {metric} ({better(metric)})")
    with style.settings():
        axes = figure.subplots()
        for number, (name, offset) in enumerate(zip(names, np.linspace(-0.3, 0.3, len(names)), strict=True)):
            scores = [(y + offset, score_of(record, name)) for y, record in enumerate(own)]
            found = [(y, score) for y, score in scores if score["value"] is not None]
            mark = {"color": style.COLOURS[number % 7], "marker": style.MARKERS[number % 7]}
            intervals(axes, found, mark | {"label": f"sees {name}"})
        axes.set_yticks(range(len(own)), [record["method"] for record in own])
        axes.invert_yaxis()
        axes.set_xlabel(metric)
        style.tidy(axes)
        figure.legend(loc="outside lower center", ncols=3, frameon=False)
    return shown._replace(
        figure=figure,
        reading=f"One row per model, one mark per condition; bars are {confidence:.0%} intervals over subjects.",
    )


def shown_conditions(record: dict) -> list[str]:
    """All conditions would be too many."""
    subsets = {name: entry for name, entry in record["conditions"].items() if entry["protocol"] == "subset"}
    return [name for name, e in subsets.items() if e["alias"] in ("all", "privileged_absent") or "+" not in name]


def intervals(axes, found: list[tuple[float, dict]], mark: dict) -> None:
    """Points with their intervals; a point alone where there is no interval."""
    if not found:
        return
    heights, scores = zip(*found, strict=True)
    value = np.array([score["value"] for score in scores])
    low, high = (
        np.array([score["value"] if score.get(end) is None else score[end] for score in scores])
        for end in ("low", "high")
    )
    reach = np.maximum([value - low, high - value], 0)
    axes.errorbar(
        value, heights, xerr=reach, **{"linestyle": "none", "capsize": 2, "markersize": 5, "linewidth": 1} | mark
    )
