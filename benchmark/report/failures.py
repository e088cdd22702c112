"""What is not in the tables, or not whole, and why."""

from benchmark.report import summary
from benchmark.report.board import by_task
from benchmark.report.leaderboard import readable
from benchmark.report.tables import Cell, Table
from benchmark.scores import NOT_ASKED


def table(records: list[dict], unread: dict[str, dict[str, str]]) -> Table:
    """Models without scores, seeds left out, conditions that show nothing, clips and modalities that are absent.

    unread: task -> model -> why its predictions could not be drawn.
    """
    rows = [row for record in records for row in of_model(record)]
    rows += [(task, name, "predictions", why) for task, own in unread.items() for name, why in own.items()]
    for task, own in by_task(records).items():
        rows += [(task, ", ".join(models), f"no score under {name}", why) for (name, why), models in blind(own).items()]
        rows += [(task, "all", what, why) for what, why in of_data(own)]
    return Table("failures", "Failures", ["task", "model", "what", "why"], [[*map(Cell, row)] for row in rows])


def of_model(record: dict) -> list[tuple[str, str, str, str]]:
    """Task, model, what, why: of a model that was not scored, or not on every seed."""
    named = record["task"], record["method"]
    if record["status"] != "ok":
        return [(*named, record["status"], record["reason"])]
    return [(*named, f"seed {entry['seed']} left out", entry["reason"]) for entry in record["left_out"]]


def blind(records: list[dict]) -> dict[tuple[str, str], list[str]]:
    """(condition, reason) -> the models that it gives no score."""
    found: dict[tuple[str, str], list[str]] = {}
    for record in records:
        for name, entry in record["conditions"].items():
            if entry.get("reason", NOT_ASKED) != NOT_ASKED:
                found.setdefault((name, entry["reason"]), []).append(record["method"])
    return found


def of_data(records: list[dict]) -> list[tuple[str, str]]:
    """What, why: of the clips of a task, counted."""
    for record in readable(records)[:1]:
        data = record["data"]
        absent = [
            (f"{count} of {data['clips']} clips", f"{name} is absent")
            for name, count in data["absent"].items()
            if count
        ]
        return absent + [("dataset", text) for text in summary.lost(data["dropped"])]
    return []
