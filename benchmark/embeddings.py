"""Embeddings of some test clips: what the report draws of the geometry of teacher, students and T-Nets."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmark import missing, teacher, tnet
from benchmark.cell import Cell
from benchmark.files import replacing
from benchmark.models import Network

MOST = 200  # clips


def clips(cell: Cell) -> np.ndarray:
    """Rows of the table: test clips of the first replica, sorted by target and clip, evenly thinned out to MOST."""
    rows, target = cell.test[0], cell.table.target.cpu().numpy()
    first = target[rows] if target.ndim == 1 else target[rows, 0]
    rows = rows[np.lexsort((cell.table.clip_id[rows].astype(str), first))]
    return rows[np.linspace(0, len(rows) - 1, min(MOST, len(rows))).round().astype(int)]


@torch.no_grad()
def joint(cell: Cell, network: Network, rows: np.ndarray, name: str, visible: tuple[str, ...]) -> dict[str, np.ndarray]:
    """z/<name> (n, WIDTH) of a network of the first replica, seeing the given modalities; nothing if it diverged."""
    index = torch.from_numpy(rows).to(cell.device)
    z = network(**missing.hide(cell.view(index, network.inputs), visible)).z
    return {f"z/{name}": z.cpu().numpy()} if z.isfinite().all() else {}


@torch.no_grad()
def imagined(cell: Cell, network: Network, rows: np.ndarray, models: Path) -> dict[str, np.ndarray]:
    """A teacher's privileged tokens (n, q, WIDTH), where they are there (n, q), and what each T-Net makes of them."""
    index = torch.from_numpy(rows).to(cell.device)
    output = network(**cell.view(index, teacher.modalities(cell)))
    first = len(cell.task.prevalent)
    shown = cell.view(index, cell.task.prevalent)
    visible = torch.stack(list(shown["visible"].values()), dim=-1)
    found = {"tokens/real": output.tokens[:, first:], "there": output.seen[:, first:]}
    for variant in ("random", *tnet.TRAINED):
        module = tnet.load_hallucinators(cell, models, variant)[0]
        found[f"tokens/{variant}"] = module(shown["x"], visible)
    return {name: values.cpu().numpy() for name, values in found.items() if values.isfinite().all()}


def about(cell: Cell, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Which clips, what is asked of them, and the names of the privileged modalities."""
    return {
        "clip_id": cell.table.clip_id[rows].astype(str),
        "target": cell.table.target.cpu().numpy()[rows],
        "privileged": np.array(cell.task.privileged),
    }


def save(path: Path, arrays: dict[str, np.ndarray | Tensor]) -> None:
    """One npz under a temporary name, then renamed."""
    with replacing(path) as partial:
        np.savez_compressed(partial, **arrays)
