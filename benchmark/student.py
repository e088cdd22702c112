"""Students: networks that see only prevalent modalities, trained by a method."""

import torch
from torch import Tensor

from benchmark import objectives, train
from benchmark.cell import Cell
from benchmark.models import Hallucinator, Network
from benchmark.params import Method
from benchmark.seeds import generator
from benchmark.train import Fitted, replica_state


class Impossible(Exception):
    """A method that cannot be run on these recordings; the text is the reason in its record."""


def networks(cell: Cell, hallucinators: list[Hallucinator] | None) -> list[Network]:
    """Untrained students, one per replica; same weights and batches for every method."""
    own = hallucinators or [None] * len(cell.replicas)
    return [cell.network("student", number, cell.task.prevalent, module) for number, module in enumerate(own)]


def restore(cell: Cell, state: dict[str, Tensor], hallucinators: list[Hallucinator] | None) -> list[Network]:
    """Trained students with their weights."""
    found = networks(cell, hallucinators)
    for number, network in enumerate(found):
        network.load_state_dict(replica_state(state, number))
    return found


def permuted(cell: Cell, targets: dict[str, Tensor]) -> dict[str, Tensor]:
    """The control: each teacher's targets dealt to its training clips in a random order."""
    dealt = {name: values.clone() for name, values in targets.items()}
    for number, (replica, rows) in enumerate(zip(cell.replicas, cell.train, strict=True)):
        other = generator("permuted", cell.name, *replica).permutation(rows)
        for name, values in targets.items():
            dealt[name][number, rows] = values[number, other]
    return dealt


def labels(cell: Cell, method: Method) -> Tensor:
    """Training labels: as recorded, or without label noise (a ceiling that only synthetic recordings have)."""
    if method.labels == "noisy":
        return cell.table.target
    if cell.table.clean is None:
        raise Impossible("labels: clean needs synthetic recordings; real ones have no noise-free labels")
    return cell.table.clean


def fit(
    cell: Cell,
    method: Method,
    targets: dict[str, Tensor] | None,
    hallucinators: list[Hallucinator] | None,
    on_epoch,
) -> Fitted:
    """Train the students of one method. targets: as teacher.targets gives them, where a term needs them."""
    given = permuted(cell, targets) if method.teacher == "permuted" else targets
    objective, weights = objectives.build(method, cell.task.kind)
    truth = labels(cell, method)
    prevalent = cell.task.prevalent
    own = torch.arange(len(cell.replicas), device=cell.device)[:, None]

    def draw(rows: Tensor) -> dict:
        batch = cell.batch(rows, prevalent, truth)
        if method.terms:
            batch["teacher"] = {name: values[own, rows] for name, values in given.items()}
        return batch

    return train.fit(
        networks(cell, hallucinators), draw, cell.orders(), objective, weights,
        cell.judge(prevalent), cell.training, on_epoch,
    )  # fmt: skip
