"""Students trained side by side: what is asked of DVC, and what becomes of a cell that fails or of lost workers."""

import json
import subprocess
from pathlib import Path

import pytest
import yaml
from test_params import SHIPPED

from benchmark import executor
from benchmark.types import NoWorkers
from pipelines import cells, distill, stage

TASK = "biovid_level"


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project of three methods, of which DVC would run two, and what DVC is told to do."""
    raw = yaml.safe_load(SHIPPED.read_text())
    raw["suite"] |= {"tasks": [TASK], "methods": ["prevalent_only", "kd", "kdot"]}
    raw["runtime"] = {"workers": 1}
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(yaml.safe_dump(raw))
    told = []

    def dvc(folder, *words, shown=False):
        told.append(words)
        stale = {cells.name(TASK, method): [{"changed deps": {}}] for method in ("kdot", "kd")}
        return subprocess.CompletedProcess(words, 0, json.dumps(stale), "")

    monkeypatch.setattr(cells, "dvc", dvc)
    return told


def trained(task: str, method: str) -> None:
    """In the place of training: the students of kdot cannot be trained."""
    if method == "kdot":
        raise ValueError("k is too large")
    folder = stage.MODELS / task / method
    assert not folder.exists(), "as DVC removes it"
    folder.mkdir(parents=True)


def test_only_cells_that_dvc_would_run_are_trained_and_recorded(project, monkeypatch, capsys):
    monkeypatch.setattr(distill, "main", lambda task, method: None)
    cells.main()
    assert project[0] == ("repro", "teacher")
    assert project[-1] == ("commit", "--force", f"distill@{TASK}-kd", f"distill@{TASK}-kdot")
    assert "2 cells trained, 1 kept" in capsys.readouterr().out


def test_a_cell_that_fails_is_named_and_the_others_are_recorded(project, monkeypatch):
    monkeypatch.setattr(distill, "main", trained)
    (stage.MODELS / TASK / "kd").mkdir(parents=True)
    with pytest.raises(stage.Failure) as told:
        cells.main()
    assert str(told.value) == (
        "1 of 2 cells could not be trained: biovid_level kdot (ValueError: k is too large). The others are kept; "
        "`dvc repro distill@biovid_level-kdot` shows where the first one fails."
    )
    assert project[-1] == ("commit", "--force", f"distill@{TASK}-kd")


def test_what_was_trained_before_workers_were_lost_is_recorded(project, monkeypatch):
    def lost(*_):
        yield 1, ""
        raise NoWorkers("a worker was killed")

    monkeypatch.setattr(executor, "finished", lost)
    with pytest.raises(NoWorkers):
        cells.main()
    assert project[-1] == ("commit", "--force", f"distill@{TASK}-kdot")


def test_nothing_is_trained_where_what_comes_before_fails(project, monkeypatch):
    monkeypatch.setattr(cells, "dvc", lambda *words, **_: subprocess.CompletedProcess(words, 1, "", ""))
    with pytest.raises(stage.Failure, match="what the students learn from could not be made"):
        cells.main()
