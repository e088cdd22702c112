"""evaluate: trained networks -> predictions and records of every model under every condition."""

import json
import shutil

import pandas as pd

from benchmark import cell as cells
from benchmark import checkpoints, evaluation, records, student, teacher, train
from benchmark.files import write_json
from benchmark.progress import progress
from benchmark.report import leaderboard
from pipelines import stage


def main(task: str) -> None:
    params, spec = stage.params(), stage.task_of(task)
    cell = cells.load(task, spec, params.training, stage.INPUTS / task, train.device(params.runtime.device))
    names = [*records.TEACHERS, *params.suite.methods]
    for folder in (stage.PREDICTIONS / task, stage.RECORDS / task):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    cards, predictions = {}, {}
    for name in progress(names, len(names), f"{task} predictions"):
        cards[name], predictions[name] = predict(cell, name)
        if predictions[name] is not None:
            predictions[name].to_parquet(stage.PREDICTIONS / task / f"{name}.parquet", index=False)
    tables = {name: records.tables(spec, found) for name, found in predictions.items() if found is not None}
    shared = facts(task, cell, params)
    for name in progress(names, len(names), f"{task} scores"):
        entry = {"task": task, "method": name} | shared | {"training": cards[name]["training"]}
        entry["options"] = cards[name].get("method")
        if name in tables:
            entry |= scored(spec, predictions[name], tables, name, cards[name], params.evaluation)
        else:
            entry |= {"status": "not run", "reason": cards[name]["impossible"], "conditions": {}, "replicas": []}
        write_json(stage.RECORDS / task / f"{name}.json", entry)
    summarise(task, names)
    print(f"{task}: {len(names)} models scored on {len(cell.table.clip_id)} clips")


def summarise(task: str, names: list[str]) -> None:
    """Headline scores for `dvc metrics` and `dvc plots`."""
    found = records.load(stage.RECORDS, [task], names)
    scores = leaderboard.headline_scores(list(found.values()))
    write_json(stage.RESULTS / "metrics" / f"{task}.json", scores)
    (stage.RESULTS / "plots").mkdir(parents=True, exist_ok=True)
    bars = pd.DataFrame(scores.items(), columns=["method", "score"])
    bars.to_csv(stage.RESULTS / "plots" / f"{task}.csv", index=False)


def predict(cell: cells.Cell, name: str) -> tuple[dict, pd.DataFrame | None]:
    """The card of a model and its predictions; None where it could not be trained."""
    models = stage.MODELS / cell.name
    own = "teacher" if name in records.TEACHERS else name
    state, card = checkpoints.load(models / own)
    if "impossible" in card:
        return card, None
    tnet = "trained" if name == "teacher_hallucinated" else card.get("method", {}).get("tnet", "none")
    imagined = None
    if tnet != "none":
        teacher_state = checkpoints.load(models / "teacher")[0]
        imagined = teacher.hallucinators(cell, teacher_state, checkpoints.load(models / f"tnet_{tnet}")[0])
    if name in records.TEACHERS:
        networks = teacher.restore(cell, state)
        for network, module in zip(networks, imagined or [None] * len(networks), strict=True):
            network.hallucinator = module
    else:
        networks = student.restore(cell, state, imagined)
    return card, evaluation.predict(cell, networks, teacher.modalities(cell))


def facts(task: str, cell: cells.Cell, params) -> dict:
    """What all records of a task share."""
    source = json.loads((stage.INPUTS / task / "source.json").read_text())
    return {
        "version": records.VERSION,
        "dataset": cell.task.dataset,
        "provenance": source["provenance"],
        "definition": stage.planned("tasks", task),
        "headline": {"metric": records.stats.HEADLINE[cell.task.kind], "condition": "+".join(cell.task.prevalent)},
        "data": evaluation.counts(cell) | {"dropped_without_prevalent": source["dropped_without_prevalent"]},
        "features": {name: shape[-1] for name, shape in cell.shapes(teacher.modalities(cell)).items()},
        "evaluation": params.evaluation.model_dump(),
        "device": cell.device.type,
        "versions": records.versions(),
    }


def scored(spec, predictions, tables, name: str, card: dict, options) -> dict:
    return {
        "status": "ok",
        "conditions": records.conditions(spec, predictions, tables[name], options),
        "replicas": records.replicas(spec, predictions, card),
    } | records.comparison(spec, tables[name], tables["prevalent_only"], tables["teacher"], options)


if __name__ == "__main__":
    stage.run(main)
