"""masks: what the conditions of a task hide of its clips, drawn once for all methods."""

import os

import numpy as np

from benchmark import inputs
from pipelines import stage


def main(task: str) -> None:
    params, spec = stage.params(), stage.task_of(task)
    drawn = inputs.masks(spec, stage.INPUTS / task, params.missing)
    stage.MASKS.mkdir(parents=True, exist_ok=True)
    partial = stage.MASKS / f".{task}.tmp.npz"
    np.savez(partial, **drawn)
    os.replace(partial, stage.MASKS / f"{task}.npz")
    print(f"{task}: {len(drawn)} masks, each drawn {params.missing.draws} times")


if __name__ == "__main__":
    stage.run(main)
