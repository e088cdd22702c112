"""Anchors, and the Sinkhorn divergence between two clouds of points, compiled for the processor.

What ot.plain_anchors and ot.plain_divergence say, reading memory once a step. numba brings its own compiler, so none
has to be installed; the first call after an installation takes some seconds, later processes load what was compiled.
"""

import math
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import torch
from llvmlite import ir
from numba import float32, int32, int64, njit
from numba.extending import intrinsic
from torch import Tensor

EXACT = {"contract", "reassoc", "nsz", "arcp"}  # sums in any order, but NaN and infinity stay what they are
SINGLE = np.float32
LOWEST = SINGLE(-60.0)  # e^-60 carries no mass
LAST = np.iinfo(np.int64).max
LOG2E = SINGLE(math.log2(math.e))
# 2^r for 0 <= r < 1, to 2e-7
P5, P4, P3, P2, P1, P0 = map(SINGLE, (1.8775767e-3, 8.9893397e-3, 5.5826318e-2, 2.4015361e-1, 6.9315308e-1, 1.0))


@intrinsic
def from_bits(context, bits):
    """The float32 that has the bits of an int32."""

    def generate(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], ir.FloatType())

    return float32(int32), generate


@intrinsic
def to_bits(context, value):
    """The bits of a float32, as an int32."""

    def generate(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], ir.IntType(32))

    return int32(float32), generate


@njit(inline="always", fastmath=EXACT)
def exponential(x):
    """e^x of a float32, written so that the compiler takes eight at a time."""
    power = max(x, LOWEST) * LOG2E
    whole = np.floor(power)
    r = power - whole
    fraction = ((((P5 * r + P4) * r + P3) * r + P2) * r + P1) * r + P0
    return fraction * from_bits(int32((int32(whole) + int32(127)) << int32(23)))


@njit(inline="always", fastmath=EXACT)
def rebuild(row, cost, f, g, level):
    """One row of the kernel from the potentials; its sum."""
    total, inverse = SINGLE(0), SINGLE(1) / level
    for j in range(len(cost)):
        value = exponential((f + g[j] - cost[j]) * inverse)
        row[j] = value
        total += value
    return total


@njit(inline="always", fastmath=EXACT)
def product(row, vector):
    total = SINGLE(0)
    for j in range(len(row)):
        total += row[j] * vector[j]
    return total


@njit(inline="always", fastmath=EXACT)
def relaxed(new, old):
    """A factor moved on beyond its update, as ot.relaxed."""
    root = np.sqrt(min(max(new / old, SINGLE(0.25)), SINGLE(4)))
    return new * root * np.sqrt(root)


@njit(fastmath=EXACT)
def foresee(potential, before, share):
    """Move a potential on as it moved before, as ot.potentials does."""
    for i in range(len(potential)):
        change = potential[i] - before[i]
        before[i] = potential[i]
        potential[i] += share * change


@njit(fastmath=EXACT)
def balance(cost, kernel, levels, steps, shares, f, g, u, v):
    """Sinkhorn between two clouds: potentials f, g and factors u, v of the last kernel, all in place. Each step reads
    the kernel once: a row gives its factor and adds to the sums of the columns while it is at hand."""
    n, m = cost.shape
    sums, earlier_f, earlier_g = np.empty(m, SINGLE), f.copy(), g.copy()
    for number in range(len(levels)):
        level = levels[number]
        foresee(f, earlier_f, shares[number])
        foresee(g, earlier_g, shares[number])
        for step in range(steps[number]):
            between = 0 < step < steps[number] - 1
            sums[:] = SINGLE(0)
            for i in range(n):
                row = kernel[i]
                total = rebuild(row, cost[i], f[i], g, level) if step == 0 else product(row, v)
                u[i] = relaxed(SINGLE(m) / total, u[i]) if between else SINGLE(m) / total
                for j in range(m):
                    sums[j] += u[i] * row[j]
            for j in range(m):
                v[j] = relaxed(SINGLE(n) / sums[j], v[j]) if between else SINGLE(n) / sums[j]
        f += level * np.log(u)
        g += level * np.log(v)


@njit(fastmath=EXACT)
def average(cost, kernel, levels, steps, f, u):
    """Sinkhorn of a cloud with itself, whose potentials are one: the averaged update settles in a few steps."""
    n = len(cost)
    new = np.empty(n, SINGLE)
    for number in range(len(levels)):
        level = levels[number]
        for step in range((steps[number] + 1) // 2):
            for i in range(n):
                first = step == 0
                total = rebuild(kernel[i], cost[i], f[i], f, level) if first else product(kernel[i], u)
                new[i] = np.sqrt((SINGLE(1) if first else u[i]) * SINGLE(n) / total)
            u[:] = new
        f += level * np.log(u)


@njit(nogil=True, cache=True, fastmath=EXACT)
def solve(products, x, y, symmetric, levels, steps, shares, plan):
    """Transport cost of one problem between uniform masses; the plan is written. products (n, m): inner products, which
    become costs; x (n,) and y (m,): half squared norms."""
    n, m = products.shape
    for i in range(n):
        for j in range(m):
            products[i, j] = max(x[i] + y[j] - products[i, j], SINGLE(0))
    f, u = np.zeros(n, SINGLE), np.ones(n, SINGLE)
    if symmetric:
        average(products, plan, levels, steps, f, u)
        g, v = f, u
    else:
        g, v = np.zeros(m, SINGLE), np.ones(m, SINGLE)
        balance(products, plan, levels, steps, shares, f, g, u, v)
    for i in range(n):
        own = u[i] / SINGLE(n * m)
        for j in range(m):
            plan[i, j] *= own * v[j]
    return f.sum() / n + g.sum() / m


class Cloud(NamedTuple):
    """Points (R, n, k) of R problems, and their half squared norms (R, n)."""

    points: Tensor
    norms: np.ndarray


def cloud(points: Tensor) -> Cloud:
    """Of points (..., n, k)."""
    points = points.reshape(math.prod(points.shape[:-2]), *points.shape[-2:])
    return Cloud(points, (points.square().sum(-1) / 2).numpy())


def transports(pairs: list[tuple[Cloud, Cloud]], levels: list[tuple[float, int, float]]) -> list[tuple]:
    """Costs (R,) and plans (R, n, m) between two clouds, or of one with itself, for each pair.

    As many threads as torch may use take the problems in turn; their number changes no bit.
    """
    regularisers, steps, shares = (np.array(part) for part in zip(*levels, strict=True))
    given = regularisers.astype(SINGLE), steps, shares.astype(SINGLE)
    jobs, plans = [], []
    for x, y in pairs:
        products = x.points @ y.points.transpose(-1, -2)
        plans.append(torch.empty_like(products))
        arrays = products.numpy(), x.norms, y.norms, plans[-1].numpy()
        for own, left, right, plan in zip(*arrays, strict=True):
            jobs.append((own, left, right, x is y, *given, plan))
    threads = min(torch.get_num_threads(), len(jobs))
    if threads == 1:
        values = [solve(*job) for job in jobs]
    else:
        with ThreadPoolExecutor(threads) as pool:
            values = list(pool.map(solve, *zip(*jobs, strict=True)))
    return list(zip(torch.tensor(np.array(values, SINGLE)).reshape(len(pairs), -1), plans, strict=True))


def batched(points: Tensor, place: int | None, size: int) -> Tensor:
    """A tensor of a vmapped function with its batch in front."""
    return points.expand(size, *points.shape) if place is None else points.movedim(place, 0)


class Divergence(torch.autograd.Function):
    """ot.plain_divergence of x (..., n, k), which stays where it is, and y (..., m, k), with its gradient to y.

    The gradient of the cost of a plan P is sum_i P_ij (y_j - x_i): the optimal potentials do not move to first order.
    """

    @staticmethod
    def forward(x: Tensor, y: Tensor, levels: list[tuple[float, int, float]], debias: bool):
        fixed, moved = cloud(x), cloud(y)
        pairs = [(fixed, moved), (moved, moved), (fixed, fixed)] if debias else [(fixed, moved)]
        (value, plan), *selves = transports(pairs, levels)
        there, here = fixed.points, moved.points
        slope = here / here.shape[-2] - plan.transpose(-1, -2) @ there  # the last step made the columns' masses exact
        if debias:
            (own, plan), (other, _) = selves
            value = value - (own + other) / 2
            slope = slope - plan.sum(-1, keepdim=True) * here + plan @ here
        return value.reshape(x.shape[:-2]), slope.reshape(y.shape)

    @staticmethod
    def setup_context(context, inputs, output):
        context.save_for_backward(output[1])
        context.mark_non_differentiable(output[1])

    @staticmethod
    def backward(context, gradient, _):
        (slope,) = context.saved_tensors
        return None, gradient[..., None, None] * slope, None, None

    @staticmethod
    def vmap(info, places, x, y, levels, debias):
        x, y = (batched(points, place, info.batch_size) for points, place in zip((x, y), places, strict=False))
        return Divergence.apply(x, y, levels, debias), (0, 0)


@njit(nogil=True, cache=True)
def sortable(values, sign, keys):
    """Each value (rows, columns) with its column as one integer, in the order of sign * value; the diagonal last."""
    for i in range(len(values)):
        for j in range(values.shape[1]):
            bits = to_bits(sign * values[i, j] + SINGLE(0))  # of minus zero it makes zero
            keys[i, j] = (int64(bits ^ 0x7FFFFFFF if bits < 0 else bits) << 32) | j
        keys[i, i] = LAST


class Anchors(torch.autograd.Function):
    """ot.plain_anchors: the columns of the k smallest, or largest, similarities (..., B, B) of each row but the row
    itself, in their order; of equal ones the first columns. Sorting integers is what numpy does fastest."""

    @staticmethod
    def forward(structure: Tensor, k: int, largest: bool):
        rows = structure.contiguous().numpy()
        keys = np.empty(rows.shape, np.int64)
        for place in np.ndindex(rows.shape[:-2]):
            sortable(rows[place], SINGLE(-1 if largest else 1), keys[place])
        if 0 < k < rows.shape[-1]:
            keys.partition(k - 1, axis=-1)
        chosen = np.ascontiguousarray(keys[..., :k])
        chosen.sort(axis=-1)
        return torch.from_numpy(chosen & 0xFFFFFFFF)

    @staticmethod
    def setup_context(context, inputs, output):
        context.mark_non_differentiable(output)

    @staticmethod
    def backward(context, gradient):
        return None, None, None

    @staticmethod
    def vmap(info, places, structure, k, largest):
        return Anchors.apply(batched(structure, places[0], info.batch_size), k, largest), 0
