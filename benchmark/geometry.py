"""Geometry: how alike the embeddings of students and teachers are, on clips that neither was trained on.

A structural loss near zero does not say that a student has its teacher's geometry; these numbers do.
"""

import numpy as np
import torch
from torch import Tensor

from benchmark import missing, ot
from benchmark.cell import Cell
from benchmark.kernels import cka
from benchmark.models import Network
from benchmark.seeds import generator

MOST = 128  # clips of a comparison, as in a batch


def frobenius(x: Tensor, y: Tensor) -> Tensor:
    """Root of the mean squared difference of two cosine matrices, |C_x - C_y|_F / n, 0 to 2. x (n, D), y (n, E)."""
    return (ot.cosine_structure(x) - ot.cosine_structure(y)).square().mean().sqrt()


def true_pairs(x: Tensor, y: Tensor) -> Tensor:
    """Share of the transport between two anchored structures that takes a clip to itself, 0 to 1; chance is 1 / n.

    x, the teacher's, (n, D) and y (n, E).
    """
    return ot.anchored_plan(x, y).diagonal().sum()


MEASURES = (cka, frobenius, true_pairs)


@torch.no_grad()
def compare(cell: Cell, students: list[Network], joint: Tensor, without=()) -> dict[str, float] | None:
    """Mean over replicas of each measure on test clips, the teacher seeing everything, the student prevalent input.

    joint: the teachers' z of all clips (replicas, N, WIDTH); without: seeds that are left out. A replica whose teacher
    diverged has no geometry to compare with; None if there is no other.
    """
    found = []
    for number, (student, replica) in enumerate(zip(students, cell.replicas, strict=True)):
        rows = generator("geometry", cell.name, *replica).permutation(cell.test[number])[:MOST]
        index = torch.from_numpy(np.sort(rows)).to(cell.device)
        x, y = joint[number, index], student(**missing.hide(cell.view(index, student.inputs), cell.task.prevalent)).z
        if replica.seed not in without and x.isfinite().all() and y.isfinite().all():
            measured = {measure.__name__: float(measure(x.double(), y.double())) for measure in MEASURES}
            found.append(measured | {"chance": 1 / len(rows)})
    return {name: float(np.mean([own[name] for own in found])) for name in found[0]} if found else None
