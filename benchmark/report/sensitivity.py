"""The grid of a study: how much each choice inside a method matters, as a table and a picture."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from benchmark.grid import Level, numeric
from benchmark.params import Study
from benchmark.report.studies import compared
from benchmark.report.style import COLOURS, save

WIDTH = 3  # panels in a row
REFERENCE = "kd"  # drawn as a line where the study has it


def markdown(study: Study, results: dict, levels: dict[str, list[Level]], confidence: float) -> str:
    """A section per study with one row for each level of each factor."""
    found = {entry["method"]: entry for entry in results["methods"]}
    head = ["factor", "level", "method", results["metric"], "to prevalent_only", "p", f"to {study.default}", "p"]
    lines = [
        "## One factor at a time",
        "",
        f"Every factor departs from `{study.default}`; all else is as there, unless the table says so. Differences and "
        f"p as above, {confidence:.0%} intervals. p is of each difference alone: of twenty levels that do nothing one "
        "has p < .05; **bold** as above.",
        "",
        f"| {' | '.join(head)} |",
        f"|{'---|' * len(head)}",
    ]
    for name, own in levels.items():
        for level in own:
            entry = found[level.method]
            score = "no score" if entry["score"] is None else f"{entry['score']:.3f}"
            cells = [f"{name} (`{study.factors[name].option}`)", said(level), f"`{level.method}`", score]
            for other in ("prevalent_only", study.default):
                cells += compared(entry[f"to_{other}"], confidence)[:2] if f"to_{other}" in entry else ["", ""]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def said(level: Level) -> str:
    """A level in the table: its value, and what else is not as in the default."""
    more = " (default)" if level.default else f" (differs also in {', '.join(level.beside)})" if level.beside else ""
    return shown(level.value) + more


def shown(value) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def figure(
    name: str, study: Study, results: dict, levels: dict[str, list[Level]], confidence: float, folder: Path
) -> None:
    """<name>_grid.png and .svg: a panel per factor with differences to prevalent_only, levels in order.

    The zero line is prevalent_only, the dashed one kd; a filled square is the default.
    """
    found = {entry["method"]: entry.get("to_prevalent_only") for entry in results["methods"]}
    columns = min(WIDTH, len(levels))
    rows = -(-len(levels) // columns)
    figure, grid = plt.subplots(
        rows, columns, figsize=(0.6 + 3.6 * columns, 1.1 + 2.8 * rows), sharey=True, layout="constrained", squeeze=False
    )
    for axes in grid.flat[len(levels) :]:
        axes.remove()
    for axes, (factor, own) in zip(grid.flat, levels.items(), strict=False):
        panel(axes, own, found)
        option = study.factors[factor].option
        axes.set_title(factor if factor == option else f"{factor} ({option})", fontsize=10)
    for axes in grid[:, 0]:
        axes.set_ylabel(f"{results['metric']}: difference\nto prevalent_only")
    handles = dict(zip(*reversed(grid.flat[0].get_legend_handles_labels()), strict=True))
    for axes in grid.flat[1 : len(levels)]:
        handles |= dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    number = results["power"]["populations"]
    figure.suptitle(
        f"SYNTHETIC recordings: study {name} of {study.task}, one factor at a time\n"
        f"{confidence:.0%} t intervals over {number} populations",
        fontsize=11,
    )
    save(figure, folder, f"{name}_grid")
    plt.close(figure)


def panel(axes, levels: list[Level], found: dict[str, dict | None]) -> None:
    """The levels of one factor; numbers on an axis of their own, logarithmic where they span a decade."""
    at, scale = positions(levels)
    axes.axhline(0, color="0.25", linewidth=1.2, label="prevalent_only")
    if found.get(REFERENCE):
        axes.axhline(found[REFERENCE]["mean"], color=COLOURS[1], linewidth=1.4, linestyle=(0, (5, 3)), label=REFERENCE)
    known = [(x, level, found[level.method]) for x, level in zip(at, levels, strict=True) if found.get(level.method)]
    if numeric(levels):
        axes.plot([x for x, *_ in known], [own["mean"] for *_, own in known], color="0.7", linewidth=1, zorder=1)
    for x, level, own in known:
        reach = [[own["mean"] - own["low"]], [own["high"] - own["mean"]]]
        axes.errorbar(x, own["mean"], yerr=reach, capsize=3, linewidth=1.2, zorder=2, **style(level))
    if scale == "log":
        axes.set_xscale("log")
    names = [shown(level.value) + ("" if found.get(level.method) else "\nno score") for level in levels]
    axes.set_xticks(at, names, fontsize=9)
    axes.minorticks_off()
    axes.margins(x=0.1)
    axes.grid(axis="y", alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)


def positions(levels: list[Level]) -> tuple[np.ndarray, str]:
    """Where the levels stand, and on what scale."""
    if not numeric(levels):
        return np.arange(len(levels)), "linear"
    values = np.array([level.value for level in levels], float)
    return values, "log" if values.min() > 0 and values.max() >= 10 * values.min() else "linear"


def style(level: Level) -> dict:
    """Shape and fill, not colour, tell kinds of levels apart."""
    if level.default:
        return {"color": "black", "marker": "s", "markersize": 7, "label": f"{level.method} (default)"}
    hollow = {"color": COLOURS[0], "markerfacecolor": "white", "markersize": 6}
    if level.beside:
        return hollow | {"marker": "^", "label": "differs from it in more (see table)"}
    return hollow | {"marker": "o", "label": "differs from it in this alone"}
