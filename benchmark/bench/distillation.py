"""One distillation step, forward and backward: `kdot` beside the released code, POT, and the least it could cost."""

import warnings
from collections.abc import Callable
from functools import cache, partial

import numpy as np
import torch
from torch import Tensor
from torch.func import vmap

from benchmark import ot, plugins
from benchmark.bench import child, clock, page, reference
from benchmark.models import WIDTH, Lesson, Output
from benchmark.seeds import generator

SIZES = (32, 128, 256, 512)
THREADS = (1, 2)
LARGE = 2048  # clips of the batch whose memory is measured
REPLICAS = 15  # of the contestant that is stacked as in training
LEAST = 0.1  # s of a turn
K, EPSILON = 30, 0.01  # as published, and the defaults of kdot
POT_ITERATIONS, POT_TOLERANCE = 100, 1e-6  # a tenth of its own default: 1000 take 15 s at B = 512; of the masses

EXPLANATION = f"""Embeddings of {WIDTH} numbers, k = {K} anchors, epsilon = {EPSILON:g} (blur .1), float32, gradient \
with respect to the student. *kdot*: the loss plug-in with its defaults, one batch alone; *kdot, stacked*: \
{REPLICAS} replicas under vmap as in training, per replica. *geomloss*: fed as the released PKDOT feeds it (each \
similarity matrix less its minimum, anchors by `np.argpartition` through NumPy, `SamplesLoss("sinkhorn", p=2, \
blur=.1)`). *POT*: `ot.solve` in the log domain for the three transports, with its envelope gradient, until the \
masses are right to {POT_TOLERANCE:g} or {POT_ITERATIONS} iterations are over. *floor*: both similarity matrices, \
the gather of given anchors and one cost matrix, nothing transported. The gradient error is the norm of the \
difference to a converged double precision solution with the same anchors and shift, over the norm of that; \
*untrained*: a student that knows nothing of its teacher, *trained*: one that shares its structure."""


def measure(
    repetitions: int, sizes: tuple[int, ...] = SIZES, threads: tuple[int, ...] = THREADS, large: int = LARGE
) -> dict:
    """The part of the page."""
    seconds, before = [], torch.get_num_threads()
    for count in threads:
        torch.set_num_threads(count)
        seconds += [times(size, count, repetitions) for size in sizes]
    torch.set_num_threads(before)
    errors = [gradient_errors(size, state) for size in sizes for state in STUDENTS]
    held = [memory(name, large) for name in ("kdot", "geomloss")]
    tables = {
        "Milliseconds of a step": seconds,
        "Relative error of the gradient": errors,
        f"Memory of a step, batch of {large}": held,
    }
    return page.part("Distillation step", EXPLANATION, tables, goals(seconds, errors, held[0]))


def goals(seconds: list[dict], errors: list[dict], held: dict) -> list[dict]:
    """What was aimed at; at a batch of 128 where it was measured."""
    found = []
    for row in (row for row in seconds if row["batch"] == 128):
        where = f"B = 128, {row['threads']} thread{'s' * (row['threads'] > 1)}"
        found.append(page.goal(f"geomloss over kdot, {where}", row["geomloss / kdot"], at_least=3))
        found.append(page.goal(f"kdot over the floor, {where}", row["kdot / floor"], at_most=3))
    worst = {size: max(row["kdot"] for row in errors if row["batch"] == size) for size in {r["batch"] for r in errors}}
    found += [page.goal(f"gradient error of kdot, B = {b}", worst[b], at_most=0.01) for b in sorted(worst)]
    return [*found, page.goal(f"peak memory of kdot, B = {held['batch']}, MB", held["peak, MB"], at_most=1000)]


def times(size: int, threads: int, repetitions: int) -> dict:
    """Milliseconds of every contestant for one batch size."""
    teacher, student = embeddings(size, "trained")
    runs = {name: partial(step, term, teacher, student) for name, term in contestants(teacher).items()}
    stack = [z.expand(REPLICAS, -1, -1).contiguous() for z in (teacher, student)]
    runs["kdot, stacked"] = partial(step, stacked, *stack)
    spent = clock.race(runs, repetitions, f"step, B = {size}, {threads} threads", LEAST)
    spent["kdot, stacked"] = [seconds / REPLICAS for seconds in spent["kdot, stacked"]]
    found = {name: 1000 * seconds for name, seconds in clock.medians(spent).items()}
    ratios = {f"{slow} / {fast}": clock.ratio(spent, slow, fast) for slow, fast in RATIOS}
    return {"batch": size, "threads": threads} | found | ratios


RATIOS = ("geomloss", "kdot"), ("POT", "kdot"), ("kdot", "floor"), ("kdot, stacked", "floor")


def step(term: Callable[[Tensor, Tensor], Tensor], teacher: Tensor, student: Tensor) -> Tensor:
    """Gradient of a term with respect to the student."""
    z = student.detach().requires_grad_()
    return torch.autograd.grad(term(teacher, z).sum(), z)[0]


def contestants(teacher: Tensor) -> dict[str, Callable[[Tensor, Tensor], Tensor]]:
    """Loss of (teacher, student) by the name of who computes it; the floor knows its anchors beforehand."""
    chosen = ot.choose_anchors(ot.cosine_structure(teacher), K, "dissimilar")
    return {"kdot": kdot, "geomloss": released, "POT": by_pot, "floor": partial(floor, chosen)}


def kdot(teacher: Tensor, student: Tensor) -> Tensor:
    """This suite's."""
    term = plugins.load("losses", "kdot")
    return term.loss(output(student), output(teacher), options(), Lesson("ordinal", student[:, 0], 1))


@cache
def options():
    return plugins.load("losses", "kdot").Options()


def output(z: Tensor) -> Output:
    return Output(z[..., :1], z, z[..., None, :], z[..., :1] > 0)


def stacked(teacher: Tensor, student: Tensor) -> Tensor:
    """The same of many replicas at once."""
    return vmap(kdot)(teacher, student)


@cache
def sinkhorn():
    from geomloss import SamplesLoss

    return SamplesLoss("sinkhorn", p=2, blur=EPSILON**0.5)


def released(teacher: Tensor, student: Tensor) -> Tensor:
    """geomloss, fed as the released training script feeds it."""
    truth, guess = ot.cosine_structure(teacher), ot.cosine_structure(student)
    truth, guess = truth - truth.min(), guess - guess.min()
    far = np.argpartition(truth.detach().cpu().numpy(), min(K, len(truth) - 1), axis=1)[:, :K]
    chosen = torch.from_numpy(far).to(truth.device)
    return sinkhorn()(truth.gather(1, chosen), guess.gather(1, chosen))


def by_pot(teacher: Tensor, student: Tensor) -> Tensor:
    """The default structural loss, transported by POT."""
    import ot as pot

    truth, guess = 1 + ot.cosine_structure(teacher), 1 + ot.cosine_structure(student)
    chosen = ot.choose_anchors(truth, K, "dissimilar")
    x, y = truth.gather(1, chosen), guess.gather(1, chosen)
    more = {"method": "sinkhorn_log", "grad": "envelope", "max_iter": POT_ITERATIONS, "tol": POT_TOLERANCE}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that it has not converged: the page tells what that costs
        values = [
            pot.solve(ot.half_squared_distances(a, b), reg=EPSILON, **more).value for a, b in ((x, y), (x, x), (y, y))
        ]
    return values[0] - values[1] / 2 - values[2] / 2


def floor(chosen: Tensor, teacher: Tensor, student: Tensor) -> Tensor:
    """What no structural loss can do without."""
    truth, guess = ot.cosine_structure(teacher), ot.cosine_structure(student)
    return ot.half_squared_distances(truth.gather(1, chosen), guess.gather(1, chosen)).mean()


STUDENTS = {"untrained": 0.0, "trained": 1.0}  # share of the teacher's structure in the student's


def embeddings(size: int, state: str) -> tuple[Tensor, Tensor]:
    """Made-up embeddings (B, WIDTH) float32 of a teacher with eight directions of structure, and of its student."""
    rng = generator("bench", "embeddings", size)
    latent, noise = rng.standard_normal((size, 8)), rng.standard_normal((2, size, WIDTH))
    mixing = rng.standard_normal((2, 8, WIDTH)) * np.array([1.0, STUDENTS[state]])[:, None, None]
    teacher, student = (
        torch.from_numpy((latent @ m + n).astype(np.float32)) for m, n in zip(mixing, noise, strict=True)
    )
    return teacher, student


def gradient_errors(size: int, state: str) -> dict:
    """How far every contestant's gradient is from its converged solution."""
    teacher, student = embeddings(size, state)
    found = {"batch": size, "student": state}
    solved = {shift: reference.gradient(teacher, student, K, EPSILON, shift) for shift in ("affine", "released")}
    for name, term in contestants(teacher).items():
        if name != "floor":
            exact = solved["released" if name == "geomloss" else "affine"][0]
            found[name] = float((step(term, teacher, student).double() - exact).norm() / exact.norm())
    return found | {"masses of the reference off by": max(error for _, error in solved.values())}


def memory(name: str, size: int) -> dict:
    """The most memory of a process that takes one step, and of that process before it."""
    found = child.alone(once, name=name, size=size)
    return {"step": name, "batch": size, "peak, MB": found["peak_mb"], "before the step, MB": found["imports_mb"]}


def once(name: str, size: int) -> float:
    teacher, student = embeddings(size, "trained")
    return float(step({"kdot": kdot, "geomloss": released}[name], teacher, student).norm())
