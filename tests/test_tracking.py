"""MLflow mirrors records: once, exactly, and only finite numbers."""

import math
import socket

import pandas as pd
import pytest

mlflow = pytest.importorskip("mlflow", reason="mlflow is not installed")

from benchmark import tracking


def score(value):
    return {
        "value": value,
        "low": None if value is None else value - 0.1,
        "high": None if value is None else value + 0.1,
        "reason": None,
    }


def record(method="kd", value=0.5, weight=0.9) -> dict:
    scores = {"kappa": score(value), "accuracy": score(None)}
    return {
        "task": "made_up", "method": method, "dataset": "biovid", "provenance": "synthetic", "status": "ok",
        "left_out": [], "tuning": {"tried": [1.0], "chosen": []}, "raw": {"kd": {"first": 0.41, "last": 0.02}},
        "geometry": {"cka": 0.6, "frobenius": 0.3, "true_pairs": 0.021, "chance": 0.008},
        "device": "cpu", "versions": {"torch": "0"}, "headline": {"metric": "kappa", "condition": "vision"},
        "options": {"terms": {"kd": {"weight": weight, "temperature": 2.0}}, "tnet": "none", "digests": {"kd": "x"}},
        "conditions": {
            "vision": {"alias": "privileged_absent", "clips": 9, "scores": scores},
            "biosignal": {"alias": "only_biosignal", "clips": 0, "reason": "hides everything"},
        },
        "difference": score(0.1) | {"p": 0.03, "p_holm": 0.06}, "gap_recovered": score(None),
        "replicas": [
            {"fold": 0, "seed": seed, "epoch": 2, "status": "ok", "scores": {"vision": {"kappa": value}}}
            for seed in (0, 1)
        ],
    }  # fmt: skip


CURVES = {
    ("made_up", "kd"): pd.DataFrame(
        {"epoch": [1, 2, 1, 2], "fold": 0, "seed": [0, 0, 1, 1], "term": "kd", "value": [3.0, math.nan, 2.0, 1.0]}
    )
}


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    (tmp_path / "leaderboard.md").write_text("# table")

    def run(*records):
        wanted = tracking.runs(list(records), CURVES, [tmp_path / "leaderboard.md"])
        return tracking.mirror("tests", wanted, {"git_commit": "abc"})

    yield run
    mlflow.set_tracking_uri(None)


def held():
    client = mlflow.MlflowClient()
    number = client.get_experiment_by_name("tests").experiment_id
    found = client.search_runs([number], "tags.key LIKE '%'", max_results=500)
    return {run.data.tags["key"]: run for run in found}


def test_mirroring_twice_adds_nothing(mirror):
    records = record(), record("kdot", weight=0.5)
    assert mirror(*records) == {"written": 7, "kept": 0, "deleted": 0}
    before = {key: run.info.run_id for key, run in held().items()}
    assert mirror(*records) == {"written": 0, "kept": 7, "deleted": 0}
    assert {key: run.info.run_id for key, run in held().items()} == before


def test_changed_runs_are_replaced_and_others_kept(mirror):
    mirror(record(), record("kdot"))
    before = {key: run.info.run_id for key, run in held().items()}
    assert mirror(record(), record("kdot", 0.6)) == {"written": 3, "kept": 4, "deleted": 3}
    after = {key: run.info.run_id for key, run in held().items()}
    assert {key for key in before if before[key] != after[key]} == {
        "made_up/kdot",
        "made_up/kdot/0/0",
        "made_up/kdot/0/1",
    }


def test_methods_that_left_the_suite_are_deleted(mirror):
    mirror(record(), record("kdot"))
    mirror(record())
    assert not any("kdot" in key for key in held())


def test_runs_of_other_people_are_left_alone(mirror):
    mirror(record())
    client = mlflow.MlflowClient()
    number = client.get_experiment_by_name("tests").experiment_id
    other = client.create_run(number, run_name="mine").info.run_id
    mirror(record("kdot"))
    assert client.get_run(other).info.lifecycle_stage == "active"


def test_an_interrupted_run_is_replaced(mirror):
    mirror(record())
    mlflow.MlflowClient().update_run(held()["made_up/kd"].info.run_id, status="RUNNING")
    assert mirror(record()) == {"written": 1, "kept": 3, "deleted": 1}


def test_metrics_carry_condition_names_intervals_and_epochs_but_no_nan(mirror):
    mirror(record(), record("kdot", weight=0.5))
    run = held()["made_up/kd"]
    assert run.data.metrics["kappa/privileged_absent"] == 0.5
    assert run.data.metrics["kappa_low/privileged_absent"] == pytest.approx(0.4)
    assert run.data.metrics["geometry/cka"] == 0.6
    assert run.data.metrics["difference_p"] == 0.03 and run.data.metrics["difference_p_holm"] == 0.06
    assert not any("accuracy" in name or "only_biosignal" in name for name in run.data.metrics)
    assert all(math.isfinite(value) for own in held().values() for value in own.data.metrics.values())
    history = mlflow.MlflowClient().get_metric_history(run.info.run_id, "epoch/kd")
    assert [(point.step, point.value) for point in history] == [(1, 2.5), (2, 1.0)]
    replica = mlflow.MlflowClient().get_metric_history(held()["made_up/kd/0/0"].info.run_id, "epoch/kd")
    assert [point.step for point in replica] == [1]


def test_only_params_that_vary_are_logged_and_tags_tell_levels_apart(mirror):
    mirror(record(), record("kdot", weight=0.5))
    run = held()["made_up/kd"]
    assert run.data.params == {"term.kd.weight": "0.9", "method": "kd", "task": "made_up"}
    levels = [own.data.tags["level"] for own in held().values()]
    assert sorted(set(levels)) == ["leaderboard", "method", "replica"]
    assert {run.data.tags[name] for name in ("provenance", "git_commit")} == {"synthetic", "abc"}


def test_the_leaderboard_is_an_artifact(mirror):
    mirror(record())
    run = held()["leaderboard"]
    assert [item.path for item in mlflow.MlflowClient().list_artifacts(run.info.run_id)] == ["leaderboard.md"]


def test_a_server_that_is_down_is_one_sentence(monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    mlflow.set_tracking_uri(f"http://127.0.0.1:{port}")
    try:
        with pytest.raises(tracking.Unreachable, match=f"MLflow at http://127.0.0.1:{port} cannot be used"):
            tracking.mirror("tests", {}, {})
    finally:
        mlflow.set_tracking_uri(None)
