"""Features of bio-signals: skin conductance, heart, breathing and muscles, by NeuroKit's methods."""

import warnings
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import neurokit2 as nk
import numpy as np
from pydantic import BaseModel, Field
from scipy.ndimage import median_filter
from scipy.signal import butter, detrend, find_peaks, sosfiltfilt

from benchmark.types import Definitions, Features, Signals, Unusable

VERSION = 1
BEAT_BPM = (30, 220)
BEAT_HALF_S = 0.25
BREATH_BPM = (3, 60)
LARGEST = 1e12


class Options(BaseModel, extra="forbid"):
    """What a user may set."""

    min_seconds: float = Field(3.0, gt=0, description="shorter recordings are unusable")
    max_missing: float = Field(0.1, ge=0, lt=1, description="share of missing samples above which it is unusable")
    max_frozen: float = Field(0.5, gt=0, le=1, description="share of the clip one value may fill before it is flat")
    min_beat_likeness: float = Field(0.75, description="least correlation between beats; below it, no heart rate")
    min_scr_us: float = Field(0.02, gt=0, description="least amplitude of a skin conductance response, uS")


class Analysis(NamedTuple):
    """How one kind of channel is measured, and what comes out."""

    min_rate: float  # Hz
    segment: dict[str, str]
    clip: dict[str, str]
    measure: Callable  # (signal, rate, segments, options) -> segment columns, clip values


def definitions(channels: tuple[str, ...]) -> Definitions:
    """Channels are always in alphabetical order."""
    segment, clip = {}, {}
    for channel in sorted(channels):
        analysis = _analysis(channel)
        segment |= {f"{channel}_{name}": text for name, text in analysis.segment.items()}
        clip |= {f"{channel}_{name}": text for name, text in analysis.clip.items()}
    return Definitions(segment, clip)


def extract(signals: Signals, segments: int, options: Options) -> Features:
    """Measure every channel on the whole clip and divide the result into equal segments."""
    if not signals.channels:
        raise Unusable("no channel was recorded")
    columns, values = [], []
    for channel in sorted(signals.channels):
        try:
            signal = _checked(signals.channels[channel], signals.rate, _analysis(channel), segments, options)
            per_segment, per_clip = _analysis(channel).measure(signal, signals.rate, segments, options)
        except Unusable as reason:
            raise Unusable(f"{channel}: {reason}") from reason
        columns += per_segment
        values += per_clip
    return Features(np.array(columns, np.float32).T.reshape(segments, -1), np.array(values, np.float32))


def _analysis(channel: str) -> Analysis:
    kind = channel.split("_")[0]
    if kind not in ANALYSES:
        raise ValueError(f"no analysis for channel {channel}; the part before _ is one of: {', '.join(ANALYSES)}")
    return ANALYSES[kind]


def _checked(signal: np.ndarray, rate: float, analysis: Analysis, segments: int, options: Options) -> np.ndarray:
    """The signal without gaps; Unusable where NeuroKit would crash or find beats that do not exist."""
    signal = np.array(signal, float).ravel()
    missing = np.isnan(signal)
    if not signal.size or missing.all():
        raise Unusable("missing, it has no samples")
    if not (np.abs(signal[~missing]) < LARGEST).all():
        raise Unusable("contains infinite or impossibly large values")
    if rate < analysis.min_rate:
        raise Unusable(f"sampled at {rate:g} Hz, {analysis.min_rate:g} Hz is the least")
    if signal.size < max(options.min_seconds * rate, 2 * segments):
        raise Unusable(f"too short, {signal.size} samples at {rate:g} Hz")
    if missing.mean() > options.max_missing:
        raise Unusable(f"{missing.mean():.0%} of the samples are missing")
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
        _log(clean.mean()),
        (clean[-1] - clean[0]) * rate / clean.size,
        _log(rise),
        _log(np.ptp(clean)),
        len(peaks),
        _log(heights.sum() + options.min_scr_us),
    ]
    return columns, values


def _ecg(signal: np.ndarray, rate: float, segments: int, options: Options):
    clean = _ask(nk.ecg_clean, signal, sampling_rate=rate)
    peaks = np.asarray(_ask(nk.ecg_findpeaks, clean, sampling_rate=rate)["ECG_R_Peaks"], int)
    return _beats(clean, peaks, rate, segments, options)


def _bvp(signal: np.ndarray, rate: float, segments: int, options: Options):
    clean = _ask(nk.ppg_clean, signal, sampling_rate=rate)
    peaks = np.asarray(_ask(nk.ppg_findpeaks, clean, sampling_rate=rate)["PPG_Peaks"], int)
    return _beats(clean, peaks, rate, segments, options)


def _beats(clean: np.ndarray, peaks: np.ndarray, rate: float, segments: int, options: Options):
    """Heart rate and its variability from beats; NaN throughout unless the beats look like beats."""
    peaks, likeness = _alike(clean, peaks, rate, options.min_beat_likeness)
    times, periods = _periods(peaks / rate, BEAT_BPM)
    if len(periods) < 2 or not likeness >= options.min_beat_likeness:
        return [np.full(segments, np.nan)] * 2, [np.nan] * 6
    middles = (np.arange(segments) + 0.5) / segments * clean.size / rate
    pulse = np.interp(middles, times, 60 / periods)
    grid = np.interp(np.linspace(0, clean.size / rate, 100), times, 60 / periods)
    mean = 60 / periods.mean()
    values = [
        mean,
        grid[50:].mean() - grid[:50].mean(),
        _log(1000 * periods.std(ddof=1)),
        _log(1000 * np.sqrt(np.mean(np.diff(periods) ** 2))),
        _log(np.median(clean[peaks] - np.median(clean))),
        likeness,
    ]
    return [pulse, pulse - mean], values


def _periods(times: np.ndarray, bpm: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Middles and lengths of the plausible intervals; a missed or a doubled event is left out."""
    periods = np.diff(times)
    middles = times[:-1] + periods / 2
    usual = median_filter(periods, 5, mode="mirror")
    plausible = (periods > 60 / bpm[1]) & (periods < 60 / bpm[0]) & (abs(periods - usual) < 0.3 * usual)
    if plausible.sum() < 0.5 * periods.size:
        return middles[:0], periods[:0]
    return middles[plausible], periods[plausible]


def _alike(clean: np.ndarray, peaks: np.ndarray, rate: float, least: float) -> tuple[np.ndarray, float]:
    """The peaks shaped like most others, and the mean correlation of the shapes, which is low in noise."""
    half = round(BEAT_HALF_S * rate)
    peaks = peaks[(peaks >= half) & (peaks < clean.size - half)]
    if len(peaks) < 3:
        return peaks, np.nan
    with np.errstate(divide="ignore", invalid="ignore"):
        shapes = np.corrcoef(detrend(clean[peaks[:, None] + np.arange(-half, half + 1)]))
    return peaks[np.median(shapes, axis=1) >= least], float(shapes[np.triu_indices_from(shapes, 1)].mean())


def _resp(signal: np.ndarray, rate: float, segments: int, options: Options):
    clean = _ask(nk.rsp_clean, signal, sampling_rate=rate)
    size = clean.std()
    peaks, _ = find_peaks(clean, prominence=size, distance=max(1, 60 / BREATH_BPM[1] * rate))
    _, periods = _periods(peaks / rate, BREATH_BPM)
    columns = [_each(clean / size, segments, np.mean), _each(np.gradient(clean / size, 1 / rate), segments, np.mean)]
    return columns, [60 / periods.mean() if periods.size else np.nan, _log(size)]


def _emg(signal: np.ndarray, rate: float, segments: int, options: Options):
    clean = _filter(signal, rate, 4, "bandpass", (20.0, min(250.0, 0.45 * rate)))
    envelope = _filter(abs(clean), rate, 2, "lowpass", 8.0)  # emg_amplitude takes every signal for one of 1000 Hz
    quiet, loud = np.quantile(envelope, [0.1, 0.95])
    quiet = max(quiet, loud / 1000)  # a digital zero is no better than a very good electrode
    columns = [
        _log(np.sqrt(_each(clean**2, segments, np.mean))),
        _log(_each(envelope, segments, np.max)),
        _each(clean, segments, lambda part: _median_frequency(part, rate)),
    ]
    shape = [_log(loud) - _log(quiet), np.mean(envelope > 3 * quiet), _median_frequency(clean, rate)]
    return columns, [_log(clean.std()), _log(loud), *shape]


def _median_frequency(signal: np.ndarray, rate: float) -> float:
    power = np.cumsum(np.abs(np.fft.rfft(signal)) ** 2)
    return np.searchsorted(power, power[-1] / 2) * rate / signal.size


def _each(signal: np.ndarray, segments: int, statistic: Callable) -> np.ndarray:
    return np.array([statistic(part) for part in np.array_split(signal, segments)])


def _log(value):
    """Natural logarithm; NaN where there is none."""
    value = np.asarray(value, float)
    return np.log(value, out=np.full_like(value, np.nan), where=value > 0)


HEART = (
    {
        "heart_rate": "instantaneous heart rate in the middle of the segment, bpm",
        "heart_rate_deviation": "the same less the clip's mean, bpm",
    },
    {
        "mean_heart_rate": "mean heart rate, bpm",
        "heart_rate_change": "mean heart rate in the second half less the first half, bpm",
        "log_sdnn": "standard deviation of the beat intervals, ln ms",
        "log_rmssd": "root mean square of successive differences of beat intervals, ln ms",
        "log_peak": "median height of the beats over the median of the signal, ln of the signal's unit",
        "beat_likeness": "mean correlation between the shapes of beats, -1 to 1",
    },
)

ANALYSES = {
    "eda": Analysis(
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
    "ecg": Analysis(60, *HEART, _ecg),
    "bvp": Analysis(20, *HEART, _bvp),
    "resp": Analysis(
        8,
        {
            "position": "mean breathing signal above 0.05 Hz, standard deviations of the clip",
            "slope": "mean slope of the breathing signal, standard deviations per s",
        },
        {"rate": "mean breathing rate, breaths per minute", "log_size": "standard deviation, ln of the signal's unit"},
        _resp,
    ),
    "emg": Analysis(
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
}
