"""Synthetic speech: its pitch, levels and pauses are those asked for, and it says what it is to say of a state."""

import librosa
import numpy as np
import pytest
from test_params import SHIPPED

from benchmark import params
from benchmark.synthesis import voice
from benchmark.synthesis.population import delivery
from benchmark.synthesis.states import constant, row
from benchmark.synthesis.voice import Delivery, Person, speak

RATE = 16000
SHARED = params.load(SHIPPED).populations["shared"]
PARTS = Delivery._fields[:-1]
AVERAGE = Delivery(*[0.0] * len(PARTS))
EVEN = Person(  # the same pitch throughout
    pitch=150.0, tract=0.95, melody=0.0, tempo=4.4, loudness=0.0, brightness=0.0, breath=0.05, roughness=0.004
)
FRAME, HOP = 1024, 160


def rng(seed=0):
    return np.random.default_rng(seed)


def said(delivery=AVERAGE, seconds=8.0, person=EVEN, seed=0, **more):
    return speak(person, delivery, seconds, RATE, rng(seed), **more)


def level(samples):
    """dB of full scale per frame."""
    return 20 * np.log10(librosa.feature.rms(y=samples, frame_length=FRAME, hop_length=HOP)[0] + 1e-9)


def pitch(samples):
    """Hz in each loud and periodic frame."""
    found = librosa.yin(samples, fmin=60, fmax=500, sr=RATE, frame_length=FRAME, hop_length=HOP)
    loud = level(samples)
    flat = librosa.feature.spectral_flatness(y=samples, n_fft=FRAME, hop_length=HOP)[0]
    return found[(loud > np.quantile(loud, 0.95) - 10) & (flat < 0.01)]


def tilt(samples):
    """Level between 1.5 and 5 kHz over that below 1 kHz, in the loud frames, dB."""
    loud = level(samples) > -30
    power = (np.abs(librosa.stft(samples, n_fft=FRAME, hop_length=HOP)) ** 2)[:, : len(loud)][:, loud].mean(1)
    hz = np.fft.rfftfreq(FRAME, 1 / RATE)
    return 10 * np.log10(power[(hz > 1500) & (hz < 5000)].sum() / power[hz < 1000].sum())


def loud_share(samples):
    return np.mean(level(samples) > np.quantile(level(samples), 0.95) - 25)


# --- sound


@pytest.mark.parametrize("hz", (85.0, 120.0, 180.0, 255.0))
def test_pitch_is_the_one_asked_for(hz):
    found = pitch(said(person=EVEN._replace(pitch=hz)))
    assert len(found) > 100
    assert np.median(found) == pytest.approx(hz, rel=0.03)
    assert np.mean(abs(found / hz - 1) < 0.05) > 0.9


def test_levels_are_those_of_a_recording():
    peaks, floors = [], []
    generator = rng()
    for seed in range(30):
        samples = said(Delivery(*generator.normal(size=len(PARTS))), 5.0, voice.person(generator), seed)
        assert samples.dtype == np.float32 and np.abs(samples).max() < 0.95
        peaks.append(20 * np.log10(np.abs(samples).max()))
        floors.append(np.quantile(level(samples), 0.01))
    assert np.mean((np.array(peaks) > -16) & (np.array(peaks) < -1)) > 0.8
    assert -62 < np.median(floors) < -52


def test_about_half_of_the_time_is_voiced_and_pauses_are_silent():
    samples = said(seconds=30.0)
    loud = level(samples)
    assert 0.45 < loud_share(samples) < 0.9
    assert 0.03 < np.mean(loud < -50) < 0.5


def test_vowels_have_formants_where_they_were_put():
    shares = []
    for tract in (0.85, 1.0):
        spectrum = (
            np.abs(librosa.stft(said(person=EVEN._replace(tract=tract, pitch=85.0), seconds=20.0), n_fft=512)) ** 2
        )
        shares.append((spectrum.mean(1) * np.arange(257)).sum() / spectrum.mean(1).sum())
    assert shares[0] < shares[1]


def test_nothing_is_said_outside_of_turns():
    turns = [(1.0, 3.0), (5.5, 8.0)]
    loud = level(said(talking=turns, seconds=10.0))
    times = np.arange(len(loud)) * HOP / RATE
    inside = np.any([(times > start - 0.05) & (times < end + 0.05) for start, end in turns], axis=0)
    assert loud[~inside].max() < -48
    assert loud[inside].max() > -30
    assert level(said(talking=[], seconds=3.0)).max() < -48


def test_a_sentence_has_the_same_syllables_whoever_says_it():
    def syllables(person, seed, sentence):
        plan = voice._syllables(person, AVERAGE, 6.0, rng(seed), None, sentence)
        return [(syllable.consonant, syllable.vowel) for syllable in plan]

    first = syllables(voice.person(rng(1)), 1, 3)
    assert first == syllables(voice.person(rng(2)), 2, 3) and len(first) >= 6
    assert first != syllables(voice.person(rng(1)), 1, 4)


@pytest.mark.parametrize(("seconds", "rate"), [(0.5, 16000), (2.37, 48000), (3.0, 8000), (7.0, 22050), (4.0, 44100)])
def test_any_length_and_rate(seconds, rate):
    samples = speak(EVEN, AVERAGE, seconds, rate, rng())
    assert samples.shape == (round(seconds * rate),) and samples.dtype == np.float32
    assert np.isfinite(samples).all()


def test_sound_depends_on_the_generator_only():
    np.random.seed(1)
    first = said()
    np.random.seed(2)
    np.testing.assert_array_equal(first, said())
    assert not np.array_equal(first, said(seed=1))


def test_people_are_high_and_low():
    pitches = np.array([voice.person(rng(seed)).pitch for seed in range(200)])
    assert pitches.min() >= 85 and pitches.max() <= 255
    assert 0.3 < np.mean(pitches < 155) < 0.7
    assert voice.person(rng(), deep=True).pitch < 170 < voice.person(rng(), deep=False).pitch


# --- delivery


def test_each_part_of_the_delivery_does_what_it_says():
    def pair(part, measure, **more):
        return [measure(said(AVERAGE._replace(**{part: value}), 12.0, **more)) for value in (-2.0, 2.0)]

    low, high = pair("pitch", lambda s: np.median(pitch(s)))
    assert high / low == pytest.approx(2 ** (8 / 12), rel=0.04)
    low, high = pair("level", lambda s: np.quantile(level(s), 0.9))
    assert 9 < high - low < 15
    low, high = pair("range", lambda s: np.std(np.log(pitch(s))), person=EVEN._replace(melody=1.0))
    assert high > 1.5 * low
    low, high = pair("fluency", loud_share)
    assert high > low + 0.15
    low, high = pair("brightness", tilt)
    assert high > low + 4


def test_syllables_come_faster_with_the_rate():
    counts = [
        len(voice._syllables(EVEN, AVERAGE._replace(rate=rate), 60.0, rng(), [(0.0, 60.0)], None))
        for rate in (-2.0, 2.0)
    ]
    assert counts[1] > 1.3 * counts[0]


def test_a_step_of_the_delivery_is_heard_when_it_comes():
    steps = {"pitch": np.array([-1.5, -1.5, 1.5, 1.5]), "level": np.array([-1.5, -1.5, 1.5, 1.5])}
    driven = Delivery(**{part: steps.get(part, np.zeros(4)) for part in PARTS}, times=np.array([0, 9.9, 10.1, 20.0]))
    samples = said(driven, 20.0)
    first, second = samples[: 10 * RATE], samples[10 * RATE :]
    assert np.median(pitch(second)) > 1.3 * np.median(pitch(first))
    assert np.quantile(level(second), 0.9) > np.quantile(level(first), 0.9) + 6


# --- states


@pytest.fixture(scope="module")
def heard():
    """Arousal and valence of many people, and what simple measures make of them."""
    generator, found = rng(9), []
    for person in range(90):
        arousal, valence = generator.normal(size=2)
        course = constant(row(arousal=arousal, valence=valence), 5.0)
        driven = delivery("heard", SHARED, (person, 0), course)
        samples = speak(voice.person(generator), driven, 5.0, RATE, generator)
        loud = level(samples) > np.quantile(level(samples), 0.95) - 25
        timbre = librosa.feature.mfcc(y=samples, sr=RATE, n_mfcc=14, hop_length=HOP)[1:, : len(loud)][:, loud].mean(1)
        tone = np.log(pitch(samples))
        measures = (np.quantile(level(samples), 0.9), tone.mean(), tone.std(), loud.mean(), *timbre)
        found.append((arousal, valence, *measures))
    return np.array(found).T


def read(state, measures):
    """Correlation of a state with its leave-one-out linear reading from measures (measures, people)."""
    scaled = (measures - measures.mean(1, keepdims=True)) / measures.std(1, keepdims=True)
    design = np.vstack([np.ones(scaled.shape[1]), scaled]).T
    hat = design @ np.linalg.solve(design.T @ design + 3 * np.eye(design.shape[1]), design.T)
    reading = state - (state - hat @ state) / (1 - np.diag(hat))
    return np.corrcoef(state, reading)[0, 1]


def test_arousal_can_be_heard_but_not_perfectly(heard):
    arousal, _, *measures = heard
    assert 0.6 < read(arousal, np.array(measures)) < 0.9
    assert np.corrcoef(arousal, measures[0])[0, 1] > 0.4


def test_valence_is_harder_to_hear_than_arousal(heard):
    arousal, valence, *measures = heard
    assert read(valence, np.array(measures)) < read(arousal, np.array(measures)) - 0.2
