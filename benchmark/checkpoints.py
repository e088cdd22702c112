"""Trained replicas on disk: safetensors and a JSON card that says what they are."""

import json
from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import Tensor

from benchmark.files import read_text, replacing, write_json


def save(folder: Path, state: dict[str, Tensor], card: dict) -> None:
    """Write weights.safetensors and card.json; a half-written file never carries the final name."""
    write(folder / "weights.safetensors", {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()})
    write_json(folder / "card.json", card)


def write(path: Path, tensors: dict[str, Tensor]) -> None:
    with replacing(path) as partial:
        save_file(tensors, partial)


def load(folder: Path) -> tuple[dict[str, Tensor], dict]:
    """(state, card) as saved."""
    return load_file(folder / "weights.safetensors"), read_card(folder)


def read_card(folder: Path) -> dict:
    return json.loads(read_text(folder / "card.json"))
