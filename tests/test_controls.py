"""The controls find what they look for: labels in the gaps, people in the features."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import small_cell

from benchmark import controls, scores, stats


def scored(cell) -> float:
    found = controls.availability(cell)
    own = scores.tables(cell.task, found).subjects["vision"].sum(0)
    return float(stats.score(stats.headline(cell.task), cell.task.kind, own)[0])


def with_gaps(cell, absent: np.ndarray):
    visible = cell.table.visible | {"biosignal": torch.from_numpy(~absent)}
    return dataclasses.replace(cell, table=cell.table._replace(visible=visible))


def test_gaps_that_have_to_do_with_nothing_tell_nothing():
    assert scored(small_cell("classification")) == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_gaps_that_depend_on_the_label_are_found(kind):
    cell = small_cell(kind)
    target = cell.table.target if kind == "classification" else cell.table.target[:, 0]
    absent = (target > target.float().mean()).numpy()
    assert scored(with_gaps(cell, absent)) > (0.9 if kind == "classification" else 0.3)


def test_without_gaps_every_clip_gets_the_same_answer():
    cell = small_cell("ordinal")
    found = controls.availability(with_gaps(cell, np.zeros(len(cell.table.clip_id), bool)))
    assert found.groupby("fold").prediction.nunique().eq(1).all()
    assert found.clip_id.nunique() == len(cell.table.clip_id) and set(found.condition) == {"vision"}


def people(cell, shown: float, recording_of):
    """The probe of features that give a person away as clearly as `shown`; recording_of names a clip's recording."""
    rng = np.random.default_rng(0)
    names, who = np.unique(cell.table.subject_id, return_inverse=True)
    faces = rng.normal(size=(len(names), 8))[who] * shown + rng.normal(size=(len(who), 8))
    clip = pd.Series(cell.table.subject_id).groupby(cell.table.subject_id).cumcount().to_numpy()
    table = cell.table._replace(
        x=cell.table.x | {"vision": torch.from_numpy(faces.astype(np.float32))},
        recording_id=np.array([recording_of(*one) for one in zip(cell.table.subject_id, clip, strict=True)]),
    )
    return controls.identity(dataclasses.replace(cell, table=table))["vision"]


@pytest.mark.parametrize("recording_of", [lambda who, clip: f"{who}_{clip}", lambda who, clip: who])
def test_the_identity_probe_tells_whether_features_give_people_away(recording_of):
    cell = small_cell()
    clear, blind = people(cell, 3.0, recording_of), people(cell, 0.0, recording_of)
    assert clear["chance"] == pytest.approx(1 / 12) and clear["clips"] == 12 * 6
    assert clear["accuracy"] > 0.8 and blind["accuracy"] < 0.25


def test_two_people_of_one_group_are_two_people():
    """A dyad is never split, but its two recordings are of two people."""
    found = people(small_cell(), 3.0, lambda who, clip: f"{who}_{clip // 6}")
    assert found["chance"] == pytest.approx(1 / 24) and found["clips"] == 12 * 6


def test_one_clip_a_person_cannot_be_probed():
    cell = small_cell(clips=1, subjects=12)
    assert controls.identity(cell)["vision"] == {"reason": "too few clips of each person"}
