"""Features of speech: timbre, pitch, energy and rhythm, by librosa from a single spectrogram.

Where the user has installed `opensmile`, the 88 eGeMAPS functionals stand beside them as clip-level features.
openSMILE is free for research and private use only; `extras: none` leaves it out.
"""

import warnings
from functools import cache
from pathlib import Path
from tempfile import gettempdir
from typing import Literal, NamedTuple

import librosa
import numpy as np
from filelock import FileLock
from pydantic import BaseModel, Field, model_validator
from scipy.ndimage import uniform_filter1d
from scipy.signal import find_peaks

from benchmark.sensing import extras
from benchmark.types import Audio, Definitions, Features, Unusable

VERSION = 2
COEFFICIENTS = 13
BANDS = 40
DEPTH = 80.0  # dB below the loudest band of a clip at which bands are cut off
CHUNK = 2048  # frames measured at once, so that a long recording fits into memory


class Options(BaseModel, extra="forbid"):
    """What a user may set."""

    rate: int = Field(16000, ge=8000, description="samples per second everything is measured at, Hz")
    frame: int = Field(1024, ge=256, description="samples per analysis frame; half of it must hold the lowest pitch")
    hop: int = Field(256, ge=32, description="samples between frames")
    min_seconds: float = Field(0.3, gt=0, description="shorter recordings are unusable")
    silence_db: float = Field(-60.0, lt=0, description="level below which there is no sound, dB of full scale")
    quiet_db: float = Field(30.0, gt=0, description="how far below the loud frames a frame counts as pause, dB")
    max_clipped: float = Field(0.3, gt=0, le=1, description="share of samples at the extremes that makes it unusable")
    pitch_hz: tuple[float, float] = Field((65.0, 500.0), description="lowest and highest pitch, Hz")
    min_periodicity: float = Field(0.5, description="least correlation with the next period in a voiced frame")
    min_pause_s: float = Field(0.2, gt=0, description="shortest pause, s")
    extras: Literal["auto", "none"] = Field("auto", description="auto adds eGeMAPS if opensmile is installed")

    @model_validator(mode="after")
    def _pitch_fits(self):
        low, high = self.pitch_hz
        if not self.rate / (self.frame // 2) < low < high < self.rate / 4:
            raise ValueError(f"pitch_hz {low:g} to {high:g} does not fit half a frame of {self.frame} samples")
        return self


class Analysis(NamedTuple):
    """The recording, and everything measured once per frame; frame i is centred at i * hop / rate seconds."""

    audio: Audio  # as recorded
    bands: np.ndarray  # (bands, frames) mel bands, dB
    level: np.ndarray  # (frames,) dB of full scale
    spectrum: np.ndarray  # (centroid, roll-off, flatness, zero crossings; frames)
    pitch: np.ndarray  # (frames,) Hz, whether voiced or not
    periodicity: np.ndarray  # (frames,) -1 to 1
    whole: np.ndarray  # (frames,) bool: resembles itself after a whole period, not after half of one


class Track(NamedTuple):
    """The frames of one clip."""

    timbre: np.ndarray  # (coefficients, frames)
    level: np.ndarray  # dB
    spectrum: np.ndarray  # (centroid, roll-off, flatness, flux, zero crossings; frames)
    active: np.ndarray  # bool: louder than a pause
    voiced: np.ndarray  # bool
    pitch: np.ndarray  # Hz, NaN where not voiced
    periodicity: np.ndarray  # -1 to 1


SPECTRUM = {
    "centroid": "mean spectral centroid, Hz",
    "rolloff": "mean frequency below which 85 % of the magnitude lies, Hz",
    "flatness": "mean spectral flatness, ln of a ratio",
    "flux": "mean increase of the band levels from frame to frame, dB",
    "zero_crossings": "mean share of samples at which the sign changes, 0 to 1",
}


def definitions(channels: tuple[str, ...], options: Options) -> Definitions:
    """The features; sound has no channels to choose from."""
    order = range(1, COEFFICIENTS + 1)
    segment = {f"speech_mfcc_{i}": f"mean mel-cepstral coefficient {i}, dB" for i in order}
    segment |= {f"speech_mfcc_{i}_deviation": f"standard deviation of coefficient {i}, dB" for i in order}
    segment |= {f"speech_{name}": text for name, text in SPECTRUM.items()}
    segment |= {
        "speech_level": "mean level, dB of full scale",
        "speech_level_deviation": "standard deviation of the level, dB",
        "speech_pitch": "mean pitch of voiced frames, semitones over 55 Hz",
        "speech_pitch_deviation": "standard deviation of the pitch, semitones",
        "speech_periodicity": "mean correlation of active frames with their next period, -1 to 1",
        "speech_voiced_share": "share of voiced frames, 0 to 1",
    }
    clip = {
        "speech_pitch_median": "median pitch, Hz",
        "speech_pitch_range": "10 to 90 % quantile of the pitch, semitones",
        "speech_pitch_slope": "trend of the pitch over the clip, semitones/s",
        "speech_active_share": "share of frames that are not pauses, 0 to 1",
        "speech_voiced_total": "share of voiced frames, 0 to 1",
        "speech_level_range": "10 to 90 % quantile of the level of active frames, dB",
        "speech_level_slope": "trend of the level of active frames, dB/s",
        "speech_syllable_rate": "peaks of the smoothed level, at least 4 dB prominent, per s",
        "speech_pause_rate": "pauses between sounds, per s",
        "speech_pause_longest": "longest pause, 0 if there is none, s",
    }
    if _smiling(options):
        clip |= {f"egemaps_{name}": f"eGeMAPSv02 functional {name}" for name in extras.egemaps_names()}
    return Definitions(segment, clip)


def versions(options: Options) -> dict[str, str]:
    """The packages beside this project that take part."""
    return {"opensmile": extras.opensmile().__version__} if _smiling(options) else {}


def analyse(audio: Audio, options: Options) -> Analysis:
    """Measure the recording frame by frame."""
    samples = np.asarray(audio.samples, np.float32).ravel()
    known = np.isfinite(samples)
    if not known.any():
        raise Unusable(
            "audio: contains only NaN or infinite values" if samples.size else "audio: empty, it has no samples"
        )
    _compile()
    audio = Audio(audio.rate, samples)
    samples = np.where(known, samples - samples[known].mean(), 0).astype(np.float32)
    try:
        samples = librosa.resample(samples, orig_sr=audio.rate, target_sr=options.rate)
        padded = np.pad(samples, options.frame // 2)
        frames = 1 + (padded.size - options.frame) // options.hop
        parts = [_measure(padded, first, min(first + CHUNK, frames), options) for first in range(0, frames, CHUNK)]
    except (librosa.ParameterError, ValueError) as error:
        raise Unusable(f"audio: librosa failed, {type(error).__name__}: {error}") from error
    return Analysis(audio, *(np.concatenate(part, axis=-1) for part in zip(*parts, strict=True)))


def extract(analysis: Analysis, start_s: float, end_s: float, segments: int, options: Options) -> Features:
    """Aggregate the frames of one clip in equal segments and over the clip."""
    rate = analysis.audio.rate
    last = analysis.audio.samples.size if np.isinf(end_s) else round(end_s * rate)
    samples = analysis.audio.samples[round(start_s * rate) : last]
    _check(samples, rate, options)
    step = options.hop / options.rate
    first = int(np.ceil(start_s / step - 1e-6))
    frames = slice(first, int(np.ceil(end_s / step - 1e-6)) if np.isfinite(end_s) else None)
    length = (end_s if np.isfinite(end_s) else analysis.audio.samples.size / rate) - start_s
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # the mean of no voiced frame is NaN, as it should be
        track = _track(analysis, frames, options)
        passed = (first + np.arange(track.level.size)) * step - start_s
        segment = np.minimum((passed / length * segments).astype(int), segments - 1)
        clip = _clip(track, step, options)
        if _smiling(options):
            clip = np.append(clip, extras.egemaps(samples, rate))
        return Features(_segments(track, segment, segments), clip)


@cache
def _compile() -> None:
    """librosa compiles itself on its first use, and two processes that store the result at once leave one that
    crashes whoever loads it; so one at a time."""
    with FileLock(Path(gettempdir()) / "librosa-compiles.lock"):
        _measure(np.zeros(4096, np.float32), 0, 2, Options())


def _smiling(options: Options) -> bool:
    return options.extras == "auto" and extras.opensmile() is not None


def _check(samples: np.ndarray, rate: float, options: Options) -> None:
    """Unusable where there is nothing to hear in a clip."""
    if not samples.size:
        raise Unusable("audio: empty, it has no samples")
    if not np.isfinite(samples).all():
        raise Unusable("audio: contains NaN or infinite values")
    if samples.size < options.min_seconds * rate:
        raise Unusable(f"audio: too short, {samples.size / rate:.2f} s")
    if 20 * np.log10(np.std(samples) + 1e-12) < options.silence_db:
        raise Unusable(f"audio: silent, below {options.silence_db:g} dB of full scale")
    clipped = np.mean(np.abs(samples) >= 0.999 * np.abs(samples).max())
    if clipped > options.max_clipped:
        raise Unusable(f"audio: clipped, {clipped:.0%} of the samples are at the extremes")


def _measure(padded: np.ndarray, first: int, last: int, options: Options) -> tuple[np.ndarray, ...]:
    """The fields of Analysis, but the first, of some frames of the padded samples."""
    rate, frame, hop = options.rate, options.frame, options.hop
    samples = padded[first * hop : (last - 1) * hop + frame]
    framing = {"frame_length": frame, "hop_length": hop, "center": False}
    magnitude = np.abs(librosa.stft(samples, n_fft=frame, hop_length=hop, center=False))
    bands = librosa.power_to_db(librosa.feature.melspectrogram(S=magnitude**2, sr=rate, n_mels=BANDS), top_db=None)
    level = librosa.amplitude_to_db(librosa.feature.rms(S=magnitude, frame_length=frame)[0], top_db=None)
    spectrum = [
        librosa.feature.spectral_centroid(S=magnitude, sr=rate)[0],
        librosa.feature.spectral_rolloff(S=magnitude, sr=rate)[0],
        np.log(librosa.feature.spectral_flatness(S=magnitude)[0]),
        librosa.feature.zero_crossing_rate(samples, **framing)[0],
    ]
    pitch = librosa.yin(samples, fmin=options.pitch_hz[0], fmax=options.pitch_hz[1], sr=rate, **framing)
    periodicity = _periodicity(samples, rate / pitch, options)
    # A dull noise resembles itself after any short time; a voice only after a whole period.
    whole = periodicity > _periodicity(samples, rate / pitch / 2, options) + 0.1
    return bands, level, np.array(spectrum), pitch, periodicity, whole


def _track(analysis: Analysis, at: slice, options: Options) -> Track:
    """The frames of a clip, with what depends on how loud the clip is."""
    bands, level = analysis.bands[:, at], analysis.level[at]
    bands = np.maximum(bands, bands.max() - DEPTH)
    active = level > max(np.quantile(level, 0.95) - options.quiet_db, options.silence_db)
    voiced = active & analysis.whole[at] & (analysis.periodicity[at] > options.min_periodicity)
    flux = np.maximum(np.diff(bands, axis=1, prepend=bands[:, :1]), 0).mean(axis=0)
    timbre = librosa.feature.mfcc(S=bands, n_mfcc=COEFFICIENTS + 1)[1:]  # the first is the level once more
    spectrum = np.insert(analysis.spectrum[:, at], 3, flux, axis=0)
    return Track(
        timbre, level, spectrum, active, voiced, np.where(voiced, analysis.pitch[at], np.nan), analysis.periodicity[at]
    )


def _periodicity(samples: np.ndarray, period: np.ndarray, options: Options) -> np.ndarray:
    """Correlation of each frame with itself one period later: yin always answers, even in noise and silence."""
    half = options.frame // 2
    frames = librosa.util.frame(samples, frame_length=options.frame, hop_length=options.hop, axis=0)
    lag = np.clip(np.rint(period).astype(int), 1, half)
    early = frames[:, :half]
    late = np.take_along_axis(frames, lag[:, None] + np.arange(half), axis=1)
    early = early - early.mean(axis=1, keepdims=True)
    late = late - late.mean(axis=1, keepdims=True)
    power = np.sqrt((early**2).sum(axis=1) * (late**2).sum(axis=1))
    return (early * late).sum(axis=1) / np.maximum(power, 1e-12)


def _segments(track: Track, segment: np.ndarray, segments: int) -> np.ndarray:
    tone = _semitones(track.pitch)
    rows = []
    for at in (segment == number for number in range(segments)):
        timbre = track.timbre[:, at]
        voice = [
            track.level[at].mean(),
            track.level[at].std(),
            np.nanmean(tone[at]),
            np.nanstd(tone[at]),
            track.periodicity[at][track.active[at]].mean(),
            track.voiced[at].mean(),
        ]
        spectrum = track.spectrum[:, at].mean(axis=1)
        rows.append(np.concatenate([timbre.mean(axis=1), timbre.std(axis=1), spectrum, voice]))
    return np.array(rows, np.float32)


def _clip(track: Track, step: float, options: Options) -> np.ndarray:
    tone = _semitones(track.pitch)
    loud = np.where(track.active, track.level, np.nan)
    seconds = track.level.size * step
    pauses = _pauses(track.active) * step
    pauses = pauses[pauses >= options.min_pause_s]
    smooth = uniform_filter1d(np.maximum(track.level, np.nanmin(loud)), max(1, round(0.08 / step)))
    values = [
        np.nanmedian(track.pitch),
        np.nanquantile(tone, 0.9) - np.nanquantile(tone, 0.1),
        _trend(tone, step),
        track.active.mean(),
        track.voiced.mean(),
        np.nanquantile(loud, 0.9) - np.nanquantile(loud, 0.1),
        _trend(loud, step),
        len(find_peaks(smooth, prominence=4)[0]) / seconds,
        len(pauses) / seconds,
        pauses.max(initial=0.0),
    ]
    return np.array(values, np.float32)


def _pauses(active: np.ndarray) -> np.ndarray:
    """Lengths, in frames, of the inactive runs between active frames."""
    return np.diff(np.flatnonzero(active)) - 1


def _trend(values: np.ndarray, step: float) -> float:
    known = np.flatnonzero(~np.isnan(values))
    return np.polyfit(known * step, values[known], 1)[0] if known.size > 9 else np.nan


def _semitones(pitch: np.ndarray) -> np.ndarray:
    return 12 * np.log2(pitch / 55)
