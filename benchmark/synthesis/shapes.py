"""Shapes of single events, from the simulators of NeuroKit2 (Makowski et al. 2021, Behavior Research Methods)."""

from functools import cache

import numpy as np
from scipy.signal import find_peaks

SCR_LASTS_S = 27.0  # NeuroKit's canonical response is three times too fast for skin

Shape = tuple[np.ndarray, np.ndarray]


@cache
def scr() -> Shape:
    """Seconds since its onset and values of one skin conductance response of height 1."""
    import neurokit2 as nk  # seconds to import, so only when needed

    response = nk.eda_simulate(duration=9, sampling_rate=64, scr_number=1, noise=0, drift=0, random_state=2)
    return np.linspace(0, SCR_LASTS_S, len(response)), response - response[0]


@cache
def heartbeat() -> Shape:
    """Phases 0 to 1 and values of one beat, from R peak to R peak, with an R peak of height 1."""
    import neurokit2 as nk

    ecg = nk.ecg_simulate(duration=8, sampling_rate=512, heart_rate=70, heart_rate_std=0, noise=0, random_state=0)
    start, end = nk.ecg_findpeaks(ecg, sampling_rate=512)["ECG_R_Peaks"][3:5]
    beat = ecg[start : end + 1] - np.median(ecg)
    return np.linspace(0, 1, len(beat)), beat / beat[0]


@cache
def pulse() -> Shape:
    """Phases 0 to 1 and values of one pulse wave, from foot to foot, of height 1 and mean 0."""
    import neurokit2 as nk

    quiet = {"frequency_modulation": 0, "ibi_randomness": 0, "motion_amplitude": 0, "powerline_amplitude": 0}
    wave = nk.ppg_simulate(duration=10, sampling_rate=256, heart_rate=70, random_state=0, **quiet)
    return _between_troughs(wave, 128)


@cache
def breath() -> Shape:
    """Phases 0 to 1 and values of one breath, from the start of inspiration, of height 1 and mean 0."""
    import neurokit2 as nk

    belt = nk.rsp_simulate(duration=40, sampling_rate=64, noise=0, method="breathmetrics", random_state=1)
    return _between_troughs(belt, 128)


def _between_troughs(signal: np.ndarray, distance: int) -> Shape:
    """One cycle without the slope between its ends."""
    start, end = find_peaks(-signal, distance=distance)[0][3:5]
    cycle = signal[start : end + 1] - np.linspace(signal[start], signal[end], end + 1 - start)
    return np.linspace(0, 1, len(cycle)), (cycle - cycle.mean()) / np.ptp(cycle)
