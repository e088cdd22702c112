"""Features of face video: what they measure, and which videos are refused."""

import cv2
import numpy as np
import pytest

from benchmark.features import vision
from benchmark.seeds import generator
from benchmark.synthesis import face
from benchmark.types import Unusable, Video

OPTIONS = vision.Options()
NAMES = list(vision.definitions().segment)
MEASURED = {  # the features in which a unit is expected to show
    "brow_raise": ("brow_dark_y", "glabella_dark_high"),
    "brow_lower": ("brow_dark_y", "glabella_mean", "glabella_dark_wide"),
    "lid_tighten": ("eye_across", "eye_dark_high", "eye_down"),
    "eye_close": ("eye_dark_y", "eye_across"),
    "nose_wrinkle": ("nose_texture", "nose_down"),
    "lip_stretch": ("mouth_down", "mouth_texture", "cheek_texture"),  # creases beside the mouth
    "mouth_open": ("mouth_contrast", "mouth_down"),
    "smile": ("cheek_texture", "mouth_dark_y"),
}


def film(path, image: np.ndarray, frames: int = 60, rate: float = 25.0):
    """A short mp4 of a picture under a slowly panning camera."""
    height, width = image.shape[0] // 2 * 2, image.shape[1] // 2 * 2
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), rate, (width, height))
    for now in range(frames):
        shift = np.float32(((1, 0, 8 * np.sin(now / 12)), (0, 1, 5 * np.cos(now / 15))))
        writer.write(cv2.warpAffine(image, shift, (width, height), borderMode=cv2.BORDER_REPLICATE))
    writer.release()
    return path


def person(path, who: int, frames: int = 60, rate: float = 25.0, units: np.ndarray | None = None):
    units = np.zeros((frames, len(face.UNITS))) if units is None else units
    motion = face.motion(generator("motion", who), frames)
    face.write(path, face.render(face.look(generator("look", who)), units, motion, generator("noise", who)), rate)
    return path


def scene(name: str) -> np.ndarray:
    data = pytest.importorskip("skimage.data", reason="real pictures come with scikit-image")
    return cv2.cvtColor(getattr(data, name)(), cv2.COLOR_RGB2BGR)


def test_features_have_the_promised_shape(tmp_path):
    found = vision.extract(Video(person(tmp_path / "clip.mp4", 1)), 10, OPTIONS)
    segment, clip = vision.definitions()
    assert found.segment.shape == (10, len(segment)) and found.segment.dtype == np.float32
    assert found.clip.shape == (len(clip),) and found.clip.dtype == np.float32
    assert np.isfinite(found.segment[1:]).all() and np.isfinite(found.clip).all()
    assert not set(segment) & set(clip)
    assert all(segment.values()) and all(clip.values())


@pytest.fixture(scope="module")
def answers(tmp_path_factory) -> tuple[np.ndarray, np.ndarray]:
    """Features and the units behind them of 50 people, each unit rising or falling within the clip."""
    folder, features, causes = tmp_path_factory.mktemp("units"), [], []
    for who in range(50):
        ends = generator("ends", who).uniform(0, 1, (2, len(face.UNITS)))
        units = np.linspace(*ends, 75)
        found = vision.extract(Video(person(folder / "clip.mp4", who, 75, units=units)), 5, OPTIONS)
        features.append(found.segment)
        causes.append(units.reshape(5, 15, -1).mean(1))
    return np.array(features), np.array(causes)


@pytest.mark.parametrize("unit", face.UNITS)
def test_units_can_be_measured(answers, unit):
    features, causes = answers
    within = features - np.nanmean(features, axis=1, keepdims=True)
    cause = causes[..., face.UNITS.index(unit)]
    cause = (cause - cause.mean(1, keepdims=True)).ravel()
    known = np.isfinite(within).all(2).ravel()
    shown = {name: within[..., NAMES.index(name)].ravel()[known] for name in MEASURED[unit]}
    strength = {name: abs(np.corrcoef(values, cause[known])[0, 1]) for name, values in shown.items()}
    assert max(strength.values()) > 0.3, strength


def test_clips_do_not_influence_each_other(tmp_path):
    paths = [person(tmp_path / f"{who}.mp4", who) for who in range(3)]
    forward = [vision.extract(Video(path), 5, OPTIONS) for path in paths]
    backward = [vision.extract(Video(path), 5, OPTIONS) for path in reversed(paths)][::-1]
    for one, other in zip(forward, backward, strict=True):
        np.testing.assert_array_equal(one.segment, other.segment)
        np.testing.assert_array_equal(one.clip, other.clip)


@pytest.mark.parametrize("rate", [29.97, 12.5, 7.0, 60.0])
def test_odd_frame_rates(tmp_path, rate):
    path = person(tmp_path / "clip.mp4", 2, round(3 * rate), rate)
    times = [time for time, _, _ in vision.track(Video(path), OPTIONS)]
    assert len(times) == pytest.approx(15, abs=1)
    np.testing.assert_allclose(np.diff(times), 1 / OPTIONS.rate, atol=1 / rate)
    assert np.isfinite(vision.extract(Video(path), 3, OPTIONS).segment).all()


def test_a_stretch_is_read_from_its_start_to_its_end(tmp_path):
    units = np.zeros((150, len(face.UNITS)))
    units[75:, face.UNITS.index("mouth_open")] = 1
    path = person(tmp_path / "clip.mp4", 5, 150, units=units)
    mouth = NAMES.index("mouth_contrast")
    closed, opened = (vision.extract(Video(path, start, start + 3), 3, OPTIONS).segment[:, mouth] for start in (0, 3))
    whole = vision.extract(Video(path), 6, OPTIONS).segment[:, mouth]
    assert opened.min() > closed.max()
    np.testing.assert_allclose(np.concatenate([closed, opened]), whole, rtol=0.35)


def test_segments_without_a_face_are_nan(tmp_path):
    path = tmp_path / "clip.mp4"
    rng = generator("look", 1)
    motion = face.motion(generator("motion", 1), 100)
    shown = list(face.render(face.look(rng), np.zeros((100, len(face.UNITS))), motion, rng))
    face.write(path, [np.full_like(frame, 90) for frame in shown[:50]] + shown[50:])
    segment = vision.extract(Video(path), 4, OPTIONS).segment
    assert np.isnan(segment[0]).all() and np.isfinite(segment[3]).all()


def test_a_real_face_is_found(tmp_path):
    path = film(tmp_path / "real.mp4", scene("astronaut"))
    frames = list(vision.track(Video(path), OPTIONS))
    assert np.mean([source != "none" for _, _, source in frames]) >= 0.95
    for _, (x, y, width, height), _ in frames[1:]:
        assert abs(x + width / 2 - 223) < 40 and abs(y + height / 2 - 118) < 40 and 60 < width < 200
    assert np.isfinite(vision.extract(Video(path), 5, OPTIONS).segment).all()


def test_large_frames_are_handled(tmp_path):
    large = cv2.resize(scene("astronaut"), None, fx=2.5, fy=2.5)
    frames = list(vision.track(Video(film(tmp_path / "large.mp4", large, 15)), OPTIONS))
    assert frames[-1][1] is not None and abs(frames[-1][1][0] + frames[-1][1][2] / 2 - 2.5 * 223) < 100


def test_small_real_faces_are_mostly_found(tmp_path):
    data = pytest.importorskip("skimage.data", reason="real pictures come with scikit-image")
    found = []
    for index, small in enumerate(data.lfw_subset()[:40:2]):
        grey = cv2.resize((small * 255).astype(np.uint8), (140, 140), interpolation=cv2.INTER_CUBIC)
        wide = cv2.copyMakeBorder(grey, 30, 30, 30, 30, cv2.BORDER_REPLICATE)
        path = film(tmp_path / f"{index}.mp4", cv2.cvtColor(wide, cv2.COLOR_GRAY2BGR), 15)
        found.append(any(source == "detected" for _, _, source in vision.track(Video(path), OPTIONS)))
    assert np.mean(found) >= 0.6


@pytest.mark.parametrize("name", ["coffee", "rocket", "chelsea", "retina", "immunohistochemistry"])
def test_a_video_without_a_face_is_refused(tmp_path, name):
    try:
        path = film(tmp_path / "scene.mp4", scene(name))
    except (ModuleNotFoundError, OSError):
        pytest.skip("this picture is not part of the installed scikit-image")
    with pytest.raises(Unusable, match="face"):
        vision.extract(Video(path), 5, OPTIONS)


def test_an_empty_scene_is_refused(tmp_path):
    noise = generator("noise").integers(0, 256, (160, 160, 3), dtype=np.uint8)
    with pytest.raises(Unusable, match="no face in any of 12 analysed frames"):
        vision.extract(Video(film(tmp_path / "noise.mp4", noise)), 5, OPTIONS)


def test_broken_files_are_refused_quietly(tmp_path, capfd):
    whole = person(tmp_path / "whole.mp4", 1).read_bytes()
    broken = {"empty": b"", "text": b"not a video\n" * 50, "cut": whole[: len(whole) // 2], "zeros": bytes(5000)}
    for name, content in broken.items():
        path = tmp_path / f"{name}.mp4"
        path.write_bytes(content)
        with pytest.raises(Unusable, match="cannot be opened"):
            vision.extract(Video(path), 5, OPTIONS)
    with pytest.raises(Unusable, match="missing"):
        vision.extract(Video(tmp_path / "nowhere.mp4"), 5, OPTIONS)
    assert capfd.readouterr().err == ""


def test_a_truncated_file_is_refused_with_its_frame_counts(tmp_path):
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 25.0, (face.SIZE, face.SIZE))
    motion = face.motion(generator("motion", 1), 80)
    look, units = face.look(generator("look", 1)), np.zeros((80, len(face.UNITS)))
    for frame in face.render(look, units, motion, generator("noise")):
        writer.write(frame)
    writer.release()
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(Unusable, match=r"truncated: \d+ of 80 frames"):
        vision.extract(Video(path), 5, OPTIONS)


def test_a_stretch_that_is_too_short_or_not_there_is_refused(tmp_path):
    path = person(tmp_path / "clip.mp4", 1)
    with pytest.raises(Unusable, match="too short: 3 analysed frames, 5 are needed"):
        vision.extract(Video(path, 0.0, 0.6), 5, OPTIONS)
    with pytest.raises(Unusable, match="no frame"):
        vision.extract(Video(path, 60.0, 66.0), 5, OPTIONS)
