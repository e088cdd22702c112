"""teacher: features and splits -> teachers, their T-Nets, and what they say of their training clips."""

from benchmark import cell as cells
from benchmark import checkpoints, crossfit, curves, spaces, teacher, tnet, train
from pipelines import stage


def main(task: str) -> None:
    params, spec = stage.params(), stage.task_of(task)
    cell = cells.load(task, spec, stage.training(), stage.INPUTS / task, train.device(params.runtime.device), None)
    folder = stage.MODELS / task

    untrained = teacher.networks(cell)
    fitted = teacher.fit(cell, curves.recorder(folder / "teacher" / "curves.csv", cell.replicas))
    checkpoints.save(folder / "teacher", fitted.state, cells.card(cell, "teacher", fitted))
    teachers = teacher.restore(cell, fitted.state)

    said = teacher.everything(cell, teachers)
    checkpoints.save(folder / "tnet_random", cells.stack(tnet.networks(cell)), cells.card(cell, "tnet_random"))
    for variant in tnet.TRAINED:
        name = f"tnet_{variant}"
        found = tnet.fit(cell, said, variant, curves.recorder(folder / name / "curves.csv", cell.replicas))
        checkpoints.save(folder / name, found.state, cells.card(cell, name, found))

    held, agreed, spoken = crossfit.fit(cell, said)
    several = spaces.said(cell, spaces.fit(cell, said), said) | {"heldout": spoken}
    targets = {
        "trained": said,
        "untrained": teacher.everything(cell, untrained),
        "crossfit": held,
        "ensemble": agreed,
        "spaces": said | several,
    }
    for name, values in targets.items():
        checkpoints.write(folder / "targets" / f"{name}.safetensors", teacher.of_training(cell, values))
    print(f"{task}: teachers of {len(cell.replicas)} replicas, {cells.summary(fitted)}")


if __name__ == "__main__":
    stage.run(main)
