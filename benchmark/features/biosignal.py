"""Features of bio-signals: skin conductance, heart, breathing and muscles, by NeuroKit's methods."""

import warnings
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import neurokit2 as nk
import numpy as np
from pydantic import BaseModel, Field
from scipy.signal import butter, filtfilt, find_peaks, sosfiltfilt

from benchmark.sensing import heart
from benchmark.sensing.heart import logarithm
from benchmark.types import Definitions, Features, Signal, Signals, Unusable

VERSION = 2
COMPLETE = 0.9  # share of a clip that must have been recorded
BREATH_BPM = (3, 60)
MAINS_HZ = 50
LARGEST = 1e12


class Options(BaseModel, extra="forbid"):
    """What a user may set."""

    min_seconds: float = Field(3.0, gt=0, description="shorter recordings are unusable")
    max_missing: float = Field(0.1, ge=0, lt=1, description="share of missing samples above which it is unusable")
    max_frozen: float = Field(0.5, gt=0, le=1, description="share of the clip one value may fill before it is flat")
    min_beat_likeness: float = Field(0.75, description="least correlation between beats; below it, no heart rate")
    min_scr_us: float = Field(0.02, gt=0, description="least amplitude of a skin conductance response, uS")


class Measure(NamedTuple):
    """How one kind of channel is measured, and what comes out."""

    min_rate: float  # Hz
    segment: dict[str, str]
    clip: dict[str, str]
    apply: Callable  # (signal, rate, segments, options) -> segment columns, clip values


def definitions(channels: tuple[str, ...], options: Options) -> Definitions:
    """Channels are always in alphabetical order."""
    segment, clip = {}, {}
    for channel in sorted(channels):
        measure = _measure(channel)
        segment |= {f"{channel}_{name}": text for name, text in measure.segment.items()}
        clip |= {f"{channel}_{name}": text for name, text in measure.clip.items()}
    return Definitions(segment, clip)


def versions(options: Options) -> dict[str, str]:
    """Nothing beyond the pinned libraries takes part."""
    return {}


def analyse(signals: Signals, options: Options) -> Signals:
    """The signals as they are: a clip is measured on its own stretch alone."""
    if not signals:
        raise Unusable("no channel was recorded")
    return signals


def extract(signals: Signals, start_s: float, end_s: float, segments: int, options: Options) -> Features:
    """Measure every channel on the whole clip and divide the result into equal segments."""
    columns, values = [], []
    if not any(len(signal.values) for signal in signals.values()):
        raise Unusable("missing, no channel has samples")
    for channel in sorted(signals):
        measure, rate = _measure(channel), signals[channel].rate
        if not len(signals[channel].values):  # known not to have been recorded; a broken one is refused below
            columns += [np.full(segments, np.nan)] * len(measure.segment)
            values += [np.nan] * len(measure.clip)
            continue
        try:
            signal = _checked(_stretch(signals[channel], start_s, end_s), rate, measure, segments, options)
            per_segment, per_clip = measure.apply(signal, rate, segments, options)
        except Unusable as reason:
            raise Unusable(f"{channel}: {reason}") from reason
        columns += per_segment
        values += per_clip
    return Features(np.array(columns, np.float32).T.reshape(segments, -1), np.array(values, np.float32))


def _measure(channel: str) -> Measure:
    kind = channel.split("_")[0]
    if kind not in MEASURES:
        raise ValueError(f"no measure for channel {channel}; the part before _ is one of: {', '.join(MEASURES)}")
    return MEASURES[kind]


def _stretch(signal: Signal, start_s: float, end_s: float) -> np.ndarray:
    """The samples of a clip, of several axes their magnitude; Unusable where the recording ends too early."""
    values, rate = np.asarray(signal.values, float), signal.rate
    last = values.shape[0] if np.isinf(end_s) else round(end_s * rate)
    if values.shape[0] and values.shape[0] < last - (1 - COMPLETE) * (last - start_s * rate):
        raise Unusable(f"the recording ends at {values.shape[0] / rate:.1f} s, the clip at {end_s:.1f} s")
    part = values[round(start_s * rate) : last]
    return part if part.ndim == 1 else np.linalg.norm(part, axis=1)


def _checked(signal: np.ndarray, rate: float, measure: Measure, segments: int, options: Options) -> np.ndarray:
    """The signal without gaps; Unusable where NeuroKit would crash or find beats that do not exist."""
    missing = np.isnan(signal)
    if not signal.size or missing.all():
        raise Unusable("missing, it has no samples")
    if not (np.abs(signal[~missing]) < LARGEST).all():
        raise Unusable("contains infinite or impossibly large values")
    if rate < measure.min_rate:
        raise Unusable(f"sampled at {rate:g} Hz, {measure.min_rate:g} Hz is the least")
    if signal.size < max(options.min_seconds * rate, 2 * segments):
        raise Unusable(f"too short, {signal.size} samples at {rate:g} Hz")
    if missing.mean() > options.max_missing:
        raise Unusable(f"{missing.mean():.0%} of the samples are missing")
    if missing.any():
        at = np.arange(signal.size)
        signal = np.interp(at, at[~missing], signal[~missing])
    if np.ptp(signal) < 1e-9 * max(1.0, np.abs(signal).max()):
        raise Unusable("flat, it does not vary")
    if (frozen := _longest_run(signal) / signal.size) > options.max_frozen:
        raise Unusable(f"flat, one value fills {frozen:.0%} of the clip")
    return signal


def _longest_run(signal: np.ndarray) -> int:
    """A coarse converter repeats most samples of a slow signal; only a long run means a lost electrode."""
    changes = np.flatnonzero(np.diff(signal))
    return int(np.diff(changes, prepend=-1, append=signal.size - 1).max())


def _ask(function: Callable, *arguments, **options):
    """Call NeuroKit; whatever it raises makes the channel unusable."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return function(*arguments, **options)
    except Exception as error:
        raise Unusable(f"neurokit2.{function.__name__} failed, {type(error).__name__}: {error}") from error


def _filter(signal: np.ndarray, rate: float, order: int, kind: str, edges: float | tuple) -> np.ndarray:
    """NeuroKit's signal_filter, which takes longer to design the filter than to use it."""
    return sosfiltfilt(_design(rate, order, kind, edges), signal)


@cache
def _design(rate: float, order: int, kind: str, edges: float | tuple) -> np.ndarray:
    return butter(order, edges, kind, fs=rate, output="sos")


def _eda(signal: np.ndarray, rate: float, segments: int, options: Options):
    clean = _filter(signal, rate, 4, "lowpass", 3.0) if rate > 6 else signal  # eda_clean
    phasic = _filter(clean, rate, 2, "highpass", 0.05)  # eda_phasic
    speed = np.gradient(clean, 1 / rate)
    # eda_peaks raises when there is no response and takes any ripple for one.
    peaks, found = find_peaks(clean, prominence=options.min_scr_us)
    heights = clean[peaks] - clean[found["left_bases"]]
    columns = [_each(signal, segments, np.mean) for signal in (clean, speed, phasic)]
    columns += [_each(signal, segments, np.max) for signal in (phasic, speed)]
    rise = np.maximum(speed, 0).sum() / rate
    values = [
        logarithm(clean.mean()),
        (clean[-1] - clean[0]) * rate / clean.size,
        logarithm(rise),
        logarithm(np.ptp(clean)),
        len(peaks),
        logarithm(heights.sum() + options.min_scr_us),
    ]
    return columns, values


def _ecg(signal: np.ndarray, rate: float, segments: int, options: Options):
    width = int(rate / MAINS_HZ) if rate >= 100 else 2  # of a moving average that takes out the mains
    clean = filtfilt(np.ones(width), [width], _filter(signal, rate, 5, "highpass", 0.5))  # ecg_clean
    peaks = np.asarray(_ask(nk.ecg_findpeaks, clean, sampling_rate=rate)["ECG_R_Peaks"], int)
    return heart.measure(clean, peaks, rate, segments, options.min_beat_likeness)


def _bvp(signal: np.ndarray, rate: float, segments: int, options: Options):
    clean = _ask(nk.ppg_clean, signal, sampling_rate=rate)
    peaks = np.asarray(_ask(nk.ppg_findpeaks, clean, sampling_rate=rate)["PPG_Peaks"], int)
    return heart.measure(clean, peaks, rate, segments, options.min_beat_likeness)


def _resp(signal: np.ndarray, rate: float, segments: int, options: Options):
    clean = _ask(nk.rsp_clean, signal, sampling_rate=rate)
    size = clean.std()
    peaks, _ = find_peaks(clean, prominence=size, distance=max(1, 60 / BREATH_BPM[1] * rate))
    _, periods = heart.periods(peaks / rate, BREATH_BPM)
    columns = [_each(clean / size, segments, np.mean), _each(np.gradient(clean / size, 1 / rate), segments, np.mean)]
    return columns, [60 / periods.mean() if periods.size else np.nan, logarithm(size)]


def _emg(signal: np.ndarray, rate: float, segments: int, options: Options):
    clean = _filter(signal, rate, 4, "bandpass", (20.0, min(250.0, 0.45 * rate)))
    envelope = _filter(abs(clean), rate, 2, "lowpass", 8.0)  # emg_amplitude takes every signal for one of 1000 Hz
    quiet, loud = np.quantile(envelope, [0.1, 0.95])
    quiet = max(quiet, loud / 1000)  # a digital zero is no better than a very good electrode
    columns = [
        logarithm(np.sqrt(_each(clean**2, segments, np.mean))),
        logarithm(_each(envelope, segments, np.max)),
        _each(clean, segments, lambda part: _median_frequency(part, rate)),
    ]
    shape = [logarithm(loud) - logarithm(quiet), np.mean(envelope > 3 * quiet), _median_frequency(clean, rate)]
    return columns, [logarithm(clean.std()), logarithm(loud), *shape]


def _temp(signal: np.ndarray, rate: float, segments: int, options: Options):
    columns = [_each(signal, segments, np.mean)]
    return columns, [signal.mean(), (signal[-1] - signal[0]) * rate / signal.size]


def _acc(signal: np.ndarray, rate: float, segments: int, options: Options):
    moving = abs(signal - np.median(signal))
    columns = [_each(moving, segments, np.mean), _each(moving, segments, np.max)]
    return columns, [logarithm(moving.mean()), np.mean(moving > 0.05)]


def _median_frequency(signal: np.ndarray, rate: float) -> float:
    power = np.cumsum(np.abs(np.fft.rfft(signal)) ** 2)
    return np.searchsorted(power, power[-1] / 2) * rate / signal.size


def _each(signal: np.ndarray, segments: int, statistic: Callable) -> np.ndarray:
    return np.array([statistic(part) for part in np.array_split(signal, segments)])


MEASURES = {
    "eda": Measure(
        2,
        {
            "level": "mean skin conductance, uS",
            "slope": "mean slope of skin conductance, uS/s",
            "phasic_mean": "mean of skin conductance above 0.05 Hz, uS",
            "phasic_max": "maximum of skin conductance above 0.05 Hz, uS",
            "fastest_rise": "maximum slope of skin conductance, uS/s",
        },
        {
            "log_level": "mean skin conductance, ln uS",
            "trend": "skin conductance at the end less at the start, over the duration, uS/s",
            "log_rise": "sum of all increases of skin conductance, ln uS",
            "log_range": "maximum less minimum skin conductance, ln uS",
            "scr_count": "number of skin conductance responses that peak in the clip",
            "log_scr_sum": "summed amplitude of these responses plus the least amplitude, ln uS",
        },
        _eda,
    ),
    "ecg": Measure(60, *heart.DEFINITIONS, _ecg),
    "bvp": Measure(20, *heart.DEFINITIONS, _bvp),
    "resp": Measure(
        8,
        {
            "position": "mean breathing signal above 0.05 Hz, standard deviations of the clip",
            "slope": "mean slope of the breathing signal, standard deviations per s",
        },
        {"rate": "mean breathing rate, breaths per minute", "log_size": "standard deviation, ln of the signal's unit"},
        _resp,
    ),
    "emg": Measure(
        100,
        {
            "log_rms": "root mean square between 20 and 250 Hz, ln uV",
            "log_peak": "maximum of the envelope (rectified, below 8 Hz), ln uV",
            "median_frequency": "frequency that halves the power, Hz",
        },
        {
            "overall_log_rms": "root mean square between 20 and 250 Hz, ln uV",
            "log_loud": "95 % quantile of the envelope (rectified, below 8 Hz), ln uV",
            "log_contrast": "95 % over 10 % quantile of the envelope, ln",
            "burst_share": "share of the clip with an envelope above three times its 10 % quantile, 0 to 1",
            "overall_median_frequency": "frequency that halves the power, Hz",
        },
        _emg,
    ),
    "temp": Measure(
        0.5,
        {"level": "mean skin temperature, degrees Celsius"},
        {"mean": "mean skin temperature, degrees Celsius", "trend": "end less start over the duration, degrees/s"},
        _temp,
    ),
    "acc": Measure(
        8,
        {
            "movement": "mean deviation of the size of the acceleration from its median, g",
            "movement_max": "largest such deviation, g",
        },
        {"log_movement": "mean deviation, ln g", "moving_share": "share of samples that deviate by 0.05 g, 0 to 1"},
        _acc,
    ),
}
