"""The simulated bio-signals: what drives them can be read back, and only the generator decides them."""

import numpy as np
import pytest

from benchmark.features import biosignal
from benchmark.synthesis.physiology import Drive, person, simulate
from benchmark.types import Signals

RATE = 512.0
AVERAGE = Drive(0, 0, 0, 0, 0)
CHANNELS = ("ecg", "eda", "emg_corrugator", "emg_trapezius", "emg_zygomaticus")
BEST = {
    "sweat": "eda_log_scr_sum",
    "heart": "ecg_heart_rate_change",
    "trapezius": "emg_trapezius_log_contrast",
    "corrugator": "emg_corrugator_log_contrast",
    "zygomaticus": "emg_zygomaticus_log_contrast",
}


@pytest.fixture(scope="module")
def clips():
    """Drives and clip-level features of many people."""
    rng = np.random.default_rng(7)
    drives = [Drive(*rng.normal(size=5)) for _ in range(150)]
    rows = [measure(simulate(person(rng), drive, 5.5, RATE, rng)) for drive in drives]
    return np.array(drives), np.array(rows)


def measure(channels):
    return biosignal.extract(Signals(RATE, channels), 10, biosignal.Options()).clip


def feature(rows, name):
    return np.asarray(rows)[..., list(biosignal.definitions(CHANNELS).clip).index(name)]


@pytest.mark.parametrize("drive", BEST)
def test_drive_can_be_recovered_but_not_perfectly(clips, drive):
    drives, rows = clips
    correlation = np.corrcoef(drives[:, Drive._fields.index(drive)], feature(rows, BEST[drive]))[0, 1]
    assert 0.6 < correlation < 0.92


@pytest.mark.parametrize("drive", BEST)
def test_drive_does_not_move_the_features_of_other_drives(clips, drive):
    drives, rows = clips
    for other in set(BEST) - {drive}:
        correlation = np.corrcoef(drives[:, Drive._fields.index(drive)], feature(rows, BEST[other]))[0, 1]
        assert abs(correlation) < 0.3


@pytest.fixture(scope="module")
def ladder():
    """Mean clip-level features with every drive at -2, at 0 and at 2."""
    rng = np.random.default_rng(1)
    drives = [Drive(*[level] * 5) for level in (-2, 0, 2)]
    return [
        np.mean([measure(simulate(person(rng), drive, 5.5, RATE, rng)) for _ in range(25)], axis=0) for drive in drives
    ]


@pytest.mark.parametrize("drive", BEST)
def test_drive_does_not_saturate(ladder, drive):
    lower, upper = np.diff(feature(ladder, BEST[drive]))
    assert lower > 0 and upper > 0
    assert 0.4 < lower / upper < 2.5


def test_signals_depend_on_the_generator_only():
    def once(seed, legacy):
        np.random.seed(legacy)
        rng = np.random.default_rng(seed)
        return simulate(person(rng), AVERAGE, 5.5, RATE, rng)

    first, again, other = once(3, 1), once(3, 2), once(4, 1)
    for channel in first:
        np.testing.assert_array_equal(first[channel], again[channel])
        assert not np.array_equal(first[channel], other[channel])


def test_global_generator_is_left_alone():
    np.random.seed(5)
    expected = np.random.random()
    np.random.seed(5)
    simulate(person(np.random.default_rng(0)), AVERAGE, 5.5, RATE, np.random.default_rng(1))
    assert np.random.random() == expected


@pytest.mark.parametrize(("duration", "rate"), [(5.5, 512), (5.5, 256), (12.0, 1000), (30.0, 100)])
def test_any_length_and_rate(duration, rate):
    rng = np.random.default_rng(0)
    signals = simulate(person(rng), AVERAGE, duration, rate, rng)
    assert tuple(sorted(signals)) == CHANNELS
    for signal in signals.values():
        assert signal.shape == (round(duration * rate),) and signal.dtype == np.float64
        assert np.isfinite(signal).all()


def test_values_are_those_of_people():
    rng = np.random.default_rng(0)
    for _ in range(30):
        signals = simulate(person(rng), Drive(*rng.normal(size=5)), 5.5, RATE, rng)
        assert signals["eda"].min() > 0.3 and signals["eda"].max() < 40
        assert 200 < np.ptp(signals["ecg"]) < 6000
        assert 1 < signals["emg_corrugator"].std() < 300


def test_a_rate_too_low_for_muscles_is_refused():
    with pytest.raises(ValueError, match="100 Hz is the least"):
        simulate(person(np.random.default_rng(0)), AVERAGE, 5.5, 64, np.random.default_rng(0))
