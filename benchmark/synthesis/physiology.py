"""What the body does in a recording, driven by how active sweat glands, heart, lungs and muscles are.

Whatever a sensor records (sensors.py) comes from one life: the same beats make ECG and pulse wave, the same breaths
move chest, heart rate and ECG, the same sweat reaches every site.
"""

from typing import NamedTuple

import numpy as np
from scipy.signal import lfilter

from benchmark.synthesis import shapes
from benchmark.synthesis.states import along, ornstein_uhlenbeck

MUSCLES = ("trapezius", "corrugator", "zygomaticus")
TONE_UV = {"trapezius": 8.0, "corrugator": 4.0, "zygomaticus": 3.0}  # at rest, median over people
GRID_HZ = 32.0
LEAD_S = 1.0  # what is computed before and after the recording: a pulse wave starts before it arrives
SCR_EVERY_S = 8.0
BURST_S, BURST_EVERY_S = 1.5, 6.0


class Person(NamedTuple):
    """What does not change within a person."""

    heart_rate: float  # bpm, resting
    sinus_arrhythmia: float  # bpm, amplitude of the breathing rhythm in the heart rate
    breathing_hz: float
    breath: float  # depth of a breath at rest, relative
    r_wave: float  # uV
    pulse: float  # height of a pulse wave at rest, relative
    tonic: float  # uS, skin conductance level
    responsiveness: float  # uS, skin conductance response to an average drive
    skin_temperature: float  # degrees Celsius
    trapezius: float  # uV, muscle tone
    corrugator: float
    zygomaticus: float


class Drive(NamedTuple):
    """Activations over a recording, each roughly N(0, 1): one number, or one for each of times."""

    sweat: np.ndarray | float
    heart: np.ndarray | float
    trapezius: np.ndarray | float
    corrugator: np.ndarray | float
    zygomaticus: np.ndarray | float
    breathing: np.ndarray | float
    times: np.ndarray = np.zeros(1)  # s from the start of the recording


class Life(NamedTuple):
    """What one body does over a recording."""

    person: Person
    duration_s: float
    times: np.ndarray  # (M,) s, from before the start until after the end
    beats: np.ndarray  # (M,) heart beats so far; whole numbers are R peaks
    breaths: np.ndarray  # (M,) breaths so far; whole numbers are starts of inspiration
    depth: np.ndarray  # (M,) of breathing, 1 = at rest
    pulse: np.ndarray  # (M,) height of the pulse wave, relative
    skin: np.ndarray  # (M,) uS, skin conductance where it is best measured
    temperature: np.ndarray  # (M,) degrees Celsius, of the skin
    muscles: dict[str, np.ndarray]  # (M,) uV root mean square each
    movement: np.ndarray  # (M,) g root mean square
    posture: np.ndarray  # (M, 2) rad, slow tilts of the trunk


def person(rng: np.random.Generator) -> Person:
    """A random healthy adult."""
    return Person(
        heart_rate=float(np.clip(rng.normal(72, 9), 50, 105)),
        sinus_arrhythmia=_lognormal(rng, 1.2, 0.4),
        breathing_hz=float(np.clip(rng.normal(0.25, 0.035), 0.15, 0.4)),
        breath=_lognormal(rng, 1.0, 0.25),
        r_wave=_lognormal(rng, 900, 0.25),
        pulse=_lognormal(rng, 1.0, 0.25),
        tonic=_lognormal(rng, 4.0, 0.5),
        responsiveness=_lognormal(rng, 0.25, 0.35),
        skin_temperature=float(rng.normal(33.5, 0.7)),
        **{muscle: _lognormal(rng, TONE_UV[muscle], 0.3) for muscle in MUSCLES},
    )


def live(person: Person, drive: Drive, duration_s: float, rng: np.random.Generator) -> Life:
    """One recording of a body that starts at rest and follows its drive."""
    times = np.arange(round((duration_s + 2 * LEAD_S) * GRID_HZ) + 1) / GRID_HZ - LEAD_S
    breaths, depth = _breathing(person, along(drive, "breathing", times), rng)
    beats = _heart(person, along(drive, "heart", times), breaths, rng)
    sweat = along(drive, "sweat", times)
    arousal = _lagged(0.5 * (sweat + along(drive, "heart", times)), 5.0)
    muscles = {name: _muscle(getattr(person, name), drive, name, times, duration_s, rng) for name in MUSCLES}
    unrest = 0.5 * _lagged(along(drive, "trapezius", times), 2.0) + 0.6 * _wandering(rng, times, 5.0)
    return Life(
        person=person,
        duration_s=duration_s,
        times=times,
        beats=beats,
        breaths=breaths,
        depth=depth,
        pulse=person.pulse * np.exp(-0.2 * arousal + 0.05 * _wandering(rng, times, 20.0)),
        skin=_skin(person, sweat, times, rng),
        temperature=_temperature(person, sweat, times, rng),
        muscles=muscles,
        movement=0.004 * np.exp(unrest),
        posture=0.04 * np.column_stack([_wandering(rng, times, 60.0) for _ in range(2)]),
    )


def _breathing(person: Person, drive: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Breaths so far and their depth."""
    active = _lagged(drive, 4.0)
    hz = person.breathing_hz * np.exp(0.2 * active + 0.08 * _wandering(rng, drive, 8.0))
    depth = np.exp(0.15 * active + 0.1 * _wandering(rng, drive, 10.0))
    return rng.random() + np.cumsum(np.clip(hz, 0.08, 0.8)) / GRID_HZ, depth


def _heart(person: Person, drive: np.ndarray, breaths: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Heart beats so far: a resting rate, what the drive adds after some seconds, and the rhythm of breathing."""
    active = _lagged(drive + 0.5 * _wandering(rng, drive, 30.0), 4.0)
    rhythm = person.sinus_arrhythmia * np.exp(-0.15 * active) * np.sin(2 * np.pi * breaths)
    bpm = person.heart_rate + rng.normal(0, 3) + 7.0 * active + rhythm + 0.6 * _wandering(rng, drive, 4.0)
    return rng.random() + np.cumsum(np.clip(bpm, 42, 200)) / 60 / GRID_HZ


def _skin(person: Person, sweat: np.ndarray, times: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A level that follows the drive within a minute, and responses that grow in number and size with it."""
    level = person.tonic * np.exp(_lagged(0.24 * (sweat + _wandering(rng, times, 120.0)), 60.0))
    end = times[-1]
    evoked = [rng.uniform(0.4, 1.2)]
    while evoked[-1] < end:
        pace = np.exp(-0.2 * np.interp(evoked[-1], times, sweat))
        evoked.append(evoked[-1] + SCR_EVERY_S * np.clip(pace, 0.5, 2.0) * rng.uniform(0.7, 1.6))
    # The recovery of responses before the recording is part of what it shows.
    span = 10 + end
    chances = rng.uniform(-10, end, rng.poisson(0.3 * span))
    spontaneous = chances[rng.random(len(chances)) < 0.2 * np.exp(0.3 * np.interp(chances, times, sweat))]
    onsets = np.concatenate([evoked, spontaneous])
    shares = np.concatenate([np.ones(len(evoked)), np.full(len(spontaneous), 0.4)])
    drive = np.interp(onsets, times, sweat)
    sizes = person.responsiveness * shares * np.exp(0.55 * drive + rng.normal(0, 0.25, len(onsets)))
    phasic = np.zeros(len(times))
    for onset, size in zip(onsets, sizes, strict=True):
        now = slice(*np.searchsorted(times, (onset, onset + shapes.SCR_LASTS_S)))
        phasic[now] += size * np.interp(times[now] - onset, *shapes.scr())
    return level + phasic


def _temperature(person: Person, sweat: np.ndarray, times: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Skin cools a little under activation, because its vessels narrow, and warms under a sensor."""
    warming = 0.3 * (1 - np.exp(-np.maximum(times, 0) / 400))
    return person.skin_temperature + warming + _lagged(-0.25 * sweat, 60.0) + 0.1 * _wandering(rng, times, 150.0)


def _muscle(
    tone: float, drive: Drive, name: str, times: np.ndarray, duration_s: float, rng: np.random.Generator
) -> np.ndarray:
    """Resting tone and a burst about every six seconds whose length and strength follow the drive, uV RMS."""
    active = along(drive, name, times)
    burst, onset = np.zeros(len(times)), rng.uniform(-0.5, 2.5)
    while onset < duration_s:
        now = np.interp(onset, times, active)
        length = BURST_S * np.clip(np.exp(0.15 * now), 0.5, 2.0)
        strength = np.exp(0.6 * now + rng.normal(0, 0.4))
        inside = slice(*np.searchsorted(times, (onset, onset + length)))
        burst[inside] = np.maximum(burst[inside], strength)
        onset += BURST_EVERY_S * rng.uniform(0.7, 1.3)
    return tone * np.hypot(0.7 * np.exp(0.1 * active), 2.3 * burst)


def _lagged(values: np.ndarray, seconds: float) -> np.ndarray:
    """A first-order follower of values that starts at 0."""
    keep = np.exp(-1 / (seconds * GRID_HZ))
    return lfilter([1 - keep], [1.0, -keep], values)


def _wandering(rng: np.random.Generator, like: np.ndarray, timescale_s: float) -> np.ndarray:
    """Noise of unit variance on the grid, as long as another array."""
    return ornstein_uhlenbeck(rng, len(like), 1, timescale_s * GRID_HZ)[:, 0]


def _lognormal(rng: np.random.Generator, median: float, spread: float) -> float:
    return float(median * np.exp(rng.normal(0, spread)))
