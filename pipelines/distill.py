"""distill: a task's teacher and one method -> students."""

from pathlib import Path

from benchmark import cell as cells
from benchmark import checkpoints, curves, inputs, student, targets, tnet, train, tuning
from benchmark.deployment import modelcard
from benchmark.files import write_text
from benchmark.params import Missing, planned
from pipelines import stage


def main(task: str, method: str) -> None:
    params, spec = stage.params(), stage.task_of(task)
    entry = stage.planned("methods", task, method)
    wanted = planned(entry)
    masks = inputs.masks(spec, stage.INPUTS / task, Missing(**entry["masks"])) if "masks" in entry else None
    device = train.device(params.runtime.device)
    cell = cells.load(task, spec, stage.training(), stage.INPUTS / task, device, masks)
    models, folder = stage.MODELS / task, stage.MODELS / task / method

    given = targets.load(cell, models / "targets", wanted.teacher)
    imagined = tnet.load_hallucinators(cell, models, wanted.tnet)
    teachers = checkpoints.load(models / "teacher")[0] if wanted.mix != "none" else None
    tried = tuning.candidates(stage.planned("tuning")["weights"], wanted.terms)
    if len(tried) > 1:
        print(f"{task} {method}: {len(tried)} weights are tried, {len(tried)} times the training of one", flush=True)
    about = {"method": entry} | inputs.about(stage.INPUTS / task, student.inputs(cell, wanted))
    paths = [folder / "curves.csv" if len(tried) == 1 else folder / f"curves_{factor:g}.csv" for factor in tried]
    try:
        fits = [
            student.fit(cell, wanted, given, imagined, curves.recorder(path, cell.replicas), factor, teachers)
            for path, factor in zip(paths, tried, strict=True)
        ]
    except student.Impossible as reason:
        save(folder, {}, cells.card(cell, method) | about | {"impossible": str(reason)})
        print(f"{task} {method}: not run: {reason}")
        return
    fitted, chosen = tuning.choose(cell, fits)
    if len(tried) > 1:
        curves.merge(paths, chosen, cell.replicas, folder / "curves.csv")
    about |= {"tuning": tuning.card(cell, tried, chosen)}
    save(folder, fitted.state, cells.card(cell, method, fitted) | about)
    print(f"{task} {method}: {len(cell.replicas)} replicas, {cells.summary(fitted)}")


def save(folder: Path, state: dict, card: dict) -> None:
    """Weights and card, and the card as a page for people."""
    checkpoints.save(folder, state, card)
    write_text(folder / "README.md", modelcard.page(card))


if __name__ == "__main__":
    stage.run(main)
