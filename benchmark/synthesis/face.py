"""Face video of a synthetic person: a head that moves, with parts that move by expression units."""

import errno
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter1d

from benchmark.synthesis.head import CENTRE, SIZE, Colour, Look, fixed, look, still

__all__ = ["SIZE", "UNITS", "Look", "Motion", "boxes", "look", "motion", "render", "write"]

UNITS = ("brow_raise", "brow_lower", "lid_tighten", "eye_close", "nose_wrinkle", "lip_stretch", "mouth_open", "smile")
NOISE = 8  # frames in the pool of sensor noise
ARC = np.linspace(-1, 1, 13)  # across an eye or the mouth


class Motion(NamedTuple):
    """Head motion and light of one clip, an array of (frames,) each."""

    x: np.ndarray  # offset from the centre as a fraction of SIZE
    y: np.ndarray
    roll: np.ndarray  # degrees
    scale: np.ndarray  # 1 = nominal
    light: np.ndarray  # gain, 1 = nominal


class Layer(NamedTuple):
    """A moving part: one line or filled outline per frame."""

    points: np.ndarray  # (frames, points, 2) px in sixteenths
    colours: list[Colour | None]  # (frames,); None is not drawn
    width: int  # of the line, 0 = filled


def motion(rng: np.random.Generator, frames: int) -> Motion:
    """Smooth head motion and light of one clip; some clips hold a short strong tilt."""
    restless = rng.lognormal(0.0, 0.5)
    roll = rng.normal(0, 2.5) + 2.0 * restless * _wander(rng, frames)
    if rng.random() < 0.35:
        when, width = rng.uniform(0.2, 0.9) * frames, rng.uniform(8, 14)
        roll = roll + rng.choice((-1, 1)) * rng.uniform(18, 36) * np.exp(-(((np.arange(frames) - when) / width) ** 2))
    return Motion(
        x=np.clip(rng.normal(0, 0.025) + 0.018 * restless * _wander(rng, frames), -0.1, 0.1),
        y=np.clip(rng.normal(0, 0.015) + 0.012 * restless * _wander(rng, frames), -0.07, 0.07),
        roll=np.clip(roll, -38, 38),
        scale=np.clip(rng.uniform(0.85, 1.08) + 0.02 * restless * _wander(rng, frames), 0.78, 1.15),
        light=np.clip(rng.uniform(0.7, 1.15) + 0.03 * _wander(rng, frames), 0.6, 1.25),
    )


def render(look: Look, units: np.ndarray, motion: Motion, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """The frames, (SIZE, SIZE, 3) BGR uint8, of a person showing units (frames, len(UNITS)) in 0 to 1."""
    head, alpha, scene = still(look)
    layers = list(_layers(look, head, dict(zip(UNITS, np.asarray(units).T[..., None], strict=True))))
    noise = np.clip(rng.normal(8, 2.5, (NOISE, SIZE, SIZE, 3)), 0, 16).astype(np.uint8)
    grains = rng.integers(NOISE, size=len(units))
    for now, (*pose, light) in enumerate(zip(*motion, strict=True)):
        matrix = _matrix(*pose)
        face = cv2.warpAffine(_draw(head, layers, now), matrix, (SIZE, SIZE))
        behind = cv2.warpAffine(alpha, matrix, (SIZE, SIZE), borderValue=255)
        frame = cv2.add(face, cv2.multiply(scene, cv2.merge((behind,) * 3), scale=1 / 255))
        yield cv2.addWeighted(frame, light, noise[grains[now]], 1, -8)


def boxes(look: Look, motion: Motion) -> np.ndarray:
    """x, y, w, h px of the drawn face per frame, as frontal-face detectors frame it.

    An upright square, 1.22 times the width of the head wide, whose centre lies 0.12 of half the height of the
    head below its centre and turns with it.
    """
    side = 2.44 * look.width * motion.scale
    middle = np.append(CENTRE + np.array((0, 0.12 * look.height)), 1.0)
    centres = np.array([_matrix(*pose) @ middle for pose in zip(*motion[:4], strict=True)]).reshape(-1, 2)
    return np.column_stack([centres - side[:, None] / 2, side, side])


def write(path: Path, frames: Iterable[np.ndarray], rate: float = 25.0) -> None:
    """An mp4 of the frames that appears under its name only when complete."""
    part = path.with_name(f".part-{path.stem}.mp4")
    writer = cv2.VideoWriter(str(part), cv2.VideoWriter_fourcc(*"mp4v"), rate, (SIZE, SIZE))
    if not writer.isOpened():
        raise OSError(f"cannot write a video to {part}")
    try:
        for frame in frames:
            writer.write(frame)
        writer.release()
        if not cv2.VideoCapture(str(part)).isOpened():  # the writer says nothing of a full disk
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        part.replace(path)
    finally:
        writer.release()
        part.unlink(missing_ok=True)


def _wander(rng: np.random.Generator, frames: int, smooth: float = 12.0) -> np.ndarray:
    """A smooth random path of unit deviation."""
    white = rng.normal(size=frames)
    return gaussian_filter1d(white, smooth) * np.sqrt(2 * smooth * np.sqrt(np.pi))


def _matrix(x: float, y: float, roll: float, scale: float) -> np.ndarray:
    """The affine map from the nominal head to the frame."""
    matrix = cv2.getRotationMatrix2D(tuple(CENTRE), roll, scale)
    matrix[:, 2] += (x * SIZE, y * SIZE)
    return matrix


def _draw(head: np.ndarray, layers: list[Layer], now: int) -> np.ndarray:
    face = head.copy()
    for points, colours, width in layers:
        if colours[now] is not None and width:
            cv2.polylines(face, [points[now]], False, colours[now], width, cv2.LINE_AA, 4)
        elif colours[now] is not None:
            cv2.fillPoly(face, [points[now]], colours[now], cv2.LINE_AA, 4)
    return face


def _layers(look: Look, head: np.ndarray, unit: dict[str, np.ndarray]) -> Iterator[Layer]:
    """The moving parts in the order of drawing; units are (frames, 1)."""
    for side in (-1, 1):
        yield from _eye(look, head, side, unit)
        yield from _brow(look, head, side, unit)
        yield from _folds(look, head, side, unit)
    yield from _mouth(look, head, unit)


def _curve(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.stack(np.broadcast_arrays(x, y), axis=-1)


def _part(points: np.ndarray, colour: Iterable[float], width: int = 0) -> Layer:
    return Layer(fixed(points), [tuple(map(float, colour))] * len(points), width)


def _between(one: np.ndarray, other: np.ndarray, colour: Iterable[float]) -> Layer:
    """What two curves enclose."""
    return _part(np.concatenate([one, other[:, ::-1]], axis=1), colour)


def _crease(head: np.ndarray, points: np.ndarray, strength: np.ndarray) -> Layer:
    """A wrinkle: a line that darkens the skin below it."""
    x, y = (points.mean((0, 1)) + CENTRE).astype(int)
    colours = (1 - 0.33 * strength) * head[y, x]
    drawn = zip(colours.tolist(), strength[:, 0] > 0.03, strict=True)
    return Layer(fixed(points), [tuple(colour) if seen else None for colour, seen in drawn], 1)


def _eye(look: Look, head: np.ndarray, side: int, unit: dict[str, np.ndarray]) -> Iterator[Layer]:
    """Lids over an open eye, lashes and the fold below."""
    x, y, high = side * look.eye_gap + look.eye_width * ARC, look.eye_y, look.eye_height * (1 - ARC**2)
    lower = 0.75 - 0.75 * unit["lid_tighten"] - 0.1 * unit["smile"]
    upper = -1 - 0.2 * unit["brow_raise"] + 0.5 * unit["lid_tighten"]
    upper = upper + (lower - upper) * unit["eye_close"]
    edge, under = _curve(x, y + upper * high), _curve(x, y + lower * high)
    row, column = (np.array((y - 8, side * look.eye_gap)) + CENTRE[::-1]).astype(int)
    lid = head[row, column] * 0.92
    wide = np.zeros_like(upper)
    yield _between(_curve(x, y - 1.9 * high + wide), edge, lid)
    yield _between(_curve(x, y + 1.4 * high + wide), under, lid)
    yield _part(under, np.array(look.tone) * 0.45, 1)
    yield _part(edge, np.array(look.tone) * 0.15, 2)
    for below in (3.5, 6.5):
        yield _crease(head, under + np.array((0, below)), 1.1 * unit["lid_tighten"] + 0.4 * unit["smile"])


def _brow(look: Look, head: np.ndarray, side: int, unit: dict[str, np.ndarray]) -> Iterator[Layer]:
    """The brow, the frown beside it and the lines of the forehead."""
    up, down = unit["brow_raise"], unit["brow_lower"]
    along = np.linspace(0, 1, 6)
    inner = look.eye_gap * 0.42 * (1 - 0.4 * down)
    x = inner + along * (look.eye_gap + 8.5 - inner)
    bend = look.brow_tilt * (0.5 - along) - 2.2 * np.sin(np.pi * along * 0.75)
    y = look.eye_y - look.brow_y - 5.0 * up + 4.5 * down * (1 - 0.6 * along) + bend
    thick = look.brow_thick * np.array((0.7, 1, 1, 0.9, 0.6, 0.15))
    colour = 0.75 * np.array(look.hair) + 0.12 * np.array(look.tone)
    yield _between(_curve(side * x, y - thick), _curve(side * x, y + thick), colour)
    yield _crease(head, _curve(side * np.array((2.2, 1.8)), look.eye_y + np.array((-12, -4)) + 0 * down), down)
    for row in (17, 21):
        yield _crease(head, _curve(side * np.array((0, 16)), look.eye_y - row - np.array((0, 1)) - 2 * up), up)


def _folds(look: Look, head: np.ndarray, side: int, unit: dict[str, np.ndarray]) -> Iterator[Layer]:
    """Wrinkles of the nose and the fold from nose to mouth."""
    wrinkle, smile = unit["nose_wrinkle"], unit["smile"]
    for step in (3, 6.5, 10):
        slant = look.eye_y + step + np.array((0, 3.5)) + 0 * wrinkle
        yield _crease(head, _curve(side * np.array((1.5, 6.5)), slant), wrinkle)
    wing, corner = look.nose_width + 1.5, look.mouth_width + 3 + 2 * smile
    x = np.hstack([wing + 0 * smile, (wing + corner) / 2 + 2.5, corner])
    top, bottom = look.nose_y - 1 - 3 * wrinkle, look.mouth_y - 3 + 0 * smile
    y = np.hstack([top, (top + bottom) / 2 - 1.5, bottom])
    yield _crease(head, _curve(side * x, y), np.minimum(0.15 + 0.6 * smile + 0.5 * wrinkle, 1))


def _mouth(look: Look, head: np.ndarray, unit: dict[str, np.ndarray]) -> Iterator[Layer]:
    """Lips, the opening between them, teeth and the shadow below."""
    opened, smile, stretch = unit["mouth_open"], unit["smile"], unit["lip_stretch"]
    arch = 1 - ARC**2
    x = look.mouth_width * (1 + 0.4 * stretch + 0.2 * smile - 0.12 * opened) * ARC
    line = look.mouth_y + (1.5 * stretch - 4.5 * smile) * ARC**2 + 0.8 * smile
    gap = (9.0 * opened + 2.2 * smile + 1.8 * stretch) * np.sqrt(arch)
    top, bottom, lip = line - 0.15 * gap, line + 0.85 * gap, look.lip * (1 - 0.3 * stretch)
    bow = np.interp(np.abs(ARC), (0, 0.22, 1), (0.8, 1, 0)) * lip + 2.0 * unit["nose_wrinkle"] * arch
    red = np.array(look.tone) * (0.58, 0.58, 0.8)
    yield _between(_curve(x, top - bow), _curve(x, bottom + 1.25 * lip * arch), red)
    yield _between(_curve(x, top)[:, 1:-1], _curve(x, bottom)[:, 1:-1], (28, 20, 38))
    teeth = np.minimum(top + np.minimum(0.45 * gap, 2.8), bottom)
    yield _between(_curve(x, top)[:, 2:-2], _curve(x, teeth)[:, 2:-2], np.array((205, 215, 220)))
    yield _part(_curve(x, top), red * 0.45, 1)
    for side in (-1, 1):
        corner = side * (np.abs(x[:, -1:]) + np.array((2.5, 3.5, 3.0)))
        yield _crease(head, _curve(corner, line[:, -1:] + np.array((-4, 0, 5))), 1.2 * stretch)
    yield _crease(head, _curve(0.5 * x, bottom + 1.25 * look.lip + 3), 0.5 + 0.4 * opened)
