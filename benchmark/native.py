"""Anchors, and the debiased Sinkhorn divergence between two clouds of points, on the processor: what ot.plain_anchors
and ot.plain_divergence say, several times faster."""

import math
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from llvmlite import ir
from numba import float32, int32, int64, njit
from numba.extending import intrinsic
from torch import Tensor

from benchmark.sinkhorn import SINGLE, solve_some

LAST = np.iinfo(np.int64).max


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

    As many threads as torch may use take parts of the problems in turn; their number changes no bit.
    """
    regularisers, steps, shares = (np.array(part) for part in zip(*levels, strict=True))
    given, threads = (regularisers.astype(SINGLE), steps, shares.astype(SINGLE)), torch.get_num_threads()
    jobs, found = [], []
    for x, y in pairs:
        products = x.points @ y.points.transpose(-1, -2)
        values, plans = torch.empty(len(products)), torch.empty_like(products)
        arrays = products.numpy(), x.norms, y.norms, x is y, *given, plans.numpy(), values.numpy()
        share = min(threads, len(products))
        jobs += [(first, share, *arrays) for first in range(share)]
        found.append((values, plans))
    queue, others = iter(jobs), min(threads, len(jobs)) - 1
    helping = [pool(others).submit(work, queue) for _ in range(others)]
    work(queue)
    for helper in helping:
        helper.result()
    return found


def work(queue: Iterator[tuple]) -> None:
    for job in queue:
        solve_some(*job)


@cache
def pool(threads: int) -> ThreadPoolExecutor:
    """Threads that stay: to start them takes as long as a problem."""
    return ThreadPoolExecutor(threads)


os.register_at_fork(after_in_child=pool.cache_clear)  # a child has none of its parent's threads


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


@intrinsic
def to_bits(context, value):
    """The bits of a float32, as an int32."""

    def generate(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], ir.IntType(32))

    return int32(float32), generate


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
        keys, chosen = np.empty(rows.shape[-2:], np.int64), np.empty((*rows.shape[:-1], k), np.int64)
        for place in np.ndindex(rows.shape[:-2]):
            sortable(rows[place], SINGLE(-1 if largest else 1), keys)
            if 0 < k < rows.shape[-1]:
                keys.partition(k - 1, axis=-1)
            chosen[place] = keys[:, :k]
            chosen[place].sort(axis=-1)
        chosen &= 0xFFFFFFFF
        return torch.from_numpy(chosen)

    @staticmethod
    def setup_context(context, inputs, output):
        context.mark_non_differentiable(output)

    @staticmethod
    def backward(context, gradient):
        return None, None, None

    @staticmethod
    def vmap(info, places, structure, k, largest):
        return Anchors.apply(batched(structure, places[0], info.batch_size), k, largest), 0
