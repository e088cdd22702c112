"""teacher: features and splits -> teachers, their T-Nets, and what they say of their training clips."""

from safetensors.torch import save_file

from benchmark import cell as cells
from benchmark import checkpoints, curves, teacher, train
from pipelines import stage


def main(task: str) -> None:
    params, spec = stage.params(), stage.task_of(task)
    cell = cells.load(task, spec, params.training, stage.INPUTS / task, train.device(params.runtime.device))
    folder = stage.MODELS / task

    untrained = cells.stack(teacher.networks(cell))
    fitted = teacher.fit(cell, curves.recorder(folder / "teacher" / "curves.csv", cell.replicas))
    checkpoints.save(folder / "teacher", fitted.state, cells.card(cell, "teacher", fitted))
    teachers = teacher.restore(cell, fitted.state)

    tnets = cells.stack(teacher.tnets(cell))
    checkpoints.save(folder / "tnet_random", tnets, cells.card(cell, "tnet_random"))
    hallucinating = teacher.fit_tnet(
        cell, teachers, curves.recorder(folder / "tnet_trained" / "curves.csv", cell.replicas)
    )
    checkpoints.save(folder / "tnet_trained", hallucinating.state, cells.card(cell, "tnet_trained", hallucinating))

    for name, networks in {"trained": teachers, "untrained": teacher.restore(cell, untrained)}.items():
        save_file(teacher.targets(cell, networks), folder / f"targets_{name}.safetensors")
    print(f"{task}: teachers of {len(cell.replicas)} replicas, best epochs {fitted.epoch.min()}-{fitted.epoch.max()}")


if __name__ == "__main__":
    stage.run(main)
