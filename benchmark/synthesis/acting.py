"""Acted emotions: how actors who were asked for one look and sound, and what raters take it for."""

from typing import NamedTuple

import numpy as np

from benchmark.params import Population
from benchmark.seeds import generator
from benchmark.synthesis import elicitation
from benchmark.synthesis.scene import Scene

DURATION_S = (2.5, 4.0)  # of a sentence; population.seconds is for recordings without one
RATERS = (7, 12)  # of one recording, fewest and most
BLUR = {"voice": 1.5, "face": 1.0, "both": 0.8}  # what raters misread, in units of the label's noise


class Asked(NamedTuple):
    """What an actor is asked for in one recording."""

    key: str  # names the recording
    emotion: str  # of elicitation.EMOTIONS
    intensity: float
    sentence: int


def perform(
    name: str, population: Population, subject: int, asked: Asked, frames_hz: float, rate_hz: int
) -> tuple[list[np.ndarray], np.ndarray]:
    """Frames and sound of one recording."""
    seconds = float(generator("length", name, population.seed, subject, asked.key).uniform(*DURATION_S))
    shown = _shown(name, population, subject, asked, seconds)
    scene = Scene(name, population, (subject, asked.key), shown, seconds)
    times = np.arange(round(seconds * frames_hz)) / frames_hz
    return list(scene.frames(times)), scene.sound(rate_hz, asked.sentence)


def votes(
    name: str, population: Population, subject: int, asked: Asked, given: str, emotions: tuple[str, ...]
) -> np.ndarray:
    """How many raters choose each of the emotions, (len(emotions),), who are given the voice, the face or both.

    A rater chooses the emotion nearest to what is shown. Half of the variance of what is misread is common to all.
    """
    shown = _shown(name, population, subject, asked, 1.0)
    parts = {"voice": (shown.voice,), "face": (shown.face,), "both": (shown.voice, shown.face)}[given]
    seen = np.mean([course.states[0] for course in parts], axis=0)
    rng = generator("raters", name, population.seed, subject, asked.key, given)
    number = int(rng.integers(RATERS[0], RATERS[1] + 1))
    common, own = rng.normal(size=len(seen)), rng.normal(size=(number, len(seen)))
    read = seen + BLUR[given] * population.label_noise * np.sqrt(0.5) * (common + own)
    typical = np.array([elicitation.EMOTIONS[emotion] for emotion in emotions]) / np.sqrt(1 + population.label_noise**2)
    chosen = ((read[:, None] - typical) ** 2).sum(axis=2).argmin(axis=1)
    return np.bincount(chosen, minlength=len(emotions))


def _shown(name: str, population: Population, subject: int, asked: Asked, seconds: float):
    return elicitation.acted(name, population, subject, asked.key, asked.emotion, asked.intensity, seconds)
