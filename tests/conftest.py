"""Small made-up tasks, and teachers trained on them, that the tests of training and evaluation share."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from benchmark import cell, crossfit, inputs, missing, spaces, splits, teacher, tnet
from benchmark.models import Hallucinator, Network
from benchmark.params import Method, Missing, Split, Task, Training
from benchmark.train import Fitted

MASKS = Missing(draws=2, rates=[0.3, 0.5], unequal=[0.1, 0.5], gaps=[0.3])


def silent(*_):
    """An on_epoch that does nothing."""


def kdot(**more) -> Method:
    return Method(terms={"kdot": {"k": 8}}, **more)


def small_task(kind: str) -> Task:
    classes = {"ordinal": [0, 1, 2], "classification": [0, 2], "regression": []}[kind]
    target = ["arousal", "valence"] if kind == "regression" else ["level"]
    return Task(
        dataset="made_up",
        kind=kind,
        target=target,
        classes=classes,
        prevalent=["vision"],
        privileged=["biosignal"],
        split=Split(rule="subject_folds", folds=3),
    )


def small_cell(
    kind: str = "ordinal", subjects: int = 12, clips: int = 12, seeds=(0, 1), epochs: int = 6, noise: float = 0.0
) -> cell.Cell:
    """A task in which both modalities show the target, the privileged one more clearly but not always there.

    noise: deviation of what is added to the state, which has 1, in the labels but not in the clean ones.
    """
    rng = np.random.default_rng(7)
    state = rng.normal(size=(subjects * clips, 2))
    people = np.repeat([f"s{number:02d}" for number in range(subjects)], clips)
    x = {
        "vision": np.hstack([state + 0.8 * rng.normal(size=state.shape), rng.normal(size=(len(state), 6))]),
        "biosignal": np.hstack([state + 0.2 * rng.normal(size=state.shape), rng.normal(size=(len(state), 3))]),
    }
    there = {"vision": np.ones(len(state), bool), "biosignal": rng.random(len(state)) > 0.1}
    x["biosignal"][~there["biosignal"]] = np.nan
    task = small_task(kind)
    clip_id = np.array([f"{person}_{number:03d}" for number, person in enumerate(people)])
    table = inputs.Table(
        clip_id=clip_id,
        recording_id=people,
        subject_id=people,
        x={name: torch.from_numpy(values.astype(np.float32)) for name, values in x.items()},
        visible={name: torch.from_numpy(flags) for name, flags in there.items()},
        target=labels(kind, state + noise * rng.normal(size=state.shape)),
        clean=labels(kind, state) if noise else None,
        frames=np.full(len(state), 5.0),
        variance=np.full((len(state), len(task.target)), 0.1),
        masks=missing.draw(task, clip_id, np.stack(list(there.values()), axis=1), 10, MASKS),
    )
    training = Training(seeds=list(seeds), encoder="pooled", batch=32, epochs=epochs, steps=5, rate=0.003, decay=0.01)
    return divided(task, training, table)


def labels(kind: str, state: np.ndarray) -> Tensor:
    if kind == "regression":
        return torch.from_numpy(state.astype(np.float32))
    return torch.from_numpy(np.digitize(state[:, 0], [-0.5, 0.5] if kind == "ordinal" else [0.0]))


def divided(task: Task, training: Training, table: inputs.Table) -> cell.Cell:
    clips = {name: getattr(table, name) for name in ("clip_id", "recording_id", "subject_id")}
    drawn = splits.draw(pd.DataFrame(clips), task.split)
    return cell.prepare("made_up", task, training, table, drawn, torch.device("cpu"))


def with_table(own: cell.Cell, **fields) -> cell.Cell:
    """The same cell with other values in fields of its table."""
    return replace(own, table=own.table._replace(**fields))


def with_shifted(own: cell.Cell, modality: str, shift: float, rows=slice(None)) -> cell.Cell:
    """The same cell with something added to a modality, in the given rows of the table."""
    values = own.table.x[modality].clone()
    values[rows] += shift
    return with_table(own, x=own.table.x | {modality: values})


def first_fold(own: cell.Cell) -> cell.Cell:
    """The replicas of the first fold alone: each clip has one role."""
    kept = [number for number, replica in enumerate(own.replicas) if replica.fold == 0]
    names = ("replicas", "train", "validation", "test")
    return replace(own, **{name: [getattr(own, name)[number] for number in kept] for name in names})


class Taught(NamedTuple):
    """A cell with trained teachers. Shared by all tests: not to be written to."""

    cell: cell.Cell
    fitted: Fitted
    teachers: list[Network]
    said: dict[str, Tensor]  # of all clips
    given: dict[str, Tensor]  # of training clips, what a student may learn from


def teach(own: cell.Cell) -> Taught:
    fitted = teacher.fit(own, silent)
    teachers = teacher.restore(own, fitted.state)
    said = teacher.everything(own, teachers)
    return Taught(own, fitted, teachers, said, teacher.of_training(own, said))


@pytest.fixture(scope="session")
def taught() -> Taught:
    return teach(small_cell(epochs=8))


@pytest.fixture(scope="session")
def tnets(taught) -> dict[str, Fitted]:
    """Trained T-Nets of every variant."""
    return {variant: tnet.fit(taught.cell, taught.said, variant, silent) for variant in tnet.TRAINED}


@pytest.fixture(scope="session")
def imagined(taught, tnets) -> list[Hallucinator]:
    """Hallucinators with the T-Net `mse`."""
    return tnet.hallucinators(taught.cell, taught.fitted.state, tnets["mse"].state)


@pytest.fixture(scope="session")
def heldout(taught) -> tuple[dict[str, Tensor], dict[str, Tensor], Tensor]:
    """Cross-fitted targets, and what every space says of clips that it was not trained on."""
    return crossfit.fit(taught.cell, taught.said)


@pytest.fixture(scope="session")
def several(taught, heldout) -> dict[str, Tensor]:
    """Targets of several spaces, as the teacher stage saves them."""
    found = spaces.said(taught.cell, spaces.fit(taught.cell, taught.said), taught.said)
    return teacher.of_training(taught.cell, taught.said | found | {"heldout": heldout[2]})


@pytest.fixture(params=["ordinal", "classification", "regression"])
def any_cell(request) -> cell.Cell:
    return small_cell(request.param)


@pytest.fixture
def ordinal_cell() -> cell.Cell:
    return small_cell()
