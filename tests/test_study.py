"""A study: the params of each of its populations, the project it is run in, and what it takes from records."""

import json
from pathlib import Path

import pytest
from test_params import SHIPPED
from test_tracking import record

from benchmark import params as choices
from benchmark.report import studies
from benchmark.schema import BadParams
from pipelines import study


@pytest.fixture
def shipped():
    return choices.load(SHIPPED)


def test_a_population_differs_from_params_in_its_people_and_in_what_is_run(shipped):
    asked = shipped.studies["power"]
    alone = study.alone(shipped, asked, 1007)
    assert alone.populations["shared"].seed == 1007 and shipped.populations["shared"].seed == 0
    assert alone.datasets["biovid"].source == "synthetic"
    assert alone.suite.tasks == ["biovid_level"] and alone.suite.methods == asked.methods
    assert alone.training == shipped.training and alone.methods == shipped.methods


def test_the_copy_of_the_project_is_one_that_dvc_can_run(shipped, tmp_path, monkeypatch):
    monkeypatch.chdir(SHIPPED.parent)
    study.copy(tmp_path / "own", study.alone(shipped, shipped.studies["power"], 1007))
    kept = tmp_path / "own" / "data" / "features" / "kept"
    kept.mkdir(parents=True)
    study.copy(tmp_path / "own", study.alone(shipped, shipped.studies["power"], 1008))
    assert choices.load(tmp_path / "own" / "params.yaml").populations["shared"].seed == 1008
    assert (tmp_path / "own" / "benchmark" / "ot.py").exists() and kept.exists()
    done = study.dvc(tmp_path / "own", "repro", "plan")
    assert done.returncode == 0, done.stderr
    planned = json.loads((tmp_path / "own" / "results" / "plan" / "datasets" / "biovid.json").read_text())
    assert planned["population"]["seed"] == 1008


def test_what_is_taken_from_a_record():
    own = record("kd", 0.5) | {"definition": {"prevalent": ["vision"], "privileged": ["biosignal"]}}
    own |= {"evaluation": {"confidence": 0.95}}
    row = studies.row(own)
    assert row["score"] == 0.5 and row["cka"] == 0.6
    assert row["error"] == pytest.approx(0.2 / (2 * 1.96), rel=1e-3)
    teacher = own | {"method": "teacher", "geometry": None}
    teacher["conditions"] = own["conditions"] | {"vision+biosignal": own["conditions"]["vision"]}
    assert "cka" not in studies.row(teacher)


def test_an_unknown_study_is_named(monkeypatch):
    monkeypatch.chdir(Path(SHIPPED).parent)
    with pytest.raises(BadParams, match="studies: there is no 'powr'; did you mean 'power'"):
        study.main("powr")
