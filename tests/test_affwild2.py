"""Aff-Wild2: frames by number and time stamp, two people in a video, and everything that is odd about it."""

import shutil

import cv2
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_params import SHIPPED

from benchmark import params
from benchmark.datasets import affwild2
from benchmark.reading import media
from benchmark.reading.windows import Windows
from benchmark.synthesis import film
from benchmark.types import Source, Unusable, WrongTree

PEOPLE = params.load(SHIPPED).populations["wild"].model_copy(update={"subjects": 6, "seconds": 6.0})
OPTIONS = affwild2.Options()
CROPS = affwild2.Options(vision="crops")
EXPR = affwild2.Options(challenge="expr")
VA = "6th ABAW Annotations/VA_Estimation_Challenge"


def one_by_one(function, items, title):
    return [function(item) for item in items]


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("affwild2")
    return root, affwild2.synthesize(root, "wild", PEOPLE, CROPS, one_by_one)


@pytest.fixture
def copy(made, tmp_path):
    return shutil.copytree(made[0], tmp_path / "copy")


def small(root, lines, stem="7", fps=25.0, part="Train_Set", frames=None, header="valence,arousal"):
    """A tree with one tiny video and its annotation."""
    place = root / VA / part
    place.mkdir(parents=True, exist_ok=True)
    (place / f"{stem}.txt").write_text("\n".join([header, *lines]) + "\n")
    (root / "batch1").mkdir(exist_ok=True)
    if frames != 0:
        pictures = [np.zeros((48, 64, 3), np.uint8)] * (frames or len(lines))
        film.write(root / "batch1" / f"{stem}.mp4", pictures, fps)
    return root


def recorded(root, recording_id, modality, options=OPTIONS):
    clips = affwild2.read(root, options).clips
    path = clips[clips.recording_id == recording_id][modality].iloc[0]
    return affwild2.recording(Source(modality, recording_id, root, root / path), options)


def test_clips_are_labelled_windows_of_existing_videos(made):
    clips, _ = affwild2.read(made[0], OPTIONS)
    assert clips.clip_id.is_unique and clips[["valence", "arousal"]].notna().all(axis=None)
    assert all((made[0] / path).is_file() for name in ("vision", "speech") for path in clips[name])
    assert set(clips.official) == {"train", "test"} and set(clips.clip_id) <= set(made[1].clip_id)
    assert {path.split("/")[0] for path in clips.vision} == {"batch1", "batch2", "new_vids"}


def test_two_people_in_a_video_share_its_group_and_have_a_half_each(made):
    clips = affwild2.read(made[0], OPTIONS).clips
    pair = clips[clips.subject_id == "video6"]
    assert set(pair.recording_id) == {"video6_left", "video6_right"} and pair.vision.nunique() == 1
    assert recorded(made[0], "video6_left", "vision").region == (0.0, 0.5)
    assert recorded(made[0], "video6_right", "vision").region == (0.5, 1.0)
    assert pair.groupby("recording_id").valence.mean().nunique() == 2


def test_a_line_is_a_frame_and_a_frame_has_a_time_stamp(tmp_path):
    """25 frames 20 ms apart, then 25 at 60 ms: the window of the first half second holds 25 frames, not 12."""
    root = small(tmp_path, ["1,0"] * 25 + ["-1,0"] * 25, frames=0)
    times = np.r_[np.arange(25) * 0.02, 0.5 + np.arange(25) * 0.06]
    film.write(root / "batch1" / "7.mp4", [np.zeros((48, 64, 3), np.uint8)] * 50, 25.0, times=times)
    options = affwild2.Options(windows=Windows(length_s=0.5, hop_s=0.5, min_valid=0.1))
    clips = affwild2.read(root, options).clips
    assert clips.valence.tolist() == [1, -1, -1, -1] and clips.frames.tolist()[:2] == [25, 9]


@pytest.mark.parametrize("fps", [15.0, 24.0, 29.97, 60.0])
def test_frame_rates_come_from_the_container(tmp_path, fps):
    root = small(tmp_path, ["0.5,0.5"] * round(4 * fps), stem="9-30-64x48", fps=fps)
    assert affwild2.read(root, OPTIONS).clips.frames.sum() == pytest.approx(4 * fps, abs=1)


def test_without_the_video_the_rate_in_its_name_is_used(tmp_path):
    root = small(tmp_path, ["0.5,0.5"] * 60, stem="9-15-64x48", frames=0)
    clips = affwild2.read(root, OPTIONS).clips
    assert clips.frames.tolist() == [30, 30] and clips.vision.unique().tolist() == ["batch1/9-15-64x48.mp4"]


def test_frames_marked_minus_five_carry_no_label(tmp_path):
    """However the number is written, and even if only one of the two says so."""
    lines = ["0.5,0.5"] * 30 + ["-5,-5", "-5.0,-5.0", "0.9,-5", "-5.000,0.9", ""] * 4
    clips = affwild2.read(small(tmp_path, lines), OPTIONS).clips
    assert clips.frames.tolist() == [30] and clips.valence.tolist() == [0.5]


def test_expressions_are_read_by_the_names_in_the_header(tmp_path):
    place = tmp_path / "annotations" / "EXPR_Set" / "Training_Set"
    place.mkdir(parents=True)
    header = "Neutral,Anger,Disgust,Fear,Happiness,Sadness,Surprise"
    (place / "7.txt").write_text("\n".join([header, *["4"] * 60, *["-1"] * 50, *["1"] * 10, *["6"] * 60]) + "\n")
    clips, dropped = affwild2.read(tmp_path, EXPR)
    assert clips.expression.tolist() == [4, 6] and clips.official.unique().tolist() == ["train"]
    assert dropped.reason.tolist() == ["1 windows with too few labelled frames or too little agreement"]


def test_both_challenges_of_the_synthetic_tree_are_read(made):
    clips = affwild2.read(made[0], EXPR).clips
    assert set(clips.expression) <= set(range(8)) and len(clips) > 5


def test_a_few_annotated_frames_more_than_the_video_has_are_accepted_many_are_not(tmp_path):
    root = small(tmp_path, ["0.5,0.5"] * 101, frames=100)
    assert affwild2.read(root, OPTIONS).clips.frames.tolist() == [50, 50]
    small(root, ["0.5,0.5"] * 200, stem="8", frames=100)
    clips, dropped = affwild2.read(root, OPTIONS)
    assert set(clips.recording_id) == {"7"}
    assert dropped.reason.tolist() == ["200 annotated frames, but the video 8.mp4 has 100"]


def test_crops_keep_the_number_of_their_frame(made):
    crops = recorded(made[0], "1-30-160x160", "vision", CROPS)
    numbers = [int(path.stem) for path in crops.paths]
    assert len(numbers) < 180 and np.diff(numbers).max() > 1, "some frames have no face"
    np.testing.assert_allclose(crops.times, (np.array(numbers) - 1) / 30, atol=1e-3)
    assert cv2.imread(str(crops.paths[0])).shape == (112, 112, 3)


def test_a_video_without_sound_is_a_reason_not_an_error(tmp_path):
    root = small(tmp_path, ["0.5,0.5"] * 60)
    with pytest.raises(Unusable, match="no audio track"):
        recorded(root, "7", "speech")


def test_a_second_copy_of_a_video_is_named(copy):
    (copy / "batch3").mkdir()
    shutil.copy(copy / "batch1" / "1-30-160x160.mp4", copy / "batch3" / "1-30-160x160.mp4")
    dropped = affwild2.read(copy, OPTIONS).dropped.set_index("path").reason
    assert dropped["batch3/1-30-160x160.mp4"] == "a second copy; batch1/1-30-160x160.mp4 is used"


def test_an_annotation_in_both_sets_and_two_editions_are_refused(copy):
    shutil.copy(copy / VA / "Train_Set" / "2.txt", copy / VA / "Validation_Set" / "2.txt")
    with pytest.raises(WrongTree, match="2 is annotated twice"):
        affwild2.read(copy, OPTIONS)
    shutil.copytree(copy / "6th ABAW Annotations", copy / "3rd ABAW Annotations")
    with pytest.raises(WrongTree, match=r"two editions of annotations, keep one: 3rd ABAW.*6th ABAW"):
        affwild2.read(copy, OPTIONS)


def test_a_video_without_annotation_and_a_broken_annotation_are_dropped_by_name(copy):
    (copy / VA / "Train_Set" / "2.txt").unlink()
    (copy / VA / "Train_Set" / "1-30-160x160.txt").write_text("valence,dominance\n0,0\n")
    clips, dropped = affwild2.read(copy, OPTIONS)
    told = dict(zip(dropped.path, dropped.reason, strict=True))
    assert told["batch2/2.avi"] == "no annotation of the va challenge"
    assert "has no column arousal" in told[f"{VA}/Train_Set/1-30-160x160.txt"]
    assert not {"2", "1-30-160x160"} & set(clips.recording_id)


def test_a_missing_and_a_truncated_video_are_found_when_opened(copy):
    expected = affwild2.read(copy, OPTIONS).clips
    (copy / "batch1" / "1-30-160x160.mp4").unlink()
    path = copy / "batch2" / "2.avi"
    path.write_bytes(path.read_bytes()[:2000])
    clips, dropped = affwild2.read(copy, OPTIONS)
    assert (
        clips[clips.recording_id == "1-30-160x160"].vision.tolist()
        == expected[expected.recording_id == "1-30-160x160"].vision.tolist()
    )
    assert any(
        "2.txt" in row and ("annotated frames" in why or "cannot be opened" in why) for row, why in dropped.values
    )


def test_doubled_folders_and_litter_are_accepted(copy):
    expected = affwild2.read(copy, CROPS).clips
    for name in ("cropped_aligned", "batch1"):
        (copy / name).rename(copy / "inner")
        (copy / name).mkdir()
        (copy / "inner").rename(copy / name / name)
    for path in (VA, "cropped_aligned", "batch1/batch1"):
        (copy / path / ".DS_Store").write_text("litter")
    found = affwild2.read(copy, CROPS).clips
    assert all((copy / path).exists() for name in ("vision", "speech") for path in found[name])
    kept = [column for column in found if column not in ("vision", "speech")]
    pd.testing.assert_frame_equal(found[kept], expected[kept])


def test_videos_open_in_another_reader_with_the_stated_rates(made):
    rates = {}
    for path in sorted(made[0].glob("[bn]*/*.*")):
        video = cv2.VideoCapture(str(path))
        rates[path.stem] = round(video.get(cv2.CAP_PROP_FPS), 2)
        assert video.read()[0] and len(media.frame_times(path)) == video.get(cv2.CAP_PROP_FRAME_COUNT)
    assert {rates["1-30-160x160"], rates["2"], rates["video3"]} == {30.0, 25.0, 24.0}
    assert np.ptp(np.diff(media.frame_times(made[0] / "batch1" / "4-30-160x160.mp4"))) > 0.01, "one rate varies"


def test_synthesis_is_byte_identical(made, tmp_path):
    affwild2.synthesize(tmp_path, "wild", PEOPLE.model_copy(update={"subjects": 2}), CROPS, one_by_one)
    for path in sorted(path for path in tmp_path.rglob("*") if path.is_file()):
        assert path.read_bytes() == (made[0] / path.relative_to(tmp_path)).read_bytes(), path.name


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from([(affwild2.values, "valence,arousal\n0.1,0.2\n-5,-5\n0.3,-0.4\n"),
                     (affwild2.expressions, "Neutral,Anger,Fear\n0\n2\n-1\n1\n")]),
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 255)), max_size=8),
)  # fmt: skip
def test_damaged_annotations_never_end_in_a_traceback(tmp_path, case, damage):
    parse, text = case
    content = bytearray(text.encode())
    for at, value in damage:
        content[at % len(content)] = value
    (tmp_path / "7.txt").write_bytes(bytes(content))
    try:
        found = parse(tmp_path / "7.txt")
    except Unusable as reason:
        assert "7.txt" in str(reason)
    else:
        assert np.nanmax(found.to_numpy(float)) <= 7 and np.nanmin(found.to_numpy(float)) >= -1


def test_an_annotation_that_names_no_expression_is_dropped(tmp_path):
    place = tmp_path / "annotations" / "EXPR_Set" / "Training_Set"
    place.mkdir(parents=True)
    (place / "7.txt").write_text("\n0\n0\n2\n")
    reading = affwild2.read(tmp_path, EXPR)
    assert reading.clips.empty and "has the header" in reading.dropped.reason.item()


@pytest.mark.parametrize("name", ["99999999999", "\N{SUPERSCRIPT TWO}"])
def test_pictures_with_impossible_numbers_are_refused(tmp_path, name):
    place = tmp_path / "cropped_aligned" / "7"
    place.mkdir(parents=True)
    (place / f"{name}.jpg").write_bytes(b"x")
    with pytest.raises(Unusable, match="holds no picture named by its frame number, or one above 10000000"):
        affwild2.recording(Source("vision", "7", tmp_path, place), CROPS)
