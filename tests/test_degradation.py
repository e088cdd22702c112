"""Degraded recordings: as noisy, slow and incomplete as asked, the same in any order, and nothing unless asked for."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import small_task
from test_extraction import OPTIONS, recordings  # noqa: F401  (a fixture)
from test_params import SHIPPED, mistake

from benchmark import degradation, inputs, params
from benchmark.datasets import biovid
from benchmark.degradation import Degrading
from benchmark.files import write_json
from benchmark.sections import SoundDegradation, VisionDegradation
from benchmark.sensing.faces import Film
from benchmark.types import Audio, Crops, Signal, Video
from pipelines import degrade, stage

RATE = 512.0
WAVE = np.sin(2 * np.pi * 5 * np.arange(round(20 * RATE)) / RATE) + 3.0
WORSE = {
    "noisy": {"vision": {"noise": 25}, "biosignal": {"snr_db": 10}},
    "slow": {"biosignal": {"rate_hz": 128}},
}


def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize("snr_db", [-5, 0, 10, 30])
@pytest.mark.parametrize("columns", [1, 3])
def test_noise_is_as_strong_as_asked(snr_db, columns):
    values = np.stack([WAVE * (1 + column) for column in range(columns)], axis=1)
    values[100:200] = np.nan
    noise = degradation.noisy(values, snr_db, rng()) - values
    power = np.nanvar(values, axis=0) / np.nanmean(noise**2, axis=0)
    assert np.abs(10 * np.log10(power) - snr_db).max() < 0.1
    assert np.isnan(noise[100:200]).all() and np.isfinite(noise[200:]).all()


def test_a_flat_or_empty_signal_stays_as_it_is():
    for values in (np.full(50, 2.0), np.empty(0), np.full(50, np.nan)):
        made = degradation.signal(Signal(8, values), SoundDegradation(snr_db=0, rate_hz=8, drop=0), rng())
        np.testing.assert_array_equal(made.values, values)


@pytest.mark.parametrize("highest, reached", [(128, 128.0), (100, 100.0), (512, 512.0), (2000, 512.0)])
def test_a_lower_rate_keeps_what_it_can_carry_and_a_higher_one_changes_nothing(highest, reached):
    made = degradation.signal(Signal(RATE, WAVE), SoundDegradation(rate_hz=highest), rng())
    assert made.rate == pytest.approx(reached, rel=1e-3)
    assert len(made.values) / made.rate == pytest.approx(20, abs=2 / made.rate)
    expected = np.sin(2 * np.pi * 5 * np.arange(len(made.values)) / made.rate) + 3
    assert np.abs(made.values - expected)[50:-50].max() < 0.01
    assert len(WAVE) == len(made.values) or highest < RATE


def test_what_a_lower_rate_cannot_carry_is_filtered_out_not_folded_down():
    fast = np.sin(2 * np.pi * 200 * np.arange(round(20 * RATE)) / RATE)
    made = degradation.signal(Signal(RATE, fast), SoundDegradation(rate_hz=128), rng())
    assert np.abs(made.values[50:-50]).max() < 0.01


def test_gaps_stay_where_they_were_at_a_lower_rate():
    holed = WAVE.copy()
    holed[1024:2048] = np.nan
    made = degradation.signal(Signal(RATE, holed), SoundDegradation(rate_hz=128), rng())
    assert np.isnan(made.values[258:510]).all() and np.isfinite(made.values[:255]).all()
    assert np.isnan(made.values).mean() == pytest.approx(0.1, abs=0.001)


def test_lost_stretches_are_silent_in_sound_and_missing_in_signals():
    options = SoundDegradation(drop=0.25, stretch_s=0.5)
    heard = degradation.sound(Audio(RATE, WAVE.astype(np.float32)), options, rng())
    felt = degradation.signal(Signal(RATE, WAVE), options, rng())
    assert heard.samples.dtype == np.float32 and (heard.samples == 0).mean() == 0.25
    np.testing.assert_array_equal(heard.samples == 0, np.isnan(felt.values))
    starts = np.flatnonzero(np.diff(np.isnan(felt.values).astype(int))) + 1
    assert (starts % 256 == 0).all()


def test_the_share_lost_is_right_on_average_where_a_recording_has_few_stretches():
    options = SoundDegradation(drop=0.3, stretch_s=1.0)
    shares = [degradation.lost(160, 64.0, options, np.random.default_rng(seed)).mean() for seed in range(400)]
    assert np.mean(shares) == pytest.approx(0.3, abs=0.06) and {0.0, 0.4} <= set(np.round(shares, 2))


def test_frames_are_lost_by_chance_or_all_but_each_nth():
    picture, number = np.zeros((2, 2, 3), np.uint8), 4000
    kept = [degradation.frame(VisionDegradation(drop=0.3), ("a",), at, picture) is not None for at in range(number)]
    assert np.mean(kept) == pytest.approx(0.7, abs=0.03)
    kept = [degradation.frame(VisionDegradation(every=4), ("a",), at, picture) is not None for at in range(8)]
    assert kept == [True, False, False, False] * 2


def test_noise_of_a_frame_is_in_grey_levels_and_depends_on_its_number_alone():
    grey = np.full((100, 120, 3), 128, np.uint8)
    change = Degrading("noisy", "biovid", "vision", VisionDegradation(noise=12))(Video(Path("x")), "r").change
    seen = {at: change(at, grey) for at in (3, 1, 2)}
    assert seen[1].dtype == np.uint8 and np.std(seen[1].astype(float)) == pytest.approx(12, abs=0.3)
    np.testing.assert_array_equal(seen[2], change(2, grey))
    assert (seen[1] != seen[2]).any() and (grey == 128).all()
    dark = change(1, np.zeros_like(grey))
    assert dark.min() == 0 and 0 < dark.max() < 100  # cut off, not wrapped around


def test_pictures_of_faces_and_films_lose_frames_but_keep_their_time(recordings, tmp_path):  # noqa: F811
    import cv2

    path = recordings / biovid.read(recordings, OPTIONS).clips.vision[0]
    change = Degrading("slow", "biovid", "vision", VisionDegradation(every=10))
    film = Film(change(Video(path), "r"), 25.0)
    times = [frame.time for frame in film]
    np.testing.assert_allclose(times, np.arange(14) * 0.4, atol=0.03)
    assert not film.truncated and film.decoded == 138
    for number in range(20):
        cv2.imwrite(str(tmp_path / f"{number:02d}.png"), np.full((40, 40, 3), 90, np.uint8))
    crops = Crops(tuple(sorted(tmp_path.glob("*.png"))), tuple(number / 20 for number in range(20)))
    shown = list(Film(change(crops, "r"), 20.0))
    assert [frame.picture is not None for frame in shown] == [True, *[False] * 9, True]


@pytest.fixture
def project(recordings, tmp_path, monkeypatch):  # noqa: F811
    """A folder in which biovid is prepared; asked(names) sets suite.degradations."""
    monkeypatch.chdir(tmp_path)
    raw = yaml.safe_load(SHIPPED.read_text())
    clips = biovid.read(recordings, OPTIONS).clips.iloc[::2].reset_index(drop=True)
    prepared = stage.PREPARED / "biovid"
    prepared.mkdir(parents=True)
    clips.to_parquet(prepared / "clips.parquet")
    write_json(prepared / "source.json", {"root": str(recordings), "provenance": "synthetic"})
    entry = {"layout": "biovid", "options": OPTIONS.model_dump(), "modalities": biovid.modalities(OPTIONS)}
    write_json(stage.PLAN / "datasets" / "biovid.json", entry)

    def asked(names: list[str], workers: int = 1) -> dict:
        raw["suite"]["degradations"], raw["degradations"], raw["runtime"] = names, WORSE, {"workers": workers}
        stage.PARAMS.write_text(yaml.safe_dump(raw))
        degrade.main("biovid")
        return json.loads((stage.DEGRADED / "biovid" / "degradations.json").read_text())

    return asked


def made() -> dict[str, bytes]:
    """What lies in data/degraded/biovid, but for the shards."""
    folder = stage.DEGRADED / "biovid"
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.*") if path.suffix != ".npz"
    }


def test_only_what_a_degradation_names_is_made_and_the_same_by_any_number_of_workers(project, capsys):
    counts = project(["noisy", "slow"])
    assert {name: set(own) for name, own in counts.items()} == {"noisy": {"vision", "biosignal"}, "slow": {"biosignal"}}
    assert counts["slow"]["biosignal"]["clips"] == 5
    first = made()
    shutil.rmtree(stage.DEGRADED)
    project(["slow", "noisy"], workers=2)
    assert {name: content for name, content in made().items() if name != "degradations.json"} == {
        name: content for name, content in first.items() if name != "degradations.json"
    }
    capsys.readouterr()
    project(["slow"])
    assert "0 extracted now, 5 kept" in capsys.readouterr().out
    assert not (stage.DEGRADED / "biovid" / "noisy").exists()


def test_the_table_of_a_task_is_aligned_with_its_clips_and_differs_from_what_was_recorded(project):
    project(["noisy"])
    clips = pd.read_parquet(stage.PREPARED / "biovid" / "clips.parquet").iloc[[3, 0]].reset_index(drop=True)
    folder = stage.INPUTS / "level"
    folder.mkdir(parents=True)
    clips.to_parquet(folder / "clips.parquet")
    task = small_task("ordinal").model_copy(update={"dataset": "biovid"})
    found = inputs.degraded(task, folder, stage.DEGRADED)
    assert set(found) == {"noisy"} and set(found["noisy"]) == {"vision", "biosignal"}
    for modality, own in found["noisy"].items():
        whole = np.load(stage.DEGRADED / "biovid" / "noisy" / modality / "features.npy")
        np.testing.assert_array_equal(own.packed[own.rows], whole[[3, 0]])
        assert own.packed.shape[1] == 11 and own.present.shape == (2,)
    assert found["noisy"]["biosignal"].present.all()


def test_without_degradations_nothing_is_read_and_nothing_is_made(project, monkeypatch):
    project(["slow"])
    monkeypatch.setattr(degrade, "extract", None)
    assert project([]) == {}
    assert list(made()) == ["degradations.json"] and len(list((stage.DEGRADED / "biovid").iterdir())) == 1


@pytest.mark.parametrize(
    "section, asked, told",
    [
        ({}, ["noissy"], "suite.degradations: there is no 'noissy'; did you mean 'noisy'?"),
        ({}, ["noisy", "noisy"], "suite.degradations: noisy stands there twice"),
        ({"bad": {"visoin": {"noise": 1}}}, [], "degradations.bad has no key 'visoin'; did you mean 'vision'?"),
        ({"bad": {"speech": {"snr": 1}}}, [], "degradations.bad.speech has no key 'snr'; did you mean 'snr_db'?"),
        ({"bad": {"vision": {"drop": 1.0}}}, [], "degradations.bad.vision.drop is 1.0: input should be less than 1"),
        ({"bad": {"speech": {"rate_hz": 0}}}, [], "degradations.bad.speech.rate_hz is 0: input should be greater"),
        ({"bad": {"speech": {"stretch_s": 1}}}, [], "degradations.bad: speech changes nothing; give at least one"),
        ({"bad": {}}, [], "degradations.bad: it changes nothing"),
        ({"../bad": {"vision": {"every": 2}}}, [], "degradations: the name '../bad': only a to z"),
    ],
)
def test_a_mistake_is_told_in_a_sentence(tmp_path, section, asked, told):
    raw = yaml.safe_load(SHIPPED.read_text())
    raw["degradations"] = WORSE | section
    raw["suite"]["degradations"] = asked
    assert told in mistake(tmp_path, raw)


def test_the_shipped_degradations_are_off_and_change_every_kind():
    loaded = params.load(SHIPPED)
    assert loaded.suite.degradations == []
    assert set().union(*(entry.kinds for entry in loaded.degradations.values())) == {"vision", "speech", "biosignal"}
