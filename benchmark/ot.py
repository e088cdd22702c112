"""Cosine structure, anchors and entropic optimal transport: tensors in, tensors out.

Written for one batch; every function may be run under torch.func.vmap. On a processor in single precision, anchors and
transport between points are compiled (native.py, sinkhorn.py); the plain versions beside them say the same.

What a kdot step costs, forward and backward: B clips, embeddings of width D, k anchors, L kernels for each of three
transports, S steps between the two clouds and half as many of each with itself (at epsilon .01 and k 30: L 5, S 32).

                              multiply-adds        exponentials   floats moved
    similarities              4 B^2 D                             6 B^2
    costs and gradients       5 B^2 k                             12 B^2
    kernels                                        3 L B^2        6 L B^2
    steps                     3 S B^2                             2 S B^2 compiled, 3 S B^2 plain

Measured at 2048 clips, 16 B^2 floats are held at once.
"""

import math
from functools import cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from benchmark.seeds import generator

SHIFTS = ("affine", "min_detached", "released")
COUPLINGS = ("ot", "identity", "index_aware")
ANCHORS = ("dissimilar", "similar", "random", "shared", "all")
COOLING = 0.25  # the regulariser shrinks by this factor at each level of the annealing
PASSING = 6  # steps at each level that is passed through
STEPS = 8  # at the last level, between two rebuilds of the kernel


def cosine_structure(z: Tensor) -> Tensor:
    """Cosine similarity of every pair of rows (PKDOT step 1). z (B, D) -> (B, B), -1 to 1."""
    unit = torch.nn.functional.normalize(z, dim=-1, eps=1e-6)
    return unit @ unit.transpose(-1, -2)


def choose_anchors(structure: Tensor, k: int, rule: str) -> Tensor:
    """Columns kept for each row, chosen on the teacher (PKDOT step 3). structure (B, B) -> indices (B, k).

    The row itself is never its own anchor, except under `shared`; a batch of one clip has no anchors. `dissimilar`
    and `similar` are ordered by similarity, so coordinate j has one meaning. `random` and `shared` are fixed
    positions: a batch is a random draw of clips, so its positions are random clips.
    """
    size = structure.shape[-1]
    k = size - 1 if rule == "all" else min(k, size - 1)
    if rule in ("dissimilar", "all", "similar"):
        if on_processor(structure):
            from benchmark.native import Anchors  # loads a compiler

            return Anchors.apply(structure, k, rule == "similar")
        return plain_anchors(structure, k, rule == "similar")
    if rule == "shared":
        return torch.arange(k, device=structure.device).expand(size, k)
    if rule == "random":
        return random_anchors(size, structure.device)[:, :k]
    raise ValueError(f"anchors: {rule!r} is not one of {', '.join(ANCHORS)}")


def plain_anchors(structure: Tensor, k: int, largest: bool) -> Tensor:
    """Columns of the k smallest, or largest, entries of each row but the row itself, in their order; of equal ones the
    first columns. structure (B, B) -> (B, k)."""
    itself = torch.eye(structure.shape[-1], dtype=torch.bool, device=structure.device)
    order = (-structure if largest else structure).masked_fill(itself, math.inf)
    return order.sort(dim=-1, stable=True).indices[..., :k]


@cache
def random_anchors(size: int, device: torch.device) -> Tensor:
    """All other positions of each position in a random order that is always the same: (size, size - 1)."""
    noise = generator("random anchors", size).random((size, size))
    np.fill_diagonal(noise, np.inf)
    return torch.from_numpy(noise.argsort(axis=-1, kind="stable")[:, :-1]).to(device)


def on_processor(*tensors: Tensor) -> bool:
    """Whether the compiled versions can take tensors: single precision, not on a GPU."""
    return all(tensor.device.type == "cpu" and tensor.dtype == torch.float32 for tensor in tensors)


def shift(structure: Tensor, rule: str) -> Tensor:
    """Move similarities off zero (PKDOT step 2): 1 + S, or S minus its minimum with or without its gradient."""
    if rule == "affine":
        return 1 + structure
    lowest = structure.amin(dim=(-2, -1), keepdim=True)
    return structure - (lowest if rule == "released" else lowest.detach())


def half_squared_distances(x: Tensor, y: Tensor) -> Tensor:
    """|x_i - y_j|^2 / 2 for every pair. x (n, k), y (m, k) -> (n, m), at least 0."""
    squares = x.square().sum(-1)[..., :, None] + y.square().sum(-1)[..., None, :]
    return (squares / 2 - x @ y.transpose(-1, -2)).clamp_min(0)


def annealing(epsilon: float, largest: float) -> list[float]:
    """Regularisers to pass through, from one that no cost under `largest` underflows, down to epsilon."""
    levels, level = [], largest / 50
    while level > epsilon:
        levels.append(level)
        level *= COOLING
    return [*levels, epsilon]


class Level(NamedTuple):
    """A kernel to build."""

    epsilon: float
    steps: int
    share: float  # of the last move of the potentials, by which they are moved on before


def schedule(epsilon: float, largest: float, iterations: int) -> list[Level]:
    """The kernels to build: PASSING steps at each level of the annealing, then `iterations` at the last.

    Potentials move about as far as the regulariser does, so each level starts where the move before it points.
    """
    passed = annealing(epsilon, largest)
    steps = [PASSING for _ in passed[:-1]] + [min(STEPS, iterations - done) for done in range(0, iterations, STEPS)]
    passed += [epsilon] * (len(steps) - len(passed))
    moves = [before - after for before, after in pairwise(passed)]
    shares = [0.0, 0.0, *(after / before if before else 0.0 for before, after in pairwise(moves))]
    return [Level(*parts) for parts in zip(passed, steps, shares[: len(passed)], strict=True)]


def product(vector: Tensor, matrix: Tensor) -> Tensor:
    """vector @ matrix, with the vector as a row: stacked products are several times faster that way round."""
    return (vector[..., None, :] @ matrix)[..., 0, :]


def relaxed(new: Tensor, old: Tensor) -> Tensor:
    """A factor moved on beyond its update, by three quarters of the way on a logarithmic scale: over-relaxation, with
    which Sinkhorn's slow modes settle several times sooner (Thibault et al. 2021, Algorithms 14(5):143). Bounded, so
    that it cannot run away far from the solution."""
    root = (new / old).clamp(0.25, 4).sqrt()
    return new * root * root.sqrt()


def balance(kernel: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    """Sinkhorn's row and column factors of a kernel between uniform masses. The first step and the last are plain; the
    last leaves the columns' masses exact."""
    rows, columns = kernel.shape[-2:]
    u, v = torch.ones_like(kernel[..., :, 0]), torch.ones_like(kernel[..., 0, :])
    for step in range(steps):
        between = 0 < step < steps - 1
        new = columns / product(v, kernel.transpose(-1, -2))
        u = relaxed(new, u) if between else new
        new = rows / product(u, kernel)
        v = relaxed(new, v) if between else new
    return u, v


def average(kernel: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    """The one factor of a symmetric kernel, twice: the averaged update settles in a few steps."""
    u = torch.ones_like(kernel[..., 0])
    for _ in range(math.ceil(steps / 2)):
        u = (u * kernel.shape[-1] / product(u, kernel)).sqrt()
    return u, u


def potentials(
    cost: Tensor, epsilon: float, largest: float, iterations: int = 8, symmetric: bool = False
) -> tuple[Tensor, Tensor, Tensor]:
    """Dual potentials f (n,), g (m,) and plan (n, m) of entropic transport between uniform masses; no gradient.

    The kernel is rebuilt from the potentials at each level and every few steps of the last (log-domain
    stabilisation, Schmitzer 2019, SIAM J. Sci. Comput. 41), so small regularisers neither underflow nor slow down,
    and what is cut off below is cut off relative to the current potentials; other steps cost one product each.
    """
    cost = cost.detach()
    f, g = torch.zeros_like(cost[..., :, 0]), torch.zeros_like(cost[..., 0, :])
    earlier = f, g
    for level, steps, share in schedule(epsilon, largest, iterations):
        if not symmetric:
            moved = (own + share * (own - before) for own, before in zip((f, g), earlier, strict=True))
            earlier, (f, g) = (f, g), moved
        # e^-60 carries no mass; smaller numbers only slow the processor down
        kernel = ((f[..., :, None] + g[..., None, :] - cost) / level).clamp_min(-60).exp()
        u, v = average(kernel, steps) if symmetric else balance(kernel, steps)
        f, g = f + level * u.log(), g + level * v.log()
    plan = u[..., :, None] * kernel * v[..., None, :] / (cost.shape[-1] * cost.shape[-2])
    return f, g, plan


def transport(cost: Tensor, epsilon: float, largest: float, iterations: int = 8, symmetric: bool = False) -> Tensor:
    """Entropic transport cost <P, C> + epsilon KL(P | a b) between uniform masses, with its envelope gradient P.

    The optimal potentials do not move to first order, so the gradient with respect to the cost is the plan
    (Feydy et al. 2019, AISTATS, proposition 2); nothing is differentiated through the iterations.
    """
    f, g, plan = potentials(cost, epsilon, largest, iterations, symmetric)
    return f.mean(-1) + g.mean(-1) + (plan * (cost - cost.detach())).sum((-2, -1))


def divergence(
    cross: Tensor,
    first: Tensor,
    second: Tensor,
    epsilon: float,
    largest: float,
    iterations: int = 8,
    debias: bool = True,
    symmetric: bool = True,
) -> Tensor:
    """Debiased Sinkhorn divergence OT(x, y) - OT(x, x) / 2 - OT(y, y) / 2 from its three costs, scalar.

    `largest` bounds the costs and starts the annealing; `symmetric` says that the two self costs are. The value is
    that of geomloss SamplesLoss("sinkhorn", p=2, blur=sqrt(epsilon)) when the costs are `half_squared_distances`.
    """
    value = transport(cross, epsilon, largest, iterations)
    if debias:
        value = value - transport(first, epsilon, largest, iterations, symmetric) / 2
        value = value - transport(second, epsilon, largest, iterations, symmetric) / 2
    return value


def between_points(
    x: Tensor, y: Tensor, epsilon: float, largest: float, iterations: int = 8, debias: bool = True
) -> Tensor:
    """`divergence` of points x (n, k), which get no gradient, and y (m, k) by their `half_squared_distances`, scalar.

    On a processor in single precision a compiled version takes its place.
    """
    if on_processor(x, y):
        from benchmark.native import Divergence  # loads a compiler

        return Divergence.apply(x.detach(), y, schedule(epsilon, largest, iterations), debias)[0]
    return plain_divergence(x, y, epsilon, largest, iterations, debias)


def plain_divergence(
    x: Tensor, y: Tensor, epsilon: float, largest: float, iterations: int = 8, debias: bool = True
) -> Tensor:
    """`between_points` as it is written down; what the compiled version is held to."""
    pairs = (x.detach(), y), (x.detach(), x.detach()), (y, y)
    costs = (half_squared_distances(a, b) for a, b in pairs)
    return divergence(*costs, epsilon, largest, iterations, debias)


def anchored_plan(teacher: Tensor, student: Tensor, k: int = 30, epsilon: float = 0.01) -> Tensor:
    """Plan (n, n) of mass 1 between the anchored structures of embeddings (n, D) and (n, E): anchors, shift and cost as
    losses/kdot.py has them by default."""
    truth, guess = shift(cosine_structure(teacher), "affine"), shift(cosine_structure(student), "affine")
    chosen = choose_anchors(truth, k, "dissimilar")
    cost = half_squared_distances(truth.gather(-1, chosen), guess.gather(-1, chosen))
    return potentials(cost, epsilon, largest=2.0 * chosen.shape[-1], iterations=50)[2]


def matched_costs(teacher: Tensor, student: Tensor, chosen: Tensor) -> Tensor:
    """Costs that compare row i and row j on the anchors of row i only: sum_a (T_ia - S_ja)^2 / 2. (B, B)."""
    kept = torch.zeros_like(teacher).scatter(-1, chosen, 1.0)
    squares = (kept * teacher.square()).sum(-1, keepdim=True) + kept @ student.square().transpose(-1, -2)
    return (squares / 2 - (kept * teacher) @ student.transpose(-1, -2)).clamp_min(0)


def structure_loss(
    teacher: Tensor,
    student: Tensor,
    k: int = 30,
    epsilon: float = 0.01,
    anchors: str = "dissimilar",
    shift_rule: str = "affine",
    coupling: str = "ot",
    debias: bool = True,
    iterations: int = 8,
) -> Tensor:
    """Distance between the cosine structures of two embeddings on the teacher's anchors (PKDOT, arXiv 2401.15489).

    teacher (B, D), student (B, E) -> scalar, about 0 to 2k. A clip is described by its similarities to its k
    anchors; `ot` transports the student's descriptions onto the teacher's, `identity` compares each clip with
    itself (the paired control), `index_aware` transports but compares two clips on the same anchors.
    """
    truth, guess = cosine_structure(teacher.detach()), cosine_structure(student)
    chosen = choose_anchors(truth, k, anchors)
    truth, guess = shift(truth, shift_rule), shift(guess, shift_rule)
    largest = 2.0 * chosen.shape[-1]  # two similarities differ by at most 2
    if coupling == "index_aware":
        pairs = (truth, guess), (truth, truth), (guess, guess)
        costs = [matched_costs(a, b, chosen) for a, b in pairs]
        return divergence(*costs, epsilon, largest, iterations, debias, symmetric=False)
    x, y = truth.gather(-1, chosen), guess.gather(-1, chosen)
    if coupling == "identity":
        return (x - y).square().sum(-1).mean(-1) / 2
    return between_points(x, y, epsilon, largest, iterations, debias)
