"""What networks read is what the extractors measured, in the order of the clips."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import small_task

from benchmark import inputs

SEGMENTS, FIRST, LAST = 4, 2, 1  # of the made-up features


@pytest.fixture
def dataset(tmp_path):
    """Six clips; the second lacks its face, the fourth its bio-signals, and the last has no label of the task."""
    clips = pd.DataFrame(
        {
            "clip_id": [f"c{number}" for number in range(6)],
            "recording_id": [f"r{number}" for number in range(6)],
            "subject_id": ["a", "a", "b", "b", "c", "c"],
            "level": [0, 1, 2, 0, 1, 9],
        }
    )
    (tmp_path / "prepared").mkdir()
    clips.to_parquet(tmp_path / "prepared" / "clips.parquet")
    pd.DataFrame({"clip_id": clips.clip_id[::-1], "level": [9, 1.2, 0.4, 1.6, 0.9, 0.1]}).to_parquet(
        tmp_path / "prepared" / "clean.parquet"
    )
    (tmp_path / "prepared" / "source.json").write_text(
        json.dumps({"provenance": "synthetic", "dropped": {"remarks": 2}})
    )
    for modality, absent in (("vision", 1), ("biosignal", 3)):
        folder = tmp_path / "features" / modality
        folder.mkdir(parents=True)
        packed = np.full((6, SEGMENTS + 1, FIRST + LAST), np.nan, np.float32)
        for clip in range(6):
            if clip != absent:
                packed[clip, :-1, :FIRST] = clip + np.arange(SEGMENTS)[:, None] * [0, 1]
                packed[clip, -1, FIRST:] = 100 + clip
        np.save(folder / "features.npy", packed)
        present = np.arange(6) != absent
        pd.DataFrame({"clip_id": clips.clip_id, "present": present, "reason": ""}).to_parquet(folder / "index.parquet")
        (folder / "names.json").write_text(
            json.dumps({"segment": {"x": "", "y": ""}, "clip": {"z": ""}, "extractor": modality, "versions": {}})
        )
    return gathered(tmp_path, small_task("ordinal"))


def gathered(folder, task):
    (folder / "inputs").mkdir(exist_ok=True)
    inputs.gather(task, folder / "prepared", folder / "features", folder / "inputs")
    return folder / "inputs"


def test_clips_without_any_prevalent_modality_or_label_are_left_out_and_counted(dataset):
    table = inputs.load(small_task("ordinal"), dataset, "pooled")
    assert list(table.clip_id) == ["c0", "c2", "c3", "c4"]
    dropped = json.loads((dataset / "source.json").read_text())["dropped"]
    assert dropped == {"remarks": 2, "without_prevalent": 1, "incomplete": 0}
    assert table.visible["biosignal"].tolist() == [True, True, False, True] and table.visible["vision"].all()
    assert list(table.positions(["c4", "c1", "c0"])) == [3, 0]


def test_a_task_of_complete_clips_needs_every_modality(dataset):
    task = small_task("ordinal").model_copy(update={"clips": "complete"})
    folder = gathered(dataset.parent, task)
    assert list(inputs.load(task, folder, "pooled").clip_id) == ["c0", "c2", "c4"]
    assert json.loads((folder / "source.json").read_text())["dropped"]["incomplete"] == 1


def test_targets_are_classes_and_clean_labels_the_nearest_class(dataset):
    table = inputs.load(small_task("ordinal"), dataset, "pooled")
    assert table.target.tolist() == [0, 2, 0, 1] and table.clean.tolist() == [0, 2, 0, 1]


def test_pooling_is_mean_deviation_and_the_clip_level_row(dataset):
    vision = inputs.load(small_task("ordinal"), dataset, "pooled").x["vision"]
    deviation = np.std(np.arange(SEGMENTS))
    np.testing.assert_allclose(vision[0], [0, 1.5, 0, deviation, 100], rtol=1e-6)
    np.testing.assert_allclose(vision[1], [2, 3.5, 0, deviation, 102], rtol=1e-6)


def test_a_temporal_encoder_gets_every_segment_with_the_clip_level_row(dataset):
    vision = inputs.load(small_task("ordinal"), dataset, "temporal").x["vision"]
    assert vision.shape == (4, SEGMENTS, FIRST + LAST)
    np.testing.assert_allclose(vision[1], [[2, 2 + step, 102] for step in range(SEGMENTS)])


def test_absent_features_stay_missing_numbers(dataset):
    assert torch.isnan(inputs.load(small_task("ordinal"), dataset, "pooled").x["biosignal"][2]).all()


def test_segments_that_were_not_measured_do_not_count():
    packed = np.array([[[1.0], [np.nan], [3.0], [np.nan]]], np.float32)
    np.testing.assert_allclose(inputs.pool(packed, 1), [[2.0, 1.0]])


def clips_at(*spans: tuple[str, float, float]) -> pd.DataFrame:
    return pd.DataFrame(spans, columns=["recording_id", "start_s", "end_s"])


@pytest.mark.parametrize(
    "clips, expected",
    [
        (clips_at(("a", 0, 6), ("a", 9, 15), ("b", 3, 9), ("b", 6, 12)), {"length_s": 6, "hop_s": 3}),
        (clips_at(("a", 0, np.inf), ("b", 0, np.inf)), None),
        (clips_at(("a", 0, 5.5), ("b", 0, 5.5)), None),  # a clip of each recording is no window of it
        (clips_at(("a", 0, 5), ("a", 5, 12)), None),
    ],
)
def test_windows_are_equal_stretches_of_longer_recordings(clips, expected):
    assert inputs.windows(clips) == expected


def test_what_a_student_is_told_of_its_inputs_is_what_they_were(dataset):
    clips = pd.read_parquet(dataset / "clips.parquet").assign(start_s=0.0, end_s=np.inf)
    clips.to_parquet(dataset / "clips.parquet")
    source = json.loads((dataset / "source.json").read_text()) | {"dataset": "made_up"}
    (dataset / "source.json").write_text(json.dumps(source))
    found = inputs.about(dataset, ("vision",))
    assert found["data"] == {"dataset": "made_up", "provenance": "synthetic", "clips": 4, "subjects": 3}
    assert found["windows"] is None
    assert found["features"] == {"vision": json.loads((dataset / "vision.json").read_text())}
