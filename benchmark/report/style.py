"""How every figure looks, and how it is kept: the same bytes for the same numbers."""

import io
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import matplotlib

matplotlib.use("Agg")
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from benchmark.files import replacing

# Okabe and Ito's colours, told apart by colour-blind people; markers and lines tell the same things apart in grey.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
LINES = ("-", "--", ":", "-.", (0, (5, 1)), (0, (1, 1)), (0, (3, 1, 1, 1)))
SCALE = "cividis"  # its lightness rises evenly: in grey it says the same
LEAST = {"font.size": 9, "axes.titlesize": 9, "figure.titlesize": 10, "legend.fontsize": 8.5}
SETTINGS = LEAST | {"svg.hashsalt": "affect-pkd", "svg.fonttype": "path", "font.family": "DejaVu Sans"}
DPI = 110
NARROWEST = 7.0  # inches: a title fits


class Drawn(NamedTuple):
    """A figure of the report, or why there is none."""

    name: str  # of its files
    title: str
    reading: str = ""  # how to read it; below it on the page
    figure: Figure | None = None
    reason: str | None = None


class Saved(NamedTuple):
    """A figure as files."""

    png: bytes
    svg: bytes


def canvas(width: float, height: float, title: str) -> Figure:
    """An empty figure of so many inches, with its title."""
    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(width, height), layout="constrained")
        figure.suptitle(title)
    return figure


def settings():
    """The context in which figures are drawn."""
    return matplotlib.rc_context(SETTINGS)


def tidy(axes, grid: str = "both") -> None:
    """Nothing but the axes that are read, over a light grid."""
    axes.grid(axis=grid, alpha=0.3, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def panels(count: int, columns: int, size: tuple[float, float], title: str, **more) -> tuple[Figure, list]:
    """A grid of panels of so many inches each; those beyond count are removed."""
    rows, columns = -(-count // columns), min(columns, count)
    figure = canvas(max(size[0] * columns, NARROWEST), size[1] * rows + 0.7, title)
    with settings():
        grid = figure.subplots(rows, columns, squeeze=False, **more).ravel()
    for axes in grid[count:]:
        axes.remove()
    for axes in grid[:count]:
        axes.locator_params(nbins=5)
    return figure, list(grid[:count])


def below(count: int, columns: int) -> list[int]:
    """Panels of a grid that have none below them: where the axis is named."""
    return list(range(max(count - min(columns, count), 0), count))


def line(number: int) -> dict:
    """Colour, marker and line of the series with this number."""
    return {"color": COLOURS[number % 7], "marker": MARKERS[number % 7], "linestyle": LINES[number % 7]}


def on(colour) -> str:
    """Black or white, whichever is read on this colour."""
    return "black" if np.dot(colour[:3], (0.299, 0.587, 0.114)) > 0.5 else "white"


def several(names: Iterable[str]) -> str:
    """Names as part of a sentence: a, b and c."""
    names = list(names)
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else "none"


def save(figure: Figure, folder: Path, name: str) -> Saved:
    """Write name.png and name.svg; no date or version in them, so equal numbers give equal bytes."""
    png, svg = io.BytesIO(), io.BytesIO()
    with settings():
        figure.get_layout_engine().execute(figure)
        figure.set_layout_engine(None)  # it is settled: each file would draw everything once more for it
        figure.savefig(png, format="png", dpi=DPI, metadata={"Software": None})
        figure.savefig(svg, format="svg", metadata={"Date": None})
    saved = Saved(indexed(png), svg.getvalue())
    for ending, content in saved._asdict().items():
        with replacing(folder / f"{name}.{ending}") as partial:
            partial.write_bytes(content)
    return saved


def indexed(png: io.BytesIO) -> bytes:
    """A PNG of at most 256 colours: a third of the bytes, and nobody sees the difference."""
    file = io.BytesIO()
    Image.open(png).convert("RGB").quantize(256, dither=Image.Dither.NONE).save(file, format="png", optimize=True)
    return file.getvalue()
