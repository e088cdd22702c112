"""A tracking server of one's own, on SQLite and on PostgreSQL: mirrored, out of reach, and caught up with."""

import io
import json
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import redirect_stdout
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml
from test_params import SHIPPED
from test_tracking import mlflow, record, student

from benchmark import records
from benchmark.tracking import live, store
from pipelines import track

ROOT = Path(__file__).parents[1]
METHODS = ["prevalent_only", "kd"]
TASK = "biovid_level"


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def wait_for(ready, process: subprocess.Popen, log: Path) -> None:
    until = time.monotonic() + 120
    while not ready():
        assert process.poll() is None and time.monotonic() < until, log.read_text()[-2000:]
        time.sleep(0.1)


class Server:
    """`mlflow server` in a process of its own."""

    def __init__(self, folder: Path, store: str):
        self.folder, self.port = folder, free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.words = [
            *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port)),
            *("--workers", "1", "--backend-store-uri", store, "--artifacts-destination", str(folder / "artifacts")),
        ]

    def start(self) -> None:
        log = self.folder / "server.log"
        with log.open("a") as file:
            # a session of its own: its workers end with it
            self.process = subprocess.Popen(
                self.words, cwd=self.folder, env=os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
                stdout=file, stderr=file, start_new_session=True,
            )  # fmt: skip
        wait_for(self.answers, self.process, log)

    def answers(self) -> bool:
        try:
            return urllib.request.urlopen(f"{self.address}/health", timeout=2).status == 200
        except OSError:
            return False

    def kill(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, 9)
        self.process.wait()


def sqlite_store(folder: Path):
    yield f"sqlite:///{folder}/server.db"


def postgres_store(folder: Path):
    """A database in a cluster that is thrown away; PostgreSQL refuses to run as root."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    found = [shutil.which(name, path=os.pathsep.join([os.environ["PATH"], *map(str, debian)])) for name in BINARIES]
    if not all(found) or not find_spec("psycopg2"):
        pytest.skip(f"needs the programs {', '.join(BINARIES)} of PostgreSQL and the package psycopg2")
    user, home = None, Path(tempfile.mkdtemp(prefix="pg"))
    if os.getuid() == 0:
        user = next(name for name in ("postgres", "nobody") if name in {entry.pw_name for entry in pwd.getpwall()})
        shutil.chown(home, user)
    initdb, postgres = found
    subprocess.run(
        [initdb, "-D", home / "data", "-U", "runs", "-A", "trust", "--no-sync"],
        check=True, capture_output=True, user=user, cwd=home,
    )  # fmt: skip
    port, log = free_port(), folder / "postgres.log"
    with log.open("w") as file:
        words = [postgres, "-D", home / "data", "-h", "127.0.0.1", "-p", str(port), "-k", home, "-F"]
        process = subprocess.Popen(words, stdout=file, stderr=file, user=user, cwd=home)
    import psycopg2

    def ready() -> bool:
        try:
            psycopg2.connect(host="127.0.0.1", port=port, user="runs", dbname="postgres").close()
        except psycopg2.OperationalError:
            return False
        return True

    try:
        wait_for(ready, process, log)
        yield f"postgresql+psycopg2://runs@127.0.0.1:{port}/postgres"
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(home, ignore_errors=True)


BINARIES = ("initdb", "postgres")


@pytest.fixture(scope="module", params=[sqlite_store, postgres_store], ids=["sqlite", "postgresql"])
def server(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("server")
    store = request.param(folder)
    made = Server(folder, next(store))
    made.start()
    yield made
    made.kill()
    next(store, None)


class Project:
    """A folder with params and records, and `python -m pipelines.track` in it."""

    def __init__(self, folder: Path, address: str):
        self.address = address
        self.records = folder / "results" / "records" / TASK
        self.records.mkdir(parents=True)
        params = yaml.safe_load(SHIPPED.read_text())
        params["suite"] = {"datasets": ["biovid"], "tasks": [TASK], "methods": METHODS}
        (folder / "params.yaml").write_text(yaml.safe_dump(params))
        for number, method in enumerate(records.names(METHODS)):
            self.write(method, number / 10)
        student(folder / "results" / "models", "kd", task=TASK)

    def write(self, method: str, value: float) -> None:
        whole = dict.fromkeys((*records.COMMON, *records.OWN)) | record(method, value)
        about = {"task": TASK, "version": records.VERSION}
        (self.records / f"{method}.json").write_text(json.dumps(whole | about))

    def train(self, lines: str) -> None:
        """Let a model that is in training write lines."""
        curves = Path("results/models") / TASK / "kdot" / "curves.csv"
        curves.parent.mkdir(exist_ok=True)
        with curves.open("a") as file:
            file.write(lines)

    def track(self) -> str:
        """What the stage prints."""
        with redirect_stdout(io.StringIO()) as said:
            track.main()
        return said.getvalue()

    def track_alone(self) -> subprocess.CompletedProcess:
        given = {"MLFLOW_TRACKING_URI": self.address, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        words = [sys.executable, "-m", "pipelines.track"]
        return subprocess.run(words, env=os.environ | given, capture_output=True, text=True, timeout=120)


@pytest.fixture
def project(server, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mlflow.set_tracking_uri(server.address)
    yield Project(tmp_path, server.address)
    mlflow.set_tracking_uri(None)


def test_a_server_is_mirrored_to_and_caught_up_with_after_it_was_down(server, project):
    said = project.track()
    assert "MLflow: 17 runs written, 0 kept, 0 deleted; 1 models registered" in said
    assert f"{server.address}/#/compare-runs?runs=" in said
    watcher = live.Live("affect-pkd", Path("results/models"))
    project.train("epoch,fold,seed,term,value\n1,0,0,kd,3\n2,0,0,kd,2\n")
    watcher.update()

    project.write("kd", 0.9)
    project.train("3,0,0,kd,1\n")
    server.kill()
    with pytest.raises(store.Unreachable, match=r"nothing answers there|it broke the connection off"):
        watcher.update()  # at once: a connection from before may still be known
    failed = project.track_alone()
    sentence, advice = failed.stderr.strip().splitlines()
    assert sentence == f"error: MLflow at {server.address} cannot be used: nothing answers there"
    assert failed.returncode == 1 and "run `dvc repro` again" in advice

    server.start()
    watcher.update()
    assert "MLflow: 4 runs written, 13 kept, 4 deleted; 1 models registered" in project.track()
    assert "MLflow: 0 runs written, 17 kept, 0 deleted; 0 models registered" in project.track()

    client = mlflow.MlflowClient()
    [run] = client.search_runs([client.get_experiment_by_name("affect-pkd").experiment_id], "tags.level = 'live'")
    assert [point.value for point in client.get_metric_history(run.info.run_id, "epoch/kd")] == [3, 2, 1]
    [version] = client.search_model_versions("tags.score = '0.9000'")
    assert version.tags["method"] == "kd"
    about = mlflow.models.get_model_info(f"models:/affect-pkd.{TASK}@best")
    assert about.signature.inputs.input_names() == ["vision"]


def test_a_server_that_hangs_is_not_waited_for(monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        mlflow.set_tracking_uri(f"http://127.0.0.1:{silent.getsockname()[1]}")
        try:
            with pytest.raises(store.Unreachable, match="it does not answer in time"):
                store.mirror("tests", {}, {})
        finally:
            mlflow.set_tracking_uri(None)
