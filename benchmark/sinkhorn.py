"""Entropic optimal transport between two clouds of points, compiled for the processor: arrays in, arrays out.

What ot.balance, ot.average and ot.potentials say, reading memory once a step, and rows that are at hand while they are.
numba brings its own compiler, so none has to be installed; the first call after an installation takes some seconds,
later processes load what was compiled.
Functions are inlined: those compiled apart would be called by the process that compiles, and round otherwise.
"""

import math

import numpy as np
from llvmlite import ir
from numba import float32, int32, njit
from numba.extending import intrinsic

EXACT = {"contract", "reassoc", "nsz", "arcp"}  # sums in any order, but NaN and infinity stay what they are
SINGLE = np.float32
LOWEST = SINGLE(-60.0)  # e^-60 carries no mass
NEAR = 8192  # floats that stay in the cache next to the processor
LOG2E = SINGLE(math.log2(math.e))
# 2^r for 0 <= r < 1, to 2e-7
P5, P4, P3, P2, P1, P0 = map(SINGLE, (1.8775767e-3, 8.9893397e-3, 5.5826318e-2, 2.4015361e-1, 6.9315308e-1, 1.0))


@intrinsic
def from_bits(context, bits):
    """The float32 that has the bits of an int32."""

    def generate(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], ir.FloatType())

    return float32(int32), generate


@njit(forceinline=True, fastmath=EXACT)
def exponential(x):
    """e^x of a float32, written so that the compiler takes eight at a time."""
    power = max(x, LOWEST) * LOG2E
    whole = np.floor(power)
    r = power - whole
    fraction = ((((P5 * r + P4) * r + P3) * r + P2) * r + P1) * r + P0
    return fraction * from_bits(int32((int32(whole) + int32(127)) << int32(23)))


@njit(forceinline=True, fastmath=EXACT)
def rebuild(kernel, cost, f, g, level, totals):
    """Rows of the kernel from the potentials; their sums are written to totals."""
    inverse = SINGLE(1) / level
    for i in range(len(kernel)):
        total = SINGLE(0)
        for j in range(len(g)):
            value = exponential((f[i] + g[j] - cost[i, j]) * inverse)
            kernel[i, j] = value
            total += value
        totals[i] = total


@njit(forceinline=True, fastmath=EXACT)
def products(kernel, v, totals):
    """Rows of the kernel times the factors of the columns."""
    for i in range(len(kernel)):
        total = SINGLE(0)
        for j in range(len(v)):
            total += kernel[i, j] * v[j]
        totals[i] = total


@njit(forceinline=True, fastmath=EXACT)
def add_rows(sums, kernel, u):
    """Add rows of the kernel, times their factors, to the sums of the columns: four at a time, in their order."""
    whole = len(u) - len(u) % 4
    for i in range(0, whole, 4):
        a, b, c, d = u[i], u[i + 1], u[i + 2], u[i + 3]
        for j in range(len(sums)):
            sums[j] += a * kernel[i, j] + b * kernel[i + 1, j] + c * kernel[i + 2, j] + d * kernel[i + 3, j]
    for i in range(whole, len(u)):
        for j in range(len(sums)):
            sums[j] += u[i] * kernel[i, j]


@njit(forceinline=True, fastmath=EXACT)
def relaxed(new, old):
    """A factor moved on beyond its update, as ot.relaxed."""
    root = np.sqrt(min(max(new / old, SINGLE(0.25)), SINGLE(4)))
    return new * root * np.sqrt(root)


@njit(forceinline=True, fastmath=EXACT)
def renew(factor, totals, mass, between):
    """Factors of rows or columns from their sums, moved on beyond that between the first step and the last."""
    for i in range(len(factor)):
        new = mass / totals[i]
        factor[i] = relaxed(new, factor[i]) if between else new


@njit(forceinline=True, fastmath=EXACT)
def foresee(potential, before, share):
    """Move a potential on as it moved before, as ot.potentials does."""
    for i in range(len(potential)):
        change = potential[i] - before[i]
        before[i] = potential[i]
        potential[i] += share * change


@njit(forceinline=True, fastmath=EXACT)
def balance(cost, kernel, levels, steps, shares, f, g, u, v):
    """Sinkhorn between two clouds: potentials f, g and factors u, v of the last kernel, all in place. Each step reads
    the kernel once: some rows give their factors, and add to the sums of the columns while they are at hand."""
    n, m = cost.shape
    many = max(8, min(64, NEAR // m))
    sums, totals, earlier_f, earlier_g = np.empty(m, SINGLE), np.empty(many, SINGLE), f.copy(), g.copy()
    for number in range(len(levels)):
        level = levels[number]
        foresee(f, earlier_f, shares[number])
        foresee(g, earlier_g, shares[number])
        for step in range(steps[number]):
            between = 0 < step < steps[number] - 1
            sums[:] = SINGLE(0)
            for start in range(0, n, many):
                rows = slice(start, min(start + many, n))
                if step == 0:
                    rebuild(kernel[rows], cost[rows], f[rows], g, level, totals)
                else:
                    products(kernel[rows], v, totals)
                renew(u[rows], totals, SINGLE(m), between)
                add_rows(sums, kernel[rows], u[rows])
            renew(v, sums, SINGLE(n), between)
        f += level * np.log(u)
        g += level * np.log(v)


@njit(forceinline=True, fastmath=EXACT)
def average(cost, kernel, levels, steps, f, u):
    """Sinkhorn of a cloud with itself, whose potentials are one: the averaged update settles in a few steps."""
    n = len(cost)
    totals = np.empty(n, SINGLE)
    for number in range(len(levels)):
        level = levels[number]
        u[:] = SINGLE(1)
        for step in range((steps[number] + 1) // 2):
            if step == 0:
                rebuild(kernel, cost, f, f, level, totals)
            else:
                products(kernel, u, totals)
            for i in range(n):
                u[i] = np.sqrt(u[i] * SINGLE(n) / totals[i])
        f += level * np.log(u)


@njit(forceinline=True, fastmath=EXACT)
def solve(cost, symmetric, levels, steps, shares, plan):
    """Transport cost of one problem between uniform masses; the plan is written."""
    n, m = cost.shape
    f, u = np.zeros(n, SINGLE), np.ones(n, SINGLE)
    if symmetric:
        average(cost, plan, levels, steps, f, u)
        g, v = f, u
    else:
        g, v = np.zeros(m, SINGLE), np.ones(m, SINGLE)
        balance(cost, plan, levels, steps, shares, f, g, u, v)
    for i in range(n):
        own = u[i] / SINGLE(n * m)
        for j in range(m):
            plan[i, j] *= own * v[j]
    return f.sum() / n + g.sum() / m


@njit(nogil=True, cache=True, fastmath=EXACT)
def solve_some(first, every, products, x, y, symmetric, levels, steps, shares, plans, values):
    """Every so many of the problems from the first on. products (R, n, m): inner products, which become costs; x (R, n)
    and y (R, m): half squared norms; plans (R, n, m) and values (R,) are written."""
    for own in range(first, len(products), every):
        cost = products[own]
        for i in range(len(cost)):
            for j in range(cost.shape[1]):
                cost[i, j] = max(x[own, i] + y[own, j] - cost[i, j], SINGLE(0))
        values[own] = solve(cost, symmetric, levels, steps, shares, plans[own])
