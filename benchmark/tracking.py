"""MLflow, and the only file that imports it: runs are mirrored from records, by key and digest."""

import hashlib
import json
import os
from pathlib import Path
from urllib.parse import quote

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("DO_NOT_TRACK", "true")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")

import numpy as np
import pandas as pd
from mlflow.entities import Metric, Param, ViewType
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from benchmark.progress import progress

BATCH = 1000  # metrics in one request


class Unreachable(Exception):
    """The tracking server cannot be used; the text says why."""


class Run(dict):
    """What one MLflow run shall hold: name, tags, params, metrics [(name, value, step)], artifacts [path]."""

    @property
    def digest(self) -> str:
        held = {name: value for name, value in self.items() if name != "artifacts"}
        text = json.dumps(held, sort_keys=True, default=str)
        files = "".join(hashlib.md5(Path(path).read_bytes()).hexdigest() for path in self.get("artifacts", []))
        return hashlib.blake2b((text + files).encode(), digest_size=12).hexdigest()


def mirror(experiment: str, runs: dict[str, Run], context: dict[str, str]) -> dict[str, int]:
    """Make the experiment hold exactly these runs: equal ones are kept, changed ones replaced, others deleted.

    context (commit and the like) is tagged on new runs and does not make a run differ.
    """
    try:
        return _mirror(MlflowClient(), experiment, runs, context)
    except (MlflowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise Unreachable(f"MLflow at {MlflowClient().tracking_uri} cannot be used: {reason}") from None


def _mirror(client: MlflowClient, experiment: str, runs: dict[str, Run], context: dict[str, str]) -> dict[str, int]:
    home = client.get_experiment_by_name(experiment)
    number = home.experiment_id if home else client.create_experiment(experiment)
    wanted, kept, stale = {key: run.digest for key, run in runs.items()}, set(), []
    for key, found in held(client, number).items():
        for run_id, digest in found:
            if digest == wanted.get(key) and key not in kept:
                kept.add(key)
            else:
                stale.append(run_id)
    for run_id in stale:
        client.delete_run(run_id)
    new = [key for key in runs if key not in kept]
    for key in progress(new, len(new), "MLflow runs"):
        write(client, number, key, runs[key], wanted[key], context)
    return {"written": len(new), "kept": len(kept), "deleted": len(stale)}


def held(client: MlflowClient, experiment: str) -> dict[str, list[tuple[str, str]]]:
    """key -> [(run id, digest)] of the finished and unfinished runs of an experiment."""
    found, token = {}, None
    while True:
        page = client.search_runs([experiment], run_view_type=ViewType.ACTIVE_ONLY, max_results=1000, page_token=token)
        for run in page:
            # an interrupted run has no digest of its own yet
            digest = run.data.tags.get("digest", "") if run.info.status == "FINISHED" else ""
            if key := run.data.tags.get("key"):  # runs of other people carry none and are left alone
                found.setdefault(key, []).append((run.info.run_id, digest))
        token = page.token
        if not token:
            return found


def write(client: MlflowClient, experiment: str, key: str, run: Run, digest: str, context: dict[str, str]) -> None:
    tags = run["tags"] | context | {"key": key, "digest": digest}
    run_id = client.create_run(experiment, run_name=run["name"], tags=tags).info.run_id
    metrics = [Metric(name, value, 0, step) for name, value, step in run["metrics"] if np.isfinite(value)]
    params = [Param(name, str(value)) for name, value in sorted(run["params"].items())]
    for start in range(0, max(len(metrics), 1), BATCH):
        client.log_batch(run_id, metrics[start : start + BATCH], params if start == 0 else [])
    for path in run.get("artifacts", []):
        client.log_artifact(run_id, str(path))
    client.set_terminated(run_id)


def links(experiment: str, tasks: list[str]) -> dict[str, str]:
    """Paths below the address of `mlflow ui`: per task the table of its methods, and their comparison."""
    client = MlflowClient()
    number = client.get_experiment_by_name(experiment).experiment_id
    latest_first = held(client, number).items()
    there = {key: runs[0][0] for key, runs in reversed(latest_first) if key.count("/") == 1}
    found = {}
    for task in tasks:
        wanted = quote(f'tags.level = "method" and tags.task = "{task}"')
        found[f"{task}: methods"] = f"/#/experiments/{number}/runs?searchFilter={wanted}"
        own = json.dumps([run_id for key, run_id in there.items() if key.startswith(f"{task}/")], separators=(",", ":"))
        found[f"{task}: comparison"] = f"/#/compare-runs?runs={quote(own)}&experiments={quote(json.dumps([number]))}"
    return found


def runs(records: list[dict], curves: dict[tuple[str, str], pd.DataFrame], artifacts: list[Path]) -> dict[str, Run]:
    """Every run of the suite: one per task and method, one per replica, and one with the leaderboard."""
    varying = varying_params(records)
    found = {"leaderboard": leaderboard_run(records, artifacts)}
    for record in records:
        key = f"{record['task']}/{record['method']}"
        own = curves.get((record["task"], record["method"]))
        found[key] = method_run(record, varying, own)
        for replica in record["replicas"]:
            name = f"{key}/{replica['fold']}/{replica['seed']}"
            found[name] = replica_run(record, replica, varying, own)
    return found


def tags(record: dict, level: str) -> dict[str, str]:
    names = ("task", "method", "dataset", "provenance", "status", "device")
    return {name: str(record[name]) for name in names} | {"level": level}


def flat(options: dict | None) -> dict[str, str]:
    """{"term.kdot.k": "30", "tnet": "none", ...} of a method's options; sorted, `method` comes among the first."""
    named = {}
    for name, value in (options or {}).items():
        if name == "terms":
            named |= {f"term.{term}.{key}": str(own) for term, held in value.items() for key, own in held.items()}
        elif name != "digests":
            named[name] = str(value)
    return named


def varying_params(records: list[dict]) -> set[str]:
    """Names of the options that are not the same in every method."""
    held = [flat(record["options"]) for record in records if record["options"]]
    return {name for own in held for name in own if len({other.get(name) for other in held}) > 1}


def chosen(record: dict, varying: set[str]) -> dict[str, str]:
    own = {name: value for name, value in flat(record["options"]).items() if name in varying}
    return own | {"task": record["task"], "method": record["method"]}


def method_run(record: dict, varying: set[str], curves: pd.DataFrame | None) -> Run:
    metrics = []
    for condition in record["conditions"].values():
        for metric, score in condition.get("scores", {}).items():
            name = condition["alias"]
            metrics += named(score, f"{metric}/{name}", f"{metric}_low/{name}", f"{metric}_high/{name}")
    for name in ("difference", "gap_recovered"):
        if name in record:
            metrics += named(record[name], name, f"{name}_low", f"{name}_high")
    tested = {key: record.get("difference", {}).get(key) for key in ("p", "p_holm")}
    metrics += [(f"difference_{key}", p, 0) for key, p in tested.items() if p is not None]
    metrics += [(f"geometry/{key}", value, 0) for key, value in (record["geometry"] or {}).items()]
    if curves is not None:
        means = curves.groupby(["term", "epoch"]).value.mean().reset_index()
        metrics += [(f"epoch/{row.term}", row.value, row.epoch) for row in means.itertuples()]
    name = f"{record['method']} {record['task']}"
    return Run(name=name, tags=tags(record, "method"), params=chosen(record, varying), metrics=metrics)


def named(score: dict, *names: str) -> list[tuple[str, float, int]]:
    """value, low and high under three names, those that exist."""
    pairs = zip(names, (score["value"], score["low"], score["high"]), strict=True)
    return [(name, value, 0) for name, value in pairs if value is not None]


def replica_run(record: dict, replica: dict, varying: set[str], curves: pd.DataFrame | None) -> Run:
    metrics = [
        (f"{metric}/{record['conditions'][condition]['alias']}", value, 0)
        for condition, scores in replica["scores"].items()
        for metric, value in scores.items()
        if value is not None
    ]
    metrics.append(("best_epoch", replica["epoch"], 0))
    if curves is not None:
        own = curves[(curves.fold == replica["fold"]) & (curves.seed == replica["seed"])]
        metrics += [(f"epoch/{row.term}", row.value, row.epoch) for row in own.itertuples()]
    params = chosen(record, varying) | {"fold": replica["fold"], "seed": replica["seed"]}
    name = f"{record['method']} {record['task']} fold {replica['fold']} seed {replica['seed']}"
    own_tags = tags(record, "replica") | {"fold": str(replica["fold"]), "seed": str(replica["seed"])}
    return Run(name=name, tags=own_tags | {"status": replica["status"]}, params=params, metrics=metrics)


def leaderboard_run(records: list[dict], artifacts: list[Path]) -> Run:
    """The tables and figures of the whole suite."""
    provenance = "+".join(sorted({record["provenance"] for record in records}))
    about = {"level": "leaderboard", "provenance": provenance, "versions": json.dumps(records[0]["versions"])}
    return Run(name=f"leaderboard ({provenance})", tags=about, params={}, metrics=[], artifacts=artifacts)
