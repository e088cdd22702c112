"""Students: networks that see only prevalent modalities, trained by a method."""

import numpy as np
import torch
from torch import Tensor, nn

from benchmark import mixing, objectives, targets, train
from benchmark.cell import Cell
from benchmark.models import Hallucinator, Network, Output
from benchmark.params import Method
from benchmark.seeds import generator
from benchmark.train import Fitted, silent


class Impossible(Exception):
    """A method that cannot be run on these recordings; the text is the reason in its record."""


class Pupil(nn.Module):
    """A student in training, with what its loss terms learn beside it and is thrown away afterwards."""

    def __init__(self, student: Network, adapters: dict[str, nn.Module]):
        super().__init__()
        self.student, self.adapters = student, nn.ModuleDict(adapters)

    def forward(self, x: dict[str, Tensor], visible: dict[str, Tensor], teacher: Output | None = None):
        """The student's Output; beside a teacher's, also what each adapter makes of both."""
        output = self.student(x, visible)
        if teacher is None:
            return output
        return output, {name: adapter(output, teacher) for name, adapter in self.adapters.items()}


def inputs(cell: Cell, method: Method) -> tuple[str, ...]:
    """The modalities that a student of the method can see in training."""
    return (*cell.task.prevalent, *(cell.task.privileged if method.inputs == "all" else ()))


def networks(cell: Cell, method: Method, hallucinators: list[Hallucinator] | None) -> list[Network]:
    """Untrained students, one per replica; same weights and batches for every method."""
    names, kept, own = inputs(cell, method), cell.masks(method.missing), hallucinators or [None] * len(cell.replicas)
    return [
        cell.network(
            "student", number, names, None if kept is None else kept[number], hallucinator=module, absent=method.absent
        )
        for number, module in enumerate(own)
    ]


def restore(
    cell: Cell, method: Method, state: dict[str, Tensor], hallucinators: list[Hallucinator] | None
) -> list[Network]:
    """Trained students with their weights."""
    return train.load(networks(cell, method, hallucinators), state)


def labels(cell: Cell, method: Method) -> Tensor:
    """Training labels: as recorded, or without label noise (a ceiling that only synthetic recordings have)."""
    if method.labels == "noisy":
        return cell.table.target
    if cell.table.clean is None:
        raise Impossible("labels: clean needs synthetic recordings; real ones have no noise-free labels")
    return cell.table.clean


def dropped(cell: Cell, share: float, size: int) -> Tensor:
    """Which privileged modalities are hidden from which clips of a batch: (replicas, steps, size, privileged) bool."""
    shape = cell.training.epochs * cell.training.steps, size, len(cell.task.privileged)
    drawn = [generator("modality dropout", cell.name, *replica).random(shape) < share for replica in cell.replicas]
    return torch.from_numpy(np.stack(drawn)).to(cell.device)


def available(cell: Cell, method: Method) -> dict[str, float]:
    """Share of the training clips, mean over replicas, in which a student of the method could see each modality."""
    found, kept = {}, cell.masks(method.missing)
    for place, name in enumerate(inputs(cell, method)):
        there = cell.table.visible[name].expand(len(cell.replicas), -1)
        there = (there if kept is None else there & kept[..., place]).cpu().numpy()
        shown = [there[number, rows] for number, rows in enumerate(cell.train)]
        shared = 1 - method.dropout if name in cell.task.privileged else 1.0
        found[name] = float(np.mean([own.mean() for own in shown])) * shared
    return found


def fit(
    cell: Cell,
    method: Method,
    given: dict[str, Tensor],
    hallucinators: list[Hallucinator] | None,
    on_epoch=silent,
    factor: float = 1.0,
    teachers: dict[str, Tensor] | None = None,
) -> Fitted:
    """Train the students of one method. given: as targets.load gives them; factor multiplies every term's weight;
    teachers: their weights, which mixtures need."""
    if reason := objectives.unfit(method.terms, cell.task):
        raise Impossible(reason)
    objective, weights = objectives.build(method, cell.task)
    weights |= {term: factor * weights[term] for term in method.terms}
    truth, names, orders = labels(cell, method), inputs(cell, method), cell.orders()
    mix = mixing.mixer(cell, method.mix, teachers, given["z"]) if method.mix != "none" else None
    hidden = dropped(cell, method.dropout, orders.shape[-1]) if method.dropout else None
    kept = cell.masks(method.missing)

    def draw(step: int) -> dict:
        rows = orders[:, step]
        batch = cell.batch(rows, names, truth)
        if hidden is not None:
            for place, name in enumerate(cell.task.privileged):
                batch["visible"][name] = batch["visible"][name] & ~hidden[:, step, :, place]
        if kept is not None:
            for place, name in enumerate(names):
                batch["visible"][name] = batch["visible"][name] & kept[cell.own, rows, place]
        if method.terms:
            batch["teacher"] = targets.batch(cell, method, given, rows, batch["target"])
        if mix:
            mixed = mix(step, rows, batch["target"])
            batch["mixed"] = mixed | {part: {name: mixed[part][name] for name in names} for part in ("x", "visible")}
        return batch

    builders = objectives.adapters(method.terms)
    pupils = [
        Pupil(network, {term: cell.draw(number, build, "adapter", term) for term, build in builders.items()})
        for number, network in enumerate(networks(cell, method, hallucinators))
    ]
    fitted = train.fit(
        pupils, draw, objective, weights, cell.judge(names, hidden=cell.task.privileged), cell.training, on_epoch
    )
    own = {
        name.removeprefix("student."): tensor for name, tensor in fitted.state.items() if name.startswith("student.")
    }
    return fitted._replace(state=own)
