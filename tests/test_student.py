"""Students: what they may see, what their methods change, and what they leave as it was."""

from dataclasses import replace
from itertools import combinations, pairwise

import numpy as np
import pytest
import torch
from conftest import first_fold, kdot, silent, small_cell, teach, with_shifted

from benchmark import evaluation, student, targets, tnet
from benchmark.params import Method


def scored(cell, networks, condition: str) -> np.ndarray:
    """Probabilities of the first class under one condition."""
    found = evaluation.predict(cell, networks)
    return found[found.condition == condition].p0.to_numpy()


def test_a_student_that_reached_for_test_targets_could_not_train(taught):
    greedy = [np.concatenate(parts) for parts in zip(taught.cell.train, taught.cell.test, strict=True)]
    found = student.fit(replace(taught.cell, train=greedy), kdot(), taught.given, None, silent)
    assert (found.diverged == 1).all() and (found.epoch == 0).all()


def test_frozen_hallucinators_are_unchanged_by_distillation(taught, imagined):
    before = [{name: values.clone() for name, values in module.state_dict().items()} for module in imagined]
    found = student.fit(taught.cell, kdot(tnet="mse"), taught.given, imagined, silent)
    for number, state in enumerate(before):
        for name, values in state.items():
            assert torch.equal(found.state[f"hallucinator.{name}"][number], values), name


@pytest.mark.parametrize("terms", [{}, {"kdot": {"k": 8}}])
def test_hallucinators_of_a_students_own_are_trained_with_it(taught, terms):
    modules = tnet.untrained(taught.cell)
    before = [{name: values.clone() for name, values in module.named_parameters()} for module in modules]
    found = student.fit(taught.cell, Method(terms=terms, tnet="own"), taught.given, modules, silent)
    for number, state in enumerate(before):
        for name, values in state.items():
            assert not torch.equal(found.state[f"hallucinator.{name}"][number], values), name
            assert torch.equal(dict(modules[number].named_parameters())[name], values), "the next candidate starts here"


@pytest.mark.parametrize("method", [Method(tnet="mse"), Method(tnet="own"), Method(terms={"kd": {}})])
def test_a_student_never_sees_the_privileged_modality(taught, imagined, method):
    modules = {"mse": imagined, "own": tnet.untrained(taught.cell), "none": None}[method.tnet]
    networks = student.networks(taught.cell, method, modules)
    expected = evaluation.predict(taught.cell, networks)
    again = evaluation.predict(with_shifted(taught.cell, "biosignal", 100.0), networks)
    np.testing.assert_array_equal(expected.p0, again.p0)
    assert set(expected.condition) == {"vision", "vision+biosignal"}


ALL = [
    Method(inputs="all"), Method(inputs="all", dropout=0.5), Method(inputs="all", absent="zeros"),
    Method(inputs="all", absent="mean", dropout=0.5),
]  # fmt: skip


@pytest.mark.parametrize("method", ALL, ids=lambda method: f"{method.absent}-{method.dropout}")
def test_a_student_of_all_inputs_is_selected_and_tested_without_privileged_ones(taught, method):
    cell = taught.cell
    found = student.fit(cell, method, {}, None, silent)
    selecting = with_shifted(cell, "biosignal", 5.0, cell.validation[0])
    again = student.fit(selecting, method, {}, None, silent)
    assert (found.epoch[:2].tolist(), found.score[:2].tolist()) == (again.epoch[:2].tolist(), again.score[:2].tolist())
    networks = student.restore(cell, method, found.state, None)
    shifted = with_shifted(cell, "biosignal", 5.0)
    one, two = (scored(own, networks, "vision") for own in (cell, shifted))
    np.testing.assert_array_equal(one, two)
    one, two = (scored(own, networks, "vision+biosignal") for own in (cell, shifted))
    assert np.abs(one - two).max() > 0.01


@pytest.mark.parametrize("share", [0.25, 0.7])
def test_dropout_hides_the_asked_share(taught, share):
    cell = taught.cell
    hidden = student.dropped(cell, share, 32)
    steps = cell.training.epochs * cell.training.steps
    assert hidden.shape == (6, steps, 32, 1) and hidden.dtype == torch.bool
    assert hidden.flatten(1).float().mean(1).sub(share).abs().max() < 0.05
    assert not student.dropped(cell, 0.0, 32).any() and student.dropped(cell, 1.0, 32).all()


def test_dropout_is_drawn_from_the_identity_of_the_replica():
    first, again = small_cell(), small_cell(seeds=(1, 0))
    one, two = (student.dropped(own, 0.5, 16) for own in (first, again))
    assert torch.equal(one[0], two[1]) and torch.equal(one[1], two[0])
    assert all(not torch.equal(a, b) for a, b in pairwise(one))
    assert not torch.equal(one[0, 0], one[0, 1])


def test_what_is_always_dropped_is_never_learnt_from(taught):
    cell = first_fold(taught.cell)
    states = [
        student.fit(own, Method(inputs="all", dropout=dropout), {}, None, silent).state
        for dropout in (1.0, 0.5)
        for own in (cell, with_shifted(cell, "biosignal", 1.0, slice(0, None, 2)))
    ]
    never, never_shifted, half, half_shifted = (state["head.weight"] for state in states)
    assert torch.equal(never, never_shifted) and not torch.allclose(half, half_shifted, atol=1e-3)
    assert not torch.allclose(never, half, atol=1e-3)


def test_every_part_of_a_method_changes_what_is_learnt(taught, imagined, heldout, several):
    ways = {}
    for name, method, given, modules in (
        ("prevalent_only", Method(), {}, None),
        ("kd", Method(terms={"kd": {}}, task_weight=0.1), taught.given, None),
        ("kdot", kdot(), taught.given, None),
        ("permuted", kdot(teacher="permuted"), taught.given, None),
        ("crossfit", kdot(teacher="crossfit"), heldout[0], None),
        ("ensemble", kdot(teacher="ensemble"), heldout[1], None),
        ("confident", kdot(teacher="confident"), several, None),
        ("tnet", kdot(tnet="mse"), taught.given, imagined),
        ("own", kdot(tnet="own"), taught.given, tnet.untrained(taught.cell)),
        ("all", kdot(inputs="all"), taught.given, None),
        ("dropout", kdot(inputs="all", dropout=0.5), taught.given, None),
        ("zeros", kdot(inputs="all", absent="zeros"), taught.given, None),
        ("mean", kdot(inputs="all", absent="mean"), taught.given, None),
    ):
        own = targets.prepare(taught.cell, given, method.teacher)
        ways[name] = student.fit(taught.cell, method, own, modules, silent).state["head.weight"]
    for one, two in combinations(ways, 2):
        assert not torch.allclose(ways[one], ways[two], atol=1e-4), (one, two)


def test_clean_labels_are_impossible_without_them(taught):
    with pytest.raises(student.Impossible, match="synthetic"):
        student.fit(taught.cell, Method(labels="clean"), taught.given, None, silent)


def test_clean_labels_are_learnt_from_and_noisy_ones_judge():
    cell = small_cell(noise=1.0)
    noisy, clean = (student.fit(cell, Method(labels=labels), {}, None, silent) for labels in ("noisy", "clean"))
    right = {}
    for name, found in (("noisy", noisy), ("clean", clean)):
        rows = evaluation.predict(cell, student.restore(cell, Method(), found.state, None))
        truth = cell.table.target[cell.table.positions(rows.clip_id)]
        np.testing.assert_array_equal(rows.truth, truth)
        right[name] = (rows.prediction == cell.table.clean[cell.table.positions(rows.clip_id)].numpy()).mean()
    assert right["clean"] > right["noisy"] + 0.03


@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_other_kinds_of_task_run_through(kind):
    taught = teach(small_cell(kind, epochs=3))
    cell = taught.cell
    found = student.fit(cell, Method(terms={"kd": {}, "kdot": {"k": 8}}), taught.given, None, silent)
    rows = evaluation.predict(cell, student.restore(cell, Method(), found.state, None))
    assert rows.prediction.notna().all() and (found.epoch > 0).all()
    if kind == "regression":
        assert set(rows.target) == {"arousal", "valence"}
        assert np.corrcoef(rows.truth, rows.prediction)[0, 1] > 0.3


def test_a_tnet_leaves_the_initial_weights_of_a_student_as_they_are(taught, imagined):
    plain, helped = student.networks(taught.cell, Method(), None), student.networks(taught.cell, Method(), imagined)
    for one, two in zip(plain, helped, strict=True):
        own = dict(two.named_parameters())
        for name, values in one.named_parameters():
            assert torch.equal(values, own[name][: len(values)]), name


def test_values_that_masks_hide_in_training_change_no_weight(taught):
    """One seed: its draw decides what is hidden."""
    cell = small_cell(seeds=(0,), epochs=2)
    method = Method(inputs="all", missing="random_50")
    hidden = torch.from_numpy(~cell.table.masks["random_50"][0, :, 1])
    states = [
        student.fit(own, method, {}, None).state
        for own in (cell, with_shifted(cell, "biosignal", 3.0, hidden & cell.table.visible["biosignal"]))
    ]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    plain = student.fit(cell, Method(inputs="all"), {}, None).state
    assert not torch.equal(plain["head.weight"], states[0]["head.weight"])
