"""What all tasks say together: differences to prevalent_only combined, and ranks over tasks."""

from benchmark import comparison, plugins, ranks
from benchmark.records import compared
from benchmark.report.board import by_task
from benchmark.report.leaderboard import score_of, scored


def all_tasks(records: list[dict]) -> dict:
    """combined: rows as comparison.combined gives them; ranks: as ranks.compare does, with tasks as blocks."""
    found = {task: outcomes(own) for task, own in by_task(records).items()}
    datasets = {record["task"]: record["dataset"] for record in records}
    return {"combined": comparison.combined(found, datasets), "ranks": ranking(records)}


def outcomes(records: list[dict]) -> dict[str, comparison.Outcome]:
    """What a task says of each method that is compared there."""
    family = {record["method"]: record["difference"] for record in scored(records) if compared(record)}
    return {name: comparison.Outcome(d["p"], d["direction"], d["subjects"]) for name, d in family.items()}


def ranking(records: list[dict]) -> dict:
    """Ranks of the methods with a headline score in every task; a lower-is-better score counts with its sign turned."""
    tasks = by_task(scored(records))
    columns = [
        {r["method"]: signed(r) for r in own if compared(r) or r["method"] == "prevalent_only"}
        for own in tasks.values()
    ]
    everywhere = [name for name in columns[0] if all(name in column for column in columns)] if columns else []
    scores = {name: [column[name] for column in columns] for name in everywhere}
    return ranks.compare(scores, records[0]["evaluation"]["confidence"]) | {"unit": "tasks"}


def signed(record: dict) -> float:
    """The headline score, above for better; NaN where it is undefined."""
    value = score_of(record, record["headline"]["condition"])["value"]
    sign = 1 if plugins.load("metrics", record["headline"]["metric"]).HIGHER_IS_BETTER else -1
    return float("nan") if value is None else sign * value
