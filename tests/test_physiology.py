"""The simulated bio-signals: what drives them can be read back, and only the generator decides them."""

import numpy as np
import pytest

from benchmark.features import biosignal
from benchmark.synthesis.physiology import Drive, live, person
from benchmark.synthesis.sensors import CHANNELS, SITES, record
from benchmark.types import Signal

RATE = 512.0
OPTIONS = biosignal.Options()
ORGANS = Drive._fields[:-1]
AVERAGE = Drive(*[0.0] * len(ORGANS))
BIOVID = ("ecg", "eda", "emg_corrugator", "emg_trapezius", "emg_zygomaticus")
BEST = {
    "sweat": "eda_log_scr_sum",
    "heart": "ecg_heart_rate_change",
    "trapezius": "emg_trapezius_log_contrast",
    "corrugator": "emg_corrugator_log_contrast",
    "zygomaticus": "emg_zygomaticus_log_contrast",
}


def measure(signals, rate, start_s, end_s):
    """Clip-level features by name, of signals recorded at one rate."""
    analysis = biosignal.analyse({name: Signal(rate, values) for name, values in signals.items()}, OPTIONS)
    values = biosignal.extract(analysis, start_s, end_s, 10, OPTIONS).clip
    return dict(zip(biosignal.definitions(tuple(signals), OPTIONS).clip, values, strict=True))


def recorded(drive, seconds, channels, rng, rate=RATE, site="chest"):
    life = live(person(rng), drive, seconds, rng)
    return {channel: record(life, channel, rate, rng, site) for channel in channels}


def random_drives(rng, people):
    return [Drive(*rng.normal(size=len(ORGANS))) for _ in range(people)]


def correlation(one, other):
    known = np.isfinite(one) & np.isfinite(other)
    assert known.mean() > 0.95
    return np.corrcoef(np.asarray(one)[known], np.asarray(other)[known])[0, 1]


@pytest.fixture(scope="module")
def clips():
    """Drives and clip-level features of many people."""
    rng = np.random.default_rng(7)
    drives = random_drives(rng, 150)
    return drives, [measure(recorded(drive, 5.5, BIOVID, rng), RATE, 0.0, 5.5) for drive in drives]


@pytest.mark.parametrize("organ", BEST)
def test_drive_can_be_recovered_but_not_perfectly(clips, organ):
    drives, rows = clips
    assert 0.6 < correlation([getattr(d, organ) for d in drives], [row[BEST[organ]] for row in rows]) < 0.92


@pytest.mark.parametrize("organ", BEST)
def test_drive_does_not_move_the_features_of_other_drives(clips, organ):
    drives, rows = clips
    for other in set(BEST) - {organ}:
        assert abs(correlation([getattr(d, organ) for d in drives], [row[BEST[other]] for row in rows])) < 0.3


@pytest.fixture(scope="module")
def ladder():
    """Mean clip-level features with every drive at -2, at 0 and at 2."""
    rng = np.random.default_rng(1)
    steps = []
    for level in (-2.0, 0.0, 2.0):
        drive = Drive(*[level] * len(ORGANS))
        rows = [measure(recorded(drive, 5.5, BIOVID, rng), RATE, 0.0, 5.5) for _ in range(25)]
        steps.append({name: np.nanmean([row[name] for row in rows]) for name in BEST.values()})
    return steps


@pytest.mark.parametrize("organ", BEST)
def test_drive_does_not_saturate(ladder, organ):
    lower, upper = np.diff([step[BEST[organ]] for step in ladder])
    assert lower > 0 and upper > 0
    assert 0.4 < lower / upper < 2.5


def test_breathing_can_be_recovered_but_not_perfectly():
    rng = np.random.default_rng(2)
    drives = random_drives(rng, 80)
    rates = [measure(recorded(d, 30.0, ["resp"], rng, 32.0), 32.0, 0.0, 30.0)["resp_rate"] for d in drives]
    assert 0.6 < correlation([d.breathing for d in drives], rates) < 0.92


@pytest.mark.parametrize("site", ("chest", "wrist"))
def test_heart_rate_of_the_pulse_wave_is_that_of_the_ecg(site):
    rng, pairs = np.random.default_rng(3), []
    for drive in random_drives(rng, 20):
        life = live(person(rng), drive, 30.0, rng)
        ecg = measure({"ecg": record(life, "ecg", RATE, rng)}, RATE, 0.0, 30.0)
        bvp = measure({"bvp": record(life, "bvp", 64.0, rng, site)}, 64.0, 0.0, 30.0)
        pairs.append((ecg["ecg_mean_heart_rate"], bvp["bvp_mean_heart_rate"]))
    apart = np.abs(np.diff(pairs, axis=1))  # NaN or far where movement hides the pulse
    assert np.mean(apart < 2) >= {"chest": 1.0, "wrist": 0.9}[site]


def test_one_sweat_course_reaches_every_site_and_the_wrist_is_noisier():
    rng, likeness = np.random.default_rng(4), []
    for _ in range(10):
        life = live(person(rng), AVERAGE, 120.0, rng)
        chest, wrist = (record(life, "eda", 8.0, rng, site) for site in ("chest", "wrist"))
        likeness.append(np.corrcoef(np.diff(chest), np.diff(wrist))[0, 1])
        assert wrist.mean() < chest.mean()
    assert 0.3 < np.mean(likeness) < 0.95


STEPS = {  # feature -> channel and rate
    "ecg_mean_heart_rate": ("ecg", 256.0),
    "bvp_mean_heart_rate": ("bvp", 64.0),
    "eda_log_level": ("eda", 8.0),
    "eda_log_scr_sum": ("eda", 8.0),
    "resp_rate": ("resp", 32.0),
    "resp_log_size": ("resp", 32.0),
    "emg_trapezius_overall_log_rms": ("emg_trapezius", 512.0),
}


@pytest.fixture(scope="module")
def stepped():
    """Features of the first and of the second half of recordings whose drive rises half-way."""
    rng, rows = np.random.default_rng(5), []
    times = np.array([0.0, 59.9, 60.1, 120.0])
    drive = Drive(*[np.array([-1.0, -1.0, 1.0, 1.0])] * len(ORGANS), times=times)
    for _ in range(12):
        life, halves = live(person(rng), drive, 120.0, rng), [{}, {}]
        for channel, rate in dict(STEPS.values()).items():
            signals = {channel: record(life, channel, rate, rng)}
            for half, span in zip(halves, ((0.0, 60.0), (60.0, 120.0)), strict=True):
                half.update(measure(signals, rate, *span))
        rows.append(halves)
    return rows


@pytest.mark.parametrize("name", STEPS)
def test_a_step_of_the_drive_shows_in_the_second_half(stepped, name):
    rises = [second[name] > first[name] for first, second in stepped]
    assert np.mean(rises) > 0.85


def test_a_step_of_the_drive_cools_the_skin_and_makes_it_move():
    rng, cooler, livelier = np.random.default_rng(6), [], []
    drive = Drive(*[np.array([-1.0, -1.0, 1.0, 1.0])] * len(ORGANS), times=np.array([0.0, 149.0, 151.0, 300.0]))
    for _ in range(12):
        life = live(person(rng), drive, 300.0, rng)
        temperature, moves = record(life, "temp", 4.0, rng), np.diff(record(life, "acc", 32.0, rng, "wrist"), axis=0)
        cooler.append(temperature[-200:].mean() < temperature[400:600].mean())
        livelier.append(moves[4800:].std() > moves[:4800].std())
    assert np.mean(cooler) > 0.8 and np.mean(livelier) > 0.8


def test_signals_depend_on_the_generator_only():
    def once(seed, legacy):
        np.random.seed(legacy)
        return recorded(AVERAGE, 5.5, CHANNELS, np.random.default_rng(seed))

    first, again, other = once(3, 1), once(3, 2), once(4, 1)
    for channel in first:
        np.testing.assert_array_equal(first[channel], again[channel])
        assert not np.array_equal(first[channel], other[channel])


def test_global_generator_is_left_alone():
    np.random.seed(5)
    expected = np.random.random()
    np.random.seed(5)
    recorded(AVERAGE, 5.5, CHANNELS, np.random.default_rng(0))
    assert np.random.random() == expected


@pytest.mark.parametrize(("seconds", "rate"), [(5.5, 512), (12.0, 1000), (30.0, 100), (900.0, 4), (7.3, 64)])
@pytest.mark.parametrize("site", SITES)
def test_any_length_and_rate(seconds, rate, site):
    channels = [channel for channel in CHANNELS if rate >= 100 or not channel.startswith("emg")]
    for channel, signal in recorded(AVERAGE, seconds, channels, np.random.default_rng(0), rate, site).items():
        assert signal.shape == (round(seconds * rate), 3)[: 1 + (channel == "acc")] and signal.dtype == np.float64
        assert np.isfinite(signal).all()


def test_values_are_those_of_people():
    rng = np.random.default_rng(0)
    for drive in random_drives(rng, 30):
        life = live(person(rng), drive, 60.0, rng)
        signals = {channel: record(life, channel, 128.0, rng) for channel in CHANNELS}
        assert signals["eda"].min() > 0.3 and signals["eda"].max() < 60
        assert 200 < np.ptp(signals["ecg"]) < 6000
        assert 1 < signals["emg_corrugator"].std() < 300
        assert signals["temp"].min() > 29 and signals["temp"].max() < 38
        assert np.linalg.norm(signals["acc"], axis=1).mean() == pytest.approx(1, abs=0.05)


def test_what_cannot_be_recorded_is_refused():
    life = live(person(np.random.default_rng(0)), AVERAGE, 5.5, np.random.default_rng(0))
    with pytest.raises(ValueError, match="100 Hz is the least"):
        record(life, "emg_trapezius", 64, np.random.default_rng(0))
    with pytest.raises(ValueError, match="no sensor for emg_biceps; there are eda"):
        record(life, "emg_biceps", 512, np.random.default_rng(0))
    with pytest.raises(ValueError, match="no site ear; there are chest"):
        record(life, "eda", 4, np.random.default_rng(0), "ear")
