"""Files: whole or not there, told from pointers to them, and arrays that lie in them rather than in memory."""

import errno
import json
import math
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile

import numpy as np

LARGE = 2**28  # bytes that an array may take of memory

TEXT = 64 * 2**20  # bytes of a card, a record or params.yaml that are read; ours have less than 1 MB
# as libraries say it, each its own way: the last is all that libsndfile says
FULL = re.compile(r"No space left|quota exceeded|os error 28|\d+ requested and \d+ written|^System error\.$")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A hidden name beside path, with its ending, to write to; it becomes path when the block ends without an error,
    and is gone after one. A full disk is an OSError with the path, whatever library was writing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.stem}.tmp{path.suffix}")
    try:
        yield partial
        os.replace(partial, path)
    except Exception as error:
        if FULL.search(str(error)):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from None
        raise
    finally:
        partial.unlink(missing_ok=True)


def read_text(path: Path) -> str:
    """A text that may come from another machine; ValueError if it is larger than any that we write."""
    if path.is_file() and path.stat().st_size > TEXT:
        raise ValueError(f"{path.stat().st_size / 2**20:.0f} MB; at most {TEXT // 2**20} MB of such a file are read")
    return path.read_text()


def write_json(path: Path, content) -> None:
    """Write JSON under a temporary name, then rename. NaN is refused."""
    write_text(path, json.dumps(content, indent=1, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a text under a temporary name, then rename."""
    with replacing(path) as partial:
        partial.write_text(text)


def write_table(path: Path, table) -> None:
    """Write a pandas table without its index under a temporary name, as csv or parquet by the ending, then rename."""
    with replacing(path) as partial:
        (table.to_parquet if path.suffix == ".parquet" else table.to_csv)(partial, index=False)


def refusal(error: Exception) -> str | None:
    """What a disk refuses, as a sentence; None for any other error."""
    where = Path(error.filename).parent.resolve() if getattr(error, "filename", None) else Path.cwd()
    again = "then run `dvc repro` again: what is finished is kept"
    if FULL.search(str(error)):
        return f"no space is left on the disk of {where}; free some, {again}"
    if isinstance(error, OSError) and error.errno == errno.EROFS:
        return f"{where} cannot be written, its disk is read-only; mount it for writing, {again}"
    if isinstance(error, PermissionError):
        return f"{where}: {error.strerror}; give yourself the right to read and write there, {again}"
    return None


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
