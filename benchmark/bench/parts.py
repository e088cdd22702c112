"""The parts of the bench by name, one after another; each is on the page as soon as it is done."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

from benchmark import train
from benchmark.bench import cells, clock, device, distillation, extraction, growth, page, stages
from benchmark.params import Params

NAMES = ("step", "cell", "cell_gpu", "extraction", "device", "device_gpu", "growth", "suite")  # in this order
ASKED = ("step", "cell", "extraction", "device", "growth", "suite")  # what --only may name


def run(params: Params, results: Path, root: Path, only: list[str], repetitions: int) -> str:
    """Measure the parts; they replace older ones in results/bench.json and bench.md. Returns the page."""
    text = ""
    for name, measure in chosen(params, results, root, only, repetitions).items():
        found = {"machine": clock.machine(), "repetitions": repetitions} | measure()
        text = page.write(results, {name: found}, NAMES)
        print("\n".join(page.section(found)), flush=True)
    return text


def chosen(params: Params, results: Path, root: Path, only: list[str], repetitions: int) -> dict[str, Callable]:
    """What measures each part that is asked for; what a GPU is needed for, where there is one."""
    processor, gpu = torch.device("cpu"), train.device("auto")
    found = {
        "step": partial(distillation.measure, repetitions),
        "cell": partial(cells.measure, repetitions, processor),
        "extraction": partial(extraction.measure, params, repetitions, params.suite.datasets),
        "device": partial(device.measure, repetitions, processor),
        "growth": partial(growth.measure, results),
        "suite": partial(stages.measure, root, params, repetitions),
    }
    if gpu.type == "cuda":
        found |= {
            "cell_gpu": partial(cells.measure, repetitions, gpu),
            "device_gpu": partial(device.measure, repetitions, gpu),
        }
    return {name: found[name] for name in NAMES if name in found and name.removesuffix("_gpu") in only}
