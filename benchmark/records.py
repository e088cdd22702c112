"""Records: what is known of a method on a task, in JSON. The only source of leaderboard and MLflow."""

import json
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd

from benchmark import intervals, missing, stats
from benchmark.comparison import holm, paired
from benchmark.params import Evaluation, Task

VERSION = 1
TEACHERS = ("teacher", "teacher_hallucinated")  # have records beside the methods of the suite
CONTROLS = ("availability",)
GEOMETRY = ("cka", "frobenius", "true_pairs")  # the measures of geometry.py
PACKAGES = (
    "torch",
    "numpy",
    "pandas",
    "scipy",
    "scikit-learn",
    "neurokit2",
    "opencv-python-headless",
    "librosa",
    "pot",
    "statsmodels",
)


def names(methods: list[str]) -> list[str]:
    """Every model of a task that has a record, in the order of the tables."""
    return [*TEACHERS, *methods, *CONTROLS]


def versions() -> dict[str, str]:
    return {name: version(name) for name in PACKAGES}


def shared(task: Task, source: dict, counts: dict, options: Evaluation) -> dict:
    """What all records of a task have in common. source: source.json of its inputs."""
    return {
        "version": VERSION,
        "dataset": task.dataset,
        "provenance": source["provenance"],
        "definition": task.model_dump(exclude={"methods"}),
        "headline": {"metric": stats.headline(task), "condition": "+".join(task.prevalent)},
        "data": counts | {"dropped": source["dropped"]},
        "extractors": source["extractors"],
        "evaluation": options.model_dump(),
        "versions": versions(),
    }


def tables(task: Task, predictions: pd.DataFrame) -> dict[str, np.ndarray]:
    """Statistics by subject of each condition of one method: condition -> (subjects, seeds, *)."""
    classes = len(task.classes)
    groups = predictions.groupby("condition", sort=False)
    return {name: stats.predicted_statistics(task.kind, rows, classes) for name, rows in groups}


def conditions(task: Task, predictions: pd.DataFrame, found: dict[str, np.ndarray], options: Evaluation) -> dict:
    """Scores with intervals under every condition; a reason where there is nothing to score."""
    said = {}
    for name, visible in missing.conditions((*task.prevalent, *task.privileged)).items():
        entry = {"alias": missing.alias(visible, tuple(task.prevalent), tuple(task.privileged))}
        if name in found:
            scored = intervals.scores(task.kind, found[name], options.confidence)
            clips = predictions.clip_id[predictions.condition == name].nunique()
            entry |= {"clips": clips, "scores": {metric: score._asdict() for metric, score in scored.items()}}
        else:
            entry |= {"clips": 0, "reason": "shows this model nothing that it can use"}
        said[name] = entry
    return said


def replicas(task: Task, predictions: pd.DataFrame, card: dict) -> list[dict]:
    """One entry per replica: how it was selected and what it scores on its own test clips."""
    entries = []
    for entry in card["replicas"]:
        rows = predictions[(predictions.fold == entry["fold"]) & (predictions.seed == entry["seed"])]
        scored = {}
        for name, part in rows.groupby("condition", sort=False):
            summed = stats.predicted_statistics(task.kind, part, len(task.classes)).sum(0)
            scored[name] = {m: finite(stats.score(m, task.kind, summed)[0]) for m in stats.metrics(task.kind)}
        entries.append(entry | {"scores": scored})
    return entries


def finite(value: float) -> float | None:
    """JSON has no NaN: an undefined score is null."""
    return float(value) if np.isfinite(value) else None


def comparison(
    task: Task, name: str, tables: dict[str, dict], predictions: dict[str, pd.DataFrame], options: Evaluation
) -> dict:
    """Difference to prevalent_only and gap recovered, where only prevalent modalities are visible.

    tables, predictions: those of every scored model of the task, by name. Neither without a baseline, no gap without
    a teacher: one that diverged in every seed has no scores.
    """
    headline, metric = "+".join(task.prevalent), stats.headline(task)
    if headline not in tables[name] or "prevalent_only" not in tables:
        return {}
    pair = [tables[model][headline] for model in (name, "prevalent_only")]
    found = intervals.difference(metric, task.kind, *pair, options.confidence)._asdict()
    p, reason = tested(task, predictions[name], predictions["prevalent_only"], options)
    found = {"difference": found | {"p": p, "p_holm": None, "reason": found["reason"] or reason}}
    if "teacher" not in tables:
        return found
    upper = tables["teacher"]["+".join((*task.prevalent, *task.privileged))]
    gap = intervals.gap_recovered(metric, task.kind, *pair, upper, options.confidence)
    return found | {"gap_recovered": gap._asdict()}


def tested(
    task: Task, own: pd.DataFrame, baseline: pd.DataFrame, options: Evaluation
) -> tuple[float | None, str | None]:
    """p value of the difference in the headline, or why there is none; over the seeds that both models have."""
    headline, both = "+".join(task.prevalent), np.intersect1d(own.seed, baseline.seed)
    rows = [part[part.seed.isin(both) & (part.condition == headline)] for part in (own, baseline)]
    pair = [stats.predicted_statistics(task.kind, part, len(task.classes)) for part in rows]
    found = paired(stats.headline(task), task.kind, *pair, options.resamples)
    return found.p, found.reason if found.p is None else None


def compared(record: dict) -> bool:
    """Whether a model is one of the family whose differences to prevalent_only are tested together."""
    return "difference" in record and record["method"] not in ("prevalent_only", "teacher", *CONTROLS)


def adjust(found: list[dict]) -> None:
    """Write p_holm into the records of one task: p values adjusted for all the models compared there."""
    family = [record["difference"] for record in found if compared(record) and record["difference"]["p"] is not None]
    for difference, p in zip(family, holm([own["p"] for own in family]), strict=True):
        difference["p_holm"] = p


def load(folder: Path, tasks: list[str], methods: list[str]) -> dict[tuple[str, str], dict]:
    """The records of the suite, in its order; a listed one that is missing is an error of the pipeline."""
    return {
        (task, name): json.loads((folder / task / f"{name}.json").read_text()) for task in tasks for name in methods
    }
