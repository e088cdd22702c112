"""The face in a recording: frames decoded once as a stream, the face found, followed and cut out upright."""

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from benchmark.reading import media, sizes
from benchmark.types import Crops, Unusable, Video

os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # read when the first video is opened

LONGER = 320  # px, longer side of the frames that are analysed
PATIENCE = 3  # frames without a detection after which the whole frame is searched
BACK = 10  # frames before the first detection through which the face is followed back in time
GIVE_UP = 5.0  # s without a detection after which a face is no longer followed
ALIKE = 0.5  # correlation with the frame before, below which what is followed is another thing
NEAR = 44  # px, side of a known face when it is searched again
CROP = 96  # px, side of the aligned face


class Frame(NamedTuple):
    """An analysed frame; no picture where the dataset's owners found no face to cut out."""

    time: float  # s from the start of the recording
    picture: np.ndarray | None  # (height, width, 3) BGR uint8
    zoom: float = 1.0  # pixels of the file per pixel of picture
    left: float = 0.0  # px of the file left of picture


class Tracked(NamedTuple):
    """An analysed frame and the face in it."""

    frame: Frame
    grey: np.ndarray | None  # (height, width) uint8
    box: np.ndarray | None  # centre x, centre y, side in px of grey; roll in radians
    source: str  # detected, tracked, given or none


class Film:
    """The analysed frames of a recording, about rate per second; when they are read, how much there was to read."""

    def __init__(self, recording: Video | Crops, rate: float):
        self.recording, self.rate = recording, rate
        self.decoded = self.promised = 0  # frames
        self.seconds = self.duration = 0.0  # decoded, promised

    @property
    def truncated(self) -> bool:
        """Frames or seconds are missing; both, as the number of frames in a header may be an estimate."""
        return self.decoded < 0.9 * self.promised and self.seconds < 0.9 * self.duration

    def __iter__(self) -> Iterator[Frame]:
        cv2.setNumThreads(1)  # recordings are analysed side by side
        shown = False
        for frame in self._pictures() if isinstance(self.recording, Crops) else self._video():
            shown = True
            yield frame
        if not shown:
            raise Unusable("no frame of the video can be decoded")

    def _video(self) -> Iterator[Frame]:
        capture = _open(self.recording.path)
        try:
            fps = capture.get(cv2.CAP_PROP_FPS)
            fps = fps if 1 <= fps <= 1000 else 25.0
            self.promised = max(0, int(capture.get(cv2.CAP_PROP_FRAME_COUNT)))
            self.duration = self.promised / fps
            time, first, due = -1 / fps, None, 0
            while capture.grab():
                stamp = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
                first = stamp if first is None else first
                time = stamp - first if stamp - first > time else time + 1 / fps
                self.decoded, self.seconds = self.decoded + 1, time + 1 / fps
                slot = int((time + 0.5 / fps) * self.rate)
                if slot >= due:
                    done, picture = capture.retrieve()
                    picture = self._changed(self.decoded - 1, picture) if done else None
                    if picture is not None:
                        due = slot + 1
                        yield _small(time, picture, self.recording.region)
        finally:
            capture.release()

    def _pictures(self) -> Iterator[Frame]:
        times = np.array(self.recording.times)
        step = float(np.median(np.diff(times))) if len(times) > 1 else 1 / self.rate
        step = step if step > 0 else 1 / self.rate
        rate, due = min(self.rate, 1 / step), 0
        self.promised = len(times)
        for number, (time, path) in enumerate(zip(times.tolist(), self.recording.paths, strict=True)):
            slot = int((time + 0.5 * step) * rate)
            picture = _read(path) if slot >= due else None
            picture = picture if picture is None else self._changed(number, picture)
            if picture is not None:
                yield from (Frame(missing / rate, None) for missing in range(due, slot))
                due = slot + 1
                yield _small(time, picture, (0.0, 1.0))
            self.decoded, self.seconds = self.decoded + (slot < due), time + step
        self.duration = self.seconds

    def _changed(self, number: int, picture: np.ndarray) -> np.ndarray | None:
        return picture if self.recording.change is None else self.recording.change(number, picture)


def follow(film: Film) -> Iterator[Tracked]:
    """Detects the face in every analysed frame; optical flow carries it where that fails and steadies it."""
    if isinstance(film.recording, Crops):
        yield from map(_given, film)
        return
    last, waiting, missed, since = None, [], 0, 0.0
    for frame in film:
        grey = cv2.cvtColor(frame.picture, cv2.COLOR_BGR2GRAY)
        known = last is not None and last.box is not None and frame.time - since <= GIVE_UP
        carried = _carry(last.grey, grey, last.box) if known else None
        found = _detect(grey, carried, missed)
        missed, since = (missed + 1, since) if found is None else (0, frame.time)
        last = _tracked(frame, grey, _merge(found, carried), "tracked" if found is None else "detected")
        if last.box is None:
            waiting.append(last)
            if len(waiting) > BACK:
                yield waiting.pop(0)
        else:
            yield from _backwards(waiting, last)
            waiting = []
            yield last
    yield from waiting


def track(
    recording: Video | Crops, rate: float = 5.0
) -> Iterator[tuple[float, tuple[float, float, float, float] | None, str]]:
    """Time in s, box (x, y, width, height in px of the file) or None, and its source, per analysed frame."""
    for frame, _, box, source in follow(Film(recording, rate)):
        if box is not None:
            x, y, side = box[:3] * frame.zoom
            box = (x - side / 2 + frame.left, y - side / 2, side, side)
        yield frame.time, box, source


def cut(image: np.ndarray, box: np.ndarray, size: int = CROP, margin: float = 0.0) -> np.ndarray:
    """The upright face, (size, size) pixels of the image's kind; margin widens the box, as a fraction of its side."""
    x, y, side, roll = box
    matrix = cv2.getRotationMatrix2D((x, y), np.degrees(roll), size / (side * (1 + 2 * margin)))
    matrix[:, 2] += size / 2 - np.array((x, y))
    return cv2.warpAffine(image, matrix, (size, size), borderMode=cv2.BORDER_REPLICATE)


def _open(path: Path) -> cv2.VideoCapture:
    if not path.is_file():
        raise Unusable("the video file is missing")
    media.refuse_padding(path)
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] = "|".join(map(";".join, media.OPTIONS.items()))
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    if not capture.isOpened():
        raise Unusable("the file cannot be opened as a video")
    width, height = capture.get(cv2.CAP_PROP_FRAME_WIDTH), capture.get(cv2.CAP_PROP_FRAME_HEIGHT)
    if width * height > sizes.PIXELS:
        raise Unusable(f"its frames of {width:.0f} x {height:.0f} have more than {sizes.PIXELS} pixels")
    return capture


def _read(path: Path) -> np.ndarray | None:
    """A picture, or None if the file is not one."""
    try:
        content = np.fromfile(sizes.held(path, sizes.PICTURE, Unusable), np.uint8)
        return cv2.imdecode(content, cv2.IMREAD_COLOR) if content.size else None
    except (OSError, Unusable, cv2.error):
        return None


def _small(time: float, picture: np.ndarray, region: tuple[float, float]) -> Frame:
    left, right = (round(edge * picture.shape[1]) for edge in region)
    picture = picture[:, left:right]
    zoom = max(1.0, max(picture.shape) / LONGER)
    if min(picture.shape[:2]) < zoom:
        raise Unusable(f"its frames of {picture.shape[1]} x {picture.shape[0]} are too narrow to see a face")
    if zoom > 1:
        picture = cv2.resize(picture, None, fx=1 / zoom, fy=1 / zoom, interpolation=cv2.INTER_AREA)
    return Frame(time, picture, zoom, left)


def _given(frame: Frame) -> Tracked:
    """A picture that is the aligned face as a whole."""
    if frame.picture is None:
        return Tracked(frame, None, None, "none")
    height, width = frame.picture.shape[:2]
    grey = cv2.cvtColor(frame.picture, cv2.COLOR_BGR2GRAY)
    return Tracked(frame, grey, np.array((width / 2, height / 2, max(width, height), 0.0)), "given")


def _tracked(frame: Frame, grey: np.ndarray, box: np.ndarray | None, source: str) -> Tracked:
    """The face, its roll corrected by what is left of it in the crop."""
    if box is None:
        return Tracked(frame, grey, None, "none")
    box[3] += 0.3 * _tilt(cut(grey, box))
    return Tracked(frame, grey, box, source)


def _backwards(waiting: list[Tracked], first: Tracked) -> list[Tracked]:
    """The frames before a face was first detected, with the face as far back as it can be followed."""
    found, after = [], first
    for item in reversed(waiting):
        box = None if after.box is None else _carry(after.grey, item.grey, after.box)
        after = _tracked(item.frame, item.grey, box, "tracked")
        found.append(after)
    return found[::-1]


@cache
def _cascade(name: str) -> cv2.CascadeClassifier:
    return cv2.CascadeClassifier(f"{cv2.data.haarcascades}haarcascade_{name}.xml")


def _detect(grey: np.ndarray, around: np.ndarray | None, missed: int) -> np.ndarray | None:
    """Centre and side of the face near where it is expected, or else in the whole frame."""
    if around is not None and missed < PATIENCE:
        return _near(grey, around)
    smallest, largest = (0.2 * min(grey.shape), min(grey.shape)) if around is None else around[2] * np.array((0.6, 1.6))
    found = _search(grey, "frontalface_default", smallest, largest, 3)
    if found is None and around is not None:
        return _near(grey, around)
    # One cascade sees a face in many things; two rarely in the same thing.
    agreed = found is not None and _near(grey, np.append(found, 0.0), ("frontalface_alt2",)) is not None
    return found if agreed else None


def _near(
    grey: np.ndarray, around: np.ndarray, cascades: tuple[str, ...] = ("frontalface_default", "frontalface_alt2")
) -> np.ndarray | None:
    """The face where it is expected, turned upright; None if no cascade sees it."""
    side = around[2]
    part = cut(grey, around, round(1.4 * NEAR), 0.2)
    for name in cascades:
        found = _search(part, name, 0.82 * NEAR, 1.25 * NEAR, 2)
        if found is not None:
            x, y = (found[:2] - len(part) / 2) * side / NEAR
            cosine, sine = np.cos(around[3]), np.sin(around[3])
            return around[:3] * (1, 1, 0) + (cosine * x - sine * y, sine * x + cosine * y, found[2] * side / NEAR)
    return None


def _search(grey: np.ndarray, name: str, smallest: float, largest: float, votes: int) -> np.ndarray | None:
    limits = {"minSize": (max(24, int(smallest)),) * 2, "maxSize": (int(largest),) * 2}
    faces, support = _cascade(name).detectMultiScale2(cv2.equalizeHist(grey), 1.1, votes, **limits)
    if len(faces) == 0:
        return None
    x, y, side, _ = faces[np.argmax(support)]
    return np.array((x + side / 2, y + side / 2, side))


def _merge(found: np.ndarray | None, carried: np.ndarray | None) -> np.ndarray | None:
    """The carried box corrected a little by the found one, which steadies it."""
    if found is None:
        return carried
    if carried is None or np.any(np.abs(found - carried[:3]) > 0.4 * carried[2]):
        return np.append(found, 0.0)
    return np.append(carried[:3] + 0.4 * (found - carried[:3]), carried[3])


def _carry(before: np.ndarray, after: np.ndarray, box: np.ndarray) -> np.ndarray | None:
    """The box moved by the flow of points inside it; None if the flow loses it or what it leads to looks different."""
    x, y, side, roll = box
    grid = np.linspace(-0.32, 0.32, 6) * side
    points = np.stack(np.meshgrid(x + grid, y + grid), axis=-1).reshape(-1, 1, 2).astype(np.float32)
    moved, good, _ = cv2.calcOpticalFlowPyrLK(before, after, points, None, winSize=(15, 15), maxLevel=3)
    good = good.ravel() == 1
    if good.sum() < 8:
        return None
    matrix, inside = cv2.estimateAffinePartial2D(points[good], moved[good], ransacReprojThreshold=0.03 * side)
    if matrix is None or inside.mean() < 0.3:
        return None
    scale, centre = np.clip(np.hypot(*matrix[:, 0]), 0.9, 1.1), matrix @ (x, y, 1)
    if np.any(centre < 0) or np.any(centre > after.shape[::-1]):
        return None
    new = np.array((*centre, side * scale, roll + np.arctan2(matrix[1, 0], matrix[0, 0])))
    alike = cv2.matchTemplate(cut(before, box, 24), cut(after, new, 24), cv2.TM_CCOEFF_NORMED)
    return new if alike.item() > ALIKE else None


def _tilt(crop: np.ndarray) -> float:
    """The roll that is left in the crop, radians, from the heights of brow and eye on both sides."""
    top, bottom, left, right = (round(edge * CROP) for edge in (0.22, 0.50, 0.17, 0.45))
    face = crop.astype(np.float32)
    shade = np.maximum(cv2.blur(face, (25, 25)) - face, 0)[top:bottom]  # darker than around it, whatever the light
    sides = shade[:, left:right].sum(1), shade[:, CROP - right : CROP - left].sum(1)
    one, other = (np.average(np.arange(bottom - top), weights=side + 1e-3) for side in sides)
    return float(np.arctan2(other - one, 0.38 * CROP))
