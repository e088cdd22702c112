"""What a device could do, and how much of it a distillation step and a cell use: the roofline."""

import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory

import torch

from benchmark import ot, student, teacher
from benchmark.bench import clock, distillation, made, page
from benchmark.bench.distillation import EPSILON, K
from benchmark.models import WIDTH

SQUARE = {"cpu": 1024, "cuda": 8192}  # rows of the matrices that are multiplied
COPIED = {"cpu": 2**26, "cuda": 2**30}  # bytes that are copied, far more than any cache
REPLICAS = (1, 15)
EXPONENTIAL = 8  # floating point operations that an exponential counts for
SAMPLE_S = 0.1  # between two looks at the use of a GPU

EXPLANATION = f"""Peaks are measured: a product of float32 matrices, and a copy. The work of a `kdot` step is \
counted as in the docstring of `benchmark/ot.py`; an exponential counts as {EXPONENTIAL} operations, a \
multiply-add as two. *Least*: the time these operations or these bytes would take at the peak, whichever is longer; \
*share*: that over the time measured. On a GPU *use* is the share of time in which `nvidia-smi` saw it at work."""


def measure(
    repetitions: int,
    device: torch.device,
    sizes: tuple[int, ...] = distillation.SIZES,
    steps: int = 20,
    square: int | None = None,
    copied: int | None = None,
) -> dict:
    """The part of the page."""
    kind = device.type
    peak = peaks(device, square or SQUARE[kind], copied or COPIED[kind], repetitions)
    tables = {
        "Peaks": [peak],
        "Roofline of a step": [roofline(size, device, peak, repetitions) for size in sizes],
        "Training": trained(device, steps, repetitions),
    }
    return page.part(f"Device: {kind}", EXPLANATION, tables, [])


def peaks(device: torch.device, square: int, copied: int, repetitions: int) -> dict[str, float]:
    """What a product and a copy reach."""
    matrix, block = torch.ones(square, square, device=device), torch.ones(copied // 4, device=device)
    target = torch.empty_like(block)
    runs = {"product": lambda: matrix @ matrix, "copy": lambda: target.copy_(block)}
    best = {n: min(own) for n, own in clock.race(settled(runs, device), repetitions, "peaks", 0.1).items()}
    return {"GFLOP/s": 2e-9 * square**3 / best["product"], "GB/s": 2e-9 * copied / best["copy"]}


def settled(runs: dict[str, Callable], device: torch.device) -> dict[str, Callable]:
    """The same, each ending when the device has done its work."""
    if device.type == "cpu":
        return runs

    def through(run: Callable) -> None:
        run()
        torch.cuda.synchronize(device)

    return {name: partial(through, run) for name, run in runs.items()}


def roofline(size: int, device: torch.device, peak: dict[str, float], repetitions: int) -> dict:
    """Time of a step beside the least that its work would take."""
    teacher, student = (z.to(device) for z in distillation.embeddings(size, "trained"))
    runs = settled({"kdot": partial(distillation.step, distillation.kdot, teacher, student)}, device)
    seconds = clock.medians(clock.race(runs, repetitions, f"roofline, B = {size}", 0.1))["kdot"]
    operations, moved = work(size, device)
    least = max(1e-9 * operations / peak["GFLOP/s"], 1e-9 * moved / peak["GB/s"])
    return {
        "batch": size, "ms": 1e3 * seconds, "steps per second": 1 / seconds, "MFLOP": 1e-6 * operations,
        "MB": 1e-6 * moved, "GFLOP/s": 1e-9 * operations / seconds, "GB/s": 1e-9 * moved / seconds,
        "least, ms": 1e3 * least, "share": least / seconds,
    }  # fmt: skip


def work(size: int, device: torch.device) -> tuple[float, float]:
    """Floating point operations and bytes of one kdot step, forward and backward, as the docstring of ot.py counts."""
    k = min(K, size - 1)
    kernels = ot.schedule(EPSILON, 2.0 * k, distillation.options().iterations)
    count, steps = len(kernels), sum(level.steps for level in kernels)
    passes = 2 if device.type == "cpu" else 3
    multiply_adds = 4 * WIDTH + 5 * k + 3 * steps
    floats = 18 + 6 * count + passes * steps
    return (2.0 * multiply_adds + EXPONENTIAL * 3.0 * count) * size**2, 4.0 * floats * size**2


def trained(device: torch.device, steps: int, repetitions: int) -> list[dict]:
    """Steps per second of the students of kdot, by number of replicas, and how much of a GPU they use."""
    rows, method = [], made.METHODS["kdot"]
    with TemporaryDirectory() as folder:
        made.write(Path(folder))
        for count in REPLICAS:
            cell = first(made.load(Path(folder), made.training(1, steps), device), count)
            given = teacher.of_training(cell, teacher.everything(cell, teacher.networks(cell)))
            runs = settled({"fit": partial(student.fit, cell, method, given, None)}, device)
            with Use(device) as use:
                seconds = clock.medians(clock.race(runs, repetitions, f"training, {count} replicas"))["fit"]
            rate = steps / seconds
            rows.append({"replicas": count, "steps per second": rate, "of a replica": rate * count, "use": use.share})
    return rows


def first(cell, count: int):
    """The cell with its first replicas only."""
    lists = ("replicas", "train", "validation", "test")
    return replace(cell, **{name: getattr(cell, name)[:count] for name in lists})


class Use:
    """Looks at a GPU while a block runs; share: of time at work, None where nothing can tell."""

    def __init__(self, device: torch.device):
        self.seen: list[float] = []
        self.over = threading.Event()
        there = device.type == "cuda" and shutil.which("nvidia-smi")
        self.watcher = threading.Thread(target=self.watch, daemon=True) if there else None

    @property
    def share(self) -> float | None:
        return mean(self.seen) / 100 if self.seen else None

    def watch(self) -> None:
        command = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"]
        while not self.over.is_set():
            said = subprocess.run(command, capture_output=True, text=True, check=False).stdout.split()
            self.seen += [float(said[torch.cuda.current_device()])] if said else []
            time.sleep(SAMPLE_S)

    def __enter__(self) -> "Use":
        if self.watcher:
            self.watcher.start()
        return self

    def __exit__(self, *_) -> None:
        self.over.set()
        if self.watcher:
            self.watcher.join()
