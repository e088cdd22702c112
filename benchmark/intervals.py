"""Intervals of scores: over subjects, given the networks, and over subjects and seeds together.

Nothing is drawn. Every score is a function of statistics summed over subjects, so each subject is left out in turn and
the spread of what remains is the standard error (the jackknife; Tukey 1958, Annals of Mathematical Statistics 29).
With Student's t and degrees of freedom estimated from the same values (Hinkley 1977, Biometrika 64(1)) it covers
where bootstraps do not; `make validate` measures both. With 10 to 22 subjects a score that few of them decide is
covered in 92 to 94 % of samples rather than 95 %, one near its bound in 93 to 94 %; most differences hold. Under 10
nothing was measured.
"""

import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from benchmark import plugins
from benchmark.stats import pooled

Statistic = Callable[[list[np.ndarray]], np.ndarray]  # of tables summed over subjects, (..., seeds, *) each -> (...)

LEAST = 3  # subjects from which there is an interval
UNDEFINED = "undefined: truth or prediction has no spread"
EQUAL = 1e-10  # scores this close are equal: sums of moments are rounded


class Interval(NamedTuple):
    """A score with its interval; None with a reason where it cannot be had."""

    value: float | None
    low: float | None = None
    high: float | None = None
    reason: str | None = None


class Spread(NamedTuple):
    """Squared standard error of a score (...,), and the degrees of freedom that it is known with (...,)."""

    variance: np.ndarray
    freedom: np.ndarray


def jackknife(left_out: np.ndarray) -> Spread:
    """Spread of a score from its values without each subject in turn: (..., subjects) -> (...).

    Degrees of freedom: subjects - 1 for normal influences, fewer where single subjects stand out, by their kurtosis
    (Hinkley 1977). A spread of 0 has one.
    """
    people = left_out.shape[-1]
    influence = left_out.mean(-1, keepdims=True) - left_out
    second, fourth = (influence**2).sum(-1), (influence**4).sum(-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        kurtosis = people * fourth / second**2
        freedom = 2 * people / np.maximum(kurtosis - (people - 3) / (people - 1), 1e-9)
    return Spread((people - 1) / people * second, np.clip(np.nan_to_num(freedom), 1, people - 1))


def limits(value: np.ndarray, spreads: list[Spread], confidence: float) -> tuple[np.ndarray, np.ndarray]:
    """Both ends of Student's t interval around values (...), whose error comes from independent sources.

    Each source reaches as far as its own t quantile says, and the squares add (Zou and Donner 2008, Statistics in
    Medicine 27(10)): three seeds stay three, whatever the number of subjects.
    """
    from scipy.special import stdtrit

    reach = np.sqrt(sum(stdtrit(own.freedom, (1 + confidence) / 2) ** 2 * own.variance for own in spreads))
    return value - reach, value + reach


def left_out(statistic: Statistic, tables: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """A statistic of all subjects (...), and without each in turn (..., subjects).

    tables: each (..., subjects, seeds, *), the same subjects in the same order; * is two axes, as by_subject makes it.
    """
    sums = [table.sum(-4) for table in tables]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # what is undefined without a subject is told in words
        rest = [whole[..., None, :, :, :] - own for whole, own in zip(sums, tables, strict=True)]
        return statistic(sums), statistic(rest)


def interval(statistic: Statistic, tables: list[np.ndarray], confidence: float) -> Interval:
    """The statistic of summed tables with its jackknife-t interval over subjects; the networks are given.

    tables: each (subjects, seeds, *), the same subjects in the same order; statistic receives each summed over
    subjects with leading axes. It speaks of other subjects under these networks, not of other training.
    """
    value, without = left_out(statistic, tables)
    if found := unbounded(value, without):
        return found
    low, high = limits(value, [jackknife(without)], confidence)
    return Interval(float(value), float(low), float(high))


def unbounded(value: np.ndarray, without: np.ndarray) -> Interval | None:
    """What is said in place of an interval over subjects that cannot be had."""
    people = len(without)
    if not np.isfinite(value):
        return Interval(None, reason=UNDEFINED)
    if people < LEAST:
        return Interval(float(value), reason=f"no interval from {people} subject{'s' * (people > 1)}")
    if not np.isfinite(without).all():
        return Interval(float(value), reason="no interval: without one of the subjects the score is undefined")
    if np.ptp(without) < EQUAL:
        return Interval(float(value), reason="no interval: the score is the same without any of the subjects")
    return None


def hierarchical(statistic: Statistic, tables: list[np.ndarray], confidence: float) -> Interval:
    """As `interval`, over subjects and seeds: what other subjects would give with networks trained again.

    tables: each (subjects, seeds, *), the same seeds in the same order. The design is crossed, not nested: a seed is
    one training of all folds, and its networks predict every subject. So both are left out in turn, and what seeds
    add to the squared error of `interval` is estimated as in a two-way analysis of variance (`over_seeds`). Drawing
    both again (the pigeonhole bootstrap; Owen 2007, Annals of Applied Statistics 1(2)) rests on the same design, but of
    three seeds it finds two thirds of the variance. In simulations this covers in 93 to 97 % with three or five seeds
    that decide nothing, some or nearly everything. Where they decide much, three make it twice as wide as many would.
    """
    found = interval(statistic, tables, confidence)
    if found.low is None:
        return found
    runs = {table.shape[-3] for table in tables}
    if len(runs) > 1:
        return Interval(found.value, reason="no interval over seeds: the models were trained with different seeds")
    if runs == {1}:
        return Interval(found.value, reason="one seed: nothing is known of other training")
    value, without = left_out(statistic, tables)
    low, high = limits(value, [jackknife(without), over_seeds(statistic, tables)], confidence)
    if not (np.isfinite(low) and np.isfinite(high)):
        return Interval(found.value, reason="no interval over seeds: without one of them the score is undefined")
    return Interval(float(value), float(low), float(high))


def over_seeds(statistic: Statistic, tables: list[np.ndarray]) -> Spread:
    """What two or more seeds add to the squared error over subjects, from tables (..., subjects, seeds, *).

    The jackknife over seeds, less the part in which networks err on subjects of their own (by leaving out one of
    each): that is in the error over subjects already. At least 0; t of seeds - 1.
    """
    people, seeds = tables[0].shape[-4:-2]
    fewer = [left_out(statistic, [np.delete(t, seed, axis=-3) for t in tables]) for seed in range(seeds)]
    retrained = np.stack([value for value, _ in fewer], axis=-1)  # (..., seeds)
    apart = np.stack([without for _, without in fewer], axis=-1)  # (..., subjects, seeds)
    apart = apart - apart.mean(-1, keepdims=True)
    own = apart - apart.mean(-2, keepdims=True)
    shared = (people - 1) * (seeds - 1) / (people * seeds) * (own**2).sum((-2, -1))
    variance = np.maximum((seeds - 1) * retrained.var(-1) - shared, 0)
    return Spread(variance, np.full(variance.shape, seeds - 1.0))


def of_metric(metric: str, kind: str, table: np.ndarray, confidence: float) -> Interval:
    """A metric pooled per seed, mean over seeds; its interval ends where the metric's own range does."""
    found = interval(lambda sums: pooled(metric, kind, sums[0]), [table], confidence)
    if found.low is None:
        return found
    least, most = plugins.load("metrics", metric).RANGE
    return found._replace(low=max(found.low, least), high=min(found.high, most))


def alone(metric: str, kind: str, table: np.ndarray) -> Interval:
    """The same without an interval."""
    value = float(pooled(metric, kind, table.sum(0)))
    return Interval(value) if np.isfinite(value) else Interval(None, reason=UNDEFINED)


def lead(metric: str, kind: str) -> Statistic:
    """The statistic of two tables whose value is the metric of the first less that of the second."""
    return lambda sums: pooled(metric, kind, sums[0]) - pooled(metric, kind, sums[1])


def difference(metric: str, kind: str, method: np.ndarray, baseline: np.ndarray, confidence: float) -> Interval:
    """Metric of a method less that of the baseline, over the same subjects, (subjects, seeds, *) each."""
    return interval(lead(metric, kind), [method, baseline], confidence)


def gap_recovered(
    metric: str, kind: str, student: np.ndarray, baseline: np.ndarray, teacher: np.ndarray, confidence: float
) -> Interval:
    """(student - baseline) / (teacher - baseline) of a metric; undefined unless the teacher beats the baseline."""
    ahead = difference(metric, kind, teacher, baseline, confidence)
    if ahead.low is None or ahead.low <= 0:
        return Interval(None, reason="undefined: the teacher does not beat prevalent_only beyond its interval")

    def share(sums: list[np.ndarray]) -> np.ndarray:
        s, b, t = (pooled(metric, kind, table) for table in sums)
        return (s - b) / (t - b)

    return interval(share, [student, baseline, teacher], confidence)
