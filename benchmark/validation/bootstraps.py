"""Bootstrap intervals to compare those of this suite with: percentile, BCa, bootstrap-t; and of subjects and seeds."""

from collections.abc import Callable

import numpy as np

METHODS = ("percentile", "BCa", "bootstrap-t")


def limits(
    statistic: Callable[[np.ndarray], np.ndarray],
    tables: list[np.ndarray],
    resamples: int,
    confidence: float,
    rng: np.random.Generator,
) -> dict[str, tuple[float, float]]:
    """Both ends of each interval. tables: each (subjects, seeds, *); statistic: (tables, ..., seeds, *) -> (...).

    Percentile and BCa: Efron 1987, JASA 82. Bootstrap-t: each resample's error by the jackknife (Hall 1988, Annals of
    Statistics 16).
    """
    from scipy.special import ndtr, ndtri

    stacked = np.stack(tables)
    people, tails = stacked.shape[1], np.array([1 - confidence, 1 + confidence]) / 2
    times, sums = drawn(stacked, resamples, rng)
    whole = stacked.sum(1)
    value, found = float(statistic(whole)), statistic(sums)
    without = statistic(whole[:, None] - stacked)
    influence = without.mean() - without
    skew = (influence**3).sum() / (6 * (influence**2).sum() ** 1.5)
    shift = ndtri(np.clip(((found < value).mean() + (found <= value).mean()) / 2, 1 / resamples, 1 - 1 / resamples))
    moved = shift + ndtri(tails)
    adjusted = ndtr(shift + moved / (1 - skew * moved))
    again = np.where(times > 0, statistic(sums[:, :, None] - stacked[:, None]), 0.0)
    centre = (times * again).sum(1, keepdims=True) / people
    errors = np.sqrt((people - 1) / people * (times * (again - centre) ** 2).sum(1))
    error = np.sqrt((people - 1) / people * (influence**2).sum())
    pivots = np.quantile((found - value) / errors, tails[::-1])
    ends = np.quantile(found, tails), np.quantile(found, adjusted), value - pivots * error
    return {method: (float(low), float(high)) for method, (low, high) in zip(METHODS, ends, strict=True)}


def drawn(stacked: np.ndarray, resamples: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """How often each resample has a subject (resamples, subjects), and its sums (tables, resamples, seeds, *)."""
    count, people = stacked.shape[:2]
    times = rng.multinomial(people, np.full(people, 1 / people), resamples).astype(float)
    return times, (times @ stacked.reshape(count, people, -1)).reshape(count, resamples, *stacked.shape[2:])


def pigeonhole(
    statistic: Callable[[np.ndarray], np.ndarray],
    tables: list[np.ndarray],
    resamples: int,
    confidence: float,
    rng: np.random.Generator,
) -> tuple[float, float]:
    """Percentile interval over subjects and seeds, both drawn again, as `limits` takes them (Owen 2007)."""
    stacked = np.stack(tables)
    seeds, (_, sums) = stacked.shape[2], drawn(stacked, resamples, rng)
    run = rng.integers(0, seeds, (resamples, seeds))
    found = statistic(sums[:, np.arange(resamples)[:, None], run])
    low, high = np.quantile(found, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)
