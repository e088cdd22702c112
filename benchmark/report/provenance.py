"""Where numbers come from, and what gives them again."""

import hashlib
import json

from benchmark.report.board import by_task
from benchmark.report.leaderboard import readable
from benchmark.report.tables import Cell, Table

TRAINING = ("encoder", "batch", "epochs", "steps", "rate", "decay", "selection")
HEAD = ["task", "dataset", "provenance", "split", "seeds", "training", "evaluation", "device", "visible in training"]


def table(records: list[dict]) -> Table:
    """A row per task that has a record to read."""
    known = [readable(own) for own in by_task(records).values() if readable(own)]
    return Table("provenance", "Provenance", HEAD, [row(own) for own in known])


def row(records: list[dict]) -> list[Cell]:
    record = records[0]
    training = record["training"]
    return [*map(Cell, [
        record["task"],
        record["dataset"],
        "SYNTHETIC" if record["provenance"] == "synthetic" else record["provenance"],
        listed({name: value for name, value in record["definition"]["split"].items() if value is not None}),
        ", ".join(map(str, training["seeds"])),
        listed({name: training[name] for name in TRAINING if name in training}),
        listed(record["evaluation"]),
        ", ".join(sorted({own["device"] for own in records} - {"unknown"})),
        seen_in_training(records),
    ])]  # fmt: skip


def seen_in_training(records: list[dict]) -> str:
    """Share of the training clips in which teachers, and students by method, could see each modality."""
    found: dict[str, list[str]] = {}
    for record in records:
        available = record.get("available") or {}
        if shares := available.get("student") or available.get("teacher"):
            found.setdefault(percentages(shares), []).append(record["method"])
    return "; ".join(f"{', '.join(names)}: {shares}" for shares, names in found.items()) or "not told"


def percentages(shares: dict[str, float]) -> str:
    return listed({name: f"{share:.0%}" for name, share in shares.items()})


def listed(choices: dict) -> str:
    return ", ".join(f"{name} {value}" for name, value in choices.items())


def versions(records: list[dict]) -> dict[str, str]:
    """Package -> version, or all versions where records differ."""
    found: dict[str, set[str]] = {}
    for record in readable(records):
        for name, value in record["versions"].items():
            found.setdefault(name, set()).add(value)
    return {name: " and ".join(sorted(values)) for name, values in found.items()}


def digest(records: list[dict]) -> str:
    """A digest of the choices behind the records: tasks, methods, training and evaluation."""
    names = "task", "method", "definition", "options", "training", "evaluation", "missing"
    chosen = [[record.get(name) for name in names] for record in records]
    return hashlib.blake2b(json.dumps(chosen, sort_keys=True).encode(), digest_size=8).hexdigest()
