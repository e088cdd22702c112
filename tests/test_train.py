"""The training loop: many replicas at once are what each would be alone."""

import numpy as np
import torch
from conftest import small_cell

from benchmark import objectives, train
from benchmark.params import Method

NAMES = ("vision",)


def fitted(cell, networks=None, on_epoch=lambda *_: None):
    objective, weights = objectives.build(Method(), cell.task.kind)
    networks = networks or [cell.network("student", number, NAMES) for number in range(len(cell.replicas))]
    return train.fit(
        networks, lambda rows: cell.batch(rows, NAMES), cell.orders(), objective, weights, cell.judge(NAMES),
        cell.training, on_epoch,
    )  # fmt: skip


def test_training_together_equals_training_alone(ordinal_cell):
    """Replica by replica with torch's own optimiser and loss, on the same batches."""
    cell = ordinal_cell
    objective, weights = objectives.build(Method(), "ordinal")
    rising = iter(range(100))  # every epoch is judged better than the one before: the last weights are kept
    found = train.fit(
        [cell.network("student", number, NAMES) for number in range(len(cell.replicas))],
        lambda rows: cell.batch(rows, NAMES), cell.orders(), objective, weights,
        lambda run: np.full(len(cell.replicas), next(rising)), cell.training,
    )  # fmt: skip
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


def test_a_replica_that_diverges_leaves_the_others_alone(ordinal_cell):
    networks = [ordinal_cell.network("student", number, NAMES) for number in range(len(ordinal_cell.replicas))]
    with torch.no_grad():
        networks[2].head.weight.fill_(float("nan"))
    found, sound = fitted(ordinal_cell, networks), fitted(ordinal_cell)
    assert found.epoch[2] == 0 and np.isnan(found.score[2])
    kept = [number for number in range(6) if number != 2]
    np.testing.assert_array_equal(found.epoch[kept], sound.epoch[kept])


def test_training_learns_every_kind_of_task(any_cell):
    found = fitted(any_cell)
    assert (found.score > 0.3).all()


def test_auto_takes_the_gpu_only_where_there_is_one():
    assert train.device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert train.device("cpu").type == "cpu"
