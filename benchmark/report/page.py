"""The report as one HTML page that needs nothing else."""

import base64
import re
import struct
from pathlib import Path
from typing import NamedTuple

import jinja2
from markupsafe import Markup, escape

from benchmark.report import failures, provenance, summary, tables
from benchmark.report.board import across, by_task, heading
from benchmark.report.leaderboard import p_text, readable
from benchmark.report.style import DPI, Drawn, Saved
from benchmark.report.tables import Cell, Table

INLINE = 60_000  # bytes of an SVG; above, its PNG is smaller and as clear
INCH = 96  # CSS pixels


class Figure(NamedTuple):
    """A figure on the page."""

    drawn: Drawn
    source: str = ""  # data URI
    width: int = 0  # CSS pixels
    height: int = 0


def figure(drawn: Drawn, saved: Saved | None) -> Figure:
    """A figure as data, in its natural size."""
    if not saved:
        return Figure(drawn)
    wide, high = struct.unpack(">II", saved.png[16:24])  # the head of a PNG
    kind, data = ("svg+xml", saved.svg) if len(saved.svg) <= INLINE else ("png", saved.png)
    source = f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
    return Figure(drawn, source, round(wide * INCH / DPI), round(high * INCH / DPI))


def html(
    records: list[dict],
    figures: dict[str, list[Figure]],
    together: list[dict],
    across_tasks: list[Figure],
    unread: dict[str, dict[str, str]],
    growth: Figure | None = None,
) -> str:
    """The whole page. figures: task -> its figures; together: rows of comparison.combined; across_tasks: figures of all
    tasks together; unread: task -> model -> why its predictions could not be drawn; growth: of time and memory, where
    it was measured."""
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    options = {"trim_blocks": True, "lstrip_blocks": True, "undefined": jinja2.StrictUndefined}
    environment = jinja2.Environment(loader=loader, autoescape=True, **options)
    environment.filters |= {"marked": marked, "footnotes": footnotes}
    environment.tests["spanning"] = tables.spanning
    tasks = [section(task, own, figures.get(task, [])) for task, own in by_task(records).items()]
    return environment.get_template("page.html").render(
        overview=summary.overview(by_task(records)),
        leaderboard=across(records),
        combined=combined(together),
        across=across_tasks,
        growth=growth,
        tasks=tasks,
        failures=failures.table(records, unread),
        provenance=provenance.table(records),
        versions=provenance.versions(records),
        synthetic=sorted({r["task"] for r in readable(records) if r["provenance"] == "synthetic"}),
        digest=provenance.digest(records),
    )


def section(task: str, records: list[dict], figures: list[Figure]) -> dict:
    """What the page shows of a task."""
    known = readable(records)
    return {
        "name": task,
        "heading": heading(records),
        "synthetic": bool(known) and known[0]["provenance"] == "synthetic",
        "sentences": summary.of_task(records),
        "explanation": summary.explanation(known[0]) if known else [],
        "tables": tables.of_task(records),
        "figures": figures,
    }


def marked(text: str) -> Markup:
    """Text with `code` and **strong** words, escaped."""
    text = re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text)))
    return Markup(re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", text))


def footnotes(table: Table) -> dict[str, int]:
    """Reason -> its number below the table."""
    return {reason: number for number, reason in enumerate(tables.reasons(table), 1)}


def combined(found: list[dict]) -> Table:
    """Differences to prevalent_only over all tasks together, and why there is none."""
    rows = []
    for entry in found:
        if entry["z"] is None:
            rows.append([Cell(entry["method"]), Cell(f"none: {entry['reason']}", why=entry["reason"]), *[Cell("")] * 3])
            continue
        ps = [p_text(entry[name])[2:] for name in ("p", "p_holm")]
        rows.append([*map(Cell, [entry["method"], f"{entry['z']:+.2f}", *ps, ", ".join(entry["tasks"])])])
    note = (
        "Stouffer's z of the tests over data sets, weighted by the root of their subjects; above 0: better than "
        "prevalent_only. From 20 subjects on a test is of their own scores, and may point away from the pooled one. "
        "Tasks of one data set share their people and enter as one, by their mean."
    )
    return Table("combined", "All tasks together", ["method", "z", "p", "p after Holm", "tasks"], rows, note)
