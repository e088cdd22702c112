"""What sensors record of a life: the body's signals with drift, mains hum, movement and noise of the device."""

import numpy as np
from scipy.signal import butter, sosfilt

from benchmark.synthesis import shapes
from benchmark.synthesis.physiology import MUSCLES, Life
from benchmark.synthesis.states import ornstein_uhlenbeck

HUM_HZ = 50.0
PULSE_ARRIVES_S = {"chest": 0.15, "finger": 0.22, "wrist": 0.22}
SITES = tuple(PULSE_ARRIVES_S)
CHANNELS = ("eda", "ecg", "bvp", "resp", "temp", "acc", *(f"emg_{muscle}" for muscle in MUSCLES))
EMG_LEAST_HZ = 100.0


def record(life: Life, channel: str, rate_hz: float, rng: np.random.Generator, site: str = "chest") -> np.ndarray:
    """One channel, (round(duration * rate_hz),) float64; acc (samples, 3).

    eda in uS, ecg and emg_<muscle> in uV, bvp and resp (a belt around the chest) relative, temp in degrees Celsius,
    acc in g. The wrist is the least favourable site.
    """
    if channel not in CHANNELS:
        raise ValueError(f"no sensor for {channel}; there are {', '.join(CHANNELS)}")
    if site not in SITES:
        raise ValueError(f"no site {site}; there are {', '.join(SITES)}")
    time = np.arange(round(life.duration_s * rate_hz)) / rate_hz
    kind, _, muscle = channel.partition("_")
    if muscle:
        return _emg(life, muscle, time, rate_hz, rng)
    return {"eda": _eda, "ecg": _ecg, "bvp": _bvp, "resp": _resp, "temp": _temp, "acc": _acc}[kind](
        life, time, rate_hz, rng, site
    )


def _eda(life: Life, time: np.ndarray, rate: float, rng: np.random.Generator, site: str) -> np.ndarray:
    """Fewer sweat glands at the wrist, and dry electrodes that slip when the arm moves."""
    wrist = site == "wrist"
    signal = (0.5 if wrist else 1.0) * _at(time, life, life.skin) + _drift(time, 0.02, rng)
    if wrist:
        signal = signal + 4.0 * _moving(life, time, rng, 1.0)
    return np.maximum(signal + rng.normal(0, 0.006 if wrist else 0.003, len(time)), 0.01)


def _ecg(life: Life, time: np.ndarray, rate: float, rng: np.random.Generator, site: str) -> np.ndarray:
    wave = life.person.r_wave * np.interp(_at(time, life, life.beats) % 1, *shapes.heartbeat())
    breathing = 80 * _at(time, life, life.depth) * _breath(life, time)
    return wave + breathing + _drift(time, 80, rng) + _hum(time, rate, 8, rng) + rng.normal(0, 12, len(time))


def _bvp(life: Life, time: np.ndarray, rate: float, rng: np.random.Generator, site: str) -> np.ndarray:
    beats = _at(time - PULSE_ARRIVES_S[site], life, life.beats)
    wave = _at(time, life, life.pulse) * np.interp(beats % 1, *shapes.pulse())
    noise = _drift(time, 0.1, rng) + 0.1 * _breath(life, time) + rng.normal(0, 0.015, len(time))
    if site == "wrist":
        noise = noise + 12.0 * _moving(life, time, rng, 3.0) + rng.normal(0, 0.02, len(time))
    return wave + noise


def _resp(life: Life, time: np.ndarray, rate: float, rng: np.random.Generator, site: str) -> np.ndarray:
    belt = life.person.breath * _at(time, life, life.depth) * _breath(life, time)
    moved = 3.0 * _moving(life, time, rng, 1.0)
    return belt + moved + _drift(time, 0.05, rng) + rng.normal(0, 0.01, len(time))


def _temp(life: Life, time: np.ndarray, rate: float, rng: np.random.Generator, site: str) -> np.ndarray:
    cooler = 1.2 if site == "wrist" else 0.0
    return _at(time, life, life.temperature) - cooler + rng.normal(0, 0.02, len(time))


def _acc(life: Life, time: np.ndarray, rate: float, rng: np.random.Generator, site: str) -> np.ndarray:
    """Gravity in the axes of a sensor that sits somehow on a body that tilts, and small movements."""
    reach = 2.5 if site == "wrist" else 1.0
    tilt = reach * np.array([_at(time, life, angle) for angle in life.posture.T])
    if site == "chest":
        tilt[0] += 0.01 * _breath(life, time)
    gravity = np.array([np.sin(tilt[0]), np.cos(tilt[0]) * np.sin(tilt[1]), np.cos(tilt[0]) * np.cos(tilt[1])])
    mount, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    moved = np.column_stack([reach * _moving(life, time, rng, 5.0) for _ in range(3)])
    return (mount @ gravity).T + moved + rng.normal(0, 0.002, (len(time), 3))


def _emg(life: Life, muscle: str, time: np.ndarray, rate: float, rng: np.random.Generator) -> np.ndarray:
    """White noise as strong as the muscle, as NeuroKit's emg_simulate has it, seen through the band of electrodes."""
    if rate < EMG_LEAST_HZ:
        raise ValueError(f"muscles cannot be simulated at {rate:g} Hz: {EMG_LEAST_HZ:g} Hz is the least")
    power = rate / 512  # of white noise within the band, which must not depend on the rate
    activity = _at(time, life, life.muscles[muscle]) * rng.normal(0, np.sqrt(power), len(time))
    band = butter(2, [20, min(240, 0.45 * rate)], "bandpass", fs=rate, output="sos")
    return sosfilt(band, activity) + rng.normal(0, 0.8, len(time)) + _hum(time, rate, 0.7, rng)


def _at(time: np.ndarray, life: Life, values: np.ndarray) -> np.ndarray:
    return np.interp(time, life.times, values)


def _breath(life: Life, time: np.ndarray) -> np.ndarray:
    return np.interp(_at(time, life, life.breaths) % 1, *shapes.breath())


def _moving(life: Life, time: np.ndarray, rng: np.random.Generator, cutoff_hz: float) -> np.ndarray:
    """Random movement below cutoff_hz, as strong as the body moves, g."""
    knots = np.arange(0, time[-1] + 1, 1 / (4 * cutoff_hz))
    path = ornstein_uhlenbeck(rng, len(knots), 1, 2.0)[:, 0]
    return _at(time, life, life.movement) * np.interp(time, knots, path)


def _drift(time: np.ndarray, size: float, rng: np.random.Generator) -> np.ndarray:
    """Slow drift of an electrode, about `size` away after ten seconds."""
    knots = np.arange(0, time[-1] + 2, 1.0)
    return 1.2 * size * np.interp(time, knots, ornstein_uhlenbeck(rng, len(knots), 1, 30.0)[:, 0])


def _hum(time: np.ndarray, rate: float, size: float, rng: np.random.Generator) -> np.ndarray:
    """Mains hum; a device that samples too slowly for it filters it out."""
    phase = rng.random()
    return size * np.sin(2 * np.pi * (HUM_HZ * time + phase)) * (rate > 2 * HUM_HZ)
