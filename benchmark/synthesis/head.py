"""The head of a synthetic person: shape and colours, painted once with eyes open and nothing moving."""

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np

SIZE = 160  # px, square frames
CENTRE = np.array((80.0, 82.0))  # of the head, in the frame
TONES = ((196, 214, 240), (140, 172, 214), (96, 132, 184), (66, 94, 140), (44, 60, 92))  # BGR, light to dark
HAIRS = ((24, 22, 22), (30, 42, 66), (50, 84, 126), (80, 128, 168), (122, 122, 126))

Colour = tuple[float, float, float]


class Look(NamedTuple):
    """What one person looks like; lengths in px of a nominal frame, colours BGR."""

    tone: Colour
    hair: Colour
    iris: Colour
    shirt: Colour
    back: tuple[Colour, Colour]  # background above and below
    width: float  # half width of the head
    height: float  # half height
    jaw: float  # width of the jaw, 1 = an ellipse
    fringe: float  # how far the hair reaches down the forehead
    long: float  # how far the hair reaches beside the face, 0 = short
    beard: float  # darkness of the stubble
    side: float  # where the light comes from, -1 = left
    eye_gap: float  # half distance between the pupils
    eye_width: float
    eye_height: float
    eye_y: float
    brow_y: float  # above the eyes
    brow_thick: float
    brow_tilt: float
    nose_width: float
    nose_y: float
    mouth_width: float  # half
    mouth_y: float
    lip: float  # thickness
    seed: int  # skin texture


def look(rng: np.random.Generator) -> Look:
    """A random person."""
    tone = _vary(rng, TONES[rng.integers(len(TONES))], 8)
    hair = HAIRS[rng.integers(2 if sum(tone) < 320 else len(HAIRS))]
    height = rng.uniform(48, 53)
    back = _vary(rng, (rng.uniform(70, 200),) * 3, 40)
    return Look(
        tone=tone,
        hair=_vary(rng, hair, 8),
        iris=_vary(rng, ((40, 60, 90), (110, 90, 60), (60, 90, 80), (20, 30, 50))[rng.integers(4)], 8),
        shirt=_vary(rng, rng.uniform(30, 200, 3), 10),
        back=(back, _vary(rng, back, 30)),
        width=height * rng.uniform(0.74, 0.82),
        height=height,
        jaw=rng.uniform(0.78, 0.98),
        fringe=rng.uniform(0.0, 0.22),
        long=rng.choice((0.0, 0.0, rng.uniform(0.3, 1.0))),
        beard=rng.choice((0.0, 0.0, rng.uniform(0.1, 0.35))),
        side=rng.uniform(-0.6, 0.6),
        eye_gap=rng.uniform(16.0, 18.5),
        eye_width=rng.uniform(7.2, 8.6),
        eye_height=rng.uniform(3.0, 4.0),
        eye_y=-height * rng.uniform(0.06, 0.12),
        brow_y=rng.uniform(9.5, 12.0),
        brow_thick=rng.uniform(1.2, 2.4),
        brow_tilt=rng.uniform(-1.0, 1.5),
        nose_width=rng.uniform(6.0, 8.5),
        nose_y=height * rng.uniform(0.30, 0.36),
        mouth_width=rng.uniform(12.5, 15.5),
        mouth_y=height * rng.uniform(0.56, 0.62),
        lip=rng.uniform(2.4, 4.0),
        seed=int(rng.integers(2**31)),
    )


def fixed(points: np.ndarray) -> np.ndarray:
    """Points relative to the centre of the head as sixteenths of a pixel of the frame."""
    return np.round((points + CENTRE) * 16).astype(np.int32)


@lru_cache(maxsize=2)
def still(look: Look) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Head (premultiplied), how much shows through around it, and what is behind it."""
    w, h, tone = look.width, look.height, np.array(look.tone, np.float32)
    outline = _oval(0, 0, w, h, 0.7, look.jaw)
    locks = _oval(0, -0.2 * h, w * 1.07, h * 0.86, 1.0)
    if look.long:
        for s in (-1, 1):
            locks = np.maximum(locks, _oval(s * w * 0.88, 0.25 * h, w * 0.25, h * (0.5 + 0.4 * look.long), 1.0))
    ears = np.maximum(_oval(-w, 2, 4, 9, 0.7), _oval(w, 2, 4, 9, 0.7)) * (look.long == 0)
    image = np.full((SIZE, SIZE, 3), look.hair, np.float32)
    _paint(image, ears, tone * 0.75)
    image += (_skin(look) - image) * outline
    _paint(image, outline * (1 - _oval(0, h * (0.2 + look.fringe), w * 1.05, h * 1.02, 1.5)), look.hair)
    cover = np.maximum(np.maximum(outline, ears), locks)
    head = np.clip(image * cover, 0, 255).astype(np.uint8)
    return head, np.round(255 * (1 - cover[..., 0])).astype(np.uint8), _scene(look)


def _skin(look: Look) -> np.ndarray:
    """The shaded face with wide open eyes and without the parts that move."""
    w, h, tone = look.width, look.height, np.array(look.tone, np.float32)
    y, x = np.mgrid[:SIZE, :SIZE].astype(np.float32)
    across, down = (x - CENTRE[0]) / w, (y - CENTRE[1]) / h
    depth = np.sqrt(np.clip(1.05 - across**2 - down**2, 0.02, 1))
    shade = np.clip(0.5 + 0.5 * depth + 0.22 * look.side * across - 0.10 * down, 0.3, 1.15)
    rough = np.random.default_rng(look.seed).normal(0, 1, (SIZE, SIZE)).astype(np.float32)
    image = tone * (shade + 0.05 * cv2.GaussianBlur(rough, (0, 0), 1.5))[..., None]
    dark, bright = tone * 0.55, np.minimum(tone * 1.12 + 8, 255)
    nose, tip = look.nose_width, look.nose_y
    for s in (-1, 1):
        _paint(image, _oval(s * look.eye_gap, look.eye_y - 1, 10.5, 6.5, 2.5), dark, 0.7)
        _paint(image, _oval(s * look.eye_gap * 1.05, 0.26 * h, 8, 6, 4), bright * (0.96, 0.97, 1.03), 0.5)
        _paint(image, _oval(s * nose * 0.75, tip - 9, 1.8, 11, 1.8), dark, 0.4)
        _paint(image, _oval(s * nose * 0.45, tip + 0.5, 2.0, 1.2, 0.6), tone * 0.25, 0.85)
        _paint(image, _oval(s * nose * 0.95, tip - 1.5, 1.2, 3.0, 0.8), dark, 0.6)
        _eyeball(image, look, s)
    _paint(image, _oval(0, tip - 13, 2.6, 14, 1.6), bright, 0.7)
    _paint(image, _oval(0, tip - 3, 3.2, 3, 1.4), bright, 0.8)
    _paint(image, _oval(0, tip + 2.6, nose * 0.8, 1.5, 1.2), dark, 0.5)
    _paint(image, _oval(0, -0.45 * h, 0.5 * w, 0.12 * h, 6), bright, 0.4)
    _paint(image, _oval(0, 0.9 * h, 0.2 * w, 0.08 * h, 3), bright, 0.3)
    _paint(image, np.clip((down - 0.35) * 3, 0, 1)[..., None], np.array(look.hair) * 0.8, look.beard)
    return image


def _eyeball(image: np.ndarray, look: Look, side: int) -> None:
    x, y, radius = side * look.eye_gap, look.eye_y - 0.5, look.eye_height
    opening = _oval(x, y, look.eye_width * 0.95, look.eye_height * 1.15, 0.5)
    _paint(image, opening, np.minimum(np.array(look.tone) * 0.25 + 165, 225))
    _paint(image, opening * _oval(x, y, radius, radius, 0.5), look.iris)
    _paint(image, opening * _oval(x, y, radius * 0.45, radius * 0.45, 0.5), (12, 12, 12))
    _paint(image, _oval(x + 1, y - 1, 0.8, 0.8, 0.5), (235, 235, 235))


def _scene(look: Look) -> np.ndarray:
    """Wall, shoulders and neck."""
    ramp = np.linspace(0, 1, SIZE, dtype=np.float32)[:, None, None]
    image = np.repeat((1 - ramp) * np.float32(look.back[0]) + ramp * np.float32(look.back[1]), SIZE, axis=1)
    cloud = np.random.default_rng(look.seed).normal(0, 1, (6, 6)).astype(np.float32)
    image += 10 * cv2.resize(cloud, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)[..., None]
    _paint(image, _oval(0, look.height + 42, 66, 40, 1.5), look.shirt)
    _paint(image, _oval(0, look.height - 2, look.width * 0.55, 18, 1.0), np.array(look.tone) * 0.62)
    return np.clip(image, 0, 255).astype(np.uint8)


def _oval(x: float, y: float, width: float, height: float, blur: float, jaw: float = 1.0) -> np.ndarray:
    """A mask in 0 to 1 of an oval with a soft edge, placed relative to the centre of the head."""
    angle = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    cosine, sine = np.cos(angle), np.sin(angle)
    across = x + width * cosine * (1 - (1 - jaw) * np.clip(sine, 0, 1))
    mask = np.zeros((SIZE, SIZE), np.uint8)
    cv2.fillPoly(mask, [fixed(np.column_stack([across, y + height * sine]))], 255, cv2.LINE_AA, 4)
    return cv2.GaussianBlur(mask, (0, 0), blur)[..., None].astype(np.float32) / 255


def _paint(image: np.ndarray, mask: np.ndarray, colour: Iterable[float], opacity: float = 1.0) -> None:
    image += (np.asarray(colour, np.float32) - image) * (mask * np.float32(opacity))


def _vary(rng: np.random.Generator, colour: Iterable[float], spread: float) -> Colour:
    return tuple(float(c) for c in np.clip(np.asarray(colour) + rng.normal(0, spread / 2, 3), 5, 250))
