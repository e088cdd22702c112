"""Synthetic recordings in the layout of StressID."""

import cv2
import numpy as np
import pandas as pd
import pytest
import soundfile

from benchmark import extraction, plugins
from benchmark.datasets import stressid
from benchmark.params import Population
from benchmark.reading import media
from benchmark.synthesis import stressid as synthetic
from benchmark.types import Source

OPTIONS = stressid.Options()


def here(function, items, title):
    return [function(item) for item in items]


def population(subjects: int) -> Population:
    face = {"expressiveness": 0.35, "others": 0.5, "frequency": 0.5, "clip": 0.15, "noise": 0.15, "subject": 0.4}
    body = {"shows": "felt", "subject": 0.2, "noise": 0.25}
    return Population(subjects=subjects, clips=7, seconds=4, label_noise=1, icc=0.15, face=face, body=body)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Two synthetic subjects, and the same two among more, some of whom have their own gaps."""
    one, other = (tmp_path_factory.mktemp("stressid") for _ in range(2))
    clean = stressid.synthesize(one, "made_up", population(2), OPTIONS, here)
    for number in (0, 1, 4, 8, 12):
        synthetic.render((other, "made_up", population(13), number, stressid.TALKING[:3]))
    synthetic.write_labels(other, "made_up", population(13))
    return one, clean, other


def test_synthetic_recordings_are_read_with_their_clean_labels(made):
    root, clean, _ = made
    reading = stressid.read(root, OPTIONS)
    assert len(reading.clips) == 14 and reading.dropped.empty
    assert set(reading.clips.clip_id) <= set(clean.clip_id) and set(stressid.LABELS) < set(clean)
    both = reading.clips.merge(clean, on="clip_id", suffixes=("", "_clean"))
    assert (both.self_stress - both.self_stress_clean).abs().max() < 5
    assert all((root / path).is_file() for name in stressid.FILES for path in reading.clips[name])


def test_synthetic_trees_have_the_gaps_of_the_real_one(made):
    reading = stressid.read(made[2], OPTIONS)
    clips = reading.clips.set_index("clip_id")
    assert clips.loc["37ir_Counting1", ["vision", "speech"]].isna().all()
    assert all("hh2e" in path for path in reading.dropped.path) and len(reading.dropped) == 9
    damaged = made[2] / clips.loc["r5s8_Counting3", "biosignal"]
    found = stressid.recording(Source("biosignal", "r5s8_Counting3", made[2], damaged), OPTIONS)
    assert np.isnan(found["eda"].values).all() and pd.read_csv(damaged).EDA.isna().all()
    assert (
        list((made[2] / "Physiological" / "2ea4").glob("._*"))
        and (made[2] / "Physiological/2ea4/2ea4_Baseline.txt").exists()
    )


def test_synthetic_recordings_are_made_alike_whoever_else_is_made(made):
    one, _, other = made
    names = [path.relative_to(one) for path in sorted(one.rglob("*_Counting?.*"))]
    assert len(names) == 2 * 9 + 2  # and a file of litter each
    assert all((one / name).read_bytes() == (other / name).read_bytes() for name in names)


def test_synthetic_media_open_in_other_readers(made):
    root = made[0]
    video = cv2.VideoCapture(str(root / "Videos/2ea4/2ea4_Math.mp4"))
    assert video.get(cv2.CAP_PROP_FPS) == 15 and video.get(cv2.CAP_PROP_FRAME_COUNT) == 60
    assert len(media.frame_times(root / "Videos/2ea4/2ea4_Math.mp4")) == 60
    samples, rate = soundfile.read(root / "Audio/2ea4/2ea4_Math.wav")
    assert rate == 32_000 and len(samples) == 4 * rate and samples.std() > 0.01
    source = Source("speech", "2ea4_Math", root, root / "Audio/2ea4/2ea4_Math.wav")
    assert stressid.recording(source, OPTIONS).rate == rate


def test_features_of_synthetic_recordings_are_measured(made, tmp_path):
    extractor = plugins.load("features", "biosignal")
    for subject in ("2ea4", "r5s8"):  # the second has a recording whose EDA was deleted: the rest of it is measured
        clips = stressid.read(made[2], OPTIONS).clips
        own = clips[(clips.subject_id == subject) & (clips.task.isin(stressid.TALKING[:3]))]
        job = extraction.Job(
            "biosignal", "biosignal", made[2], tmp_path / f"{subject}.npz", own.rename(columns={"biosignal": "path"}),
            "stressid", OPTIONS, extractor.Options(), stressid.modalities(OPTIONS)["biosignal"].channels, 10,
        )  # fmt: skip
        assert extraction.extract_subject(job).failed == 0
        values = extraction.read_shard(job.shard)["features"]
        eda = [name.startswith("eda") for name in extractor.definitions(job.channels, job.extractor_options).segment]
        unmeasured = np.isnan(values[:, 0, : len(eda)][:, eda]).all(axis=1)
        assert unmeasured.sum() == (subject == "r5s8")
