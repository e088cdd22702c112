"""Face video to features: how the regions of the face look and move, what they do, and where the head turns."""

from pathlib import Path
from typing import Literal, NamedTuple

import cv2
import numpy as np
import pandas as pd
import pydantic

from benchmark import extras
from benchmark.faces import CROP, Film, Tracked, cut, dark, follow
from benchmark.types import Crops, Definitions, Features, Unusable, Video

VERSION = 2
GAP = 1.0  # s without a face after which it is not known how it moved
INNER = np.s_[11:90, 16:80]  # px of the aligned face that lie in a region
DOWN, ACROSS = (axis[INNER] for axis in (np.mgrid[:CROP, :CROP].astype(np.float32) + 0.5) / CROP - 0.5)
OUTWARD = np.sign(ACROSS)
FLOW = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
RING = ((-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1))  # down, across: the pixels around one

REGIONS = {  # fractions of the face box: left, top, right, bottom; a pair is averaged
    "brow": ((0.17, 0.14, 0.45, 0.34), (0.55, 0.14, 0.83, 0.34)),
    "glabella": ((0.38, 0.18, 0.62, 0.44),),
    "eye": ((0.17, 0.33, 0.45, 0.48), (0.55, 0.33, 0.83, 0.48)),
    "nose": ((0.35, 0.42, 0.65, 0.68),),
    "cheek": ((0.18, 0.50, 0.36, 0.78), (0.64, 0.50, 0.82, 0.78)),
    "mouth": ((0.21, 0.69, 0.79, 0.93),),
}
PARTS = {  # smaller boxes, for the named measures only
    "arch": ((0.17, 0.12, 0.45, 0.38), (0.55, 0.12, 0.83, 0.38)),
    "inner": ((0.30, 0.18, 0.50, 0.38), (0.50, 0.18, 0.70, 0.38)),
    "frown": ((0.44, 0.22, 0.56, 0.42),),
    "lid": ((0.17, 0.46, 0.45, 0.56), (0.55, 0.46, 0.83, 0.56)),
    "bridge": ((0.42, 0.40, 0.58, 0.56),),
    "tip": ((0.33, 0.52, 0.67, 0.68),),
    "corner": ((0.28, 0.66, 0.42, 0.84), (0.58, 0.66, 0.72, 0.84)),
    "beside": ((0.22, 0.67, 0.36, 0.82), (0.64, 0.67, 0.78, 0.82)),
    "lips": ((0.36, 0.70, 0.64, 0.86),),
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
    "slant": "how far edges lean outwards (positive) or inwards, -0.5 to 0.5",
    "lines": "share of pixels on a line or edge (local binary patterns), 0 to 1",
    "spots": "share of pixels lighter or darker than all around them (local binary patterns), 0 to 1",
    "rough": "share of pixels of no simple pattern (local binary patterns), 0 to 1",
    "motion": "mean speed against the face, face widths per second",
    "rise": "mean upward speed against the face, face widths per second",
}
UNITS = {
    "brow_height": "height of the level edges around the brows, face widths (action units 1, 2; less in 4)",
    "brow_gap": "distance of the level edges of the inner brows, face widths (less in action unit 4)",
    "brow_uneven": "height of the brow at the left of the picture over the other, face widths",
    "frown_creases": "fine lines between the brows, ln of the texture (action unit 4)",
    "eye_opening": "upright against level edges of the eyes, ln of a ratio (less in action units 7, 43)",
    "lid_creases": "fine lines below the eyes, ln of the texture (action units 6, 7)",
    "nose_wrinkle": "fine lines on the bridge of the nose, ln of the texture (action unit 9)",
    "lip_corner_pull": "how far edges rise outwards at the corners of the mouth, -0.5 to 0.5 (action unit 12)",
    "lip_uneven": "lip_corner_pull at the left of the picture minus at the right",
    "lip_stretch": "upright edges beside the mouth, ln of the gradient (action units 12, 20)",
    "lip_drop": "distance of nose and mouth, face widths (action units 26, 27; less in 10)",
    "mouth_opening": "darkness between the lips, ln of standard deviations of the face (action units 25, 26, 27)",
}
POSE = {
    "head_yaw": "nose sideways of the middle of the eyes, fraction of their distance, positive to the right",
    "head_pitch": "nose between the eyes and the mouth, fraction of their distance, larger when looking down",
    "head_roll": "roll of the face, degrees",
    "head_turn": "speed of yaw and pitch together, fractions per second",
}
CLIP = {
    "face_share": "share of analysed frames with a face, 0 to 1",
    "detected_share": "share of analysed frames in which the face was detected, not only followed, 0 to 1",
    "head_speed": "mean speed of the face, face widths per second",
    "head_sway": "sideways deviation of the face, face widths",
    "head_nod": "up-and-down deviation of the face, face widths",
    "head_depth": "deviation of the size of the face, fraction of its mean",
    "head_tilt": "deviation of the roll of the face, degrees",
    "blink_rate": "closures of the eyes, per second",
}
BOXES = [box for boxes in (REGIONS | PARTS).values() for box in boxes]


def _kinds() -> np.ndarray:
    """(3, codes): whether a local binary pattern is a line or edge, a spot, or none of the simple patterns."""
    bits = (np.arange(256)[:, None] >> np.arange(8)) & 1
    simple = (bits != np.roll(bits, 1, axis=1)).sum(1) <= 2
    lighter = bits.sum(1)
    line = simple & (lighter >= 2) & (lighter <= 6)
    return np.array((line, lighter % 8 == 0, ~simple), np.float32)


KINDS = _kinds()
EDGES = np.rint(np.array(BOXES) * CROP).astype(int) - (16, 11, 16, 11)  # px of INNER
SIZES = np.array([(right - left, bottom - top, top) for left, top, right, bottom in BOXES])
PLACES = {  # which boxes belong to a region or part
    name: slice(BOXES.index(boxes[0]), BOXES.index(boxes[-1]) + 1) for name, boxes in (REGIONS | PARTS).items()
}
LOOKS = [f"{region}_{name}" for region in REGIONS for name in MEASURES]
COLUMNS = [*LOOKS, *UNITS, *POSE]  # of every frame
SWAYING = ("head_yaw", "head_pitch", "head_roll")


class Options(pydantic.BaseModel, extra="forbid"):
    rate: float = pydantic.Field(5.0, gt=0, description="analysed frames per second")
    min_frames: int = pydantic.Field(5, ge=2, description="fewest analysed frames of a usable clip")
    min_face: float = pydantic.Field(0.3, ge=0, le=1, description="smallest share of analysed frames with a face")
    min_detected: float = pydantic.Field(0.2, ge=0, le=1, description="smallest share in which it is also detected")
    extras: Literal["auto", "none"] = pydantic.Field("auto", description="auto adds the mesh of MediaPipe if installed")
    embedding: Path | None = pydantic.Field(None, description="an ONNX network that maps the aligned face to numbers")
    embedding_size: int = pydantic.Field(112, ge=8, le=1024, description="side of the picture it takes, px")
    embedding_mean: tuple[float, float, float] = pydantic.Field(
        (127.5,) * 3, description="taken from R, G, B, 0 to 255"
    )
    embedding_scale: tuple[float, float, float] = pydantic.Field(
        (1 / 127.5,) * 3, description="what is left times this"
    )

    @pydantic.field_validator("embedding")
    @classmethod
    def _there(cls, path: Path | None) -> Path | None:
        if path is not None and (path.suffix != ".onnx" or not path.is_file()):
            raise ValueError(f"{path} is not there or not a file that ends in .onnx")
        return path


class Analysis(NamedTuple):
    """What was measured on every analysed frame of a recording."""

    film: Film
    times: np.ndarray  # (frames,) s
    sources: np.ndarray  # (frames,) detected, tracked, given or none
    heads: np.ndarray  # (frames, 4) centre x, y, side in px; roll in radians; NaN where not known
    rows: np.ndarray  # (frames, columns): COLUMNS, MESH if it takes part, embedding


def definitions(channels: tuple[str, ...], options: Options) -> Definitions:
    segment = {f"{region}_{name}": f"{region}: {text}" for region in REGIONS for name, text in MEASURES.items()}
    segment |= UNITS | {name: f"mean of: {text}" for name, text in POSE.items()}
    segment |= extras.MESH if _meshed(options) else {}
    network = _network(options)
    values = range(network.values if network else 0)
    segment |= {f"embedding_{number}": f"value {number} of {options.embedding.name}, its own unit" for number in values}
    segment |= {f"{name}_deviation": f"standard deviation of: {POSE[name]}" for name in SWAYING}
    return Definitions(segment, dict(CLIP))


def versions(options: Options) -> dict[str, str]:
    """The packages and files beside this project that take part."""
    found = {"mediapipe": extras.mediapipe().__version__} if _meshed(options) else {}
    return found | ({"embedding": extras.digest(options.embedding)} if options.embedding else {})


def analyse(recording: Video | Crops, options: Options) -> Analysis:
    """Everything that is measured frame by frame, in one pass over the recording."""
    film, meshed, network = Film(recording, options.rate), _meshed(options), _network(options)
    times, sources, heads, rows, last = [], [], [], [], None
    for item in follow(film):
        crop = None if item.box is None else cut(item.grey, item.box)
        step = item.frame.time - times[-1] if times else 0.0
        rows.append(
            np.concatenate((_measure(crop, last if step <= GAP else None, step), _extra(item, meshed, network)))
        )
        heads.append(item.box if item.source in ("detected", "tracked") else np.full(4, np.nan))
        times.append(item.frame.time)
        sources.append(item.source)
        last = crop
    heads, rows, times = np.array(heads), np.array(rows), np.array(times)
    yaw = COLUMNS.index("head_yaw")
    rows[:, yaw + 2] = np.degrees(heads[:, 3])
    turned = np.hypot(*np.diff(rows[:, yaw : yaw + 2], axis=0).T) / np.diff(times)
    rows[1:, yaw + 3] = np.where(np.diff(times) <= GAP, turned, np.nan)
    return Analysis(film, times, np.array(sources), heads, rows)


def extract(analysis: Analysis, start_s: float, end_s: float, segments: int, options: Options) -> Features:
    """Features of the face in one clip, averaged over equal divisions of its duration."""
    film, times = analysis.film, analysis.times
    inside = (times >= start_s - 1e-6) & (times < end_s - 1e-6)
    promised = min(end_s, film.duration) - start_s
    if film.truncated and film.seconds - start_s < 0.9 * promised:
        raise Unusable(f"the video is truncated: {film.decoded} of {film.promised} frames can be decoded")
    if not inside.any():
        raise Unusable(f"no frame of the video can be decoded between {start_s:g} and {end_s:g} s")
    times, sources, heads, rows = times[inside], analysis.sources[inside], analysis.heads[inside], analysis.rows[inside]
    _check(sources, options)
    length = (end_s if np.isfinite(end_s) else film.seconds) - start_s
    segment = np.clip(((times - start_s) / length * segments).astype(int), 0, segments - 1)
    groups = pd.DataFrame(rows).groupby(segment)
    swaying = [COLUMNS.index(name) for name in SWAYING]
    values = pd.concat([groups.mean(), groups[swaying].std(ddof=0)], axis=1).reindex(range(segments))
    return Features(values.to_numpy(np.float32), _summary(times, sources, heads, rows))


def _meshed(options: Options) -> bool:
    return options.extras == "auto" and extras.mediapipe() is not None


def _network(options: Options) -> extras.Network | None:
    if options.embedding is None:
        return None
    return extras.network(options.embedding, options.embedding_size, options.embedding_mean, options.embedding_scale)


def _extra(item: Tracked, meshed: bool, network: extras.Network | None) -> np.ndarray:
    """What the mesh and the network see; NaN where there is no face."""
    picture, box = item.frame.picture, item.box
    unknown = np.full(len(extras.MESH) * meshed + (network.values if network else 0), np.nan)
    if box is None or not unknown.size:
        return unknown
    mesh = extras.mesh(cut(picture, box, 192, 0.25)) if meshed else unknown[:0]
    return np.concatenate((mesh, network.embed(cut(picture, box, network.size)) if network else unknown[:0]))


def _measure(crop: np.ndarray | None, last: np.ndarray | None, step: float) -> np.ndarray:
    """COLUMNS of an aligned face; NaN where the face or its motion is unknown, and for roll and turn."""
    if crop is None:
        return np.full(len(COLUMNS), np.nan)
    edge = CROP // 8
    middle, spread = cv2.meanStdDev(crop[edge:-edge, edge:-edge])
    face = (crop - np.float32(middle.item())) / np.float32(max(spread.item(), 1.0))
    fine = cv2.Laplacian(cv2.GaussianBlur(face, (3, 3), 0), cv2.CV_32F)[INNER]
    across, down = (cv2.Sobel(face, cv2.CV_32F, *order, scale=1 / 8)[INNER] for order in ((1, 0), (0, 1)))
    shade, face = dark(face)[INNER], face[INNER]
    x, y, slant = shade * ACROSS, shade * DOWN, across * down * OUTWARD
    across, down, steep = np.abs(across), np.abs(down), across**2 + down**2
    edges = across, down, down * ACROSS, down * DOWN, np.abs(fine), slant, steep
    looks = face, face**2, shade, x, y, x * ACROSS, y * DOWN, *edges, *_patterns(crop)
    planes = np.stack((*looks, *_flow(last, crop, step)))
    means = [planes[:, top:bottom, left:right].mean((1, 2)) for left, top, right, bottom in EDGES]
    return _describe(np.array(means, float).T)


def _describe(means: np.ndarray) -> np.ndarray:
    """COLUMNS from the means of the planes (planes, boxes) in the boxes."""
    face, square, shade, x, y, xx, yy, across, down, level_x, level_y, fine, slant, steep, *patterns, speed, rise = (
        means
    )
    wide, high, top = SIZES.T
    x, y, xx, yy = np.array((x, y, xx, yy)) / (shade + 1e-6)  # centres and spreads of the dark, face widths
    spread = np.sqrt(np.maximum((xx - x**2, yy - y**2), 0)) / (wide, high)
    contrast, slant = np.sqrt(np.maximum(square - face**2, 0)), slant / (steep + 1e-6)
    level = np.array((level_x, level_y)) / (down + 1e-6)  # centres of the level edges, face widths
    looks = np.array(
        (face, contrast, (y + 0.5 - top) / high, *spread, across, down, fine, slant, *patterns, speed, rise)
    )
    looks = np.concatenate([looks[:, PLACES[name]].mean(1) for name in REGIONS])
    at = {name: np.array((x, y, *level, shade, across, down, fine, slant))[:, place] for name, place in PLACES.items()}
    return np.concatenate((looks, _units(at), _pose(at), (np.nan, np.nan)))


def _units(at: dict[str, np.ndarray]) -> np.ndarray:
    """UNITS from what _describe measures in the boxes of each part."""
    height, slant = -at["arch"][3], at["corner"][8]
    logs = {name: np.log(np.abs(values) + 1e-3).mean(1) for name, values in at.items()}
    shade, across, down, fine = 4, 5, 6, 7
    return np.array((
        height.mean(),
        np.diff(at["inner"][2]).item(),
        height[0] - height[1],
        logs["frown"][fine],
        logs["eye"][across] - logs["eye"][down],
        logs["lid"][fine],
        logs["bridge"][fine],
        slant.mean(),
        slant[0] - slant[1],
        logs["beside"][across],
        at["mouth"][1, 0] - at["tip"][1, 0],
        logs["lips"][shade],
    ))  # fmt: skip


def _pose(at: dict[str, np.ndarray]) -> tuple[float, float]:
    """Yaw and pitch from where the nose is between eyes and mouth: it stands out, so it moves most."""
    (left, right), eyes = at["eye"][0], at["eye"][1].mean()
    nose, mouth = at["tip"][:2, 0], at["mouth"][1, 0]
    return (nose[0] - (left + right) / 2) / (right - left), (nose[1] - eyes) / (mouth - eyes)


def _patterns(crop: np.ndarray) -> np.ndarray:
    """(3, *INNER) whether a pixel and those around it make a line, a spot or no simple pattern."""
    smooth = cv2.copyMakeBorder(cv2.GaussianBlur(crop, (3, 3), 0), 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    middle, codes = smooth[1:-1, 1:-1], np.zeros_like(crop)
    for bit, (down, across) in enumerate(RING):
        codes |= (smooth[1 + down : 1 + down + CROP, 1 + across : 1 + across + CROP] >= middle).view(np.uint8) << bit
    return KINDS[:, codes[INNER]]


def _flow(last: np.ndarray | None, crop: np.ndarray, step: float) -> np.ndarray:
    """(2, *INNER) speed and upward speed of every pixel against the whole face, face widths per second."""
    if last is None:
        return np.full((2, *ACROSS.shape), np.nan, np.float32)
    flow = FLOW.calc(last, crop, None)
    flow = (flow[INNER] - np.median(flow[::4, ::4], axis=(0, 1))) / np.float32(step * CROP)
    return np.stack((cv2.magnitude(flow[..., 0], flow[..., 1]), -flow[..., 1]))


def _check(sources: np.ndarray, options: Options) -> None:
    frames, faces = len(sources), int((sources != "none").sum())
    detected = int(np.isin(sources, ("detected", "given")).sum())
    if frames < options.min_frames:
        raise Unusable(f"the video is too short: {frames} analysed frames, {options.min_frames} are needed")
    if detected == 0:
        raise Unusable(f"no face in any of {frames} analysed frames")
    if faces < options.min_face * frames or detected < options.min_detected * frames:
        raise Unusable(f"a face in only {faces} of {frames} analysed frames, detected in {detected}")


def _summary(times: np.ndarray, sources: np.ndarray, heads: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The clip-level features, in the order of CLIP."""
    heads, step = pd.DataFrame(heads, columns=["x", "y", "side", "roll"]), (times[-1] - times[0]) / (len(times) - 1)
    side, deviation, moved = heads.side.mean(), heads.std(ddof=0), heads.diff()
    eyes = pd.Series(rows[:, COLUMNS.index("eye_across")]).dropna()
    closed = eyes < 0.7 * eyes.median()
    blinks = (closed & ~closed.shift(fill_value=True)).sum() / (len(closed) * step)
    shares = np.mean(sources != "none"), np.isin(sources, ("detected", "given")).mean()
    speed, sways = np.hypot(moved.x, moved.y).mean() / (side * step), deviation[["x", "y", "side"]] / side
    return np.array((*shares, speed, *sways, np.degrees(deviation.roll), blinks), np.float32)
