"""Scores: what predictions come down to under every condition, and how a model compares with prevalent_only."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from benchmark import comparison, intervals, missing, plugins, ranks, robustness, stats
from benchmark.params import Evaluation, Task

BLIND = "shows this model nothing that it can use"
NOT_ASKED = "a control of the headline condition alone"


class Tables(NamedTuple):
    """The statistics of one model, by condition."""

    subjects: dict[str, np.ndarray]  # (subjects, seeds, *)
    folds: dict[str, np.ndarray]  # (folds, seeds, *)
    clips: dict[str, int]
    answered: dict[str, float]  # share of clips of which the model saw anything
    seeds: np.ndarray  # (seeds,), sorted


def tables(task: Task, predictions: pd.DataFrame) -> Tables:
    """Statistics by subject and by fold of each condition of one model's predictions."""
    keys, truth, said = aligned(task, predictions)
    seeds = np.sort(keys.seed.unique())
    codes = {name: pd.factorize(keys[name], sort=True)[0] for name in ("subject_id", "seed", "fold")}
    clip = pd.factorize(keys.clip_id)[0]
    run = keys.groupby(["fold", "seed", "recording_id"]).ngroup().to_numpy() if "recording_id" in keys else None
    found = Tables({}, {}, {}, {}, seeds)
    for name, rows in keys.groupby("condition", sort=False, observed=True).indices.items():
        if task.kind == "regression":
            frames, variance = keys.frames.to_numpy()[rows], said[1][rows]
            values = stats.moments(truth[rows], said[0][rows], run[rows], frames, variance)
        else:
            values = stats.confusion(truth[rows], said[rows], len(task.classes))
        found.subjects[name] = stats.by_subject(values, codes["subject_id"][rows], codes["seed"][rows])
        found.folds[name] = np.zeros((codes["fold"].max() + 1, len(seeds), *values.shape[1:]))
        np.add.at(found.folds[name], (codes["fold"][rows], codes["seed"][rows]), values)
        found.clips[name] = len(np.unique(clip[rows]))
        found.answered[name] = float(keys.seen.to_numpy()[rows].mean()) if "seen" in keys else 1.0
    return found


def aligned(task: Task, predictions: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """A row per clip: keys; truth (N,) or (N, targets); prediction (N,), or prediction and variance (2, N, targets)."""
    if task.kind != "regression":
        return predictions, predictions.truth.to_numpy(int), predictions.prediction.to_numpy(int)
    parts = [predictions[predictions.target == target] for target in task.target]
    if any(not np.array_equal(part.clip_id, parts[0].clip_id) for part in parts):
        raise ValueError("predictions: the targets do not have the same clips in the same order")
    wide = {name: np.stack([part[name] for part in parts], axis=-1) for name in ("truth", "prediction", "variance")}
    return parts[0].reset_index(drop=True), wide["truth"], np.stack([wide["prediction"], wide["variance"]])


def conditions(
    task: Task, found: Tables, listed: list[missing.Condition], options: Evaluation, asked: bool = True
) -> dict:
    """Scores under every condition, or the reason why there are none; asked: of a control of one condition, false.

    Every metric with its interval under the subsets; elsewhere the headline has an interval, and the others none.
    """
    said, headline = {}, stats.headline(task)
    for own in listed:
        entry = {"alias": own.alias, "protocol": own.protocol, "rate": own.rate}
        if own.name not in found.subjects:
            said[own.name] = entry | {"clips": 0, "answered": None, "reason": BLIND if asked else NOT_ASKED}
            continue
        table = found.subjects[own.name]
        entry |= {"clips": found.clips[own.name], "answered": found.answered[own.name]}
        entry["scores"] = {}
        for metric in stats.metrics(task.kind):
            if metric == headline or own.protocol == "subset":
                scored = intervals.of_metric(metric, task.kind, table, options.confidence)
            else:
                scored = intervals.alone(metric, task.kind, table)
            entry["scores"][metric] = scored._asdict()
        said[own.name] = entry
    return said


def replicas(task: Task, found: Tables, listed: list[missing.Condition], card: dict) -> list[dict]:
    """One entry per replica: how it was selected and what it scores on its own test clips.

    Every metric under the subsets, the headline under every other condition.
    """
    folds = sorted({entry["fold"] for entry in card["replicas"]})
    scored = {}
    for own in listed:
        if own.name in found.folds:
            names = stats.metrics(task.kind) if own.protocol == "subset" else [stats.headline(task)]
            scored[own.name] = {name: stats.score(name, task.kind, found.folds[own.name]) for name in names}
    entries = []
    for entry in card["replicas"]:
        if entry["seed"] not in found.seeds:
            entries.append(entry | {"scores": {}})
            continue
        place = folds.index(entry["fold"]), int(np.searchsorted(found.seeds, entry["seed"]))
        own = {
            name: {m: finite(values[place]) for m, values in by_metric.items()} for name, by_metric in scored.items()
        }
        entries.append(entry | {"scores": own})
    return entries


def finite(value: float) -> float | None:
    """JSON has no NaN: an undefined score is null."""
    return float(value) if np.isfinite(value) else None


def robust(task: Task, own: dict, baseline: dict | None, truth: np.ndarray, curves) -> dict:
    """The summaries of robustness.py. own, baseline: conditions of a model and of prevalent_only; truth: the model's
    statistics under any condition (subjects, seeds, *), from which the score of a constant answer follows; curves: of
    its training, or None."""
    metric, kind = stats.headline(task), task.kind
    higher = plugins.load("metrics", metric).HIGHER_IS_BETTER
    every = (*task.prevalent, *task.privileged)
    lower = robustness.unknown("the headline metric is better when lower")
    no_baseline = robustness.unknown("prevalent_only has no scores")
    return {
        "area_random": robustness.area(own, metric, "random"),
        "area_wild": robustness.area(own, metric, "wild"),
        "worst": robustness.worst(own, metric, higher),
        "relative": robustness.area(own, metric, "random", scaled=False),
        "effective": robustness.effective(own, baseline, metric) if baseline else no_baseline,
        "equity": robustness.equity(own, metric, constant(metric, kind, truth), every) if higher else lower,
        "learning_index": robustness.learning_index(curves),
    }


def constant(metric: str, kind: str, table: np.ndarray) -> float:
    """The score of the best constant answer: 0 for concordance; for classes, that of the commonest."""
    if kind == "regression":
        return 0.0
    truth = table.sum(0).sum(-1)[0]  # clips of each class, in the first seed
    answer = np.zeros(table.shape[-2:])
    answer[:, truth.argmax()] = truth
    return float(np.nan_to_num(stats.score(metric, kind, answer)))


def compare(task: Task, name: str, found: dict[str, Tables], fold: dict[str, int], options: Evaluation) -> dict:
    """Difference to prevalent_only and gap recovered, where only prevalent modalities are visible.

    found: of every scored model of the task, by name; fold: subjects trained on and tested in one fold. Neither without
    a baseline, no gap without a teacher: one that diverged in every seed has no scores. The teacher has its lead,
    seeing everything, in the place of a gap.
    """
    headline, metric = "+".join(task.prevalent), stats.headline(task)
    if "prevalent_only" not in found or headline not in found[name].subjects:
        return {}
    said = {"difference": difference(task, found[name], found["prevalent_only"], fold, options)}
    if "teacher" not in found:
        return said
    own, baseline = (found[model].subjects[headline] for model in (name, "prevalent_only"))
    upper = found["teacher"].subjects["+".join((*task.prevalent, *task.privileged))]
    if name == "teacher":
        return said | {"lead": intervals.difference(metric, task.kind, upper, baseline, options.confidence)._asdict()}
    gap = intervals.gap_recovered(metric, task.kind, own, baseline, upper, options.confidence)
    return said | {"gap_recovered": gap._asdict()}


def difference(task: Task, own: Tables, baseline: Tables, fold: dict[str, int], options: Evaluation) -> dict:
    """The headline of a model less that of a baseline, of the seeds that both have, and what can be said of it.

    low, high: over subjects, given the networks; wide: over subjects and seeds; p, test, direction, effect: paired, by
    subject; p_pooled: by permutation of the pooled difference itself, whatever the number of subjects, where a
    subject's own score is of few clips the better one to look at; folds: the corrected test with folds as the unit;
    rope: how likely the subjects' differences are to lie below, within and above what matters in practice.
    """
    metric, kind, headline = stats.headline(task), task.kind, "+".join(task.prevalent)
    both = np.intersect1d(own.seeds, baseline.seeds)
    pair = [found.subjects[headline][:, np.isin(found.seeds, both)] for found in (own, baseline)]
    value = intervals.difference(metric, kind, *pair, options.confidence)
    wide = intervals.hierarchical(intervals.lead(metric, kind), pair, options.confidence)
    test = comparison.paired(metric, kind, *pair, options.resamples)
    apart = [stats.score(metric, kind, f.folds[headline][:, np.isin(f.seeds, both)]).mean(1) for f in (own, baseline)]
    folds = comparison.nadeau_bengio(apart[0] - apart[1], fold["train"], fold["test"])
    opinion = comparison.signed_rank(comparison.subject_differences(metric, kind, *pair), options.rope)
    return value._asdict() | {
        "reason": value.reason or test.reason,
        "p": test.p,
        "p_holm": None,
        "p_pooled": comparison.of_pooled(test, metric, kind, *pair, options.resamples),
        "test": test.name,
        "direction": test.direction,
        "effect": test.effect,
        "subjects": test.subjects,
        "excluded": test.excluded,
        "seeds": len(both),
        "wide": {"low": wide.low, "high": wide.high, "reason": wide.reason},
        "folds": folds._asdict(),
        "rope": opinion and opinion | {"width": options.rope},
    }


def ranking(task: Task, found: dict[str, Tables], confidence: float) -> dict:
    """How the subjects rank the models of a task, as ranks.compare tells it."""
    headline, metric = "+".join(task.prevalent), stats.headline(task)
    shown = {name: own.subjects[headline] for name, own in found.items() if headline in own.subjects}
    by_subject = {name: comparison.subject_scores(metric, task.kind, table) for name, table in shown.items()}
    return ranks.compare(by_subject, confidence, plugins.load("metrics", metric).HIGHER_IS_BETTER)
