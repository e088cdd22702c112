"""report: records -> leaderboard, tables, figures and one page."""

import shutil
from functools import partial

from benchmark import executor, records
from benchmark.files import write_json, write_table, write_text
from benchmark.report import board, combination, evidence, formats, gallery, leaderboard, page, ranks, style, tables
from benchmark.report.leaderboard import readable, scored
from pipelines import stage

EMBEDDINGS, RANKS, TABLES = (stage.RESULTS / name for name in ("embeddings", "ranks", "tables"))


def main() -> None:
    params = stage.params()
    suite = params.suite
    try:
        found = list(records.load(stage.RECORDS, suite.tasks, records.names(suite.methods)).values())
    except ValueError as error:  # a task none of whose records can be read
        raise stage.Failure(str(error)) from None
    tasks = board.by_task(found)
    told = {task: evidence.ranking(RANKS / f"{task}.json") for task in tasks}
    comparisons = combination.all_tasks(found)
    write_json(stage.RESULTS / "comparisons.json", comparisons | {"ranks": told | {"all": comparisons["ranks"]}})
    write_leaderboard(found)
    write_tables(found)
    shutil.rmtree(stage.FIGURES, ignore_errors=True)
    own = [(task, part, told[task]) for task, part in tasks.items()]
    done = dict(zip(tasks, executor.spread(drawn, own, "figures", params.runtime.workers), strict=True))
    figures, unread = ({task: part[at] for task, part in done.items()} for at in (0, 1))
    across = kept("all", ranks.draw(comparisons["ranks"], board.everywhere(found)))
    html = page.html(found, figures, comparisons["combined"], [across], unread)
    write_text(stage.RESULTS / "report.html", html)
    print(f"results/report.html: {len(scored(found))} of {len(found)} models scored on {len(tasks)} tasks")


def drawn(own: tuple[str, list[dict], dict]) -> tuple[list[page.Figure], dict[str, str]]:
    """Every figure of a task, kept as files, for the page; and why predictions of models could not be drawn.

    own: task, its records, its ranks.
    """
    task, part, told = own
    shown = evidence.gather(task, part, stage.PREDICTIONS, EMBEDDINGS, stage.MODELS)
    return [*map(partial(kept, task), gallery.of_task(shown, told))], shown.unread


def kept(task: str, figure: style.Drawn) -> page.Figure:
    saved = figure.figure and style.save(figure.figure, stage.FIGURES, f"{task}-{figure.name}")
    return page.figure(figure._replace(figure=None), saved)


def write_leaderboard(found: list[dict]) -> None:
    rows = leaderboard.rows(found)
    write_table(stage.RESULTS / "leaderboard.csv", rows)
    write_text(stage.RESULTS / "leaderboard.md", board.markdown(found))
    write_text(stage.RESULTS / "leaderboard.tex", formats.latex(board.across(found), board.caption_across(found)))
    write_json(
        stage.RESULTS / "leaderboard.json", {"rows": rows.astype(object).where(rows.notna(), None).to_dict("records")}
    )


def write_tables(found: list[dict]) -> None:
    """The tables of each task for a paper, as LaTeX and CSV."""
    shutil.rmtree(TABLES, ignore_errors=True)
    TABLES.mkdir(parents=True)
    for task, own in board.by_task(found).items():
        for table in tables.of_task(own) if readable(own) else []:
            caption = board.caption(readable(own)[0], table)
            write_text(TABLES / f"{task}-{table.name}.csv", formats.comma_separated(table))
            write_text(TABLES / f"{task}-{table.name}.tex", formats.latex(table, caption))


if __name__ == "__main__":
    stage.run(main)
