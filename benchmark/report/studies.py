"""A study over populations, as a page and a picture."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from benchmark.params import Study
from benchmark.power import ASKED, quantile
from benchmark.records import GEOMETRY
from benchmark.report.leaderboard import p_number, shown_condition
from benchmark.report.style import COLOURS, save


def row(record: dict) -> dict:
    """Of a record: its headline score, the standard error that its interval over subjects means, and its geometry."""
    if record["status"] != "ok":
        return {"score": np.nan, "error": np.nan}
    metric, difference = record["headline"]["metric"], record["difference"]
    score = record["conditions"][shown_condition(record)]["scores"][metric]["value"]
    reach = np.nan if difference["low"] is None else difference["high"] - difference["low"]
    error = reach / (2 * quantile(record["evaluation"]["confidence"]))
    return {"metric": metric, "score": score, "error": error} | (record["geometry"] or {})


def markdown(name: str, study: Study, results: dict, confidence: float) -> str:
    """The methods over all populations, and what a difference must measure to be shown."""
    power = results["power"]
    chance = results.get("chance")
    others = ["prevalent_only", *study.against]
    head = ["method", results["metric"]] + [word for name in others for word in (f"to {name}", "p", "above")]
    head += [] if chance is None else ["CKA", "Frobenius", f"mass on true pairs (chance {chance:.3f})"]
    lines = [
        f"# SYNTHETIC recordings: study {name} of {study.task}",
        "",
        f"{study.populations} populations, seeds {study.first} to {study.first + study.populations - 1}, each "
        "rendered, extracted, trained and scored by itself.",
        f"Mean of the headline score over populations; paired differences with {confidence:.0%} t intervals, p of the "
        "paired t test, and in how",
        "many populations the difference was above 0. The populations are the sampling unit. **Bold**: told from 0 "
        "after Holm's correction over",
        "the methods of a column but the teacher.",
        *tuned(study),
        "",
        f"| {' | '.join(head)} |",
        f"|{'---|' * len(head)}",
    ]
    for entry in results["methods"]:
        cells = [entry["method"], "no score" if entry["score"] is None else f"{entry['score']:.3f}"]
        for name in others:
            cells += compared(entry[f"to_{name}"], confidence) if f"to_{name}" in entry else ["", "", ""]
        if chance is not None:
            cells += [f"{entry[measure]:.3f}" if measure in entry else "" for measure in GEOMETRY]
        lines.append(f"| {' | '.join(cells)} |")
    told = {key: "more than was looked at" if v is None else f"{v:.3f}" for key, v in power["smallest"].items()}
    return "\n".join([
        *lines, "",
        f"With a chance of {ASKED:.0%}, one population shows a difference to prevalent_only of {told['one']} (standard "
        f"error {power['error_of_one']:.3f} over subjects),",
        f"all {power['populations']} together one of {told['all']} (they deviate by {power['spread']:.3f} between "
        "populations).", "",
    ])  # fmt: skip


def tuned(study: Study) -> list[str]:
    """What a study says of its own tuning."""
    if not study.tuning:
        return []
    tried = ", ".join(f"{factor:g}" for factor in study.tuning.weights)
    return [f"Every method chose among these factors on the weights of its terms, by the validation subjects: {tried}."]


def compared(found: dict, confidence: float) -> list[str]:
    """Difference, p and how often above; **bold** where p stays small enough after correction."""
    text = f"{found['mean']:+.3f} [{found['low']:+.3f}, {found['high']:+.3f}]"
    told = found["p_holm"] is not None and found["p_holm"] <= 1 - confidence
    return [f"**{text}**" if told else text, p_number(found["p"]), f"{found['above']} of {found['populations']}"]


def figure(name: str, study: Study, results: dict, path: Path) -> None:
    """Differences to prevalent_only with their intervals, beside the power curves."""
    shown = [entry for entry in results["methods"] if "to_prevalent_only" in entry and entry["method"] != "teacher"]
    power = results["power"]
    size = (11, 2.2 + 0.3 * len(shown))
    figure, (left, right) = plt.subplots(1, 2, figsize=size, width_ratios=(3, 2), layout="constrained")
    left.axvline(0, color="0.4", linewidth=1)
    for height, entry in enumerate(shown):
        found = entry["to_prevalent_only"]
        reach = [[found["mean"] - found["low"]], [found["high"] - found["mean"]]]
        left.errorbar(
            found["mean"], height, xerr=reach, color="black", marker="o", capsize=2, markersize=5, linewidth=1
        )
    left.set_yticks(range(len(shown)), [entry["method"] for entry in shown])
    left.invert_yaxis()
    left.set_xlabel(f"{results['metric']}: difference to prevalent_only over {power['populations']} populations")
    right.plot(power["difference"], power["one"], color=COLOURS[0], label="one population, by its subjects")
    right.plot(
        power["difference"],
        power["all"],
        color=COLOURS[1],
        linestyle="--",
        label=f"all {power['populations']} together",
    )
    right.axhline(ASKED, color="0.6", linewidth=1, linestyle=":")
    right.set_ylim(0, 1.02)
    right.set_xlabel(f"true difference in {results['metric']}")
    right.set_ylabel("chance that it is shown")
    right.legend(frameon=False, loc="lower right")
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(f"SYNTHETIC recordings: study {name} of {study.task}")
    save(figure, path.parent, path.stem)
    plt.close(figure)
