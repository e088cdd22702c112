"""Robustness: what the scores of one model under many conditions come down to.

Scores are of the headline metric, over conditions as missing.listed gives them. Where a publication's formula could
not be read, the formula is ours, and its sentence says so.
"""

from itertools import combinations
from math import factorial

import numpy as np
import pandas as pd

from benchmark.types import SLOPE

Value = dict[str, float | str | None]  # value, and the reason where there is none

EXPLAINED = {
    "area_random": "mean of the curve over rates of randomly missing modalities (trapezoids over their range; ours)",
    "area_wild": "the same with the privileged modalities absent throughout (ours)",
    "worst": "lowest score under any random, wild, equal, unequal or gap condition (ours)",
    "relative": "area under the curve of randomly missing modalities (MultiBench, Liang et al. 2021)",
    "effective": "sum over its rates of the score above prevalent_only's, less the lead without anything missing "
    "(MultiBench, with prevalent_only in the place of late fusion, and not rescaled over methods)",
    "equity": "entropy of the modalities' Shapley values over all subsets, 0 one modality does all, 1 all do the same "
    "(the idea of MissBench's MEI, formula ours)",
    "learning_index": "deviation over mean of the gradient norms of the modalities' modules, mean over epochs, 0 "
    "balanced (the idea of MissBench's MLI, formula ours)",
}  # fmt: skip


def known(value: float) -> Value:
    return {"value": float(value), "reason": None}


def unknown(reason: str) -> Value:
    return {"value": None, "reason": reason}


def points(conditions: dict[str, dict], protocol: str) -> list[tuple[float, str]]:
    """(rate, name) of the conditions of a protocol, from rate 0 on: there nothing is hidden, or for wild what is
    privileged."""
    start = {"random": "all", "wild": "privileged_absent"}[protocol]
    found = conditions.items()
    return sorted((e["rate"] or 0.0, name) for name, e in found if e["alias"] == start or e["protocol"] == protocol)


def curve(conditions: dict[str, dict], metric: str, protocol: str) -> tuple[np.ndarray, np.ndarray]:
    """(rates, scores) of a protocol."""
    found = points(conditions, protocol)
    return np.array([rate for rate, _ in found]), np.array([value_of(conditions[n], metric) for _, n in found])


def value_of(entry: dict, metric: str) -> float:
    """The score of a condition; NaN where there is none."""
    value = entry.get("scores", {}).get(metric, {}).get("value")
    return np.nan if value is None else value


def area(conditions: dict[str, dict], metric: str, protocol: str, scaled: bool = True) -> Value:
    """Area under a curve by trapezoids; scaled: over its range of rates, which makes it a mean score."""
    rates, scores = curve(conditions, metric, protocol)
    if len(rates) < 2:
        return unknown("one modality alone cannot be missing in part")
    if not np.isfinite(scores).all():
        return unknown("no score at some rates")
    return known(np.trapezoid(scores, rates) / ((rates[-1] - rates[0]) if scaled else 1))


def worst(conditions: dict[str, dict], metric: str, higher: bool) -> Value:
    """The worst score beyond the subsets; the reason names its condition."""
    found = {n: value_of(e, metric) for n, e in conditions.items() if e["protocol"] not in ("subset", "degraded")}
    found = {name: value for name, value in found.items() if np.isfinite(value)}
    if not found:
        return unknown("no condition has a score")
    name = (min if higher else max)(found, key=found.get)
    return {"value": found[name], "reason": f"under {name}"}


def effective(conditions: dict[str, dict], baseline: dict[str, dict], metric: str) -> Value:
    """How much better than the baseline a model keeps up, summed over the rates of randomly missing modalities."""
    rates, own = curve(conditions, metric, "random")
    other_rates, other = curve(baseline, metric, "random")
    if len(rates) < 2 or len(rates) != len(other_rates):
        return unknown("the curves have no rates in common")
    if not (np.isfinite(own).all() and np.isfinite(other).all()):
        return unknown("no score at some rates")
    return known(((own - other) - (own[0] - other[0])).sum())


def equity(conditions: dict[str, dict], metric: str, chance: float, modalities: tuple[str, ...]) -> Value:
    """Entropy of the modalities' shares in the score over all subsets, over its largest value: 0 to 1.

    chance: the score without any input. A subset that shows the model nothing it can use scores chance.
    """
    if len(modalities) < 2:
        return unknown("a single modality")
    gains = {(): 0.0}
    for name, entry in conditions.items():
        if entry["protocol"] == "subset":
            value = value_of(entry, metric)
            if "scores" in entry and not np.isfinite(value):
                return unknown(f"no score when {name} is visible")
            gains[tuple(sorted(name.split("+")))] = 0.0 if np.isnan(value) else value - chance
    parts = np.maximum([shapley(gains, modality, modalities) for modality in modalities], 0)
    if parts.sum() <= 0:
        return unknown("no modality lifts the score above chance")
    shares = parts[parts > 0] / parts.sum()
    return known(abs((shares * np.log(shares)).sum()) / np.log(len(modalities)))


def shapley(gains: dict[tuple, float], modality: str, modalities: tuple[str, ...]) -> float:
    """What a modality adds to the score, averaged over the orders in which modalities may come (Shapley 1953)."""
    others, count, total = [name for name in modalities if name != modality], len(modalities), 0.0
    for size in range(count):
        weight = factorial(size) * factorial(count - size - 1) / factorial(count)
        for before in combinations(others, size):
            total += weight * (gains[tuple(sorted((*before, modality)))] - gains[tuple(sorted(before))])
    return total


def learning_index(curves: pd.DataFrame | None) -> Value:
    """How unevenly the modules of the modalities learn. curves: epoch, fold, seed, term, value, as saved in training,
    where SLOPE and a modality name the mean gradient norm of the modules of a modality."""
    if curves is None:
        return unknown("nothing was trained")
    norms = curves[curves.term.str.startswith(SLOPE)]
    if norms.term.nunique() < 2:
        return unknown("the modules of one modality alone learn")
    wide = norms.pivot(index=["fold", "seed", "epoch"], columns="term", values="value")
    spread = wide.std(axis=1, ddof=0) / wide.mean(axis=1)
    found = spread.groupby(["fold", "seed"]).mean()
    found = found[np.isfinite(found)]
    return known(found.mean()) if len(found) else unknown("every replica diverged")
