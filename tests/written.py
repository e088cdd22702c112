"""What a run may write: weights as safetensors, arrays without objects, and what is never run when it is read."""

from pathlib import Path

import numpy as np
from safetensors import safe_open

READ = set(".avi .csv .html .json .md .mp4 .parquet .png .svg .tex .txt .wav".split())  # text, tables, media
NAMES = {"MLmodel"}  # of MLflow, a text
OPCODES = tuple(bytes([0x80, protocol]) for protocol in range(2, 6))  # a pickle begins with one


def endings(paths: list[Path]) -> set[str]:
    return {path.suffix for path in paths}


def problem(path: Path) -> str:
    """Why a file may run code when it is loaded; empty if it cannot."""
    with path.open("rb") as file:
        if file.read(2) in OPCODES:
            return "a pickle"
    if path.suffix in (".npy", ".npz"):
        return objects(path)
    if path.suffix == ".safetensors":
        with safe_open(path, "numpy"):
            return ""
    return "" if path.suffix in READ or path.name in NAMES else "of a kind that tests/written.py does not know"


def objects(path: Path) -> str:
    """Whether arrays hold objects of Python, which NumPy pickles."""
    try:
        loaded = np.load(path, allow_pickle=False)
        [loaded[name] for name in (loaded.files if path.suffix == ".npz" else ())]
    except ValueError as error:
        return str(error)
    return ""
