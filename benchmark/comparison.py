"""Whether a method beats another: tests over subjects, over folds and over data sets, and a Bayesian opinion."""

import warnings
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np

from benchmark.seeds import generator
from benchmark.stats import pooled, score

LEAST_TESTED = 6  # subjects: the smallest two-sided p value is 2 / 2^subjects, which 5 leave above .05
RANKED = 20  # subjects from which their scores are ranked
ROUNDING = 1e-10  # differences this close are equal: sums of moments are rounded
SAMPLES = 20_000  # of the posterior: the probabilities are known to about .003
PERMUTATION, RANKS = "paired permutation", "Wilcoxon signed-rank"


class Test(NamedTuple):
    """A paired test over subjects; where p or effect cannot be had they are None, and reason says why."""

    p: float | None  # two-sided
    name: str | None  # which test it was
    direction: int  # of what was tested: 1 above the baseline, -1 below, 0 neither
    effect: float | None  # mean / deviation of the subjects' differences
    reason: str | None
    subjects: int  # whose difference is defined
    excluded: int  # who have none: a score of theirs is undefined


class Resampled(NamedTuple):
    """A test over folds: t and two-sided p, or None and why."""

    t: float | None
    p: float | None
    reason: str | None = None


class Outcome(NamedTuple):
    """What a task says of a method."""

    p: float | None  # two-sided; None: no test
    direction: int  # of what was tested
    subjects: int


def subject_scores(metric: str, kind: str, table: np.ndarray) -> np.ndarray:
    """Metric of each subject's own clips, mean over seeds: (..., subjects, seeds, *) -> (..., subjects); NaN undefined.

    Not every metric can tell of one subject: kappa is 0 or undefined for whoever shows one class, whatever is
    predicted, and CCC needs spread.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # no clip of a subject in a seed: undefined, and counted
        return score(metric, kind, table).mean(-1)


def subject_differences(metric: str, kind: str, method: np.ndarray, baseline: np.ndarray) -> np.ndarray:
    """Score of each subject under a method less that under the baseline: (subjects,); NaN where one is undefined."""
    if method.shape != baseline.shape:
        raise ValueError(f"a paired test needs the same subjects and seeds, not {method.shape} and {baseline.shape}")
    return subject_scores(metric, kind, method) - subject_scores(metric, kind, baseline)


def paired(metric: str, kind: str, method: np.ndarray, baseline: np.ndarray, draws: int) -> Test:
    """Two-sided test whether two models score alike, (subjects, seeds, *) each, of the same subjects and seeds.

    From 20 subjects on: Wilcoxon's signed-rank test of the differences of the subjects' own scores (Wilcoxon 1945,
    Biometrics Bulletin 1(6)). Subjects without a score are excluded and counted; differences of 0 say nothing of
    the direction and are dropped, as Wilcoxon did; p is exact up to 50 subjects without ties, else by the normal
    approximation. Under 20, or where fewer than half of the subjects have scores that differ: `permutation` of the
    pooled difference. The networks are given: p speaks of other subjects, not of other training.
    """
    people, apart = len(method), subject_differences(metric, kind, method, baseline)
    told = apart[np.isfinite(apart)]
    counts = len(told), people - len(told)
    if people < LEAST_TESTED:
        reason = f"no test from {people} subject{'s' * (people > 1)}: p cannot be below .05"
        return Test(None, None, 0, effect(told), reason, *counts)
    observed = float(pooled(metric, kind, method.sum(0)) - pooled(metric, kind, baseline.sum(0)))
    if not np.isfinite(observed):
        return Test(None, None, 0, effect(told), "no test: the difference is undefined", *counts)
    differing, size = told[np.abs(told) > ROUNDING], effect(told)
    if people >= RANKED and len(differing) >= max(people / 2, LEAST_TESTED):
        name, (p, direction) = RANKS, signed_ranks(differing)
    else:
        p, name = permutation(metric, kind, method, baseline, draws), PERMUTATION
        direction = int(np.sign(observed)) if abs(observed) > ROUNDING else 0
        if people >= RANKED:
            name += f" (only {len(differing)} of {people} subjects have scores of their own that differ)"
    reason = None
    if size is None:
        alike = abs(observed) <= ROUNDING and not len(differing)
        reason = "the models score alike" if alike else "no effect size: the subjects' differences do not vary"
    return Test(p, name, direction, size, reason, *counts)


def effect(differences: np.ndarray) -> float | None:
    """Mean / deviation of differences (n,), in deviations; None where they do not vary, or are fewer than two."""
    if len(differences) < 2 or (spread := differences.std(ddof=1)) < ROUNDING:
        return None
    return float(differences.mean() / spread)


def signed_ranks(differences: np.ndarray) -> tuple[float, int]:
    """Two-sided p of Wilcoxon's signed-rank test of differences (n,), none of them 0, and on which side they rank."""
    from scipy.stats import rankdata, wilcoxon  # 2 s that training does not need

    rounded = np.round(differences / ROUNDING) * ROUNDING  # ties of numbers that were computed
    side = (np.sign(rounded) * rankdata(np.abs(rounded))).sum()
    return float(wilcoxon(rounded, zero_method="wilcox").pvalue), int(np.sign(side))


def permutation(metric: str, kind: str, method: np.ndarray, baseline: np.ndarray, draws: int) -> float:
    """Two-sided p of the pooled difference when the two models are exchanged within random subjects.

    Under the null hypothesis the two are exchangeable within each subject, so the statistics of random subjects are
    swapped and the pooled difference is computed again (Good 2005, Permutation, Parametric and Bootstrap Tests of
    Hypotheses). p is the share of swaps, what was observed among them (Phipson and Smyth 2010, SAGMB 9(1)), whose
    difference is at least as large; an undefined one counts as large.
    """
    people = len(method)
    own, other = method.sum(0), baseline.sum(0)
    observed = pooled(metric, kind, own) - pooled(metric, kind, other)
    moved = swaps(people, draws) @ (baseline - method).reshape(people, -1)
    moved = moved.reshape(-1, *own.shape)
    found = pooled(metric, kind, own + moved) - pooled(metric, kind, other - moved)
    smaller = np.abs(found) < abs(observed) - ROUNDING
    return float(np.mean(~smaller))


def of_pooled(test: Test, metric: str, kind: str, method: np.ndarray, baseline: np.ndarray, draws: int) -> float | None:
    """p of the pooled difference beside what `paired` said of the same models: that p itself where it was permuted."""
    if test.p is None or test.name != RANKS:
        return test.p
    return permutation(metric, kind, method, baseline, draws)


@cache
def swaps(people: int, draws: int) -> np.ndarray:
    """Whose statistics change places, as 0 and 1: every way there is, or nobody and then `draws` random ways.

    (2^people, people) where that is fewer than the draws, else (draws + 1, people); the same for every method.
    """
    if 2**people < draws:
        return (np.arange(2**people)[:, None] >> np.arange(people) & 1).astype(float)
    drawn = generator("swaps", people, draws).integers(0, 2, (draws, people))
    return np.vstack([np.zeros(people), drawn])


def holm(p: list[float]) -> list[float]:
    """p values adjusted for being several (Holm 1979, Scandinavian Journal of Statistics 6(2))."""
    from statsmodels.stats.multitest import multipletests  # 1 s that training does not need

    return multipletests(p, method="holm")[1].tolist()


def correct(family: list[dict]) -> None:
    """Write p_holm beside the p of comparisons that are made at once."""
    for own, p in zip(family, holm([own["p"] for own in family]), strict=True):
        own["p_holm"] = p


def signed_rank(differences: Sequence[float], rope: float) -> dict[str, float] | None:
    """Bayesian signed-rank test: how probable it is that a method is "worse", "equivalent" or "better" than another.

    differences: one per subject, rope: how large one may be, in the same unit, and mean nothing in practice. The
    posterior of a Dirichlet process with one prior observation of weight 1/2 at 0 (Benavoli et al. 2014, ICML; 2017,
    JMLR 18): random weights of the subjects, and the region that most pairs of them have their mean in wins. The
    three sum to 1: unlike p, they tell "equivalent" from "not known". Undefined differences are left out; None where
    fewer than six are left.
    """
    if not rope >= 0:
        raise ValueError(f"the region of practical equivalence must be at least 0 wide, not {rope}")
    values = np.asarray(differences, float)
    values = np.sort(values[np.isfinite(values)])
    if len(values) < LEAST_TESTED:
        return None
    values, prior = np.append(values, 0.0), np.append(np.ones(len(values)), 0.5)
    rng, parts = generator("signed rank", len(values)), range(0, SAMPLES, SAMPLES // 20)
    mass = np.concatenate([masses(values, rng.dirichlet(prior, SAMPLES // 20), rope + ROUNDING) for _ in parts])
    most = mass >= mass.max(1, keepdims=True) - ROUNDING
    won = (most / most.sum(1, keepdims=True)).mean(0)
    return dict(zip(("worse", "equivalent", "better"), won.tolist(), strict=True))


def masses(values: np.ndarray, weights: np.ndarray, rope: float) -> np.ndarray:
    """Weight of the pairs of values (n,) whose mean is below, within and above +-rope: weights (draws, n) ->
    (draws, 3). Of each value those that it pairs with in a region lie together once all are sorted: no table of pairs.
    """
    order = values.argsort()
    values, weights = values[order], weights[:, order]
    summed = np.pad(weights.cumsum(1), ((0, 0), (1, 0)))
    below = summed[:, np.searchsorted(values, -2 * rope - values, side="left")]
    above = summed[:, -1:] - summed[:, np.searchsorted(values, 2 * rope - values, side="right")]
    low, high = (weights * below).sum(1), (weights * above).sum(1)
    return np.stack([low, summed[:, -1] ** 2 - low - high, high], axis=1)


def nadeau_bengio(differences: Sequence[float], n_train: int, n_test: int) -> Resampled:
    """Corrected resampled t test: are differences of folds 0 on average? Positive t: above 0.

    Folds share training samples, so their variance is widened by n_test / n_train (Nadeau and Bengio 2003, Machine
    Learning 52). differences: one per fold, or per fold and repetition; n_train, n_test: samples of one fold.
    """
    from scipy.special import stdtr

    values = np.asarray(differences, float)
    if n_train < 1 or n_test < 1:
        raise ValueError(f"a fold needs training and test samples, not {n_train} and {n_test}")
    if len(values) < 2:
        return Resampled(None, None, f"no test from {len(values)} fold{'s' * (len(values) != 1)}")
    if not np.isfinite(values).all():
        return Resampled(None, None, "no test: the difference of a fold is undefined")
    if (spread := values.std(ddof=1)) < ROUNDING:
        return Resampled(None, None, "no test: the folds' differences do not vary")
    t = values.mean() / (spread * np.sqrt(1 / len(values) + n_test / n_train))
    return Resampled(float(t), float(2 * stdtr(len(values) - 1, -abs(t))))


def stouffer(z: Sequence[float], weights: Sequence[float]) -> tuple[float, float]:
    """Signed normal quantiles of independent tests as one: their weighted sum, and its two-sided p.

    Stouffer et al. 1949, The American Soldier; with weights sqrt(subjects) as MOABB combines data sets (Jayaram and
    Barachant 2018, J. Neural Eng. 15). A quantile of 0 adds nothing but its weight.
    """
    from scipy.special import ndtr

    weight = np.asarray(weights, float)
    if not (weight > 0).all():
        raise ValueError(f"weights must be above 0, not {weight.tolist()}")
    found = float(weight @ np.asarray(z) / np.sqrt(weight @ weight))
    return found, float(2 * ndtr(-abs(found)))


def signed(p: Sequence[float], signs: Sequence[float]) -> np.ndarray:
    """Normal quantiles of two-sided p values, positive where the difference is."""
    from scipy.special import ndtri

    p = np.asarray(p, float)
    if not ((p >= 0) & (p <= 1)).all():
        raise ValueError(f"p values lie between 0 and 1, not {p.tolist()}")
    return -np.sign(signs) * ndtri(np.maximum(p, np.finfo(float).tiny) / 2)


def combined(found: dict[str, dict[str, Outcome]], datasets: dict[str, str]) -> list[dict]:
    """What all tasks say of each method together: found[task][method], and the data set of each task.

    Stouffer over data sets with weights sqrt(subjects). Tasks of one data set share their people and are not
    independent: they enter as one, by the mean of their z and the largest number of subjects, which claims too little
    rather than too much. Rows {"method", "z", "p", "p_holm", "tasks", "reason"} in order of appearance; `tasks` are
    those with a p. From one data set there is nothing to combine: z and p are None, with the reason.
    """
    rows = []
    for method in dict.fromkeys(name for task in found.values() for name in task):
        own = {task: said[method] for task, said in found.items() if method in said and said[method].p is not None}
        groups = {}
        for task, outcome in own.items():
            groups.setdefault(datasets[task], []).append(outcome)
        row = {"method": method, "z": None, "p": None, "p_holm": None, "tasks": list(own), "reason": None}
        if len(groups) < 2:
            row["reason"] = f"nothing to combine: tested on {len(groups)} data set{'s' * (len(groups) != 1)}"
        else:
            means = [signed([o.p for o in group], [o.direction for o in group]).mean() for group in groups.values()]
            weights = [max(outcome.subjects for outcome in group) ** 0.5 for group in groups.values()]
            row["z"], row["p"] = stouffer(means, weights)
        rows.append(row)
    correct([row for row in rows if row["p"] is not None])
    return rows
