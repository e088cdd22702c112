"""Sound of a vocal tract, source and filter (Fant 1960): glottal pulses (Rosenberg 1971), hiss, formant resonances."""

from typing import NamedTuple

import numpy as np
from scipy.signal import butter, lfilter, sosfilt

RATE_HZ = 16000  # everything is made at this rate
CONTROL_HZ = 200
RISING, FALLING = 0.42, 0.16  # shares of a glottal cycle during which the flow rises and falls
BANDWIDTHS_HZ = (70.0, 90.0, 130.0, 200.0, 260.0)
HISS_HZ = ((600.0, 3000.0), (1800.0, 4500.0), (3800.0, 7600.0))
WINDOW, HOP, LENGTH = 512, 128, 1024  # samples; filtered pieces are longer than the window because formants ring
PIECES = 512  # filtered at a time


class Score(NamedTuple):
    """What a vocal tract does, CONTROL_HZ times a second."""

    pitch: np.ndarray  # (M,) Hz
    voicing: np.ndarray  # (M,) amplitude of the pulses
    hiss: np.ndarray  # (M, 3) amplitude of the noise made in each band of HISS_HZ
    formants: np.ndarray  # (M, 5) Hz
    brightness: np.ndarray  # (M,) 0 = dark, 1 = the pulses as they are
    breath: np.ndarray  # (M,) noise of the glottis, relative to the pulses
    roughness: np.ndarray  # (M,) deviation of a cycle's length, relative


def sound(score: Score, rng: np.random.Generator) -> np.ndarray:
    """The voice at RATE_HZ, (M * RATE_HZ / CONTROL_HZ,), at no particular level and without a room."""
    samples = len(score.pitch) * RATE_HZ // CONTROL_HZ
    voiced = _resonate(_pulses(score, samples, rng), score.formants)
    white = rng.normal(size=samples)
    for band, amplitude in zip(HISS_HZ, score.hiss.T, strict=True):
        noise = sosfilt(butter(2, band, "bandpass", fs=RATE_HZ, output="sos"), white)
        voiced += _raised(amplitude, samples) * noise / noise.std()
    return voiced


def _raised(control: np.ndarray, samples: int) -> np.ndarray:
    """A control at every sample."""
    return np.interp(np.arange(samples) / RATE_HZ, np.arange(len(control)) / CONTROL_HZ, control)


def _pulses(score: Score, samples: int, rng: np.random.Generator) -> np.ndarray:
    """Derivative of the flow through the glottis; cycles differ in length and height, the open glottis breathes."""
    speed = _raised(score.pitch, samples) / RATE_HZ
    cycle = np.cumsum(speed).astype(int)
    roughness = _raised(score.roughness, samples)
    phase = np.cumsum(speed * (1 + roughness * rng.normal(size=cycle[-1] + 1)[cycle]))
    cycle, phase = phase.astype(int), phase % 1
    opening = np.sin(np.pi * phase / RISING) / RISING
    closing = -np.sin(0.5 * np.pi * (phase - RISING) / FALLING) / FALLING
    open_ = phase < RISING + FALLING
    flow = np.where(phase < RISING, opening, np.where(open_, 0.5 * closing, 0.0))
    height = 1 + 5 * roughness * rng.normal(size=cycle[-1] + 1)[cycle]
    breath = _raised(score.breath, samples) * (0.3 + open_) * rng.normal(size=samples)
    source = _raised(score.voicing, samples) * (flow * height + breath)
    keep = np.exp(-2 * np.pi * 500 / RATE_HZ)
    dark = lfilter([1 - keep], [1, -keep], source)
    return dark + _raised(score.brightness, samples) * (source - dark)


def _resonate(source: np.ndarray, formants: np.ndarray) -> np.ndarray:
    """The source through resonances that move: windowed pieces are filtered by their spectra and added up."""
    pieces = len(source) // HOP + WINDOW // HOP
    padded = np.pad(source, (WINDOW - HOP, pieces * HOP + LENGTH - len(source)))
    starts = np.arange(pieces) * HOP
    middles = np.clip((starts + HOP - WINDOW / 2) / RATE_HZ * CONTROL_HZ, 0, len(formants) - 1)
    moving = formants[np.round(middles).astype(int)]
    window = np.hanning(WINDOW + 1)[:-1] / 2
    result = np.zeros(len(padded))
    for some in np.array_split(np.arange(pieces), max(1, pieces // PIECES)):
        spectra = np.fft.rfft(padded[starts[some][:, None] + np.arange(WINDOW)] * window, LENGTH)
        for start, piece in zip(starts[some], np.fft.irfft(spectra * _response(moving[some])), strict=True):
            result[start : start + LENGTH] += piece
    return result[WINDOW - HOP :][: len(source)]


def _response(formants: np.ndarray) -> np.ndarray:
    """Spectra of cascaded resonators that pass 0 Hz unchanged, (pieces, LENGTH / 2 + 1)."""
    delay = np.exp(-2j * np.pi * np.arange(LENGTH // 2 + 1) / LENGTH)
    below = np.ones((len(formants), len(delay)), complex)
    for hz, bandwidth in zip(formants.T, BANDWIDTHS_HZ, strict=True):
        radius = np.exp(-np.pi * bandwidth / RATE_HZ)
        turn = 2 * radius * np.cos(2 * np.pi * hz / RATE_HZ)[:, None]
        below *= (1 - turn * delay + radius**2 * delay**2) / (1 - turn + radius**2)
    return 1 / below
