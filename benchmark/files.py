"""Files: whole or not there, told from pointers to them, and arrays that lie in them rather than in memory."""

import json
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile

import numpy as np

LARGE = 2**28  # bytes that an array may take of memory


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A hidden name beside path, with its ending, to write to; it becomes path when the block ends without an error,
    and is gone after one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.stem}.tmp{path.suffix}")
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def write_json(path: Path, content) -> None:
    """Write JSON under a temporary name, then rename. NaN is refused."""
    write_text(path, json.dumps(content, indent=1, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a text under a temporary name, then rename."""
    with replacing(path) as partial:
        partial.write_text(text)


def room(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """A new .npy file for a float32 array of this shape, mapped: what is written to the array is in the file."""
    array = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape)
    with path.open("r+b") as file:
        reserve(file.fileno(), path.stat().st_size)
    return array


def scratch(folder: Path, shape: tuple[int, ...]) -> np.ndarray:
    """An empty float32 array of this shape: in memory, or where it is LARGE in a file without a name that is gone with
    it. folder: where the file lies, on a disk; the folder for temporary files may be in memory itself."""
    size = math.prod(shape) * np.dtype(np.float32).itemsize
    if size <= LARGE:
        return np.empty(shape, np.float32)
    with TemporaryFile(dir=folder) as file:
        reserve(file.fileno(), size)
        return np.memmap(file, np.float32, "r+", shape=shape)


def reserve(file: int, size: int) -> None:
    """Space on the disk: where it is full this is an OSError, and writing to a mapped file ends the process."""
    os.posix_fallocate(file, 0, size)


def is_pointer(path: Path) -> bool:
    """Whether git-lfs left a pointer of a few lines in the place of the file."""
    if not path.is_file() or path.stat().st_size > 1024:
        return False
    with path.open("rb") as file:
        return file.read(32).startswith(b"version https://git-lfs")
