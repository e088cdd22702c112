"""RAVDESS as its archives unpack, side by side or in one, and as copies of it are found."""

import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmark.datasets import ravdess
from benchmark.params import BodyShows, FaceShows, Population
from benchmark.reading import media
from benchmark.types import Source, Unusable, WrongTree

TRIALS = ("01-06-01-02-01-12", "01-01-01-01-02-12", "01-05-02-02-01-03")
POPULATION = Population(
    subjects=3,
    clips=4,
    label_noise=0.7,
    icc=0.15,
    face=FaceShows(expressiveness=0.35, others=0.5, frequency=0.5, subject=0.4, clip=0.15, noise=0.15),
    body=BodyShows(shows="felt", subject=0.2, noise=0.25),
)
ARCHIVES = {"03": "Audio_Speech_Actors_01-24", "01": "Video_Speech_Actor_{}", "02": "Video_Speech_Actor_{}"}


def write_tree(root: Path, layout: str = "archives", actor: str = "Actor_{}", trials=TRIALS) -> Path:
    """Files without content, under the names the owners give them."""
    for trial in trials:
        for modality, ending in ravdess.ENDINGS.items():
            archive = ARCHIVES[modality].format(trial[-2:])
            outer = {"one": "", "archives": archive, "doubled": f"{archive}/{archive}"}[layout]
            place = root / outer / actor.format(trial[-2:])
            place.mkdir(parents=True, exist_ok=True)
            (place / f"{modality}-{trial}{ending}").touch()
    return root


def read(root: Path, **options):
    return ravdess.read(root, ravdess.Options(**options))


@pytest.mark.parametrize("layout", ["one", "archives", "doubled"])
@pytest.mark.parametrize("actor", ["Actor_{}", "ACTOR{}", "actor{}"])
def test_archives_are_read_as_they_unpack(tmp_path, layout, actor):
    clips, dropped = read(write_tree(tmp_path, layout, actor))
    assert list(clips.clip_id) == sorted(TRIALS) and dropped.empty
    one = clips.set_index("clip_id").loc["01-05-02-02-01-03"]
    assert (one.emotion, one.intensity, one.statement, one.subject_id) == (5, 2, 2, "Actor_03")
    assert one.start_s == 0 and one.end_s == np.inf and one.recording_id == "01-05-02-02-01-03"
    assert all((tmp_path / path).is_file() for name in ("speech", "vision") for path in clips[name])
    assert Path(one.speech).name == f"03-{one.name}.wav" and Path(one.vision).name == f"02-{one.name}.mp4"


def test_sound_may_be_taken_from_the_video(tmp_path):
    clips, _ = read(write_tree(tmp_path), sound="video")
    assert [Path(path).name for path in clips.speech] == [f"01-{trial}.mp4" for trial in sorted(TRIALS)]


def test_the_video_with_sound_stands_in_for_one_without(tmp_path):
    write_tree(tmp_path, "one")
    (tmp_path / "Actor_12" / f"02-{TRIALS[0]}.mp4").unlink()
    clips = read(tmp_path).clips.set_index("clip_id")
    assert clips.vision[TRIALS[0]] == f"Actor_12/01-{TRIALS[0]}.mp4"
    assert clips.vision[TRIALS[1]] == f"Actor_12/02-{TRIALS[1]}.mp4"


def test_a_missing_file_keeps_its_expected_path(tmp_path):
    write_tree(tmp_path)
    for path in tmp_path.rglob(f"*{TRIALS[0]}.wav"):
        path.unlink()
    shutil.rmtree(tmp_path / "Video_Speech_Actor_03")
    clips = read(tmp_path).clips.set_index("clip_id")
    assert clips.speech[TRIALS[0]] == f"Audio_Speech_Actors_01-24/Actor_12/03-{TRIALS[0]}.wav"
    assert clips.vision[TRIALS[2]] == f"Video_Speech_Actor_03/Actor_03/02-{TRIALS[2]}.mp4"


def test_channels_are_chosen(tmp_path):
    write_tree(tmp_path, "one", trials=(*TRIALS, "02-04-01-01-01-12"))
    assert set(read(tmp_path).clips.clip_id) == set(TRIALS)
    assert list(read(tmp_path, channel="song").clips.clip_id) == ["02-04-01-01-01-12"]
    assert len(read(tmp_path, channel="both").clips) == 4


@pytest.mark.parametrize(
    "name, told",
    [
        ("notes.wav", "seven fields of two digits"),
        ("03-01-06-01-02-01.wav", "seven fields of two digits"),
        ("03-01-09-01-02-01-12.wav", "emotion 09 in the name; there are 01 to 08"),
        ("03-01-06-03-02-01-12.wav", "intensity 03"),
        ("04-01-06-01-02-01-12.mp4", "modality 04"),
        ("03-01-06-01-02-01-25.wav", "actor 25"),
        ("03-01-06-01-02-01-11.wav", "the name says actor 11, its folder actor 12"),
        ("01-01-06-01-02-01-12.wav", "modality 01 is distributed as .mp4"),
    ],
)
def test_a_wrong_name_is_dropped_with_its_path_and_reason(tmp_path, name, told):
    write_tree(tmp_path, "one")
    (tmp_path / "Actor_12" / name).touch()
    clips, dropped = read(tmp_path)
    assert len(clips) == 3 and list(dropped.path) == [f"Actor_12/{name}"] and told in dropped.reason[0]


def test_a_file_that_lies_there_twice_is_named_and_the_first_is_used(tmp_path):
    write_tree(tmp_path)
    write_tree(tmp_path, "one", trials=TRIALS[:1])
    clips, dropped = read(tmp_path)
    assert len(clips) == 3 and len(dropped) == 3
    assert clips.set_index("clip_id").speech[TRIALS[0]] == f"Actor_12/03-{TRIALS[0]}.wav"
    wav = dropped[dropped.path.str.endswith(".wav")].iloc[0]
    assert wav.path.startswith("Audio_Speech") and f"Actor_12/03-{TRIALS[0]}.wav, which is used" in wav.reason


def test_litter_is_left_alone(tmp_path):
    write_tree(tmp_path)
    for place in (tmp_path, tmp_path / "Audio_Speech_Actors_01-24" / "Actor_12"):
        for name in (".DS_Store", "._03-01-06-01-02-01-12.wav", "Thumbs.db", "labels.csv", "Actor_12.zip"):
            (place / name).write_text("litter")
    (tmp_path / "__MACOSX" / "Actor_12").mkdir(parents=True)
    (tmp_path / "__MACOSX" / "Actor_12" / f"._03-{TRIALS[0]}.wav").touch()
    clips, dropped = read(tmp_path)
    assert len(clips) == 3 and dropped.empty


def test_upper_case_endings_are_accepted(tmp_path):
    write_tree(tmp_path, "one")
    path = tmp_path / "Actor_12" / f"03-{TRIALS[0]}.wav"
    path.rename(path.with_suffix(".WAV"))
    clips = read(tmp_path).clips.set_index("clip_id")
    assert clips.speech[TRIALS[0]] == f"Actor_12/03-{TRIALS[0]}.WAV"


def test_a_folder_without_recordings_is_refused(tmp_path):
    with pytest.raises(WrongTree, match="no recording of speech in a folder Actor_NN"):
        read(tmp_path)
    write_tree(tmp_path, "one")
    with pytest.raises(WrongTree, match=r"no recording of song.*9 of another channel, see options.channel"):
        read(tmp_path, channel="song")


def test_order_of_files_and_their_times_change_nothing(tmp_path):
    first = write_tree(tmp_path / "first", trials=TRIALS)
    second = write_tree(tmp_path / "second", trials=TRIALS[::-1])
    for number, path in enumerate(second.rglob("*")):
        os.utime(path, (number, number))
    for one, other in zip(read(first), read(second), strict=True):
        assert one.equals(other)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.from_regex(r"0[0-4](-0[0-9]){4,5}(-[0-9]{1,2}){1,2}\.(wav|mp4)", fullmatch=True))
def test_any_name_is_a_clip_or_dropped(tmp_path, name):
    path = write_tree(tmp_path, "one") / "Actor_12" / name
    new = not path.exists()
    path.touch()
    clips, dropped = read(tmp_path, channel="both")
    assert (name[3:-4] in set(clips.clip_id)) != (f"Actor_12/{name}" in set(dropped.path))
    assert clips.emotion.between(1, 8).all() and clips.clip_id.is_unique
    if new:
        path.unlink()


def test_broken_sound_is_unusable_with_a_reason(tmp_path):
    path = tmp_path / "03-01-06-01-02-01-12.wav"
    source = Source("speech", "x", tmp_path, path)
    for content, told in ((b"", "cannot be opened"), (b"RIFF no sound at all", "cannot be opened|no audio")):
        path.write_bytes(content)
        with pytest.raises(Unusable, match=told):
            ravdess.recording(source, ravdess.Options())
    soundfile.write(path, np.zeros(48_000), 48_000, subtype="PCM_16")
    path.write_bytes(path.read_bytes()[:20_000])
    with pytest.raises(Unusable, match="the sound is truncated after"):
        ravdess.recording(source, ravdess.Options())
    path.unlink()
    with pytest.raises(Unusable, match="missing"):
        ravdess.recording(source, ravdess.Options())


def each(function, items, title):
    return [function(item) for item in items]


@pytest.fixture(scope="module")
def synthetic(tmp_path_factory):
    root = tmp_path_factory.mktemp("ravdess")
    return root, ravdess.synthesize(root, "few", POPULATION, ravdess.Options(), each)


def test_synthetic_archives_are_read_and_every_file_opens(synthetic):
    root, clean = synthetic
    clips, dropped = read(root)
    assert set(clips.clip_id) == set(clean.clip_id) and len(clips) == 12
    assert len(dropped) == 1 and "which is used" in dropped.reason[0]
    both = clips.merge(clean, on="clip_id", suffixes=("", "_clean"))
    assert all((both[label] == both[f"{label}_clean"]).all() for label in ravdess.LABELS)
    for clip in clips.itertuples():
        sound, rate = soundfile.read(root / clip.speech)
        own = ravdess.recording(Source("speech", clip.clip_id, root, root / clip.speech), ravdess.Options())
        assert rate == own.rate == 48_000 and 2.5 <= len(sound) / rate <= 4 and len(own.samples) == len(sound)
        assert np.abs(own.samples).max() > 0.02
        video = ravdess.recording(Source("vision", clip.clip_id, root, root / clip.vision), ravdess.Options())
        capture = cv2.VideoCapture(str(video.path))
        frames = 0
        while capture.read()[0]:
            frames += 1
        assert frames == len(media.frame_times(video.path)) == round(len(sound) / rate * ravdess.FRAMES_HZ)
        assert capture.get(cv2.CAP_PROP_FPS) == pytest.approx(30000 / 1001)


def test_synthetic_archives_have_what_is_odd_in_copies(synthetic):
    root, _ = synthetic
    clips = read(root).clips
    assert [soundfile.info(root / path).channels for path in clips.speech].count(2) == 1
    assert sum("/01-" in path for path in clips.vision) == 1
    assert any("ACTOR02" in path for path in clips.speech)
    assert any("Video_Speech_Actor_03/Video_Speech_Actor_03" in path for path in clips.vision)
    track = read(root, sound="video").clips
    wav, mp4 = (
        ravdess.recording(Source("speech", "", root, root / table.speech[4]), ravdess.Options())
        for table in (clips, track)
    )
    seconds = min(len(wav.samples), len(mp4.samples))
    assert np.corrcoef(wav.samples[:seconds], mp4.samples[:seconds])[0, 1] > 0.9


def test_synthetic_archives_are_the_same_twice_and_with_more_people(synthetic, tmp_path):
    root, clean = synthetic
    more = POPULATION.model_copy(update={"subjects": 4})
    again = ravdess.synthesize(tmp_path, "few", more, ravdess.Options(), each)
    assert again[: len(clean)].equals(clean)
    for path in (path for path in root.rglob("*") if path.is_file()):
        assert (tmp_path / path.relative_to(root)).read_bytes() == path.read_bytes(), path.name


def test_trials_keep_the_emotions_balanced():
    speech = [trial.split("-") for trial in ravdess.trials(0, 60, ravdess.Options())]
    assert len(speech) == len({tuple(trial) for trial in speech}) == 60
    assert [sum(trial[1] == f"{code:02d}" for trial in speech) for code in range(1, 9)] == [4, *[8] * 7]
    assert len({trial[1] for trial in speech[:8]}) == 8
    first = [trial for actor in range(24) for trial in ravdess.trials(actor, 15, ravdess.Options())]
    table = pd.DataFrame([trial.split("-")[1:4] for trial in first], columns=["emotion", "intensity", "statement"])
    assert table.groupby(["emotion", "intensity"]).statement.value_counts().eq(12).all()
    song = ravdess.Options(channel="song")
    assert len(ravdess.trials(0, 60, song)) == 44 and ravdess.trials(17, 60, song) == []
