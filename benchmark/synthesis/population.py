"""How states show: what facial units, voice and organs make of them, with the habits of a person and noise."""

from typing import NamedTuple

import numpy as np

from benchmark.params import Population
from benchmark.seeds import generator
from benchmark.synthesis.face import UNITS
from benchmark.synthesis.physiology import Drive
from benchmark.synthesis.states import Course, disturbed
from benchmark.synthesis.voice import Delivery

# Columns as in STATES: pain, valence, surprise, talk, arousal, stress.
LOADINGS = {
    "brow_raise": (-0.2, 0.2, 0.9, 0.2, 0.3, 0.2),
    "brow_lower": (0.8, -0.4, -0.3, 0.1, 0.1, 0.6),
    "lid_tighten": (0.7, 0.3, -0.4, 0.0, 0.2, 0.5),
    "eye_close": (0.5, 0.2, -0.6, -0.2, -0.6, -0.1),
    "nose_wrinkle": (0.7, -0.5, 0.1, -0.1, 0.1, 0.1),
    "lip_stretch": (0.6, 0.4, 0.0, 0.5, 0.3, 0.5),
    "mouth_open": (0.5, 0.0, 0.5, 0.6, 0.5, -0.3),
    "smile": (-0.3, 0.8, 0.0, 0.3, 0.2, -0.3),
}
ORGANS = {
    "sweat": (1.0, -0.2, 0.3, 0.1, 0.8, 0.7),
    "heart": (1.0, -0.2, 0.2, 0.2, 0.7, 0.8),
    "trapezius": (1.0, 0.0, 0.0, 0.1, 0.4, 0.9),
    "corrugator": (1.0, -0.8, -0.2, 0.0, 0.1, 0.4),
    "zygomaticus": (1.0, 0.8, 0.0, 0.2, 0.2, -0.1),
    "breathing": (1.0, -0.1, 0.1, 0.1, 0.7, 0.7),
}
VOICE = {
    "pitch": (0.5, 0.1, 0.4, 0.0, 0.9, 0.6),
    "range": (0.3, 0.4, 0.5, 0.0, 0.7, -0.1),
    "level": (0.5, 0.1, 0.2, 0.0, 0.9, 0.2),
    "rate": (-0.1, 0.1, 0.1, 0.1, 0.8, 0.4),
    "brightness": (0.4, 0.0, 0.2, 0.0, 0.8, 0.3),
    "fluency": (-0.4, 0.0, -0.1, 0.9, 0.4, -0.3),
    "smile": (-0.3, 0.9, 0.0, 0.0, 0.1, -0.2),
    "roughness": (0.6, -0.2, 0.0, 0.0, 0.1, 0.9),
}
REST, REACH = 0.42, 0.28  # intensity of a unit in the average state, and its deviation over states
FACE_WANDERS_S, VOICE_WANDERS_S, BODY_WANDERS_S = 4.0, 10.0, 20.0  # how long noise lasts in a changing course


def units(
    name: str,
    population: Population,
    who: tuple[int, int | str],
    course: Course,
    frames: int,
    rate: float,
    onset: tuple[float, float] | None = None,
    talking: list[tuple[float, float]] | None = None,
) -> np.ndarray:
    """Intensities of the facial units over a recording, (frames, len(UNITS)), 0 to 1.

    who is subject and recording. onset, s, is when an expression sets in at the earliest and at the latest: it is then
    held and partly released at the end. Without, the face follows the course from the first to the last frame.
    talking: spans, s, in which the mouth moves as in speech.
    """
    face = population.face
    own = generator("face of", name, population.seed, who[0])
    gain = np.exp(face.expressiveness * own.normal())
    habit, phase = face.subject * own.normal(size=len(UNITS)), 0.25 * own.normal(size=len(UNITS))
    rng = generator("expression", name, population.seed, *who)
    time = np.arange(frames) / rate
    drive = course.at(time) @ np.array([LOADINGS[unit] for unit in UNITS]).T
    response = np.sin(face.frequency * gain * drive + phase) / face.frequency
    noise = face.noise * disturbed(rng, course, time, len(UNITS), FACE_WANDERS_S)
    noise = noise + face.clip * disturbed(rng, course, time, 1, FACE_WANDERS_S)
    peak = REST + REACH * (response + habit * 0.5 + noise)
    rest = 0.15 + 0.1 * habit
    envelope = 1.0 if onset is None else _envelope(time, course.times[-1], onset, rng)[:, None]
    wobble = 0.03 * np.sin(
        2 * np.pi * rng.uniform(0.3, 1.2, len(UNITS)) * time[:, None] + rng.uniform(0, 6.3, len(UNITS))
    )
    shown = rest + (peak - rest) * envelope + wobble
    shown[:, UNITS.index("eye_close")] += _blinks(time, rng)
    if talking:
        shown[:, UNITS.index("mouth_open")] += _articulation(time, talking, rng)
    return np.clip(shown, 0, 1)


def _envelope(time: np.ndarray, end: float, onset: tuple[float, float], rng: np.random.Generator) -> np.ndarray:
    """Onset, hold and partial offset of an expression, 0 to 1."""
    start, rise = rng.uniform(*onset), rng.uniform(0.4, 1.0)
    fall = rng.uniform(end - 1.5, end)
    return np.clip((time - start) / rise, 0, 1) * (1 - 0.5 * np.clip(time - fall, 0, 1))


def _blinks(time: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """About one blink in three seconds, 0.2 s each."""
    when = rng.uniform(0, time[-1] + 1, rng.poisson((time[-1] + 1) / 3))
    return np.exp(-(((time[:, None] - when) / 0.08) ** 2)).sum(axis=1)


def _articulation(time: np.ndarray, talking: list[tuple[float, float]], rng: np.random.Generator) -> np.ndarray:
    """How far syllables open the mouth, about four a second and each differently wide."""
    syllables = 4.2 * time + rng.random()
    wide = rng.uniform(0.1, 0.4, int(syllables[-1]) + 1)[syllables.astype(int)]
    now = np.any([(time >= start) & (time < end) for start, end in talking], axis=0)
    return wide * np.sin(np.pi * (syllables % 1)) ** 2 * now


def drive(name: str, population: Population, who: tuple[int, int | str], course: Course) -> Drive:
    """How strongly each organ is driven, about standard normal: numbers in a still course, else over its times."""
    own = generator("body of", name, population.seed, who[0])
    rng = generator("body", name, population.seed, *who)
    return _response(Drive, ORGANS, population.body, course, BODY_WANDERS_S, own, rng)


def delivery(name: str, population: Population, who: tuple[int, int | str], course: Course) -> Delivery:
    """How someone speaks, each about standard normal: numbers in a still course, else over its times."""
    own = generator("voice of", name, population.seed, who[0])
    rng = generator("voice", name, population.seed, *who)
    return _response(Delivery, VOICE, population.voice, course, VOICE_WANDERS_S, own, rng)


def _response(
    kind: type, table: dict, shows, course: Course, wanders_s: float, own: np.random.Generator, rng: np.random.Generator
) -> NamedTuple:
    """Squashed sums of states with habits and noise, scaled to unit variance for a state of unit variance."""
    matrix = np.array([table[part] for part in kind._fields[:-1]])
    habit = shows.subject * own.normal(size=len(matrix))
    noise = shows.noise * disturbed(rng, course, course.times, len(matrix), wanders_s)
    felt = 2 * np.tanh(course.states @ matrix.T / 2)
    driven = (felt + habit + noise) / np.sqrt(1 + shows.subject**2 + shows.noise**2)
    return kind(*driven[0].tolist()) if course.still else kind(*driven.T, times=course.times)
