"""Synthetic sessions in the layout of WESAD."""

import pickle

import numpy as np
import pandas as pd
import pytest

from benchmark import extraction, plugins
from benchmark.datasets import wesad
from benchmark.params import Population


def here(function, items, title):
    return [function(item) for item in items]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Two synthetic subjects, made twice; the second time after another population size."""
    shows = {"subject": 0.2, "noise": 0.25}
    face = {"expressiveness": 0.35, "others": 0.5, "frequency": 0.5, "clip": 0.15, "noise": 0.15, "subject": 0.4}
    found = []
    for subjects in (2, 3):
        population = Population(
            subjects=subjects, clips=1, seconds=120, label_noise=1, icc=0.15, face=face, body={"shows": "felt"} | shows
        )
        root = tmp_path_factory.mktemp("wesad")
        found.append((root, wesad.synthesize(root, "made_up", population, wesad.Options(), here)))
    return found


def test_synthetic_sessions_are_read_with_every_condition_and_their_clean_labels(made):
    root, clean = made[0]
    reading = wesad.read(root, wesad.Options())
    assert set(reading.clips.clip_id) <= set(clean.clip_id) and set(wesad.LABELS) < set(clean)
    both = reading.clips.merge(clean, on="clip_id", suffixes=("", "_clean"))
    assert both.state.equals(both.state_clean) and both.order.equals(both.order_clean)
    assert (both.valence - both.valence_clean).abs().max() < 4
    for _, own in reading.clips.groupby("subject_id"):
        assert set(own.order) == {1, 2, 3, 4, 5} and set(own.state) == {1, 2, 3, 4}
    assert all("do not lie in one condition" in reason for reason in reading.dropped.reason)


def test_synthetic_sessions_are_made_alike_whoever_else_is_made(made):
    (one, clean), (other, more) = made
    for path in sorted(path for path in one.rglob("*") if path.is_file()):
        assert path.read_bytes() == (other / path.relative_to(one)).read_bytes(), path.name
    pd.testing.assert_frame_equal(clean, more[more.clip_id.isin(clean.clip_id)])
    with (one / "WESAD" / "S2" / "S2.pkl").open("rb") as file:
        held = pickle.Unpickler(file, encoding="latin1").load()
    assert held["signal"]["chest"]["Temp"].dtype == np.float32 and held["label"].dtype == np.int32
    assert (held["signal"]["wrist"]["ACC"] % 1 == 0).all()


def test_features_of_synthetic_sessions_are_measured(made, tmp_path):
    root, _ = made[0]
    clips = wesad.read(root, wesad.Options()).clips
    extractor = plugins.load("features", "biosignal")
    for device, modality in wesad.modalities(wesad.Options()).items():
        own = clips[clips.subject_id == "S2"].groupby("order").head(1).rename(columns={device: "path"})
        job = extraction.Job(
            device, "biosignal", root, tmp_path / f"{device}.npz", own, "wesad", wesad.Options(), extractor.Options(),
            modality.channels, 10,
        )  # fmt: skip
        assert extraction.extract_subject(job).failed == 0
        assert np.isfinite(extraction.read_shard(job.shard)["features"][:, 0, 0]).all()
