"""A stage of the graph run with one of its functions watched, until that has done its first work. Imports little."""

import importlib
import os
import runpy
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

POOL = "benchmark.executor:map"  # a landmark that is given the function to watch, for whatever process runs it
ITEMS = 4  # of a pool: two for each of two processes


class Watched(NamedTuple):
    """A function that writes down when each of its calls began and ended; it can be sent to other processes."""

    function: Callable
    times: str

    def __call__(self, *given, **more):
        start = time.time()
        found = self.function(*given, **more)
        with Path(self.times).open("a") as file:
            file.write(f"{start} {time.time()}\n")
        return found


def main(words: str, landmark: str, times: str) -> None:
    """Run `pipelines.<stage> <arguments>`; the process ends after the second call of the landmark, module:function."""
    module, name = landmark.split(":")
    there = importlib.import_module(module)
    original = getattr(there, name)
    setattr(there, name, pool(original, times) if landmark == POOL else counted(original, times))
    stage, *sys.argv[1:] = words.split()
    runpy.run_module(f"pipelines.{stage}", run_name="__main__", alter_sys=True)


def pool(spread: Callable, times: str) -> Callable:
    """The first items only, and no further than that."""

    def few(function: Callable, items, *given, **more):
        spread(Watched(function, times), list(items)[:ITEMS], *given, **more)
        sys.exit()  # not at once: its processes must end too

    return few


def counted(function: Callable, times: str) -> Callable:
    watched, calls = Watched(function, times), iter((False, True))

    def twice(*given, **more):
        found = watched(*given, **more)
        if next(calls):
            os._exit(0)
        return found

    return twice
