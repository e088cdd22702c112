"""StressID as its owners lay it out, and as copies of it are found."""

import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmark.datasets import stressid
from benchmark.types import Source, Unusable, WrongTree

OPTIONS, ALL = stressid.Options(), stressid.Options(tasks="all")
LABELS = """\
subject/task,binary-stress,affect3-class
wssm_Math,1,2
2ea4_Math,1,1
2ea4_Reading,0,0
2ea4_Breathing,0,0
r5s8_Counting3,1,2
37ir_Stroop,0,1
"""
PEOPLE = ("2ea4", "wssm", "r5s8", "37ir", "hh2e")
REPORTS = "Tasks;" + ";".join(PEOPLE) + "\n"
REPORTS += "".join(
    f"{task}_{scale};{number};7;2.0;NaN;\n"
    for task in stressid.TASKS
    for number, scale in enumerate(("relax", "stress"), 3)
)
REPORTS += "".join(f"{task}_{scale};1;10;0;;5\n" for task in stressid.TASKS for scale in ("valence", "arousal"))
PHYSIO = "ECG,EDA,RR\n" + "".join(f"{n % 7 / 10},{2 + n / 100},{n % 3}\n" for n in range(20))


def write(root: Path, kind: str, name: str, content: str | bytes = b"x") -> Path:
    path = root / kind / name.split("_")[0] / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.fixture
def root(tmp_path) -> Path:
    root = tmp_path / "root"
    for name in (
        "2ea4_Math",
        "2ea4_Reading",
        "2ea4_Breathing",
        "wssm_Math",
        "r5s8_Counting3",
        "37ir_Stroop",
        "hh2e_Math",
    ):
        write(root, "Physiological", f"{name}.txt", PHYSIO)
    for name in ("2ea4_Math", "2ea4_Breathing", "wssm_Math", "r5s8_Counting3"):
        write(root, "Videos", f"{name}.mp4")
    for name in ("2ea4_Math", "2ea4_Reading", "wssm_Math", "r5s8_Counting3"):
        write(root, "Audio", f"{name}.wav")
    write(root, "Physiological", "2ea4_Baseline.txt", PHYSIO)
    (root / "labels.csv").write_text(LABELS)
    (root / "self_assessments.csv").write_text(REPORTS)
    (root / "labels_supplementary.csv").write_text("subject/task,binary-relax\n")
    return root


def reasons(reading) -> list[str]:
    return [f"{row.path}: {row.reason}" for row in reading.dropped.itertuples()]


def signals(root: Path, name: str = "2ea4_Math"):
    path = root / "Physiological" / name.split("_")[0] / f"{name}.txt"
    return stressid.recording(Source("biosignal", name, root, path), OPTIONS)


def test_clips_are_whole_talking_tasks_with_the_labels_as_shipped(root):
    clips = stressid.read(root, OPTIONS).clips.set_index("clip_id")
    assert list(clips.index) == ["2ea4_Math", "2ea4_Reading", "37ir_Stroop", "r5s8_Counting3", "wssm_Math"]
    assert list(clips.stress) == [1, 0, 0, 1, 1] and list(clips.affect) == [1, 0, 1, 2, 2]
    assert list(clips.subject_id) == ["2ea4", "2ea4", "37ir", "r5s8", "wssm"]
    assert (clips.start_s == 0).all() and np.isinf(clips.end_s).all() and set(stressid.LABELS) < set(clips)


def test_self_reports_come_from_the_transposed_table(root):
    clips = stressid.read(root, OPTIONS).clips.set_index("clip_id")
    assert clips.loc["2ea4_Math", list(stressid.LABELS[2:])].tolist() == [4, 3, 1, 1]
    assert clips.loc["wssm_Math", list(stressid.LABELS[2:])].tolist() == [7, 7, 10, 10]
    assert clips.loc["37ir_Stroop", list(stressid.LABELS[2:])].isna().all()


def test_a_path_is_missing_only_where_nothing_was_recorded_by_design(root):
    clips = stressid.read(root, ALL).clips.set_index("clip_id")
    assert clips.loc["37ir_Stroop", ["vision", "speech"]].isna().all()
    assert clips.loc["2ea4_Breathing", "speech"] is None and clips.loc["2ea4_Breathing", "vision"].endswith(
        "Breathing.mp4"
    )
    assert clips.loc["2ea4_Reading", "vision"] == "Videos/2ea4/2ea4_Reading.mp4"
    assert not (root / clips.loc["2ea4_Reading", "vision"]).exists()
    assert all((root / path).is_file() for path in clips.biosignal)


def test_recordings_without_a_label_or_a_name_are_dropped_by_name(root):
    write(root, "Videos", "2ea4_Dance.mp4")
    (root / "labels.csv").write_text(LABELS.replace("2ea4_Reading,0,0", "2ea4_Reading,,nan"))
    reading = stressid.read(root, OPTIONS)
    assert reasons(reading) == [
        "Audio/2ea4/2ea4_Reading.wav: labels.csv gives it no label",
        "Physiological/2ea4/2ea4_Reading.txt: labels.csv gives it no label",
        "Physiological/hh2e/hh2e_Math.txt: labels.csv gives it no label",
        "Videos/2ea4/2ea4_Dance.mp4: its name is not <subject>_<task>",
    ]
    assert "2ea4_Reading" not in set(reading.clips.clip_id)


def test_one_class_alone_may_be_missing_and_subjects_without_reports_are_named(root):
    (root / "labels.csv").write_text(LABELS.replace("2ea4_Reading,0,0", "2ea4_Reading,0,"))
    table = pd.read_csv(root / "self_assessments.csv", sep=";", dtype=str).drop(columns="wssm")
    table.to_csv(root / "self_assessments.csv", sep=";", index=False)
    reading = stressid.read(root, OPTIONS)
    clips = reading.clips.set_index("clip_id")
    assert clips.loc["2ea4_Reading", "stress"] == 0 and np.isnan(clips.loc["2ea4_Reading", "affect"])
    assert np.isnan(clips.loc["wssm_Math", "valence"]) and clips.loc["wssm_Math", "stress"] == 1
    assert "self_assessments.csv: no column of subject wssm" in reasons(reading)


@pytest.mark.parametrize(
    ("name", "old", "new", "match"),
    [
        (
            "labels.csv",
            "binary-stress",
            "stress",
            "labels.csv has no column binary-stress; it has: subject/task, stress",
        ),
        ("labels.csv", "wssm_Math", "2ea4_math", "labels.csv line 2 has no name <subject>_<task> with one of"),
        ("labels.csv", "wssm_Math", "../x_Math", "labels.csv line 2 has no name"),
        ("labels.csv", "wssm_Math,1,2\n", "wssm_Math,1,2\n" * 2, "labels.csv line 3 has a name that was there before"),
        ("labels.csv", "wssm_Math,1,2", "wssm_Math,2,2", "labels.csv line 2 has no binary-stress of 0, 1"),
        ("labels.csv", "wssm_Math,1,2", "wssm_Math,1,x", "labels.csv line 2 has no affect3-class of 0, 1, 2"),
        ("labels.csv", LABELS[41:], "", "labels.csv lists no task"),
        ("labels.csv", LABELS, "", "labels.csv cannot be read"),
        ("self_assessments.csv", "Tasks;", "Task;", "self_assessments.csv has no column Tasks"),
        ("self_assessments.csv", ";wssm;", ";2ea4;", "self_assessments.csv has the column 2ea4 twice"),
        ("self_assessments.csv", "Math_stress", "Math_relax", "self_assessments.csv has no row Math_stress"),
        ("self_assessments.csv", "Stroop_arousal;1", "Math_stress;1", "no row Stroop_arousal"),
        (
            "self_assessments.csv",
            "Breathing_arousal;1",
            "Math_stress;1",
            "self_assessments.csv has the row Math_stress twice",
        ),
        ("self_assessments.csv", "Math_valence;1;", "Math_valence;11;", "row Math_valence has '11' for subject 2ea4"),
        ("self_assessments.csv", "Math_valence;1;", "Math_valence;much;", "row Math_valence has 'much'"),
    ],
)
def test_wrong_tables_are_refused_by_file_and_line(root, name, old, new, match):
    text = (root / name).read_text()
    assert old in text
    (root / name).write_text(text.replace(old, new, 1))
    with pytest.raises(WrongTree, match=match):
        stressid.read(root, OPTIONS)


@pytest.mark.parametrize("name", ["labels.csv", "self_assessments.csv"])
def test_missing_tables_and_an_empty_folder_are_a_wrong_tree(root, name):
    (root / name).unlink()
    with pytest.raises(WrongTree, match=f"no {name}"):
        stressid.read(root, OPTIONS)
    (root / "empty").mkdir()
    with pytest.raises(WrongTree, match="no recording in Physiological, Audio or Videos"):
        stressid.read(root / "empty", OPTIONS)


def test_a_table_without_any_wanted_task_gives_no_clip(root):
    (root / "labels.csv").write_text("\n".join([*LABELS.splitlines()[:1], "2ea4_Breathing,0,0"]))
    reading = stressid.read(root, OPTIONS)
    assert reading.clips.empty and {"clip_id", *stressid.LABELS, *stressid.FILES} < set(reading.clips)
    assert "Videos/wssm/wssm_Math.mp4: labels.csv gives it no label" in reasons(reading)


def test_one_recording_in_two_folders_is_refused(root):
    shutil.copytree(root / "Videos" / "wssm", root / "Videos" / "zssm")
    with pytest.raises(WrongTree, match=r"Videos/wssm/wssm_Math.mp4 and Videos/zssm/wssm_Math.mp4 are the same"):
        stressid.read(root, OPTIONS)


def test_signals_are_named_by_column_at_the_stated_rate_with_gaps(root):
    write(root, "Physiological", "2ea4_Math.txt", PHYSIO.replace("0.1,2.01,1\n", ",,\n"))
    found = signals(root)
    assert list(found) == list(stressid.modalities(OPTIONS)["biosignal"].channels)
    assert {signal.rate for signal in found.values()} == {500} and np.isnan(found["ecg"].values[1])
    assert found["eda"].values[2] == 2.02 and found["resp"].values[2] == 2


@pytest.mark.parametrize("content", [PHYSIO, PHYSIO.replace("EDA", "EXX"), "ECG,RR\n1,2\n3,4\n"])
def test_the_deleted_channel_of_one_recording_is_missing_whatever_its_file_says(root, content):
    write(root, "Physiological", "r5s8_Counting3.txt", content)
    found = signals(root, "r5s8_Counting3")
    assert list(found) == ["ecg", "eda", "resp"]
    assert not len(found["eda"].values) and np.isfinite(found["ecg"].values).all()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (PHYSIO.replace("EDA", "GSR"), "2ea4_Math.txt has no column EDA; it has: ECG, GSR, RR"),
        (PHYSIO[:20], "2ea4_Math.txt holds 1 samples"),
        ("", "2ea4_Math.txt cannot be read as comma-separated numbers"),
        (PHYSIO.replace(",", "\t"), "cannot be read as comma-separated numbers: could not convert"),
        (PHYSIO + "a,b,c\n", "2ea4_Math.txt cannot be read as comma-separated numbers"),
    ],
)
def test_a_broken_signal_file_is_named_when_it_is_opened(root, content, reason):
    write(root, "Physiological", "2ea4_Math.txt", content)
    assert len(stressid.read(root, OPTIONS).clips) == 5
    with pytest.raises(Unusable, match=reason):
        signals(root)


def test_other_forms_of_the_folders_are_read_alike(root):
    whole = stressid.read(root, OPTIONS)
    (root / ".DS_Store").touch()
    write(root, "Videos", "2ea4_Math.mp4").with_name("._2ea4_Math.mp4").touch()
    (root / "Videos" / ".hidden").mkdir()
    (root / "Videos" / "notes.txt").touch()
    wav = root / "Audio" / "wssm" / "wssm_Math.wav"
    wav.rename(wav.with_suffix(".WAV"))
    (root / "Physiological").rename(root / "inner")
    (root / "physiological").mkdir()
    (root / "inner").rename(root / "physiological" / "Physiological")
    (root / "labels.csv").write_text("\ufeff" + LABELS.replace(",", " ,"))
    paths = list(stressid.FILES)
    for place in (root, root.parent):
        if place != root:
            root.rename(place / "stressID")
        clips = stressid.read(place, OPTIONS).clips
        pd.testing.assert_frame_equal(clips.drop(columns=paths), whole.clips.drop(columns=paths))
        assert all((place / path).is_file() for path in [*clips.biosignal, *clips.speech.dropna()])


def test_nothing_depends_on_the_order_or_the_times_of_files(root, tmp_path):
    copy = tmp_path / "copy"
    for path in sorted(root.rglob("*.*"), reverse=True):
        target = copy / path.relative_to(root)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
        os.utime(target, (1, len(path.name)))
    (copy / "labels.csv").write_text("\n".join([*LABELS.splitlines()[:1], *reversed(LABELS.splitlines()[1:])]) + "\n")
    for one, other in zip(stressid.read(root, ALL), stressid.read(copy, ALL), strict=True):
        pd.testing.assert_frame_equal(one, other)


def damaged(data, whole: str) -> bytes:
    raw, at = whole.encode(), data.draw(st.integers(0, len(whole) - 1))
    return raw[:at] + data.draw(st.binary(max_size=4)) + raw[at + data.draw(st.integers(0, 40)) :]


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_tables_are_read_or_refused(root, data):
    for name, whole in (("labels.csv", LABELS), ("self_assessments.csv", REPORTS)):
        (root / name).write_bytes(damaged(data, whole) if data.draw(st.booleans()) else whole.encode())
    try:
        clips = stressid.read(root, ALL).clips
    except WrongTree as error:
        assert ".csv" in str(error) and "\n" not in str(error)
    else:
        assert clips.clip_id.is_unique and clips.stress.dropna().isin([0, 1]).all()
        assert clips.valence.dropna().between(0, 10).all()


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_signals_are_read_or_refused(root, data):
    (root / "Physiological" / "2ea4" / "2ea4_Math.txt").write_bytes(damaged(data, PHYSIO))
    try:
        found = signals(root)
    except Unusable as error:
        assert "2ea4_Math.txt" in str(error) and "\n" not in str(error)
    else:
        assert len({len(signal.values) for signal in found.values()}) == 1
