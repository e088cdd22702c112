"""Predictions: every test clip once, nothing that is hidden, and no seed of which a part is missing."""

import numpy as np
import pytest
from conftest import kdot, with_shifted

from benchmark import cell as cells
from benchmark import checkpoints, evaluation, missing, student


@pytest.mark.parametrize("condition", ["vision", "biosignal"])
def test_hidden_modalities_change_no_prediction(taught, condition):
    other = "biosignal" if condition == "vision" else "vision"
    frames = []
    for shift in (0.0, 3.0):
        found = evaluation.predict(with_shifted(taught.cell, other, shift), taught.teachers)
        frames.append(found[found.condition == condition].p0.to_numpy())
    np.testing.assert_array_equal(*frames)


def test_every_test_clip_is_scored_once_per_seed(taught):
    cell = taught.cell
    found = evaluation.predict(cell, taught.teachers)
    counts = found.groupby(["condition", "seed", "clip_id"]).size()
    clips, recorded = len(cell.table.clip_id), int(cell.table.visible["biosignal"].sum())
    assert (counts == 1).all() and recorded < clips
    assert counts.groupby("condition").size().to_dict() == {
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


def test_conditions_are_all_subsets_with_readable_aliases():
    found = missing.conditions(("vision", "speech", "biosignal"))
    assert len(found) == 7 and next(iter(found)) == "vision+speech+biosignal"
    roles = ("vision", "speech"), ("biosignal",)
    assert missing.alias(("vision", "speech"), *roles) == "privileged_absent"
    assert missing.alias(("vision", "speech", "biosignal"), *roles) == "all"
    assert missing.alias(("vision", "biosignal"), *roles) == "no_speech"
    assert missing.alias(("speech",), *roles) == "only_speech"
