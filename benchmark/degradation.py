"""Degraded recordings: what an extractor is given, with noise, at a lower rate, and with parts lost.

Every draw comes from (degradation, dataset, recording, modality, channel or frame), never from an order of work.
"""

import hashlib
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmark import seeds
from benchmark.sections import SoundDegradation, VisionDegradation
from benchmark.types import Audio, Crops, Signal, Signals, Video

FINEST = 1000  # largest factor of a change of rate; the rate reached is off by less than a thousandth


class Degrading(NamedTuple):
    """One degradation of one modality of a dataset, as the jobs of an extraction carry it."""

    name: str
    dataset: str
    modality: str
    options: VisionDegradation | SoundDegradation

    def made_from(self) -> dict:
        """What decides the outcome beside the recording, for the header of a shard."""
        source = hashlib.blake2b(Path(__file__).read_bytes(), digest_size=8).hexdigest()
        return self._asdict() | {"options": self.options.model_dump(), "source": source}

    def __call__(self, recording: Video | Crops | Audio | Signals, recording_id: str):
        """The recording as it would have been delivered."""
        identity = ("degradation", self.name, self.dataset, recording_id, self.modality)
        if isinstance(recording, Video | Crops):
            return recording._replace(change=partial(frame, self.options, identity))
        if isinstance(recording, Audio):
            return sound(recording, self.options, seeds.generator(*identity))
        return {
            name: signal(channel, self.options, seeds.generator(*identity, name)) for name, channel in recording.items()
        }


def frame(options: VisionDegradation, identity: tuple, number: int, picture: np.ndarray) -> np.ndarray | None:
    """The decoded frame of a number, (height, width, 3) uint8, or None where it is lost or was not recorded.

    Noise is Gaussian, the same in the three colours, and cut off at 0 and 255.
    """
    if number % options.every:
        return None
    random = seeds.generator(*identity, number)
    if random.random() < options.drop:
        return None
    if options.noise == 0:
        return picture
    noise = options.noise * random.standard_normal(picture.shape[:2], dtype=np.float32)
    return np.clip(np.rint(picture + noise[..., None]), 0, 255).astype(np.uint8)


def sound(audio: Audio, options: SoundDegradation, random: np.random.Generator) -> Audio:
    """Mono sound at a rate of at most rate_hz, with noise; what is lost is silent, as where packets are late."""
    rate, samples = slower(audio.samples, audio.rate, options.rate_hz)
    samples = noisy(samples, options.snr_db, random)
    samples = np.where(lost(len(samples), rate, options, random), 0, samples)
    return Audio(rate, samples.astype(np.float32))


def signal(channel: Signal, options: SoundDegradation, random: np.random.Generator) -> Signal:
    """A channel at a rate of at most rate_hz, with noise; what is lost is missing (NaN), as where a radio drops out."""
    rate, values = slower(np.asarray(channel.values, float), channel.rate, options.rate_hz)
    values = noisy(values, options.snr_db, random)
    values[lost(len(values), rate, options, random)] = np.nan
    return Signal(rate, values)


def slower(values: np.ndarray, rate: float, highest: float | None) -> tuple[float, np.ndarray]:
    """The rate in Hz and the values (samples, ...) resampled to the highest rate, or as they are at a lower one.

    A polyphase low-pass filter comes first, so nothing is folded down. Missing values are bridged by straight lines
    for the filter and are missing again afterwards.
    """
    from scipy.signal import resample_poly

    ratio = max(Fraction((highest or rate) / rate).limit_denominator(FINEST), Fraction(1, FINEST))
    if ratio >= 1 or len(values) < 2:
        return rate, values.copy()
    known = np.isfinite(values)
    bridged = np.apply_along_axis(bridge, 0, values)
    found = resample_poly(bridged, ratio.numerator, ratio.denominator, axis=0, padtype="line")
    nearest = np.minimum(np.rint(np.arange(len(found)) / float(ratio)).astype(int), len(values) - 1)
    return rate * float(ratio), np.where(known[nearest], found, np.nan)


def bridge(values: np.ndarray) -> np.ndarray:
    """Values (samples,) without gaps; all 0 where nothing is known."""
    known = np.flatnonzero(np.isfinite(values))
    return np.interp(np.arange(len(values)), known, values[known]) if len(known) else np.zeros(len(values))


def noisy(values: np.ndarray, snr_db: float | None, random: np.random.Generator) -> np.ndarray:
    """Values (samples, ...) and white Gaussian noise, each column at exactly that ratio to its power about the mean."""
    if snr_db is None:
        return values
    known = np.isfinite(values)
    count = np.maximum(known.sum(axis=0), 1)
    centred = np.where(known, values - np.where(known, values, 0).sum(axis=0) / count, 0)
    noise = np.where(known, random.standard_normal(values.shape), 0)
    power, drawn = (np.square(part).sum(axis=0) for part in (centred, noise))
    return values + noise * np.sqrt(power / np.maximum(drawn, 1e-300) / 10 ** (snr_db / 10))


def lost(samples: int, rate: float, options: SoundDegradation, random: np.random.Generator) -> np.ndarray:
    """Which samples are lost, (samples,) bool: a share of the stretches of stretch_s that the recording consists of.

    Their number is that share, rounded up or down by chance, so the share is right on average in short recordings too.
    """
    stretch = np.arange(samples) // max(1, round(options.stretch_s * rate))
    stretches = int(stretch[-1]) + 1 if samples else 0
    number = int(options.drop * stretches + random.random())
    return np.isin(stretch, random.permutation(stretches)[:number])
