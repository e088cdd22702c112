"""The speech features: tones, noise and recorded voices give what they must, and bad sound a reason."""

from pathlib import Path

import numpy as np
import pytest

from benchmark.features.speech import Options, definitions, extract
from benchmark.types import Audio, Unusable

RATE = 16000
RNG = np.random.default_rng
TIME = np.arange(int(5.5 * RATE)) / RATE
RECORDINGS = Path("/usr/share/codec2/raw")  # headerless 16-bit mono at 8 kHz, Debian package codec2-examples
VOICES = {"hts2a": (150, 260), "f2400": (150, 260), "m2400": (80, 160), "cross": (80, 160), "vk5qi": (80, 160)}


def clip(samples, rate=RATE):
    values = extract(Audio(rate, np.asarray(samples, np.float32)), 10, Options()).clip
    return dict(zip(definitions().clip, values, strict=True))


def column(samples, name):
    index = list(definitions().segment).index(name)
    return extract(Audio(RATE, np.asarray(samples, np.float32)), 10, Options()).segment[:, index]


def tone(hz, time=TIME):
    """A voice-like sound: a few harmonics."""
    return sum(np.sin(2 * np.pi * hz * i * time) / i for i in range(1, 5)) * 0.1


# --- shape of the result


@pytest.mark.parametrize("segments", [1, 4, 10])
@pytest.mark.parametrize("seconds", [0.35, 1.0, 5.5])
def test_features_match_their_definitions(segments, seconds):
    names = definitions()
    features = extract(Audio(RATE, tone(150, TIME[: int(seconds * RATE)])), segments, Options())
    assert features.segment.shape == (segments, len(names.segment)) and features.segment.dtype == np.float32
    assert features.clip.shape == (len(names.clip),) and features.clip.dtype == np.float32


def test_definitions_are_complete():
    names = definitions()
    for part in names:
        assert part and all(name.startswith("speech_") and text.strip() for name, text in part.items())
    assert not set(names.segment) & set(names.clip)


# --- known values


@pytest.mark.parametrize("hz", [90, 150, 220, 330])
def test_pitch_of_a_tone(hz):
    values = clip(tone(hz))
    assert values["speech_pitch_median"] == pytest.approx(hz, abs=2)
    assert values["speech_pitch_range"] < 0.2
    assert values["speech_voiced_total"] > 0.95


def test_pitch_of_a_pure_tone():
    assert clip(0.3 * np.sin(2 * np.pi * 220 * TIME))["speech_pitch_median"] == pytest.approx(220, abs=2)


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000])
def test_pitch_does_not_depend_on_the_recording_rate(rate):
    assert clip(tone(220, np.arange(2 * rate) / rate), rate)["speech_pitch_median"] == pytest.approx(220, abs=2)


def test_pitch_of_segments_follows_the_clip():
    half = TIME.size // 2
    pitch = column(np.r_[tone(110, TIME[:half]), tone(220, TIME[:half])], "speech_pitch")
    assert pitch[:4] == pytest.approx(12, abs=0.3) and pitch[6:] == pytest.approx(24, abs=0.3)  # semitones over 55 Hz


def test_noise_has_no_pitch():
    for samples in (RNG(0).normal(0, 0.1, TIME.size), 0.0005 * np.cumsum(RNG(0).normal(size=TIME.size))):
        assert clip(samples)["speech_voiced_total"] < 0.05
    assert np.isnan(clip(RNG(0).normal(0, 0.1, TIME.size))["speech_pitch_median"])


def test_quiet_segments_have_no_pitch():
    samples = tone(150) * (TIME < 2.5)
    pitch = column(samples, "speech_pitch")
    assert np.isfinite(pitch[:4]).all() and np.isnan(pitch[5:]).all()


def test_louder_sound_adds_decibels():
    level = column(tone(150), "speech_level")
    assert column(2 * tone(150), "speech_level") - level == pytest.approx(6.02, abs=0.05)


def test_syllables_and_pauses():
    time = np.arange(6 * RATE) / RATE
    syllables = tone(150, time) * np.sin(2 * np.pi * 2 * time) ** 2  # four humps a second
    values = clip(syllables)
    assert values["speech_syllable_rate"] == pytest.approx(4, abs=0.7)
    assert values["speech_pause_longest"] == 0
    paused = clip(syllables * ((time < 2) | (time > 3)))
    assert paused["speech_pause_longest"] == pytest.approx(1, abs=0.15)
    assert paused["speech_pause_rate"] == pytest.approx(1 / 6, abs=0.01)
    assert paused["speech_active_share"] < values["speech_active_share"] - 0.1


def test_bright_sound_has_a_higher_centroid():
    assert (column(tone(330), "speech_centroid") > column(tone(110), "speech_centroid")).all()


# --- recorded voices


@pytest.fixture(params=VOICES)
def voice(request):
    path = RECORDINGS / f"{request.param}.raw"
    if not path.exists():
        pytest.skip(f"{path} is absent: no recorded speech (Debian package codec2-examples)")
    return np.fromfile(path, "<i2") / 32768, VOICES[request.param]


def test_recorded_voice(voice):
    samples, (low, high) = voice
    values = clip(samples, 8000)
    assert low < values["speech_pitch_median"] < high
    assert 0.2 < values["speech_voiced_total"] < 0.9
    assert values["speech_voiced_total"] < values["speech_active_share"] <= 1
    assert 1 < values["speech_syllable_rate"] < 8


def test_recorded_voice_is_more_voiced_than_noise_of_its_level(voice):
    samples, _ = voice
    noise = clip(RNG(0).normal(0, samples.std(), samples.size), 8000)
    assert clip(samples, 8000)["speech_voiced_total"] > noise["speech_voiced_total"] + 0.2


# --- bad input

BAD = {
    "empty": (np.array([]), "empty"),
    "silent": (np.zeros(RATE), "silent"),
    "offset": (np.full(RATE, 0.5), "silent"),
    "faint": (RNG(0).normal(0, 1e-5, RATE), "silent"),
    "missing": (np.r_[tone(150), np.nan], "NaN"),
    "infinite": (np.r_[tone(150), np.inf], "NaN or infinite"),
    "short": (tone(150)[:1000], "too short"),
    "clipped": (np.clip(100 * tone(150), -1, 1), "clipped"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_sound_is_unusable(case):
    samples, reason = BAD[case]
    with pytest.raises(Unusable, match=f"^audio: .*{reason}"):
        clip(samples)


def test_a_little_clipping_is_usable():
    clip(np.clip(3 * tone(150), -0.5, 0.5))


def test_a_pitch_that_does_not_fit_a_frame_is_refused():
    with pytest.raises(ValueError, match="does not fit half a frame"):
        Options(pitch_hz=(20.0, 500.0))


def test_options_are_closed():
    with pytest.raises(ValueError, match="hopp"):
        Options(hopp=128)


def test_same_sound_same_features():
    samples = Audio(RATE, tone(150) + RNG(0).normal(0, 0.01, TIME.size))
    first, second = extract(samples, 10, Options()), extract(samples, 10, Options())
    np.testing.assert_array_equal(first.segment, second.segment)
    np.testing.assert_array_equal(first.clip, second.clip)
