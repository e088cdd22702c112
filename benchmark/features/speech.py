"""Features of speech: timbre, pitch, energy and rhythm, by librosa from a single spectrogram."""

import warnings
from typing import NamedTuple

import librosa
import numpy as np
from pydantic import BaseModel, Field, model_validator
from scipy.ndimage import uniform_filter1d
from scipy.signal import find_peaks

from benchmark.types import Audio, Definitions, Features, Unusable

VERSION = 1
COEFFICIENTS = 13
BANDS = 40


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

    @model_validator(mode="after")
    def _pitch_fits(self):
        low, high = self.pitch_hz
        if not self.rate / (self.frame // 2) < low < high < self.rate / 4:
            raise ValueError(f"pitch_hz {low:g} to {high:g} does not fit half a frame of {self.frame} samples")
        return self


class Track(NamedTuple):
    """Everything measured once per frame."""

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


def definitions(channels: tuple[str, ...] = ()) -> Definitions:
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
    return Definitions(segment, clip)


def extract(audio: Audio, segments: int, options: Options) -> Features:
    """Measure the clip frame by frame, then aggregate the frames in equal segments and over the clip."""
    samples = _checked(audio, options)
    least = max(options.frame, 2 * segments * options.hop)
    samples = np.pad(samples, (0, max(0, least - samples.size)))
    try:
        track = _track(samples, options)
    except (librosa.ParameterError, ValueError) as error:
        raise Unusable(f"audio: librosa failed, {type(error).__name__}: {error}") from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # the mean of no voiced frame is NaN, as it should be
        return Features(_segments(track, segments), _clip(track, options.hop / options.rate, options))


def _checked(audio: Audio, options: Options) -> np.ndarray:
    """The samples at the working rate, without offset; Unusable where there is nothing to hear."""
    samples = np.asarray(audio.samples, np.float32).ravel()
    if not samples.size:
        raise Unusable("audio: empty, it has no samples")
    if not np.isfinite(samples).all():
        raise Unusable("audio: contains NaN or infinite values")
    if samples.size < options.min_seconds * audio.rate:
        raise Unusable(f"audio: too short, {samples.size / audio.rate:.2f} s")
    peak = np.abs(samples).max()
    clipped = np.mean(np.abs(samples) >= 0.999 * peak)
    samples = samples - samples.mean()
    if 20 * np.log10(np.std(samples) + 1e-12) < options.silence_db:
        raise Unusable(f"audio: silent, below {options.silence_db:g} dB of full scale")
    if clipped > options.max_clipped:
        raise Unusable(f"audio: clipped, {clipped:.0%} of the samples are at the extremes")
    return librosa.resample(samples, orig_sr=audio.rate, target_sr=options.rate)


def _track(samples: np.ndarray, options: Options) -> Track:
    rate, frame, hop = options.rate, options.frame, options.hop
    magnitude = np.abs(librosa.stft(samples, n_fft=frame, hop_length=hop))
    bands = librosa.power_to_db(librosa.feature.melspectrogram(S=magnitude**2, sr=rate, n_mels=BANDS))
    level = librosa.amplitude_to_db(librosa.feature.rms(S=magnitude, frame_length=frame)[0], top_db=None)
    active = level > max(np.quantile(level, 0.95) - options.quiet_db, options.silence_db)
    pitch = librosa.yin(
        samples, fmin=options.pitch_hz[0], fmax=options.pitch_hz[1], sr=rate, frame_length=frame, hop_length=hop
    )
    periodicity = _periodicity(samples, rate / pitch, options)
    # A dull noise resembles itself after any short time; a voice only after a whole period.
    whole = periodicity > _periodicity(samples, rate / pitch / 2, options) + 0.1
    voiced = active & whole & (periodicity > options.min_periodicity)
    spectrum = [
        librosa.feature.spectral_centroid(S=magnitude, sr=rate)[0],
        librosa.feature.spectral_rolloff(S=magnitude, sr=rate)[0],
        np.log(librosa.feature.spectral_flatness(S=magnitude)[0]),
        np.maximum(np.diff(bands, axis=1, prepend=bands[:, :1]), 0).mean(axis=0),
        librosa.feature.zero_crossing_rate(samples, frame_length=frame, hop_length=hop)[0],
    ]
    timbre = librosa.feature.mfcc(S=bands, n_mfcc=COEFFICIENTS + 1)[1:]  # the first is the level once more
    return Track(timbre, level, np.array(spectrum), active, voiced, np.where(voiced, pitch, np.nan), periodicity)


def _periodicity(samples: np.ndarray, period: np.ndarray, options: Options) -> np.ndarray:
    """Correlation of each frame with itself one period later: yin always answers, even in noise and silence."""
    half = options.frame // 2
    frames = librosa.util.frame(np.pad(samples, half), frame_length=options.frame, hop_length=options.hop, axis=0)
    lag = np.clip(np.rint(period).astype(int), 1, half)
    early = frames[:, :half]
    late = np.take_along_axis(frames, lag[:, None] + np.arange(half), axis=1)
    early = early - early.mean(axis=1, keepdims=True)
    late = late - late.mean(axis=1, keepdims=True)
    power = np.sqrt((early**2).sum(axis=1) * (late**2).sum(axis=1))
    return (early * late).sum(axis=1) / np.maximum(power, 1e-12)


def _segments(track: Track, segments: int) -> np.ndarray:
    tone = _semitones(track.pitch)
    rows = []
    for at in np.array_split(np.arange(track.level.size), segments):
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
