"""Predictions: every test clip once, nothing that is hidden, and no seed of which a part is missing."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import MASKS, kdot, with_shifted

from benchmark import cell as cells
from benchmark import checkpoints, evaluation, inputs, missing, student
from benchmark.params import Method


@pytest.mark.parametrize("condition", ["vision", "biosignal"])
def test_hidden_modalities_change_no_prediction(taught, condition):
    other = "biosignal" if condition == "vision" else "vision"
    frames = []
    for shift in (0.0, 3.0):
        found = evaluation.predict(with_shifted(taught.cell, other, shift), taught.teachers)
        frames.append(found[found.condition == condition].p0.to_numpy())
    np.testing.assert_array_equal(*frames)


def masked(cell) -> list[evaluation.Scene]:
    """Scenes of every condition that is a mask."""
    return [
        evaluation.Scene(own, torch.from_numpy(cell.table.masks[own.name]))
        for own in missing.listed(cell.task, MASKS)
        if own.name in cell.table.masks
    ]


def networks_of(taught, imagined, which: str) -> list:
    """Networks of several kinds, untrained where training makes no difference to what they look at."""
    cell = taught.cell
    methods = {"tnet": Method(tnet="mse"), "mean": Method(inputs="all", absent="mean"), "plain": Method()}
    if which == "teacher":
        return taught.teachers
    return student.networks(cell, methods[which], imagined if which == "tnet" else None)


@pytest.mark.parametrize("which", ["teacher", "tnet", "mean", "plain"])
def test_values_that_masks_hide_change_no_prediction(taught, imagined, which):
    """Each replica has its draw: what both draws hide is shifted; then what is visible, which must change something."""
    cell, networks, nothing_changed = taught.cell, networks_of(taught, imagined, which), True
    for scene in masked(cell):
        for place, modality in enumerate(("vision", "biosignal")):
            hidden = ~scene.kept[..., place].any(0)
            frames = [
                evaluation.predict(own, networks, [scene]).p0.to_numpy()
                for own in (cell, *(with_shifted(cell, modality, 3.0, rows) for rows in (hidden, ~hidden)))
            ]
            np.testing.assert_array_equal(frames[0], frames[1])
            nothing_changed &= np.array_equal(frames[0], frames[2])
    assert not nothing_changed


def test_a_condition_that_shows_nothing_in_one_fold_is_answered_there_too(taught):
    cell = taught.cell
    kept = torch.ones(1, len(cell.table.clip_id), 2, dtype=torch.bool)
    kept[0, torch.from_numpy(cell.test[0]), 0] = False
    listed = {own.name: own for own in missing.listed(cell.task, MASKS)}
    found = evaluation.predict(
        cell, student.networks(cell, Method(), None), [evaluation.Scene(listed["random_50"], kept)]
    )
    assert len(found) == 2 * len(cell.table.clip_id) and not found[found.fold == 0].seen.any()


def test_a_clip_of_which_nothing_is_visible_gets_the_answer_without_input(taught):
    cell = taught.cell
    students = student.networks(cell, Method(), None)
    scene = next(own for own in masked(cell) if own.condition.name == "random_50")
    found = evaluation.predict(cell, students, [scene])
    assert len(found) == 2 * len(cell.table.clip_id), "every clip is answered"
    replica = found[(found.fold == 1) & (found.seed == 0)]
    number = cell.replicas.index((1, 0))
    share = np.bincount(cell.table.target.numpy()[cell.train[number]], minlength=3) / len(cell.train[number])
    blind = replica[~replica.seen]
    np.testing.assert_allclose(blind[["p0", "p1", "p2"]].to_numpy(), np.tile(share, (len(blind), 1)), rtol=1e-6)
    kept = pd.Series(scene.kept[0, :, 0].numpy(), index=cell.table.clip_id)
    np.testing.assert_array_equal(replica.seen, kept[replica.clip_id])


def test_a_condition_that_hides_all_a_student_sees_has_no_rows(taught):
    cell = taught.cell
    hidden = torch.ones(1, len(cell.table.clip_id), 2, dtype=torch.bool)
    hidden[..., 0] = False
    listed = {own.name: own for own in missing.listed(cell.task, MASKS)}
    scenes = [evaluation.Scene(listed["random_50"], hidden), evaluation.Scene(listed["vision"])]
    found = evaluation.predict(cell, student.networks(cell, Method(), None), scenes)
    assert set(found.condition) == {"vision"}


def test_a_gap_and_nothing_else_is_in_its_scene(tmp_path, taught):
    cell = taught.cell
    clips = len(cell.table.clip_id)
    rng = np.random.default_rng(0)
    for name in ("vision", "biosignal"):
        np.save(tmp_path / f"{name}.npy", rng.normal(size=(clips, 11, 3)).astype(np.float32))
        (tmp_path / f"{name}.json").write_text(json.dumps({"segment": ["a", "b"], "clip": ["c"]}))
    found = {own.condition.name: own for own in evaluation.scenes(cell, tmp_path, MASKS, {})}
    scene = found["gap_vision_30"]
    values, present = scene.replaced["vision"]
    packed = np.load(tmp_path / "vision.npy")
    for clip, start in enumerate(cell.table.masks["gap_30"][1, :, 0]):
        packed[clip, start : start + 3] = 99.0
        packed[clip, -1] = 99.0
    np.save(tmp_path / "shifted.npy", packed)
    (tmp_path / "shifted.json").write_text((tmp_path / "vision.json").read_text())
    again = inputs.gapped(tmp_path, "shifted", cell.table.masks["gap_30"][..., 0], 0.3, "pooled")
    np.testing.assert_array_equal(again[1], values[1]), "what lies in a gap is not looked at"
    assert list(scene.replaced) == ["vision"] and scene.condition.visible == ("vision",) and present.all()
    packed, starts = np.load(tmp_path / "vision.npy"), cell.table.masks["gap_30"][..., 0]
    for clip in (0, 7):
        rest = np.delete(packed[clip, :-1, :2], range(starts[1, clip], starts[1, clip] + 3), axis=0)
        expected = np.concatenate([rest.mean(0), rest.std(0), [np.nan]])
        np.testing.assert_allclose(values[1, clip], expected, rtol=1e-5)


def test_what_was_available_in_training_is_told(taught):
    cell = taught.cell
    recorded = cell.table.visible["biosignal"].numpy()
    share = np.mean([recorded[rows].mean() for rows in cell.train])
    assert student.available(cell, Method()) == {"vision": 1.0}
    assert student.available(cell, Method(inputs="all"))["biosignal"] == pytest.approx(share)
    assert student.available(cell, Method(inputs="all", dropout=0.5))["biosignal"] == pytest.approx(share / 2)
    kept = cell.masks("random_50").numpy()
    masked = np.mean([(recorded[rows] & kept[n, rows, 1]).mean() for n, rows in enumerate(cell.train)])
    assert student.available(cell, Method(inputs="all", missing="random_50"))["biosignal"] == pytest.approx(masked)


def test_every_test_clip_is_scored_once_per_seed(taught):
    cell = taught.cell
    found = evaluation.predict(cell, taught.teachers)
    counts = found.groupby(["condition", "seed", "clip_id"], observed=True).size()
    clips, recorded = len(cell.table.clip_id), int(cell.table.visible["biosignal"].sum())
    assert (counts == 1).all() and recorded < clips
    assert counts.groupby("condition", observed=True).size().to_dict() == {
        "biosignal": 2 * recorded, "vision": 2 * clips, "vision+biosignal": 2 * clips
    }  # fmt: skip
    probabilities = found[["p0", "p1", "p2"]].to_numpy()
    np.testing.assert_allclose(probabilities.sum(1), 1)
    np.testing.assert_array_equal(probabilities.argmax(1), found.prediction)


def test_a_seed_that_is_left_out_is_left_out_of_every_fold_and_condition(taught):
    whole = evaluation.predict(taught.cell, taught.teachers)
    found = evaluation.predict(taught.cell, taught.teachers, without=[0])
    expected = whole[whole.seed == 1].reset_index(drop=True)
    assert found.equals(expected) and set(found.fold) == {0, 1, 2} and set(found.condition) == set(whole.condition)


def entry(fold: int, seed: int, epoch: int, diverged: int = 0) -> dict:
    status = {"status": "diverged", "diverged": diverged} if diverged else {"status": "ok"}
    return {"fold": fold, "seed": seed, "epoch": epoch} | status


def test_only_replicas_without_weights_cost_their_seed():
    replicas = [
        entry(0, 0, 5), entry(0, 1, 3), entry(0, 2, 0, diverged=1), entry(1, 0, 2, diverged=3),
        entry(1, 1, 0), entry(1, 2, 0, diverged=4),
    ]  # fmt: skip
    assert evaluation.left_out({"replicas": replicas}) == [
        {"seed": 1, "reason": "fold 1 has no validation score"},
        {"seed": 2, "reason": "fold 0 diverged at epoch 1, and 1 more"},
    ]
    assert evaluation.left_out({"replicas": replicas[:2] + replicas[3:4]}) == []
    assert evaluation.left_out({"replicas": [{"fold": 0, "seed": 0}]}) == [], "a T-Net that is not trained"


@pytest.fixture
def models(tmp_path, taught, tnets):
    """Models of a teacher and a T-Net, as its stage saves them; the T-Net of the third replica has diverged."""
    lost = tnets["mse"]._replace(epoch=tnets["mse"].epoch.copy(), diverged=tnets["mse"].diverged.copy())
    lost.epoch[2], lost.diverged[2] = 0, 1
    for name, fitted in (("teacher", taught.fitted), ("tnet_mse", lost)):
        checkpoints.save(tmp_path / name, fitted.state, cells.card(taught.cell, name, fitted))
    return tmp_path


def test_the_teacher_with_a_tnet_lacks_what_either_lacks(models, taught):
    card, _ = evaluation.restore(taught.cell, models, "teacher")
    assert evaluation.left_out(card) == []
    card, networks = evaluation.restore(taught.cell, models, "teacher_hallucinated")
    assert evaluation.left_out(card) == [{"seed": 0, "reason": "fold 1 diverged at epoch 1"}]
    assert [own["epoch"] for own in card["replicas"]][3:] == taught.fitted.epoch[3:].tolist()
    assert all(network.hallucinator for network in networks)


def test_a_restored_student_says_what_it_said_when_it_was_judged(models, taught, imagined):
    method = kdot(tnet="mse")
    found = student.fit(taught.cell, method, taught.given, imagined, lambda *_: None)
    about = {"method": method.model_dump() | {"digests": {"kdot": "x"}}}
    checkpoints.save(models / "pknot", found.state, cells.card(taught.cell, "pknot", found) | about)
    card, networks = evaluation.restore(taught.cell, models, "pknot")
    again = student.restore(taught.cell, method, found.state, imagined)
    one, two = (evaluation.predict(taught.cell, own).p0.to_numpy() for own in (networks, again))
    np.testing.assert_array_equal(one, two)
    assert [own["epoch"] for own in card["replicas"]] == found.epoch.tolist()
