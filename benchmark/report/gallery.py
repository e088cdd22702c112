"""All figures of a task, in the order of the page."""

from collections.abc import Iterator

from benchmark.report import (
    calibration,
    curves,
    forest,
    hallucination,
    heatmap,
    ranks,
    spread,
    structure,
    style,
    visible,
)
from benchmark.report.board import heading
from benchmark.report.evidence import Evidence
from benchmark.report.leaderboard import readable
from benchmark.report.summary import CONDUCT


def of_task(evidence: Evidence, found: dict | None) -> Iterator[style.Drawn]:
    """Every figure, or in its place why there is none. found: ranks of the task, for the diagram."""
    records, predictions, unread = evidence.records, evidence.predictions, evidence.unread
    if not readable(records):
        return
    gone = [f"{r['method']} ({CONDUCT[r['status']]})" for r in records if r["status"] != "ok"]
    note = f" Models without scores: {style.several(gone)}." if gone else ""
    yield noted(forest.draw(records), note)
    yield noted(visible.draw(records), note)
    yield noted(heatmap.draw(records), note)
    yield noted(curves.missing(records), note)
    yield ranks.draw(found, heading(records))
    yield spread.draw(records, predictions, unread)
    yield calibration.draw(records, predictions, unread)
    yield structure.similarity(records, evidence.embeddings)
    yield structure.transport(records, evidence.embeddings)
    yield hallucination.draw(records, evidence.embeddings)
    yield curves.training(records, evidence.curves)


def noted(drawn: style.Drawn, note: str) -> style.Drawn:
    """A drawn figure with a sentence on what it cannot show."""
    return drawn._replace(reading=drawn.reading + note) if drawn.figure else drawn
