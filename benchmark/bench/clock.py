"""The one clock of the benchmarks: contestants take turns; and on which machine."""

import math
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch

from benchmark.progress import progress

REPETITIONS = 5  # at least


def race(
    contestants: dict[str, Callable[[], object]],
    repetitions: int,
    title: str = "race",
    least: float = 0.0,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Seconds of a call of each contestant in every repetition.

    All are called once before that, to warm up. In each repetition all take their turn, every second time in the
    opposite order, so that a machine that is slow for a while is slow for all. A short call is repeated in a turn until
    `least` seconds are filled, and its mean counts.
    """
    calls, spent = {}, {name: [] for name in contestants}
    for name, run in contestants.items():
        run()
        calls[name] = max(1, math.ceil(least / max(turn(run, 1, clock), 1e-9))) if least else 1
    for number in progress(range(repetitions), repetitions, title):
        for name in list(contestants)[:: -1 if number % 2 else 1]:
            spent[name].append(turn(contestants[name], calls[name], clock))
    return spent


def turn(run: Callable[[], object], calls: int, clock: Callable[[], float]) -> float:
    """Mean seconds of so many calls."""
    start = clock()
    for _ in range(calls):
        run()
    return (clock() - start) / calls


def medians(spent: dict[str, list[float]]) -> dict[str, float]:
    return {name: median(seconds) for name, seconds in spent.items()}


def ratio(spent: dict[str, list[float]], slow: str, fast: str) -> float:
    """How many times longer one contestant takes than another: the median over repetitions, each against its own."""
    return median(one / other for one, other in zip(spent[slow], spent[fast], strict=True))


def machine() -> dict[str, str | int | float | None]:
    """What the numbers were measured on."""
    return {
        "processor": processor(),
        "cores": len(cores()),
        "memory_gib": round(memory(), 1),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "load": round(os.getloadavg()[0], 1),
    }


def cores() -> list[int]:
    """The cores that this process may run on."""
    return sorted(os.sched_getaffinity(0))


def processor() -> str:
    """The model of the processor as the kernel names it."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    named = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.machine()


def memory() -> float:
    """GiB of the machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
