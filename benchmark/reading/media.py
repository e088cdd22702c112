"""Containers: when the frames of a video are shown, and its sound. PyAV reads what FFmpeg reads."""

from pathlib import Path

import numpy as np

from benchmark.reading import sizes
from benchmark.types import Audio, Unusable

# what FFmpeg is to take a file for: among its other formats are playlists, which name further files and addresses
FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,avi,matroska,webm,mpeg,mpegts,mpegvideo,m4v,asf,flv,wav,w64,flac,mp3,ogg,aac"
OPTIONS = {"format_whitelist": FORMATS, "protocol_whitelist": "file"}
LATEST = 600  # s
RATES = (1000, 400_000)  # samples per second of sound
COMPLETE = 0.9  # share of what a file promises below which it counts as truncated
UNKNOWN = 0xFFFFFFFF  # size in the header of a wav that was written as a stream


def frame_times(path: Path) -> np.ndarray:
    """When each frame is shown, (frames,) s from the first one, by its time stamp; nothing is decoded."""
    import av

    with _open(path, "video") as container:
        stream = container.streams.video[0]
        try:
            stamps = [p.dts if p.pts is None else p.pts for p in container.demux(stream) if p.size]
        except (av.FFmpegError, IndexError) as error:  # IndexError: at a track that was not announced
            raise Unusable(f"the video cannot be read: {error}") from None
        stamps = sorted(stamp for stamp in stamps if stamp is not None)
        if not stamps:
            raise Unusable("the video holds no frame")
        return (np.array(stamps) - stamps[0]) * float(stream.time_base or av.time_base)


def sound(path: Path) -> Audio:
    """The first sound track, mono at its own rate. Where there is a video, time 0 is its first frame.

    Unusable where less than most of what the file promises can be decoded.
    """

    with _open(path, "audio") as container:
        stream = container.streams.audio[0]
        begin, samples = _decoded(container, stream)
        rate = float(stream.rate)
        if not RATES[0] <= rate <= RATES[1]:
            raise Unusable(f"the sound has {rate:g} samples per second; {RATES[0]} to {RATES[1]} are read")
        promised = float(stream.duration * stream.time_base) if stream.duration and stream.time_base else 0.0
        if cut_short(path) or len(samples) / rate < COMPLETE * promised:
            raise Unusable(f"the sound is truncated after {len(samples) / rate:.1f} s")
        lead = begin - _video_start(container) if container.streams.video else 0.0
    if lead > LATEST:
        raise Unusable(f"the sound begins {lead:.0f} s after the picture; up to {LATEST} s are filled with silence")
    shift = round(lead * rate)
    samples = np.concatenate([np.zeros(shift, np.float32), samples]) if shift > 0 else samples[-shift:]
    return Audio(rate, samples)


def _decoded(container, stream) -> tuple[float, np.ndarray]:
    """When the sound begins, s, and its samples as far as they can be decoded."""
    import av

    parts, begin, held = [], None, 0
    try:
        for frame in container.decode(stream):
            begin = frame.time if begin is None else begin
            parts.append(_mono(frame))
            held += len(parts[-1])
            if held > sizes.SOUND:
                raise Unusable(f"the sound has more than {sizes.SOUND} samples: divide it into shorter recordings")
    except (av.FFmpegError, IndexError):
        pass  # told by how much is missing
    if not parts:
        raise Unusable("the sound track holds no sound")
    return begin or 0.0, np.concatenate(parts)


def cut_short(path: Path) -> bool:
    """Whether a wav holds less than its header promises, which FFmpeg overlooks; other files are not judged."""
    with path.open("rb") as file:
        start = file.read(8)
    promised = int.from_bytes(start[4:], "little")
    if start[:4] != b"RIFF" or promised == UNKNOWN:
        return False
    return path.stat().st_size < COMPLETE * promised


def refuse_padding(path: Path) -> None:
    """Unusable if a wav has more parts than any program writes; other files are not judged.

    FFmpeg goes through all of them, also after the sound, and takes zeros for parts of no length: it looks at every
    eighth byte of a file that was made larger beforehand, which takes it minutes.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(12)
        if start[:4] not in (b"RIFF", b"RIFX", b"RF64", b"BW64") or start[8:] != b"WAVE":
            return
        order, long = "big" if start[:4] == b"RIFX" else "little", start[:4] in (b"RF64", b"BW64")
        sound = int.from_bytes(file.read(24)[16:], "little")  # of a long one its length stands in the first part
        file.seek(12)
        for _ in range(sizes.CHUNKS):
            name, length = file.read(4), int.from_bytes(file.read(4), order)
            length = sound if long and name == b"data" else length
            ends = file.tell() + length + (length % 2 if name != b"data" else 0)
            if ends >= size or (name == b"data" and not length):  # sound of no length goes on to the end
                return
            file.seek(ends)
    raise Unusable(f"the wav has more than {sizes.CHUNKS} parts, or much that is empty behind its sound: write it anew")


def _open(path: Path, kind: str):
    """An open container that has a track of this kind; Unusable otherwise."""
    import av

    av.logging.set_level(av.logging.PANIC)
    if not path.is_file():
        raise Unusable("the file is missing")
    refuse_padding(path)
    try:
        container = av.open(str(path), metadata_errors="ignore", options=OPTIONS)
    except (av.FFmpegError, ValueError, OSError) as error:
        raise Unusable(f"the file cannot be opened as {kind}: {error}") from None
    if not getattr(container.streams, kind):
        container.close()
        raise Unusable(f"the file has no {kind} track")
    return container


def _mono(frame) -> np.ndarray:
    """(samples,) float32 in -1 to 1, mean over channels, whatever the format of the samples."""
    values = frame.to_ndarray()
    scale = np.iinfo(values.dtype).max + 1.0 if values.dtype.kind in "iu" else 1.0
    values = values.astype(np.float32) / np.float32(scale)
    if values.shape[0] == 1:  # packed: channels are interleaved
        values = values.reshape(-1, len(frame.layout.channels)).T
    return values.mean(axis=0)


def _video_start(container) -> float:
    stream = container.streams.video[0]
    return float((stream.start_time or 0) * (stream.time_base or 0))
