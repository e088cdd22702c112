"""evaluate: trained networks -> predictions and records of every model under every condition."""

import json
import shutil
from pathlib import Path

import pandas as pd
from torch import Tensor

from benchmark import cell as cells
from benchmark import controls, embeddings, evaluation, geometry, missing, records, scores, teacher, train
from benchmark.files import write_json
from benchmark.progress import progress
from benchmark.report import leaderboard
from pipelines import stage


def main(task: str) -> None:
    params, spec = stage.params(), stage.task_of(task)
    cell = cells.load(task, spec, params.training, stage.INPUTS / task, train.device(params.runtime.device))
    names, models = records.names(params.suite.methods), stage.MODELS / task
    for folder in (stage.PREDICTIONS / task, stage.RECORDS / task):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    scenes = evaluation.scenes(cell, stage.INPUTS / task, params.missing)
    rows = embeddings.clips(cell)
    joint, seen = said_by_teachers(cell, models, rows)
    cards, tables = {}, {}
    for name in progress(names, len(names), f"{task} predictions"):
        cards[name], networks = restored(cell, models, name)
        without = [entry["seed"] for entry in cards[name]["left_out"]]
        if name in records.CONTROLS:
            found = controls.availability(cell)
        elif networks:
            found = evaluation.predict(cell, networks, scenes, without)
            cards[name] |= {"available": evaluation.available(cell, cards[name])}
            if name not in records.TEACHERS:
                cards[name] |= {"geometry": geometry.compare(cell, networks, joint, without)}
                seen |= embeddings.joint(cell, networks[0], rows, name, cell.task.prevalent)
        else:
            continue
        found.to_parquet(stage.PREDICTIONS / task / f"{name}.parquet", index=False)
        tables[name] = scores.tables(spec, found)
    embeddings.save(stage.RESULTS / "embeddings" / f"{task}.npz", seen)

    source = json.loads((stage.INPUTS / task / "source.json").read_text())
    shared = records.shared(spec, source, evaluation.counts(cell), params.evaluation)
    shared |= {"identity": controls.identity(cell)}
    entries, listed = {}, missing.listed(spec, params.missing)
    for name in progress(names, len(names), f"{task} scores"):
        entry = {"task": task, "method": name} | shared | {"training": cards[name]["training"]}
        entry |= {"options": cards[name].get("method"), "device": cards[name]["device"]}
        entry |= {key: cards[name].get(key) for key in ("left_out", "tuning", "raw", "geometry", "available")}
        if name in tables:
            entry |= scored(spec, name, tables, listed, cards[name], shared["data"]["fold"], params.evaluation)
        else:
            entry |= unscored(cards[name])
        entries[name] = entry
    for name, table in tables.items():
        baseline, truth = entries["prevalent_only"]["conditions"], next(iter(table.subjects.values()))
        own, curves = entries[name]["conditions"], models / name / "curves.csv"
        learnt = pd.read_csv(curves) if curves.exists() else None
        entries[name]["robustness"] = scores.robust(spec, own, baseline, truth, learnt)
    records.adjust(list(entries.values()))
    ranked = {name: tables[name] for name in params.suite.methods if name in tables}
    write_json(stage.RESULTS / "ranks" / f"{task}.json", scores.ranking(spec, ranked, params.evaluation.confidence))
    for name in names:
        write_json(stage.RECORDS / task / f"{name}.json", entries[name])
    summarise(task, names)
    print(f"{task}: {len(names)} models scored on {len(cell.table.clip_id)} clips under {len(scenes)} conditions")


def said_by_teachers(cell, models: Path, rows) -> tuple[Tensor, dict]:
    """The teachers' z of all clips (replicas, N, WIDTH), and what the first of them says of the given clips."""
    _, networks = evaluation.restore(cell, models, "teacher")
    first = embeddings.joint(cell, networks[0], rows, "teacher", teacher.modalities(cell))
    first |= embeddings.about(cell, rows) | embeddings.imagined(cell, networks[0], rows, models)
    return teacher.everything(cell, networks)["z"], first


def restored(cell, models: Path, name: str) -> tuple[dict, list | None]:
    """A model's card and networks; no networks where its method could not be run, or no seed can be scored."""
    if name in records.CONTROLS:
        return cells.card(cell, name) | {"replicas": [], "left_out": []}, None
    card, networks = evaluation.restore(cell, models, name)
    card |= {"left_out": evaluation.left_out(card)}
    left = set(cell.training.seeds) - {entry["seed"] for entry in card["left_out"]}
    return card, networks if left else None


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
    write_json(stage.RESULTS / "metrics" / f"{task}.json", {provenance: scores})
    (stage.RESULTS / "plots").mkdir(parents=True, exist_ok=True)
    bars = pd.DataFrame(
        [(f"{name} ({provenance})", score) for name, score in scores.items()], columns=["method", "score"]
    )
    bars.to_csv(stage.RESULTS / "plots" / f"{task}.csv", index=False)


def scored(spec, name: str, tables: dict, listed: list, card: dict, fold: dict, options) -> dict:
    return {
        "status": "ok",
        "conditions": scores.conditions(spec, tables[name], listed, options),
        "replicas": scores.replicas(spec, tables[name], listed, card),
    } | scores.compare(spec, name, tables, fold, options)


if __name__ == "__main__":
    stage.run(main)
