"""Continuous ratings of one recording and dimension by several people, and the gold standard made of them."""

from pathlib import Path

import numpy as np
import pandas as pd

from benchmark.concordance import ccc
from benchmark.reading import sizes, tables
from benchmark.types import Unusable


def gold(path: Path) -> pd.Series:
    """The gold standard of one recording and dimension by time in s, from its own file or from the raters."""
    return arff(path) if path.suffix.lower() == ".arff" else agreed(individual(path))


def arff(path: Path) -> pd.Series:
    """An AVEC gold standard: the numeric columns after @data, found by the names in the header, not by line number."""
    sizes.held(path, sizes.TEXT, Unusable)
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8", errors="replace").splitlines()]
    except OSError as error:
        raise Unusable(f"{path.name} cannot be read: {error}") from None
    data = next((at for at, line in enumerate(lines) if line.lower() == "@data"), None)
    names = [
        line.split()[1].lower()
        for line in lines[:data]
        if line.lower().startswith("@attribute ") and len(line.split()) > 1
    ]
    if data is None or "frametime" not in names or "goldstandard" not in names:
        raise Unusable(f"{path.name} has no @data, or no attributes frameTime and GoldStandard")
    rows = [line.split(",") for line in lines[data + 1 :] if line and not line.startswith("%")]
    try:
        found = [(float(row[names.index("frametime")]), float(row[names.index("goldstandard")])) for row in rows]
    except (ValueError, IndexError):
        raise Unusable(
            f"{path.name} holds a line after @data that is not {len(names)} values with two numbers"
        ) from None
    times, values = np.array(found, float).reshape(-1, 2).T
    return checked(pd.Series(values, times), path)


def individual(path: Path) -> pd.DataFrame:
    """Ratings by time in s: semicolons, names with trailing blanks; every column but the time is a rater."""
    table = tables.numbers(path, ";", (), Unusable)
    time = table.columns[0]
    ratings = table.set_index(time).dropna(axis=1, how="all")  # a trailing semicolon makes an empty column
    if ratings.shape[1] < 2:
        raise Unusable(f"{path.name} has {ratings.shape[1]} raters; at least 2 are needed")
    return checked(ratings, path)


def checked(trace: pd.Series | pd.DataFrame, path: Path):
    """The trace if its times increase and its values lie in -1 to 1."""
    times, values = trace.index.to_numpy(float), trace.to_numpy(float)
    if len(times) < 2 or not (np.diff(times) > 0).all():
        raise Unusable(f"{path.name} holds {len(times)} frames whose times do not always increase")
    if not (np.abs(values[~np.isnan(values)]) <= 1 + 1e-6).all():
        raise Unusable(f"{path.name} holds ratings outside -1 to 1")
    return trace


def agreed(ratings: pd.DataFrame) -> pd.Series:
    """The gold standard of AVEC 2018 (Ringeval et al. 2018, AVEC, section on the gold standard) from raters (M, R).

    The mean over raters, centred on the mean of the raters' means weighted by how well each agrees with the others
    (mean CCC; one who disagrees counts nothing).
    """
    values = ratings.to_numpy(float)
    raters = range(values.shape[1])
    pairs = [[agreement(values[:, i], values[:, j]) for j in raters if j != i] for i in raters]
    weights = np.clip(np.nan_to_num(pairs).mean(axis=1), 0, None)
    centre = np.average(ratings.mean().to_numpy(), weights=weights if weights.sum() > 0 else None)
    frames = ratings.mean(axis=1)
    return frames - frames.mean() + centre


def agreement(one: np.ndarray, other: np.ndarray) -> float:
    """CCC of two raters over the frames both rated."""
    both = np.isfinite(one) & np.isfinite(other)
    x, y = one[both], other[both]
    return float(ccc(np.array([len(x), x.sum(), y.sum(), (x * x).sum(), (y * y).sum(), (x * y).sum()])))
