"""Targets: whom a student learns from, of which clip, as its method says."""

import numpy as np
import pytest
import torch
from conftest import first_fold, kdot, small_cell, teach, with_table
from safetensors.torch import save_file

from benchmark import spaces, targets, teacher

JOINT, VISION, BIOSIGNAL = range(3)


def test_permuted_targets_are_dealt_within_the_training_clips(taught):
    dealt = targets.prepare(taught.cell, taught.given, "permuted")
    for number, rows in enumerate(taught.cell.train):
        before, after = taught.given["z"][number, rows], dealt["z"][number, rows]
        torch.testing.assert_close(before.sort(0).values, after.sort(0).values)
        assert (before == after).all(1).float().mean() < 0.2
        source = int((taught.given["z"][number] == dealt["z"][number, rows[0]]).all(-1).nonzero()[0])
        assert torch.equal(dealt["prediction"][number, rows[0]], taught.given["prediction"][number, source])


def test_trained_and_crossfit_targets_are_taken_as_they_are(taught, heldout):
    for word, given in (("trained", taught.given), ("crossfit", heldout[0]), ("ensemble", heldout[1])):
        found = targets.prepare(taught.cell, given, word)
        assert all(torch.equal(found[name].nan_to_num(7.0), given[name].nan_to_num(7.0)) for name in given)


@pytest.mark.parametrize(
    "word, file", [("trained", "trained"), ("permuted", "trained"), ("confident", "spaces"), ("batchwise", "spaces")]
)
def test_every_word_finds_its_file(tmp_path, taught, several, word, file):
    given = {"trained": taught.given, "spaces": several}[file]
    save_file(given, tmp_path / f"{file}.safetensors")
    found, expected = targets.load(taught.cell, tmp_path, word), targets.prepare(taught.cell, given, word)
    assert set(found) == set(expected)
    assert all(torch.equal(found[name].nan_to_num(7.0), expected[name].nan_to_num(7.0)) for name in found)


def sure_of(cell, given: dict, certainty: torch.Tensor) -> dict:
    """Spaces that are all right, each as sure of a clip as certainty (replicas, N, spaces) says."""
    right = torch.nn.functional.one_hot(cell.table.target, cell.outputs).float()
    everywhere = given | {"seen": torch.ones_like(given["seen"])}
    return everywhere | {"heldout": certainty[..., None] * right[:, None]}


def picked(cell, given: dict) -> torch.Tensor:
    """The space that `confident` takes of each training clip; -1 of others."""
    found = targets.prepare(cell, given, "confident")
    same = (found["z"][:, :, None] == given["z"]).all(-1)
    said = (found["prediction"][:, :, None] == given["prediction"]).all(-1)
    assert torch.equal(same, said)
    return torch.where(same.any(-1), same.int().argmax(-1), -1)


def test_each_clip_is_told_by_the_space_that_is_surest_of_it(taught, several):
    rng = torch.Generator().manual_seed(0)
    certainty = torch.rand(several["heldout"].shape[:3], generator=rng)
    choice = picked(taught.cell, sure_of(taught.cell, several, certainty))
    for number, rows in enumerate(taught.cell.train):
        assert torch.equal(choice[number, rows], certainty[number, rows].argmax(-1))
        assert len(choice[number, rows].unique()) == 3


def test_confidence_is_that_of_held_out_teachers_not_of_those_that_know_the_label(taught, several):
    """What counts is said of clips that were not learnt; and a louder space is not a surer one."""
    expected = picked(taught.cell, several)
    louder, step = several["heldout"].clone(), 10 ** (2.5 / 39)  # of the grid of temperatures
    louder[:, :, VISION] *= step**8
    assert torch.equal(picked(taught.cell, several | {"heldout": louder}), expected)
    other = several | {"heldout": several["heldout"].flip(2)}
    assert not torch.equal(picked(taught.cell, other), expected)
    shuffled = several | {"prediction": several["prediction"].flip(-1)}
    assert torch.equal(picked(taught.cell, shuffled), expected)


def test_a_space_whose_modality_is_absent_is_never_chosen(taught, several):
    cell, there = taught.cell, taught.cell.table.visible["biosignal"]
    certainty = torch.ones(several["heldout"].shape[:3])
    certainty[..., BIOSIGNAL] = 5.0
    choice = picked(cell, sure_of(cell, several, certainty) | {"seen": several["seen"]})
    for number, rows in enumerate(cell.train):
        present = there[rows]
        assert (choice[number, rows][present] == BIOSIGNAL).all() and not present.all()
        assert (choice[number, rows][~present] != BIOSIGNAL).all()


def test_a_space_that_was_not_held_out_is_never_chosen(taught, several):
    heldout = several["heldout"].clone()
    heldout[:, :, JOINT] = torch.nan
    choice = picked(taught.cell, several | {"heldout": heldout})
    assert not (choice == JOINT).any() and (choice == VISION).any() and (choice == BIOSIGNAL).any()


def test_of_values_the_space_with_the_smallest_held_out_error_is_chosen():
    taught = teach(first_fold(small_cell("regression", epochs=2)))
    cell = taught.cell
    found = spaces.said(cell, spaces.fit(cell, taught.said), taught.said)
    heldout = found["prediction"].flip(-1)  # any values will do
    mean, deviation = (values[:, None, None] for values in cell.scale)
    errors = (heldout - (cell.table.target[:, None] - mean) / deviation).square().mean(-1)
    errors[:, ~cell.table.visible["biosignal"], BIOSIGNAL] = torch.inf
    given = teacher.of_training(cell, taught.said | found | {"heldout": heldout})
    for number, rows in enumerate(cell.train):
        assert torch.equal(picked(cell, given)[number, rows], errors[number, rows].argmin(-1))


def test_batchwise_takes_one_space_for_all_clips_of_a_batch_by_its_loss_on_their_labels(taught, several):
    cell, rows = taught.cell, taught.cell.orders()[:, 0]
    method = kdot(teacher="batchwise")
    target = cell.table.target[rows]
    found, best = targets.batch(cell, method, several, rows, target), []
    for number, own in enumerate(rows):
        losses = [
            float(torch.nn.functional.cross_entropy(several["prediction"][number, own, space], target[number]))
            for space in (JOINT, VISION, BIOSIGNAL)
        ]
        best.append(int(np.argmin(losses)))
        assert torch.equal(found["z"][number], several["z"][number, own, best[-1]])
        assert torch.equal(found["prediction"][number], several["prediction"][number, own, best[-1]])
    worst = several | {"prediction": several["prediction"].clone()}
    worst["prediction"][1, :, best[1]] *= -1
    again = targets.batch(cell, method, worst, rows, target)
    assert torch.equal(again["z"][0], found["z"][0]) and not torch.equal(again["z"][1], found["z"][1])


def test_the_labels_of_other_clips_change_no_choice(taught, several):
    """Test labels above all."""
    cell = first_fold(taught.cell)
    own = {name: values[: len(cell.replicas)] for name, values in several.items()}
    outside = np.setdiff1d(np.arange(len(cell.table.clip_id)), cell.train[0])
    wrong = cell.table.target.clone()
    wrong[outside] = 2 - wrong[outside]
    assert torch.equal(picked(cell, own), picked(with_table(cell, target=wrong), own))
