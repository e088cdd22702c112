"""RECOLA in both releases, as copies of it are found, and its synthetic stand-in."""

import shutil

import cv2
import numpy as np
import pandas as pd
import pytest
import soundfile
from test_params import SHIPPED

from benchmark import params
from benchmark.datasets import recola
from benchmark.reading.windows import Windows
from benchmark.synthesis.scene import Scene
from benchmark.types import Source, Unusable, WrongTree

PEOPLE = params.load(SHIPPED).populations["conversation"].model_copy(update={"subjects": 4, "seconds": 14.0})
OPTIONS = {release: recola.Options(release=release) for release in ("original", "avec")}


def one_by_one(function, items, title):
    return [function(item) for item in items]


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """Both releases with their noise-free labels: release -> (root, labels)."""
    found = {}
    for release, options in OPTIONS.items():
        root = tmp_path_factory.mktemp(release)
        found[release] = root, recola.synthesize(root, "conversation", PEOPLE, options, one_by_one)
    return found


@pytest.fixture(params=OPTIONS)
def release(request):
    return request.param


@pytest.fixture
def copy(made, tmp_path, release):
    return shutil.copytree(made[release][0], tmp_path / "copy")


@pytest.fixture
def original(made, tmp_path):
    return shutil.copytree(made["original"][0], tmp_path / "copy")


@pytest.fixture
def avec(made, tmp_path):
    return shutil.copytree(made["avec"][0], tmp_path / "copy")


def recorded(root, reading, modality, row=0, options=OPTIONS["original"]):
    clip = reading.clips.iloc[row]
    return recola.recording(Source(modality, clip.recording_id, root, root / clip[modality]), options)


def test_clips_are_labelled_windows_of_existing_recordings(made, release):
    root, clean = made[release]
    clips, dropped = recola.read(root, OPTIONS[release])
    assert clips.clip_id.is_unique and clips[["arousal", "valence"]].notna().all(axis=None)
    assert (clips.end_s - clips.start_s == 6).all() and (clips.frames >= 75).all()
    assert all((root / path).is_file() for name in recola.MEDIA for path in clips[name])
    assert set(clips.clip_id) <= set(clean.clip_id)
    assert len(dropped) == (1 if release == "avec" else 0)


def test_dyads_share_a_group_and_subjects_need_not(made):
    root = made["original"][0]
    assert set(recola.read(root, OPTIONS["original"]).clips.subject_id) == {"dyad_1", "dyad_2"}
    alone = recola.read(root, recola.Options(group="subject")).clips
    assert set(alone.subject_id) == {"P16", "P17", "P18", "P19"}


def test_avec_partitions_are_roles_and_unrated_test_files_are_named(made):
    clips, dropped = recola.read(made["avec"][0], OPTIONS["avec"])
    assert clips.groupby("recording_id").avec.first().to_dict() == {
        "dev_1": "test",
        "train_1": "train",
        "train_2": "train",
    }
    assert dropped.path.tolist() == ["recordings_audio/test_1.wav"] and "no ratings" in dropped.reason[0]


def test_gold_standard_files_agree_with_individual_ratings(made, tmp_path):
    root = shutil.copytree(made["avec"][0], tmp_path / "copy")
    given = recola.read(root, OPTIONS["avec"]).clips
    shutil.rmtree(root / "ratings_gold_standard")
    computed = recola.read(root, OPTIONS["avec"]).clips
    np.testing.assert_allclose(given[["arousal", "valence"]], computed[["arousal", "valence"]], atol=1e-5)


def test_the_layout_of_2018_and_concatenations_are_accepted(avec):
    (avec / "labels").mkdir()
    (avec / "ratings_gold_standard").rename(avec / "labels" / "gs_1")
    shutil.rmtree(avec / "ratings_individual")
    for label in recola.LABELS:
        (avec / "labels" / "gs_1" / label / "train_all.arff").write_text("@relation all\n@data\n")
    (avec / "recordings_physio" / "filtered").mkdir()
    for path in (avec / "recordings_physio").glob("*.csv"):
        path.rename(path.parent / "filtered" / path.name)
    clips = recola.read(avec, OPTIONS["avec"]).clips
    assert set(clips.recording_id) == {"train_1", "train_2", "dev_1"}
    assert clips.biosignal.str.startswith("recordings_physio/filtered/").all()


def test_names_with_trailing_blanks_are_the_owners(made):
    path = made["original"][0] / "RECOLA-Annotation" / "emotional_behaviour" / "arousal" / "P16.csv"
    assert path.read_text().splitlines()[0] == "time;FM1 ;FM2 ;FM3 ;FF1 ;FF2 ;FF3"


def test_doubled_folders_case_and_litter_are_accepted(original):
    expected = recola.read(original, OPTIONS["original"]).clips
    outer = original / "RECOLA-Audio-recordings"
    outer.rename(original / "inner")
    outer.mkdir()
    (original / "inner").rename(outer / "recola-audio-RECORDINGS")
    (outer / "recola-audio-RECORDINGS" / "._P16.wav").write_text("litter")
    (original / "RECOLA-Annotation").rename(original / "recola-annotation")
    (original / "recola-annotation" / "emotional_behaviour" / "arousal" / ".DS_Store").write_text("litter")
    found = recola.read(original, OPTIONS["original"]).clips
    assert all((original / path).is_file() for path in found.speech)
    pd.testing.assert_frame_equal(found.drop(columns="speech"), expected.drop(columns="speech"))


def test_bio_signals_are_found_by_name_or_by_position(original):
    reading = recola.read(original, OPTIONS["original"])
    path = original / reading.clips.biosignal[0]
    expected = recorded(original, reading, "biosignal")
    assert set(expected) == {"eda", "ecg"} and expected["ecg"].rate == 1000
    table = pd.read_csv(path, sep=";")
    table[["time", "ECG", "EDA"]].to_csv(path, sep=";", index=False)
    np.testing.assert_array_equal(recorded(original, reading, "biosignal")["eda"].values, expected["eda"].values)
    table.rename(columns={"EDA": "a", "ECG": "b"}).to_csv(path, sep=";", index=False)
    np.testing.assert_array_equal(recorded(original, reading, "biosignal")["ecg"].values, expected["ecg"].values)


def test_recordings_open_in_other_readers(made, release):
    root = made[release][0]
    clip = recola.read(root, OPTIONS[release]).clips.iloc[0]
    video = cv2.VideoCapture(str(root / clip.vision))
    assert video.get(cv2.CAP_PROP_FPS) == 25 and video.get(cv2.CAP_PROP_FRAME_COUNT) == 14 * 25
    assert soundfile.info(root / clip.speech).duration == pytest.approx(14, abs=0.1)
    assert len(pd.read_csv(root / clip.biosignal, sep=";")) == 14 * (1000 if release == "original" else 250)


def test_synthesis_is_byte_identical_and_people_do_not_depend_on_how_many_there_are(made, tmp_path):
    fewer = PEOPLE.model_copy(update={"subjects": 2})
    recola.synthesize(tmp_path, "conversation", fewer, OPTIONS["original"], one_by_one)
    for path in sorted(made["original"][0].rglob("P1[67].*")):
        assert path.read_bytes() == (tmp_path / path.relative_to(made["original"][0])).read_bytes(), path.name


def test_labels_follow_what_is_felt(tmp_path, monkeypatch):
    """Noisy raters, but raters: the gold standard correlates with the noise-free label."""
    for sense in ("film", "record_voice"):
        monkeypatch.setattr(Scene, sense, lambda *_: None)
    monkeypatch.setattr(recola, "write_signals", lambda *_: None)
    many = PEOPLE.model_copy(update={"subjects": 12, "seconds": 60.0})
    clean = recola.synthesize(tmp_path, "conversation", many, recola.Options(), one_by_one)
    both = recola.read(tmp_path, recola.Options()).clips.merge(clean, on="clip_id", suffixes=("", "_clean"))
    assert np.corrcoef(both.arousal, both.arousal_clean)[0, 1] > 0.5


# --- bad input


def test_a_missing_file_keeps_its_expected_path(copy, release):
    clips = recola.read(copy, OPTIONS[release]).clips
    (copy / clips.speech[0]).unlink()
    assert recola.read(copy, OPTIONS[release]).clips.speech[0] == clips.speech[0]


def test_a_recording_without_or_with_broken_ratings_is_dropped_by_name(copy, release):
    """One unrated, one with a wrong column of text, one rated twice at the same time; the others stay."""
    before = recola.read(copy, OPTIONS[release]).clips
    names = sorted(set(before.recording_id))[:2]
    top = "RECOLA-Annotation/emotional_behaviour" if release == "original" else "ratings_gold_standard"
    ending = ".csv" if release == "original" else ".arff"
    for path in (copy / top / "valence").parent.parent.rglob(f"valence/{names[0]}.*"):
        path.unlink()
    broken = copy / top / "arousal" / f"{names[1]}{ending}"
    lines = broken.read_text().splitlines()
    broken.write_text("\n".join([*lines, lines[-1]]) + "\n")
    clips, dropped = recola.read(copy, OPTIONS[release])
    assert set(clips.recording_id) == set(before.recording_id) - set(names)
    told = dict(zip(dropped.path, dropped.reason, strict=True))
    assert "no ratings of valence" in next(reason for path, reason in told.items() if names[0] in path)
    assert "do not always increase" in told[f"{top}/arousal/{broken.name}"]


def test_no_ratings_at_all_and_no_dyads_are_a_wrong_tree(original):
    (original / "RECOLA-Metadata" / "recola_user_info.csv").unlink()
    with pytest.raises(WrongTree, match=r"recola_user_info\.csv.*or set options\.group: subject"):
        recola.read(original, OPTIONS["original"])
    shutil.rmtree(original / "RECOLA-Annotation" / "emotional_behaviour" / "arousal")
    with pytest.raises(WrongTree, match="no ratings of arousal"):
        recola.read(original, OPTIONS["original"])


def test_metadata_with_a_wrong_column_is_named(original):
    (original / "RECOLA-Metadata" / "recola_user_info.csv").write_text("group;User\n1;P16\n")
    with pytest.raises(WrongTree, match=r"recola_user_info\.csv has no column Group_id; it has: group, User"):
        recola.read(original, OPTIONS["original"])


def test_a_person_listed_in_two_dyads_is_refused(original):
    path = original / "RECOLA-Metadata" / "recola_user_info.csv"
    path.write_text(path.read_text() + "9;P16\n")
    with pytest.raises(WrongTree, match="P16 stands in two dyads"):
        recola.read(original, OPTIONS["original"])


@pytest.mark.parametrize(
    "content, told",
    [
        ("", "cannot be read"),
        ("time;EDA\n0;1\n0.001;1\n", "2 columns; expected time, EDA and ECG"),
        ("time,EDA,ECG\n0,1,2\n", "cannot be read|columns"),
        ("time;EDA;ECG\n0;1;2\n0;1;2\n", "time advances by 0"),
        ("time;EDA;ECG\n0;x;2\n1;1;2\n", "cannot be read"),
    ],
)
def test_broken_bio_signals_are_unusable_with_a_reason(original, content, told):
    reading = recola.read(original, OPTIONS["original"])
    (original / reading.clips.biosignal[0]).write_text(content)
    with pytest.raises(Unusable, match=told):
        recorded(original, reading, "biosignal")


def test_windows_that_leave_nothing_are_dropped_and_counted(original):
    options = recola.Options(windows=Windows(length_s=6.0, hop_s=3.0, delay_s=5.0, min_valid=1.0))
    clips, dropped = recola.read(original, options)
    assert len(clips) == 8 and set(dropped.reason) == {"1 windows with too few rated frames"}
