"""The same training written otherwise: a plain loop over one network, and one as the released script has it."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from benchmark import objectives, student, teacher
from benchmark.bench import distillation
from benchmark.cell import Cell
from benchmark.models import Output
from benchmark.params import Method


def plain(cell: Cell, method: Method, given: dict[str, Tensor]) -> float:
    """One replica, whose cell this is, as a plain module with torch's optimiser: same weights and batches as in
    student.fit; its best validation score."""
    network, names, orders = student.networks(cell, method, None)[0], student.inputs(cell, method), cell.orders()
    pupil, judge = student.Pupil(network, {}), cell.judge(names)
    objective, weights = objectives.build(method, cell.task)
    optimiser = torch.optim.AdamW(pupil.parameters(), lr=cell.training.rate, weight_decay=cell.training.decay)
    best = -np.inf
    for step in range(cell.training.epochs * cell.training.steps):
        rows = orders[0, step]
        batch = cell.view(rows, names) | {"target": cell.table.target[rows]}
        batch |= {"teacher": {name: given[name][0, rows] for name in Output._fields}}
        terms = objective(pupil, batch)
        optimiser.zero_grad()
        sum(weights[name] * value for name, value in terms.items()).backward()
        optimiser.step()
        if (step + 1) % cell.training.steps == 0:
            best = max(best, judged(network, judge))
    return best


def released(cell: Cell, method: Method) -> float:
    """One replica as the released script trains: clips from a DataLoader, the teacher's forward pass inside the step,
    its similarities to NumPy and back, geomloss; its best validation score."""
    network, taught = student.networks(cell, method, None)[0], teacher.networks(cell)[0]
    names, every = student.inputs(cell, method), teacher.modalities(cell)
    judge, rows = cell.judge(names), torch.from_numpy(cell.train[0]).to(cell.device)
    table = TensorDataset(*(cell.table.x[name][rows] for name in every), cell.table.target[rows])
    loader = DataLoader(table, batch_size=min(cell.training.batch, len(table)), shuffle=True, drop_last=True)
    optimiser = torch.optim.Adam(network.parameters(), lr=cell.training.rate)
    criterion, weight = nn.CrossEntropyLoss(), method.terms["kdot"].get("weight", 0.6)
    best, batches = -np.inf, endless(loader)
    for step in range(cell.training.epochs * cell.training.steps):
        *values, target = next(batches)
        x = dict(zip(every, values, strict=True))
        visible = {name: torch.ones(len(target), dtype=torch.bool, device=cell.device) for name in every}
        with torch.no_grad():
            truth = taught(x, visible)
        guess = network({name: x[name] for name in names}, visible)
        loss = criterion(guess.prediction, target) + weight * distillation.released(truth.z, guess.z)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if (step + 1) % cell.training.steps == 0:
            best = max(best, judged(network, judge))
    return best


def endless(loader: DataLoader):
    """Batch after batch, pass after pass."""
    while True:
        yield from loader


def judged(network: nn.Module, judge) -> float:
    """Validation score of a plain network."""

    def run(x: dict[str, Tensor], visible: dict[str, Tensor]) -> Output:
        with torch.no_grad():
            said = network({name: own[0] for name, own in x.items()}, {name: own[0] for name, own in visible.items()})
        return Output(*(tensor[None] for tensor in said))

    return float(judge(run)[0])
