"""Containers: frames by time stamp, sound aligned with the picture."""

import os

import av
import numpy as np
import pytest
import soundfile

from benchmark.reading import media
from benchmark.sensing.faces import Film
from benchmark.synthesis import film
from benchmark.types import Unusable, Video

FRAMES = [np.full((48, 64, 3), number, np.uint8) for number in range(60)]


def beep(rate: int, start_s: float, seconds: float = 2.0) -> np.ndarray:
    time = np.arange(round(seconds * rate)) / rate
    return np.where(time >= start_s, 0.5 * np.sin(2 * np.pi * 440 * time), 0).astype(np.float32)


def onset(audio) -> float:
    return float(np.argmax(np.abs(audio.samples) > 0.2) / audio.rate)


@pytest.mark.parametrize("ending, rate", [(".mp4", 29.97), (".mp4", 25.0), (".avi", 15.0), (".flv", 30.0)])
def test_frames_and_sound_of_every_container(tmp_path, ending, rate):
    path = tmp_path / f"film{ending}"
    film.write(path, FRAMES, rate, beep(44_100, 1.0), 44_100)
    times = media.frame_times(path)
    assert len(times) == 60
    np.testing.assert_allclose(times, np.arange(60) / rate, atol=1.1e-3)
    audio = media.sound(path)
    assert audio.rate == 44_100 and audio.samples.dtype == np.float32 and np.abs(audio.samples).max() <= 1
    assert onset(audio) == pytest.approx(1.0, abs=0.06)


def test_a_variable_frame_rate_is_read_from_the_time_stamps(tmp_path):
    times = np.cumsum(np.random.default_rng(0).uniform(0.02, 0.06, 60))
    film.write(tmp_path / "a.mp4", FRAMES, 25.0, times=times)
    np.testing.assert_allclose(media.frame_times(tmp_path / "a.mp4"), times - times[0], atol=1.1e-3)


@pytest.mark.parametrize("subtype", ["PCM_16", "FLOAT", "PCM_24"])
def test_wav_of_any_format_becomes_mono(tmp_path, subtype):
    left = beep(16_000, 0.5)
    soundfile.write(tmp_path / "a.wav", np.column_stack([left, 0.5 * left]), 16_000, subtype=subtype)
    audio = media.sound(tmp_path / "a.wav")
    assert audio.rate == 16_000
    np.testing.assert_allclose(audio.samples, 0.75 * left, atol=1e-4)


def test_equal_content_gives_equal_bytes_and_a_broken_write_no_file(tmp_path):
    for name in ("a.mp4", "b.mp4"):
        film.write(tmp_path / name, FRAMES, 25.0, beep(16_000, 1.0), 16_000)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()

    def broken():
        yield FRAMES[0]
        raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        film.write(tmp_path / "c.mp4", broken(), 25.0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "b.mp4"]


def test_what_is_no_recording_is_unusable_with_a_reason(tmp_path, capfd):
    film.write(tmp_path / "silent.mp4", FRAMES, 25.0)
    with pytest.raises(Unusable, match="the file has no audio track"):
        media.sound(tmp_path / "silent.mp4")
    soundfile.write(tmp_path / "a.wav", beep(16_000, 0.0), 16_000)
    with pytest.raises(Unusable, match="the file has no video track"):
        media.frame_times(tmp_path / "a.wav")
    whole = (tmp_path / "silent.mp4").read_bytes()
    for name, content in {"empty": b"", "text": b"no sound\n" * 40, "cut": whole[: len(whole) // 2]}.items():
        (tmp_path / name).write_bytes(content)
        for reader in (media.sound, media.frame_times):
            with pytest.raises(Unusable):
                reader(tmp_path / name)
    with pytest.raises(Unusable, match="missing"):
        media.sound(tmp_path / "nowhere.wav")
    assert capfd.readouterr().err == ""


def test_a_truncated_wav_is_refused(tmp_path):
    soundfile.write(tmp_path / "a.wav", beep(16_000, 0.0), 16_000)
    content = (tmp_path / "a.wav").read_bytes()
    (tmp_path / "a.wav").write_bytes(content[: len(content) // 2])
    with pytest.raises(Unusable, match=r"the sound is truncated after 1\.0 s"):
        media.sound(tmp_path / "a.wav")


def test_sound_that_begins_long_after_the_picture_is_refused(tmp_path):
    """Silence in front of it could be longer than any memory."""
    with av.open(str(tmp_path / "a.mkv"), "w") as made:
        picture, track = made.add_stream("mpeg4", rate=25), made.add_stream("flac", rate=16_000, layout="mono")
        picture.width, picture.height, picture.pix_fmt = 64, 48, "yuv420p"
        shown = av.VideoFrame.from_ndarray(FRAMES[0], format="bgr24")
        heard = av.AudioFrame.from_ndarray(np.zeros((1, 4000), np.int16), format="s16", layout="mono")
        heard.sample_rate, heard.pts = 16_000, 16_000 * 700
        for stream, frame in ((picture, shown), (track, heard)):
            made.mux(stream.encode(frame))
            made.mux(stream.encode(None))
    with pytest.raises(Unusable, match="the sound begins 700 s after the picture; up to 600 s are filled"):
        media.sound(tmp_path / "a.mkv")


def test_a_rate_that_no_sound_has_is_refused(tmp_path):
    soundfile.write(tmp_path / "a.wav", beep(16_000, 0.0), 16)
    with pytest.raises(Unusable, match="the sound has 16 samples per second; 1000 to 400000 are read"):
        media.sound(tmp_path / "a.wav")


def chunk(name: bytes, content: bytes, length: int | None = None, order: str = "little") -> bytes:
    return name + (len(content) if length is None else length).to_bytes(4, order) + content


def wave(*chunks: bytes, kind: bytes = b"RIFF") -> bytes:
    return kind + b"\xff\xff\xff\xff" + b"WAVE" + b"".join(chunks)


SHAPE = chunk(b"fmt ", b"\x01\0\x01\0\x80\x3e\0\0\0\x7d\0\0\x02\0\x10\0")
LONG = chunk(b"ds64", b"\0" * 8 + (8000).to_bytes(8, "little") + b"\0" * 12)
VOICE = b"\x11\x22" * 4000


@pytest.mark.parametrize(
    "content",
    [
        wave(SHAPE, chunk(b"data", VOICE)),
        wave(chunk(b"fact", b""), SHAPE),
        wave(LONG, SHAPE, chunk(b"data", VOICE, 0xFFFFFFFF), kind=b"RF64"),
    ],
)
def test_a_wav_that_was_made_larger_beforehand_is_refused(tmp_path, content):
    """FFmpeg looks at every eighth byte of the zeros: 3 minutes for a gigabyte."""
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    os.truncate(path, 50 * 2**30)
    for read in (media.sound, media.frame_times, lambda path: list(Film(Video(path), 5.0))):
        with pytest.raises(Unusable, match=r"the wav has more than 1000 parts"):
            read(path)


@pytest.mark.parametrize(
    "content",
    [
        wave(chunk(b"LIST", b"x" * 3001 + b"\0", 3001), SHAPE, chunk(b"data", VOICE), chunk(b"LIST", b"y" * 5000)),
        wave(SHAPE, chunk(b"data", VOICE), *[chunk(b"cue ", b"")] * 900),
        wave(SHAPE, chunk(b"data", VOICE, 0xFFFFFFFF)),
        wave(SHAPE, chunk(b"data", VOICE, 0)),
        wave(LONG, SHAPE, chunk(b"data", VOICE, 0xFFFFFFFF), chunk(b"LIST", b"y" * 50), kind=b"RF64"),
    ],
)
def test_a_wav_may_hold_more_than_its_sound(tmp_path, content):
    (tmp_path / "a.wav").write_bytes(content)
    assert len(media.sound(tmp_path / "a.wav").samples) == 4000
