"""MLflow, and the only file that imports it: runs are mirrored by key and digest, the best students registered."""

import json
import logging
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("DO_NOT_TRACK", "true")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "1")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")

import numpy as np
from filelock import FileLock
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, ViewType
from mlflow.exceptions import MlflowException
from mlflow.models import Model, ModelSignature
from mlflow.store.tracking import DEFAULT_LOCAL_FILE_AND_ARTIFACT_PATH
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from mlflow.tracking import MlflowClient, get_tracking_uri
from mlflow.types import Schema, TensorSpec
from sqlalchemy.exc import SQLAlchemyError

from benchmark.files import replacing
from benchmark.progress import progress
from benchmark.records import CONTROLS
from benchmark.tracking import database
from benchmark.tracking.runs import Run, views

for noisy in ("mlflow", "alembic"):  # they print tracebacks of errors that are told here in a sentence
    logging.getLogger(noisy).setLevel(logging.CRITICAL)

BATCH = 1000  # metrics in one request
AT_ONCE = 4  # requests to a server
LIVE = "live/"  # keys of runs that mirror a training


class Unreachable(Exception):
    """The tracking server or database cannot be used; the text says why, and what to do."""


@dataclass
class Mirrored:
    """What an experiment holds now, and what had to be done for it."""

    experiment: str  # its number
    ids: dict[str, str]  # key -> id of the run
    written: int
    kept: int
    deleted: int


@contextmanager
def connected() -> Iterator[MlflowClient]:
    """A client; whatever goes wrong with it is one sentence."""
    uri = get_tracking_uri()
    try:
        if uri.startswith("sqlite:///"):
            path = Path(uri.removeprefix("sqlite:///").split("?")[0])
            database.check_file(path)
            make(path)
        elif "://" in uri and not uri.startswith("http"):
            database.check_host(uri)
        yield MlflowClient()
    except (MlflowException, SQLAlchemyError, OSError, ImportError) as error:
        raise Unreachable(f"MLflow at {shown(uri)} cannot be used: {reason(error)}") from None


def make(path: Path) -> None:
    """MLflow's tables where there are none: all or none of them, since a database in which a killed process has left
    some cannot be opened any more."""
    if path.stat().st_size:
        return
    with FileLock(f"{path}-making"):
        if path.stat().st_size:  # somebody else has made them meanwhile
            return
        with replacing(path) as partial:
            for left in (partial, Path(f"{partial}-journal")):
                left.unlink(missing_ok=True)
            SqlAlchemyStore(f"sqlite:///{partial}", DEFAULT_LOCAL_FILE_AND_ARTIFACT_PATH).engine.dispose()


def reason(error: Exception) -> str:
    """The first line of what MLflow says, or plainer words for what happens often."""
    text = str(error)
    known = {
        "(sqlite3.DatabaseError)": f"it is damaged. {database.AGAIN}",
        "already exists": f"its tables are half made. {database.AGAIN}",
        "database is locked": "Another program is writing to it: wait, or end that program",
        "disk is full": "no space is left on its disk; free some",
        "Connection refused": "nothing answers there",
        "Connection reset": "it broke the connection off",
        "closed connection": "it broke the connection off",
        "Name or service not known": "there is no such host",
        "timed out": "it does not answer in time",
        "No module named 'psycopg": "this Python has no driver for it; say postgresql+psycopg2:// and install psycopg2",
        "Invalid Host header": "it refuses requests under this name; start it with --allowed-hosts",
    }
    return next((words for mark, words in known.items() if mark in text), text.splitlines()[0][:300] if text else "")


def shown(uri: str) -> str:
    """An address without the password in it."""
    scheme, _, rest = uri.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"


def mirror(
    experiment: str, runs: dict[str, Run], context: dict[str, str], keep: Callable[[str], bool] = lambda key: False
) -> Mirrored:
    """Make the experiment hold exactly these runs: equal ones are kept, changed ones replaced, others deleted.

    context (commit and the like) is tagged on new runs and does not make a run differ. keep(key) tells which runs
    stay though they are not wanted: those of others, which have no key, always do.
    """
    with connected() as client:
        number = experiment_number(client, experiment)
        wanted, ids, stale = {key: run.digest for key, run in runs.items()}, {}, []
        for key, found in held(client, number).items():
            for run_id, digest in found:
                if digest == wanted.get(key) and key not in ids:
                    ids[key] = run_id
                elif key in wanted or not keep(key):
                    stale.append(run_id)
        kept, new = len(ids), [key for key in runs if key not in ids]

        def put(key: str) -> None:
            ids[key] = write(client, number, key, runs[key], wanted[key], context)

        with ThreadPoolExecutor(AT_ONCE if client.tracking_uri.startswith("http") else 1) as several:
            list(several.map(client.delete_run, stale))
            told = {str(runs[key].dataset): key for key in reversed(new)}.values()
            for key in told:  # two runs that introduce a dataset at once fail
                put(key)
            rest = [key for key in new if key not in ids]
            list(progress(several.map(put, rest), len(rest), "MLflow runs"))
        return Mirrored(number, ids, len(new), kept, len(stale))


def experiment_number(client: MlflowClient, name: str) -> str:
    home = client.get_experiment_by_name(name)
    return home.experiment_id if home else client.create_experiment(name)


def held(
    client: MlflowClient, experiment: str, like: str = "%", status: str | None = None
) -> dict[str, list[tuple[str, str]]]:
    """key -> [(run id, digest)] of an experiment's runs whose keys are like that, of any status or of one."""
    wanted = f"tags.key LIKE '{like}'"  # runs of other people carry none and are left alone
    wanted += f" and attributes.status = '{status}'" if status else ""
    found, token = {}, None
    while True:
        page = client.search_runs([experiment], wanted, ViewType.ACTIVE_ONLY, max_results=1000, page_token=token)
        for run in page:
            # an interrupted run has no digest of its own yet
            digest = run.data.tags.get("digest", "") if run.info.status == "FINISHED" else ""
            found.setdefault(run.data.tags["key"], []).append((run.info.run_id, digest))
        token = page.token
        if not token:
            return found


def write(client: MlflowClient, experiment: str, key: str, run: Run, digest: str, context: dict[str, str]) -> str:
    tags = run.tags | context | {"key": key, "digest": digest}
    made = client.create_run(experiment, run_name=run.name, tags=tags).info
    metrics = [Metric(name, value, 0, step) for name, value, step in run.metrics if np.isfinite(value)]
    params = [Param(name, value) for name, value in sorted(run.params.items())]
    for start in range(0, max(len(metrics), 1), BATCH):
        client.log_batch(made.run_id, metrics[start : start + BATCH], params if start == 0 else [])
    if run.dataset:
        dataset = Dataset(source_type="local", **run.dataset)
        client.log_inputs(made.run_id, [DatasetInput(dataset, [InputTag("mlflow.data.context", "evaluation")])])
    for path in run.artifacts:
        client.log_artifact(made.run_id, str(path), "model" if run.signature else None)
    if run.signature:
        with tempfile.TemporaryDirectory() as folder:
            described(run.signature, made.run_id).save(f"{folder}/MLmodel")
            client.log_artifact(made.run_id, f"{folder}/MLmodel", "model")
    client.set_terminated(made.run_id)
    return made.run_id


def begin(client: MlflowClient, experiment: str, key: str) -> str:
    """A RUNNING run of a model in training, task/model: its id. The next mirror deletes it when training is over."""
    task, model, *_ = key.split("/")
    tags = {"key": f"{LIVE}{key}", "level": "live", "task": task, "method": model}
    name = f"{model} {task} in training"
    return client.create_run(experiment, run_name=name, tags=tags).info.run_id


def append(client: MlflowClient, run_id: str, points: list[tuple[str, float, int]]) -> None:
    """Add (name, value, step) to a run, as of now."""
    now = int(time.time() * 1000)
    metrics = [Metric(name, value, now, step) for name, value, step in points]
    for start in range(0, len(metrics), BATCH):
        client.log_batch(run_id, metrics[start : start + BATCH])


def described(signature: dict, run_id: str) -> Model:
    """What MLflow writes about a model: where it comes from, what goes in and what comes out."""
    inputs, outputs = (
        Schema([TensorSpec(np.dtype("float32"), tuple(shape), name) for name, shape in signature[side].items()])
        for side in ("inputs", "outputs")
    )
    return Model("model", run_id, signature=ModelSignature(inputs, outputs))


def register(experiment: str, runs: dict[str, Run], mirrored: Mirrored) -> int:
    """Give each model run a version of the registered model <experiment>.<task>, with the alias `best`: how many new.

    A model that was registered before, by its digest, gets no second version.
    """
    new = 0
    with connected() as client:
        for key, run in runs.items():
            if not run.signature:
                continue
            name, digest = f"{experiment}.{run.tags['task']}", run.digest
            if not client.search_registered_models(f"name = '{name}'"):
                client.create_registered_model(name, description=f"The best student of {run.tags['task']}")
            found = client.search_model_versions(f"name = '{name}'")
            numbers = {version.tags.get("digest"): version.version for version in found}
            if digest not in numbers:
                numbers[digest], new = new_version(client, name, run, digest, mirrored.ids[key]), new + 1
            if client.get_registered_model(name).aliases.get("best") != numbers[digest]:
                client.set_registered_model_alias(name, "best", numbers[digest])
    return new


def new_version(client: MlflowClient, name: str, run: Run, digest: str, run_id: str) -> str:
    [(metric, value, _), *_] = run.metrics
    about = {name: run.tags[name] for name in ("method", "dataset", "provenance")}
    about |= {"metric": metric, "score": f"{value:.4f}", "digest": digest}
    title = "SYNTHETIC recordings: " if run.tags["provenance"] == "synthetic" else ""
    source = f"{client.get_run(run_id).info.artifact_uri}/model"
    said = f"{title}{run.tags['method']}, {metric} {value:.3f}"
    return client.create_model_version(name, source, run_id, tags=about, description=said).version


def save_views(runs: dict[str, Run], mirrored: Mirrored) -> None:
    """Put a saved view of each task, by its name, into the menu above MLflow's table of runs."""
    with connected() as client:
        there = client.get_experiment(mirrored.experiment).tags
        for task, state in views(runs).items():
            name, stamps = f"mlflow.sharedViewState.{task}", {"createdAt": 0, "updatedAt": 0}
            text = json.dumps({"name": task, **stamps, "state": json.dumps(state)})
            if there.get(name) != text:
                client.set_experiment_tag(mirrored.experiment, name, text)


def links(runs: dict[str, Run], mirrored: Mirrored) -> dict[str, str]:
    """Addresses in the browser: per task the table of its methods, best first, their comparison, and the models."""
    uri = get_tracking_uri()
    base = uri.rstrip("/") if uri.startswith("http") else "http://127.0.0.1:5000"
    scored, found = {}, {}
    for key, run in runs.items():
        if run.tags["level"] == "method" and run.metrics and run.tags["method"] not in CONTROLS:
            scored.setdefault(run.tags["task"], []).append(mirrored.ids[key])
    for task, ids in scored.items():
        found[f"{task}: methods"] = f"{base}/#/experiments/{mirrored.experiment}/runs?viewStateShareKey={task}"
        own, home = json.dumps(ids, separators=(",", ":")), json.dumps([mirrored.experiment])
        found[f"{task}: comparison"] = f"{base}/#/compare-runs?runs={quote(own)}&experiments={quote(home)}"
    return found | {"models": f"{base}/#/models"}
