"""A study: the params of each of its populations, the project it is run in, and what it takes from records."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from test_params import SHIPPED
from test_tracking import record

from benchmark import params as choices
from benchmark import power
from benchmark.bench import project
from benchmark.report import sensitivity, studies
from benchmark.schema import BadParams
from pipelines import graph, study


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


def test_a_study_may_tune_where_other_runs_do_not(shipped):
    assert study.alone(shipped, shipped.studies["power"], 1).tuning.weights == [1.0]
    assert study.alone(shipped, shipped.studies["baselines"], 1).tuning.weights == [1.0, 10.0]
    assert shipped.tuning.weights == [1.0]


def test_what_a_study_costs_is_told_before_it_starts(tmp_path, monkeypatch, capsys):
    def stop(folder):
        raise StopIteration

    monkeypatch.chdir(SHIPPED.parent)
    monkeypatch.setattr(study, "FOLDER", tmp_path)
    monkeypatch.setattr(study, "repro", stop)
    with pytest.raises(StopIteration):
        study.main("confirmation")
    said = capsys.readouterr().out
    assert "1 tasks x 3 methods = 3 cells" in said and "in each of 10 populations" in said
    assert "tuning: 3 weights each in 2 of them, 7 trainings in all" in said


def test_the_copy_of_the_project_is_one_that_dvc_can_run(shipped, tmp_path, monkeypatch):
    monkeypatch.chdir(SHIPPED.parent)
    project.copy(Path(), tmp_path / "own", study.alone(shipped, shipped.studies["power"], 1007))
    kept = tmp_path / "own" / "data" / "features" / "kept"
    kept.mkdir(parents=True)
    project.copy(Path(), tmp_path / "own", study.alone(shipped, shipped.studies["power"], 1008))
    assert choices.load(tmp_path / "own" / "params.yaml").populations["shared"].seed == 1008
    assert (tmp_path / "own" / "benchmark" / "ot.py").exists() and kept.exists()
    done = graph.dvc(tmp_path / "own", "repro", "plan")
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


def test_the_levels_of_the_grid_are_what_the_methods_say_and_depart_from_the_default_in_that_alone(shipped):
    levels = study.levels_of("ablation", shipped)
    assert list(levels) == ["k", "anchors", "epsilon", "weight", "T-Net", "coupling", "shift", "debias"]
    assert [own.value for own in levels["k"]] == [5, 10, 30, 60, 120]
    assert {own.value for own in levels["anchors"]} == {"dissimilar", "similar", "random", "shared", "all"}
    assert {own.value for own in levels["T-Net"]} == {"none", "random", "mse", "mmd", "cosine"}
    assert {own.value for own in levels["coupling"]} == {"ot", "identity", "index_aware"}
    assert {own.value for own in levels["shift"]} == {"affine", "min_detached", "released"}
    assert {own.value for own in levels["debias"]} == {True, False}
    for factor, own in levels.items():
        assert [level.method for level in own if level.default] == ["kdot"]
        assert [level.method for level in own if level.beside] == (["all_anchors"] if factor == "anchors" else [])
    assert levels["anchors"][-1].beside == ("kdot.weight",)


def test_numbers_are_put_in_order_and_names_stay_as_listed(shipped):
    asked = shipped.model_copy(deep=True)
    for factor in asked.studies["ablation"].factors.values():
        factor.methods.reverse()
    levels = study.levels_of("ablation", asked)
    assert [own.value for own in levels["epsilon"]] == [0.001, 0.01, 0.05, 0.25]
    assert [own.value for own in levels["coupling"]] == ["index_aware", "identity", "ot"]


def test_a_population_of_a_grid_runs_every_level_once_and_degrades_nothing(shipped):
    shipped.suite.degradations = ["noisy"]
    alone = study.alone(shipped, shipped.studies["ablation"], 3)
    assert len(alone.suite.methods) == len(set(alone.suite.methods)) and alone.suite.degradations == []
    assert {"prevalent_only", "kd", "kdot", "kdot_k5", "cosine_tnet", "kdot_index"} <= set(alone.suite.methods)
    assert choices.Params.model_validate(alone.model_dump()).studies == shipped.studies


@pytest.mark.parametrize(
    "option, default, told",
    [
        ("kdot.kk", "kdot", "studies.ablation.factors.k: kdot_k5 has no option 'kdot.kk'; did you mean 'kdot.k'?"),
        ("kdot.k", "kdott", "studies.ablation: default is 'kdott': factors.k departs from one of kdot_k5, kdot_k10"),
        ("kdot.k", None, "studies.ablation: default is missing: factors.k departs from one of"),
    ],
)
def test_a_mistake_in_a_grid_is_told(tmp_path, monkeypatch, option, default, told):
    raw = yaml.safe_load(SHIPPED.read_text())
    raw["studies"]["ablation"]["factors"]["k"]["option"] = option
    raw["studies"]["ablation"]["default"] = default
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(raw, sort_keys=False))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadParams, match=re.escape(told)):
        study.main("ablation")


def test_the_grid_is_drawn_and_written_with_gaps_that_say_so(shipped, tmp_path):
    asked, levels = shipped.studies["ablation"], study.levels_of("ablation", shipped)
    rng, rows = np.random.default_rng(0), []
    for population in range(4):
        for method in ["teacher", *asked.compared]:
            score = np.nan if method == "kdot_w2" else 0.4 + 0.02 * rng.normal()
            rows.append({"population": population, "method": method, "score": score, "error": 0.01, "metric": "kappa"})
    results = power.summarise(pd.DataFrame(rows), ["kdot"], 0.95)
    json.dumps(results, allow_nan=False)
    page = sensitivity.markdown(asked, results, levels, 0.95)
    lines = [line.split(" | ") for line in page.splitlines() if line.startswith("| ")][1:]
    assert len(lines) == sum(map(len, levels.values())) and "nan" not in page
    assert [cells[3] for cells in lines if cells[2] == "`kdot_w2`"] == ["no score"]
    assert "| weight (`kdot.weight`) | 0.6 (default) | `kdot` |" in page
    assert "all (differs also in kdot.weight)" in page
    assert "no score" in studies.markdown("ablation", asked, results, 0.95)
    for folder in ("once", "again"):
        sensitivity.figure("ablation", asked, results, levels, 0.95, tmp_path / folder)
    for name in ("ablation_grid.svg", "ablation_grid.png"):
        drawn = (tmp_path / "once" / name).read_bytes()
        assert len(drawn) > 10_000 and drawn == (tmp_path / "again" / name).read_bytes()
