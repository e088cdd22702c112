"""CREMA-D as a clone or a download holds it, and as copies of it are found."""

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
from scipy.signal import correlate, resample_poly

from benchmark.datasets import cremad
from benchmark.params import BodyShows, FaceShows, Population
from benchmark.reading import media
from benchmark.synthesis.acting import votes
from benchmark.types import Source, Unusable, WrongTree

STEMS = ("1001_IEO_ANG_HI", "1001_IEO_NEU_XX", "1040_ITH_SAD_XX", "1091_WSI_HAP_XX")
VOTES = """"","A","D","F","H","N","S","fileName","numResponses","agreement","emoVote","meanEmoResp","meanAngerResp"
"100001",5,5,0,0,1,1,"1001_IEO_ANG_HI",12,0.416666666666667,"A:D",50.5,37.2
"100002",0,0,0,1,10,0,"1001_IEO_NEU_XX",11,0.909090909090909,"N",71.7,-1
"200001",6,1,0,0,1,0,"1001_IEO_ANG_HI",8,0.75,"A",61.1,60
"200002",0,0,0,0,0,0,"1001_IEO_NEU_XX",0,0,"",-1,-1
"300001",1,7,0,0,1,0,"1001_IEO_ANG_HI",9,0.777777777777778,"D",44.3,NA
"303234",0,0,2,0,3,4,"1040_ITH_SAD_X",9,0.444444444444444,"S",50,-1
"""
SUMMARY = """"","FileName","VoiceVote","VoiceLevel","FaceVote","FaceLevel","MultiModalVote","MultiModalLevel"
"1","1001_IEO_ANG_HI","A:D","37.2:58.6","A","45.5","D","44.2"
"2","1001_IEO_NEU_XX","N","69.1","","","",""
"3234","1040_ITH_SAD_X","","","","","S","50"
"""
PEOPLE = """"ActorID","Age","Sex","Race","Ethnicity"
1001,51,"Male","Caucasian","Not Hispanic"
1040,42,"Male","Caucasian","Not Hispanic"
1091,29,"Female","Asian","Not Hispanic"
"""
LISTED = '"Stimulus_Number","Filename"\n' + "".join(f'{at},"{stem}"\n' for at, stem in enumerate(STEMS, 1))
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a21\nsize 67000\n"
POPULATION = Population(
    subjects=2,
    clips=9,
    label_noise=0.7,
    icc=0.15,
    face=FaceShows(expressiveness=0.35, others=0.5, frequency=0.5, subject=0.4, clip=0.15, noise=0.15),
    body=BodyShows(shows="felt", subject=0.2, noise=0.25),
)
TABLES = {
    "processedResults/tabulatedVotes.csv": VOTES,
    "processedResults/summaryTable.csv": SUMMARY,
    "VideoDemographics.csv": PEOPLE,
    "SentenceFilenames.csv": LISTED,
}


def write_tree(root: Path, inner: str = "", stems=STEMS) -> Path:
    """Recordings without content, and label files; returns the folder that holds them."""
    base = root / inner
    for folder, ending in cremad.MEDIA.values():
        (base / folder).mkdir(parents=True, exist_ok=True)
        for stem in stems:
            (base / folder / f"{stem}{ending}").touch()
    for name, content in TABLES.items():
        (base / name).parent.mkdir(exist_ok=True)
        (base / name).write_text(content)
    return base


def read(root: Path, **options):
    return cremad.read(root, cremad.Options(**options))


def labels(root: Path) -> pd.DataFrame:
    return read(root).clips.set_index("clip_id")


@pytest.mark.parametrize("inner", ["", "CREMA-D", "CREMA-D-master/CREMA-D-master", "crema-d"])
def test_clones_and_downloads_are_read(tmp_path, inner):
    write_tree(tmp_path, inner)
    clips, dropped = read(tmp_path)
    assert list(clips.clip_id) == list(STEMS) and dropped.empty
    assert list(clips.subject_id) == ["1001", "1001", "1040", "1091"]
    assert list(clips.emotion) == [0, 4, 5, 3] and list(clips.sex) == ["Male", "Male", "Male", "Female"]
    assert all((tmp_path / path).is_file() for name in ("speech", "vision") for path in clips[name])
    assert clips.speech[0].endswith("AudioWAV/1001_IEO_ANG_HI.wav") and (clips.end_s == np.inf).all()


def test_perceived_emotions_are_what_most_raters_chose(tmp_path):
    write_tree(tmp_path)
    table = labels(tmp_path)
    angry, neutral, sad, happy = (table.loc[stem] for stem in STEMS)
    assert np.isnan(angry.perceived_voice) and (angry.perceived_face, angry.perceived_av) == (0, 1)
    assert neutral.perceived_voice == 4 and np.isnan(neutral.perceived_face) and np.isnan(neutral.perceived_av)
    assert sad.perceived_av == 5 and np.isnan(happy.perceived_av)


def test_levels_are_in_order_and_unspecified_ones_have_none(tmp_path):
    write_tree(tmp_path, stems=[f"1001_IEO_ANG_{level}" for level in ("LO", "MD", "HI", "XX")])
    level = labels(tmp_path).level
    assert level.dropna().to_dict() == {"1001_IEO_ANG_LO": 0, "1001_IEO_ANG_MD": 1, "1001_IEO_ANG_HI": 2}


def test_the_old_spelling_of_a_level_is_the_same_recording(tmp_path):
    wav = write_tree(tmp_path) / "AudioWAV" / "1040_ITH_SAD_XX.wav"
    wav.rename(wav.with_name("1040_ITH_SAD_X.wav"))
    table = labels(tmp_path)
    assert len(table) == 4 and table.speech["1040_ITH_SAD_XX"] == "AudioWAV/1040_ITH_SAD_X.wav"
    assert table.vision["1040_ITH_SAD_XX"] == "VideoFlash/1040_ITH_SAD_XX.flv"
    shutil.copy(tmp_path / "AudioWAV" / "1040_ITH_SAD_X.wav", wav)
    clips, dropped = read(tmp_path)
    assert len(clips) == 4 and list(dropped.path) == ["AudioWAV/1040_ITH_SAD_XX.wav"]
    assert "the same name as AudioWAV/1040_ITH_SAD_X.wav, which is used" in dropped.reason[0]


def test_the_sound_may_be_another_copy(tmp_path):
    write_tree(tmp_path)
    assert read(tmp_path, sound="mp3").clips.speech[0] == "AudioMP3/1001_IEO_ANG_HI.mp3"
    flv = read(tmp_path, sound="flv").clips
    assert list(flv.speech) == list(flv.vision)


def test_a_missing_file_keeps_its_expected_path(tmp_path):
    base = write_tree(tmp_path, "CREMA-D")
    (base / "VideoFlash" / "1001_IEO_ANG_HI.flv").unlink()
    assert labels(tmp_path).vision["1001_IEO_ANG_HI"] == "CREMA-D/VideoFlash/1001_IEO_ANG_HI.flv"
    shutil.rmtree(base / "VideoFlash")
    clips, dropped = read(tmp_path)
    assert clips.vision[0] == "CREMA-D/VideoFlash/1001_IEO_ANG_HI.flv" and dropped.empty


def test_a_listed_recording_without_files_and_wrong_names_are_dropped_by_name(tmp_path):
    write_tree(tmp_path, stems=(*STEMS[1:], "1092_IEO_ANG_HI", "1001_IEO_XYZ_XX", "notes"))
    (tmp_path / "AudioWAV" / ".DS_Store").touch()
    (tmp_path / "AudioWAV" / "._1001_IEO_NEU_XX.wav").touch()
    clips, dropped = read(tmp_path)
    assert list(clips.clip_id) == list(STEMS[1:])
    assert "AudioWAV/1092_IEO_ANG_HI.wav" in set(dropped.path) and "VideoFlash/notes.flv" in set(dropped.path)
    assert "1001_IEO_ANG_HI is listed, but there is no sound and no video of it" in set(dropped.reason)
    assert len(dropped) == 7


def test_pointers_are_refused_with_what_to_do(tmp_path):
    base = write_tree(tmp_path, "CREMA-D-master")
    (base / "AudioMP3" / "1001_IEO_ANG_HI.mp3").write_text(POINTER)
    assert len(read(tmp_path).clips) == 4
    for path in (base / "VideoFlash").iterdir():
        path.write_text(POINTER)
    with pytest.raises(WrongTree, match=r"4 of 4 files in VideoFlash are git-lfs pointers.*git lfs pull"):
        read(tmp_path)


def test_without_votes_the_recordings_go_on_without_perceived_emotions(tmp_path):
    base = write_tree(tmp_path, "CREMA-D")
    shutil.rmtree(base / "processedResults")
    (base / "SentenceFilenames.csv").unlink()
    (base / "VideoDemographics.csv").unlink()
    clips, dropped = read(tmp_path)
    assert clips[["perceived_av", "perceived_voice", "perceived_face"]].isna().all(axis=None) and len(clips) == 4
    assert list(dropped.path) == ["CREMA-D/processedResults/tabulatedVotes.csv"] and "not there" in dropped.reason[0]


def test_a_summary_that_disagrees_is_told_and_the_votes_win(tmp_path):
    path = write_tree(tmp_path) / "processedResults" / "summaryTable.csv"
    path.write_text(SUMMARY.replace('"D","44.2"', '"A","44.2"'))
    clips, dropped = read(tmp_path)
    assert clips.perceived_av[0] == 1 and list(dropped.path) == ["processedResults/summaryTable.csv"]
    assert dropped.reason[0] == "1001_IEO_ANG_HI: MultiModalVote is A, by the votes it is D"
    path.unlink()
    assert read(tmp_path).dropped.empty


def test_an_actor_nobody_lists_is_told(tmp_path):
    path = write_tree(tmp_path) / "VideoDemographics.csv"
    path.write_text(PEOPLE.replace("1040", "1041"))
    clips, dropped = read(tmp_path)
    assert list(dropped.reason) == ["actor 1040 is not listed"] and clips.sex.isna().tolist() == [0, 0, 1, 0]


@pytest.mark.parametrize(
    "name, old, new, told",
    [
        ("processedResults/tabulatedVotes.csv", '"fileName"', '"file"', "no column fileName; it has: Unnamed: 0, A"),
        ("processedResults/tabulatedVotes.csv", '"100002"', '"400002"', "line 3 has a first column that is not 1"),
        ("processedResults/tabulatedVotes.csv", '"100002"', '"1"', "line 3 has a first column that is not 1"),
        ("processedResults/tabulatedVotes.csv", "1,10,0", "1,ten,0", "line 3 has votes A, D, F, H, N, S that are not"),
        ("processedResults/tabulatedVotes.csv", "1,10,0", "1,-1,0", "line 3 has votes A, D, F, H, N, S that are not"),
        ("processedResults/tabulatedVotes.csv", '"100002"', '"100001"', "line 3 has a clip that was there before"),
        ("processedResults/tabulatedVotes.csv", "1040_ITH", "1040_XXX", "line 7 has a fileName that names no clip"),
        ("processedResults/summaryTable.csv", '"FaceVote"', '"Face"', "no column FaceVote; it has: "),
        ("processedResults/summaryTable.csv", '"A:D"', '"A,D"', "line 2 has a VoiceVote that is not letters of A, D"),
        ("processedResults/summaryTable.csv", "IEO_NEU_XX", "IEO_ANG_HI", "line 3 has a clip that was there before"),
        ("processedResults/summaryTable.csv", "1040_ITH", "1040_XXX", "line 4 has a FileName that names no clip"),
        ("VideoDemographics.csv", '"Sex"', '"Gender"', "no column Sex; it has: ActorID, Age, Gender"),
        ("VideoDemographics.csv", "1040", "1001", "line 3 has an ActorID that was there before"),
        ("VideoDemographics.csv", "1040", "1092", "line 3 has an ActorID that is not 1001 to 1091"),
        ("VideoDemographics.csv", "42", "young", "line 3 has an Age that is not in years"),
        ("VideoDemographics.csv", '"Female"', '"F"', "line 4 has a Sex that is neither Male nor Female"),
        ("SentenceFilenames.csv", '"Filename"', '"File"', "no column Filename; it has: Stimulus_Number, File"),
        ("SentenceFilenames.csv", "WSI_HAP", "WSI-HAP", "line 5 has a Filename that is not actor_sentence"),
    ],
)
def test_a_wrong_line_of_a_table_is_named(tmp_path, name, old, new, told):
    write_tree(tmp_path)
    assert old in TABLES[name]
    (tmp_path / name).write_text(TABLES[name].replace(old, new))
    with pytest.raises(WrongTree, match=rf"{Path(name).name} (line|has) ?.*") as caught:
        read(tmp_path)
    assert told in str(caught.value)


@pytest.mark.parametrize("content", ["", "\n", "version https://git-lfs.github.com/spec/v1\n", "\x00\x01"])
@pytest.mark.parametrize("name", TABLES)
def test_a_table_that_is_none_is_refused(tmp_path, name, content):
    write_tree(tmp_path)
    (tmp_path / name).write_text(content)
    with pytest.raises(WrongTree, match=Path(name).name):
        read(tmp_path)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.parametrize("name", TABLES)
@given(
    damage=st.lists(st.tuples(st.integers(0, 900), st.integers(0, 255)), max_size=8),
    cut=st.one_of(st.none(), st.integers(0, 900)),
)
def test_damaged_tables_are_refused_or_read_soundly(tmp_path, name, damage, cut):
    write_tree(tmp_path)
    content = bytearray(TABLES[name].encode())
    for at, value in damage:
        content[at % len(content)] = value
    (tmp_path / name).write_bytes(bytes(content[:cut]))
    try:
        clips, dropped = read(tmp_path)
    except WrongTree as error:
        assert Path(name).name in str(error)
    else:
        assert list(clips.clip_id) == list(STEMS) and dropped.notna().all(axis=None)
        assert list(clips.emotion) == [0, 4, 5, 3]
        assert all(clips[label].dropna().isin(range(6)).all() for label in cremad.LABELS)


def test_a_folder_without_recordings_is_refused(tmp_path):
    with pytest.raises(WrongTree, match="no folder AudioWAV or VideoFlash"):
        read(tmp_path)
    (tmp_path / "AudioWAV").write_text("a file")
    assert read(tmp_path).clips.empty
    write_tree(tmp_path / "CREMA-D", stems=())
    (tmp_path / "AudioWAV").unlink()
    clips, dropped = read(tmp_path)
    assert clips.empty and len(dropped) == 4


def test_order_of_files_and_their_times_change_nothing(tmp_path):
    first, second = (write_tree(tmp_path / name, stems=stems) for name, stems in (("1", STEMS), ("2", STEMS[::-1])))
    for number, path in enumerate(second.rglob("*")):
        os.utime(path, (number, number))
    header, *lines = VOTES.splitlines(keepends=True)
    (second / "processedResults" / "tabulatedVotes.csv").write_text(header + "".join(lines[::-1]))
    for one, other in zip(read(first), read(second), strict=True):
        assert one.equals(other)


def test_no_folder_is_listed_for_every_recording(tmp_path, monkeypatch):
    write_tree(tmp_path, stems=cremad.trials(0, 82))
    listed, iterdir = [], Path.iterdir
    monkeypatch.setattr(Path, "iterdir", lambda path: listed.append(path) or iterdir(path))
    assert len(read(tmp_path).clips) == 82 and len(listed) < 40


def open_sound(path: Path) -> media.Audio:
    return cremad.recording(Source("speech", path.stem, path.parent, path), cremad.Options())


def test_broken_recordings_are_unusable_with_a_reason(tmp_path):
    wav = tmp_path / "1001_IEO_ANG_HI.wav"
    for content in (b"", b"no sound"):
        wav.write_bytes(content)
        with pytest.raises(Unusable, match="cannot be opened"):
            open_sound(wav)
    soundfile.write(wav, np.zeros(48_000), 16_000, subtype="PCM_16")
    assert len(open_sound(wav).samples) == 48_000
    wav.write_bytes(wav.read_bytes()[:70_000])
    with pytest.raises(Unusable, match="the sound is truncated after"):
        open_sound(wav)
    soundfile.write(wav, np.zeros(3_000), 16_000, subtype="PCM_16")
    with pytest.raises(Unusable, match=r"nearly empty: 0.19 s"):
        open_sound(wav)
    wav.unlink()
    with pytest.raises(Unusable, match="missing"):
        open_sound(wav)


def each(function, items, title):
    return [function(item) for item in items]


@pytest.fixture(scope="module")
def synthetic(tmp_path_factory):
    root = tmp_path_factory.mktemp("cremad")
    return root, cremad.synthesize(root, "few", POPULATION, cremad.Options(), each)


def test_a_synthetic_clone_is_read_and_every_file_opens(synthetic):
    root, clean = synthetic
    clips, dropped = read(root)
    assert set(clips.clip_id) == set(clean.clip_id) and len(clips) == 18 and dropped.empty
    both = clips.merge(clean, on="clip_id", suffixes=("", "_clean"))
    assert (both.emotion == both.emotion_clean).all() and (both.perceived_av_clean == both.emotion).all()
    assert both.level.equals(both.level_clean) and both.perceived_av.notna().any()
    empty = []
    for clip in clips.itertuples():
        sound, rate = soundfile.read(root / clip.speech)
        own = open_sound(root / clip.speech)
        assert rate == own.rate == 16_000 and len(own.samples) == len(sound) and np.abs(sound).max() > 0.02
        assert Path(clip.speech).stem in (clip.clip_id, clip.clip_id[:-1])
        capture, frames = cv2.VideoCapture(str(root / clip.vision)), 0
        while capture.read()[0]:
            frames += 1
        assert frames == len(media.frame_times(root / clip.vision))
        try:
            cremad.recording(Source("vision", clip.clip_id, root, root / clip.vision), cremad.Options())
            assert frames == round(len(sound) / rate * cremad.FRAMES_HZ)
        except Unusable as reason:
            empty.append(str(reason))
    assert len(empty) == 2 and all("nearly empty" in reason for reason in empty)
    assert sum(path.endswith("_X.wav") for path in clips.speech) == 1


@pytest.mark.parametrize("sound", ["mp3", "flv"])
def test_synthetic_copies_of_the_sound_are_the_same_sound(synthetic, sound):
    root, _ = synthetic
    clips, copies = read(root).clips, read(root, sound=sound).clips
    wav, copy = (open_sound(root / table.speech[2]) for table in (clips, copies))
    assert copy.rate == 44_100
    heard = resample_poly(copy.samples, 160, 441)
    length = min(len(heard), len(wav.samples))
    lags = correlate(heard[:length], wav.samples[:length], mode="same", method="fft")
    assert abs(int(lags.argmax()) - length // 2) < 0.06 * wav.rate
    assert lags.max() > 0.9 * np.linalg.norm(heard) * np.linalg.norm(wav.samples)


def test_a_synthetic_clone_is_the_same_twice_and_with_more_people(synthetic, tmp_path):
    root, clean = synthetic
    again = cremad.synthesize(tmp_path, "few", POPULATION, cremad.Options(), each)
    assert again.equals(clean)
    for path in (path for path in root.rglob("*") if path.is_file()):
        assert (tmp_path / path.relative_to(root)).read_bytes() == path.read_bytes(), path.name
    more = tmp_path / "more"
    more.mkdir()
    cremad.write_tables(more, "few", POPULATION.model_copy(update={"subjects": 3}))
    few, many = (
        set((base / "processedResults" / "tabulatedVotes.csv").read_text().splitlines())
        for base in (root / "CREMA-D", more)
    )
    assert few < many


def test_raters_agree_more_the_more_they_are_given():
    people, emotions = POPULATION.model_copy(update={"subjects": 30}), tuple(cremad.EMOTIONS.values())
    right = dict.fromkeys(("voice", "face", "both"), 0.0)
    for subject in range(people.subjects):
        for stem in cremad.trials(subject, 12):
            for part in right:
                counts = votes("few", people, subject, cremad.request(stem), part, emotions)
                right[part] += counts[list(cremad.EMOTIONS).index(stem[9:12])] / counts.sum() / people.subjects / 12
    assert 0.3 < right["voice"] < right["face"] < right["both"] < 0.8


def test_trials_keep_the_emotions_balanced_and_are_those_of_the_owners():
    stems = cremad.trials(0, 82)
    assert len(set(stems)) == 82 and all(cremad.named(stem) == stem for stem in stems)
    counts = pd.Series([stem[9:12] for stem in stems]).value_counts()
    assert counts["NEU"] == 12 and set(counts.drop("NEU")) == {14}
    assert {stem[13:] for stem in stems if stem[5:8] == "IEO"} == {"LO", "MD", "HI", "XX"}
    assert {stem[9:12] for stem in stems[:6]} == set(cremad.EMOTIONS)
    assert len({stem[5:8] for actor in range(91) for stem in cremad.trials(actor, 6)}) == 12
