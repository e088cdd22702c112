"""People and states to synthesise: the level is drawn first, then what is felt, then what face and body show.

Level L is one of five, equally often within a subject. A latent score s ~ N(0, 1 + label_noise^2) whose quintile is
L splits into felt pain, of unit variance, and label noise; `icc` of the variance of felt pain belongs to the subject.
The label is L, so what is felt is known only up to noise. Felt pain is the sum of a part the face shows and, where
`hidden` > 0, an independent part that it does not. The clean label is the percentile of felt pain in level units.
"""

from typing import NamedTuple

import numpy as np
from scipy.stats import norm

from benchmark.params import Population
from benchmark.seeds import generator
from benchmark.synthesis.face import UNITS
from benchmark.synthesis.physiology import Drive

LEVELS = 5
# Columns: pain, and three states that have nothing to do with it (mood, surprise, talkativeness).
LOADINGS = {
    "brow_raise": (-0.2, 0.2, 0.9, 0.2),
    "brow_lower": (0.8, -0.4, -0.3, 0.1),
    "lid_tighten": (0.7, 0.3, -0.4, 0.0),
    "eye_close": (0.5, 0.2, -0.6, -0.2),
    "nose_wrinkle": (0.7, -0.5, 0.1, -0.1),
    "lip_stretch": (0.6, 0.4, 0.0, 0.5),
    "mouth_open": (0.5, 0.0, 0.5, 0.6),
    "smile": (-0.3, 0.8, 0.0, 0.3),
}
STATES = 4
REST, REACH = 0.42, 0.28  # intensity of a unit in the average state, and its deviation over states


class Clip(NamedTuple):
    """The latent state of one clip."""

    subject: int
    number: int  # within the subject, from 0, in the order of presentation
    level: int  # 0 to 4, the label
    felt: float  # standard normal
    states: np.ndarray  # (STATES,): what the face shows of felt pain, then the unrelated states
    body: float  # what bio-signals show, standard normal


def draw(name: str, population: Population) -> list[list[Clip]]:
    """Clips of every subject of the population called `name`. A subject never depends on how many there are."""
    return [_subject(name, population, subject) for subject in range(population.subjects)]


def _subject(name: str, population: Population, subject: int) -> list[Clip]:
    rng = generator("population", name, population.seed, subject)
    levels = rng.permutation(np.repeat(np.arange(LEVELS), population.clips // LEVELS))
    spread = np.sqrt(1 + population.label_noise**2)
    score = spread * norm.ppf((levels + rng.uniform(size=len(levels))) / LEVELS)
    felt = score / spread**2 + _residual(population, spread, rng, len(levels))
    other = rng.normal(size=len(levels))  # turns felt pain into independent shown and hidden parts
    seen, unseen = np.sqrt(1 - population.hidden), np.sqrt(population.hidden)
    shown, hidden = seen * felt - unseen * other, unseen * felt + seen * other
    body = {"felt": felt, "hidden": hidden, "nothing": rng.normal(size=len(levels))}[population.body.shows]
    states = np.column_stack([shown, population.face.others * rng.normal(size=(len(levels), STATES - 1))])
    columns = zip(levels.tolist(), felt.tolist(), states, body.tolist(), strict=True)
    return [Clip(subject, number, *values) for number, values in enumerate(columns)]


def _residual(population: Population, spread: float, rng: np.random.Generator, clips: int) -> np.ndarray:
    """What the score leaves open of felt pain: a part of the subject (icc of the whole), the rest of the clip."""
    open_ = 1 - 1 / spread**2
    between = min(population.icc, open_)
    return np.sqrt(between) * rng.normal() + np.sqrt(open_ - between) * rng.normal(size=clips)


def clean_label(felt: float) -> float:
    """Felt pain as a level without label noise, 0 to 4: where in the population it lies."""
    return float(np.clip(LEVELS * norm.cdf(felt) - 0.5, 0, LEVELS - 1))


def units(name: str, population: Population, clip: Clip, frames: int, rate: float) -> np.ndarray:
    """Intensities of the facial units over a clip, (frames, len(UNITS)), 0 to 1."""
    face = population.face
    own = generator("face of", name, population.seed, clip.subject)
    gain = np.exp(face.expressiveness * own.normal())
    habit, phase = face.subject * own.normal(size=len(UNITS)), 0.25 * own.normal(size=len(UNITS))
    rng = generator("expression", name, population.seed, clip.subject, clip.number)
    drive = np.array([LOADINGS[unit] for unit in UNITS]) @ clip.states
    response = np.sin(face.frequency * gain * drive + phase) / face.frequency
    noise = face.noise * rng.normal(size=len(UNITS)) + face.clip * rng.normal()
    peak = REST + REACH * (response + habit * 0.5 + noise)
    rest = 0.15 + 0.1 * habit
    time = np.arange(frames) / rate
    course = _course(time, rng)[:, None]
    wobble = 0.03 * np.sin(
        2 * np.pi * rng.uniform(0.3, 1.2, len(UNITS)) * time[:, None] + rng.uniform(0, 6.3, len(UNITS))
    )
    shown = rest + (peak - rest) * course + wobble
    shown[:, UNITS.index("eye_close")] += _blinks(time, rng)
    return np.clip(shown, 0, 1)


def _course(time: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Onset, hold and partial offset of an expression, 0 to 1."""
    onset, rise = rng.uniform(0.1, 0.9), rng.uniform(0.4, 1.0)
    fall = rng.uniform(4.0, 5.5)
    return np.clip((time - onset) / rise, 0, 1) * (1 - 0.5 * np.clip(time - fall, 0, 1))


def _blinks(time: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """About one blink in three seconds, 0.2 s each."""
    when = rng.uniform(0, time[-1] + 1, rng.poisson((time[-1] + 1) / 3))
    return np.exp(-(((time[:, None] - when) / 0.08) ** 2)).sum(axis=1)


def drive(name: str, population: Population, clip: Clip) -> Drive:
    """How strongly each organ of the body is driven during a clip, each about standard normal."""
    body = population.body
    habit = body.subject * generator("body of", name, population.seed, clip.subject).normal(size=len(Drive._fields))
    rng = generator("body", name, population.seed, clip.subject, clip.number)
    noise = body.noise * rng.normal(size=len(Drive._fields))
    scale = np.sqrt(1 + body.subject**2 + body.noise**2)
    return Drive(*((2 * np.tanh(clip.body / 2) + habit + noise) / scale).tolist())
