"""track: records -> MLflow. Mirrors what is missing there or differs; nothing else is lost if MLflow is down."""

import hashlib
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from benchmark import records
from benchmark.files import write_json
from benchmark.params import Suite
from benchmark.tracking import epochs, runs
from pipelines import stage

MARKER = Path("mlruns/tracked.json")
PAUSE = 3.0  # seconds between two looks at the curves


def main(
    there: Annotated[bool, typer.Option(help="Mirror the records that are there, even if some are missing.")] = False,
    watch: Annotated[bool, typer.Option(help="Mirror nothing but what trains, until Ctrl-C.")] = False,
) -> None:
    if watch:
        follow()
        return
    from benchmark.tracking import store

    params = stage.params()
    found, absent = load(params.suite, there)
    wanted = runs.of_suite(found, curves(found), artifacts(), stage.MODELS) if found else {}
    training = epochs.in_training(stage.MODELS)

    def keep(key: str) -> bool:
        """What trains now, and everything where records are missing at the moment."""
        return bool(absent) or key.removeprefix(store.LIVE) in training

    MARKER.unlink(missing_ok=True)  # until all is mirrored; DVC, which keeps it for `dvc pull`, does not remove it
    try:
        done = store.mirror(params.tracking.experiment, wanted, context(), keep)
        registered = store.register(params.tracking.experiment, wanted, done)
        store.save_views(wanted, done)
    except store.Unreachable as error:
        raise stage.Failure(
            f"{error}\nEverything else is saved. Mend this or unset MLFLOW_TRACKING_URI, then run `dvc repro` again."
        ) from None
    if not absent:
        write_json(MARKER, {key: run.digest for key, run in wanted.items()})
    for name, address in store.links(wanted, done).items():
        print(f"{name}  {address}")
    if absent:
        print(f"{len(absent)} records are missing, first {absent[0]}; what MLflow has of them stays")
    print(
        f"MLflow: {done.written} runs written, {done.kept} kept, {done.deleted} deleted; {registered} models registered"
    )


def load(suite: Suite, there: bool) -> tuple[list[dict], list[Path]]:
    """The records of the suite, and the files of those that are missing, which is allowed if asked for."""
    found, absent = [], []
    for task in suite.tasks:
        paths = {name: stage.RECORDS / task / f"{name}.json" for name in records.names(suite.methods)}
        absent += [path for path in paths.values() if not path.exists()]
        if absent and not there:
            raise stage.Failure(f"there are no results yet: {absent[0]} is missing. Run `dvc repro` first.")
        if names := [name for name, path in paths.items() if path.exists()]:
            try:
                found += records.load(stage.RECORDS, [task], names).values()
            except ValueError as error:
                raise stage.Failure(str(error)) from None
    return found, absent


def curves(found: list[dict]) -> dict[tuple[str, str], list[epochs.Row]]:
    """Epoch curves of what has been trained to its end, by task and method."""
    held = {}
    for task, method in ((record["task"], record["method"]) for record in found):
        folder = stage.MODELS / task / ("tnet_mse" if method == "teacher_hallucinated" else method)
        if (folder / epochs.CARD).exists():
            held[task, method] = epochs.read(folder / "curves.csv")
    return held


def artifacts() -> list[Path]:
    """Tables and the page of the suite, those that there are."""
    paths = [stage.RESULTS / f"leaderboard.{ending}" for ending in ("csv", "md", "json", "tex")]
    return [path for path in (*paths, stage.RESULTS / "report.html") if path.exists()]


def follow() -> None:
    """Mirror what trains until Ctrl-C, or until the process that started this one is gone."""
    from benchmark.tracking import live, store

    watcher, parent, said = live.Live(stage.params().tracking.experiment, stage.MODELS), os.getppid(), ""
    with suppress(KeyboardInterrupt):
        while os.getppid() == parent:
            try:
                watcher.update()
                said = ""
            except store.Unreachable as error:
                if str(error) != said:
                    print(f"{error}. Epochs are sent once it can be used.", file=sys.stderr, flush=True)
                said = str(error)
            time.sleep(PAUSE)


def context() -> dict[str, str]:
    """The code and data that new runs came from."""
    lock = Path("dvc.lock")
    git = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return {
        "git_commit": git.stdout.strip() or "not in git",
        "dvc_lock": hashlib.md5(lock.read_bytes()).hexdigest() if lock.exists() else "none",
    }


if __name__ == "__main__":
    stage.run(main)
