"""Geometry: how alike the embeddings of students and teachers are, on clips that neither was trained on.

A structural loss near zero does not say that a student has its teacher's geometry; these numbers do.
"""

import numpy as np
import torch
from torch import Tensor

from benchmark import missing, ot
from benchmark.cell import Cell
from benchmark.models import Network
from benchmark.seeds import generator

MOST = 128  # clips of a comparison, as in a batch


def cka(x: Tensor, y: Tensor) -> Tensor:
    """Linear centred kernel alignment of x (n, D) and y (n, E), 0 to 1 (Kornblith et al. 2019, ICML, equation 3)."""
    x, y = x - x.mean(0), y - y.mean(0)
    scale = ((x.T @ x).norm() * (y.T @ y).norm()).clamp_min(1e-12)
    return (x.T @ y).square().sum() / scale


def frobenius(x: Tensor, y: Tensor) -> Tensor:
    """Root of the mean squared difference of two cosine matrices, |C_x - C_y|_F / n, 0 to 2. x (n, D), y (n, E)."""
    return (ot.cosine_structure(x) - ot.cosine_structure(y)).square().mean().sqrt()


def true_pairs(x: Tensor, y: Tensor, k: int = 30, epsilon: float = 0.01) -> Tensor:
    """Share of the transport between two anchored structures that takes a clip to itself, 0 to 1; chance is 1 / n.

    x, the teacher's, (n, D) and y (n, E); anchors, shift and cost as losses/kdot.py has them by default.
    """
    truth, guess = 1 + ot.cosine_structure(x), 1 + ot.cosine_structure(y)
    chosen = ot.choose_anchors(truth, k, "dissimilar")
    cost = ot.half_squared_distances(truth.gather(-1, chosen), guess.gather(-1, chosen))
    return ot.potentials(cost, epsilon, largest=2.0 * chosen.shape[-1], iterations=50)[2].diagonal().sum()


@torch.no_grad()
def compare(cell: Cell, students: list[Network], joint: Tensor) -> dict[str, float]:
    """Mean over replicas of each measure on test clips, the teacher seeing everything, the student prevalent input.

    joint: the teachers' z of all clips (replicas, N, WIDTH).
    """
    found: dict[str, list[float]] = {"cka": [], "frobenius": [], "true_pairs": [], "chance": []}
    for number, (student, replica) in enumerate(zip(students, cell.replicas, strict=True)):
        rows = cell.test[number]
        rows = np.sort(generator("geometry", cell.name, *replica).permutation(rows)[:MOST])
        index = torch.from_numpy(rows).to(cell.device)
        x, y = joint[number, index], student(**missing.hide(cell.view(index, student.inputs), cell.task.prevalent)).z
        for measure in (cka, frobenius, true_pairs):
            found[measure.__name__].append(float(measure(x.double(), y.double())))
        found["chance"].append(1 / len(rows))
    return {name: float(np.mean(values)) for name, values in found.items()}
