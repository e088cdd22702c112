"""Intervals of scores: over subjects, given the networks, and over subjects and seeds together.

Nothing is drawn. Every score is a function of statistics summed over subjects, so each subject is left out in turn and
the spread of what remains is the standard error (the jackknife; Tukey 1958, Annals of Mathematical Statistics 29).
With Student's t and degrees of freedom estimated from the same values (Hinkley 1977, Biometrika 64(1)) it covers
where bootstraps do not; `make validate` measures both. With 10 to 22 subjects a score that few of them decide is
covered in 92 to 94 % of samples rather than 95 %, one near its bound in 93 to 94 %; most differences hold. Under 10
nothing was measured.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from benchmark import plugins
from benchmark.stats import metrics, pooled

Statistic = Callable[[list[np.ndarray]], np.ndarray]  # of tables summed over subjects, (..., seeds, *) each -> (...)

LEAST = 3  # subjects from which there is an interval
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


def both(subjects: Spread, seeds: Spread) -> Spread:
    """Spreads of two sources together, with degrees of freedom after Welch and Satterthwaite (1946, Biometrics 2)."""
    variance = subjects.variance + seeds.variance
    with np.errstate(invalid="ignore", divide="ignore"):
        freedom = variance**2 / sum(part.variance**2 / part.freedom for part in (subjects, seeds))
    return Spread(variance, np.nan_to_num(freedom, nan=1.0))


def limits(value: np.ndarray, spread: Spread, confidence: float) -> tuple[np.ndarray, np.ndarray]:
    """Both ends of Student's t interval around values (...)."""
    from scipy.special import stdtrit  # half a second that training does not need

    reach = stdtrit(spread.freedom, (1 + confidence) / 2) * np.sqrt(spread.variance)
    return value - reach, value + reach


def left_out(statistic: Statistic, tables: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """A statistic of all subjects (...), and without each in turn (..., subjects).

    tables: each (..., subjects, seeds, *), the same subjects in the same order; * is two axes, as by_subject makes it.
    """
    sums = [table.sum(-4) for table in tables]
    return statistic(sums), statistic([whole[..., None, :, :, :] - t for whole, t in zip(sums, tables, strict=True)])


def interval(statistic: Statistic, tables: list[np.ndarray], confidence: float) -> Interval:
    """The statistic of summed tables with its jackknife-t interval over subjects; the networks are given.

    tables: each (subjects, seeds, *), the same subjects in the same order; statistic receives each summed over
    subjects with leading axes. It speaks of other subjects under these networks, not of other training.
    """
    value, without = left_out(statistic, tables)
    if found := unbounded(value, without):
        return found
    low, high = limits(value, jackknife(without), confidence)
    return Interval(float(value), float(low), float(high))


def unbounded(value: np.ndarray, without: np.ndarray) -> Interval | None:
    """What is said in place of an interval over subjects that cannot be had."""
    people = len(without)
    if not np.isfinite(value):
        return Interval(None, reason="undefined: truth or prediction has no spread")
    if people < LEAST:
        return Interval(float(value), reason=f"no interval from {people} subject{'s' * (people > 1)}")
    if not np.isfinite(without).all():
        return Interval(float(value), reason="no interval: without one of the subjects the score is undefined")
    if np.ptp(without) < EQUAL:
        return Interval(float(value), reason="no interval: the score is the same without any of the subjects")
    return None


def hierarchical(statistic: Statistic, tables: list[np.ndarray], confidence: float) -> Interval:
    """As `interval`, over subjects and seeds: what other subjects would give with networks trained again.

    The design is crossed: every seed is one training of all folds, whose networks predict every subject. So seeds are
    left out in turn as subjects are, and both squared errors added (the two-way jackknife). That is the variance
    that resampling subjects and seeds independently tends to (the pigeonhole bootstrap; Owen 2007, Annals of Applied
    Statistics 1(2)), without what three seeds drawn from three lack (a third of their variance) and with the t
    quantile for so few. Networks that err on subjects of their own are counted in both parts, which makes it wide, by
    up to 40 %, where the seeds make no other difference; with 3 seeds that decide nearly everything it covers in about
    92 % rather than 95 %. tables: each (subjects, seeds, *), the same seeds in the same order.
    """
    found = interval(statistic, tables, confidence)
    if found.low is None:
        return found
    runs = {table.shape[1] for table in tables}
    if len(runs) > 1:
        return Interval(found.value, reason="no interval over seeds: the models were trained with different seeds")
    seeds = runs.pop()
    if seeds == 1:
        return Interval(found.value, reason="one seed: nothing is known of other training")
    value, without = left_out(statistic, tables)
    retrained = without_seeds(statistic, tables)
    if not np.isfinite(retrained).all():
        return Interval(found.value, reason="no interval over seeds: without one of them the score is undefined")
    low, high = limits(value, both(jackknife(without), by_seed(retrained)), confidence)
    return Interval(float(value), float(low), float(high))


def without_seeds(statistic: Statistic, tables: list[np.ndarray]) -> np.ndarray:
    """A statistic of all subjects without each seed in turn: (..., seeds)."""
    sums = [table.sum(-4) for table in tables]
    seeds = range(sums[0].shape[-3])
    return np.stack([statistic([np.delete(whole, seed, axis=-3) for whole in sums]) for seed in seeds], axis=-1)


def by_seed(retrained: np.ndarray) -> Spread:
    """Spread of a score over seeds from its values without each of them: (..., seeds) -> (...); t of seeds - 1."""
    seeds = retrained.shape[-1]
    return Spread((seeds - 1) * retrained.var(-1), np.full(retrained.shape[:-1], seeds - 1.0))


def scores(kind: str, table: np.ndarray, confidence: float) -> dict[str, Interval]:
    """Every metric of one method under one condition, with its interval. table (subjects, seeds, *)."""
    return {metric: of_metric(metric, kind, table, confidence) for metric in metrics(kind)}


def of_metric(metric: str, kind: str, table: np.ndarray, confidence: float) -> Interval:
    """A metric pooled per seed, mean over seeds; its interval ends where the metric's own range does."""
    found = interval(lambda sums: pooled(metric, kind, sums[0]), [table], confidence)
    if found.low is None:
        return found
    least, most = plugins.load("metrics", metric).RANGE
    return found._replace(low=max(found.low, least), high=min(found.high, most))


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
