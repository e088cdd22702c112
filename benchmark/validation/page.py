"""The page of validation: sections of rows as Markdown and as JSON."""

from typing import NamedTuple

from benchmark.report.leaderboard import with_interval


class Section(NamedTuple):
    """A table with what it says: rows are dictionaries of the same keys, which are the columns."""

    title: str
    explanation: str
    rows: list[dict]


def content(sections: dict[str, Section]) -> dict[str, list[dict]]:
    """Section -> rows, for JSON."""
    return {name: section.rows for name, section in sections.items()}


def markdown(sections: dict[str, Section]) -> str:
    """Every section: a heading, its explanation, how many verdicts are inside, its table."""
    lines = ["# Validation", "", "What is known beforehand, found again by the code of this suite."]
    for section in sections.values():
        lines += ["", f"## {section.title}", "", section.explanation, *verdicts(section.rows), "", *table(section.rows)]
    return "\n".join(lines) + "\n"


def verdicts(rows: list[dict]) -> list[str]:
    """How many rows with a verdict are inside their tolerance, and which are not."""
    judged = [row for row in rows if row.get("verdict")]
    if not judged:
        return []
    outside = [str(next(iter(row.values()))) for row in judged if row["verdict"] != "inside"]
    told = f"{len(judged) - len(outside)} of {len(judged)} inside"
    return ["", f"**{told}{'; outside: ' + ', '.join(outside) if outside else ''}.**"]


def table(rows: list[dict]) -> list[str]:
    """Rows of one section as a Markdown table."""
    head = list(rows[0])
    return [
        f"| {' | '.join(head)} |",
        f"|{'---|' * len(head)}",
        *(f"| {' | '.join(cell(row[name], signed=name in ('difference', 'gain')) for name in head)} |" for row in rows),
    ]


def cell(value, signed: bool = False) -> str:
    """A value as text: numbers, {mean, deviation}, or {value, low, high} as benchmark.stats gives it."""
    if value is None:
        return ""
    if isinstance(value, dict) and "mean" in value:
        spread = "" if value["deviation"] is None else f" ± {number(value['deviation'])}"
        return number(value["mean"], "+" if signed else "") + spread
    if isinstance(value, dict):
        return with_interval(value, signed)
    if isinstance(value, float):
        return f"{value:.5g}" if value == 0 or abs(value) >= 1e-3 else f"{value:.0e}"
    return str(value)


def number(value: float, sign: str = "") -> str:
    """One decimal; what was published without decimals has none."""
    return f"{value:{sign}d}" if isinstance(value, int) else f"{value:{sign}.1f}"
