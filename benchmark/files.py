"""Files: whole or not there, and told from pointers to them."""

import json
import os
from pathlib import Path


def write_json(path: Path, content) -> None:
    """Write JSON under a temporary name, then rename. NaN is refused."""
    write_text(path, json.dumps(content, indent=1, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a text under a temporary name, then rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".tmp")
    partial.write_text(text)
    os.replace(partial, path)


def is_pointer(path: Path) -> bool:
    """Whether git-lfs left a pointer of a few lines in the place of the file."""
    if not path.is_file() or path.stat().st_size > 1024:
        return False
    with path.open("rb") as file:
        return file.read(32).startswith(b"version https://git-lfs")
