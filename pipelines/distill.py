"""distill: a task's teacher and one method -> students."""

from safetensors.torch import load_file

from benchmark import cell as cells
from benchmark import checkpoints, curves, student, teacher, train
from benchmark.params import Method
from pipelines import stage


def main(task: str, method: str) -> None:
    params, spec = stage.params(), stage.task_of(task)
    entry = stage.planned("methods", task, method)
    wanted = Method.model_validate({name: value for name, value in entry.items() if name != "digests"})
    cell = cells.load(task, spec, params.training, stage.INPUTS / task, train.device(params.runtime.device))
    models, folder = stage.MODELS / task, stage.MODELS / task / method

    source = "untrained" if wanted.teacher == "untrained" else "trained"
    targets = {name: t.to(cell.device) for name, t in load_file(models / f"targets_{source}.safetensors").items()}
    imagined = teacher.load_hallucinators(cell, models, wanted.tnet)
    record = curves.recorder(folder / "curves.csv", cell.replicas)
    try:
        fitted = student.fit(cell, wanted, targets, imagined, record)
    except student.Impossible as reason:
        checkpoints.save(folder, {}, cells.card(cell, method) | {"method": entry, "impossible": str(reason)})
        print(f"{task} {method}: not run: {reason}")
        return
    checkpoints.save(folder, fitted.state, cells.card(cell, method, fitted) | {"method": entry})
    print(f"{task} {method}: {len(cell.replicas)} replicas, best epochs {fitted.epoch.min()}-{fitted.epoch.max()}")


if __name__ == "__main__":
    stage.run(main)
