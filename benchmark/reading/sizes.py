"""The most that is read into memory of one foreign file, by kind. Video has no limit: it is decoded frame by frame."""

import stat
from pathlib import Path

MB = 2**20
TEXT = 64 * MB  # bytes of labels, in tables and otherwise
TABLE = 512 * MB  # bytes of tables of numbers: two hours of six channels at 1000 Hz
COLUMNS = 10_000  # of a table
PICKLE = 2048 * MB  # bytes; a session of WESAD has about 1 GB
WEIGHTS = 2048 * MB  # bytes; those of all replicas of a student have some 10 MB
PICTURE = 64 * MB  # bytes, encoded
CHUNKS = 1000  # of a wav; it has some ten
SOUND = 2**28  # decoded samples, 1 GB: 93 minutes at 48 kHz
PIXELS = 2**25  # of a frame or a picture: 7680 x 4320 just fits
FRAMES = 10**7  # of a video of which only pictures are there; two days at 60 a second
WINDOWS = 10**6  # that one recording is cut into: six days, one a half second


def held(path: Path, most: int, complaint: type[Exception]) -> Path:
    """The path, if it is a file of at most so many bytes; the complaint otherwise. Nothing is opened.

    One that is not there is left to whoever opens it.
    """
    try:
        found = path.stat()
    except (OSError, ValueError):
        return path
    if not stat.S_ISREG(found.st_mode):
        raise complaint(f"{path.name} is not a file")
    if found.st_size > most:
        raise complaint(
            f"{path.name} has {found.st_size / MB:.0f} MB; at most {most / MB:.0f} MB of such a file are read into "
            "memory: divide it, or raise the limit in benchmark/reading/sizes.py"
        )
    return path
