"""report: records -> leaderboard, figures, tables and one page."""

import json
import shutil

from benchmark import records
from benchmark.files import write_json
from benchmark.report import board, evidence, formats, gallery, leaderboard, page, ranks, style, tables
from benchmark.report.leaderboard import readable, scored
from pipelines import stage


def main() -> None:
    suite = stage.params().suite
    found = list(records.load(stage.RECORDS, suite.tasks, records.names(suite.methods)).values())
    path = stage.RESULTS / "comparisons.json"
    comparisons = json.loads(path.read_text()) if path.exists() else {}
    write_leaderboard(found)
    write_tables(found)
    for folder in (stage.FIGURES,):
        shutil.rmtree(folder, ignore_errors=True)
    told = comparisons.get("ranks", {})
    figures = {task: list(drawn(task, own, told.get(task))) for task, own in board.by_task(found).items()}
    everywhere = [kept("all", ranks.draw(told.get("all"), "all tasks"))]
    (stage.RESULTS / "report.html").write_text(page.html(found, figures, comparisons, everywhere))
    print(f"results/report.html: {len(scored(found))} of {len(found)} models scored on {len(suite.tasks)} tasks")


def drawn(task: str, own: list[dict], told: dict | None):
    """Every figure of a task, kept as files, for the page."""
    shown = evidence.gather(task, own, stage.PREDICTIONS, stage.RESULTS / "embeddings", stage.MODELS)
    for figure in gallery.of_task(shown, told):
        yield kept(task, figure)


def kept(task: str, figure: style.Drawn) -> page.Figure:
    saved = figure.figure and style.save(figure.figure, stage.FIGURES, f"{task}-{figure.name}")
    return page.figure(figure, saved)


def write_leaderboard(found: list[dict]) -> None:
    rows = leaderboard.rows(found)
    rows.to_csv(stage.RESULTS / "leaderboard.csv", index=False)
    (stage.RESULTS / "leaderboard.md").write_text(board.markdown(found))
    write_json(
        stage.RESULTS / "leaderboard.json", {"rows": rows.astype(object).where(rows.notna(), None).to_dict("records")}
    )


def write_tables(found: list[dict]) -> None:
    """Tables for a paper: one over all tasks, and those of each task."""
    folder = stage.RESULTS / "tables"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    across = board.across(found)
    (stage.RESULTS / "leaderboard.tex").write_text(formats.latex(across, board.caption_across(found)))
    for task, own in board.by_task(found).items():
        for table in tables.of_task(own) if readable(own) else []:
            path = folder / f"{task}-{table.name}"
            path.with_suffix(".csv").write_text(formats.comma_separated(table))
            path.with_suffix(".tex").write_text(formats.latex(table, board.caption(readable(own)[0], table)))


if __name__ == "__main__":
    stage.run(main)
