"""BioVid as its owners lay it out, and as copies of it are found."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmark.datasets import biovid
from benchmark.types import Source, Unusable, WrongTree

SAMPLES = [
    (1, "071309_w_21", 0, "BL1", 81, "071309_w_21-BL1-081"),
    (1, "071309_w_21", 4, "PA4", 1, "071309_w_21-PA4-001"),
    (27, "082315_w_60", 2, "PA2", 34, "082315_w_60-PA2-034"),
    (2, "071313_m_41", 0, "BL1", 82, "071313_m_41-BL1-082"),
]


def write_tree(root: Path, part="PartA", facial=False, samples=SAMPLES, header=biovid.COLUMNS) -> Path:
    """A tree of empty videos and short bio-signals."""
    folder = root / part
    (folder / "starting_point").mkdir(parents=True)
    lines = ["\t".join(header), *("\t".join(map(str, row)) for row in samples)]
    (folder / "starting_point" / "samples.csv").write_text("\n".join(lines) + "\n")
    names = ["time", "gsr", "ecg", "emg_trapezius"] + (list(biovid.FACIAL) if facial else [])
    for _, subject, *_, sample in samples:
        for kind in ("raw", "filtered"):
            place = folder / f"biosignals_{kind}" / subject
            place.mkdir(parents=True, exist_ok=True)
            values = {name: np.arange(20.0) + (kind == "filtered") for name in names}
            values["time"] = np.arange(20) * 1_000_000 // 512
            pd.DataFrame(values).to_csv(place / f"{sample}_bio.csv", sep="\t", index=False)
        place = folder / "video" / subject
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{sample}.mp4").touch()
    return folder


def signals_of(path: Path, options: biovid.Options):
    return biovid.recording(Source("biosignal", path.stem, path.parent, path), options)


def test_clips_carry_labels_subjects_and_existing_paths(tmp_path):
    write_tree(tmp_path)
    clips = biovid.read(tmp_path, biovid.Options()).clips
    assert list(clips.clip_id) == sorted(row[5] for row in SAMPLES)
    one = clips.set_index("clip_id").loc["071309_w_21-PA4-001"]
    assert one.level == 4 and one.subject_id == "071309_w_21" and one.start_s == 0 and one.end_s == np.inf
    assert all((tmp_path / path).is_file() for column in ("vision", "biosignal") for path in clips[column])


@pytest.mark.parametrize("part", ["partA", "PARTA", "PartA/PartA"])
def test_case_and_one_doubled_folder_are_accepted(tmp_path, part):
    write_tree(tmp_path, part)
    assert len(biovid.read(tmp_path, biovid.Options()).clips) == 4


def test_the_inside_of_a_part_may_lie_at_the_top(tmp_path):
    write_tree(tmp_path, ".")
    assert len(biovid.read(tmp_path, biovid.Options()).clips) == 4


def test_doubled_signal_folders_litter_and_upper_case_files_are_accepted(tmp_path):
    part = write_tree(tmp_path)
    (part / "biosignals_raw").rename(part / "inner")
    (part / "biosignals_raw").mkdir()
    (part / "inner").rename(part / "biosignals_raw" / "Biosignals_Raw")
    (part / "video" / ".DS_Store").write_text("x")
    (part / "video" / "071309_w_21" / ".DS_Store").write_text("x")
    (part / "left_over.csv").write_text("x")
    video = part / "video" / "071309_w_21" / "071309_w_21-PA4-001.mp4"
    video.rename(video.with_suffix(".MP4"))
    clips = biovid.read(tmp_path, biovid.Options()).clips
    assert all((tmp_path / path).is_file() for column in ("vision", "biosignal") for path in clips[column])


def test_blanks_and_a_byte_order_mark_in_the_index_are_tolerated(tmp_path):
    part = write_tree(tmp_path, header=[f" {name}" for name in biovid.COLUMNS])
    index = part / "starting_point" / "samples.csv"
    index.write_text("\ufeff" + index.read_text())
    assert len(biovid.read(tmp_path, biovid.Options()).clips) == 4


def test_part_b_delivers_facial_muscles_and_part_a_does_not(tmp_path):
    write_tree(tmp_path, "PartB", facial=True)
    options = biovid.Options(part="B")
    path = tmp_path / biovid.read(tmp_path, options).clips.biosignal[0]
    wanted = {"eda", "ecg", "emg_trapezius", "emg_corrugator", "emg_zygomaticus"}
    assert set(signals_of(path, options)) == wanted
    assert set(signals_of(path, biovid.Options())) == {"eda", "ecg", "emg_trapezius"}
    assert set(biovid.modalities(options)["biosignal"].channels) == wanted


def test_raw_and_filtered_signals_are_different_folders(tmp_path):
    write_tree(tmp_path)
    raw, filtered = (
        biovid.read(tmp_path, biovid.Options(signals=kind)).clips.biosignal[0] for kind in ("raw", "filtered")
    )
    assert raw != filtered and "biosignals_filtered" in filtered


def test_the_list_of_67_leaves_out_people_who_do_not_react(tmp_path):
    write_tree(tmp_path)
    clips = biovid.read(tmp_path, biovid.Options(subjects="reacting_67")).clips
    assert set(clips.subject_id) == {"071309_w_21", "071313_m_41"}
    assert len(biovid.SUBJECTS) == 87 and len(set(biovid.NOT_REACTING)) == 20


def test_the_proposed_hold_out_is_a_partition_of_26_and_61(tmp_path):
    write_tree(tmp_path)
    roles = biovid.read(tmp_path, biovid.Options()).clips.groupby("subject_id").holdout_61_26.first()
    assert roles.to_dict() == {"071309_w_21": "train", "071313_m_41": "test", "082315_w_60": "test"}
    assert len(set(biovid.HELD_OUT)) == 26 and len(set(biovid.HELD_OUT) & set(biovid.NOT_REACTING)) == 5


def test_signals_are_read_with_blanks_in_the_header_and_their_own_rate(tmp_path):
    path = tmp_path / "x_bio.csv"
    time = np.arange(50) * 1_000_000 // 512
    pd.DataFrame({"time": time, " gsr": 2.0, " ecg ": 3.0, "emg_trapezius": 4.0}).to_csv(path, sep="\t", index=False)
    signals = signals_of(path, biovid.Options())
    assert signals["ecg"].rate == 512 and signals["ecg"].values.shape == (50,)
    pd.DataFrame({"time": np.arange(50) * 1000, "gsr": 2.0, "ecg": 3.0, "emg_trapezius": 4.0}).to_csv(
        path, sep="\t", index=False
    )
    assert signals_of(path, biovid.Options())["eda"].rate == 1000


@pytest.mark.parametrize(
    "content, told",
    [
        ("", "cannot be read"),
        ("time\tgsr\tecg\temg_trapezius\n", "only 0 samples"),
        ("time,gsr,ecg\n0,1,2\n1,2,3\n", "cannot be read as tab-separated numbers"),
        ("time\tgsr\temg_trapezius\n0\t1\t2\n1953\t1\t2\n", "no column ecg; it has: time, gsr"),
        ("time\tgsr\tecg\temg_trapezius\n0\tx\t2\t1\n", "cannot be read"),
        ("time\tgsr\tecg\temg_trapezius\n0\t1\t2\t1\n0\t1\t2\t1\n", "time advances by 0 s"),
        ("\x00\x01\xff", "cannot be read|no column"),
    ],
)
def test_broken_signal_files_are_unusable_with_a_reason(tmp_path, content, told):
    path = tmp_path / "x_bio.csv"
    path.write_text(content, encoding="latin-1")
    with pytest.raises(Unusable, match=told):
        signals_of(path, biovid.Options())


@pytest.mark.parametrize(
    "row, told",
    [
        ((1, "071309_w_21", 7, "PA7", 1, "x"), "line 6 has an unknown class_id"),
        ((1, "071309_w_21", "", "PA1", 1, "x"), "line 6 has an unknown class_id"),
        (("one", "071309_w_21", 1, "PA1", 1, "x"), "line 6 has a subject_id that is not a number"),
        (("inf", "071309_w_21", 1, "PA1", 1, "x"), "line 6 has a subject_id that is not a number"),
        ((1, "", 1, "PA1", 1, "x"), "line 6 has no subject_name"),
        (SAMPLES[0], "line 6 has a sample_name that was there before"),
    ],
)
def test_a_wrong_line_of_the_index_is_named(tmp_path, row, told):
    write_tree(tmp_path, samples=SAMPLES)
    path = tmp_path / "PartA" / "starting_point" / "samples.csv"
    path.write_text(path.read_text() + "\t".join(map(str, row)) + "\n")
    with pytest.raises(WrongTree, match=told):
        biovid.read(tmp_path, biovid.Options())


def test_an_index_without_samples_is_refused(tmp_path):
    write_tree(tmp_path, samples=[])
    with pytest.raises(WrongTree, match=r"not found|lists no sample"):
        biovid.read(tmp_path, biovid.Options())


def test_a_missing_column_or_folder_is_named(tmp_path):
    write_tree(tmp_path, header=["id", *biovid.COLUMNS[1:]])
    with pytest.raises(WrongTree, match="no column subject_id; it has: id, subject_name"):
        biovid.read(tmp_path, biovid.Options())
    shutil.rmtree(tmp_path / "PartA" / "video")
    with pytest.raises(WrongTree, match="not found: video"):
        biovid.read(tmp_path, biovid.Options())


def test_a_listed_file_that_is_not_there_keeps_its_expected_path(tmp_path):
    part = write_tree(tmp_path)
    (part / "video" / "071309_w_21" / "071309_w_21-PA4-001.mp4").unlink()
    clips = biovid.read(tmp_path, biovid.Options()).clips.set_index("clip_id")
    assert clips.vision["071309_w_21-PA4-001"] == "PartA/video/071309_w_21/071309_w_21-PA4-001.mp4"


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(damage=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=12), cut=st.integers(0, 400))
def test_damaged_signal_files_never_end_in_a_traceback(tmp_path, damage, cut):
    lines = ["time\tgsr\tecg\temg_trapezius", *(f"{n * 1953}\t{n / 3:.3f}\t{n}\t-{n}" for n in range(20))]
    content = bytearray("\n".join(lines).encode())
    for at, value in damage:
        content[at % len(content)] = value
    path = tmp_path / "x_bio.csv"
    path.write_bytes(bytes(content[: cut or None]))
    try:
        signals = signals_of(path, biovid.Options())
    except Unusable as reason:
        assert str(reason)
    else:
        assert signals["ecg"].rate > 0 and set(signals) == {"eda", "ecg", "emg_trapezius"}
