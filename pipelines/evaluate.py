"""evaluate: trained networks -> predictions and records of every model under every condition."""

import json
import shutil
from pathlib import Path

import pandas as pd
from torch import Tensor

from benchmark import cell as cells
from benchmark import controls, embeddings, evaluation, geometry, inputs, missing, records, scores, teacher, train
from benchmark.files import write_json, write_table
from benchmark.progress import progress
from benchmark.report import leaderboard
from pipelines import stage


def main(task: str) -> None:
    params, spec = stage.params(), stage.task_of(task)
    device, masks = train.device(params.runtime.device), inputs.load_masks(stage.MASKS / f"{task}.npz")
    cell = cells.load(task, spec, stage.training(), stage.INPUTS / task, device, masks)
    for folder in (stage.PREDICTIONS / task, stage.RECORDS / task):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    names = records.names(params.suite.methods)
    cards, tables = predicted(cell, params, names)
    entries = recorded(cell, params, cards, tables)
    for name in names:
        write_json(stage.RECORDS / task / f"{name}.json", entries[name])
    ranked = {name: tables[name] for name in params.suite.methods if name in tables}
    write_json(stage.RESULTS / "ranks" / f"{task}.json", scores.ranking(spec, ranked, params.evaluation.confidence))
    summarise(task, names)
    print(f"{task}: {len(names)} models scored on {len(cell.table.clip_id)} clips")


def predicted(cell, params, names: list[str]) -> tuple[dict, dict]:
    """Cards of all models, and the statistics of those that can be scored; writes predictions and embeddings."""
    task, spec, models = cell.name, cell.task, stage.MODELS / cell.name
    degraded = inputs.degraded(spec, stage.INPUTS / task, stage.DEGRADED)
    scenes = evaluation.scenes(cell, stage.INPUTS / task, params.missing, degraded)
    rows, headline = embeddings.clips(cell), "+".join(spec.prevalent)
    joint, seen = said_by_teachers(cell, models, rows)
    cards, tables = {}, {}
    for name in progress(names, len(names), f"{task} predictions"):
        cards[name], networks = restored(cell, models, name)
        if name in records.CONTROLS:
            found = controls.availability(cell)
        elif networks:
            without = [entry["seed"] for entry in cards[name]["left_out"]]
            found = evaluation.predict(cell, networks, scenes, without)
            cards[name] |= {"available": evaluation.available(cell, cards[name])}
            if name not in records.TEACHERS:
                cards[name] |= {"geometry": geometry.compare(cell, networks, joint, without)}
                seen |= embeddings.joint(cell, networks[0], rows, name, spec.prevalent)
        else:
            continue
        write_table(stage.PREDICTIONS / task / f"{name}.parquet", found)
        tables[name] = scores.tables(spec, found)
        cards[name] |= {"tested": records.tested(found, headline)}
    embeddings.save(stage.RESULTS / "embeddings" / f"{task}.npz", seen)
    return cards, tables


def recorded(cell, params, cards: dict, tables: dict) -> dict[str, dict]:
    """The records of all models, by name."""
    source = json.loads((stage.INPUTS / cell.name / "source.json").read_text())
    shared = records.shared(cell.task, source, evaluation.counts(cell), params.evaluation, params.missing)
    shared |= {"identity": controls.identity(cell)}
    entries, listed = {}, missing.listed(cell.task, params.missing, params.suite.degradations)
    for name, card in progress(cards.items(), len(cards), f"{cell.name} scores"):
        entry = {"task": cell.name, "method": name} | shared | {"training": card["training"]}
        entry |= {"options": card.get("method"), "device": card["device"]}
        entry |= {key: card.get(key) for key in ("left_out", "tuning", "raw", "geometry", "available", "tested")}
        if name in tables:
            entry |= scored(cell.task, name, tables, listed, card, shared["data"]["fold"], params.evaluation)
        else:
            entry |= unscored(card)
        entries[name] = entry
    baseline = entries["prevalent_only"]["conditions"]
    for name in set(tables) - set(records.CONTROLS):
        table, path = next(iter(tables[name].subjects.values())), stage.MODELS / cell.name / name / "curves.csv"
        learnt = pd.read_csv(path) if path.exists() else None
        entries[name]["robustness"] = scores.robust(cell.task, entries[name]["conditions"], baseline, table, learnt)
    records.adjust(list(entries.values()))
    return entries


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
    status = "diverged" if any("diverged" in entry for entry in card["replicas"]) else "no score"
    return {"status": status, "reason": f"no seed is left ({reasons})", "conditions": {}, "replicas": replicas}


def summarise(task: str, names: list[str]) -> None:
    """Headline scores for `dvc metrics` and `dvc plots`."""
    found = records.load(stage.RECORDS, [task], names)
    scores, provenance = leaderboard.headline_scores(list(found.values())), found[task, names[0]]["provenance"]
    # the task stands in the names too: DVC shows names alone where they differ between files
    write_json(stage.RESULTS / "metrics" / f"{task}.json", {task: {provenance: scores}})
    bars = pd.DataFrame(
        [(f"{name} ({provenance})", score) for name, score in scores.items()], columns=["method", "score"]
    )
    write_table(stage.RESULTS / "plots" / f"{task}.csv", bars)


def scored(spec, name: str, tables: dict, listed: list, card: dict, fold: dict, options) -> dict:
    return {
        "status": "ok",
        "conditions": scores.conditions(spec, tables[name], listed, options, name not in records.CONTROLS),
        "replicas": scores.replicas(spec, tables[name], listed, card),
    } | scores.compare(spec, name, tables, fold, options)


if __name__ == "__main__":
    stage.run(main)
