"""Bio-signals of one clip from NeuroKit's simulators, driven by how active sweat glands, heart and muscles are."""

from functools import cache
from typing import NamedTuple

import numpy as np
from scipy.signal import butter, sosfilt

MUSCLES = ("trapezius", "corrugator", "zygomaticus")
TONE_UV = {"trapezius": 8.0, "corrugator": 4.0, "zygomaticus": 3.0}  # at rest, median over people
SCR_LASTS_S = 27.0  # NeuroKit's canonical response is three times too fast for skin
SCR_EVERY_S = 8.0
BURST_EVERY_S = 6.0
HUM_HZ = 50.0


class Person(NamedTuple):
    """What does not change within a person."""

    heart_rate: float  # bpm, resting
    sinus_arrhythmia: float  # bpm, amplitude of the breathing rhythm in the heart rate
    breathing_hz: float
    r_wave: float  # uV
    tonic: float  # uS, skin conductance level
    responsiveness: float  # uS, skin conductance response to an average drive
    trapezius: float  # uV, muscle tone
    corrugator: float
    zygomaticus: float


class Drive(NamedTuple):
    """Activations in this clip, each roughly N(0, 1); 0 is the average clip."""

    sweat: float
    heart: float
    trapezius: float
    corrugator: float
    zygomaticus: float


def person(rng: np.random.Generator) -> Person:
    """A random healthy adult."""
    return Person(
        heart_rate=float(np.clip(rng.normal(72, 9), 50, 105)),
        sinus_arrhythmia=_lognormal(rng, 1.2, 0.4),
        breathing_hz=float(np.clip(rng.normal(0.25, 0.04), 0.15, 0.4)),
        r_wave=_lognormal(rng, 900, 0.25),
        tonic=_lognormal(rng, 4.0, 0.5),
        responsiveness=_lognormal(rng, 0.25, 0.35),
        **{muscle: _lognormal(rng, TONE_UV[muscle], 0.3) for muscle in MUSCLES},
    )


def simulate(
    person: Person, drive: Drive, duration_s: float, rate: float, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """eda (uS), ecg and emg_<muscle> (uV) of a clip; the rate must be at least 100 Hz for the muscles."""
    if rate < 100:
        raise ValueError(f"muscles cannot be simulated at {rate:g} Hz: 100 Hz is the least")
    time = np.arange(round(duration_s * rate)) / rate
    signals = {"eda": _eda(person, drive.sweat, time, rng), "ecg": _ecg(person, drive.heart, time, rng)}
    for muscle in MUSCLES:
        signals[f"emg_{muscle}"] = _emg(getattr(person, muscle), getattr(drive, muscle), time, rate, rng)
    return signals


def _eda(person: Person, sweat: float, time: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    duration = time[-1]
    level = person.tonic * (1 + (0.004 * sweat + rng.normal(0, 0.004)) * time)
    evoked = np.arange(rng.uniform(0.4, 1.2), duration, SCR_EVERY_S)
    # The recovery of responses before the clip is part of what a clip shows.
    spontaneous = rng.uniform(-10, duration, rng.poisson(0.06 * np.exp(0.3 * sweat) * (duration + 10)))
    onsets = np.concatenate([evoked, spontaneous])
    shares = np.concatenate([np.ones(len(evoked)), np.full(len(spontaneous), 0.4)])
    amplitudes = person.responsiveness * shares * np.exp(0.55 * sweat + rng.normal(0, 0.25, len(onsets)))
    phasic = sum(
        amplitude * np.interp(time - onset, *_scr(), left=0, right=0)
        for amplitude, onset in zip(amplitudes, onsets, strict=True)
    )
    return level + phasic + _wander(time, 0.02, rng) + rng.normal(0, 0.003, len(time))


def _ecg(person: Person, heart: float, time: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    rising = np.clip(time / time[-1], 0, 1)
    rhythm = person.sinus_arrhythmia * np.exp(-0.15 * heart)
    rhythm = rhythm * np.sin(2 * np.pi * (person.breathing_hz * time + rng.random()))
    change = (2.0 + 5.0 * heart + rng.normal(0, 2.5)) * rising
    rate_bpm = person.heart_rate + rng.normal(0, 3) + change + rhythm
    beats = rng.random() + np.cumsum(np.clip(rate_bpm, 35, 200)) / 60 * (time[1] - time[0])
    wave = np.interp(beats % 1, *_heartbeat())
    breathing = 40 * np.sin(2 * np.pi * (person.breathing_hz * time + rng.random()))
    noise = rng.normal(0, 12, len(time)) + breathing + _wander(time, 80, rng) + _hum(time, 8, rng)
    return person.r_wave * wave + noise


def _emg(tone: float, drive: float, time: np.ndarray, rate: float, rng: np.random.Generator) -> np.ndarray:
    import neurokit2 as nk  # seconds to import, so only when needed

    duration = len(time) / rate
    longer = 1.3 * duration  # the simulator centres its bursts; a random cut moves them
    bursts = max(1, round(longer / BURST_EVERY_S))
    contraction = nk.emg_simulate(
        duration=longer,
        length=int(np.ceil(longer * rate)) + 1,
        sampling_rate=rate,
        burst_number=bursts,
        burst_duration=min(0.22 * np.exp(0.15 * drive), 0.6) * longer / bursts,
        random_state=int(rng.integers(2**31)),
    )
    start = rng.integers(len(contraction) - len(time))
    contraction = contraction[start : start + len(time)] * np.exp(0.6 * drive + rng.normal(0, 0.4))
    activity = tone * (4.0 * contraction + rng.normal(0, 0.7, len(time)))
    band = butter(2, [20, min(240, 0.45 * rate)], "bandpass", fs=rate, output="sos")
    return sosfilt(band, activity) + rng.normal(0, 0.8, len(time)) + _hum(time, 0.7, rng)


@cache
def _scr() -> tuple[np.ndarray, np.ndarray]:
    """Seconds since its onset and values of one skin conductance response of height 1."""
    import neurokit2 as nk

    response = nk.eda_simulate(duration=9, sampling_rate=64, scr_number=1, noise=0, drift=0, random_state=2)
    return np.linspace(0, SCR_LASTS_S, len(response)), response - response[0]


@cache
def _heartbeat() -> tuple[np.ndarray, np.ndarray]:
    """Phases 0 to 1 and values of one beat, from R peak to R peak, with an R peak of height 1."""
    import neurokit2 as nk

    ecg = nk.ecg_simulate(duration=8, sampling_rate=512, heart_rate=70, heart_rate_std=0, noise=0, random_state=0)
    start, end = nk.ecg_findpeaks(ecg, sampling_rate=512)["ECG_R_Peaks"][3:5]
    beat = ecg[start : end + 1] - np.median(ecg)
    return np.linspace(0, 1, len(beat)), beat / beat[0]


def _wander(time: np.ndarray, size: float, rng: np.random.Generator) -> np.ndarray:
    """Slow drift of an electrode: a smoothed random walk, about `size` away after ten seconds."""
    knots = np.arange(0, time[-1] + 2, 1.0)
    return np.interp(time, knots, np.cumsum(rng.normal(0, size / np.sqrt(10), len(knots))))


def _hum(time: np.ndarray, size: float, rng: np.random.Generator) -> np.ndarray:
    return size * np.sin(2 * np.pi * (HUM_HZ * time + rng.random()))


def _lognormal(rng: np.random.Generator, median: float, spread: float) -> float:
    return float(median * np.exp(rng.normal(0, spread)))
