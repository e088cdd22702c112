"""Anchored mixtures: what a frozen teacher says of points between a clip and one of its anchors.

Targets are known at the training clips alone; the teacher itself is known everywhere. Each clip is mixed, in all
modalities with one share (Zhang et al. 2018, ICLR, arXiv 1710.09412), with one of the clips that its teacher finds
least or most similar, and the student learns from its prevalent part what the teacher says of the whole.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor
from torch.func import functional_call, vmap

from benchmark import ot, teacher
from benchmark.cell import Cell
from benchmark.seeds import generator

ANCHORS = 30  # of a clip, as losses/kdot.py by default


def mixer(cell: Cell, rule: str, state: dict[str, Tensor], z: Tensor) -> Callable[[int, Tensor, Tensor], dict]:
    """A function of (step, rows (replicas, B), target) that gives a batch of mixtures: x, visible, target, teacher.

    rule: how ot.choose_anchors chooses; state: the trained teachers; z: theirs of all clips (replicas, N, WIDTH).
    """
    names, pattern = teacher.modalities(cell), teacher.networks(cell)[0]
    own, (shares, picks) = cell.own, drawn(cell)

    def say(weights: dict, x: dict, visible: dict):
        return functional_call(pattern, weights, (x, visible))

    @torch.no_grad()
    def mix(step: int, rows: Tensor, target: Tensor) -> dict:
        share = shares[:, step]
        seen = z[own, rows]
        structure = vmap(ot.cosine_structure)(seen - seen.mean(1, keepdim=True))
        anchors = vmap(partial(ot.choose_anchors, k=ANCHORS, rule=rule))(structure)
        other = anchors.gather(-1, picks[:, step, :, None] % anchors.shape[-1])[..., 0]
        whole, x, visible = cell.view(rows, names), {}, {}
        for name, values in whole["x"].items():
            filled = torch.where(values.isfinite(), values, middle(state, name, values))
            part = share.reshape(share.shape + (1,) * (values.dim() - 2))
            x[name] = part * filled + (1 - part) * filled[own, other]
            visible[name] = whole["visible"][name] & whole["visible"][name][own, other]
        said = vmap(say)(state, x, visible)
        return {"x": x, "visible": visible, "target": of_mixture(target, share, other, own), "teacher": said._asdict()}

    return mix


def drawn(cell: Cell) -> tuple[Tensor, Tensor]:
    """Shares, uniform from 0 to 1, and numbers of anchors, of every clip of every step: (replicas, steps, B) each."""
    steps, size = cell.orders().shape[1:]
    rng = [generator("mixtures", cell.name, *replica) for replica in cell.replicas]
    shares = np.stack([own.random((steps, size), dtype=np.float32) for own in rng])
    picks = np.stack([own.integers(0, ANCHORS, (steps, size)) for own in rng])
    return torch.from_numpy(shares).to(cell.device), torch.from_numpy(picks).to(cell.device)


def middle(state: dict[str, Tensor], name: str, values: Tensor) -> Tensor:
    """The training mean of a modality's features, shaped to stand in for missing values (replicas, B, ...)."""
    mean = state[f"encoders.{name}.standardise.mean"]
    return mean.reshape(len(mean), *(1,) * (values.dim() - 2), mean.shape[-1])


def of_mixture(target: Tensor, share: Tensor, other: Tensor, own: Tensor) -> Tensor:
    """Labels of mixtures: the class of the clip with the larger share, or the mixed values."""
    if target.is_floating_point():
        return share[..., None] * target + (1 - share[..., None]) * target[own, other]
    return torch.where(share >= 0.5, target, target[own, other])
