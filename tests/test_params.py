"""params.yaml: what ships is sound, and mistakes are told in a sentence."""

import math
import re
from pathlib import Path

import pytest
import yaml

from benchmark import objectives, params, plugins, records, schema

SHIPPED = Path(__file__).parents[1] / "params.yaml"


@pytest.fixture
def raw() -> dict:
    return yaml.safe_load(SHIPPED.read_text())


def mistake(tmp_path, raw) -> str:
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(raw))
    with pytest.raises(schema.BadParams) as error:
        params.load(tmp_path / "params.yaml")
    return str(error.value)


def test_the_shipped_file_is_sound():
    loaded = params.load(SHIPPED)
    for name, method in loaded.methods.items():
        objectives.options(method.terms, f"methods.{name}.terms")
    for name, dataset in loaded.datasets.items():
        schema.check(plugins.load("datasets", dataset.layout).Options, dataset.options, name)


def test_methods_can_be_told_apart_by_ten_letters():
    names = [*records.TEACHERS, *params.load(SHIPPED).methods]
    assert len({name[:10] for name in names}) == len(names)


def test_a_misspelt_key_names_the_section_and_the_nearest_key(tmp_path, raw):
    raw["training"]["epoch"] = 3
    text = mistake(tmp_path, raw)
    assert "params.yaml: training has no key 'epoch'" in text and "did you mean 'epochs'?" in text


def test_a_misspelt_key_deep_inside_is_found(tmp_path, raw):
    raw["tasks"]["biovid_level"]["split"]["fold"] = 3
    assert "tasks.biovid_level.split has no key 'fold'; did you mean 'folds'?" in mistake(tmp_path, raw)


def test_a_misspelt_section_is_found(tmp_path, raw):
    raw["trainings"] = raw.pop("training")
    text = mistake(tmp_path, raw)
    assert "the top level has no key 'trainings'; did you mean 'training'?" in text and "training is missing" in text


@pytest.mark.parametrize(
    "path, value, told",
    [
        (("training", "batch"), 1, "training.batch is 1: input should be greater than or equal to 2"),
        (("training", "encoder"), "lstm", "training.encoder is 'lstm': input should be 'pooled' or 'temporal'"),
        (("methods", "kd", "tnet"), "trained", "tnet is 'trained': input should be 'none', 'random', 'mse', 'mmd', 'c"),
        (("methods", "kd", "teacher"), "crossfitted", "kd.teacher is 'crossfitted': input should be 'trained', 'perm"),
        (("methods", "kd", "dropout"), 0.3, "methods.kd: dropout is 0.3: only with inputs: all"),
        (("methods", "kd", "absent"), "zeros", "methods.kd: absent is 'zeros': only with inputs: all"),
        (("methods", "kd"), {"inputs": "all", "tnet": "mse"}, "methods.kd: tnet is 'mse': inputs: all leaves nothing"),
        (("methods", "kd", "task_weight"), math.nan, "methods.kd.task_weight is nan: input should be a finite number"),
        (("tuning", "weights"), [], "tuning.weights is []: at least 1 needed"),
        (("tuning", "weights"), [0.5, 1, 1.0], "tuning.weights: 1.0 stands there twice"),
        (("tuning", "weights"), [1, 0], "tuning.weights.1 is 0: input should be greater than 0"),
        (("training", "rate"), "0.002", "training.rate is '0.002': input should be a valid number"),
        (("training", "epochs"), "25", "training.epochs is '25': input should be a valid integer"),
        (("training", "batch"), True, "training.batch is True: input should be a valid integer"),
        (("runtime", "workers"), 0, "runtime.workers is 0: input should be 'auto' or an integer greater than 0"),
        (("runtime", "executor"), "slurm", "runtime.executor is 'slurm': input should be 'local' or 'dask'"),
        (
            ("runtime",),
            {"executor": "dask", "scheduler": "localhost:8786"},
            "runtime.scheduler is 'localhost:8786': the address of a Dask scheduler is needed, tcp://host:port",
        ),
        (("runtime", "scheduler"), "tcp://10.0.0.5:8786", "scheduler is 'tcp://10.0.0.5:8786': only with executor: da"),
        (("suite", "methods"), ["prevalent_only", "kdott"], "suite.methods: there is no 'kdott'; did you mean 'kdot'?"),
        (("suite", "methods"), ["kd"], "prevalent_only is the baseline"),
        (
            ("validation", "methods"),
            ["prevalent_only", "kdd"],
            "validation.methods: there is no 'kdd'; did you mean 'kd'?",
        ),
        (("validation", "methods"), ["kd"], "validation.methods: prevalent_only is the baseline"),
        (("validation", "methods"), ["prevalent_only", "clean_labels"], "clean_labels needs labels without noise"),
        (("tasks", "biovid_level", "dataset"), "biovit", "tasks.biovid_level.dataset: there is no 'biovit'"),
        (("tasks", "biovid_level", "classes"), [], "classes are needed"),
        (("tasks", "biovid_level", "privileged"), ["vision"], "vision cannot be both prevalent and privileged"),
        (("populations", "shared", "clips"), 0, "greater than or equal to 1"),
        (("training", "seeds"), [0, 1, 0], "training.seeds: 0 stands there twice"),
        (("methods", "teacher"), {}, "methods: teacher: this name is taken"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(tmp_path, raw, path, value, told):
    held = raw
    for key in path[:-1]:
        held = held.setdefault(key, {})
    held[path[-1]] = value
    assert told in mistake(tmp_path, raw)


def test_a_wrong_option_of_a_loss_term_is_named():
    with pytest.raises(
        schema.BadParams, match=r"methods\.kdot\.terms\.kdot has no key 'epsilom'; did you mean 'epsilon'"
    ):
        objectives.options({"kdot": {"epsilom": 1}}, "methods.kdot.terms")


def test_an_unknown_loss_term_lists_what_exists():
    with pytest.raises(schema.BadParams, match="there is no term 'kdto'; did you mean 'kdot'"):
        objectives.options({"kdto": {}}, "methods.kdot.terms")


@pytest.mark.parametrize("written", ["2e-3", "2E-3", "+2e-3", "2.e-3", "2.0e-03"])
def test_an_exponent_is_a_number(tmp_path, written):
    """YAML 1.1 takes 2e-3 for text; DVC, which reads YAML 1.2, does not."""
    text = SHIPPED.read_text()
    assert "rate: 0.002" in text
    (tmp_path / "params.yaml").write_text(text.replace("rate: 0.002", f"rate: {written}"))
    assert params.load(tmp_path / "params.yaml").training.rate == 0.002


def test_an_integer_may_stand_for_a_number(tmp_path, raw):
    raw["methods"]["kd"]["task_weight"] = 1
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(raw))
    assert params.load(tmp_path / "params.yaml").methods["kd"].task_weight == 1.0


def test_broken_yaml_is_told(tmp_path):
    (tmp_path / "params.yaml").write_text("suite: [")
    with pytest.raises(schema.BadParams, match="not valid YAML"):
        params.load(tmp_path / "params.yaml")


@pytest.mark.parametrize(
    "path, value, told",
    [
        (("tasks", "biovid_level", "prevalent"), ["visoin"], "no modality 'visoin'; did you mean 'vision'?"),
        (("tasks", "biovid_level", "target"), ["levle"], "no label 'levle'; did you mean 'level'?"),
        (("tasks", "noise_level", "split", "rule"), "lsoo", "no rule 'lsoo'; did you mean 'loso'?"),
        (("datasets", "biovid", "layout"), "biovit", "no layout 'biovit'; did you mean 'biovid'?"),
        (("datasets", "biovid", "options"), {"parts": "B"}, "datasets.biovid.options has no key 'parts'"),
        (
            ("features", "extractors", "vision"),
            {"ratee": 4},
            "extractors.vision has no key 'ratee'; did you mean 'rate'",
        ),
        (("features", "extractors", "gaze"), {}, "no extractor 'gaze'; allowed: biosignal, speech, vision"),
        (("methods", "unused"), {"terms": {"kdto": {}}}, "methods.unused.terms: there is no term 'kdto'"),
    ],
)
def test_the_plan_stops_at_names_that_do_not_exist(tmp_path, monkeypatch, raw, path, value, told):
    from pipelines import plan

    held = raw
    for key in path[:-1]:
        held = held[key]
    held[path[-1]] = value
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(raw))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(schema.BadParams, match=re.escape(told)):
        plan.main()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"a: \xdf", "is not valid YAML: 'utf-8' codec can't decode"),
        (b"a: " + b"[" * 100_000, "is not valid YAML: maximum recursion depth"),
        (b"a: !!timestamp 2001-99-99", "is not valid YAML: month must be in 1..12"),
        (b"a: " + b"9" * 10_000, "is not valid YAML: Exceeds the limit"),
    ],
)
def test_what_breaks_the_reader_of_yaml_is_told(tmp_path, content, told):
    (tmp_path / "params.yaml").write_bytes(content)
    with pytest.raises(schema.BadParams, match=re.escape(told)):
        params.load(tmp_path / "params.yaml")


def test_a_file_that_cannot_be_read_is_told(tmp_path):
    with pytest.raises(schema.BadParams, match=r"nowhere\.yaml cannot be read: No such file"):
        params.load(tmp_path / "nowhere.yaml")


def test_lists_that_hold_each_other_are_not_written_out(tmp_path, raw):
    vast = ["x"] * 9
    for _ in range(12):
        vast = [vast] * 9
    raw["suite"]["datasets"] = vast
    told = mistake(tmp_path, raw)
    assert "suite.datasets.0 is [[" in told and len(told) < 5000
