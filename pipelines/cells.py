"""cells, beside the graph: the students that `dvc repro` would train one method after another, trained side by side."""

import json
import shutil
from pathlib import Path

from benchmark import executor
from benchmark.params import Suite
from pipelines import distill, stage
from pipelines.graph import dvc

HERE = Path()
Cell = tuple[str, str]  # task and method


def main() -> None:
    params = stage.params()
    if dvc(HERE, "repro", "teacher", shown=True).returncode:
        raise stage.Failure("what the students learn from could not be made; mend what is told above, then try again.")
    cells, done, failed = changed(params.suite), [], {}
    try:
        for number, reason in executor.finished(train, cells, "cells", params.runtime):
            if reason:
                failed[cells[number]] = reason
            else:
                done.append(cells[number])
    finally:  # also of what was done before workers were lost
        record(done)
    print(f"{len(done)} cells trained, {len(params.suite.tasks) * len(params.suite.methods) - len(cells)} kept")
    if failed:
        told = "; ".join(f"{task} {method} ({reason})" for (task, method), reason in failed.items())
        raise stage.Failure(
            f"{len(failed)} of {len(cells)} cells could not be trained: {told}. The others are kept; "
            f"`dvc repro {name(*next(iter(failed)))}` shows where the first one fails."
        )


def name(task: str, method: str) -> str:
    return f"distill@{task}-{method}"


def changed(suite: Suite) -> list[Cell]:
    """The cells that DVC would run, in the order of the suite."""
    cells = {name(task, method): (task, method) for task in suite.tasks for method in suite.methods}
    found = json.loads(answer("status", "--json", *cells))
    return [cell for own, cell in cells.items() if own in found]


def train(cell: Cell) -> str:
    """Train the students of a cell, from nothing as DVC does; returns why that failed, or nothing."""
    task, method = cell
    shutil.rmtree(stage.MODELS / task / method, ignore_errors=True)
    try:
        distill.main(task, method)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


def record(cells: list[Cell]) -> None:
    """Tell DVC that these were made from what lies there now."""
    if cells:
        answer("commit", "--force", *(name(*cell) for cell in cells))


def answer(*words: str) -> str:
    """What DVC says to a command; Failure if it fails."""
    done = dvc(HERE, *words)
    if done.returncode:
        raise stage.Failure(f"dvc {words[0]} failed: {done.stderr.strip()[-2000:]}")
    return done.stdout


if __name__ == "__main__":
    stage.run(main)
