"""The stages from teacher to evaluate on a made-up task: what they leave on disk, and what divergence leaves of it."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from conftest import MASKS, small_cell
from test_params import SHIPPED

from benchmark import cell as cells
from benchmark import checkpoints
from benchmark import teacher as teachers
from benchmark.deployment import students
from benchmark.files import write_json
from benchmark.params import Method
from benchmark.report import board, leaderboard
from benchmark.types import Refused
from pipelines import distill, evaluate, plan, stage, teacher

METHODS = {
    "prevalent_only": Method(),
    "kd": Method(terms={"kd": {}}, task_weight=0.1),
    "pknot": Method(terms={"kdot": {"k": 8}}, tnet="mse"),
    "crossfit": Method(terms={"kd": {}}, teacher="crossfit"),
    "clean_labels": Method(labels="clean"),
}
TASK = stage.MODELS / "made_up"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A project in which every cell has been trained."""
    folder = tmp_path_factory.mktemp("project")
    with pytest.MonkeyPatch.context() as patch:
        within(folder, patch)
        params = yaml.safe_load(SHIPPED.read_text())
        params["suite"]["methods"] = list(METHODS)
        params["methods"] = {name: method.model_dump() for name, method in METHODS.items()}
        params["tuning"], params["studies"] = {"weights": [0.5, 2.0]}, {}
        params["validation"]["methods"] = ["prevalent_only"]
        params["evaluation"]["resamples"], params["missing"] = 100, MASKS.model_dump()
        Path("params.yaml").write_text(yaml.safe_dump(params))
        for name in ("training", "tuning"):
            write_json(stage.PLAN / f"{name}.json", params[name])
        task = small_cell().task
        write_json(stage.PLAN / "tasks" / "made_up.json", task.model_dump(exclude={"methods"}) | {"digest": "x"})
        for name, method in METHODS.items():
            write_json(stage.PLAN / "methods" / "made_up" / f"{name}.json", plan.method_entry(method, name))
        dropped = {"remarks": 0, "without_prevalent": 0, "incomplete": 0}
        source = {"dataset": "made_up", "provenance": "synthetic", "dropped": dropped, "extractors": {}}
        write_json(stage.INPUTS / "made_up" / "source.json", source)
        packed_features(stage.INPUTS / "made_up", len(small_cell().table.clip_id))
        write_json(stage.DEGRADED / "made_up" / "degradations.json", {})
        stage.MASKS.mkdir(parents=True)
        np.savez(stage.MASKS / "made_up.npz", **small_cell().table.masks)
        teacher.main("made_up")
        describe_inputs(stage.INPUTS / "made_up")
        for name in METHODS:
            distill.main("made_up", name)
    return folder


def packed_features(folder: Path, clips: int) -> None:
    """Features by segment, of which the gaps of clips are cut: as many as the cell has once they are pooled."""
    for name, segment, clip in (("vision", 4, 0), ("biosignal", 2, 1)):
        values = np.random.default_rng(0).normal(size=(clips, 11, segment + clip))
        np.save(folder / f"{name}.npy", values.astype(np.float32))
        write_json(folder / f"{name}.json", {"segment": ["x"] * segment, "clip": ["x"] * clip})


def within(folder: Path, patch) -> None:
    """Run stages in a folder, on a small cell."""
    patch.chdir(folder)
    patch.setattr(cells, "load", lambda *_: small_cell(epochs=2))


@pytest.fixture
def project(folder, tmp_path, monkeypatch):
    """A copy of it, to work in."""
    shutil.copytree(folder, tmp_path / "copy")
    within(tmp_path / "copy", monkeypatch)
    return tmp_path / "copy"


def lose(name: str, *replicas: int) -> None:
    """Make replicas of a saved model ones that diverged at once: 0 to 5 are folds 0, 0, 1, 1, 2, 2, seeds 0, 1, ..."""
    state, card = checkpoints.load(TASK / name)
    for number in replicas:
        card["replicas"][number] |= {"epoch": 0, "validation": None, "status": "diverged", "diverged": 1}
        for values in state.values():
            if values.is_floating_point():
                values[number] = torch.nan
    checkpoints.save(TASK / name, state, card)


def describe_inputs(folder: Path) -> None:
    """What the inputs stage writes beside the arrays, for students to be used without them."""
    table = small_cell().table
    clips = {"clip_id": table.clip_id, "recording_id": table.clip_id, "subject_id": table.subject_id}
    pd.DataFrame(clips).assign(start_s=0.0, end_s=5.5).to_parquet(folder / "clips.parquet")
    for name, x in table.x.items():
        path = folder / f"{name}.json"
        names = {"segment": {}, "clip": {f"{name}_{number}": "made up" for number in range(x.shape[1])}}
        names = json.loads(path.read_text()) if path.exists() else names
        recipe = {"extractor": name, "version": 1, "versions": {}, "channels": [], "segments": 10, "options": {}}
        write_json(path, names | recipe)


def evaluated() -> dict[str, dict]:
    evaluate.main("made_up")
    return {path.stem: json.loads(path.read_text()) for path in (stage.RECORDS / "made_up").glob("*.json")}


def row(records: dict[str, dict], name: str) -> str:
    lines = board.markdown(list(records.values())).splitlines()
    return next(line for line in lines if line.startswith(f"| {name}"))


def test_every_weight_that_was_tried_is_in_the_card_and_the_chosen_curves_are_kept(project):
    for name, tried in (("kd", [0.5, 2.0]), ("pknot", [0.5, 2.0]), ("prevalent_only", [1.0])):
        card = checkpoints.read_card(TASK / name)
        assert card["tuning"]["tried"] == tried
        assert [own["fold"] for own in card["tuning"]["chosen"]] == [0, 1, 2]
        assert all(own["factor"] in tried for own in card["tuning"]["chosen"])
    curves = pd.read_csv(TASK / "kd" / "curves.csv")
    for own in checkpoints.read_card(TASK / "kd")["tuning"]["chosen"]:
        tried = pd.read_csv(TASK / "kd" / f"curves_{own['factor']:g}.csv")
        pair = (table[table.fold == own["fold"]].value.sort_values().tolist() for table in (curves, tried))
        assert next(pair) == next(pair)


def test_students_can_be_rebuilt_from_their_folders_alone_and_have_a_page(project):
    cell = small_cell()
    for name in ("kd", "pknot"):
        found = students.load(TASK / name)
        assert found.replicas == cell.replicas and found.takes == {"vision": "vision"} and found.synthetic
        assert found.card["data"] == {"dataset": "made_up", "provenance": "synthetic", "clips": 144, "subjects": 12}
        assert (TASK / name / "README.md").read_text().startswith(f"# SYNTHETIC made_up: {name}\n")
    with pytest.raises(Refused, match="clean_labels could not be run: labels: clean needs synthetic"):
        students.load(TASK / "clean_labels")
    assert "could not be run" in (TASK / "clean_labels" / "README.md").read_text()
    with pytest.raises(Refused, match="holds teacher, not a student"):
        students.load(TASK / "teacher")


def test_a_replica_that_diverged_does_not_take_part_in_predictions(project):
    lose("kd", 3)
    found = students.load(TASK / "kd")
    assert len(found.networks) == 5 and found.left_out == ["fold 1, seed 1: diverged in epoch 1"]
    with pytest.raises(Refused, match="no replica with weights"):
        students.load(TASK / "kd", fold=1, seed=1)


def test_models_without_trouble_are_scored_on_every_seed(project):
    records = evaluated()
    assert {name for name, own in records.items() if own["status"] != "ok"} == {"clean_labels"}
    assert all(own["left_out"] == [] for own in records.values())
    assert "not run: labels: clean needs synthetic" in row(records, "clean_labels")
    assert set(pd.read_parquet(stage.PREDICTIONS / "made_up" / "kd.parquet").seed) == {0, 1}


def test_a_record_has_every_condition_and_what_they_come_down_to(project):
    found = evaluated()
    teacher, student = found["teacher"], found["prevalent_only"]
    assert {own["protocol"] for own in teacher["conditions"].values()} == {
        "subset",
        "random",
        "equal",
        "unequal",
        "gap",
    }
    for name, own in student["conditions"].items():
        assert "scores" in own or own["reason"] == "shows this model nothing that it can use", name
    assert student["conditions"]["biosignal"]["clips"] == 0 and student["conditions"]["random_50"]["answered"] < 1
    assert student["robustness"]["effective"] == {"value": 0.0, "reason": None}
    assert student["robustness"]["learning_index"]["reason"] == "the modules of one modality alone learn"
    assert teacher["robustness"]["learning_index"]["value"] > 0 and teacher["robustness"]["equity"]["value"] > 0
    assert student["available"]["student"] == {"vision": 1.0} and teacher["available"]["student"] == {}
    table = leaderboard.rows(list(found.values()))
    assert not table[table.value.isna() & table.reason.isna()].size, "a value or a reason"


def test_embeddings_of_test_clips_are_kept_for_the_report(project):
    evaluated()
    with np.load(stage.RESULTS / "embeddings" / "made_up.npz", allow_pickle=False) as held:
        found = dict(held)
    clips = len(found["clip_id"])
    assert found["z/teacher"].shape == found["z/kd"].shape == (clips, 32) and "z/clean_labels" not in found
    assert found["tokens/real"].shape == found["tokens/mse"].shape == (clips, 1, 32) and found["there"].any()
    assert (np.diff(found["target"]) >= 0).all() and found["privileged"].tolist() == ["biosignal"]
    splits = small_cell().test[0]
    assert set(found["clip_id"]) <= set(small_cell().table.clip_id[splits])


def test_a_seed_without_one_of_its_folds_is_left_out_and_said_to_be(project):
    lose("kd", 3)
    found = evaluated()
    assert found["kd"]["left_out"] == [{"seed": 1, "reason": "fold 1 diverged at epoch 1"}]
    predictions = pd.read_parquet(stage.PREDICTIONS / "made_up" / "kd.parquet")
    assert set(predictions.seed) == {0} and set(predictions.fold) == {0, 1, 2}
    assert found["kd"]["status"] == "ok" and found["kd"]["difference"]["value"] is not None
    assert row(found, "kd").startswith("| kd (1 of 2 seeds left out: diverged) | 0")
    scored = [bool(own["scores"]) for own in found["kd"]["replicas"]]
    assert scored == [True, False, True, False, True, False]
    assert found["prevalent_only"]["left_out"] == [] and row(found, "prevalent_only").startswith("| prevalent_only |")


def test_a_model_without_any_seed_left_is_shown_with_its_reason(project):
    lose("pknot", 0, 1, 5)
    found = evaluated()
    reason = "no seed is left (seed 0: fold 0 diverged at epoch 1; seed 1: fold 0 diverged at epoch 1, and 1 more)"
    assert found["pknot"]["status"] == "diverged" and found["pknot"]["reason"] == reason
    assert row(found, "pknot").startswith(f"| pknot | diverged: {reason}")
    assert not (stage.PREDICTIONS / "made_up" / "pknot.parquet").exists()
    table = leaderboard.rows(list(found.values()))
    assert table[table.method == "pknot"].reason.tolist() == [found["pknot"]["reason"]]
    assert "pknot" not in json.loads((stage.RESULTS / "metrics" / "made_up.json").read_text())["made_up"]["synthetic"]


def test_a_model_that_could_not_be_judged_has_not_diverged(project):
    state, card = checkpoints.load(TASK / "kd")
    for entry in card["replicas"]:
        entry |= {"epoch": 0, "validation": None}
    checkpoints.save(TASK / "kd", state, card)
    found = evaluated()["kd"]
    assert found["status"] == "no score" and "seed 0: fold 0 has no validation score" in found["reason"]


@pytest.mark.parametrize("lost", ["prevalent_only", "teacher"])
def test_without_a_baseline_or_a_teacher_the_others_are_scored_all_the_same(project, lost):
    lose(lost, *range(6))
    found = evaluated()
    assert found[lost]["status"] == "diverged" and found["kd"]["status"] == "ok"
    assert ("difference" in found["kd"]) == (lost == "teacher") and "gap_recovered" not in found["kd"]
    assert row(found, "kd").startswith("| kd | 0") and "nan" not in board.markdown(list(found.values())).lower()


def test_students_of_a_teacher_that_diverged_are_left_out_with_it(project, monkeypatch):
    """Nobody learns from a teacher without weights, and no stage stops at one."""
    trained = teachers.fit

    def losing(*given):
        found = trained(*given)
        for values in found.state.values():
            values[2] = torch.nan
        found.epoch[2], found.diverged[2], found.score[2] = 0, 1, float("nan")
        return found

    monkeypatch.setattr(teachers, "fit", losing)
    teacher.main("made_up")
    for name in ("prevalent_only", "kd", "pknot", "crossfit"):
        distill.main("made_up", name)
    found = evaluated()
    for name in ("teacher", "teacher_hallucinated", "kd", "pknot", "crossfit"):
        assert found[name]["left_out"] == [{"seed": 0, "reason": "fold 1 diverged at epoch 1"}], name
    assert found["prevalent_only"]["left_out"] == []


def test_a_method_more_changes_no_number_of_another_but_those_that_speak_of_all(project):
    """p_holm is corrected for all that are compared; everything else is of a model alone, or of a pair."""
    every = evaluated()
    predictions = {path.name: path.read_bytes() for path in (stage.PREDICTIONS / "made_up").iterdir()}
    params = yaml.safe_load(Path("params.yaml").read_text())
    params["suite"]["methods"] = ["pknot", "prevalent_only"]
    Path("params.yaml").write_text(yaml.safe_dump(params))
    few = evaluated()
    for path in (stage.PREDICTIONS / "made_up").iterdir():
        assert path.read_bytes() == predictions[path.name], path.name
    differing = set()
    for name, record in few.items():
        differing |= {(name, *where) for where in differences(record, every[name])}
    assert {where[-1] for where in differing} <= {"p_holm"}, differing


def differences(one, other, *where) -> list[tuple]:
    """Where two records differ: the keys that lead there."""
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        return [found for key in one for found in differences(one[key], other[key], *where, key)]
    return [] if one == other else [where]
