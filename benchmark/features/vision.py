"""Face video to features: how the regions of the face look and move, what they do, and where the head turns."""

from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
import pydantic

from benchmark.sensing import extras
from benchmark.sensing.expression import COLUMNS, MEASURES, POSE, REGIONS, UNITS, measure
from benchmark.sensing.faces import Film, Tracked, cut, follow
from benchmark.types import Crops, Definitions, Features, Unusable, Video

VERSION = 2
GAP = 1.0  # s without a face after which it is not known how it moved
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
SWAYING = ("head_yaw", "head_pitch", "head_roll")


class Options(pydantic.BaseModel, extra="forbid"):
    rate: float = pydantic.Field(5.0, gt=0, description="analysed frames per second")
    min_frames: int = pydantic.Field(5, ge=2, description="fewest analysed frames of a usable clip")
    min_face: float = pydantic.Field(0.3, ge=0, le=1, description="smallest share of analysed frames with a face")
    min_detected: float = pydantic.Field(0.2, ge=0, le=1, description="smallest share in which it is also detected")
    extras: Literal["auto", "none"] = pydantic.Field("auto", description="auto adds the mesh of MediaPipe if installed")
    embedding: str | None = pydantic.Field(None, description="an ONNX network that maps the aligned face to numbers")
    embedding_size: int = pydantic.Field(112, ge=8, le=1024, description="side of the picture it takes, px")
    embedding_mean: tuple[float, float, float] = pydantic.Field(
        (127.5,) * 3, description="taken from R, G, B, 0 to 255"
    )
    embedding_scale: tuple[float, float, float] = pydantic.Field(
        (1 / 127.5,) * 3, description="what is left times this"
    )

    @pydantic.field_validator("embedding")
    @classmethod
    def _there(cls, path: str | None) -> str | None:
        if path is not None and not (path.endswith(".onnx") and Path(path).is_file()):
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
    segment |= extras.mesh_definitions() if _meshed(options) else {}
    network = _network(options)
    values = range(network.values if network else 0)
    segment |= {
        f"embedding_{number}": f"value {number} of {Path(options.embedding).name}, its own unit" for number in values
    }
    segment |= {f"{name}_deviation": f"standard deviation of: {POSE[name]}" for name in SWAYING}
    return Definitions(segment, dict(CLIP))


def versions(options: Options) -> dict[str, str]:
    """The packages and files beside this project that take part."""
    found = {"mediapipe": extras.mediapipe().__version__} if _meshed(options) else {}
    return found | ({"embedding": extras.digest(Path(options.embedding))} if options.embedding else {})


def analyse(recording: Video | Crops, options: Options) -> Analysis:
    """Everything that is measured frame by frame, in one pass over the recording."""
    film, meshed, network = Film(recording, options.rate), _meshed(options), _network(options)
    times, sources, heads, rows, last = [], [], [], [], None
    for item in follow(film):
        crop = None if item.box is None else cut(item.grey, item.box)
        step = item.frame.time - times[-1] if times else 0.0
        rows.append(np.concatenate((measure(crop, last if step <= GAP else None, step), _extra(item, meshed, network))))
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
    prepared = options.embedding_size, options.embedding_mean, options.embedding_scale
    return extras.network(Path(options.embedding), *prepared)


def _extra(item: Tracked, meshed: bool, network: extras.Network | None) -> np.ndarray:
    """What the mesh and the network see; NaN where there is no face."""
    picture, box = item.frame.picture, item.box
    unknown = np.full(len(extras.MESH) * meshed + (network.values if network else 0), np.nan)
    if box is None or not unknown.size:
        return unknown
    mesh = extras.mesh(cut(picture, box, 192, 0.25)) if meshed else unknown[:0]
    return np.concatenate((mesh, network.embed(cut(picture, box, network.size)) if network else unknown[:0]))


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
