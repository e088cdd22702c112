"""Figures from records."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from benchmark.records import compared
from benchmark.report.leaderboard import better, shown_condition, title, told_apart

# Okabe and Ito's colours, told apart by colour-blind people; markers tell conditions apart in grey.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")


def scores(records: list[dict], path: Path) -> None:
    """Scores of one task by method and condition, beside differences to prevalent_only, with intervals."""
    own = [record for record in records if record["status"] == "ok"]
    metric = own[0]["headline"]["metric"]
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(10, 2.0 + 0.42 * len(own)), sharey=True, width_ratios=(3, 2), layout="constrained"
    )
    draw_conditions(left, own, metric)
    draw_differences(right, own, metric)
    figure.legend(loc="outside lower center", ncols=3, frameon=False)
    left.set_yticks(range(len(own)), [record["method"] for record in own])
    left.invert_yaxis()
    for axes in (left, right):
        axes.grid(axis="x", alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    confidence = own[0]["evaluation"]["confidence"]
    figure.suptitle(f"{title(own[0])}: {metric} ({better(metric)}), {confidence:.0%} intervals over subjects", x=0.5)
    path.parent.mkdir(parents=True, exist_ok=True)
    # no date or version in the file: equal records give equal bytes
    figure.savefig(path, dpi=100, metadata={"Software": None})
    plt.close(figure)


def draw_conditions(axes, records: list[dict], metric: str) -> None:
    """Everything visible, the prevalent modalities, and each modality alone: all conditions would be too many."""
    names = shown_conditions(records[0])
    offsets = np.linspace(-0.3, 0.3, len(names))
    for number, name in enumerate(names):
        scored = [(y, record["conditions"][name].get("scores")) for y, record in enumerate(records)]
        found = [(y + offsets[number], s[metric]) for y, s in scored if s and s[metric]["value"] is not None]
        style = {"color": COLOURS[number % 7], "marker": MARKERS[number % 7], "label": f"sees {name}"}
        intervals(axes, found, style)
    axes.set_xlabel(metric)


def shown_conditions(record: dict) -> list[str]:
    wanted = ("all", "privileged_absent")
    return [name for name, entry in record["conditions"].items() if entry["alias"] in wanted or "+" not in name]


def draw_differences(axes, records: list[dict], metric: str) -> None:
    """Filled where interval and test tell a model from prevalent_only, hollow elsewhere."""
    axes.axvline(0, color="0.4", linewidth=1)
    marks = [(y, record) for y, record in enumerate(records) if compared(record)]
    marks = [(y, record) for y, record in marks if record["difference"]["value"] is not None]
    for told, face, label in (
        (True, "black", "told from prevalent_only (interval, and test after Holm)"),
        (False, "white", "not told from prevalent_only"),
    ):
        found = [(y, record["difference"]) for y, record in marks if told_apart(record) == told]
        intervals(axes, found, {"color": "black", "marker": "o", "markerfacecolor": face, "label": label})
    axes.set_xlabel(f"{metric}: difference to prevalent_only,\nboth seeing {shown_condition(records[-1])}")


def intervals(axes, found: list[tuple[float, dict]], style: dict) -> None:
    """Points with their intervals; a point alone where there is no interval."""
    if not found:
        return
    heights, marks = zip(*found, strict=True)
    value = np.array([mark["value"] for mark in marks])
    low = np.array([mark["value"] if mark["low"] is None else mark["low"] for mark in marks])
    high = np.array([mark["value"] if mark["high"] is None else mark["high"] for mark in marks])
    reach = np.maximum([value - low, high - value], 0)
    axes.errorbar(value, heights, xerr=reach, linestyle="none", capsize=2, markersize=5, linewidth=1, **style)
