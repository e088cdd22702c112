"""What can be reached from outside, and what goes out by itself: nothing."""

import inspect
import json
import pickle
import re
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from clones import GUARD, plain
from test_structure import ROOT, SOURCES
from test_tracking_server import free_port
from written import problem

from benchmark.executor import client_of
from benchmark.sections import Runtime

MAKEFILE = (ROOT / "Makefile").read_text()
LOADERS = (  # of files that may run code
    r"joblib\.(load|dump)\(", r"read_pickle\(", r"to_pickle\(", r"torch\.save\(", r"torch\.jit\.load\(", r"dill\b",
    r"cloudpickle\b", r"marshal\b", r"shelve\b", r"yaml\.(unsafe_load|full_load)", r"pickle\.dumps?\(",
)  # fmt: skip
REACHES = r"(?m)^\s*(import|from) (requests|urllib\.request|urllib3|httpx|aiohttp|ftplib|smtplib)\b"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_file_that_runs_is_written_or_loaded_and_nobody_is_called(path):
    text = path.read_text()
    for unsafe in (*LOADERS, REACHES, r"0\.0\.0\.0", r"shell=True", r"os\.system"):
        assert not re.search(unsafe, text), unsafe


def test_arrays_are_loaded_without_pickles():
    assert inspect.signature(np.load).parameters["allow_pickle"].default is False


@pytest.mark.parametrize(
    ("name", "write", "told"),
    [
        ("a.csv", lambda path: path.write_bytes(pickle.dumps({"a": 1})), "a pickle"),
        ("a.npy", lambda path: np.save(path, np.array([{}]), allow_pickle=True), "Object arrays cannot be loaded"),
        ("a.npz", lambda path: np.savez(path, n=np.ones(2), o=np.array([None])), "Object arrays cannot be loaded"),
        ("a.pt", lambda path: torch.save(torch.ones(2), path), "of a kind that"),
        ("a.npz", lambda path: np.savez(path, n=np.ones(2)), ""),
        ("a.csv", lambda path: path.write_text("a,b"), ""),
    ],
)
def test_a_file_that_can_run_code_is_known_by_what_is_in_it(name, write, told, tmp_path):
    write(tmp_path / name)
    found = problem(tmp_path / name)
    assert told in found if told else not found


def listening(process: psutil.Process) -> set[tuple[str, int]]:
    """Addresses at which a process and its children wait for others."""
    found = set()
    for one in (process, *process.children(recursive=True)):
        held = one.net_connections("inet")
        found |= {(own.laddr.ip, own.laddr.port) for own in held if own.status == psutil.CONN_LISTEN}
    return found


@pytest.fixture
def page(tmp_path):
    """What make ui starts, as make starts it: its process, port, and the file of addresses it asked for."""
    port = free_port()
    words = re.search(r"mlflow ui [^;]*", MAKEFILE)[0].strip().replace("5000", str(port)).split()
    exported = dict(re.findall(r"(?m)^export (\w+) := ([^$\n]+)$", MAKEFILE))
    said = plain() | exported | {"PYTHONPATH": str(GUARD), "ADDRESSES": str(tmp_path / "addresses")}
    with (tmp_path / "log").open("w") as log:
        server = psutil.Popen(words, cwd=tmp_path, env=said, stdout=log, stderr=log)
    try:
        until = time.monotonic() + 120
        while not listening(server):
            assert server.poll() is None and time.monotonic() < until, (tmp_path / "log").read_text()
            time.sleep(0.2)
        yield server, port, tmp_path / "addresses"
    finally:
        for one in (*server.children(recursive=True), server):
            one.terminate()
        server.wait()


def test_what_make_ui_starts_listens_on_this_machine_alone_and_asks_nobody(page):
    server, port, asked = page
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/ajax-api/3.0/mlflow/ui-telemetry", timeout=60) as answer:
        assert json.load(answer)["disable_ui_telemetry"] is True
    assert listening(server) == {("127.0.0.1", port)}
    assert not asked.exists(), asked.read_text()[:2000]


def test_the_cluster_of_one_machine_listens_on_it_alone():
    with client_of(Runtime(executor="dask", workers=1), 1):
        found = listening(psutil.Process())
    assert len(found) > 1 and {address for address, _ in found} == {"127.0.0.1"}


def test_mlflow_tells_nobody_also_where_no_variable_is_set(tmp_path):
    code = "import benchmark.tracking.store\nfrom mlflow.telemetry import get_telemetry_client, utils\n"
    code += "print(utils.is_telemetry_disabled(), get_telemetry_client(), utils._IS_IN_CI_ENV_OR_TESTING)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=plain(), capture_output=True, text=True)
    assert done.stdout.split() == ["True", "None", "False"], done.stderr  # in no test, where it would be silent anyway


@pytest.mark.parametrize("name", ["MLFLOW_DISABLE_TELEMETRY", "DO_NOT_TRACK"])
def test_the_makefile_and_the_activated_environment_switch_telemetry_off(name):
    assert re.search(rf"^export {name} := true$", MAKEFILE, re.M)
    assert re.search(rf"echo 'export .*\b{name}=true\b.*' >> \$\(BIN\)/activate", MAKEFILE)


def test_the_pickles_of_dvc_lie_where_nobody_else_may_write(tmp_path):
    """Left alone it puts them into /var/tmp/dvc, for everybody to change."""
    assert "export DVC_SITE_CACHE_DIR := $(CURDIR)/.venv/dvc\n" in MAKEFILE
    assert re.search(r"""echo 'export DVC_SITE_CACHE_DIR="\$\$VIRTUAL_ENV/dvc"' >> \$\(BIN\)/activate""", MAKEFILE)
    assert "install -d -m 700 $@" in MAKEFILE
    site, dvc = tmp_path / "site", Path(sys.executable).with_name("dvc")
    site.mkdir(0o700)
    said = plain() | {"DVC_SITE_CACHE_DIR": str(site)}
    (tmp_path / "project").mkdir()
    for words in (["init", "--quiet", "--no-scm"], ["status"]):
        subprocess.run([dvc, *words], cwd=tmp_path / "project", env=said, check=True, capture_output=True)
    assert list(site.rglob("cache.db")) and not site.stat().st_mode & 0o077


@pytest.mark.parametrize("name", ["core.analytics", "core.check_update"])
def test_dvc_asks_and_tells_nobody(name):
    dvc = Path(sys.executable).with_name("dvc")
    done = subprocess.run([dvc, "config", "--project", name], cwd=ROOT, env=plain(), capture_output=True, text=True)
    assert done.stdout.strip() == "false", done.stderr
