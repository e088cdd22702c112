"""Teacher, T-Net and students: what may and may not flow between them."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from conftest import small_cell

from benchmark import evaluation, missing, student, teacher
from benchmark.cell import stack
from benchmark.params import Method


def silent(*_):
    pass


@pytest.fixture(scope="module")
def taught():
    cell = small_cell(epochs=8)
    fitted = teacher.fit(cell, silent)
    teachers = teacher.restore(cell, fitted.state)
    tnet = teacher.fit_tnet(cell, teachers, silent)
    return cell, fitted, teachers, tnet


def kdot(**more) -> Method:
    return Method(terms={"kdot": {"k": 8}}, **more)


def test_targets_exist_for_training_clips_alone(taught):
    cell, _, teachers, _ = taught
    for values in teacher.targets(cell, teachers).values():
        for number, rows in enumerate(cell.train):
            known = values[number].isfinite().all(1).numpy()
            assert set(np.flatnonzero(known)) == set(rows)


def test_a_student_that_reached_for_test_targets_could_not_train(taught):
    cell, _, teachers, _ = taught
    targets = teacher.targets(cell, teachers)
    greedy = [np.concatenate(parts) for parts in zip(cell.train, cell.test, strict=True)]
    reaching = replace(cell, train=greedy)
    assert (student.fit(reaching, kdot(), targets, None, silent).epoch <= 1).all()


def test_the_tnet_is_trained_and_better_than_a_random_one(taught):
    cell, fitted, teachers, tnet = taught
    known = teacher.embeddings(cell, teachers)
    errors = {}
    for name, state in {"trained": tnet.state, "random": stack(teacher.tnets(cell))}.items():
        modules = teacher.hallucinators(cell, fitted.state, state)
        errors[name] = []
        for number, (module, rows) in enumerate(zip(modules, cell.test, strict=True)):
            rows = rows[cell.table.visible["biosignal"].numpy()[rows]]
            view = cell.view(torch.from_numpy(rows), ("vision",))
            said = module(view["x"], view["visible"]["vision"][:, None])[:, 0]
            errors[name].append(float((said - known["biosignal"][number, rows]).square().mean()))
    assert np.mean(errors["trained"]) < 0.8 * np.mean(errors["random"])


def test_saved_hallucinators_are_the_ones_used(taught):
    cell, fitted, teachers, tnet = taught
    one, two = (teacher.hallucinators(cell, fitted.state, tnet.state) for _ in range(2))
    for a, b, network in zip(one, two, teachers, strict=True):
        for (name, x), y in zip(a.state_dict().items(), b.state_dict().values(), strict=True):
            assert torch.equal(x, y)
            if name.startswith("encoders."):
                assert torch.equal(x, network.state_dict()[name])


def test_hallucinators_are_unchanged_by_distillation(taught):
    cell, fitted, teachers, tnet = taught
    modules = teacher.hallucinators(cell, fitted.state, tnet.state)
    before = [{k: v.clone() for k, v in m.state_dict().items()} for m in modules]
    found = student.fit(cell, kdot(tnet="trained"), teacher.targets(cell, teachers), modules, silent)
    for number, state in enumerate(before):
        for name, values in state.items():
            torch.testing.assert_close(found.state[f"hallucinator.{name}"][number], values)


def test_a_student_never_sees_the_privileged_modality(taught):
    cell, fitted, _, tnet = taught
    modules = teacher.hallucinators(cell, fitted.state, tnet.state)
    networks = student.networks(cell, modules)
    expected = evaluation.predict(cell, networks)
    cell.table.x["biosignal"].add_(100)
    try:
        again = evaluation.predict(cell, networks)
    finally:
        cell.table.x["biosignal"].sub_(100)
    np.testing.assert_array_equal(expected.p0, again.p0)
    assert set(expected.condition) == {"vision", "vision+biosignal"}


@pytest.mark.parametrize("condition", ["vision", "biosignal"])
def test_hidden_modalities_change_no_prediction(taught, condition):
    cell, _, teachers, _ = taught
    other = "biosignal" if condition == "vision" else "vision"
    frames = []
    for shift in (0.0, 3.0):
        cell.table.x[other].add_(shift)
        found = evaluation.predict(cell, teachers)
        frames.append(found[found.condition == condition].p0.to_numpy())
        cell.table.x[other].sub_(shift)
    np.testing.assert_array_equal(*frames)


def test_every_test_clip_is_scored_once_per_seed(taught):
    cell, _, teachers, _ = taught
    found = evaluation.predict(cell, teachers)
    counts = found.groupby(["condition", "seed", "clip_id"]).size()
    clips, recorded = len(cell.table.clip_id), int(cell.table.visible["biosignal"].sum())
    assert (counts == 1).all() and recorded < clips
    assert counts.groupby("condition").size().to_dict() == {
        "biosignal": 2 * recorded, "vision": 2 * clips, "vision+biosignal": 2 * clips
    }  # fmt: skip
    probabilities = found[["p0", "p1", "p2"]].to_numpy()
    np.testing.assert_allclose(probabilities.sum(1), 1)
    np.testing.assert_array_equal(probabilities.argmax(1), found.prediction)


def test_the_teacher_is_worse_without_its_privileged_modality(taught):
    cell, _, teachers, _ = taught
    found = evaluation.predict(cell, teachers)
    right = found.truth.eq(found.prediction).groupby(found.condition).mean()
    assert right["vision+biosignal"] > right["vision"] + 0.03


def test_permuted_targets_are_dealt_within_the_training_clips(taught):
    cell, _, teachers, _ = taught
    targets = teacher.targets(cell, teachers)
    dealt = student.permuted(cell, targets)
    for number, rows in enumerate(cell.train):
        before, after = targets["z"][number, rows], dealt["z"][number, rows]
        assert not torch.equal(before, after)
        torch.testing.assert_close(before.sort(0).values, after.sort(0).values)
        assert (before == after).all(1).float().mean() < 0.2


def test_every_part_of_a_method_changes_what_is_learnt(taught):
    cell, fitted, teachers, tnet = taught
    targets = teacher.targets(cell, teachers)
    modules = teacher.hallucinators(cell, fitted.state, tnet.state)
    ways = {
        "prevalent_only": (Method(), None),
        "kd": (Method(terms={"kd": {}}, task_weight=0.1), None),
        "kdot": (kdot(), None),
        "permuted": (kdot(teacher="permuted"), None),
        "pknot": (kdot(tnet="trained"), modules),
    }
    heads = {
        name: student.fit(cell, way, targets, given, silent).state["head.weight"] for name, (way, given) in ways.items()
    }
    names = list(heads)
    for one, two in pairwise(names):
        assert not torch.allclose(heads[one], heads[two], atol=1e-4), (one, two)


def test_clean_labels_are_impossible_without_them(taught):
    cell, _, teachers, _ = taught
    with pytest.raises(student.Impossible, match="synthetic"):
        student.fit(cell, Method(labels="clean"), teacher.targets(cell, teachers), None, silent)


@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_other_kinds_of_task_run_through(kind):
    cell = small_cell(kind, epochs=3)
    fitted = teacher.fit(cell, silent)
    targets = teacher.targets(cell, teacher.restore(cell, fitted.state))
    found = student.fit(cell, Method(terms={"kd": {}, "kdot": {"k": 8}}), targets, None, silent)
    rows = evaluation.predict(cell, student.restore(cell, found.state, None))
    assert rows.prediction.notna().all() and (found.epoch > 0).all()
    if kind == "regression":
        assert set(rows.target) == {"arousal", "valence"}
        assert np.corrcoef(rows.truth, rows.prediction)[0, 1] > 0.3


def test_conditions_are_all_subsets_with_readable_aliases():
    found = missing.conditions(("vision", "speech", "biosignal"))
    assert len(found) == 7 and next(iter(found)) == "vision+speech+biosignal"
    roles = ("vision", "speech"), ("biosignal",)
    assert missing.alias(("vision", "speech"), *roles) == "privileged_absent"
    assert missing.alias(("vision", "speech", "biosignal"), *roles) == "all"
    assert missing.alias(("vision", "biosignal"), *roles) == "no_speech"
    assert missing.alias(("speech",), *roles) == "only_speech"


def test_a_tnet_leaves_the_initial_weights_of_a_student_as_they_are(taught):
    cell, fitted, _, tnet = taught
    plain, helped = (
        student.networks(cell, None),
        student.networks(cell, teacher.hallucinators(cell, fitted.state, tnet.state)),
    )
    for one, two in zip(plain, helped, strict=True):
        own = dict(two.named_parameters())
        for name, values in one.named_parameters():
            assert torch.equal(values, own[name][: len(values)]), name


def test_a_student_does_not_start_where_its_teacher_started(taught):
    cell, *_ = taught
    one, two = student.networks(cell, None)[0], teacher.networks(cell)[0]
    assert not torch.equal(one.encoders["vision"].layers[0].weight, two.encoders["vision"].layers[0].weight)
