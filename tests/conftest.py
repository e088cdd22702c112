"""Small made-up tasks that the tests of training and evaluation share."""

import numpy as np
import pandas as pd
import pytest
import torch

from benchmark import cell, inputs, splits
from benchmark.params import Split, Task, Training


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


def small_cell(kind: str = "ordinal", subjects: int = 12, clips: int = 12, seeds=(0, 1), epochs: int = 6) -> cell.Cell:
    """A task in which both modalities show the target, the privileged one more clearly but not always there."""
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
    label = state if kind == "regression" else np.digitize(state[:, 0], [-0.5, 0.5] if kind == "ordinal" else [0.0])
    target = torch.from_numpy(label.astype(np.float32) if kind == "regression" else label)
    clip_id = np.array([f"{person}_{number:03d}" for number, person in enumerate(people)])
    table = inputs.Table(
        clip_id=clip_id,
        recording_id=people,
        subject_id=people,
        x={name: torch.from_numpy(values.astype(np.float32)) for name, values in x.items()},
        visible={name: torch.from_numpy(flags) for name, flags in there.items()},
        target=target,
        clean=None,
        frames=np.full(len(state), 5.0),
        variance=np.full((len(state), len(task.target)), 0.1),
    )
    drawn = splits.draw(pd.DataFrame({"clip_id": clip_id, "recording_id": people, "subject_id": people}), task.split)
    training = Training(seeds=list(seeds), encoder="pooled", batch=32, epochs=epochs, steps=5, rate=0.003, decay=0.01)
    return cell.prepare("made_up", task, training, table, drawn, torch.device("cpu"))


@pytest.fixture(params=["ordinal", "classification", "regression"])
def any_cell(request) -> cell.Cell:
    return small_cell(request.param)


@pytest.fixture
def ordinal_cell() -> cell.Cell:
    return small_cell()
