"""From recordings to feature tables: what breaks is absent with a reason, and nothing else changes."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from benchmark import extraction, plugins
from benchmark.datasets import biovid
from benchmark.params import BodyShows, FaceShows, Population

OPTIONS = biovid.Options()
FACE = FaceShows(expressiveness=0.3, others=0.5, frequency=0.5, subject=0.4, clip=0.2, noise=0.2)
PEOPLE = Population(
    subjects=2, clips=5, label_noise=1, icc=0.15, face=FACE, body=BodyShows(shows="felt", subject=0.2, noise=0.2)
)


def one_by_one(function, items, title):
    return [function(item) for item in items]


@pytest.fixture(scope="session")
def recordings(tmp_path_factory):
    root = tmp_path_factory.mktemp("biovid")
    biovid.synthesize(root, "shared", PEOPLE, OPTIONS, one_by_one)
    return root


@pytest.fixture
def copy(recordings, tmp_path):
    return shutil.copytree(recordings, tmp_path / "copy")


def job(modality, kind, root, shard, clips, channels) -> extraction.Job:
    options = plugins.load("features", kind).Options()
    return extraction.Job(modality, kind, root, shard, clips, "biovid", OPTIONS, options, channels, segments=10)


def extract(root, modality, folder, subject=None):
    """(index, features, counts) of a modality of a tree."""
    clips = biovid.read(root, OPTIONS).clips
    clips = clips[clips.subject_id == subject].reset_index(drop=True) if subject else clips
    kind, channels = biovid.modalities(OPTIONS)[modality]
    (folder / "shards").mkdir(parents=True, exist_ok=True)
    columns = clips[["clip_id", "recording_id", "start_s", "end_s", modality]].rename(columns={modality: "path"})
    counts = []
    for person in sorted(clips.subject_id.unique()):
        shard, own = folder / "shards" / extraction.shard_name(person), columns[clips.subject_id == person]
        counts.append(extraction.extract_subject(job(modality, kind, root, shard, own, channels)))
    options = plugins.load("features", kind).Options()
    index = extraction.pack(folder, clips, biovid.modalities(OPTIONS)[modality], options)
    return index, np.load(folder / "features.npy"), counts


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flat_ecg(path):
    table = pd.read_csv(path, sep="\t")
    table["ecg"] = 12.0
    table.to_csv(path, sep="\t", index=False)


def nan_run(path):
    table = pd.read_csv(path, sep="\t")
    table.loc[500:1900, "gsr"] = np.nan
    table.to_csv(path, sep="\t", index=False)


def no_face(path):
    import cv2

    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 25, (160, 160))
    for number in range(138):
        writer.write(np.full((160, 160, 3), 90 + number % 3, np.uint8))
    writer.release()


@pytest.mark.parametrize(
    "modality, damage, told",
    [
        ("vision", truncate, ""),
        ("vision", no_face, "face"),
        ("vision", lambda path: path.write_bytes(b""), ""),
        ("vision", lambda path: path.unlink(), "there is no file"),
        ("biosignal", lambda path: path.write_text(""), "cannot be read"),
        ("biosignal", flat_ecg, "ecg: flat"),
        ("biosignal", nan_run, "eda"),
        ("biosignal", lambda path: path.unlink(), "there is no file"),
    ],
)
def test_a_broken_recording_is_absent_with_a_reason_and_others_stay(recordings, copy, tmp_path, modality, damage, told):
    subject = biovid.SUBJECTS[0]
    clips = biovid.read(copy, OPTIONS).clips
    broken = clips[clips.subject_id == subject].iloc[1]
    damage(copy / broken[modality])
    index, features, _ = extract(copy, modality, tmp_path / "damaged", subject)
    sound, expected, _ = extract(recordings, modality, tmp_path / "sound", subject)
    assert sound.present.all()
    hit = index.clip_id == broken.clip_id
    assert not index.present[hit].any() and index.present[~hit].all()
    assert index.reason[hit].item() and told in index.reason[hit].item()
    assert np.isnan(features[hit]).all()
    np.testing.assert_array_equal(features[~hit], expected[~hit])


@pytest.mark.parametrize("listed", ["../outside.mp4", "PartA/video/../../../outside.mp4", "/etc/hostname"])
def test_a_path_that_leaves_the_dataset_is_refused(copy, tmp_path, listed):
    (tmp_path / "outside.mp4").write_text("secret")
    clip = pd.DataFrame({"clip_id": ["x"], "start_s": 0.0, "end_s": np.inf})
    values, reason = extraction.extract_recording(job("vision", "vision", copy, None, None, ()), "x", listed, clip)["x"]
    assert "leaves the folder of the dataset" in reason and np.isnan(values).all()


def test_a_linked_part_is_read(recordings, tmp_path):
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "PartA").symlink_to(recordings / "PartA")
    index, _, _ = extract(tmp_path / "raw", "biosignal", tmp_path / "out")
    assert index.present.all()


@pytest.mark.parametrize("name", ["/etc/passwd", "x" * 300, "a\0b"])
def test_names_no_file_can_have_are_absent_with_a_reason(copy, tmp_path, name):
    index = copy / "PartA" / "starting_point" / "samples.csv"
    index.write_text(index.read_text() + f"1\t{biovid.SUBJECTS[0]}\t4\tPA4\t1\t{name}\n")
    found, _, _ = extract(copy, "biosignal", tmp_path / "out", biovid.SUBJECTS[0])
    assert found.present.sum() == 5 and found.reason[~found.present].item()


def test_a_sample_name_with_dots_is_absent_and_named(copy, tmp_path):
    index = copy / "PartA" / "starting_point" / "samples.csv"
    subject = biovid.SUBJECTS[0]
    index.write_text(index.read_text() + f"1\t{subject}\t4\tPA4\t1\t../../../../../etc/passwd\n")
    found, _, _ = extract(copy, "vision", tmp_path / "out", subject)
    assert found.present.sum() == 5
    assert "leaves the folder" in found.reason[~found.present].item()


def test_shards_are_kept_until_a_recording_or_an_option_changes(copy, tmp_path):
    _, first, counts = extract(copy, "biosignal", tmp_path / "out")
    assert [count.computed for count in counts] == [5, 5]
    for path in copy.rglob("*_bio.csv"):
        path.touch()  # another time is not another recording
    _, again, counts = extract(copy, "biosignal", tmp_path / "out")
    assert [count.computed for count in counts] == [0, 0]
    np.testing.assert_array_equal(first, again)
    flat_ecg(copy / biovid.read(copy, OPTIONS).clips.biosignal[0])
    assert [count.computed for count in extract(copy, "biosignal", tmp_path / "out")[2]] == [5, 0]


def test_the_features_tell_how_to_extract_the_same_again(recordings, tmp_path):
    extract(recordings, "biosignal", tmp_path, biovid.SUBJECTS[0])
    names, channels = (
        json.loads((tmp_path / "names.json").read_text()),
        biovid.modalities(OPTIONS)["biosignal"].channels,
    )
    extractor = plugins.load("features", names["extractor"])
    options = extractor.Options(**names["options"])
    assert names["extractor"] == "biosignal" and names["version"] == extractor.VERSION and names["segments"] == 10
    assert tuple(names["channels"]) == channels and options == extractor.Options()
    defined = extractor.definitions(channels, options)
    assert (list(names["segment"]), list(names["clip"])) == (list(defined.segment), list(defined.clip))


def test_a_half_written_shard_is_made_anew(copy, tmp_path):
    _, first, _ = extract(copy, "biosignal", tmp_path / "out")
    shard = sorted((tmp_path / "out" / "shards").glob("*.npz"))[0]
    truncate(shard)
    _, again, counts = extract(copy, "biosignal", tmp_path / "out")
    assert sum(count.computed for count in counts) == 5
    np.testing.assert_array_equal(first, again)


def test_shards_of_people_who_left_are_deleted(copy, tmp_path):
    extract(copy, "biosignal", tmp_path / "out")
    extract(copy, "biosignal", tmp_path / "out", biovid.SUBJECTS[0])
    assert len(list((tmp_path / "out" / "shards").iterdir())) == 1


def test_synthetic_recordings_are_in_the_owners_layout(recordings):
    import cv2

    clips = biovid.read(recordings, OPTIONS).clips
    assert len(clips) == 10 and (clips.groupby("subject_id")["level"].nunique() == 5).all()
    video = cv2.VideoCapture(str(recordings / clips.vision[0]))
    assert video.get(cv2.CAP_PROP_FPS) == 25 and video.get(cv2.CAP_PROP_FRAME_COUNT) == 138
    table = pd.read_csv(recordings / clips.biosignal[0], sep="\t")
    assert list(table) == ["time", "gsr", "ecg", "emg_trapezius"] and len(table) == 2816
    assert table.time.iloc[-1] == round(2815 * 1e6 / 512)
    assert {path.name for path in (recordings / "PartA").iterdir()} == {
        "starting_point", "biosignals_raw", "biosignals_filtered", "video"
    }  # fmt: skip


def test_synthesis_is_byte_identical(recordings, tmp_path):
    biovid.synthesize(tmp_path, "shared", PEOPLE, OPTIONS, one_by_one)
    for path in sorted(recordings.rglob("*")):
        if path.is_file():
            assert path.read_bytes() == (tmp_path / path.relative_to(recordings)).read_bytes(), path.name
