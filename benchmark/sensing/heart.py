"""Heart rate and its variability from beats, of an ECG or of a pulse wave alike."""

import numpy as np
from scipy.ndimage import median_filter
from scipy.signal import detrend

BEAT_BPM = (30, 220)
BEAT_HALF_S = 0.25

DEFINITIONS = (  # per segment, per clip
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


def measure(clean: np.ndarray, peaks: np.ndarray, rate: float, segments: int, least: float):
    """Heart rate and its variability from beats; NaN throughout unless the beats look like beats."""
    peaks, likeness = alike(clean, peaks, rate, least)
    times, intervals = periods(peaks / rate, BEAT_BPM)
    if len(intervals) < 2 or not likeness >= least:
        return [np.full(segments, np.nan)] * 2, [np.nan] * 6
    middles = (np.arange(segments) + 0.5) / segments * clean.size / rate
    pulse = np.interp(middles, times, 60 / intervals)
    grid = np.interp(np.linspace(0, clean.size / rate, 100), times, 60 / intervals)
    mean = 60 / intervals.mean()
    values = [
        mean,
        grid[50:].mean() - grid[:50].mean(),
        logarithm(1000 * intervals.std(ddof=1)),
        logarithm(1000 * np.sqrt(np.mean(np.diff(intervals) ** 2))),
        logarithm(np.median(clean[peaks] - np.median(clean))),
        likeness,
    ]
    return [pulse, pulse - mean], values


def periods(times: np.ndarray, bpm: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Middles and lengths of the plausible intervals; a missed or a doubled event is left out."""
    lengths = np.diff(times)
    middles = times[:-1] + lengths / 2
    usual = median_filter(lengths, 5, mode="mirror")
    plausible = (lengths > 60 / bpm[1]) & (lengths < 60 / bpm[0]) & (abs(lengths - usual) < 0.3 * usual)
    if plausible.sum() < 0.5 * lengths.size:
        return middles[:0], lengths[:0]
    return middles[plausible], lengths[plausible]


def alike(clean: np.ndarray, peaks: np.ndarray, rate: float, least: float) -> tuple[np.ndarray, float]:
    """The peaks shaped like most others, and the mean correlation of the shapes, which is low in noise."""
    half = round(BEAT_HALF_S * rate)
    peaks = peaks[(peaks >= half) & (peaks < clean.size - half)]
    if len(peaks) < 3:
        return peaks, np.nan
    with np.errstate(divide="ignore", invalid="ignore"):
        shapes = np.corrcoef(detrend(clean[peaks[:, None] + np.arange(-half, half + 1)]))
    return peaks[np.median(shapes, axis=1) >= least], float(shapes[np.triu_indices_from(shapes, 1)].mean())


def logarithm(value):
    """Natural logarithm; NaN where there is none."""
    value = np.asarray(value, float)
    return np.log(value, out=np.full_like(value, np.nan), where=value > 0)
