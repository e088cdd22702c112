"""The teacher, and what it hands on to students."""

import torch
from torch import Tensor

from benchmark import objectives, train
from benchmark.cell import Cell
from benchmark.models import Network
from benchmark.params import Method
from benchmark.train import Fitted, silent

MOST = 2**14  # clips that a teacher is asked about at a time


def modalities(cell: Cell) -> tuple[str, ...]:
    return (*cell.task.prevalent, *cell.task.privileged)


def networks(cell: Cell) -> list[Network]:
    """Untrained teachers, one per replica."""
    return [cell.network("teacher", number, modalities(cell)) for number in range(len(cell.replicas))]


def restore(cell: Cell, state: dict[str, Tensor]) -> list[Network]:
    """Trained teachers with their weights, one per replica."""
    return train.load(networks(cell), state)


def fit(cell: Cell, on_epoch=silent) -> Fitted:
    """Train the teachers on the training subjects; each is kept at its best epoch on the validation subjects."""
    objective, weights = objectives.build(Method(), cell.task)
    names, orders = modalities(cell), cell.orders()
    return train.fit(
        networks(cell), lambda step: cell.batch(orders[:, step], names), objective, weights,
        cell.judge(names), cell.training, on_epoch,
    )  # fmt: skip


@torch.no_grad()
def everything(cell: Cell, teachers: list[Network]) -> dict[str, Tensor]:
    """What the teachers say of all clips: the fields of models.Output, each (replicas, N, ...)."""
    found, clips = {}, torch.arange(len(cell.table.clip_id), device=cell.device)
    for number, teacher in enumerate(teachers):
        for rows in clips.split(MOST):
            for name, values in teacher(**cell.view(rows, modalities(cell)))._asdict().items():
                if name not in found:
                    found[name] = values.new_empty(len(teachers), len(clips), *values.shape[1:])
                found[name][number, rows] = values
    return found


def of_training(cell: Cell, said: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same of training clips alone: all others are NaN, so that a student that reached for them could not train."""
    found = {}
    for name, values in said.items():
        found[name] = torch.full_like(values, False if values.dtype == torch.bool else torch.nan)
        for number, rows in enumerate(cell.train):
            found[name][number, rows] = values[number, rows]
    return found
