"""The leaderboard as Markdown and as LaTeX."""

from benchmark.report import formats, summary, tables
from benchmark.report.leaderboard import better, readable, score_of, scored, shown_condition, title, told_apart
from benchmark.report.tables import Cell, Table


def by_task(records: list[dict]) -> dict[str, list[dict]]:
    """Task -> its records, in the order of the suite."""
    found: dict[str, list[dict]] = {}
    for record in records:
        found.setdefault(record["task"], []).append(record)
    return found


def heading(records: list[dict]) -> str:
    """The task as titles have it; nothing but its name where no record can be read."""
    known = readable(records)
    return title(known[0]) if known else f"{records[0]['task']} (no record can be read)"


def markdown(records: list[dict]) -> str:
    """Every task: what was asked, its summary in words, its tables, and the reasons for what is not there."""
    lines = ["# Leaderboard"]
    for own in by_task(records).values():
        lines += ["", f"## {heading(own)}"]
        for paragraph in summary.explanation(readable(own)[0]) if readable(own) else []:
            lines += ["", paragraph]
        lines += ["", *(f"- {sentence}" for sentence in summary.of_task(own))]
        for table in tables.of_task(own):
            lines += ["", f"### {table.title}", "", *formats.markdown(table)]
            notes = [table.note] * bool(table.note) + explained(table)
            lines += [line for note in notes for line in ("", note)]
    return "\n".join(lines) + "\n"


def explained(table: Table) -> list[str]:
    """Reasons for cells without a value or without an interval, a sentence each."""
    return [f"{cells_of(found)}: {reason}." for reason, found in tables.reasons(table).items()]


def cells_of(found: dict[str, list[str]]) -> str:
    """Cells as column and rows. found: column -> rows."""
    return "; ".join(f"{column} of {', '.join(rows)}" for column, rows in found.items())


def across(records: list[dict]) -> Table:
    """Headline scores of every model in every task."""
    tasks = by_task(records)
    metrics = {task: scored(own)[0]["headline"]["metric"] if scored(own) else "no score" for task, own in tasks.items()}
    names = dict.fromkeys(record["method"] for record in records)
    found = {(record["task"], record["method"]): record for record in records}
    rows = [[Cell(name), *(headline_cell(found.get((task, name))) for task in tasks)] for name in names]
    note = "Bold: told from prevalent_only. The teacher sees everything, the others the prevalent modalities."
    return Table("leaderboard", "Headline scores", ["method", *(f"{t}: {m}" for t, m in metrics.items())], rows, note)


def headline_cell(record: dict | None) -> Cell:
    if record is None:
        return Cell("not asked for")
    if record["status"] != "ok":
        return Cell(record["status"], why=record["reason"])
    score = score_of(record, shown_condition(record))
    strong = "difference" in record and record["method"] != "teacher" and told_apart(record)
    return tables.scored_cell(score)._replace(strong=strong)


def caption(record: dict, table: Table) -> str:
    return f"{title(record)}. {table.title}. {record['headline']['metric']}: {better(record['headline']['metric'])}."


def everywhere(records: list[dict]) -> str:
    """All tasks as titles have them."""
    synthetic = any(record["provenance"] == "synthetic" for record in readable(records))
    return "SYNTHETIC recordings: all tasks" if synthetic else "all tasks"


def caption_across(records: list[dict]) -> str:
    text = "headline scores of every model. Bold: told from prevalent_only after correction."
    return f"{everywhere(records)}, {text}"
