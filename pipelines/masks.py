"""masks: what the conditions of a task hide of its clips, drawn once for all methods."""

import numpy as np

from benchmark import inputs
from benchmark.files import replacing
from pipelines import stage


def main(task: str) -> None:
    params, spec = stage.params(), stage.task_of(task)
    drawn = inputs.masks(spec, stage.INPUTS / task, params.missing)
    with replacing(stage.MASKS / f"{task}.npz") as partial:
        np.savez(partial, **drawn)
    print(f"{task}: {len(drawn)} masks, each drawn {params.missing.draws} times")


if __name__ == "__main__":
    stage.run(main)
