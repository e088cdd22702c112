"""Targets: what students learn from, as the `teacher` of their method says."""

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from benchmark.cell import Cell
from benchmark.models import Output
from benchmark.objectives import task_losses
from benchmark.params import Method
from benchmark.seeds import generator

FILES = {"permuted": "trained", "confident": "spaces", "batchwise": "spaces"}  # others have a file of their name


def load(cell: Cell, folder: Path, teacher: str) -> dict[str, Tensor]:
    """The targets of a method's teacher, each (replicas, N, ...), as the teacher stage saved them in folder."""
    path = folder / f"{FILES.get(teacher, teacher)}.safetensors"
    return prepare(cell, {name: tensor.to(cell.device) for name, tensor in load_file(path).items()}, teacher)


def prepare(cell: Cell, given: dict[str, Tensor], teacher: str) -> dict[str, Tensor]:
    """Deal or choose saved targets as the method's teacher asks."""
    if teacher == "permuted":
        return permuted(cell, given)
    if teacher == "confident":
        return pick(given, confidence(cell, given).argmax(-1))
    return given


def permuted(cell: Cell, given: dict[str, Tensor]) -> dict[str, Tensor]:
    """The control: each teacher's targets dealt to its training clips in a random order."""
    dealt = {name: values.clone() for name, values in given.items()}
    for number, (replica, rows) in enumerate(zip(cell.replicas, cell.train, strict=True)):
        other = generator("permuted", cell.name, *replica).permutation(rows)
        for name, values in given.items():
            dealt[name][number, rows] = values[number, other]
    return dealt


def pick(given: dict[str, Tensor], space: Tensor) -> dict[str, Tensor]:
    """One space of each clip. given: z, prediction (..., N, spaces, *); space (..., N) -> (..., N, *)."""
    found = dict(given)
    for name in ("z", "prediction"):
        index = space[..., None, None].expand(*space.shape, 1, given[name].shape[-1])
        found[name] = given[name].gather(-2, index).squeeze(-2)
    return found


def confidence(cell: Cell, given: dict[str, Tensor]) -> Tensor:
    """How sure a space is of a clip that the model behind it has not been trained on: (replicas, N, spaces).

    Classes: the largest probability, each space tempered to fit the labels of its training clips. Values, which
    come without a probability: minus the squared error. A space whose modality is absent is never chosen.
    """
    said = given["heldout"]
    if cell.task.kind == "regression":
        mean, deviation = (values[:, None, None] for values in cell.scale)
        sure = -(said - (cell.table.target[:, None] - mean) / deviation).square().mean(-1)
    else:
        sure = tempered(said, cell.table.target).softmax(-1).amax(-1)
    joint = torch.ones_like(given["seen"][..., :1])
    return torch.where(torch.cat([joint, given["seen"]], -1), sure.nan_to_num(-torch.inf), -torch.inf)


def tempered(said: Tensor, target: Tensor) -> Tensor:
    """Logits (replicas, N, spaces, classes) over the temperature of their space that fits targets (N,) best."""
    grid = torch.logspace(-1, 1.5, 40, device=said.device)
    index = target[:, None, None].expand(*said.shape[1:3], 1).expand(*said.shape[:3], 1)
    fit = [-(said / t).log_softmax(-1).gather(-1, index)[..., 0].nanmean(1) for t in grid]
    return said / grid[torch.stack(fit).argmin(0)][:, None, :, None]


def batch(cell: Cell, method: Method, given: dict[str, Tensor], rows: Tensor, target: Tensor) -> dict[str, Tensor]:
    """The targets of a batch of rows (replicas, B): the fields of models.Output, each (replicas, B, ...).

    `batchwise` takes the space with the smallest task loss on the labels of the whole batch, as the released MT-PKDOT.
    """
    places = (cell.own * given["z"].shape[1] + rows).flatten()
    found = {
        name: given[name].flatten(0, 1).index_select(0, places).unflatten(0, rows.shape) for name in Output._fields
    }
    if method.teacher == "batchwise":
        best = task_losses(found["prediction"], target, cell.task.kind).argmin(-1, keepdim=True)
        return pick(found, best.expand_as(rows))
    return found
