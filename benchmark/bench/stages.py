"""The whole suite stage by stage, and how long a stage takes before its first useful work."""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple

from benchmark.bench import page, project
from benchmark.bench.landmark import POOL
from benchmark.params import Params
from benchmark.progress import progress

EXPLANATION = """The suite of `params.yaml` from nothing to MLflow, once, by `dvc repro` in a copy of the project, \
with what DVC itself needs in between. *Start-up*: from the start of a stage's process to the end of its first item (a \
recording, an epoch, a model, a figure's task, a run), less what such an item takes once everything is loaded; in a \
small copy, and through the worker processes where the stage has some. `degrade` starts as `features` does, and \
`validate` only joins what `check` wrote."""


class Start(NamedTuple):
    """A stage whose start-up is measured."""

    name: str
    words: str  # the stage and its arguments
    landmark: str  # the function that does its work
    made: str = ""  # what it would find done, and is deleted before
    modality: str = ""  # the only one that is planned

    @property
    def most(self) -> float:
        """Seconds that were set as a goal."""
        return 6.0 if self.modality == "biosignal" else 4.0


STARTS = (
    Start("plan", "plan", "benchmark.plugins:digest"),
    Start("prepare", "prepare biovid", POOL),
    Start("features, vision", "features biovid", POOL, "data/features/biovid", "vision"),
    Start("features, bio-signals", "features biovid", POOL, "data/features/biovid", "biosignal"),
    Start("features, speech", "features recola", POOL, "data/features/recola", "speech"),
    Start("inputs", "inputs recola_av", "benchmark.inputs:rows_of"),
    Start("masks", "masks recola_av", "benchmark.missing:one_kept"),
    Start("teacher", "teacher recola_av", "benchmark.train:descend"),
    Start("distill", "distill recola_av kdot", "benchmark.train:descend"),
    Start("evaluate", "evaluate recola_av", "benchmark.evaluation:predict"),
    Start("report", "report", POOL),
    Start("check", "check simulations", "benchmark.validation.simulations:fit"),
    Start("track", "track", "benchmark.tracking.store:write", "mlflow.db"),
)


def measure(
    root: Path, params: Params, repetitions: int, starts: tuple[Start, ...] = STARTS, whole: bool = True
) -> dict:
    """The part of the page. root: of the project; whole: the suite too, not start-up alone."""
    tables = {}
    if whole:
        with TemporaryDirectory() as folder:
            project.copy(root, Path(folder), params)
            tables["Wall time of the suite"] = walls(project.repro(Path(folder)))
    with TemporaryDirectory() as folder:
        project.copy(root, Path(folder) / "small", small(params))
        project.repro(Path(folder) / "small", "track", "check@simulations")
        found = start_ups(Path(folder), starts, repetitions)
    tables["Start-up, s"] = [
        {"stage": start.name, "median": median(found[start.name]), "largest": max(found[start.name])}
        for start in starts
    ]
    goals = [page.goal(f"start-up of {own.name}, s", median(found[own.name]), at_most=own.most) for own in starts]
    return page.part("Whole suite and start-up", EXPLANATION, tables, goals)


def small(params: Params) -> Params:
    """The suite with every kind of modality and as little work as possible."""
    found = params.model_copy(deep=True)
    found.suite.datasets, found.suite.tasks = ["biovid", "recola"], ["biovid_level", "recola_av"]
    found.suite.methods, found.suite.degradations = ["prevalent_only", "kdot"], []
    for name, changed in (("biovid", {"subjects": 10, "clips": 5}), ("recola", {"subjects": 10, "seconds": 18.0})):
        population = found.datasets[name].population
        found.populations[population] = found.populations[population].model_copy(update=changed)
    found.training = found.training.model_copy(update={"seeds": [0], "epochs": 3, "steps": 3, "batch": 16})
    found.evaluation.resamples = 200
    found.validation.repetitions, found.validation.draws, found.validation.methods = 2, 100, ["prevalent_only", "kd"]
    return found


def walls(ran: list[tuple[str, float]]) -> list[dict]:
    """Seconds by stage, its instances together, in the order of their first; and of all."""
    seconds = {}
    for name, spent in ran:
        seconds.setdefault(name.split("@")[0], []).append(spent)
    rows = [
        {"stage": name, "instances": len(own), "seconds": sum(own), "seconds of one": median(own)}
        for name, own in seconds.items()
    ]
    total = sum(spent for _, spent in ran)
    return [*rows, {"stage": "all", "instances": len(ran) - 1, "seconds": total, "seconds of one": None}]


def start_ups(folder: Path, starts: tuple[Start, ...], repetitions: int) -> dict[str, list[float]]:
    """Start-up of every stage in every repetition, by turns; each in a fresh copy of the small project."""
    found, rounds = {start.name: [] for start in starts}, []
    for number in range(repetitions):
        rounds += starts[:: -1 if number % 2 else 1]
    for start in progress(rounds, len(rounds), "start-up"):
        found[start.name].append(start_up(folder, start))
    return found


def start_up(folder: Path, start: Start) -> float:
    """Seconds before the first useful work of a stage. folder: where `small`, the project, lies."""
    copy, times = folder / "copy", folder / "times.txt"
    shutil.copytree(folder / "small", copy, ignore=shutil.ignore_patterns(".dvc"))
    times.unlink(missing_ok=True)
    there = copy / start.made
    if start.made:
        shutil.rmtree(there) if there.is_dir() else there.unlink()
    if start.modality:
        plan_only(copy / "results" / "plan" / "datasets" / f"{start.words.split()[1]}.json", start.modality)
    code = f"from benchmark.bench import landmark; landmark.main({start.words!r}, {start.landmark!r}, {str(times)!r})"
    began = time.time()
    with (folder / "said.txt").open("w+") as said:
        subprocess.run([sys.executable, "-c", code], cwd=copy, env=project.environment(), stdout=said, stderr=said)
        said.seek(0)
        if not times.exists():
            raise RuntimeError(f"{start.words} never came to {start.landmark}:\n{said.read()[-2000:]}")
    shutil.rmtree(copy)
    calls = [tuple(map(float, line.split())) for line in times.read_text().splitlines()]
    return min(end for _, end in calls) - began - min(end - at for at, end in calls)


def plan_only(path: Path, modality: str) -> None:
    """Leave one modality of a planned dataset."""
    entry = json.loads(path.read_text())
    entry["modalities"] = {modality: entry["modalities"][modality]}
    path.write_text(json.dumps(entry))
