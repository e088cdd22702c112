"""The benchmarks as results/bench.json and results/bench.md: what was measured, what was aimed at, and whether met."""

import json
from pathlib import Path

from benchmark.files import write_json, write_text

EXPLANATION = (
    "Written by `make bench`. Every comparison ran in one process tree, its contestants by turns; numbers are medians "
    "over the repetitions, ratios medians of the ratios within a repetition. A goal is what the project set itself "
    "beforehand. Times depend on the machine and on what else it does: its load before a part stands there."
)


def goal(text: str, found: float | None, at_least: float | None = None, at_most: float | None = None) -> dict:
    """Something aimed at; met is None where it could not be measured."""
    met = None if found is None else bool(found >= at_least if at_least is not None else found <= at_most)
    return {"goal": text, "found": found, "at_least": at_least, "at_most": at_most, "met": met}


def part(title: str, explanation: str, tables: dict[str, list[dict]], goals: list[dict]) -> dict:
    """What a part of the bench hands over; the rows of a table have the same keys."""
    return {"title": title, "explanation": explanation, "goals": goals, "tables": tables}


def merge(path: Path, found: dict[str, dict], order: list[str]) -> dict[str, dict]:
    """The parts on file, those just measured in place of older ones, in the order of the page; written to path."""
    parts = (json.loads(path.read_text())["parts"] if path.exists() else {}) | found
    parts = {name: parts[name] for name in order if name in parts}
    write_json(path, {"parts": parts})
    return parts


def write(folder: Path, found: dict[str, dict], order: list[str]) -> str:
    """bench.json and bench.md with the parts found now and before; returns the page."""
    text = markdown(merge(folder / "bench.json", found, order))
    write_text(folder / "bench.md", text)
    return text


def markdown(parts: dict[str, dict]) -> str:
    return "\n".join(["# How fast", "", EXPLANATION, "", *(line for own in parts.values() for line in section(own))])


def section(own: dict) -> list[str]:
    """The lines of a part."""
    lines = [f"## {own['title']}", "", own["explanation"], "", measured_on(own), ""]
    if own["goals"]:
        lines += ["| goal | wanted | measured | |", "|---|---|---|---|", *map(aimed, own["goals"]), ""]
    for title, rows in own["tables"].items():
        lines += [f"### {title}", "", *table(rows), ""]
    return lines


def measured_on(own: dict) -> str:
    """The machine of a part, as a sentence."""
    machine = own["machine"]
    gpu = f", {machine['gpu']}" if machine["gpu"] else ", no GPU"
    return (
        f"Machine: {machine['processor']}, {machine['cores']} cores, {machine['memory_gib']:g} GiB{gpu}; "
        f"Python {machine['python']}, torch {machine['torch']}, threads {machine['threads']}; load average before: "
        f"{machine['load']:g}. Repetitions: {own['repetitions']}."
    )


def aimed(entry: dict) -> str:
    """A goal as a row of its table."""
    bound = f"at least {entry['at_least']:g}" if entry["at_least"] is not None else f"at most {entry['at_most']:g}"
    verdict = {True: "met", False: "**missed**", None: "not measured"}[entry["met"]]
    return f"| {entry['goal']} | {bound} | {shown(entry['found'])} | {verdict} |"


def table(rows: list[dict]) -> list[str]:
    """Rows with equal keys as a table."""
    if not rows:
        return ["Nothing was measured."]
    lines = [f"| {' | '.join(rows[0])} |", f"|{'---|' * len(rows[0])}"]
    return lines + [f"| {' | '.join(map(shown, row.values()))} |" for row in rows]


def shown(value) -> str:
    """A number to three digits; nothing where there is none."""
    if value is None:
        return ""
    if not isinstance(value, float):
        return str(value)
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"
