"""Optimal transport of this suite against identities, closed forms and POT (Flamary et al. 2021, JMLR 22).

POT's `reg` is epsilon and its cost here half the squared distance; it returns <P, C>, epsilon KL(P | a b) is added.
Every check is in double precision unless it says otherwise, with as many iterations as it takes to converge.
"""

import math

import numpy as np
import ot as pot
import torch
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from torch import Tensor

from benchmark import ot
from benchmark.progress import progress
from benchmark.scores import finite
from benchmark.seeds import generator
from benchmark.validation.page import Section

EXPLANATION = """`benchmark/ot.py` against what is known of entropic optimal transport with cost |x - y|^2 / 2. A plan \
is compared entry by entry and shown by its largest. Tolerances are absolute, relative to the expected value, \
statistical (relative; points are drawn), or one-sided: *at least* what is expected. Limits in epsilon, and values at \
a small one, are reached to epsilon log(n)."""


def section() -> Section:
    """Every check as a row."""
    groups = closed_forms, gaussians, limits, properties, structures, peers, gradients, degenerate
    rows = [row for group in progress(groups, len(groups), "transport") for row in group()]
    return Section("Optimal transport: identities, closed forms, limits, POT", EXPLANATION, rows)


def row(name: str, expected, found, tolerance: float, kind: str = "absolute") -> dict:
    """One check. expected, found: numbers or arrays of one shape; kind: absolute, relative, statistical, at least."""
    wanted, got = np.asarray(expected, float), np.asarray(found, float)
    error = float(np.max(wanted - got if kind == "at least" else np.abs(got - wanted)))
    if kind in ("relative", "statistical"):
        error /= float(np.abs(wanted).max())
    return {
        "check": name,
        "expected": float(wanted.max()),
        "found": finite(float(got.max())),
        "error": finite(float(np.maximum(error, 0.0))),
        "tolerance": tolerance,
        "kind": kind,
        "verdict": "inside" if error <= tolerance else "outside",
    }


def drawn(name: str, *shape: int) -> Tensor:
    return torch.from_numpy(generator("transport", name).standard_normal(shape))


def clouds() -> tuple[Tensor, Tensor]:
    """Two clouds of 40 points in five dimensions, about one apart."""
    return drawn("x", 40, 5) / 3, drawn("y", 40, 5) / 3 + 0.4


def embeddings(clips: int = 128) -> tuple[Tensor, Tensor]:
    """Embeddings (B, 32) of a teacher that tells two classes, and of a student that knows nothing."""
    teacher = drawn("teacher", clips, 32)
    teacher[: clips // 2] += 0.8
    return teacher, drawn("student", clips, 32)


def plan(x: Tensor, y: Tensor, epsilon: float, iterations: int = 2000) -> Tensor:
    cost = ot.half_squared_distances(x, y)
    return ot.potentials(cost, epsilon, float(cost.max()), iterations)[2]


def value(x: Tensor, y: Tensor, epsilon: float, iterations: int = 2000) -> float:
    cost = ot.half_squared_distances(x, y)
    return float(ot.transport(cost, epsilon, float(cost.max()), iterations))


def divergence(x: Tensor, y: Tensor, epsilon: float, iterations: int = 2000) -> float:
    costs = [ot.half_squared_distances(a, b) for a, b in ((x, y), (x, x), (y, y))]
    return float(ot.divergence(*costs, epsilon, max(float(cost.max()) for cost in costs), iterations))


def closed_forms() -> list[dict]:
    """Two points, one pair, a permutation, one dimension."""
    cost = torch.tensor([[0.0, 1.0], [1.0, 0.0]], dtype=torch.float64)
    near = 0.5 / (1 + math.exp(-1))
    two = ot.potentials(cost, 1.0, 1.0)[2]
    origin, other = (torch.tensor([[at]], dtype=torch.float64) for at in (0.0, 3.0))
    x, _ = clouds()
    order = generator("transport", "order").permutation(len(x))
    matched = plan(x, x[order], 1e-4)[order, torch.arange(len(x))].sum()
    line, target = drawn("line", 40, 1), 2 + 3 * drawn("target", 40, 1)
    exact = pot.wasserstein_1d(line[:, 0].numpy(), target[:, 0].numpy(), p=2) / 2
    return [
        row("two points: plan .5 / (1 + 1/e)", [[near, 0.5 - near], [0.5 - near, near]], two, 1e-9),
        row("two points: <P, C> = 1 / (1 + e)", 1 / (1 + math.e), (two * cost).sum(), 1e-9),
        row("two points: value log(4 P11)", math.log(4 * near), ot.transport(cost, 1.0, 1.0), 1e-9),
        row("from 0 to 3: 3^2 / 2", 4.5, value(origin, other, 0.01), 1e-9),
        row("a permutation: mass on the true pairs, epsilon 1e-4", 1.0, matched, 1e-3),
        row("one dimension: sorted, epsilon .01", exact, value(line, target, 0.01, 20_000), 0.01 * math.log(40)),
    ]  # fmt: skip


def gaussian_value(shift: np.ndarray, first: np.ndarray, second: np.ndarray, epsilon: float) -> float:
    """Entropic cost between Gaussians with diagonal covariances (d,) and means `shift` (d,) apart.

    Half of theorem 1 of Janati et al. 2020, NeurIPS, whose cost is not halved: sigma^2 is epsilon.
    """
    root = np.sqrt(4 * first * second + epsilon**2)
    spread = first + second - root + epsilon * (1 - np.log(2 * epsilon)) + epsilon * np.log(root + epsilon)
    return float(shift @ shift + spread.sum()) / 2


def exact_moments(points: Tensor) -> Tensor:
    """The points (n, d) moved so that their mean is 0 and their covariance I."""
    centred = points - points.mean(0)
    return centred @ torch.linalg.inv(torch.linalg.cholesky(centred.T.cov(correction=0))).T


def gaussians(points: int = 1000) -> list[dict]:
    """N(0, I) and N((3, 4), 4 I) in the plane, drawn and then given exactly these moments."""
    shift, first, second, still = np.array([3.0, 4.0]), np.ones(2), 4 * np.ones(2), np.zeros(2)
    x, y = (exact_moments(drawn(name, points, 2)) for name in ("first Gaussian", "second Gaussian"))
    y = 2 * y + torch.from_numpy(shift)
    cross = gaussian_value(shift, first, second, 1.0)
    own = (gaussian_value(still, first, first, 1.0) + gaussian_value(still, second, second, 1.0)) / 2
    bures = pot.gaussian.bures_wasserstein_distance(still, shift, np.diag(first), np.diag(second)) ** 2 / 2
    return [
        row("Gaussians: entropic cost, epsilon 1", cross, value(x, y, 1.0, 100), 0.005, "statistical"),
        row("Gaussians: divergence, epsilon 1", cross - own, divergence(x, y, 1.0, 100), 0.005, "statistical"),
        row("Gaussians: half Bures distance^2, epsilon .05", bures, divergence(x, y, 0.05, 100), 0.005, "statistical"),
    ]


def limits() -> list[dict]:
    """What the divergence becomes when epsilon is large, and when it is small."""
    x, y = clouds()
    means = float((x.mean(0) - y.mean(0)).square().sum()) / 2
    cost = ot.half_squared_distances(x, y).numpy()
    exact = cost[linear_sum_assignment(cost)].mean()
    return [
        row("epsilon 1e4: half squared distance of means", means, divergence(x, y, 1e4), 1e-3, "relative"),
        row("epsilon 1e-3: half W2^2 by exact assignment", exact, divergence(x, y, 1e-3, 20_000), 1e-3 * math.log(40)),
    ]


def properties() -> list[dict]:
    """Marginals, symmetry, debiasing."""
    x, y = clouds()
    coupling = plan(x, y, 0.1)
    sums = torch.cat([coupling.sum(0), coupling.sum(1)])
    pairs = [(drawn(f"a{n}", 20, 3), drawn(f"b{n}", 20, 3)) for n in range(20)]
    other = x[generator("transport", "points").permutation(len(x))]
    smallest = min(divergence(*pair, 0.1, 200) for pair in pairs)
    return [
        row("marginals: n times every row and column of the plan", np.ones(80), 40 * sums, 1e-6),
        row("symmetry: S(x, y) = S(y, x)", divergence(x, y, 0.1), divergence(y, x, 0.1), 1e-6, "relative"),
        row("one cloud in another order", divergence(x, y, 0.1), divergence(other, y, 0.1), 1e-6, "relative"),
        row("debiased: S(x, x)", 0.0, divergence(x, x, 0.1), 1e-6),
        row("debiased: smallest S(x, y) of 20 pairs", 0.0, smallest, 0.0, "at least"),
    ]


def structures() -> list[dict]:
    """What the structural loss must not notice, and what it must."""
    teacher, student = embeddings()
    order = torch.from_numpy(generator("transport", "clips").permutation(len(teacher)))
    loss = ot.structure_loss(teacher, student)
    moved, mispaired = (ot.structure_loss(teacher[order], z) for z in (student[order], teacher))
    itself = [ot.structure_loss(teacher, 3 * teacher, iterations=steps) for steps in (8, 500)]
    return [
        row("loss: the teacher itself, three times as long", 0.0, itself[1], 1e-6),
        row("loss: the same after the 8 iterations of training", 0.0, itself[0], 1e-3),
        row("loss: all clips in another order", loss, moved, 1e-6, "relative"),
        row("loss: the teacher's own clips, wrongly paired", 0.1, mispaired, 0.0, "at least"),
    ]


def pot_value(cost: np.ndarray, epsilon: float) -> tuple[np.ndarray, float]:
    """POT's plan, and <P, C> + epsilon KL(P | a b) of it."""
    rows, columns = cost.shape
    masses = np.full(rows, 1 / rows), np.full(columns, 1 / columns)
    found = pot.sinkhorn(*masses, cost, epsilon, "sinkhorn_log", numItermax=20_000, stopThr=1e-9)
    return found, float((found * cost).sum() + epsilon * (found * np.log(found * rows * columns + 1e-300)).sum())


def peers() -> list[dict]:
    """Plan and value of POT between the structures of 128 clips, and the whole loss as students are trained with it."""
    teacher, student = embeddings()
    x, y = (torch.from_numpy(points) for points in descriptions(teacher, student))
    cost = ot.half_squared_distances(x, y).numpy()
    rows = []
    for epsilon in (1.0, 0.1, 0.01):
        expected, cheapest = pot_value(cost, epsilon)
        rows += [
            row(f"POT: plan, epsilon {epsilon:g}", expected, plan(x, y, epsilon), 1e-6, "relative"),
            row(f"POT: value, epsilon {epsilon:g}", cheapest, value(x, y, epsilon), 1e-6, "relative"),
        ]
    expected, trained = reference_loss(teacher, student), ot.structure_loss(teacher.float(), student.float())
    return [*rows, row("NumPy and POT: the loss as trained, float32", expected, trained, 1e-3, "relative")]


def descriptions(teacher: Tensor, student: Tensor, k: int = 30) -> tuple[np.ndarray, np.ndarray]:
    """1 + cosine similarity of every clip to the k clips least similar to it for the teacher, in NumPy: (B, k) each."""
    units = (z.numpy() / np.linalg.norm(z.numpy(), axis=1, keepdims=True) for z in (teacher, student))
    first, second = (1 + unit @ unit.T for unit in units)
    far = np.argsort(first + np.diag(np.full(len(first), np.inf)), axis=1)[:, :k]
    return np.take_along_axis(first, far, axis=1), np.take_along_axis(second, far, axis=1)


def reference_loss(teacher: Tensor, student: Tensor, epsilon: float = 0.01) -> float:
    """The default structural loss a second time, by NumPy and POT."""
    x, y = descriptions(teacher, student)
    cross, own, other = (pot_value(cdist(a, b, "sqeuclidean") / 2, epsilon)[1] for a, b in ((x, y), (x, x), (y, y)))
    return cross - own / 2 - other / 2


def loss_and_gradient(teacher: Tensor, student: Tensor, **ways) -> tuple[float, Tensor]:
    z = student.clone().requires_grad_()
    loss = ot.structure_loss(teacher, z, **ways)
    return loss.item(), torch.autograd.grad(loss, z)[0]


def gradients() -> list[dict]:
    """The envelope gradient against differences, and in the single precision that students are trained in."""
    teacher, student = embeddings(16)
    ways = {"k": 5, "epsilon": 0.1, "iterations": 3000}
    direction, step = drawn("direction", 16, 32), 1e-5
    slope = (loss_and_gradient(teacher, student + step * direction, **ways)[0]
             - loss_and_gradient(teacher, student - step * direction, **ways)[0]) / (2 * step)  # fmt: skip
    along = float((loss_and_gradient(teacher, student, **ways)[1] * direction).sum())
    teacher, student = (z.float() for z in embeddings())
    _, sharp = loss_and_gradient(teacher, student, epsilon=1e-3)
    _, collapsed = loss_and_gradient(teacher, torch.ones_like(student))
    return [
        row("gradient: along a direction, by finite differences", slope, along, 1e-3, "relative"),
        row("gradient: share of finite entries, epsilon 1e-3, float32", 1.0, sharp.isfinite().double().mean(), 0.0),
        row("gradient: its norm there", 1e-3, sharp.norm(), 0.0, "at least"),
        row("gradient: finite entries where all student clips are one", 1.0, collapsed.isfinite().double().mean(), 0.0),
    ]


def degenerate() -> list[dict]:
    """Batches without structure: the loss is 0; of one clip, which has no anchors, so is its gradient."""
    one, gradient = loss_and_gradient(torch.ones(1, 8), torch.ones(1, 8))
    rows = [row("one clip: loss and gradient", np.zeros(9), np.append(gradient.numpy(), one), 0.0)]
    for clips, name in ((2, "two equal clips"), (128, "128 equal clips")):
        loss, gradient = loss_and_gradient(torch.ones(clips, 8), torch.ones(clips, 8))
        there = gradient.isfinite().double().mean()
        rows += [
            row(f"{name}: loss", 0.0, loss, 1e-5),
            row(f"{name}: share of finite entries of the gradient", 1.0, there, 0.0),
        ]
    return rows
