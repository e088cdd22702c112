"""MLflow mirrors records: once, exactly, and only finite numbers."""

import json
import math
import os
import shutil
import socket
import sqlite3
import tempfile
from pathlib import Path

import pytest
from test_params import SHIPPED

mlflow = pytest.importorskip("mlflow", reason="mlflow is not installed")

from benchmark import params, records
from benchmark.tracking import database, epochs, runs, store


def score(value):
    return {
        "value": value,
        "low": None if value is None else value - 0.1,
        "high": None if value is None else value + 0.1,
        "reason": None,
    }


def record(method="kd", value=0.5, weight=0.9) -> dict:
    scores = {"kappa": score(value), "accuracy": score(None)}
    weakened = {"kappa": score(value), "accuracy": {"value": 0.4}}
    return {
        "task": "made_up", "method": method, "dataset": "biovid", "provenance": "synthetic", "status": "ok",
        "left_out": [], "tuning": {"tried": [1.0], "chosen": []}, "raw": {"kd": {"first": 0.41, "last": 0.02}},
        "geometry": {"cka": 0.6, "frobenius": 0.3, "true_pairs": 0.021, "chance": 0.008},
        "device": "cpu", "versions": {"torch": "0"}, "headline": {"metric": "kappa", "condition": "vision"},
        "options": {"terms": {"kd": {"weight": weight, "temperature": 2.0}}, "tnet": "none", "digests": {"kd": "x"}},
        "definition": {"target": ["level"], "classes": [0, 1, 2], "kind": "ordinal", "prevalent": ["vision"]},
        "data": {"clips": 9, "subjects": 3, "digest": "d" * 64},
        "conditions": {
            "vision": {"alias": "privileged_absent", "protocol": "subset", "clips": 9, "scores": scores},
            "biosignal": {"alias": "only_biosignal", "protocol": "subset", "clips": 0, "reason": "hides everything"},
            "random_30": {"alias": "random_30", "protocol": "random", "rate": 0.3, "clips": 9, "scores": weakened},
        },
        "robustness": {"area_random": {"value": 0.3, "reason": None}, "worst": {"value": None, "reason": "one"}},
        "difference": score(0.1) | {
            "p": 0.03, "p_holm": 0.06, "effect": 0.4, "wide": {"low": -0.2, "high": 0.4, "reason": None},
            "rope": {"worse": 0.1, "equivalent": 0.2, "better": 0.7, "width": 0.02},
        },
        "gap_recovered": score(None),
        "replicas": [
            {"fold": 0, "seed": seed, "epoch": 2, "status": "ok", "scores": {
                "vision": {"kappa": value, "accuracy": 0.3}, "random_30": {"kappa": 0.2, "accuracy": 0.1}}}
            for seed in (0, 1)
        ],
    }  # fmt: skip


def broken(status="diverged", method="sp") -> dict:
    """A record without scores."""
    kept = ("task", "dataset", "provenance", "device", "headline", "options", "definition", "data", "versions")
    about = {name: value for name, value in record().items() if name in kept}
    return about | {"method": method, "status": status, "reason": "why", "conditions": {}, "replicas": []}


CURVES = {
    ("made_up", "kd"): epochs.rows(
        "epoch,fold,seed,term,value\n1,0,0,kd,3.0\n2,0,0,kd,nan\n1,0,1,kd,2.0\n2,0,1,kd,1.0\n"
    )
}


def student(folder, method="kd", weights=b"weights", task="made_up"):
    """A trained student's folder."""
    own = folder / task / method
    own.mkdir(parents=True, exist_ok=True)
    (own / "card.json").write_text(json.dumps({"shapes": {"vision": [214], "biosignal": [37]}}))
    (own / "weights.safetensors").write_bytes(weights)
    (own / "curves.csv").write_text("not part of a model")


def wanted(folder, *records):
    (folder / "leaderboard.md").write_text("# table")
    return runs.of_suite(list(records), CURVES, [folder / "leaderboard.md"], folder / "models")


@pytest.fixture(scope="session")
def empty(tmp_path_factory):
    """A database without runs: making one takes seconds."""
    path = tmp_path_factory.mktemp("empty") / "mlflow.db"
    mlflow.MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def mirror(tmp_path, monkeypatch, empty):
    monkeypatch.chdir(tmp_path)
    shutil.copy(empty, tmp_path / "mlflow.db")
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")

    def run(*records):
        done = store.mirror("tests", wanted(tmp_path, *records), {"git_commit": "abc"})
        return done.written, done.kept, done.deleted

    yield run
    mlflow.set_tracking_uri(None)


def held():
    client = mlflow.MlflowClient()
    number = client.get_experiment_by_name("tests").experiment_id
    found = client.search_runs([number], "tags.key LIKE '%'", max_results=500)
    return {run.data.tags["key"]: run for run in found}


def test_mirroring_twice_adds_nothing(mirror):
    records = record(), record("kdot", weight=0.5)
    assert mirror(*records) == (7, 0, 0)
    before = {key: run.info.run_id for key, run in held().items()}
    assert mirror(*records) == (0, 7, 0)
    assert {key: run.info.run_id for key, run in held().items()} == before


def test_changed_runs_are_replaced_and_others_kept(mirror):
    mirror(record(), record("kdot"))
    before = {key: run.info.run_id for key, run in held().items()}
    assert mirror(record(), record("kdot", 0.6)) == (3, 4, 3)
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
    assert mirror(record()) == (1, 3, 1)


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


def test_subsets_have_every_metric_other_conditions_the_headline_alone(mirror):
    mirror(record())
    run, replica = held()["made_up/kd"].data.metrics, held()["made_up/kd/0/0"].data.metrics
    assert run["kappa/random_30"] == 0.5 and "accuracy/random_30" not in run
    assert (replica["accuracy/privileged_absent"], replica["kappa/random_30"]) == (0.3, 0.2)
    assert "accuracy/random_30" not in replica
    assert run["robustness/area_random"] == 0.3 and "robustness/worst" not in run
    assert (run["difference_rope_better"], run["difference_wide_low"], run["difference_effect"]) == (0.7, -0.2, 0.4)


def test_params_are_those_that_vary_in_every_run_and_the_first_three_by_name_tell_methods_apart(mirror):
    mirror(record(), record("kdot", weight=0.5), record("teacher") | {"options": None})
    params = {key: run.data.params for key, run in held().items() if run.data.tags["level"] == "method"}
    assert params["made_up/kd"] == {
        "method": "kd",
        "terms": "kd",
        "tnet": "none",
        "with.kd.weight": "0.9",
        "with.kd.temperature": "2.0",
    } or params["made_up/kd"] == {"method": "kd", "terms": "kd", "with.kd.weight": "0.9", "with.kd.temperature": "2.0"}
    assert {frozenset(own) for own in params.values()} == {frozenset(params["made_up/kd"])}
    assert params["made_up/teacher"]["with.kd.weight"] == runs.MISSING
    assert sorted(params["made_up/kd"])[0] == "method"


def test_the_headline_comes_first_which_is_the_axis_that_a_comparison_opens_with():
    own = record()
    own["headline"]["metric"] = "accuracy"
    own["conditions"]["vision"]["scores"]["accuracy"] = score(0.7)
    made = runs.method_run(own, {}, [])
    assert made.metrics[0] == ("accuracy/privileged_absent", 0.7, 0)
    assert made.name == "kd made_up SYNTHETIC"


def test_names_can_be_told_apart_by_ten_letters():
    suite = params.load(SHIPPED)
    for task in suite.tasks:
        names = [runs.title({"method": method, "task": task}) for method in records.names(list(suite.methods))]
        assert len({name[:10] for name in names}) == len(names)


def test_equal_params_are_left_out(mirror):
    mirror(record(), record("kdot"))
    assert held()["made_up/kd"].data.params == {"method": "kd"}
    assert held()["made_up/kd/0/1"].data.params == {"method": "kd", "fold": "0", "seed": "1"}


def test_tags_tell_levels_apart(mirror):
    mirror(record())
    levels = [own.data.tags["level"] for own in held().values()]
    assert sorted(set(levels)) == ["leaderboard", "method", "replica"]
    assert {held()["made_up/kd"].data.tags[name] for name in ("provenance", "git_commit")} == {"synthetic", "abc"}


@pytest.mark.parametrize("status", ["diverged", "not run", "unreadable"])
def test_a_model_without_scores_is_a_run_with_its_reason_and_no_metric(mirror, status):
    mirror(record(), broken(status))
    run = held()["made_up/sp"].data
    assert (run.tags["status"], run.tags["reason"], run.metrics) == (status, "why", {})


def test_runs_name_their_data_by_digest(mirror):
    mirror(record())
    for key in ("made_up/kd", "made_up/kd/0/0"):
        [given] = held()[key].inputs.dataset_inputs
        assert (given.dataset.name, given.dataset.digest) == ("biovid/made_up", "d" * 36)
        assert json.loads(given.dataset.profile) == {"clips": 9, "subjects": 3, "provenance": "synthetic"}
    own = record()
    del own["data"]["digest"]
    first = runs.dataset(own)["digest"]
    own["data"]["clips"] = 10
    assert len(first) <= 36 and runs.dataset(own)["digest"] != first


def test_the_leaderboard_is_an_artifact(mirror):
    mirror(record())
    run = held()["leaderboard"]
    assert [item.path for item in mlflow.MlflowClient().list_artifacts(run.info.run_id)] == ["leaderboard.md"]


def test_what_trains_and_what_shall_stay_is_not_deleted(tmp_path, mirror):
    mirror(record(), record("kdot"))
    store.mirror("tests", wanted(tmp_path, record()), {}, keep=lambda key: key.startswith("made_up/kdot"))
    assert "made_up/kdot/0/0" in held()


def registered():
    return mlflow.MlflowClient().search_model_versions("name = 'tests.made_up'")


def best():
    return mlflow.MlflowClient().get_model_version_by_alias("tests.made_up", "best").version


def test_the_best_student_is_registered_once_with_its_signature(tmp_path, mirror):
    found = [record(), record("kdot", 0.6), record("teacher", 0.9), record("teacher_permuted", 0.8)]
    found[3]["options"] = {"teacher": "permuted"}
    found.append(record("clean_labels", 0.95) | {"options": {"labels": "clean"}})
    for method in ("kd", "kdot", "teacher", "clean_labels"):
        student(tmp_path / "models", method)

    def register():
        made = wanted(tmp_path, *found)
        return store.register("tests", made, store.mirror("tests", made, {}))

    assert register() == 1 and register() == 0
    [version] = registered()
    assert version.tags["method"] == "kdot" and version.tags["score"] == "0.6000" and best() == version.version
    assert version.description.startswith("SYNTHETIC")
    about = mlflow.models.get_model_info("models:/tests.made_up@best")
    assert [(spec.name, spec.shape) for spec in about.signature.inputs] == [("vision", (-1, 214))]
    assert [(spec.name, spec.shape) for spec in about.signature.outputs] == [("probabilities", (-1, 3))]
    folder = mlflow.artifacts.download_artifacts("models:/tests.made_up@best")
    assert set(os.listdir(folder)) - {"registered_model_meta"} == {"MLmodel", "card.json", "weights.safetensors"}

    student(tmp_path / "models", "kdot", b"trained again")
    assert register() == 1
    assert len(registered()) == 2 and best() > version.version
    student(tmp_path / "models", "kdot")
    assert register() == 0
    assert len(registered()) == 2 and best() == version.version


def test_links_lead_to_scored_methods(tmp_path, mirror):
    made = wanted(tmp_path, record(), record("kdot"), broken())
    done = store.mirror("tests", made, {})
    found = store.links(made, done)
    assert list(found) == ["made_up: methods", "made_up: comparison", "models"]
    assert all(link.startswith("http://127.0.0.1:5000/#/") for link in found.values())
    assert all(done.ids[key] in found["made_up: comparison"] for key in ("made_up/kd", "made_up/kdot"))
    assert done.ids["made_up/sp"] not in found["made_up: comparison"]


def test_each_task_has_a_saved_view_with_the_best_method_first(tmp_path, mirror):
    made = wanted(tmp_path, broken(), record(), record("kdot"))
    done = store.mirror("tests", made, {})
    for _ in range(2):
        store.save_views(made, done)
    saved = json.loads(mlflow.MlflowClient().get_experiment(done.experiment).tags["mlflow.sharedViewState.made_up"])
    state = json.loads(saved["state"])
    assert saved["name"] == "made_up" and state["searchFilter"] == 'tags.level = "method" and tags.task = "made_up"'
    assert state["orderByKey"] == state["selectedColumns"][0] == "metrics.`kappa/privileged_absent`"
    assert "metrics.`gap_recovered`" not in state["selectedColumns"], "nothing has it"


@pytest.mark.parametrize("scheme", ["http://", "postgresql+psycopg2://me:secret@"])
def test_what_is_down_is_one_sentence(scheme):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    mlflow.set_tracking_uri(f"{scheme}127.0.0.1:{port}")
    try:
        with pytest.raises(store.Unreachable) as error:
            store.mirror("tests", {}, {})
    finally:
        mlflow.set_tracking_uri(None)
    address = f"{scheme.replace('me:secret@', '')}127.0.0.1:{port}"
    assert str(error.value) == f"MLflow at {address} cannot be used: nothing answers there"


def test_a_damaged_database_is_one_sentence(tmp_path, mirror):
    (tmp_path / "mlflow.db").write_text("this is no database " * 100)
    with pytest.raises(store.Unreachable, match=r"mlflow.db cannot be used: .*move .*mlflow.db away and it is made"):
        mirror(record())


def test_a_database_that_may_not_be_written_is_one_sentence(empty):
    """Root may write everything: there, another user asks."""
    folder = Path(tempfile.mkdtemp())  # where that user may look, unlike pytest's folders
    try:
        folder.chmod(0o755)
        path = shutil.copy(empty, folder / "mlflow.db")
        path.chmod(0o444)
        child = os.fork()
        if child == 0:
            if os.getuid() == 0:
                os.setuid(65534)
            try:
                database.check_file(path)
            except OSError as error:
                os._exit(0 if f"Give yourself the right to write to {path}" in str(error) else 1)
            os._exit(2)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    finally:
        shutil.rmtree(folder)


def test_damaged_pages_are_one_sentence(tmp_path, mirror):
    mirror(record())
    path = tmp_path / "mlflow.db"
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))
    with pytest.raises(store.Unreachable, match=r"mlflow.db cannot be used: it is damaged.*made again"):
        mirror(record("kdot"))


def test_a_database_that_another_program_holds_is_one_sentence(tmp_path, mirror, monkeypatch):
    mirror(record())
    monkeypatch.setattr(database, "PATIENCE", 0.1)
    with sqlite3.connect(tmp_path / "mlflow.db", isolation_level=None) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(store.Unreachable, match="Another program is writing to it"):
            mirror(record("kdot"))


def test_a_password_is_not_told():
    assert store.shown("postgresql://me:secret@host:5432/runs") == "postgresql://host:5432/runs"
    assert store.shown("sqlite:////a/mlflow.db") == "sqlite:////a/mlflow.db"
