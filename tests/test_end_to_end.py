"""The README's quick start in a temporary clone, with a small configuration."""

import csv
import json
import shutil
import sys
import time
from pathlib import Path
from threading import Thread

import pandas as pd
import psutil
import pytest
import torch
from clones import ALONE, GUARD, METHODS, TASKS, Clone, make_small, no_namespace
from written import endings, problem

from benchmark import evaluation
from benchmark.cell import load
from pipelines import stage


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """Made without a network, where the system allows that, and with everybody who asks for one written down."""
    made = Clone(tmp_path_factory.mktemp("clone"))
    made.edit(make_small)
    made.asked, made.online = tmp_path_factory.mktemp("asked") / "addresses", no_namespace()
    guarded = {"PYTHONPATH": str(GUARD), "ADDRESSES": str(made.asked)}
    made.first = made.repro(before=[] if made.online else ALONE, **guarded)
    made.board = (made.folder / "results" / "leaderboard.csv").read_bytes()
    return made


ENDS = {"plan", "report", "track", *(f"evaluate@{task}" for task in TASKS)}


def test_the_first_repro_runs_every_stage(clone):
    cells = {f"distill@{task}-{method}" for task in TASKS for method in METHODS}
    of_tasks = {f"{stage}@{task}" for task in TASKS for stage in ("inputs", "masks", "teacher", "evaluate")}
    of_datasets = {f"{stage}@{name}" for name in TASKS.values() for stage in ("prepare", "features", "degrade")}
    parts = {f"check@{part}" for part in ("simulations", "statistics", "transport", "terms", "views")}
    assert clone.first == cells | of_tasks | of_datasets | parts | {"plan", "report", "track", "validate"}


def test_the_first_repro_ran_without_a_network(clone):
    if clone.online:
        pytest.skip(clone.online)
    assert "track" in clone.first and (clone.folder / "mlflow.db").stat().st_size


def test_no_program_asks_for_an_address_beyond_this_machine(clone):
    assert not clone.asked.exists(), clone.asked.read_text()[:2000]


def test_no_file_that_is_written_can_run_code_when_it_is_loaded(clone):
    written = [path for part in ("data", "results", "mlruns") for path in (clone.folder / part).rglob("*")]
    files = [path for path in written if path.is_file() and not path.is_relative_to(clone.folder / "data" / "raw")]
    assert {".safetensors", ".npy", ".npz"} <= endings(files)
    assert [f"{path.relative_to(clone.folder)}: {why}" for path in files if (why := problem(path))] == []


def test_the_leaderboard_has_every_method_and_says_synthetic(clone):
    rows = clone.leaderboard()
    assert {row["method"] for row in rows} == {*METHODS, "teacher", "teacher_hallucinated", "availability"}
    assert {row["provenance"] for row in rows} == {"synthetic"}
    assert all(row["value"] or row["reason"] for row in rows)
    scored = [row for row in rows if row["metric"] == "kappa" and row["condition"] == "vision" and row["low"]]
    assert len(scored) == 5 and all(float(row["low"]) <= float(row["value"]) <= float(row["high"]) for row in scored)
    assert "SYNTHETIC" in (clone.folder / "results" / "leaderboard.md").read_text()
    figures = clone.folder / "results" / "figures"
    assert all((figures / f"biovid_level-forest.{ending}").stat().st_size > 10_000 for ending in ("png", "svg"))
    assert "SYNTHETIC" in (clone.folder / "results" / "report.html").read_text()


def test_records_tell_how_each_replica_was_chosen_but_no_time_or_commit(clone):
    record = json.loads((clone.folder / "results" / "records" / "biovid_level" / "pknot.json").read_text())
    assert record["provenance"] == "synthetic" and record["versions"]["torch"] and record["device"]
    assert [entry["fold"] for entry in record["replicas"]] == [0, 1, 2, 3, 4]
    assert all(1 <= entry["epoch"] <= 3 and entry["validation"] is not None for entry in record["replicas"])
    assert record["conditions"]["biosignal"]["reason"]
    text = json.dumps(record)
    assert clone.git("rev-parse", "HEAD").strip() not in text and str(clone.folder) not in text


def test_a_trained_student_says_of_a_recording_what_the_evaluation_says(clone, tmp_path):
    said = pd.read_parquet(clone.folder / "results" / "predictions" / "recola_av" / "pknot.parquet")
    said = said[(said.condition == "vision+speech") & (said.fold == 1) & (said.target == "arousal")]
    clips = pd.read_parquet(clone.folder / "data" / "inputs" / "recola_av" / "clips.parquet").set_index("clip_id")
    own = clips.loc[said.clip_id[said.recording_id == said.recording_id.iloc[0]]]
    for name in ("vision", "speech"):
        file = clone.folder / "data" / "synthetic" / "recola" / own[name].iloc[0]
        shutil.copy(file, tmp_path / f"me{file.suffix}")
    words = ["--student", "results/models/recola_av/pknot", tmp_path, "--fold", "1", "--out", tmp_path / "said.csv"]
    done = clone.run(sys.executable, "-m", "benchmark", "predict", *map(str, words))
    assert done.returncode == 0 and done.stdout.startswith("trained on SYNTHETIC recordings"), done.stderr
    found = pd.read_csv(tmp_path / "said.csv").set_index("start_s").arousal
    expected = pd.Series(said.set_index("clip_id").prediction.loc[own.index].to_numpy(), own.start_s)
    assert len(expected) > 1
    pd.testing.assert_series_equal(found.loc[expected.index], expected, check_names=False, check_dtype=False, atol=2e-6)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", [*METHODS, "teacher", "teacher_hallucinated"])
@torch.no_grad()
def test_a_trained_model_answers_a_clip_alone_as_among_512(clone, task, name, monkeypatch):
    monkeypatch.chdir(clone.folder)
    cell = load(task, stage.task_of(task), stage.training(), stage.INPUTS / task, torch.device("cpu"), None)
    rows = torch.arange(512) % len(cell.table.target)
    for network in evaluation.restore(cell, stage.MODELS / task, name)[1]:
        together = network(**cell.view(rows, network.inputs)).prediction
        alone = [network(**cell.view(row[None], network.inputs)).prediction for row in rows.unique()]
        torch.testing.assert_close(torch.cat(alone)[rows], together, atol=1e-5, rtol=0)


def test_git_sees_no_output(clone):
    changed = {line[3:] for line in clone.git("status", "--porcelain").splitlines()}
    assert changed == {"params.yaml", "dvc.lock"}


def test_mlflow_holds_the_runs(clone):
    found = clone.run(
        sys.executable, "-c",
        "from mlflow import MlflowClient as C; c = C(); e = c.get_experiment_by_name('affect-pkd').experiment_id;"
        "print(len(c.search_runs([e], max_results=500)))",
    )  # fmt: skip
    assert found.stdout.strip() == str(1 + len(TASKS) * (1 + 5 * (1 + 5) + 1)), found.stderr[-2000:]
    assert (clone.folder / "mlflow.db").exists()


def test_dvc_shows_metrics_and_plots(clone):
    assert "prevalent_only" in clone.run("dvc", "metrics", "show").stdout
    assert clone.run("dvc", "plots", "show").returncode == 0
    page = (clone.folder / "dvc_plots" / "index.html").read_text()
    assert "headline score of biovid_level" in page and "biovid_level-forest.png" in page


def test_an_experiment_runs_one_method_again_and_stands_beside_the_committed_results(clone):
    """As the README shows it: dvc.lock is committed first, so that DVC knows the results of HEAD."""
    clone.commit("results")
    ran = clone.repro("exp", "run", "-S", "methods.kd.terms.kd.weight=0.5", "-n", "half")
    assert ran == ENDS | {"check@views", "validate"} | {f"distill@{task}-kd" for task in TASKS}

    differ = json.loads(clone.run("dvc", "metrics", "diff", "--json").stdout)
    names = {name for metrics in differ.values() for name in metrics}
    assert names and names <= {f"{task}.synthetic.kd" for task in TASKS}
    assert all(own["diff"] == own["new"] - own["old"] for metrics in differ.values() for own in metrics.values())

    shown = clone.run("dvc", "exp", "show", "--only-changed", "--drop", "results|data", "--csv").stdout
    rows = {row["Experiment"] or row["rev"]: row for row in csv.DictReader(shown.splitlines())}
    assert set(rows["half"]) == {"Experiment", "rev", "typ", "Created", "methods.kd.terms.kd.weight"} | names
    assert {name: row["methods.kd.terms.kd.weight"] for name, row in rows.items()} == {
        "workspace": "0.5", "half": "0.5", clone.git("branch", "--show-current").strip(): "0.9"
    }  # fmt: skip

    assert clone.run("dvc", "plots", "diff", "HEAD", "half").returncode == 0
    page = (clone.folder / "dvc_plots" / "index.html").read_text()
    assert (
        '"rev": "HEAD"' in page and '"rev": "half"' in page and "half_results_figures_biovid_level-forest.png" in page
    )


def test_later_repros_run_only_what_changed(clone):
    assert clone.repro() == set()

    clone.edit(lambda params: params["suite"]["methods"].append("kdot"))
    assert clone.repro() == ENDS | {f"distill@{task}-kdot" for task in TASKS}

    clone.edit(lambda params: params["runtime"].update(workers=1))
    assert clone.repro() == set()

    clone.edit(lambda params: params["missing"].update(gaps=[0.2]))
    assert clone.repro() == ENDS | {f"masks@{task}" for task in TASKS}

    clone.edit(make_small)
    clone.edit(lambda params: params["missing"].update(gaps=[0.1, 0.3, 0.5]))
    clone.edit(lambda params: params["methods"]["kd"]["terms"]["kd"].update(weight=0.9))
    assert "track" in clone.repro(), "MLflow has to show earlier params again"
    assert (clone.folder / "results" / "leaderboard.csv").read_bytes() == clone.board


class Elsewhere(Clone):
    """What git clones of a project."""

    def __init__(self, folder: Path, origin: Path):
        folder.mkdir()
        self.folder = folder
        self.git("clone", "-q", str(origin), ".")


def students(folder: Path) -> list[Path]:
    """The files of the students of the suite."""
    return [
        path for task in TASKS for name in METHODS for path in (folder / "results" / "models" / task / name).glob("*")
    ]


def cells(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in students(folder)}


def kill_a_worker(clone: Clone, killed: list[int]) -> None:
    """Once a cell trains, kill one of the processes that Dask started there."""
    while not any(path.name == "curves.csv" for path in students(clone.folder)):
        time.sleep(0.05)
    for process in psutil.process_iter(["cwd", "cmdline"]):
        if process.info["cwd"] == str(clone.folder) and "spawn_main" in " ".join(process.info["cmdline"] or []):
            process.kill()
            killed.append(process.pid)
            return


def test_cells_trained_side_by_side_are_those_of_dvc_even_if_a_worker_is_killed(clone):
    trained = cells(clone.folder)
    for task in TASKS:
        for method in METHODS:
            shutil.rmtree(clone.folder / "results" / "models" / task / method)
    clone.edit(lambda params: params.update(runtime={"executor": "dask", "workers": 2}))
    killed = []
    killer = Thread(target=kill_a_worker, args=(clone, killed), daemon=True)
    killer.start()
    done = clone.run(sys.executable, "-m", "pipelines.cells")
    killer.join(10)
    assert done.returncode == 0 and done.stdout.endswith("6 cells trained, 0 kept\n"), done.stderr[-3000:]
    assert killed and cells(clone.folder) == trained
    assert clone.repro() == set()


def test_on_another_machine_a_pull_brings_everything_and_nothing_runs(clone, tmp_path):
    clone.run("dvc", "remote", "add", "-d", "store", str(tmp_path / "store"))
    clone.commit("results, and where they are stored")
    assert clone.run("dvc", "push").returncode == 0
    other = Elsewhere(tmp_path / "other", clone.folder)
    pulled = other.run("dvc", "pull")
    assert pulled.returncode == 0, pulled.stderr
    assert other.repro() == set() and other.git("status", "--porcelain") == ""
    assert cells(other.folder) == cells(clone.folder) and other.leaderboard() == clone.leaderboard()

    shown = other.run(sys.executable, "-m", "pipelines.track", "--there")
    assert " runs written, 0 kept" in shown.stdout, shown.stderr
    assert other.repro() == set()


def test_a_new_loss_term_re_runs_no_cell(clone):
    term = (clone.folder / "benchmark" / "losses" / "kd.py").read_text()
    (clone.folder / "benchmark" / "losses" / "another.py").write_text(term)
    assert clone.repro() == {"plan", "check@terms", "validate"}


def test_a_misspelt_key_stops_with_one_sentence(clone):
    clone.edit(lambda params: params["training"].update(epoch=3))
    done = clone.run(sys.executable, "-m", "pipelines.plan")
    assert done.returncode == 1
    assert "error: params.yaml: training has no key 'epoch'; did you mean 'epochs'?" in done.stderr
    assert "Traceback" not in done.stderr
    clone.edit(lambda params: params["training"].pop("epoch"))


def test_an_unknown_tree_stops_with_the_expected_one(clone):
    wrong = clone.folder / "data" / "raw" / "biovid" / "BioVid_download"
    wrong.mkdir()
    done = clone.run(sys.executable, "-m", "pipelines.prepare", "biovid")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "starting_point/samples.csv" in done.stderr and "BioVid_download/" in done.stderr
    wrong.rmdir()


def test_recordings_in_the_owners_tree_are_real_and_have_no_clean_labels(clone):
    """The synthetic tree, put where the owners' recordings belong, is read by the same code as real ones."""
    shutil.copytree(clone.folder / "data" / "synthetic" / "biovid" / "PartA", clone.folder / "data/raw/biovid/PartA")
    clone.edit(lambda params: params["datasets"]["biovid"].update(source="real"))
    alone = {"datasets": ["biovid"], "tasks": ["biovid_level"], "methods": ["prevalent_only", "clean_labels"]}
    clone.edit(lambda params: params["suite"].update(alone))
    clone.repro()
    rows = clone.leaderboard()
    assert {row["provenance"] for row in rows} == {"real"}
    assert "SYNTHETIC" not in (clone.folder / "results" / "leaderboard.md").read_text()
    reasons = [row["reason"] for row in rows if row["method"] == "clean_labels"]
    assert len(reasons) == 1 and "synthetic recordings" in reasons[0]
    assert not any((clone.folder / "data" / "synthetic" / "biovid").iterdir())
