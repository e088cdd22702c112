"""Face video to features: find the face, follow it, and measure how its regions look and move."""

import os
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import cv2
import numpy as np
import pandas as pd
import pydantic

from benchmark.types import Definitions, Features, Unusable, Video

os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # read when the first video is opened

VERSION = 1
LONGER = 320  # px, longer side of the frames that are analysed
PATIENCE = 3  # frames without a detection after which the whole frame is searched
NEAR = 44  # px, side of a known face when it is searched again
CROP = 96  # px, side of the aligned face
DOWN, ACROSS = np.mgrid[:CROP, :CROP].astype(np.float32)
COMPLETE = 0.9  # share of the promised frames below which a file counts as truncated
FLOW = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)

REGIONS = {  # fractions of the face box: left, top, right, bottom; a pair is averaged
    "brow": ((0.17, 0.14, 0.45, 0.34), (0.55, 0.14, 0.83, 0.34)),
    "glabella": ((0.38, 0.18, 0.62, 0.44),),
    "eye": ((0.17, 0.33, 0.45, 0.48), (0.55, 0.33, 0.83, 0.48)),
    "nose": ((0.35, 0.42, 0.65, 0.68),),
    "cheek": ((0.18, 0.50, 0.36, 0.78), (0.64, 0.50, 0.82, 0.78)),
    "mouth": ((0.21, 0.69, 0.79, 0.93),),
}
MEASURES = {
    "mean": "mean intensity relative to the face, standard deviations of the face",
    "contrast": "standard deviation of the intensity, standard deviations of the face",
    "dark_y": "centre of what is darker than around it, fraction of the region's height from its top",
    "dark_wide": "sideways spread of the dark, fraction of the region's width",
    "dark_high": "upright spread of the dark, fraction of the region's height",
    "across": "mean size of the horizontal gradient (upright edges), standard deviations of the face per pixel",
    "down": "mean size of the vertical gradient (level edges), standard deviations of the face per pixel",
    "texture": "mean size of the Laplacian (fine lines), standard deviations of the face",
    "motion": "mean speed against the face, face widths per second",
    "rise": "mean upward speed against the face, face widths per second",
}
CLIP = {
    "face_share": "share of analysed frames with a face, 0 to 1",
    "detected_share": "share of analysed frames in which the face was detected, not only followed, 0 to 1",
    "head_speed": "mean speed of the face, face widths per second",
    "head_sway": "sideways deviation of the face, face widths",
    "head_nod": "up-and-down deviation of the face, face widths",
    "head_depth": "deviation of the size of the face, fraction of its mean",
    "head_roll": "deviation of the roll of the face, degrees",
    "blink_rate": "closures of the eyes, per second",
}


class Options(pydantic.BaseModel, extra="forbid"):
    rate: float = pydantic.Field(5.0, gt=0, description="analysed frames per second")
    min_frames: int = pydantic.Field(5, ge=2, description="fewest analysed frames of a usable clip")
    min_face: float = pydantic.Field(0.3, ge=0, le=1, description="smallest share of analysed frames with a face")
    min_detected: float = pydantic.Field(0.2, ge=0, le=1, description="smallest share in which it is also detected")


class Tracked(NamedTuple):
    """An analysed frame and the face in it."""

    time: float  # s from the start of the clip
    grey: np.ndarray
    zoom: float  # pixels of the file per pixel of grey
    box: np.ndarray | None  # centre x, centre y, side in px of grey; roll in radians
    source: str  # detected, tracked or none


def definitions(channels: tuple[str, ...] = ()) -> Definitions:
    segment = {f"{region}_{name}": f"{region}: {text}" for region in REGIONS for name, text in MEASURES.items()}
    return Definitions(segment, dict(CLIP))


def extract(video: Video, segments: int, options: Options) -> Features:
    """Features of the face in a video, averaged over equal divisions of its duration."""
    times, seen, heads, rows, last, since = [], [], [], [], None, 0.0
    for time, grey, _, box, source in _follow(video, options):
        times.append(time)
        seen.append(source)
        heads.append(np.full(4, np.nan) if box is None else box)
        crop = None if box is None else _crop(grey, box)
        rows.append(_measure(crop, last, time - since))
        last, since = crop, time
    _check(seen, options)
    segment = _average(np.array(times), np.array(rows), segments, video, options)
    return Features(segment, _summary(seen, np.array(heads), np.array(rows), times[-1] / (len(times) - 1)))


def track(video: Video, options: Options) -> Iterator[tuple[float, tuple[float, float, float, float] | None, str]]:
    """Time in s, box (x, y, width, height in px of the file) or None, and its source, per analysed frame."""
    for item in _follow(video, options):
        box = item.box
        if box is not None:
            x, y, side = box[:3] * item.zoom
            box = (x - side / 2, y - side / 2, side, side)
        yield item.time, box, item.source


def _frames(video: Video, rate: float) -> Iterator[tuple[float, np.ndarray, float]]:
    """Time, grey frame and zoom of the analysed frames of a clip, decoded as a stream."""
    capture = _open(video)
    try:
        fps = capture.get(cv2.CAP_PROP_FPS)
        fps = fps if 1 <= fps <= 1000 else 25.0
        count = capture.get(cv2.CAP_PROP_FRAME_COUNT)
        first, end = round(video.start_s * fps), min(video.end_s * fps, count if count > 0 else np.inf)
        if first:
            capture.set(cv2.CAP_PROP_POS_FRAMES, first)
        index, due = first, 0
        while index < end and capture.grab():
            time = (index - first) / fps
            index += 1
            if (time + 0.5 / fps) * rate >= due:
                due = int((time + 0.5 / fps) * rate) + 1
                done, frame = capture.retrieve()
                if done:
                    yield time, *_small(frame)
        if index == first:
            raise Unusable("no frame of the video can be decoded")
        if np.isfinite(end) and index - first < COMPLETE * (end - first):
            raise Unusable(f"the video is truncated: {index - first} of {end - first:.0f} frames can be decoded")
    finally:
        capture.release()


def _open(video: Video) -> cv2.VideoCapture:
    if not video.path.is_file():
        raise Unusable("the video file is missing")
    cv2.setNumThreads(1)  # clips are extracted side by side
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    capture = cv2.VideoCapture(str(video.path), cv2.CAP_FFMPEG)
    if not capture.isOpened():
        raise Unusable("the file cannot be opened as a video")
    return capture


def _small(frame: np.ndarray) -> tuple[np.ndarray, float]:
    zoom = max(1.0, max(frame.shape) / LONGER)
    if zoom > 1:
        frame = cv2.resize(frame, None, fx=1 / zoom, fy=1 / zoom, interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY), zoom


@cache
def _cascade() -> cv2.CascadeClassifier:
    return cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_default.xml")


def _follow(video: Video, options: Options) -> Iterator[Tracked]:
    """Detects the face in every analysed frame; optical flow carries it where that fails and steadies it."""
    box, before, missed = None, None, 0
    for time, grey, zoom in _frames(video, options.rate):
        carried = None if box is None else _carry(before, grey, box)
        found = _detect(grey, carried, missed)
        missed = 0 if found is not None else missed + 1
        box, before = _merge(found, carried), grey
        if box is not None:
            box[3] += 0.3 * _tilt(_crop(grey, box))
        yield Tracked(time, grey, zoom, box, "none" if box is None else "tracked" if found is None else "detected")


def _detect(grey: np.ndarray, around: np.ndarray | None, missed: int) -> np.ndarray | None:
    """The face near where it is expected, or else in the whole frame."""
    if around is None:
        return _search(grey, 0.2 * min(grey.shape), min(grey.shape), 3)
    x, y, side, _ = around
    if missed >= PATIENCE:
        return _search(grey, 0.6 * side, 1.6 * side, 3)
    left, top = max(0, int(x - 0.7 * side)), max(0, int(y - 0.7 * side))
    part = grey[top : int(y + 0.7 * side), left : int(x + 0.7 * side)]
    if min(part.shape) < 0.8 * side:
        return None
    zoom = max(1.0, side / NEAR)
    part = cv2.resize(part, None, fx=1 / zoom, fy=1 / zoom, interpolation=cv2.INTER_AREA)
    found = _search(part, 0.82 * side / zoom, 1.25 * side / zoom, 2)
    return None if found is None else found * zoom + (left, top, 0)


def _search(grey: np.ndarray, smallest: float, largest: float, votes: int) -> np.ndarray | None:
    limits = {"minSize": (max(24, int(smallest)),) * 2, "maxSize": (int(largest),) * 2}
    faces, support = _cascade().detectMultiScale2(cv2.equalizeHist(grey), 1.1, votes, **limits)
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
    """The box moved by the flow of corners inside it; None if the flow loses it."""
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
    return np.array((*centre, side * scale, roll + np.arctan2(matrix[1, 0], matrix[0, 0])))


def _crop(grey: np.ndarray, box: np.ndarray) -> np.ndarray:
    """The upright face at a fixed size, (CROP, CROP) uint8."""
    x, y, side, roll = box
    matrix = cv2.getRotationMatrix2D((x, y), np.degrees(roll), CROP / side)
    matrix[:, 2] += CROP / 2 - np.array((x, y))
    return cv2.warpAffine(grey, matrix, (CROP, CROP), borderMode=cv2.BORDER_REPLICATE)


def _dark(face: np.ndarray) -> np.ndarray:
    """Darkness against the surroundings: brows, eyes, nostrils, mouth and wrinkles, whatever the light."""
    return cv2.max(cv2.blur(face, (25, 25)) - face, 0)


def _tilt(crop: np.ndarray) -> float:
    """The roll that is left in the crop, radians, from the heights of brow and eye on both sides."""
    top, bottom, left, right = (round(edge * CROP) for edge in (0.22, 0.50, 0.17, 0.45))
    dark = _dark(crop.astype(np.float32))[top:bottom]
    sides = dark[:, left:right].sum(1), dark[:, CROP - right : CROP - left].sum(1)
    one, other = (np.average(np.arange(bottom - top), weights=side + 1e-3) for side in sides)
    return float(np.arctan2(other - one, 0.38 * CROP))


def _measure(crop: np.ndarray | None, last: np.ndarray | None, step: float) -> np.ndarray:
    """Every measure of every region; NaN where the face or its motion is unknown."""
    if crop is None:
        return np.full(len(REGIONS) * len(MEASURES), np.nan)
    edge = CROP // 8
    middle, spread = cv2.meanStdDev(crop[edge:-edge, edge:-edge])
    face = (crop - np.float32(middle.item())) / np.float32(max(spread.item(), 1.0))
    dark, fine = _dark(face), cv2.Laplacian(cv2.GaussianBlur(face, (3, 3), 0), cv2.CV_32F)
    slopes = [cv2.Sobel(face, cv2.CV_32F, *order, scale=1 / 8) for order in ((1, 0), (0, 1))]
    shading = (face, face**2, dark, dark * ACROSS, dark * DOWN, dark * ACROSS**2, dark * DOWN**2)
    planes = np.stack((*shading, *np.abs((*slopes, fine)), *_flow(last, crop, step)))
    return np.concatenate([np.mean([_region(planes, box) for box in boxes], axis=0) for boxes in REGIONS.values()])


def _region(planes: np.ndarray, box: tuple[float, ...]) -> tuple[float, ...]:
    """The measures of one box of a region."""
    left, top, right, bottom = (round(edge * CROP) for edge in box)
    face, square, dark, dark_x, dark_y, dark_xx, dark_yy, *rest = planes[:, top:bottom, left:right].mean((1, 2))
    x, y, xx, yy = np.array((dark_x, dark_y, dark_xx, dark_yy), float) / (dark + 1e-6)
    wide, high = np.sqrt(max(xx - x**2, 0)) / (right - left), np.sqrt(max(yy - y**2, 0)) / (bottom - top)
    return face, np.sqrt(max(square - face**2, 0)), (y - top) / (bottom - top), wide, high, *rest


def _flow(last: np.ndarray | None, crop: np.ndarray, step: float) -> tuple[np.ndarray, np.ndarray]:
    """Speed and upward speed of every pixel against the whole face, face widths per second."""
    if last is None:
        return (np.full((CROP, CROP), np.nan, np.float32),) * 2
    flow = FLOW.calc(last, crop, None)
    flow = (flow - np.median(flow[::4, ::4], axis=(0, 1))) / np.float32(step * CROP)
    return cv2.magnitude(flow[..., 0], flow[..., 1]), -flow[..., 1]


def _check(seen: list[str], options: Options) -> None:
    faces, detected = len(seen) - seen.count("none"), seen.count("detected")
    if len(seen) < options.min_frames:
        raise Unusable(f"the video is too short: {len(seen)} analysed frames, {options.min_frames} are needed")
    if detected == 0:
        raise Unusable(f"no face in any of {len(seen)} analysed frames")
    if faces < options.min_face * len(seen) or detected < options.min_detected * len(seen):
        raise Unusable(f"a face in only {faces} of {len(seen)} analysed frames, detected in {detected}")


def _average(times: np.ndarray, rows: np.ndarray, segments: int, video: Video, options: Options) -> np.ndarray:
    length = video.end_s - video.start_s if np.isfinite(video.end_s) else times[-1] + 1 / options.rate
    segment = np.minimum((times / length * segments).astype(int), segments - 1)
    return pd.DataFrame(rows).groupby(segment).mean().reindex(range(segments)).to_numpy(np.float32)


def _summary(seen: list[str], heads: np.ndarray, rows: np.ndarray, step: float) -> np.ndarray:
    """The clip-level features, in the order of CLIP."""
    heads = pd.DataFrame(heads, columns=["x", "y", "side", "roll"])
    side, deviation, moved = heads.side.mean(), heads.std(ddof=0), heads.diff()
    eyes = pd.Series(rows[:, list(definitions().segment).index("eye_across")]).dropna()
    closed = eyes < 0.7 * eyes.median()
    blinks = (closed & ~closed.shift(fill_value=True)).sum() / (len(closed) * step)
    shares = 1 - seen.count("none") / len(seen), seen.count("detected") / len(seen)
    speed, sways = np.hypot(moved.x, moved.y).mean() / (side * step), deviation[["x", "y", "side"]] / side
    return np.array((*shares, speed, *sways, np.degrees(deviation.roll), blinks), np.float32)
