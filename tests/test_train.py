"""The training loop: many replicas at once are what each would be alone."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import silent, small_cell

from benchmark import cell as cells
from benchmark import files, objectives, train
from benchmark.params import Method

NAMES = ("vision",)


def students(cell):
    return [cell.network("student", number, NAMES) for number in range(len(cell.replicas))]


def fitted(cell, networks=None, on_epoch=silent, judge=None, spoil=None):
    """Trained on the task alone; spoil(step) multiplies the loss of each replica."""
    objective, weights = objectives.build(Method(), cell.task)
    orders, sound = cell.orders(), torch.ones(len(cell.replicas))

    def draw(step: int) -> dict:
        return cell.batch(orders[:, step], NAMES) | {"factor": spoil(step) if spoil else sound}

    def spoilt(call, batch: dict) -> dict:
        return {term: value * batch["factor"] for term, value in objective(call, batch).items()}

    judge = judge or cell.judge(NAMES)
    return train.fit(networks or students(cell), draw, spoilt, weights, judge, cell.training, on_epoch)


def test_training_together_equals_training_alone(ordinal_cell):
    """Replica by replica with torch's own optimiser and loss, on the same batches."""
    cell = ordinal_cell
    rising = iter(range(100))  # every epoch is judged better than the one before: the last weights are kept
    found = fitted(cell, judge=lambda run: np.full(len(cell.replicas), next(rising)))
    for number, orders in enumerate(cell.orders()):
        network = cell.network("student", number, NAMES)
        optimiser = torch.optim.AdamW(network.parameters(), lr=cell.training.rate, weight_decay=cell.training.decay)
        for rows in orders:
            optimiser.zero_grad()
            said = network(**cell.view(rows, NAMES)).prediction
            torch.nn.functional.cross_entropy(said, cell.table.target[rows]).backward()
            optimiser.step()
        together = train.replica_state(found.state, number)
        for name, alone in network.named_parameters():
            torch.testing.assert_close(together[name], alone.detach(), atol=2e-4, rtol=1e-3)


def test_batches_are_the_same_for_every_method_and_never_repeat_a_clip(ordinal_cell):
    orders = ordinal_cell.orders()
    assert torch.equal(orders, ordinal_cell.orders())
    for replica, own in zip(orders, ordinal_cell.train, strict=True):
        assert set(replica.flatten().tolist()) <= set(own.tolist())
        assert all(len(set(batch)) == len(batch) for batch in replica.tolist())
        per_pass = len(own) // orders.shape[-1]
        first = replica[:per_pass].flatten().tolist()
        assert len(set(first)) == len(first)


def test_every_replica_takes_the_same_steps_with_the_same_batch(ordinal_cell):
    training = ordinal_cell.training
    smallest = min(len(rows) for rows in ordinal_cell.train)
    assert ordinal_cell.orders().shape == (6, training.epochs * training.steps, min(training.batch, smallest))


def test_weights_start_from_task_fold_and_seed_alone():
    first, again = small_cell(), small_cell(seeds=(1, 0))
    assert first.replicas[0] == (0, 0) and again.replicas[1] == (0, 0)
    for a, b in zip(
        first.network("student", 0, NAMES).parameters(), again.network("student", 1, NAMES).parameters(), strict=True
    ):
        assert torch.equal(a, b)
    other = first.network("student", 1, NAMES)
    assert not torch.equal(first.network("student", 0, NAMES).head.weight, other.head.weight)


def test_adding_a_seed_changes_no_other_replica():
    few, more = fitted(small_cell(seeds=(0,))), fitted(small_cell(seeds=(0, 5)))
    for name, values in few.state.items():
        torch.testing.assert_close(values, more.state[name][::2], atol=1e-5, rtol=1e-4)


def test_the_best_epoch_on_validation_is_kept(ordinal_cell):
    seen = []
    found = fitted(ordinal_cell, on_epoch=lambda epoch, curves: seen.append(curves["validation"]))
    scores = np.stack(seen)
    np.testing.assert_array_equal(found.epoch, scores.argmax(0) + 1)
    np.testing.assert_allclose(found.score, scores.max(0))


def spoiling(factor: float, at: int):
    """Multiplies the loss of the third replica by a factor in one step."""

    def spoil(step: int) -> torch.Tensor:
        found = torch.ones(6)
        found[2] = factor if step == at else 1.0
        return found

    return spoil


@pytest.mark.parametrize("factor", [float("nan"), float("inf")])
def test_a_replica_that_diverges_keeps_its_best_earlier_weights(ordinal_cell, factor):
    cell, at = ordinal_cell, 3 * ordinal_cell.training.steps - 1  # the last step of the third epoch
    seen = []
    found = fitted(cell, spoil=spoiling(factor, at), on_epoch=lambda epoch, curves: seen.append(curves["validation"]))
    short = fitted(replace(cell, training=cell.training.model_copy(update={"epochs": 2})))
    assert found.diverged.tolist() == [0, 0, 3, 0, 0, 0] and found.epoch[2] == short.epoch[2] <= 2
    assert found.score[2] == short.score[2] and np.isnan(np.stack(seen)[2:, 2]).all()
    for name, values in short.state.items():
        assert torch.equal(found.state[name][2], values[2]) and values[2].isfinite().all(), name


def test_weights_that_are_not_finite_are_noticed_before_the_next_loss(ordinal_cell):
    leap = ordinal_cell.training.model_copy(update={"epochs": 1, "steps": 1, "rate": float("inf")})
    found = fitted(replace(ordinal_cell, training=leap), judge=lambda run: np.ones(6))
    assert np.isfinite(found.raw["task"]).all() and (found.diverged == 1).all() and (found.epoch == 0).all()


@pytest.mark.parametrize("at", [0, 12])
def test_a_replica_that_diverges_changes_no_other_one(ordinal_cell, at):
    lost, sound = fitted(ordinal_cell, spoil=spoiling(float("nan"), at)), fitted(ordinal_cell)
    kept = [number for number in range(6) if number != 2]
    np.testing.assert_array_equal(lost.epoch[kept], sound.epoch[kept])
    np.testing.assert_array_equal(lost.raw["task"][:, kept], sound.raw["task"][:, kept])
    for name, values in sound.state.items():
        assert torch.equal(lost.state[name][kept], values[kept]), name


def test_a_replica_without_any_score_has_no_weights(ordinal_cell):
    found = fitted(ordinal_cell, spoil=spoiling(float("nan"), 0))
    assert found.epoch[2] == 0 and found.diverged[2] == 1 and np.isnan(found.score[2])
    network = students(ordinal_cell)[2]
    network.load_state_dict(train.replica_state(found.state, 2))
    view = ordinal_cell.view(torch.from_numpy(ordinal_cell.test[2]), NAMES)
    assert network(**view).prediction.isnan().all()


@pytest.mark.parametrize("factor", [float("nan"), float("inf")])
def test_the_card_of_a_replica_that_diverged_can_be_written(tmp_path, ordinal_cell, factor):
    found = fitted(ordinal_cell, spoil=spoiling(factor, 0))
    files.write_json(tmp_path / "card.json", cells.card(ordinal_cell, "kd", found))
    card = json.loads((tmp_path / "card.json").read_text())
    lost = card["replicas"].pop(2)
    assert (lost["status"], lost["diverged"], lost["epoch"], lost["validation"]) == ("diverged", 1, 0, None)
    assert {entry["status"] for entry in card["replicas"]} == {"ok"} and card["raw"]["task"]["first"] > 0
    assert cells.summary(found).endswith("1 DIVERGED")


def test_training_learns_every_kind_of_task(any_cell):
    found = fitted(any_cell)
    assert (found.score > 0.3).all()


def test_auto_takes_the_gpu_only_where_there_is_one():
    assert train.device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert train.device("cpu").type == "cpu"
