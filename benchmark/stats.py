"""Scores and their intervals. Subjects are the sampling unit; every score comes from additive statistics of clips."""

import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd

from benchmark import plugins
from benchmark.concordance import ccc
from benchmark.params import Task
from benchmark.seeds import generator

HEADLINE = {"classification": "balanced_accuracy", "ordinal": "kappa", "regression": "ccc"}
FRAMES, RECORDINGS = slice(7, 13), slice(13, 15)  # of the moments; the first seven are over clips
LEAST_TESTED = 6  # subjects: the smallest two-sided p value is 2 / 2^subjects, which 5 leave above .05
ROUNDING = 1e-10  # differences this close are equal: sums of moments are rounded


class Interval(NamedTuple):
    """A score with its interval over subjects; None with a reason where it cannot be had."""

    value: float | None
    low: float | None = None
    high: float | None = None
    reason: str | None = None


def headline(task: Task) -> str:
    """The metric that ranks methods and selects epochs."""
    return task.headline or HEADLINE[task.kind]


def metrics(kind: str) -> list[str]:
    """Names of the metrics defined for a kind of task."""
    return [name for name in plugins.names("metrics") if kind in plugins.load("metrics", name).KINDS]


def confusion(truth: np.ndarray, prediction: np.ndarray, classes: int) -> np.ndarray:
    """What a clip adds to every metric of classes: (N, classes, classes), truth by row."""
    cells = np.zeros((len(truth), classes, classes))
    cells[np.arange(len(truth)), truth, prediction] = 1
    return cells


def moments(
    truth: np.ndarray, prediction: np.ndarray, recording: np.ndarray, frames: np.ndarray, variance: np.ndarray
) -> np.ndarray:
    """What a clip adds to every metric of values: (N, targets, 15).

    truth, prediction, variance (N, targets); recording, frames (N,): how many annotated frames a clip has, and how
    their labels vary. Over clips: 1, t, p, t^2, p^2, tp, |t - p|; over frames, each predicted as its clip is:
    1, t, p, t^2, p^2, tp; then, on the first clip of each recording, its CCC and 1 if that is defined.
    """
    t, p, n = truth.astype(float), prediction.astype(float), frames.astype(float)[:, None]
    clips = np.stack([np.ones_like(t), t, p, t * t, p * p, t * p, np.abs(t - p)], axis=-1)
    inside = np.stack([n + 0 * t, n * t, n * p, n * (t * t + variance), n * p * p, n * t * p], axis=-1)
    first, at = np.unique(recording, return_index=True, return_inverse=True)[1:]
    summed = np.zeros((len(first), *clips.shape[1:]))
    np.add.at(summed, at, clips)
    found = np.where(summed[..., 0] > 1, ccc(summed), np.nan)
    within = np.zeros((*t.shape, 2))
    within[first] = np.stack([np.nan_to_num(found), np.isfinite(found)], axis=-1)
    return np.concatenate([clips, inside, within], axis=-1)


def score(metric: str, kind: str, summed: np.ndarray) -> np.ndarray:
    """The one way to a score: a metric of summed statistics (..., *) -> (...)."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return plugins.load("metrics", metric).score(summed, kind)


def by_subject(values: np.ndarray, subjects: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """Sum of statistics (N, *) over the clips of each subject: (subjects, seeds, *), both sorted."""
    who, subject = np.unique(subjects, return_inverse=True)
    runs, run = np.unique(seeds, return_inverse=True)
    summed = np.zeros((len(who), len(runs), *values.shape[1:]))
    np.add.at(summed, (subject, run), values)
    return summed


def pooled(metric: str, kind: str, drawn: np.ndarray) -> np.ndarray:
    """Pool the subjects of each seed, score, and take the mean over seeds. drawn (..., seeds, *) -> (...)."""
    return score(metric, kind, drawn).mean(-1)


def interval(
    statistic: Callable[[list[np.ndarray]], np.ndarray],
    tables: list[np.ndarray],
    resamples: int,
    confidence: float,
) -> Interval:
    """BCa bootstrap over subjects of a statistic of summed tables.

    tables: each (subjects, seeds, *), the same subjects in the same order; statistic receives each table summed
    over the drawn subjects with a leading axis of draws. (BCa: Efron 1987, JASA 82.)
    """
    from scipy.stats import bootstrap  # 2 s that training does not need

    people = len(tables[0])
    flat = [table.reshape(people, -1) for table in tables]

    def drawn(rows: np.ndarray, axis: int = -1) -> np.ndarray:
        rows = np.moveaxis(rows, axis, -1)
        picks = rows.reshape(-1, rows.shape[-1]).astype(int)
        offsets = np.arange(len(picks))[:, None] * people
        times = np.bincount((picks + offsets).ravel(), minlength=len(picks) * people).reshape(-1, people)
        sums = [(times @ f).reshape(-1, *t.shape[1:]) for f, t in zip(flat, tables, strict=True)]
        return statistic(sums).reshape(rows.shape[:-1])

    value = float(drawn(np.arange(people)[None])[0])
    if not np.isfinite(value):
        return Interval(None, reason="undefined: truth or prediction has no spread")
    if people < 3:
        return Interval(value, reason=f"no interval from {people} subjects")
    with warnings.catch_warnings(), np.errstate(all="ignore"):  # a degenerate interval is reported below, in words
        warnings.simplefilter("ignore")
        found = bootstrap(
            (np.arange(people),),
            drawn,
            n_resamples=resamples,
            confidence_level=confidence,
            method="BCa",
            vectorized=True,
            batch=500,
            rng=generator("bootstrap", people, resamples),
        )
    low, high = found.confidence_interval
    if not (np.isfinite(low) and np.isfinite(high)):
        return Interval(
            value, reason="no interval: over draws of subjects the score never varies, or is not always defined"
        )
    return Interval(value, float(low), float(high))


def scores(kind: str, table: np.ndarray, resamples: int, confidence: float) -> dict[str, Interval]:
    """Every metric of one method under one condition, pooled per seed, mean over seeds, with intervals."""
    return {
        metric: interval(lambda sums, m=metric: pooled(m, kind, sums[0]), [table], resamples, confidence)
        for metric in metrics(kind)
    }


def difference(
    metric: str, kind: str, method: np.ndarray, baseline: np.ndarray, resamples: int, confidence: float
) -> Interval:
    """Headline metric of a method less that of the baseline, over the same subjects; above 0 is better."""
    return interval(
        lambda sums: pooled(metric, kind, sums[0]) - pooled(metric, kind, sums[1]),
        [method, baseline],
        resamples,
        confidence,
    )


def paired_test(
    metric: str, kind: str, method: np.ndarray, baseline: np.ndarray, draws: int
) -> tuple[float | None, str | None]:
    """Two-sided permutation test of `difference` over subjects: p, or None and why there is none.

    method, baseline (subjects, seeds, *), both of the same subjects and seeds. Under the null hypothesis the two
    models are exchangeable within each subject, so the statistics of random subjects are swapped and the pooled
    difference is computed again (Good 2005, Permutation, Parametric and Bootstrap Tests of Hypotheses). p is the share
    of swaps, what was observed among them (Phipson and Smyth 2010, SAGMB 9(1)), whose difference is at least as
    large; an undefined one counts as large. The networks are given: p speaks of other subjects, not other training.
    """
    if method.shape != baseline.shape:
        raise ValueError(f"a paired test needs the same subjects and seeds, not {method.shape} and {baseline.shape}")
    people = len(method)
    if people < LEAST_TESTED:
        return None, f"no test from {people} subjects: p cannot be below .05"
    own, other = method.sum(0), baseline.sum(0)
    observed = pooled(metric, kind, own) - pooled(metric, kind, other)
    if not np.isfinite(observed):
        return None, "no test: the difference is undefined"
    moved = swaps(people, draws) @ (baseline - method).reshape(people, -1)
    moved = moved.reshape(-1, *own.shape)
    found = pooled(metric, kind, own + moved) - pooled(metric, kind, other - moved)
    smaller = np.abs(found) < abs(observed) - ROUNDING
    return float(np.mean(~smaller)), None


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


def gap_recovered(
    metric: str,
    kind: str,
    student: np.ndarray,
    baseline: np.ndarray,
    teacher: np.ndarray,
    resamples: int,
    confidence: float,
) -> Interval:
    """(student - baseline) / (teacher - baseline) in the headline; undefined unless the teacher beats the baseline."""
    lead = difference(metric, kind, teacher, baseline, resamples, confidence)
    if lead.low is None or lead.low <= 0:
        return Interval(None, reason="undefined: the teacher does not beat prevalent_only beyond its interval")

    def share(sums: list[np.ndarray]) -> np.ndarray:
        s, b, t = (pooled(metric, kind, table) for table in sums)
        return (s - b) / (t - b)

    return interval(share, [student, baseline, teacher], resamples, confidence)


def predicted_statistics(kind: str, rows: pd.DataFrame, classes: int) -> np.ndarray:
    """by_subject statistics of rows of the predictions table (one method, one condition)."""
    if kind == "regression":
        keys = ["fold", "seed", "clip_id", "subject_id", "recording_id", "frames"]
        wide = rows.pivot(index=keys, columns="target", values=["truth", "prediction", "variance"])
        key = wide.index.to_frame(index=False)
        run = key.groupby(["fold", "seed", "recording_id"]).ngroup().to_numpy()
        parts = (wide[name].to_numpy() for name in ("truth", "prediction"))
        values = moments(*parts, run, key.frames.to_numpy(), wide["variance"].to_numpy())
        return by_subject(values, key.subject_id.to_numpy(), key.seed.to_numpy())
    values = confusion(rows.truth.to_numpy(int), rows.prediction.to_numpy(int), classes)
    return by_subject(values, rows.subject_id.to_numpy(), rows.seed.to_numpy())
