"""A whole run where there is no network, and in which no program asks for an address beyond this machine."""

import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from clones import Clone, make_small

GUARD = Path(__file__).parent / "guard"
ALONE = ["unshare", "--map-root-user", "--net", "sh", "-c", 'ip link set lo up 2> /dev/null; exec "$@"', "alone"]
CODE = {".bin", ".ckpt", ".dill", ".h5", ".joblib", ".pickle", ".pkl", ".pt", ".pth"}  # may run when it is loaded


CHAIN = """
from pipelines import degrade, distill, evaluate, features, inputs, masks, prepare, report, teacher, track
for stage in (prepare, features, degrade):
    stage.main("biovid")
for stage in (inputs, masks, teacher):
    stage.main("biovid_level")
for method in ("prevalent_only", "kd"):
    distill.main("biovid_level", method)
evaluate.main("biovid_level")
report.main()
track.main(False, False)
"""  # what dvc repro runs, in one process


def smaller(params: dict) -> None:
    make_small(params)
    params["suite"] |= {"datasets": ["biovid"], "tasks": ["biovid_level"], "methods": ["prevalent_only", "kd"]}


def alone() -> list[str]:
    """What goes before a command so that it has no network; nothing where the system does not let us."""
    tried = subprocess.run([*ALONE, "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        warnings.warn(f"run with a network, as no namespace can be made: {tried.stderr.strip()}", stacklevel=1)
    return [] if tried.returncode else ALONE


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    clone, asked = Clone(tmp_path_factory.mktemp("alone")), tmp_path_factory.mktemp("asked") / "addresses"
    clone.edit(smaller)
    for words in (["dvc", "repro", "plan"], [sys.executable, "-c", CHAIN]):
        done = clone.run(*alone(), *words, PYTHONPATH=f"{GUARD}:{clone.folder}", ADDRESSES=str(asked))
        assert done.returncode == 0, done.stderr[-3000:]
    return clone, asked


def test_everything_runs_without_a_network(run):
    clone, _ = run
    assert (clone.folder / "mlflow.db").stat().st_size and (clone.folder / "results" / "report.html").stat().st_size


def test_no_program_asks_for_an_address_beyond_this_machine(run):
    _, asked = run
    assert not asked.exists(), asked.read_text()[:2000]


def test_who_asks_is_written_down(tmp_path):
    code = "import socket\ntry: socket.create_connection(('192.0.2.1', 9), timeout=0.01)\nexcept OSError: pass"
    said = {"PYTHONPATH": str(GUARD), "ADDRESSES": str(tmp_path / "addresses")}
    subprocess.run([sys.executable, "-c", code], env=said, check=True)
    assert "socket.connect ('192.0.2.1', 9)" in (tmp_path / "addresses").read_text()


def test_nothing_that_runs_when_it_is_loaded_is_written(run):
    clone, _ = run
    written = [path for part in ("data", "results", "mlruns") for path in (clone.folder / part).rglob("*")]
    assert any(path.suffix == ".safetensors" for path in written)
    assert [path for path in written if path.suffix in CODE] == []
