"""Scores and their intervals. Subjects are the sampling unit; every score comes from additive statistics of clips."""

import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd

from benchmark import plugins
from benchmark.seeds import generator

HEADLINE = {"classification": "balanced_accuracy", "ordinal": "kappa", "regression": "ccc"}


class Interval(NamedTuple):
    """A score with its interval over subjects; None with a reason where it cannot be had."""

    value: float | None
    low: float | None = None
    high: float | None = None
    reason: str | None = None


def metrics(kind: str) -> list[str]:
    """Names of the metrics defined for a kind of task, the headline first."""
    fitting = [name for name in plugins.names("metrics") if kind in plugins.load("metrics", name).KINDS]
    return sorted(fitting, key=lambda name: (name != HEADLINE[kind], name))


def statistics(kind: str, truth: np.ndarray, prediction: np.ndarray, classes: int = 0) -> np.ndarray:
    """What a clip adds to every metric: confusion (N, classes, classes), or moments (N, targets, 7).

    Moments are 1, t, p, t^2, p^2, tp and |t - p|.
    """
    if kind == "regression":
        t, p = truth.astype(float), prediction.astype(float)
        return np.stack([np.ones_like(t), t, p, t * t, p * p, t * p, np.abs(t - p)], axis=-1)
    cells = np.zeros((len(truth), classes, classes))
    cells[np.arange(len(truth)), truth, prediction] = 1
    return cells


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


def difference(kind: str, method: np.ndarray, baseline: np.ndarray, resamples: int, confidence: float) -> Interval:
    """Headline of a method less that of the baseline, over the same subjects; above 0 is better."""
    headline = HEADLINE[kind]
    return interval(
        lambda sums: pooled(headline, kind, sums[0]) - pooled(headline, kind, sums[1]),
        [method, baseline],
        resamples,
        confidence,
    )


def gap_recovered(
    kind: str, student: np.ndarray, baseline: np.ndarray, teacher: np.ndarray, resamples: int, confidence: float
) -> Interval:
    """(student - baseline) / (teacher - baseline) in the headline; undefined unless the teacher beats the baseline."""
    lead = difference(kind, teacher, baseline, resamples, confidence)
    if lead.low is None or lead.low <= 0:
        return Interval(None, reason="undefined: the teacher does not beat prevalent_only beyond its interval")
    headline = HEADLINE[kind]

    def share(sums: list[np.ndarray]) -> np.ndarray:
        s, b, t = (pooled(headline, kind, table) for table in sums)
        return (s - b) / (t - b)

    return interval(share, [student, baseline, teacher], resamples, confidence)


def predicted_statistics(kind: str, rows: pd.DataFrame, classes: int) -> np.ndarray:
    """by_subject statistics of rows of the predictions table (one method, one condition)."""
    if kind == "regression":
        keys = ["fold", "seed", "clip_id", "subject_id"]
        wide = rows.pivot(index=keys, columns="target", values=["truth", "prediction"])
        values = statistics(kind, wide["truth"].to_numpy(), wide["prediction"].to_numpy())
        return by_subject(values, wide.index.get_level_values("subject_id"), wide.index.get_level_values("seed"))
    values = statistics(kind, rows.truth.to_numpy(int), rows.prediction.to_numpy(int), classes)
    return by_subject(values, rows.subject_id.to_numpy(), rows.seed.to_numpy())
