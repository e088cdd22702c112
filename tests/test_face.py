"""Rendered faces: reproducible, found where they are drawn, and moved by their units."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmark.seeds import generator
from benchmark.sensing import faces
from benchmark.synthesis import face
from benchmark.types import Video

FRAMES = 75


def clip(path: Path, person: int) -> tuple[face.Look, face.Motion]:
    """Writes a clip of a person who holds an expression."""
    look = face.look(generator("look", person))
    motion = face.motion(generator("motion", person), FRAMES)
    units = np.tile(generator("units", person).uniform(0, 0.7, len(face.UNITS)), (FRAMES, 1))
    face.write(path, face.render(look, units, motion, generator("noise", person)))
    return look, motion


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Intersection over union of two boxes x, y, width, height."""
    low, high = np.maximum(one[:2], other[:2]), np.minimum(np.add(one[:2], one[2:]), np.add(other[:2], other[2:]))
    shared = np.prod(np.clip(high - low, 0, None))
    return shared / (np.prod(one[2:]) + np.prod(other[2:]) - shared)


@pytest.fixture(scope="module")
def followed(tmp_path_factory) -> list[list[tuple[str, float]]]:
    """Source and overlap with the drawn face of each analysed frame of 40 clips."""
    folder, clips = tmp_path_factory.mktemp("faces"), []
    for person in range(40):
        drawn = face.boxes(*clip(folder / f"{person}.mp4", person))
        track = faces.track(Video(folder / f"{person}.mp4"))
        clips.append([
            (source, 0.0 if box is None else overlap(np.array(box), drawn[min(round(25 * time), FRAMES - 1)]))
            for time, box, source in track
        ])  # fmt: skip
    return clips


def test_faces_are_found_by_the_cascade(followed):
    assert np.mean([source == "detected" for frames in followed for source, _ in frames]) >= 0.6


def test_faces_are_followed_almost_everywhere(followed):
    shares = [np.mean([source != "none" for source, _ in frames]) for frames in followed]
    assert np.mean(np.array(shares) >= 0.95) >= 0.99


def test_faces_are_found_where_they_are_drawn(followed):
    overlaps = np.array([share for frames in followed for source, share in frames if source != "none"])
    assert overlaps.mean() >= 0.8
    assert np.mean(overlaps >= 0.6) >= 0.98


def test_same_arguments_give_the_same_file(tmp_path):
    clip(tmp_path / "one.mp4", 3)
    clip(tmp_path / "between.mp4", 4)
    clip(tmp_path / "two.mp4", 3)
    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "two.mp4").read_bytes()
    assert (tmp_path / "one.mp4").read_bytes() != (tmp_path / "between.mp4").read_bytes()


def test_an_interrupted_write_leaves_no_file(tmp_path):
    def broken():
        yield np.zeros((face.SIZE, face.SIZE, 3), np.uint8)
        raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        face.write(tmp_path / "clip.mp4", broken())
    assert list(tmp_path.iterdir()) == []


def test_a_written_clip_has_its_frames_and_rate(tmp_path):
    clip(tmp_path / "clip.mp4", 1)
    capture = cv2.VideoCapture(str(tmp_path / "clip.mp4"))
    assert capture.get(cv2.CAP_PROP_FRAME_COUNT) == FRAMES
    assert capture.get(cv2.CAP_PROP_FPS) == pytest.approx(25)


@pytest.mark.parametrize("unit", range(len(face.UNITS)), ids=face.UNITS)
def test_each_unit_changes_the_picture_in_proportion(unit):
    levels = np.zeros((5, len(face.UNITS)))
    levels[:, unit] = np.linspace(0, 1, 5)
    zero, one = np.zeros(5), np.ones(5)
    motion = face.Motion(zero, zero, zero, one, one)
    for person in range(4):
        look = face.look(generator("look", person))
        frames = [cv2.GaussianBlur(f, (0, 0), 1.5) for f in face.render(look, levels, motion, generator("noise"))]
        change = [np.abs(frame.astype(float) - frames[0]).sum() for frame in frames]
        assert np.all(np.diff(change[1:]) > 0), f"{face.UNITS[unit]} of person {person}"


def test_tones_are_spread():
    tones = [np.mean(face.look(generator("look", person)).tone) for person in range(60)]
    counts, _ = np.histogram(tones, bins=(0, 90, 140, 190, 256))
    assert counts.min() >= 5
