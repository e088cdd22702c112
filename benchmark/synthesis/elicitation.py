"""What people feel in each kind of recording, and what their annotators say about it.

Pain: the level L is one of five, equally often within a subject. A latent score s ~ N(0, 1 + label_noise^2) whose
quintile is L splits into felt pain, of unit variance, and label noise; `icc` of the variance of felt pain belongs to
the subject. The label is L, so what is felt is known only up to noise. The clean label is the percentile of felt pain
in level units. Conditions and acted emotions take the place of the level in the same way: they are what was asked for,
and explain 1 / (1 + label_noise^2) of the variance of what is felt. In conversations affect wanders by itself and
label noise is in the annotators.
"""

from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.signal import lfilter
from scipy.stats import norm

from benchmark.params import Population
from benchmark.seeds import generator
from benchmark.synthesis import states
from benchmark.synthesis.states import STATES, Course, Shown, constant, row, split, wandering

LEVELS = 5
CLIP_S = 5.5  # length of a pain clip
TURN_S, PAUSE_S = 4.0, 4.5  # mean time of speaking and of listening in a conversation
AFFECT_WANDERS_S = 15.0
EMOTIONS = {  # as acted at normal intensity, which is more than people feel in daily life
    "neutral": row(),
    "calm": row(valence=0.6, arousal=-1.3, stress=-0.8),
    "happy": row(valence=2.4, arousal=0.8, surprise=0.3, stress=-0.6),
    "sad": row(valence=-1.7, arousal=-1.5, surprise=0.4, stress=0.4),
    "angry": row(valence=-1.7, arousal=2.0, surprise=-1.3, stress=0.6),
    "fearful": row(valence=-1.1, arousal=1.3, surprise=1.7, stress=2.1),
    "disgust": row(pain=1.4, valence=-2.0, surprise=-0.7, stress=-0.8),
    "surprised": row(valence=0.4, arousal=1.3, surprise=2.5, stress=-0.4),
}


class Clip(NamedTuple):
    """One clip of a pain experiment."""

    subject: int
    number: int  # within the subject, from 0, in the order of presentation
    level: int  # 0 to 4, the label
    felt: float  # standard normal
    shown: Shown


class Conversation(NamedTuple):
    """One recording of somebody in a conversation."""

    shown: Shown  # felt: arousal and valence
    talking: list[tuple[float, float]]  # s, when this person speaks


class Block(NamedTuple):
    """One stretch of an experiment and what it is to bring about."""

    seconds: float
    means: dict[str, float]  # state -> mean over people, in standard deviations of the population


class Session(NamedTuple):
    """All blocks of an experiment with one subject, one after the other."""

    shown: Shown
    felt: np.ndarray  # (blocks, len(STATES)) mean of each block
    reported: np.ndarray  # (blocks, len(STATES)) the same as the subject reports it


def draw(name: str, population: Population) -> list[list[Clip]]:
    """Pain: clips of every subject of the population called `name`."""
    return [pain(name, population, subject) for subject in range(population.subjects)]


def pain(name: str, population: Population, subject: int) -> list[Clip]:
    """Clips of one subject, each with one level; a subject never depends on how many there are."""
    rng = generator("population", name, population.seed, subject)
    count, rest = population.clips, population.clips % LEVELS
    levels = np.repeat(np.arange(LEVELS), count // LEVELS)
    if rest:
        levels = np.append(levels, rng.permutation(LEVELS)[:rest])
    levels = rng.permutation(levels)
    spread = np.sqrt(1 + population.label_noise**2)
    score = spread * norm.ppf((levels + rng.uniform(size=count)) / LEVELS)
    between, within = _open(population)
    felt = score / spread**2 + between * rng.normal() + within * rng.normal(size=count)
    other, chance = rng.normal(size=count), rng.normal(size=count)
    unrelated = population.face.others * rng.normal(size=(count, 3))
    clips = []
    for number, (level, *values) in enumerate(zip(levels.tolist(), felt, other, chance, strict=True)):
        shown = split(*(constant(row(pain=value), CLIP_S) for value in values), population)
        valence, surprise, talk = unrelated[number]
        face = constant(row(valence=valence, surprise=surprise, talk=talk), CLIP_S)
        clips.append(Clip(subject, number, level, float(felt[number]), _with(shown, face=face)))
    return clips


def clean_label(felt: float) -> float:
    """Felt pain as a level without label noise, 0 to 4: where in the population it lies."""
    return float(np.clip(LEVELS * norm.cdf(felt) - 0.5, 0, LEVELS - 1))


def conversation(name: str, population: Population, subject: int, key: int | str, seconds: float) -> Conversation:
    """Arousal and valence that wander, part of them the subject's own, and turns of speech; key names the recording."""
    names = ("arousal", "valence")
    level = generator("temper", name, population.seed, subject).normal(size=(3, 2))
    rng = generator("conversation", name, population.seed, subject, key)
    felt, other, chance = (wandering(rng, seconds, names, AFFECT_WANDERS_S, own, population.icc) for own in level)
    shown = split(felt, other, chance, population)
    talking = _turns(rng, seconds)
    speech = _talk(talking, felt.times)
    surprise = wandering(rng, seconds, ("surprise",), 5.0)
    face = Course(felt.times, speech.states + population.face.others * surprise.states)
    return Conversation(_with(shown, face=face, body=speech), talking)


def conditions(name: str, population: Population, subject: int, plan: list[Block]) -> Session:
    """What a subject feels in the blocks of an experiment, all of them in one course."""
    spread = np.sqrt(1 + population.label_noise**2)
    between, within = _open(population)
    rng = generator("conditions", name, population.seed, subject)
    means = np.array([row(**block.means) for block in plan])
    involved = (means != 0).any(axis=0)
    felt = means / spread + involved * (between * rng.normal(size=len(STATES)) + within * rng.normal(size=means.shape))
    reported = felt + involved * 0.5 * population.label_noise * rng.normal(size=means.shape)
    seconds = np.array([block.seconds for block in plan])
    names = tuple(state for state, used in zip(STATES, involved, strict=True) if used)
    other, chance = (states.blocks(involved * rng.normal(size=means.shape), seconds) for _ in range(2))
    restless = wandering(rng, float(seconds.sum()), names, AFFECT_WANDERS_S)
    course = states.blocks(felt, seconds)
    course = course._replace(states=course.states + 0.3 * restless.states)
    face = wandering(rng, float(seconds.sum()), ("surprise",), 5.0)
    face = face._replace(states=population.face.others * face.states)
    return Session(_with(split(course, other, chance, population), face=face), felt, reported)


def acted(
    name: str, population: Population, subject: int, key: int | str, emotion: str, intensity: float, seconds: float
) -> Shown:
    """One emotion held by an actor; it misses what was asked for by its own way and by chance. key: the recording."""
    if emotion not in EMOTIONS:
        raise ValueError(f"no emotion {emotion}; there are {', '.join(EMOTIONS)}")
    between, within = _open(population)
    actor = generator("actor", name, population.seed, subject).normal(size=len(STATES))
    rng = generator("acted", name, population.seed, subject, key)
    felt = intensity * EMOTIONS[emotion] / np.sqrt(1 + population.label_noise**2)
    felt = felt + between * actor + within * rng.normal(size=len(STATES))
    other, chance = rng.normal(size=(2, len(STATES)))
    return split(*(constant(part, seconds) for part in (felt, other, chance)), population)


def raters(
    rng: np.random.Generator, trace: np.ndarray, step_s: float, n: int, lag_s: float, noise: float
) -> np.ndarray:
    """Continuous ratings (M, n) in -1 to 1 of a state (M,) every step_s: late, smoothed, biased and noisy.

    noise is in deviations of the state; half of its variance is common to all, who misread the same person alike.
    """
    ratings = []
    common = states.ornstein_uhlenbeck(rng, len(trace), 1, 5.0 / step_s)[:, 0]
    for _ in range(n):
        own = states.ornstein_uhlenbeck(rng, len(trace), 1, 5.0 / step_s)[:, 0]
        seen = trace + noise * np.sqrt(0.5) * (common + own)
        late = max(1, round(lag_s * np.exp(rng.normal(0, 0.2)) / step_s))
        seen = np.concatenate([np.full(late, seen[0]), seen])[: len(trace)]
        keep = np.exp(-step_s / 0.8)
        seen = lfilter([1 - keep], [1, -keep], seen, zi=[keep * seen[0]])[0]
        ratings.append(np.clip(rng.normal(0, 0.08) + np.exp(rng.normal(0, 0.15)) * clean_rating(seen), -1, 1))
    return np.column_stack(ratings)


def clean_rating(state: np.ndarray) -> np.ndarray:
    """A state as a rating without noise, -1 to 1."""
    return np.tanh(0.8 * state)


def _open(population: Population) -> tuple[float, float]:
    """Deviations of what the label leaves open of what is felt: of the subject (icc of the whole), of the recording."""
    open_ = 1 - 1 / (1 + population.label_noise**2)
    between = min(population.icc, open_)
    return np.sqrt(between), np.sqrt(open_ - between)


def _with(shown: Shown, **more: Course) -> Shown:
    """Something else added to what some parts show; the times are the same."""
    added = {part: Course(course.times, getattr(shown, part).states + course.states) for part, course in more.items()}
    return shown._replace(**added)


def _turns(rng: np.random.Generator, seconds: float) -> list[tuple[float, float]]:
    """Turns of one of two speakers: gamma distributed times of speaking and of listening."""
    turns, now = [], rng.uniform(0, PAUSE_S)
    while now < seconds - 1:
        end = min(now + 1 + rng.gamma(2, (TURN_S - 1) / 2), seconds)
        turns.append((float(now), float(end)))
        now = end + 0.5 + rng.gamma(2, (PAUSE_S - 0.5) / 2)
    return turns


def _talk(talking: list[tuple[float, float]], times: np.ndarray) -> Course:
    """The state of talking: 1 while somebody speaks, -1 while not."""
    now = np.zeros(len(times))
    for start, end in talking:
        now[(times >= start) & (times < end)] = 1
    smooth = gaussian_filter1d(2 * now - 1, 1.0)
    return Course(times, smooth[:, None] * row(talk=1))
