"""Scores from additive statistics: what each clip adds is summed over the clips of a subject, then over subjects."""

import numpy as np

from benchmark import plugins
from benchmark.concordance import ccc
from benchmark.params import Task

HEADLINE = {"classification": "balanced_accuracy", "ordinal": "kappa", "regression": "ccc"}
FRAMES, RECORDINGS = slice(7, 13), slice(13, 15)  # of the moments; the first seven are over clips


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
