"""Features of face video: what they measure, and which videos are refused."""

import cv2
import numpy as np
import pytest

from benchmark.features import vision
from benchmark.seeds import generator
from benchmark.sensing import faces
from benchmark.sensing.expression import COLUMNS, LOOKS, measure
from benchmark.synthesis import face
from benchmark.types import Crops, Features, Unusable, Video

OPTIONS = vision.Options(extras="none")
NAMES = list(vision.definitions((), OPTIONS).segment)
MEASURED = {  # the features in which a unit shows, and in which direction
    "brow_raise": ("brow_height", 0.55),
    "brow_lower": ("frown_creases", 0.65),
    "lid_tighten": ("eye_dark_high", 0.55),
    "eye_close": ("eye_opening", -0.65),
    "nose_wrinkle": ("nose_wrinkle", 0.55),
    "lip_stretch": ("lip_stretch", 0.5),
    "mouth_open": ("mouth_opening", 0.6),
    "smile": ("lip_corner_pull", 0.4),
}


def person(path, who: int, frames: int = 60, rate: float = 25.0, units: np.ndarray | None = None):
    units = np.zeros((frames, len(face.UNITS))) if units is None else units
    motion = face.motion(generator("motion", who), frames)
    face.write(path, face.render(face.look(generator("look", who)), units, motion, generator("noise", who)), rate)
    return path


def measured(path, segments: int = 5, start_s: float = 0.0, end_s: float = np.inf) -> Features:
    return vision.extract(vision.analyse(Video(path), OPTIONS), start_s, end_s, segments, OPTIONS)


def test_features_have_the_promised_shape(tmp_path):
    found = measured(person(tmp_path / "clip.mp4", 1), 10)
    segment, clip = vision.definitions((), OPTIONS)
    assert found.segment.shape == (10, len(segment)) and found.segment.dtype == np.float32
    assert found.clip.shape == (len(clip),) and found.clip.dtype == np.float32
    assert np.isfinite(found.segment[1:]).all() and np.isfinite(found.clip).all()
    assert not set(segment) & set(clip) and len(segment) <= 110
    assert all(segment.values()) and all(clip.values())
    assert vision.versions(OPTIONS) == {}


@pytest.fixture(scope="module")
def answers(tmp_path_factory) -> tuple[np.ndarray, np.ndarray]:
    """Features and the units behind them of 36 people, each unit rising or falling within the clip."""
    folder, features, causes = tmp_path_factory.mktemp("units"), [], []
    for who in range(36):
        ends = generator("ends", who).uniform(0, 1, (2, len(face.UNITS)))
        units = np.linspace(*ends, 75)
        features.append(measured(person(folder / "clip.mp4", who, 75, units=units)).segment)
        causes.append(units.reshape(5, 15, -1).mean(1))
    return np.array(features), np.array(causes)


def within(answers, name: str, unit: str) -> float:
    """Correlation of a feature with a unit inside the clips."""
    features, causes = (part - np.nanmean(part, axis=1, keepdims=True) for part in answers)
    shown, cause = features[..., NAMES.index(name)].ravel(), causes[..., face.UNITS.index(unit)].ravel()
    known = np.isfinite(shown)
    return np.corrcoef(shown[known], cause[known])[0, 1]


@pytest.mark.parametrize("unit", face.UNITS)
def test_units_show_in_the_measures_named_after_them(answers, unit):
    name, least = MEASURED[unit]
    assert within(answers, name, unit) / np.sign(least) >= abs(least)


def test_brows_come_closer_when_lowered(answers):
    assert within(answers, "brow_gap", "brow_lower") < -0.5


def turned(image: np.ndarray, box: np.ndarray, yaw: float, pitch: float) -> np.ndarray:
    """A picture whose face turns, degrees: a head like a cylinder with a nose on it, seen from afar."""
    down, across = np.mgrid[: image.shape[0], : image.shape[1]]
    x, y = (across - box[0]) / box[2], (down - box[1]) / box[2]
    nose = 0.15 * np.exp(-((x / 0.09) ** 2) - ((y - 0.06) / 0.12) ** 2)
    depth = box[2] * (np.sqrt(np.maximum(0.25 - x**2, 0)) * np.exp(-((y / 0.6) ** 4)) + nose)
    maps = across - np.sin(np.radians(yaw)) * depth, down - np.sin(np.radians(pitch)) * depth
    return cv2.remap(image, *np.float32(maps), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def faces_to_turn():
    """Pictures and the faces in them, one of them real."""
    for who in range(12):
        still = face.Motion(*np.array([[0.0], [0.0], [0.0], [1.0], [1.0]]))
        look, units = face.look(generator("look", who)), np.zeros((1, len(face.UNITS)))
        yield next(face.render(look, units, still, generator("noise"))), face.boxes(look, still)[0]
    data = pytest.importorskip("skimage.data", reason="real pictures come with scikit-image")
    yield cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2BGR)[:300, 80:380], np.array((95, 65, 98, 98))


@pytest.mark.parametrize(("name", "way", "usual"), [("yaw", (1, 0), 0.88), ("pitch", (0, 1), 0.75)])
def test_turning_the_head_shows(name, way, usual):
    angles, column, strength = np.arange(-20, 21, 4.0), COLUMNS.index(f"head_{name}"), []
    for image, (x, y, side, _) in faces_to_turn():
        box, shown = np.array((x + side / 2, y + side / 2, side, 0.0)), []
        for angle in angles:
            grey = cv2.cvtColor(turned(image, box, angle * way[0], angle * way[1]), cv2.COLOR_BGR2GRAY)
            found = faces._near(grey, box)
            crop = faces.cut(grey, box if found is None else np.append(found, 0.0))
            shown.append(measure(crop, None, 1.0)[column])
        strength.append(np.corrcoef(angles, shown)[0, 1])
    assert np.median(strength) >= usual and np.mean(np.array(strength) > 0.4) >= 0.8, strength


# --- clips of a recording


def test_recordings_do_not_influence_each_other(tmp_path):
    paths = [person(tmp_path / f"{who}.mp4", who) for who in range(3)]
    forward = [measured(path) for path in paths]
    backward = [measured(path) for path in reversed(paths)][::-1]
    for one, other in zip(forward, backward, strict=True):
        np.testing.assert_array_equal(one.segment, other.segment)
        np.testing.assert_array_equal(one.clip, other.clip)


def test_a_recording_is_decoded_once_for_all_its_clips(tmp_path, monkeypatch):
    path, opened, capture = person(tmp_path / "clip.mp4", 5, 200), [], cv2.VideoCapture
    monkeypatch.setattr(cv2, "VideoCapture", lambda *given: opened.append(given) or capture(*given))
    analysis = vision.analyse(Video(path), OPTIONS)
    clips = {start: vision.extract(analysis, start, start + 4, 4, OPTIONS) for start in (0, 1, 2, 4)}
    assert len(opened) == 1
    np.testing.assert_array_equal(clips[1].segment[1:], clips[2].segment[:3])
    again = vision.extract(vision.analyse(Video(path), OPTIONS), 2, 6, 4, OPTIONS)
    np.testing.assert_array_equal(again.segment, clips[2].segment)
    np.testing.assert_array_equal(again.clip, clips[2].clip)


def test_a_clip_is_read_from_its_start_to_its_end(tmp_path):
    units = np.zeros((150, len(face.UNITS)))
    units[75:, face.UNITS.index("mouth_open")] = 1
    analysis = vision.analyse(Video(person(tmp_path / "clip.mp4", 5, 150, units=units)), OPTIONS)
    mouth = NAMES.index("mouth_opening")
    closed, opened = (vision.extract(analysis, at, at + 3, 3, OPTIONS).segment[:, mouth] for at in (0, 3))
    whole = vision.extract(analysis, 0, np.inf, 6, OPTIONS).segment[:, mouth]
    assert opened.min() > closed.max()
    np.testing.assert_array_equal(np.concatenate([closed, opened]), whole)


def test_segments_without_a_face_are_nan(tmp_path):
    path = tmp_path / "clip.mp4"
    rng = generator("look", 1)
    motion = face.motion(generator("motion", 1), 150)
    shown = list(face.render(face.look(rng), np.zeros((150, len(face.UNITS))), motion, rng))
    face.write(path, [np.full_like(frame, 90) for frame in shown[:75]] + shown[75:])
    segment = measured(path, 6).segment
    assert np.isnan(segment[:3]).all() and np.isfinite(segment[4:]).all()
    with pytest.raises(Unusable, match="no face in any of 14 analysed frames"):
        measured(path, 6, 0.0, 2.8)


def test_clips_of_crops_know_their_gaps(tmp_path):
    motion = face.motion(generator("motion", 2), 200)
    look, units = face.look(generator("look", 2)), np.zeros((200, len(face.UNITS)))
    paths, times = [], []
    frames = zip(
        face.render(look, units, motion, generator("noise")), face.boxes(look, motion).astype(int), strict=True
    )
    for number, (frame, (x, y, side, _)) in enumerate(frames):
        if not 50 <= number < 100:
            paths.append(tmp_path / f"{number}.jpg")
            times.append(number / 25)
            cut = frame[max(y, 0) : y + side, max(x, 0) : x + side]
            cv2.imwrite(str(paths[-1]), cv2.resize(cut, (112, 112)))
    analysis = vision.analyse(Crops(tuple(paths), tuple(times)), OPTIONS)
    found = vision.extract(analysis, 0, 8, 8, OPTIONS)
    looks = found.segment[:, : len(LOOKS)]
    assert np.isnan(looks[2:4]).all() and np.isfinite(looks[[1, 5, 6, 7]]).all()
    shares = dict(zip(vision.definitions((), OPTIONS).clip, found.clip, strict=True))
    assert shares["face_share"] == pytest.approx(0.75) and np.isnan(shares["head_speed"])
    with pytest.raises(Unusable, match="no face in any of 9 analysed frames"):
        vision.extract(analysis, 2.1, 3.9, 5, OPTIONS)


# --- what is refused


def test_a_video_without_a_face_is_refused(tmp_path):
    """A panned picture of noise."""
    noise = generator("noise").integers(0, 256, (160, 160, 3), dtype=np.uint8)
    face.write(tmp_path / "noise.mp4", [np.roll(noise, number, axis=1) for number in range(60)])
    with pytest.raises(Unusable, match="no face in any of 12 analysed frames"):
        measured(tmp_path / "noise.mp4")


@pytest.mark.parametrize("name", ["coffee", "rocket", "chelsea", "retina", "immunohistochemistry"])
def test_a_real_scene_without_a_face_is_refused(tmp_path, name):
    data = pytest.importorskip("skimage.data", reason="real pictures come with scikit-image")
    try:
        image = cv2.cvtColor(getattr(data, name)(), cv2.COLOR_RGB2BGR)
    except (ModuleNotFoundError, OSError):
        pytest.skip("this picture is not part of the installed scikit-image")
    height, width = image.shape[0] // 2 * 2, image.shape[1] // 2 * 2
    writer = cv2.VideoWriter(str(tmp_path / "scene.mp4"), cv2.VideoWriter_fourcc(*"mp4v"), 25.0, (width, height))
    for now in range(30):
        shift = np.float32(((1, 0, 8 * np.sin(now / 12)), (0, 1, 5 * np.cos(now / 15))))
        writer.write(cv2.warpAffine(image, shift, (width, height), borderMode=cv2.BORDER_REPLICATE))
    writer.release()
    with pytest.raises(Unusable, match="face"):
        measured(tmp_path / "scene.mp4")


def test_clips_of_a_truncated_file_are_usable_as_far_as_it_goes(tmp_path):
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 25.0, (face.SIZE, face.SIZE))
    motion = face.motion(generator("motion", 1), 200)
    look, units = face.look(generator("look", 1)), np.zeros((200, len(face.UNITS)))
    for frame in face.render(look, units, motion, generator("noise")):
        writer.write(frame)
    writer.release()
    whole = vision.extract(vision.analyse(Video(path), OPTIONS), 1, 3, 4, OPTIONS)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    analysis = vision.analyse(Video(path), OPTIONS)
    np.testing.assert_array_equal(vision.extract(analysis, 1, 3, 4, OPTIONS).segment, whole.segment)
    for start, end in ((0, np.inf), (2, 6), (5, 7), (20, 25)):
        with pytest.raises(Unusable, match=r"truncated: \d+ of 200 frames"):
            vision.extract(analysis, start, end, 5, OPTIONS)


def test_a_clip_that_is_too_short_or_not_there_is_refused(tmp_path):
    path = person(tmp_path / "clip.mp4", 1)
    with pytest.raises(Unusable, match="too short: 3 analysed frames, 5 are needed"):
        measured(path, 5, 0.0, 0.6)
    with pytest.raises(Unusable, match="no frame of the video can be decoded between 60 and 66 s"):
        measured(path, 5, 60.0, 66.0)
