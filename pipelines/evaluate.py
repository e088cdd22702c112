"""evaluate: trained networks -> predictions and records of every model under every condition."""

import json
import shutil

import pandas as pd

from benchmark import cell as cells
from benchmark import controls, evaluation, geometry, records, teacher, train
from benchmark.files import write_json
from benchmark.progress import progress
from benchmark.report import leaderboard
from pipelines import stage


def main(task: str) -> None:
    params, spec = stage.params(), stage.task_of(task)
    cell = cells.load(task, spec, params.training, stage.INPUTS / task, train.device(params.runtime.device))
    names = records.names(params.suite.methods)
    for folder in (stage.PREDICTIONS / task, stage.RECORDS / task):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    cards, predictions = {}, {}
    joint = teacher.everything(cell, evaluation.restore(cell, stage.MODELS / task, "teacher")[1])["z"]
    for name in progress(names, len(names), f"{task} predictions"):
        cards[name], found = predicted(cell, task, name, joint)
        if found is not None:
            found.to_parquet(stage.PREDICTIONS / task / f"{name}.parquet", index=False)
            predictions[name] = found
    tables = {name: records.tables(spec, found) for name, found in predictions.items()}
    source = json.loads((stage.INPUTS / task / "source.json").read_text())
    shared = records.shared(spec, source, evaluation.counts(cell), params.evaluation)
    shared |= {"identity": controls.identity(cell)}
    entries = []
    for name in progress(names, len(names), f"{task} scores"):
        entry = {"task": task, "method": name} | shared | {"training": cards[name]["training"]}
        entry |= {"options": cards[name].get("method"), "device": cards[name]["device"]}
        entry |= {key: cards[name].get(key) for key in ("left_out", "tuning", "raw", "geometry")}
        if name in tables:
            entry |= scored(spec, name, tables, predictions, cards[name], params.evaluation)
        else:
            entry |= unscored(cards[name])
        entries.append(entry)
    records.adjust(entries)
    for entry in entries:
        write_json(stage.RECORDS / task / f"{entry['method']}.json", entry)
    summarise(task, names)
    print(f"{task}: {len(names)} models scored on {len(cell.table.clip_id)} clips")


def predicted(cell, task: str, name: str, joint) -> tuple[dict, pd.DataFrame | None]:
    """A model's card and predictions; None where its method could not be run, or no seed can be scored.

    A student's card also tells how its geometry compares with that of the teachers, whose z of all clips is joint.
    """
    if name in records.CONTROLS:
        return cells.card(cell, name) | {"replicas": [], "left_out": []}, controls.availability(cell)
    card, networks = evaluation.restore(cell, stage.MODELS / task, name)
    card |= {"left_out": evaluation.left_out(card)}
    without = [entry["seed"] for entry in card["left_out"]]
    left = networks and set(cell.training.seeds) - set(without)
    if not left:
        return card, None
    if name not in records.TEACHERS:
        card |= {"geometry": geometry.compare(cell, networks, joint, without)}
    return card, evaluation.predict(cell, networks, without)


def unscored(card: dict) -> dict:
    """What the record of a model without predictions says."""
    if "impossible" in card:
        return {"status": "not run", "reason": card["impossible"], "conditions": {}, "replicas": []}
    reasons = "; ".join(f"seed {entry['seed']}: {entry['reason']}" for entry in card["left_out"])
    replicas = [entry | {"scores": {}} for entry in card["replicas"]]
    return {"status": "diverged", "reason": f"no seed is left ({reasons})", "conditions": {}, "replicas": replicas}


def summarise(task: str, names: list[str]) -> None:
    """Headline scores for `dvc metrics` and `dvc plots`."""
    found = records.load(stage.RECORDS, [task], names)
    scores, provenance = leaderboard.headline_scores(list(found.values())), found[task, names[0]]["provenance"]
    # the task stands in the names too: DVC shows names alone where they differ between files
    write_json(stage.RESULTS / "metrics" / f"{task}.json", {task: {provenance: scores}})
    (stage.RESULTS / "plots").mkdir(parents=True, exist_ok=True)
    bars = pd.DataFrame(
        [(f"{name} ({provenance})", score) for name, score in scores.items()], columns=["method", "score"]
    )
    bars.to_csv(stage.RESULTS / "plots" / f"{task}.csv", index=False)


def scored(spec, name: str, tables: dict, predictions: dict, card: dict, options) -> dict:
    return {
        "status": "ok",
        "conditions": records.conditions(spec, predictions[name], tables[name], options),
        "replicas": records.replicas(spec, predictions[name], card),
    } | records.comparison(spec, name, tables, predictions, options)


if __name__ == "__main__":
    stage.run(main)
