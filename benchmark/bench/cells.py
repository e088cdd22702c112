"""A cell: all replicas trained together, one after another, as plain modules, and as the released script trains."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import Tensor

from benchmark import student, teacher
from benchmark.bench import clock, loops, made, page
from benchmark.cell import Cell

METHOD = made.METHODS["kdot"]
FAITHFUL = 2  # replicas trained as the released script does; the time of all is in proportion
WANTED = {"cpu": 3, "cuda": 10}  # how many times faster together

DIFFERENCE, DOUBLE = "largest difference of a metric", "largest difference in double precision"

EXPLANATION = """The students of `kdot` on made-up clips, as many and as wide as those of `biovid_level`. \
*together*: as the suite trains them. *one by one*: the same code with one replica at a time. *plain*: a loop over \
one plain module at a time, `torch.optim.AdamW`, the stored targets of the teacher, same weights and batches. \
*released*: one replica at a time as the released script does it: DataLoader, the teacher's forward pass in every \
step, similarities to NumPy and back, geomloss. All validate after every epoch. Metrics are the best validation \
scores of the replicas; a clip counts whole, so that a rounding that takes one over the border of two classes shows. \
They are compared again in double precision, in which nothing rounds so far."""


def measure(
    repetitions: int,
    device: torch.device,
    epochs: int = 5,
    steps: int = 8,
    clips: int = made.CLIPS,
    seeds: int = made.SEEDS,
    faithful: int = FAITHFUL,
) -> dict:
    """The part of the page."""
    with TemporaryDirectory() as folder:
        made.write(Path(folder), clips)
        cell = made.load(Path(folder), made.training(epochs, steps, seeds=seeds), device)
        given = teacher.of_training(cell, teacher.everything(cell, teacher.networks(cell)))
        spent, scores = compared(cell, given, repetitions, faithful)
        return described(cell, spent, scores, faithful, exactly(cell, given))


def compared(cell: Cell, given: dict[str, Tensor], repetitions: int, faithful: int):
    """Seconds of all replicas, and their scores, by way of training."""
    alone, scores = singles(cell), {}
    runs = same(cell, given) | {"released": lambda: [loops.released(own, METHOD) for own in alone[:faithful]]}
    spent = clock.race({name: partial(keep, scores, name, run) for name, run in runs.items()}, repetitions, "cell")
    spent["released"] = [seconds * len(alone) / faithful for seconds in spent["released"]]
    return spent, scores


def same(cell: Cell, given: dict[str, Tensor]) -> dict[str, Callable]:
    """The ways of training that should end in the same scores (replicas,)."""
    parts = [(own, {name: told[n : n + 1] for name, told in given.items()}) for n, own in enumerate(singles(cell))]
    return {
        "together": lambda: student.fit(cell, METHOD, given, None).score,
        "one by one": lambda: [student.fit(own, METHOD, part, None).score[0] for own, part in parts],
        "plain": lambda: [loops.plain(own, METHOD, part) for own, part in parts],
    }


def exactly(cell: Cell, given: dict[str, Tensor]) -> dict[str, np.ndarray]:
    """Scores of all replicas in double precision: together, one by one and as plain modules."""
    table = cell.table._replace(x={name: own.double() for name, own in cell.table.x.items()})
    cell, before = replace(cell, table=table), torch.get_default_dtype()
    given = {name: own.double() if own.is_floating_point() else own for name, own in given.items()}
    torch.set_default_dtype(torch.float64)
    try:
        return {name: np.asarray(run()) for name, run in same(cell, given).items()}
    finally:
        torch.set_default_dtype(before)


def keep(scores: dict, name: str, run: Callable) -> None:
    scores[name] = np.asarray(run())


def singles(cell: Cell) -> list[Cell]:
    """The cell of each replica alone."""
    lists = ("replicas", "train", "validation", "test")
    return [
        replace(cell, **{name: getattr(cell, name)[number : number + 1] for name in lists})
        for number in range(len(cell.replicas))
    ]


def described(cell: Cell, spent: dict, scores: dict, faithful: int, exact: dict) -> dict:
    steps, count = cell.training.epochs * cell.training.steps, len(cell.replicas)
    rows = [
        {
            "way": name,
            "replicas timed": faithful if name == "released" else count,
            "seconds for all": seconds,
            "steps of a replica per second": count * steps / seconds,
            "times together": clock.ratio(spent, name, "together"),
            DIFFERENCE: apart(scores, name),
            DOUBLE: apart(exact, name),
        }
        for name, seconds in clock.medians(spent).items()
    ]
    faster = min(("one by one", "plain"), key=clock.medians(spent).get)
    goals = [
        page.goal(f"{faster} over together", clock.ratio(spent, faster, "together"), at_least=WANTED[cell.device.type]),
        page.goal("the released way over together", clock.ratio(spent, "released", "together"), at_least=10),
        *(page.goal(name, max(row[name] or 0.0 for row in rows), at_most=1e-4) for name in (DIFFERENCE, DOUBLE)),
    ]
    title = f"{count} replicas, {steps} steps of {cell.orders().shape[-1]} clips, on {cell.device.type}"
    return page.part(f"Cell, on {cell.device.type}", EXPLANATION, {title: rows}, goals)


def apart(scores: dict[str, np.ndarray], name: str) -> float | None:
    """How far the scores of one way of training are from those together; the released way has batches of its own."""
    if name == "released":
        return None
    return float(np.abs(scores[name] - scores["together"]).max())
