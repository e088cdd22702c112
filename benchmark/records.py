"""Records: what is known of a method on a task, in JSON. The only source of leaderboard and MLflow."""

import hashlib
import json
from importlib.metadata import version
from pathlib import Path

import pandas as pd

from benchmark import stats
from benchmark.comparison import correct
from benchmark.files import read_text
from benchmark.params import Evaluation, Missing, Task

VERSION = 2
TEACHERS = ("teacher", "teacher_hallucinated")  # have records beside the methods of the suite
CONTROLS = ("availability",)
GEOMETRY = ("cka", "frobenius", "true_pairs")  # the measures of geometry.py
# of all records of a task
COMMON = (
    "task", "dataset", "provenance", "definition", "headline", "data", "extractors", "evaluation", "missing",
    "versions", "identity", "training",
)  # fmt: skip
OWN = ("method", "status", "conditions", "replicas", "left_out", "options", "device")
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


def shared(task: Task, source: dict, counts: dict, options: Evaluation, masks: Missing) -> dict:
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
        "missing": masks.model_dump(),
        "versions": versions(),
    }


def tested(predictions: pd.DataFrame, condition: str) -> str:
    """A digest of the clips that a condition was tested on, by which predictions are known to be of a record."""
    clips = sorted(set(predictions.clip_id[predictions.condition == condition].astype(str)))
    return hashlib.blake2b("\x1f".join(clips).encode(), digest_size=8).hexdigest()


def compared(record: dict) -> bool:
    """Whether a model is one of the family whose differences to prevalent_only are tested together."""
    return "difference" in record and record["method"] not in ("prevalent_only", "teacher", *CONTROLS)


def adjust(found: list[dict]) -> None:
    """Write p_holm into the records of one task: p values adjusted for all the models compared there."""
    correct([record["difference"] for record in found if compared(record) and record["difference"]["p"] is not None])


def load(folder: Path, tasks: list[str], methods: list[str]) -> dict[tuple[str, str], dict]:
    """The records of the suite, in its order. One that cannot be read stands there as `unreadable`, with its reason.

    A task of which no record can be read is ValueError.
    """
    found = {}
    for task in tasks:
        read = {name: read_record(folder / task / f"{name}.json") for name in methods}
        whole = next((record for record in read.values() if isinstance(record, dict)), None)
        if whole is None:
            raise ValueError(f"tasks.{task}: {next(iter(read.values()))}, and no other of its records can be read")
        for name, record in read.items():
            found[task, name] = record if isinstance(record, dict) else unreadable(whole, name, record)
    return found


def read_record(path: Path) -> dict | str:
    """A record, or why it cannot be read."""
    again = "run `dvc repro -f evaluate`"
    try:
        record = json.loads(read_text(path))
    except FileNotFoundError:
        return f"{path} is missing; {again}"
    except (ValueError, RecursionError):
        return f"{path} is not a whole record; {again}"
    if not isinstance(record, dict) or record.get("version") != VERSION:
        version = record.get("version") if isinstance(record, dict) else None
        return f"{path} is a record of version {version}, this is version {VERSION}; {again}"
    if lacking := [name for name in (*COMMON, *OWN) if name not in record]:
        return f"{path} lacks {', '.join(lacking)}; {again}"
    return record


def unreadable(other: dict, name: str, reason: str) -> dict:
    """What stands in the place of a record that cannot be read: what all records of its task have in common."""
    blank = {"options": None, "left_out": [], "tuning": None, "raw": None, "geometry": None, "available": None}
    own = {"method": name, "status": "unreadable", "reason": reason, "conditions": {}, "replicas": []}
    return {key: other[key] for key in ("version", *COMMON)} | {"device": "unknown"} | blank | own
