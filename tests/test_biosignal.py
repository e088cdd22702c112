"""The bio-signal features: known inputs give known values, and bad inputs a reason."""

from functools import cache

import neurokit2 as nk
import numpy as np
import pytest
from scipy.signal import resample_poly

from benchmark.features import biosignal
from benchmark.features.biosignal import Options
from benchmark.types import Signal, Unusable

RATE = 512.0
RNG = np.random.default_rng
CHANNELS = ("eda", "ecg", "bvp", "resp", "emg_corrugator", "emg_trapezius", "temp", "acc")


def extract(channels, segments=10, rate=RATE, start_s=0.0, end_s=np.inf):
    """Features of a recording, or of a stretch of it."""
    signals = {channel: Signal(rate, values) for channel, values in channels.items()}
    return biosignal.extract(biosignal.analyse(signals, Options()), start_s, end_s, segments, Options())


def definitions(channels):
    return biosignal.definitions(channels, Options())


def clip(channel, signal, rate=RATE):
    """Clip-level features by name, without the channel in front."""
    names = [name.removeprefix(f"{channel}_") for name in definitions((channel,)).clip]
    return dict(zip(names, extract({channel: signal}, rate=rate).clip, strict=True))


@cache
def _regular_heart(bpm, seconds):
    return nk.ecg_simulate(
        duration=seconds, sampling_rate=256, heart_rate=bpm, heart_rate_std=0, noise=0, random_state=1
    )


def ecg(bpm, seconds=5.5, rate=RATE, noise=0.02):
    """A regular heart; NeuroKit's first second is a transient."""
    clean = _regular_heart(bpm, seconds + 3)
    at = 1 + np.arange(round(seconds * rate)) / rate
    return np.interp(at, np.arange(len(clean)) / 256, clean) + RNG(0).normal(0, noise, len(at))


def eda(amplitudes, seconds=12.0, rate=RATE):
    """A level of 5 uS and responses three seconds apart, rising in 1 s and falling in 2 s."""
    time = np.arange(round(seconds * rate)) / rate
    responses = [a * np.interp(time - 1 - 3 * i, [0, 1, 3], [0, 1, 0]) for i, a in enumerate(amplitudes)]
    return 5 + np.sum(responses, axis=0) + RNG(0).normal(0, 0.002, len(time))


def good(channel, rate=RATE):
    noise = RNG(1).normal(size=round(5.5 * rate))
    return {"eda": 5 + 0.01 * np.cumsum(noise), "ecg": ecg(70, rate=rate)}.get(channel.split("_")[0], noise)


# --- shape of the result


@pytest.mark.parametrize("segments", [1, 4, 10])
def test_features_match_their_definitions(segments):
    signals = {channel: good(channel) for channel in CHANNELS}
    names = definitions(CHANNELS)
    features = extract(signals, segments)
    assert features.segment.shape == (segments, len(names.segment)) and features.segment.dtype == np.float32
    assert features.clip.shape == (len(names.clip),) and features.clip.dtype == np.float32


def test_definitions_are_complete():
    names = definitions(CHANNELS)
    for part in names:
        assert part and all(text.strip() for text in part.values())
        assert all(name.startswith(CHANNELS) for name in part)
    assert not set(names.segment) & set(names.clip)


def test_order_of_the_channels_does_not_matter():
    channels = {channel: good(channel) for channel in CHANNELS}
    backwards = dict(reversed(channels.items()))
    first, second = (extract(c) for c in (channels, backwards))
    np.testing.assert_array_equal(first.clip, second.clip)
    np.testing.assert_array_equal(first.segment, second.segment)
    assert definitions(CHANNELS) == definitions(CHANNELS[::-1])


def test_an_unknown_channel_is_named():
    with pytest.raises(ValueError, match=r"eeg_fz.*eda, ecg, bvp, resp, emg"):
        definitions(("eeg_fz",))


# --- known values


@pytest.mark.parametrize("bpm", [50, 72, 95, 140])
@pytest.mark.parametrize("rate", [128.0, 256.0, 512.0, 1000.0])
def test_heart_rate(bpm, rate):
    assert clip("ecg", ecg(bpm, rate=rate), rate)["mean_heart_rate"] == pytest.approx(bpm, abs=2)


def test_heart_rate_does_not_depend_on_the_sampling_rate():
    signal = ecg(77, seconds=10, noise=0.05)
    half = resample_poly(signal, 1, 2)
    assert clip("ecg", half, 256)["mean_heart_rate"] == pytest.approx(clip("ecg", signal)["mean_heart_rate"], abs=0.5)


def test_heart_rate_change():
    slow, fast = ecg(60, 10), ecg(80, 10)
    assert clip("ecg", np.concatenate([slow, fast]))["heart_rate_change"] == pytest.approx(20, abs=3)
    assert clip("ecg", np.concatenate([fast, slow]))["heart_rate_change"] == pytest.approx(-20, abs=3)


def test_heart_rate_of_segments_follows_the_clip():
    values = extract({"ecg": np.concatenate([ecg(60, 10), ecg(80, 10)])}).segment[:, 0]
    assert values[:4] == pytest.approx(60, abs=3) and values[6:] == pytest.approx(80, abs=3)


def test_a_beat_lost_in_a_gap_does_not_change_the_rate():
    signal = ecg(70, seconds=12)
    beats = nk.ecg_findpeaks(signal, sampling_rate=RATE)["ECG_R_Peaks"]
    signal[beats[5] - 40 : beats[5] + 40] = np.nan
    assert clip("ecg", signal)["mean_heart_rate"] == pytest.approx(70, abs=2)


@pytest.mark.parametrize("amplitudes", [(), (0.5,), (0.5, 0.3, 0.8)])
@pytest.mark.parametrize("rate", [16.0, 128.0, 512.0])
def test_skin_conductance_responses(amplitudes, rate):
    values = clip("eda", eda(amplitudes, rate=rate), rate)
    assert values["scr_count"] == len(amplitudes)
    assert np.exp(values["log_scr_sum"]) == pytest.approx(sum(amplitudes) + 0.02, rel=0.1, abs=0.01)


def test_skin_conductance_decomposition_is_that_of_neurokit():
    signal = eda((0.5, 0.3))
    clean = nk.eda_clean(signal, sampling_rate=RATE)
    phasic = nk.eda_phasic(clean, sampling_rate=RATE)["EDA_Phasic"]
    expected = [part.max() for part in np.array_split(phasic.to_numpy(), 10)]
    column = list(definitions(("eda",)).segment).index("eda_phasic_max")
    found = extract({"eda": signal}).segment[:, column]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_skin_conductance_level_and_slope():
    values = clip("eda", np.linspace(4, 6, 5120) + RNG(0).normal(0, 0.002, 5120))
    assert values["trend"] == pytest.approx(0.2, abs=0.01)
    assert values["log_level"] == pytest.approx(np.log(5), abs=0.01)


def test_muscle_burst():
    signal = RNG(0).normal(0, 2, 5120)
    calm = clip("emg_corrugator", signal.copy())
    signal[2048:3072] *= 10  # 20 % of the clip, segments 4 and 5 of 10
    tense = clip("emg_corrugator", signal)
    assert tense["burst_share"] == pytest.approx(0.2, abs=0.05) and calm["burst_share"] < 0.02
    assert tense["log_contrast"] > calm["log_contrast"] + 1
    peaks = extract({"emg_corrugator": signal}).segment[:, 1]
    assert set(np.argsort(peaks)[-2:]) == {4, 5}


def test_louder_muscle_adds_to_the_logarithm():
    signal = RNG(0).normal(0, 2, 2816)
    once, twice = clip("emg_x", signal), clip("emg_x", 2 * signal)
    assert twice["overall_log_rms"] - once["overall_log_rms"] == pytest.approx(np.log(2), abs=1e-3)
    assert twice["log_contrast"] == pytest.approx(once["log_contrast"], abs=1e-3)


def test_breathing_rate():
    breathing = nk.rsp_simulate(duration=30, sampling_rate=64, respiratory_rate=15, random_state=1)
    assert clip("resp", breathing, 64)["rate"] == pytest.approx(15, abs=1)


@pytest.mark.filterwarnings("ignore:pkg_resources")
def test_recorded_pulse_wave():
    heartpy = pytest.importorskip("heartpy", reason="heartpy is not installed: no recorded PPG")
    signal, _ = heartpy.load_exampledata(0)
    _, reference = heartpy.process(signal, 100.0)
    values = clip("bvp", signal, 100.0)
    assert values["mean_heart_rate"] == pytest.approx(reference["bpm"], abs=2)
    assert np.exp(values["log_rmssd"]) == pytest.approx(reference["rmssd"], rel=0.25)
    assert values["beat_likeness"] > 0.9


def test_channels_may_have_rates_of_their_own():
    signals = {"eda": Signal(4, eda((0.5,), 60, 4)), "bvp": Signal(64, good("bvp", 64).repeat(12))}
    found = biosignal.extract(signals, 0.0, 60.0, 10, Options())
    assert np.isfinite(found.segment[:, list(definitions(("bvp", "eda")).segment).index("eda_level")]).all()


def test_temperature_and_movement():
    still = np.tile([0.0, 0.6, 0.8], (1000, 1))
    moved = still + np.where(np.arange(1000) >= 500, RNG(0).normal(0, 0.2, 1000), 0)[:, None]
    found = extract({"acc": moved + RNG(1).normal(0, 1e-3, moved.shape)}, rate=32)
    assert found.segment[:5, 0].max() < 0.01 < 0.05 < found.segment[5:, 0].min()
    assert clip("temp", 33 + 0.01 * np.arange(240) / 4, 4)["trend"] == pytest.approx(0.01, rel=0.05)


def test_a_stretch_is_measured_as_if_it_were_all():
    signals = {channel: np.tile(good(channel), 3) for channel in ("eda", "ecg")}
    part = extract(signals, start_s=5.5, end_s=11.0)
    whole = extract({channel: good(channel) for channel in signals})
    np.testing.assert_array_equal(part.segment, whole.segment)
    np.testing.assert_array_equal(part.clip, whole.clip)


def test_a_stretch_beyond_the_recording_is_unusable():
    with pytest.raises(Unusable, match=r"eda: the recording ends at 12\.0 s, the clip at 16\.0 s"):
        extract({"eda": eda((0.5,))}, start_s=10.0, end_s=16.0)


# --- bad input

BAD = {
    "flat": (np.zeros(2816), "flat"),
    "constant": (np.full(2816, 3.3), "flat"),
    "mostly frozen": (np.r_[RNG(0).normal(size=1000), np.ones(1816)], "flat"),
    "all missing": (np.full(2816, np.nan), "missing"),
    "a fifth missing": (np.where(np.arange(2816) < 600, np.nan, RNG(0).normal(size=2816)), "missing"),
    "infinite": (np.r_[RNG(0).normal(size=2815), np.inf], "infinite"),
    "absurd": (1e300 * RNG(0).normal(size=2816), "large"),
    "short": (RNG(0).normal(size=500), "too short"),
}


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_unusable(channel, case):
    signal, reason = BAD[case]
    with pytest.raises(Unusable, match=f"^{channel}: .*{reason}"):
        clip(channel, signal)


@pytest.mark.parametrize(("channel", "rate"), [("ecg", 4), ("bvp", 8), ("resp", 4), ("emg_x", 50), ("eda", 1)])
def test_a_rate_that_cannot_carry_the_channel_is_unusable(channel, rate):
    with pytest.raises(Unusable, match=f"^{channel}: sampled at {rate} Hz"):
        clip(channel, RNG(0).normal(size=1000), rate)


def test_no_channel_is_unusable():
    for nothing in ({}, {"eda": np.array([]), "ecg": np.array([])}):
        with pytest.raises(Unusable, match="no channel"):
            extract(nothing)


def test_a_channel_that_was_not_recorded_is_not_a_number_and_the_others_are():
    found, names = extract({"eda": np.array([]), "ecg": ecg(70)}), definitions(("ecg", "eda"))
    for values, part in ((found.clip, names.clip), (found.segment[0], names.segment)):
        absent = np.array([name.startswith("eda") for name in part])
        assert np.isnan(values[absent]).all() and np.isfinite(values[~absent]).any()


@pytest.mark.parametrize("channel", ["ecg", "bvp"])
@pytest.mark.parametrize("seconds", [5.5, 30])
def test_no_beats_are_found_in_white_noise(channel, seconds):
    for seed in range(10):
        features = extract({channel: RNG(seed).normal(size=round(256 * seconds))}, rate=256)
        assert np.isnan(features.clip).all() and np.isnan(features.segment).all()


def test_an_implausible_rate_is_not_reported():
    at = np.arange(round(20 * RATE)) / RATE
    beats = np.exp(-((at[:, None] - np.arange(1, 20, 3.0)) ** 2) / 2 / 0.01**2).sum(axis=1)  # 20 a minute
    assert np.isnan(clip("ecg", beats + RNG(0).normal(0, 0.01, len(at)))["mean_heart_rate"])


@pytest.mark.parametrize(
    ("channel", "name", "tolerance"),
    [
        ("ecg", "mean_heart_rate", 2),
        ("eda", "scr_count", 0),
        ("eda", "log_scr_sum", 0.1),
        ("emg_x", "overall_log_rms", 0.1),
    ],
)
def test_short_gaps_change_little(channel, name, tolerance):
    signal = {"ecg": ecg(70, 12), "eda": eda((0.5, 0.3)), "emg_x": RNG(0).normal(size=6144)}[channel]
    whole = clip(channel, signal)[name]
    for start in (0, 700, 3000, 6100):
        signal[start : start + 40] = np.nan
    assert clip(channel, signal)[name] == pytest.approx(whole, abs=tolerance)


def test_a_coarse_converter_is_not_flat():
    assert clip("eda", np.round(eda((0.5,)), 2))["scr_count"] == 1


def test_the_input_is_not_changed():
    signal = good("ecg")
    signal[100:110] = np.nan
    before = signal.copy()
    clip("ecg", signal)
    np.testing.assert_array_equal(signal, before)


def test_a_failing_library_function_is_named(monkeypatch):
    def ecg_findpeaks(*_, **__):
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(biosignal.nk, "ecg_findpeaks", ecg_findpeaks)
    with pytest.raises(Unusable, match=r"^ecg: neurokit2\.ecg_findpeaks failed, ZeroDivisionError"):
        clip("ecg", good("ecg"))


def test_options_are_closed():
    with pytest.raises(ValueError, match="min_second"):
        Options(min_second=2)
