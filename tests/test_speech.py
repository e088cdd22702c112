"""The speech features: tones, noise and recorded voices give what they must, and bad sound a reason."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmark.features import speech
from benchmark.features.speech import Options, analyse, definitions
from benchmark.types import Audio, Features, Unusable

RATE = 16000
RNG = np.random.default_rng
TIME = np.arange(int(5.5 * RATE)) / RATE
RECORDINGS = Path("/usr/share/codec2/raw")  # headerless 16-bit mono at 8 kHz, Debian package codec2-examples
VOICES = {"hts2a": (150, 260), "f2400": (150, 260), "m2400": (80, 160), "cross": (80, 160), "vk5qi": (80, 160)}


OPTIONS = Options(extras="none")
NAMES = definitions((), OPTIONS)


def extract(samples, start_s=0.0, end_s=np.inf, segments=10, rate=RATE) -> Features:
    analysis = analyse(Audio(rate, np.asarray(samples, np.float32)), OPTIONS)
    return speech.extract(analysis, start_s, end_s, segments, OPTIONS)


def clip(samples, rate=RATE):
    return dict(zip(NAMES.clip, extract(samples, rate=rate).clip, strict=True))


def column(samples, name):
    return extract(samples).segment[:, list(NAMES.segment).index(name)]


def tone(hz, time=TIME):
    """A voice-like sound: a few harmonics."""
    return sum(np.sin(2 * np.pi * hz * i * time) / i for i in range(1, 5)) * 0.1


# --- shape of the result


@pytest.mark.parametrize("segments", [1, 4, 10])
@pytest.mark.parametrize("seconds", [0.35, 1.0, 5.5])
def test_features_match_their_definitions(segments, seconds):
    features = extract(tone(150, TIME[: int(seconds * RATE)]), segments=segments)
    assert features.segment.shape == (segments, len(NAMES.segment)) and features.segment.dtype == np.float32
    assert features.clip.shape == (len(NAMES.clip),) and features.clip.dtype == np.float32


def test_definitions_are_complete():
    for part in NAMES:
        assert part and all(name.startswith("speech_") and text.strip() for name, text in part.items())
    assert not set(NAMES.segment) & set(NAMES.clip)


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


# --- clips of a long recording


def long_sound() -> np.ndarray:
    """Twelve seconds: a low tone, a pause, a high tone, silence."""
    parts = [tone(110, TIME[: 4 * RATE]), 0.001 * RNG(0).normal(size=RATE), tone(220, TIME[: 4 * RATE])]
    return np.concatenate([*parts, np.zeros(3 * RATE)]).astype(np.float32)


def test_a_clip_does_not_depend_on_which_others_are_asked_for():
    analysis = analyse(Audio(RATE, long_sound()), OPTIONS)
    alone = speech.extract(analysis, 2.0, 7.0, 5, OPTIONS)
    for start in (0.0, 1.5, 3.0):
        speech.extract(analysis, start, start + 5, 5, OPTIONS)
    again = speech.extract(analysis, 2.0, 7.0, 5, OPTIONS)
    np.testing.assert_array_equal(alone.segment, again.segment)
    np.testing.assert_array_equal(alone.clip, again.clip)


def test_overlapping_clips_agree_where_they_overlap():
    samples = tone(150, np.arange(8 * RATE) / RATE) + RNG(1).normal(0, 0.01, 8 * RATE)
    analysis = analyse(Audio(RATE, samples.astype(np.float32)), OPTIONS)
    early, late = speech.extract(analysis, 0, 5, 5, OPTIONS), speech.extract(analysis, 2, 7, 5, OPTIONS)
    flux = list(NAMES.segment).index("speech_flux")  # the first frame of a clip has no frame before it
    keep = [number for number in range(len(NAMES.segment)) if number != flux]
    np.testing.assert_allclose(early.segment[3:, keep], late.segment[1:3, keep], rtol=1e-4, atol=1e-4)


def test_a_clip_is_what_the_sound_cut_out_would_be():
    samples = long_sound()
    cut = extract(samples[5 * RATE : 9 * RATE], segments=4).segment
    within = speech.extract(analyse(Audio(RATE, samples), OPTIONS), 5.0, 9.0, 4, OPTIONS).segment
    pitch, level = (list(NAMES.segment).index(f"speech_{name}") for name in ("pitch", "level"))
    np.testing.assert_allclose(within[:, pitch], cut[:, pitch], atol=0.1)
    np.testing.assert_allclose(within[1:3, level], cut[1:3, level], atol=0.2)


def test_bad_stretches_are_refused_clip_by_clip():
    samples = long_sound()
    samples[2 * RATE] = np.nan
    analysis = analyse(Audio(RATE, samples), OPTIONS)
    for start, end, reason in ((0, 3, "NaN"), (9.5, 12, "silent"), (13, 15, "empty"), (11.9, 15, "too short")):
        with pytest.raises(Unusable, match=f"^audio: .*{reason}"):
            speech.extract(analysis, start, end, 5, OPTIONS)
    assert np.isfinite(speech.extract(analysis, 5, 8, 5, OPTIONS).segment).all()


def test_long_recordings_are_measured_in_parts(monkeypatch):
    samples = tone(150) + RNG(0).normal(0, 0.01, TIME.size)
    whole = extract(samples)
    monkeypatch.setattr(speech, "CHUNK", 50)
    parts = extract(samples)
    np.testing.assert_allclose(parts.segment, whole.segment, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(parts.clip, whole.clip, rtol=1e-4, atol=1e-4)


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
    samples = tone(150) + RNG(0).normal(0, 0.01, TIME.size)
    first, second = extract(samples), extract(samples)
    np.testing.assert_array_equal(first.segment, second.segment)
    np.testing.assert_array_equal(first.clip, second.clip)


SPEAK = """
import numpy as np
from benchmark.features import speech
from benchmark.types import Audio
sound = np.random.default_rng(0).normal(0, 0.1, 32000).astype(np.float32)
speech.extract(speech.analyse(Audio(16000, sound), speech.Options()), 0.0, 2.0, 4, speech.Options())
"""


def test_processes_that_compile_librosa_at_once_do_not_spoil_its_cache(tmp_path):
    """Two start with nothing compiled; the third loads what they stored."""
    root = Path(__file__).parents[1]

    def start() -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, "-c", SPEAK], cwd=root, env=os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
        )

    assert [process.wait() for process in [start(), start()]] == [0, 0]
    assert list(tmp_path.rglob("*.nbi")) and start().wait() == 0
