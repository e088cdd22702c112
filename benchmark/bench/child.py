"""A measurement in a process of its own: how long it took, and the most memory that it held."""

import importlib
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path


def alone(function: Callable, threads: int = 1, **options) -> dict:
    """Call a module's function in a fresh process; what it returns, its seconds, and peak_mb, with all imports.

    options: of the function; anything JSON can say.
    """
    words = [sys.executable, "-m", "benchmark.bench.child", function.__module__, function.__name__, json.dumps(options)]
    done = subprocess.run([*words, str(threads)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{function.__name__} {options} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def main(module: str, function: str, options: str, threads: str) -> None:
    import torch

    torch.set_num_threads(int(threads))
    call, before = getattr(importlib.import_module(module), function), peak()
    start = time.perf_counter()
    found = call(**json.loads(options))
    seconds = time.perf_counter() - start
    print(json.dumps({"found": found, "seconds": seconds, "imports_mb": before, "peak_mb": peak()}))


def peak() -> float:
    """The most memory this process has held, MB. Not ru_maxrss: that is inherited from the process that started it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


if __name__ == "__main__":
    main(*sys.argv[1:])
