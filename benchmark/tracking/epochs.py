"""Epoch curves read back from disk, also while a training stage is still writing them."""

import math
from pathlib import Path
from typing import NamedTuple

CARD, CURVES = "card.json", "curves*.csv"  # a folder of a model has its card when training has ended, not before


class Row(NamedTuple):
    """A line of curves.csv."""

    epoch: int
    fold: int
    seed: int
    term: str
    value: float


def rows(text: str) -> list[Row]:
    """The whole lines of a curves.csv: the last one may be half written, and says nothing then."""
    found = []
    for line in text.split("\n")[1:-1]:
        cells = line.split(",")
        try:
            epoch, fold, seed, term, value = cells
            found.append(Row(int(epoch), int(fold), int(seed), term, float(value)))
        except ValueError:
            continue
    return found


def read(path: Path) -> list[Row]:
    """The rows of a file; none where it has just vanished."""
    try:
        return rows(path.read_text(errors="replace"))
    except OSError:
        return []


def last_complete(found: list[Row]) -> int:
    """The last epoch of which every line is there, judged by how many the one before has; 0: none."""
    sizes = {}
    for row in found:
        sizes[row.epoch] = sizes.get(row.epoch, 0) + 1
    if len(sizes) < 2:
        return 0
    *_, before, last = sorted(sizes)
    return last if sizes[last] >= sizes[before] else before


def means(found: list[Row]) -> list[tuple[str, float, int]]:
    """(term, mean over the replicas that have a finite value, epoch), by epoch."""
    held = {}
    for row in found:
        if math.isfinite(row.value):
            held.setdefault((row.epoch, row.term), []).append(row.value)
    return [(term, math.fsum(values) / len(values), epoch) for (epoch, term), values in sorted(held.items())]


def of_replicas(found: list[Row]) -> dict[tuple[int, int], list[tuple[str, float, int]]]:
    """(fold, seed) -> its finite values, as (term, value, epoch)."""
    held = {}
    for row in found:
        if math.isfinite(row.value):
            held.setdefault((row.fold, row.seed), []).append((row.term, row.value, row.epoch))
    return held


def in_training(models: Path) -> dict[str, Path]:
    """Curves of models that are in training now: "task/model", or "task/model/factor" while weights are tried.

    Such a folder has no card yet: DVC removes what a stage wrote before it runs that stage again.
    """
    paths = [path for path in sorted(models.glob(f"*/*/{CURVES}")) if not path.with_name(CARD).exists()]
    return {key(path): path for path in paths}


def key(path: Path) -> str:
    factor = path.stem.removeprefix("curves").lstrip("_")
    return "/".join((path.parts[-3], path.parts[-2], *([f"x{factor}"] if factor else [])))
