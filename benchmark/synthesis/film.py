"""Videos with sound, written so that equal content gives equal bytes and a broken write leaves no file."""

from collections.abc import Iterable
from fractions import Fraction
from itertools import chain, count
from pathlib import Path

import numpy as np

CLOCK = 1000  # ticks per second of time stamps that are not regular
CODECS = {".mp4": ("mpeg4", "aac"), ".avi": ("mpeg4", "mp3"), ".flv": ("flv", "mp3")}  # of picture and sound


def write(
    path: Path,
    frames: Iterable[np.ndarray],
    rate: float,
    sound: np.ndarray | None = None,
    sound_rate: int = 48_000,
    times: np.ndarray | None = None,
) -> None:
    """A video of BGR frames (height, width, 3) uint8; the ending of the path decides about container and codecs.

    sound: (samples,) float32 in -1 to 1. times, s: when each frame is shown, where that is not every 1 / rate.
    """
    import av

    picture, voice = CODECS[path.suffix]
    part, frames = path.with_name(f".part-{path.name}"), iter(frames)
    first = next(frames)
    try:
        # the encoder of sound starts a little before 0, which would shift the frames of an avi by one
        early = {"avoid_negative_ts": "disabled"} if path.suffix == ".avi" else {}
        with av.open(str(part), "w", options={"fflags": "+bitexact"} | early) as container:
            stream = container.add_stream(picture, rate=Fraction(rate).limit_denominator(1001))
            stream.height, stream.width, stream.pix_fmt = *first.shape[:2], "yuv420p"
            stream.codec_context.bit_rate, stream.codec_context.max_b_frames = 400_000, 0
            stream.codec_context.flags |= av.codec.context.Flags.bitexact
            if times is not None:
                stream.codec_context.time_base = Fraction(1, CLOCK)
            track = sound is not None and container.add_stream(voice, rate=sound_rate, layout="mono")
            _show(container, stream, chain([first], frames), times)
            if track:
                track.codec_context.flags |= av.codec.context.Flags.bitexact
                _sound(container, track, sound, sound_rate)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _show(container, stream, frames: Iterable[np.ndarray], times: np.ndarray | None) -> None:
    import av

    base = 1 / stream.codec_context.framerate if times is None else stream.codec_context.time_base
    for number, picture in zip(count(), frames):
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="bgr24")
        frame.pts = number if times is None else round(float(times[number]) / base)
        frame.time_base = base
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def _sound(container, track, sound: np.ndarray, rate: int) -> None:
    import av

    resampler = av.AudioResampler(track.codec_context.format, track.codec_context.layout, rate)
    whole = av.AudioFrame.from_ndarray(np.asarray(sound, np.float32)[None], format="flt", layout="mono")
    whole.sample_rate, whole.pts = rate, 0
    for frame in (*resampler.resample(whole), *resampler.resample(None)):
        container.mux(track.encode(frame))
    container.mux(track.encode(None))
