"""The plan: every name is checked before anything is computed."""

import json
import math
from pathlib import Path

import pytest
import yaml
from test_params import SHIPPED

from benchmark.schema import BadParams
from pipelines import plan

KDOT = ("methods", "kdot", "terms", "kdot")


@pytest.fixture
def raw() -> dict:
    return yaml.safe_load(SHIPPED.read_text())


@pytest.fixture
def planned(tmp_path, monkeypatch):
    """Runs the plan of the given params in a folder of its own; returns what lies in results/plan."""
    monkeypatch.chdir(tmp_path)

    def run(raw: dict) -> dict[str, dict]:
        (tmp_path / "params.yaml").write_text(yaml.safe_dump(raw))
        plan.main()
        folder = tmp_path / "results" / "plan"
        return {path.relative_to(folder).as_posix(): json.loads(path.read_text()) for path in folder.rglob("*.json")}

    return run


def test_what_the_suite_no_longer_names_is_removed_and_nothing_else(planned, raw, tmp_path):
    kept = [f"models/biovid_level/{name}/card.json" for name in ("teacher", "targets", "tnet_mse", "kd")]
    kept += ["predictions/biovid_level/kd.parquet", "ranks/biovid_level.json", "studies/power.json"]
    gone = ["models/biovid_level/dropped/card.json", "models/biovid_old/kd/card.json", "embeddings/biovid_old.npz"]
    for name in (*kept, *gone):
        (tmp_path / "results" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "results" / name).touch()
    planned(raw)
    left = {path.relative_to(tmp_path / "results").as_posix() for path in (tmp_path / "results").rglob("*.*")}
    assert {name for name in left if not name.startswith("plan/")} == set(kept)
    assert not (tmp_path / "results" / "models" / "biovid_old").exists()


def test_all_seven_datasets_and_every_task_can_be_planned(planned, raw):
    raw["suite"] |= {"datasets": list(raw["datasets"]), "tasks": list(raw["tasks"])}
    found = planned(raw)
    assert {f"datasets/{name}.json" for name in raw["datasets"]} <= set(found)
    assert found["datasets/wesad.json"]["modalities"]["wrist"][0] == "biosignal"
    assert found["tasks/wesad_state.json"]["headline"] == "macro_f1" and found["tasks/wesad_state.json"]["digest"]


@pytest.mark.parametrize(
    "path, value, told",
    [
        (("tasks", "recola_av", "headline"), "kappa", "tasks.recola_av.headline: there is no metric 'kappa'"),
        (("tasks", "recola_av", "privileged"), ["biosignals"], "there is no modality 'biosignals'; did you mean"),
        (("tasks", "recola_av", "target"), ["arousal", "pain"], "there is no label 'pain'"),
        (("tasks", "recola_av", "split", "rule"), "official", "there is no rule 'official'"),
        (("tasks", "affwild2_va", "clips"), "all", "tasks.affwild2_va.clips is 'all': input should be 'any' or 'compl"),
        (("datasets", "recola", "layout"), "rekola", "datasets.recola: there is no layout 'rekola'; did you mean"),
        (("datasets", "recola", "options", "release"), "2018", "datasets.recola.options.release is '2018'"),
        (("datasets", "recola", "options", "windows"), {"length_s": 6}, "options.windows.hop_s is missing"),
        (("datasets", "recola", "options", "windows", "hop_s"), 0, "options.windows.hop_s is 0"),
        (("datasets", "recola", "options", "windows", "lenght"), 1, "no key 'lenght'; did you mean 'length_s"),
        ((*KDOT, "weight"), "heavy", "methods.kdot.terms.kdot.weight is 'heavy': input should be a valid number"),
        ((*KDOT, "weight"), "0.5", "methods.kdot.terms.kdot.weight is '0.5': input should be a valid number"),
        ((*KDOT, "weight"), math.nan, "methods.kdot.terms.kdot.weight is nan: input should be a finite number"),
        ((*KDOT, "weight"), math.inf, "methods.kdot.terms.kdot.weight is inf: input should be a finite number"),
        ((*KDOT, "k"), 0, "methods.kdot.terms.kdot.k is 0: input should be greater than or equal to 1"),
        ((*KDOT, "k"), 2.5, "methods.kdot.terms.kdot.k is 2.5: input should be a valid integer"),
        ((*KDOT, "anchors"), "near", "kdot.anchors is 'near': input should be 'dissimilar', 'similar', 'random', 's"),
        (("methods", "hallucination", "tnet"), "mse", "hallucination.tnet is 'mse': the term hallucination needs 'o"),
        (KDOT[:-1], {"kdott": {}}, "methods.kdot.terms: there is no term 'kdott'; did you mean 'kdot'? allowed: c"),
        (("tasks", "recola_av", "methods"), {"kd": {"terms": {"kd": {"weight": -1}}}}, "recola_av.methods.kd.terms.kd"),
        (("methods", "kd", "missing"), "random_60", "methods.kd.missing: there is no condition 'random_60'"),
        (("missing", "rates"), [0.1, 1.5], "missing.rates.1 is 1.5: input should be less than 1"),
        (("missing", "unequal"), [0.3, 0.8], "missing: unequal is [0.3, 0.8]: of two modalities one is kept"),
        (("tasks", "recola_av", "headline"), "mae", "tasks.recola_av.headline: mae is better when lower"),
        (("missing", "unequal"), [0.5], "missing.unequal is [0.5]: at least 2 needed"),
        (("populations", "actors", "subjects"), 25, "populations.actors.subjects is 25: the layout ravdess"),
        (("populations", "shared", "clips"), 101, "populations.shared.clips is 101: the layout biovid"),
        (("features", "extractors", "speech"), {"rates": 1}, "features.extractors.speech has no key 'rates'"),
        (("features", "extractors", "vision"), {"embedding": "none.onnx"}, "none.onnx"),
        (("features", "extractors", "vision"), {"embedding": "broken.onnx"}, "broken.onnx"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_before_anything_is_computed(planned, raw, path, value, told):
    held = raw
    for key in path[:-1]:
        held = held[key]
    held[path[-1]] = value
    Path("broken.onnx").write_text("not a network")
    with pytest.raises(BadParams) as error:
        planned(raw)
    assert told in str(error.value), str(error.value)


def test_more_anchors_than_a_batch_has_are_told(planned, raw, capsys):
    planned(raw)
    assert "anchors" not in capsys.readouterr().out
    raw["training"]["batch"] = 16
    planned(raw)
    assert "kdot: kdot.k is 30: the other 15 clips of a batch are all its anchors" in capsys.readouterr().out


def test_what_tuning_costs_is_told_before_it_starts(planned, raw, capsys):
    raw["suite"] |= {"tasks": ["biovid_level"], "methods": ["prevalent_only", "kd", "pknot"]}
    planned(raw)
    assert "tuning" not in capsys.readouterr().out
    raw["tuning"]["weights"] = [0.1, 1.0, 10.0]
    planned(raw)
    said = capsys.readouterr().out
    assert "1 tasks x 3 methods = 3 cells" in said and "3 weights each in 2 of them, 7 trainings in all" in said
