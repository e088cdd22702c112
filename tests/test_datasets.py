"""What every dataset promises; a new file in benchmark/datasets is tested without an edit here."""

import os
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from test_params import SHIPPED

from benchmark import extraction, params, plugins, splits
from benchmark.params import Split
from benchmark.reading import sources
from benchmark.types import WrongTree

PARAMS = params.load(SHIPPED)
NAMES = plugins.names("datasets")
RAW = Path(__file__).parents[1] / "data" / "raw"
HEADINGS = ("People", "Recordings", "Labels", "Licence", "Protocol", "Figures")


def entry(name: str):
    """The first entry of params.yaml in this layout: module, options, population, its name."""
    found = next(dataset for dataset in PARAMS.datasets.values() if dataset.layout == name)
    module = plugins.load("datasets", name)
    return module, module.Options(**found.options), PARAMS.populations[found.population], found.population


def one_by_one(function, items, title):
    return [function(item) for item in items]


@pytest.fixture(scope="module", params=NAMES)
def made(request, tmp_path_factory):
    """(name, folder of a small synthetic copy, noise-free labels)."""
    module, options, population, called = entry(request.param)
    seconds = 12.0 if population.seconds <= 60 else population.seconds  # some layouts need their length
    small = population.model_copy(update={"subjects": 2, "clips": min(population.clips, 5), "seconds": seconds})
    root = tmp_path_factory.mktemp(request.param)
    return request.param, root, module.synthesize(root, called, small, options, one_by_one)


def features(name: str, root: Path, folder: Path) -> dict[str, tuple[pd.DataFrame, np.ndarray]]:
    """(index, features) of every modality, as the features stage makes them."""
    module, options, *_ = entry(name)
    clips, found = module.read(root, options).clips, {}
    for modality, kind in module.modalities(options).items():
        own = PARAMS.features.extractors.get(kind.kind, {})
        extractor = plugins.load("features", kind.kind).Options(**own)
        (folder / modality / "shards").mkdir(parents=True)
        for subject in sorted(clips.subject_id.unique()):
            shard = folder / modality / "shards" / extraction.shard_name(subject)
            rows = clips[clips.subject_id == subject].assign(path=clips[modality])
            job = extraction.Job(
                modality, kind.kind, root, shard, rows, name, options, extractor, kind.channels, segments=4
            )
            extraction.extract_subject(job)
        index = extraction.pack(folder / modality, clips, kind, extractor)
        found[modality] = index, np.load(folder / modality / "features.npy")
    return found


@pytest.fixture(scope="module")
def extracted(made, tmp_path_factory):
    return features(made[0], made[1], tmp_path_factory.mktemp("features"))


def test_the_clip_table_keeps_the_contract(made):
    name, root, clean = made
    module, options, *_ = entry(name)
    clips, dropped = module.read(root, options)
    modalities = module.modalities(options)
    assert {"clip_id", "recording_id", "subject_id", "start_s", "end_s", *modalities} <= set(clips)
    assert clips.clip_id.is_unique and clips.clip_id.notna().all() and (clips.end_s > clips.start_s).all()
    assert (clips.groupby("recording_id").subject_id.nunique() == 1).all(), "a recording belongs to one subject"
    assert set(clips) & set(module.LABELS) and clips[[*set(clips) & set(module.LABELS)]].notna().any(axis=None)
    assert list(dropped) == ["path", "reason"] and dropped.reason.ne("").all()
    for modality in modalities:
        listed = clips[modality].dropna()
        assert not listed.str.startswith("/").any() and not listed.str.contains("..", regex=False).any()
    assert set(clips.clip_id) <= set(clean.clip_id) and set(clean) >= set(clips) & set(module.LABELS) - {"order"}


def test_every_modality_can_be_extracted(made, extracted):
    module, options, *_ = entry(made[0])
    for modality, kind in module.modalities(options).items():
        index, values = extracted[modality]
        defined = plugins.load("features", kind.kind).definitions(
            kind.channels, plugins.load("features", kind.kind).Options()
        )
        assert index.present.mean() >= 0.6, index.reason[~index.present].unique()
        assert values.shape[1:] == (5, len(defined.segment) + len(defined.clip))
        assert np.isfinite(values[index.present.to_numpy(), -1, len(defined.segment) :]).mean() > 0.6
        assert index.reason[~index.present].ne("").all()


def test_a_renamed_copy_with_other_order_and_times_gives_the_same_features_and_splits(made, extracted, tmp_path):
    name, root, _ = made
    module, options, *_ = entry(name)
    other = tmp_path / "renamed"
    for path in sorted(root.rglob("*"), key=lambda path: path.name[::-1], reverse=True):
        if path.is_file():
            (other / path.relative_to(root)).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, other / path.relative_to(root))
            os.utime(other / path.relative_to(root), (1, 1))
    before, after = (module.read(place, options).clips for place in (root, other))
    pd.testing.assert_frame_equal(before, after)
    rule = Split(rule="subject_folds", folds=2, validation=0.4)
    if before.subject_id.nunique() > 2:
        pd.testing.assert_frame_equal(splits.draw(before, rule), splits.draw(after, rule))
    for modality, (index, values) in features(name, other, tmp_path / "features").items():
        pd.testing.assert_frame_equal(index, extracted[modality][0])
        np.testing.assert_array_equal(values, extracted[modality][1])


def test_litter_changes_nothing(made):
    name, root, _ = made
    module, options, *_ = entry(name)
    before = module.read(root, options)
    litter = [folder / ".DS_Store" for folder in (root, *root.rglob("*")) if folder.is_dir()]
    fresh = [path for path in litter if not path.exists()]
    for path in fresh:
        path.write_text("litter")
    after = module.read(root, options)
    for path in fresh:
        path.unlink()
    pd.testing.assert_frame_equal(before.clips, after.clips)
    pd.testing.assert_frame_equal(before.dropped, after.dropped)


@pytest.mark.parametrize("name", NAMES)
def test_the_datasheet_is_complete(name):
    module = plugins.load("datasets", name)
    for heading in HEADINGS:
        assert re.search(rf"^{heading} ", module.__doc__, re.M), f"no {heading}"
    assert re.search(r"https?://", module.__doc__) and module.PEOPLE >= 2 and module.LABELS


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_says_how_to_obtain_the_dataset_and_what_it_looks_like(name):
    text = (RAW / name / "README.md").read_text()
    assert "http" in text and "Usual mistakes" in text and "source" in text
    module, options, *_ = entry(name)
    words = re.findall(r"[\w.-]{6,}", module.expected_tree(options).split("\n")[1])
    assert any(word in text for word in words), "the tree of the README is another one"


@pytest.mark.parametrize("name", NAMES)
def test_something_else_in_the_folder_is_a_wrong_tree(name, tmp_path):
    module, options, *_ = entry(name)
    (tmp_path / "downloads").mkdir()
    (tmp_path / "downloads" / "archive.zip").write_text("x")
    with pytest.raises(WrongTree) as error:
        sources.real(name, "auto", tmp_path, module, options)
    assert "expected:" in str(error.value) and "archive.zip" in str(error.value)
    assert f"data/raw/{name}/README.md" in str(error.value)


@pytest.mark.parametrize("name", [name for name, dataset in PARAMS.datasets.items() if dataset.source != "synthetic"])
def test_every_dataset_has_a_task_whose_names_exist(name):
    tasks = [task for task in PARAMS.tasks.values() if task.dataset == name]
    module, options, *_ = entry(PARAMS.datasets[name].layout)
    assert tasks
    for task in tasks:
        assert {*task.prevalent, *task.privileged} <= set(module.modalities(options))
        assert set(task.target) <= set(module.LABELS)
        assert task.split.rule in (*splits.RULES, *module.PARTITIONS)
