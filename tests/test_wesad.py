"""WESAD as its owners lay it out, and as copies of it are found."""

import os
import pickle
import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmark.datasets import wesad
from benchmark.reading import pickles
from benchmark.reading.windows import Windows
from benchmark.types import Source, Unusable, WrongTree

OPTIONS = wesad.Options(windows=Windows(length_s=4, hop_s=2, min_valid=0.9))
RUNS = [(0, 3), (1, 14), (0, 3), (2, 10), (5, 3), (4, 8), (0, 2), (3, 10), (7, 3), (4, 8), (0, 3)]  # label, s
QUEST = """\
# Subj;S2;;;;;
# ORDER;Base;TSST;Medi 1;Fun;Medi 2;sRead;fRead;;
# START;7.08;39.55;70.19;81.25;93.38;54.42;89.51;;
# END;26.32;50.3;77.1;87.47;100.15;56.07;91.15;;
;;;;
# PANAS;1;1;1;3;2;;
# STAI;1;2;2;;
# DIM;7;2;;
# DIM;3;8;;
# DIM;8;1;;
# DIM;9;5
# DIM;6;;
# SSSQ;2;3;1;3;5;4;;
"""
SWAPPED = QUEST.replace("39.55;70.19;81.25", "81.25;70.19;39.55").replace("50.3;77.1;87.47", "87.47;77.1;50.3")


def content(subject="S2", runs=RUNS, **labels) -> dict:
    """A session of a minute or so, with the owners' uneven keys and units."""
    label = np.repeat([code for code, _ in runs], [700 * seconds for _, seconds in runs]).astype(np.int32)
    seconds, rng = len(label) // 700, np.random.default_rng(1)
    chest = {name: rng.normal(size=(len(label), 3 if name == "ACC" else 1)) for name in ("ACC", "ECG", "EMG", "EDA")}
    chest |= {"Temp": np.full((len(label), 1), 33, np.float32), "Resp": rng.normal(size=(len(label), 1))}
    wrist = {"ACC": np.tile([64.0, 0.0, -32.0], (32 * seconds, 1)), "BVP": rng.normal(size=(64 * seconds, 1))}
    wrist |= {"EDA": rng.normal(size=(4 * seconds, 1)), "TEMP": np.full((4 * seconds, 1), 31.0)}
    return {"subject": subject, "label": label, "signal": {"chest": chest, "wrist": wrist}} | labels


def write_subject(root: Path, subject="S2", quest=QUEST, held=None) -> Path:
    folder = root / subject
    folder.mkdir(parents=True)
    pickles.write(folder / f"{subject}.pkl", held or content(subject))
    if quest:
        (folder / f"{subject}_quest.csv").write_text(quest.replace("S2", subject))
    return folder


@pytest.fixture
def root(tmp_path) -> Path:
    (tmp_path / "WESAD").mkdir()
    (tmp_path / "WESAD" / "wesad_readme.pdf").write_bytes(b"%PDF")
    write_subject(tmp_path / "WESAD", "S2")
    write_subject(tmp_path / "WESAD", "S10")
    return tmp_path


def reasons(reading) -> str:
    return "\n".join(f"{row.path}: {row.reason}" for row in reading.dropped.itertuples())


def open_device(root: Path, device: str, subject="S2"):
    path = root / "WESAD" / subject / f"{subject}.pkl"
    return wesad.recording(Source(device, subject, root, path), OPTIONS)


def test_windows_lie_in_one_condition_and_carry_its_labels(root):
    clips = wesad.read(root, OPTIONS).clips
    assert list(clips.subject_id.unique()) == ["S2", "S10"] and clips.clip_id.is_unique
    one = clips[clips.subject_id == "S2"].groupby("order").first()
    assert list(one.state) == [1, 2, 4, 3, 4]
    assert list(one.stress.fillna(-1)) == [0, 1, -1, 0, -1]
    assert list(one.valence) == [7, 3, 8, 9, 6] and list(one.arousal.fillna(-1)) == [2, 8, 1, 5, -1]
    assert {"wrist", "chest"} < set(clips) and set(clips.wrist) == {"WESAD/S2/S2.pkl", "WESAD/S10/S10.pkl"}
    bounds = np.cumsum([0, *(seconds for _, seconds in RUNS)])
    for clip in clips.itertuples():
        inside = [min(clip.end_s, b) - max(clip.start_s, a) for a, b in pairwise(bounds)]
        assert RUNS[int(np.argmax(inside))][0] == clip.state and max(inside) >= 3.6


def test_windows_are_of_a_minute_unless_params_say_otherwise():
    windows = wesad.Options().windows
    assert (windows.length_s, windows.hop_s, windows.agreement) == (60, 30, 0.9)


def test_signals_have_their_rates_and_units(root):
    wrist, chest = open_device(root, "wrist"), open_device(root, "chest")
    held = content()["signal"]["chest"]
    assert {name: signal.rate for name, signal in wrist.items()} == {"acc": 32, "bvp": 64, "eda": 4, "temp": 4}
    assert {signal.rate for signal in chest.values()} == {700}
    assert np.array_equal(wrist["acc"].values[0], [1, 0, -0.5])
    assert np.allclose(chest["ecg"].values, 1000 * held["ECG"].ravel())
    assert np.allclose(chest["emg_trapezius"].values, 1000 * held["EMG"].ravel())
    assert chest["temp"].values.dtype == float and chest["acc"].values.shape == held["ACC"].shape
    for device, modality in wesad.modalities(OPTIONS).items():
        assert modality.channels == tuple(open_device(root, device))


@pytest.mark.parametrize("text, seconds", [("50.3", 3030), ("7.08", 428), ("90", 5400), ("100.15", 6015), ("0.5", 50)])
def test_times_are_minutes_and_seconds_that_lost_their_last_zero(text, seconds):
    assert wesad.seconds(text) == seconds


@pytest.mark.parametrize("text", ["50.7", "1.60", "7,08", "-1", "1.234", "", "x"])
def test_other_times_are_refused(text):
    with pytest.raises(ValueError, match=r"minutes\.seconds"):
        wesad.seconds(text)


def test_reports_follow_the_order_of_the_lines_and_conditions_that_of_time(tmp_path):
    path = tmp_path / "S2_quest.csv"
    path.write_text(
        QUEST.replace("39.55;70.19;81.25", "81.25;70.19;39.55").replace("50.3;77.1;87.47", "87.47;77.1;50.3")
    )
    assert [code for code, *_ in wesad.questionnaire(path)] == [1, 3, 4, 2, 4]
    assert wesad.questionnaire(path)[3][1:] == (3, 8)


def test_the_labels_win_over_the_questionnaire(root):
    path = root / "WESAD" / "S2" / "S2_quest.csv"
    path.write_text(
        QUEST.replace("39.55;70.19;81.25", "81.25;70.19;39.55").replace("50.3;77.1;87.47", "87.47;77.1;50.3")
    )
    reading = wesad.read(root, OPTIONS)
    assert "S2_quest.csv: conditions in the order [1, 3, 4, 2, 4], by the labels [1, 2, 4, 3, 4]" in reasons(reading)
    one = reading.clips[reading.clips.subject_id == "S2"].groupby("order").first()
    assert list(one.state) == [1, 2, 4, 3, 4] and list(one.valence) == [7, 3, 8, 9, 6]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda path: path.unlink(), "cannot be read"),
        (lambda path: path.write_text(QUEST.replace("# DIM;6;;\n", "")), "4 lines DIM for 5 conditions"),
        (lambda path: path.write_text(QUEST[:60]), "no line START, END, DIM"),
        (lambda path: path.write_text(QUEST.replace("# DIM", "# DAM")), "no line DIM"),
        (lambda path: path.write_text(QUEST.replace("TSST", "Exam")), "Exam"),
        (lambda path: path.write_text(QUEST.replace("50.3;", "50.7;")), "minutes.seconds"),
        (lambda path: path.write_text(QUEST.replace("# DIM;9;5", "# DIM;10;5")), "1 to 9"),
        (lambda path: path.write_text(QUEST.replace("50.3;", "38.3;")), "ends before it starts"),
    ],
)
def test_a_broken_questionnaire_costs_the_reports_alone_and_is_named(root, change, reason):
    whole = wesad.read(root, OPTIONS).clips
    change(root / "WESAD" / "S2" / "S2_quest.csv")
    reading = wesad.read(root, OPTIONS)
    own = reading.clips.subject_id == "S2"
    assert reading.clips[own][["valence", "arousal"]].isna().all(axis=None)
    pd.testing.assert_frame_equal(reading.clips[~own], whole[~own])
    assert reading.clips.state.equals(whole.state)
    assert any("S2_quest.csv" in line and reason in line for line in reasons(reading).splitlines())


@pytest.mark.parametrize(
    ("held", "reason"),
    [
        (None, "there is no S2.pkl"),
        (content("S3"), "another subject"),
        (content(runs=[(0, 20), (5, 10)]), "no label names a condition"),
        (content(runs=[(1, 20), (9, 10)]), "label 9 is none of 0 to 7"),
        (content(label=np.zeros((40, 2))), "label is not a row of numbers"),
        ({"subject": "S2", "signal": {}}, "holds no label"),
    ],
)
def test_a_broken_session_is_dropped_by_name_and_the_others_go_on(root, held, reason):
    path = root / "WESAD" / "S2" / "S2.pkl"
    path.unlink()
    if held:
        pickles.write(path, held)
    reading = wesad.read(root, OPTIONS)
    assert set(reading.clips.subject_id) == {"S10"}
    assert any("WESAD/S2/S2.pkl" in line and reason in line for line in reasons(reading).splitlines())


def test_truncated_and_hostile_pickles_and_pointers_are_dropped_by_name(root):
    path = root / "WESAD" / "S2" / "S2.pkl"
    whole = path.read_bytes()
    hostile = b"cposix\nsystem\n(U\x0btouch ownedtR."
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n"
    for damaged, reason in (
        (whole[:-99], "more bytes are expected"),
        (hostile, "call posix.system"),
        (pointer, "git-lfs"),
    ):
        path.write_bytes(damaged)
        reading = wesad.read(root, OPTIONS)
        assert set(reading.clips.subject_id) == {"S10"} and reason in reasons(reading)
        with pytest.raises(Unusable, match=reason):
            open_device(root, "wrist")


@pytest.mark.parametrize(
    ("device", "name", "array", "reason"),
    [
        ("wrist", "BVP", np.zeros((10, 1)), "wrist BVP has 10 samples"),
        ("wrist", "ACC", np.zeros((1952, 1)), "3 columns"),
        ("chest", "ECG", "nothing", "chest ECG is not an array"),
        ("chest", "Resp", None, "chest Resp is not an array"),
    ],
)
def test_a_missing_wrong_or_short_signal_is_named_when_it_is_opened(root, device, name, array, reason):
    held = content()
    held["signal"][device].pop(name)
    if array is not None:
        held["signal"][device][name] = array
    pickles.write(root / "WESAD" / "S2" / "S2.pkl", held)
    assert "S2" in set(wesad.read(root, OPTIONS).clips.subject_id)
    with pytest.raises(Unusable, match=reason):
        open_device(root, device)


def test_other_forms_of_the_folders_are_read_alike(root):
    whole = wesad.read(root, OPTIONS).clips.drop(columns=["wrist", "chest"])
    (root / "WESAD" / "S2" / "S2_E4_Data").mkdir()
    (root / "WESAD" / "S2" / "S2_E4_Data.zip").write_bytes(b"PK")
    (root / "WESAD" / "S2" / "S2_respiban.txt").write_text("# OpenSignals\n")
    (root / "WESAD" / ".DS_Store").touch()
    (root / "WESAD" / "S2" / "._S2.pkl").touch()
    (root / "WESAD" / "S2").rename(root / "WESAD" / "s2")
    (root / "WESAD").rename(root / "inner")
    (root / "wesad").mkdir()
    (root / "inner").rename(root / "wesad" / "WESAD")
    clips = wesad.read(root, OPTIONS).clips
    pd.testing.assert_frame_equal(clips.drop(columns=["wrist", "chest"]), whole)
    assert all((root / path).is_file() for path in clips.wrist)
    inside = wesad.read(root / "wesad" / "WESAD", OPTIONS).clips
    pd.testing.assert_frame_equal(inside.drop(columns=["wrist", "chest"]), whole)


def test_two_folders_of_one_subject_and_none_at_all_are_a_wrong_tree(root, tmp_path):
    shutil.copytree(root / "WESAD" / "S2", root / "WESAD" / "S02")
    with pytest.raises(WrongTree, match=r"WESAD/S02 and WESAD/S2 are both of subject S2"):
        wesad.read(root, OPTIONS)
    shutil.rmtree(root / "WESAD")
    with pytest.raises(WrongTree, match="no folder S2"):
        wesad.read(root, OPTIONS)


def test_nothing_depends_on_the_order_or_the_times_of_files(root, tmp_path):
    copy = tmp_path / "copy"
    for path in sorted(root.rglob("*.*"), reverse=True):
        if path.is_file() and copy not in path.parents:
            target = copy / path.relative_to(root)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
            os.utime(target, (1, len(path.name)))
    for one, other in zip(wesad.read(root, OPTIONS), wesad.read(copy, OPTIONS), strict=True):
        pd.testing.assert_frame_equal(one, other)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, len(QUEST) - 1), new=st.text(max_size=4), until=st.integers(0, 30))
def test_a_damaged_questionnaire_is_read_or_refused(tmp_path, at, new, until):
    path = tmp_path / "S2_quest.csv"
    path.write_text(QUEST[:at] + new + QUEST[at + until :], errors="replace")
    try:
        reports = wesad.questionnaire(path)
    except Unusable as error:
        assert path.name in str(error) and "\n" not in str(error)
    else:
        assert all(code in (1, 2, 3, 4) and (np.isnan(v) or 1 <= v <= 9) for code, v, _ in reports)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_session_is_read_or_refused(tmp_path, data):
    small = content(runs=[(1, 3), (0, 1), (2, 3)])
    whole = pickle.dumps(small, 2)
    at = data.draw(st.sampled_from([data.draw(st.integers(0, 200)), data.draw(st.integers(0, len(whole) - 1))]))
    path = tmp_path / "WESAD" / "S2" / "S2.pkl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(whole[:at] + data.draw(st.binary(max_size=3)) + whole[at + 1 :])
    assert len(wesad.read(tmp_path, OPTIONS).clips) in range(3)
    for device in wesad.SENSORS:
        try:
            open_device(tmp_path, device)
        except Unusable as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("held", "reason"),
    [
        ({"subject": np.arange(3)}, "another subject"),
        ({"subject": ["S2"]}, "another subject"),
        ({"label": [[1, 2], [3]]}, "label is not a row of numbers"),
        ({"label": [1] * 70_000}, "label is not a row of numbers"),
        ({2**20_000: 1, "label": "none"}, "label is not a row of numbers"),
    ],
)
def test_content_of_another_kind_than_the_owners_is_dropped(tmp_path, held, reason):
    write_subject(tmp_path / "WESAD", "S10")
    (tmp_path / "WESAD" / "S2").mkdir()
    (tmp_path / "WESAD" / "S2" / "S2.pkl").write_bytes(pickle.dumps(content() | held, 2))
    reading = wesad.read(tmp_path, OPTIONS)
    assert set(reading.clips.subject_id) == {"S10"} and reason in reasons(reading)
