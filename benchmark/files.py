"""Files: whole or not there, and told from pointers to them."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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


def is_pointer(path: Path) -> bool:
    """Whether git-lfs left a pointer of a few lines in the place of the file."""
    if not path.is_file() or path.stat().st_size > 1024:
        return False
    with path.open("rb") as file:
        return file.read(32).startswith(b"version https://git-lfs")
