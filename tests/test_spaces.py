"""Teacher spaces: every modality brought into the joint space, each by its own adapter."""

import pytest
import torch
from conftest import small_cell, teach

from benchmark import spaces

SLOTS = {"vision": 0, "biosignal": 1}


@pytest.fixture(scope="module")
def said(taught):
    return spaces.said(taught.cell, spaces.fit(taught.cell, taught.said), taught.said)


@pytest.mark.parametrize("modality", SLOTS)
def test_adapters_turn_embeddings_of_unseen_clips_towards_the_joint_one(taught, said, modality):
    slot, cell, nearness = SLOTS[modality], taught.cell, []
    for number, rows in enumerate(cell.test):
        rows = torch.from_numpy(rows)[cell.table.visible[modality][rows]]
        joint = taught.said["z"][number, rows]
        pair = taught.said["tokens"][number, rows, slot], said["z"][number, rows, 1 + slot]
        nearness.append([float(torch.cosine_similarity(z, joint, dim=-1).mean()) for z in pair])
    raw, adapted = torch.tensor(nearness).mean(0)
    assert adapted > raw + 0.05


@pytest.mark.parametrize("modality, least", [("vision", 0.4), ("biosignal", 0.6)])
def test_heads_tell_the_task_of_unseen_clips(taught, said, modality, least):
    """Three classes, each about a third of the clips."""
    cell = taught.cell
    for number, rows in enumerate(cell.test):
        rows = torch.from_numpy(rows)[cell.table.visible[modality][rows]]
        guess = said["prediction"][number, rows, 1 + SLOTS[modality]].argmax(-1)
        assert (guess == cell.table.target[rows]).float().mean() > least


def test_the_first_space_is_the_teachers_own(taught, said):
    assert torch.equal(said["z"][:, :, 0], taught.said["z"])
    assert torch.equal(said["prediction"][:, :, 0], taught.said["prediction"])


def test_a_space_reads_its_own_modality_alone(taught):
    """Each head judges its own embedding, not that of another modality."""
    fitted = spaces.fit(taught.cell, taught.said)
    changed = taught.said | {"tokens": taught.said["tokens"].clone()}
    changed["tokens"][:, :, SLOTS["vision"]] += 1.0
    one, two = (spaces.said(taught.cell, fitted, own)["prediction"] for own in (taught.said, changed))
    moved = (one - two).abs().amax((0, 1, 3))
    assert moved[0] == 0 and moved[1 + SLOTS["vision"]] > 0.1 and moved[1 + SLOTS["biosignal"]] == 0


def test_values_have_spaces_too():
    taught = teach(small_cell("regression", epochs=4))
    found = spaces.said(taught.cell, spaces.fit(taught.cell, taught.said), taught.said)
    assert found["prediction"].shape == (6, len(taught.cell.table.clip_id), 3, 2)
    mean, deviation = (values[0] for values in taught.cell.scale)
    rows = taught.cell.test[0]
    truth = (taught.cell.table.target[rows] - mean) / deviation
    for space in range(3):
        pair = torch.stack([found["prediction"][0, rows, space].flatten(), truth.flatten()])
        assert torch.corrcoef(pair)[0, 1] > 0.4
