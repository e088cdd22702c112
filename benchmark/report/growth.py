"""How time and memory grow, where `make bench` has measured it."""

from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from benchmark.report import style

QUANTITIES = {"load_s": "load, s", "train_s": "train, s", "memory_mb": "memory, MB"}
AXES = {"clips": "clips", "batch": "clips of a batch", "replicas": "replicas trained together"}
SPAN = 8  # an axis of values spans that factor at least, so that what hardly changes looks flat
READING = (
    "On made-up feature tables as wide as those of `biovid_level`: what it takes to load them, to train a method for "
    "20 steps, and the most memory its process held, libraries included. Both axes are logarithmic; the grey line is "
    "what grows in proportion, so anything as steep is linear and anything flatter is better. Times are those of the "
    "machine named in `results/bench.md`."
)


def draw(path: Path) -> style.Drawn | None:
    """A panel per quantity and axis; None where nothing was measured. path: results/bench/growth.csv."""
    if not path.exists():
        return None
    rows, title = pd.read_csv(path), "Made-up feature tables: time and memory"
    rows["line"] = [named(row) for row in rows.itertuples()]
    looks = {name: style.line(number) for number, name in enumerate(sorted(rows.line.unique()))}
    figure, grid = style.panels(len(QUANTITIES) * len(AXES), len(AXES), (3.3, 2.3), title)
    with style.settings():
        for number, axes in enumerate(grid):
            quantity, against = list(QUANTITIES)[number // len(AXES)], list(AXES)[number % len(AXES)]
            panel(axes, rows[(rows.quantity == quantity) & (rows.against == against)], looks)
            if number % len(AXES) == 0:
                axes.set_ylabel(QUANTITIES[quantity])
            if number >= len(QUANTITIES) * (len(AXES) - 1):
                axes.set_xlabel(AXES[against])
        known = {name: line for axes in grid for line, name in zip(*axes.get_legend_handles_labels(), strict=True)}
        figure.legend(known.values(), known.keys(), loc="outside lower center", ncols=4, frameon=False)
    return style.Drawn("growth", "Growth with clips, batch and replicas", READING, figure)


def named(row) -> str:
    """The line that a measurement belongs to."""
    if row.against == "replicas":
        return f"{row.method}, by replicas"
    return f"{row.method}, {row.replicas} replica{'s' * (row.replicas > 1)}"


def panel(axes: Axes, rows: pd.DataFrame, looks: dict[str, dict]) -> None:
    """The lines of one quantity against one axis, beside what is linear."""
    if rows.empty:
        axes.set_axis_off()
        return
    low, high = rows.y.min(), rows.y.max()
    middle, reach = (low * high) ** 0.5, max(high / low, SPAN) ** 0.5 * 1.2
    x = rows.x.agg(["min", "max"])
    axes.set(xscale="log", yscale="log", ylim=(middle / reach, middle * reach))
    axes.plot(x, middle * x / (x["min"] * x["max"]) ** 0.5, color="0.7", linewidth=1, label="linear", zorder=0)
    for name, own in rows.groupby("line"):
        own = own.sort_values("x")
        axes.plot(own.x, own.y, label=name, markersize=4, linewidth=1.2, **looks[name])
    axes.set_xticks(sorted(rows.x.unique()))
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 3)))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(short))
        axis.set_minor_locator(NullLocator())
    style.tidy(axes)


def short(value: float, _) -> str:
    """1000 as 1k."""
    return f"{value / 1000:g}k" if value >= 1000 and value % 1000 == 0 else f"{value:g}"
