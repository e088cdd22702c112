"""Exact transport plans from solvers outside torch: costs in, plans without gradient out, one replica at a time."""

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor


class Solved(torch.autograd.Function):
    """The plan that a numpy solver finds for matrices; under vmap it is called once for every replica."""

    @staticmethod
    def forward(solver: Callable, *matrices: Tensor) -> Tensor:
        # a diverged replica must not stop the others
        given = (np.nan_to_num(m.detach().cpu().double().numpy(), posinf=0, neginf=0) for m in matrices)
        return torch.from_numpy(solver(*given)).to(matrices[0])

    @staticmethod
    def setup_context(ctx, inputs, output) -> None:
        ctx.mark_non_differentiable(output)

    @staticmethod
    def vmap(info, in_dims: tuple, solver: Callable, *matrices: Tensor) -> tuple[Tensor, int]:
        dims = zip(matrices, in_dims[1:], strict=True)
        rows = (m.expand(info.batch_size, *m.shape) if d is None else m.movedim(d, 0) for m, d in dims)
        return torch.stack([Solved.apply(solver, *one) for one in zip(*rows, strict=True)]), 0


def assignment(costs: Tensor) -> Tensor:
    """The cheapest plan between uniform masses, a permutation over n. costs (n, n) -> (n, n)."""
    return Solved.apply(cheapest, costs.detach())


def cheapest(costs: np.ndarray) -> np.ndarray:
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(costs)
    found = np.zeros_like(costs)
    found[rows, columns] = 1 / len(costs)
    return found


def gromov(first: Tensor, second: Tensor, prior: float = 0.0) -> Tensor:
    """The plan (n, m) that keeps the distances of first (n, n) and second (m, m) best, between uniform masses.

    A stationary point of the squared loss, reached from the uniform plan by conditional gradients (Vayer et al. 2019,
    ICML): the problem has no convex form. `prior`, 0 to 1, is the share of the cost that asks for i to go to i.
    """
    return Solved.apply(partial(congruent, prior=prior), first.detach(), second.detach())


def congruent(first: np.ndarray, second: np.ndarray, prior: float) -> np.ndarray:
    from ot.gromov import fused_gromov_wasserstein  # seconds to import, and few methods need it

    strangers = 1 - np.eye(len(first), len(second))
    return fused_gromov_wasserstein(strangers, first, second, alpha=1 - prior, symmetric=True)
