"""Latent states over a recording, and which part of them face, voice and body show."""

from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.signal import lfilter

from benchmark.params import Population

STATES = ("pain", "valence", "surprise", "talk", "arousal", "stress")
GRID_HZ = 5.0


class Course(NamedTuple):
    """States over a recording, each roughly N(0, 1) over the population."""

    times: np.ndarray  # (M,) s from the start of the recording, ascending
    states: np.ndarray  # (M, len(STATES))

    def at(self, times: np.ndarray) -> np.ndarray:
        """The states at times, (len(times), len(STATES)); before the first and after the last they stay."""
        return np.column_stack([np.interp(times, self.times, column) for column in self.states.T])

    def of(self, name: str) -> np.ndarray:
        """One state, (M,)."""
        return self.states[:, STATES.index(name)]

    @property
    def still(self) -> bool:
        """Whether nothing changes over the recording."""
        return bool((self.states == self.states[0]).all())


class Shown(NamedTuple):
    """What is felt in a recording, and what each part of a person shows of it."""

    felt: Course
    face: Course
    voice: Course
    body: Course

    def cut(self, start_s: float, end_s: float) -> "Shown":
        """A part of it, with times from its own start."""
        times = grid(end_s - start_s)
        return Shown(*(Course(times, course.at(start_s + times)) for course in self))


def row(**values: float) -> np.ndarray:
    """States by name, the others 0, (len(STATES),)."""
    if unknown := sorted(set(values) - set(STATES)):
        raise ValueError(f"no state {', '.join(unknown)}; there are {', '.join(STATES)}")
    return np.array([values.get(name, 0.0) for name in STATES], float)


def constant(states: np.ndarray, duration_s: float) -> Course:
    """One state throughout; states (len(STATES),)."""
    return Course(np.array([0.0, duration_s]), np.tile(np.asarray(states, float), (2, 1)))


def grid(duration_s: float) -> np.ndarray:
    """Times of a course that changes, s; the last is not before the end."""
    return np.arange(int(np.ceil(duration_s * GRID_HZ)) + 1) / GRID_HZ


def wandering(
    rng: np.random.Generator,
    duration_s: float,
    names: tuple[str, ...],
    timescale_s: float,
    level: np.ndarray | float = 0.0,
    icc: float = 0.0,
) -> Course:
    """Stationary courses of unit variance in the named states; the others are 0.

    level is the subject's standard normal of each name, (len(names),), and makes up icc of the variance.
    """
    times = grid(duration_s)
    states = np.zeros((len(times), len(STATES)))
    walk = ornstein_uhlenbeck(rng, len(times), len(names), timescale_s * GRID_HZ)
    states[:, [STATES.index(name) for name in names]] = np.sqrt(icc) * level + np.sqrt(1 - icc) * walk
    return Course(times, states)


def blocks(states: np.ndarray, seconds: np.ndarray, change_s: float = 8.0) -> Course:
    """One state after the other, (B, len(STATES)) for (B,) seconds each, with smooth changes of about change_s."""
    times = grid(float(np.sum(seconds)))
    at = np.minimum(np.searchsorted(np.cumsum(seconds), times, side="right"), len(seconds) - 1)
    steps = np.asarray(states, float)[at]
    return Course(times, gaussian_filter1d(steps, change_s * GRID_HZ / 4, axis=0, mode="nearest"))


def ornstein_uhlenbeck(rng: np.random.Generator, steps: int, columns: int, timescale: float) -> np.ndarray:
    """Independent stationary Ornstein-Uhlenbeck processes of unit variance, (steps, columns); timescale in steps."""
    keep = np.exp(-1 / timescale)
    shocks = rng.normal(size=(steps, columns))
    shocks[1:] *= np.sqrt(1 - keep**2)
    return lfilter([1.0], [1.0, -keep], shocks, axis=0)


def disturbed(
    rng: np.random.Generator, course: Course, times: np.ndarray, columns: int, timescale_s: float
) -> np.ndarray:
    """Noise of unit variance: one draw (columns,) in a still course, else wandering at times, (len(times), columns)."""
    if course.still:
        return rng.normal(size=columns)
    knots = grid(course.times[-1])
    walk = ornstein_uhlenbeck(rng, len(knots), columns, timescale_s * GRID_HZ)
    return np.column_stack([np.interp(times, knots, column) for column in walk.T])


def parts(felt: np.ndarray, other: np.ndarray, chance: np.ndarray, hidden: float) -> dict[str, np.ndarray]:
    """What there is to show: all independent standard normals in, standard normals out.

    `hidden` of the variance of what is felt is in the hidden part, the rest in the shown one; the two are independent.
    """
    seen, unseen = np.sqrt(1 - hidden), np.sqrt(hidden)
    return {
        "felt": felt,
        "shown": seen * felt - unseen * other,
        "hidden": unseen * felt + seen * other,
        "nothing": chance,
    }


def split(felt: Course, other: Course, chance: Course, population: Population) -> Shown:
    """What face, voice and body show of felt; other and chance are independent courses like it, on the same times."""
    shows = parts(felt.states, other.states, chance.states, population.hidden)
    shows = {name: Course(felt.times, states) for name, states in shows.items()}
    return Shown(felt, shows["shown"], shows[population.voice.shows], shows[population.body.shows])


def along(driven: NamedTuple, part: str, times: np.ndarray) -> np.ndarray:
    """One part of what states drive, a Drive or a Delivery, at times, (len(times),)."""
    return np.interp(times, driven.times, np.atleast_1d(getattr(driven, part)))
