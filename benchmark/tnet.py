"""T-Nets: what imagines the privileged embeddings of a frozen teacher from its prevalent ones (PKDOT, section 3)."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmark import kernels, train
from benchmark.cell import Cell
from benchmark.checkpoints import load
from benchmark.models import Hallucinator, TNet
from benchmark.train import Fitted, pad, replica_state, silent

MOST = 1024  # clips that mmd compares with each other
TRAINED = ("mse", "mmd", "cosine")  # by the criterion that a T-Net minimises


def networks(cell: Cell) -> list[TNet]:
    """Untrained T-Nets, one per replica; the `random` variant is just these, saved."""
    prevalent, privileged = len(cell.task.prevalent), len(cell.task.privileged)
    return [cell.draw(number, lambda: TNet(prevalent, privileged), "tnet") for number in range(len(cell.replicas))]


def error(guess: Tensor, goal: Tensor, there: Tensor, criterion: str) -> Tensor:
    """How far imagined embeddings (B, q, WIDTH) are from real ones where these are there (B, q): a scalar.

    mse: mean squared error; cosine: 1 - cosine of each pair; mmd: maximum mean discrepancy of the two batches, which
    knows no pairs (Gretton et al. 2012, JMLR 13; what the released MT-PKDOT trained by).
    """
    if criterion == "mmd":
        goal = torch.where(there[..., None], goal, guess)
        return torch.stack([kernels.mmd(guess[:, q], goal[:, q]) for q in range(goal.shape[1])]).mean()
    if criterion == "cosine":
        found = 1 - torch.cosine_similarity(guess, goal, dim=-1)
    else:
        found = (guess - goal).square().mean(-1)
    return (found * there).sum() / there.sum().clamp_min(1)


def whole(guess: Tensor, goal: Tensor, there: Tensor, criterion: str) -> float:
    """The error of all clips; mmd, which compares all pairs of them, as the mean over parts of at most MOST clips."""
    if criterion != "mmd":
        return float(error(guess, goal, there, criterion))
    parts = zip(*(values.tensor_split(-(-len(guess) // MOST)) for values in (guess, goal, there)), strict=True)
    return float(np.mean([float(error(*part, criterion)) for part in parts]))


def fit(cell: Cell, everything: dict[str, Tensor], criterion: str, on_epoch=silent) -> Fitted:
    """Train T-Nets from the frozen teacher's prevalent to its privileged embeddings by one of TRAINED.

    everything: what the teachers say of all clips, the fields of models.Output (replicas, N, ...). Only training clips
    with their privileged modality count; kept at the smallest error on the validation clips.
    """
    roles = len(cell.task.prevalent), len(cell.task.privileged)
    given, goal = everything["tokens"].split(roles, dim=-2)
    seen, there = everything["seen"].split(roles, dim=-1)
    own, orders = cell.own, cell.orders()

    def batch(rows: Tensor) -> dict:
        return {"given": given[own, rows], "goal": goal[own, rows], "seen": seen[own, rows], "there": there[own, rows]}

    def objective(call, batch: dict) -> dict[str, Tensor]:
        return {criterion: error(call(batch["given"], batch["seen"]), batch["goal"], batch["there"], criterion)}

    checks = batch(pad(cell.validation).to(cell.device))

    def judge(run) -> np.ndarray:
        guesses = run(checks["given"], checks["seen"])
        rows = zip(guesses, checks["goal"], checks["there"], map(len, cell.validation), strict=True)
        return -np.array([whole(guess[:n], goal[:n], there[:n], criterion) for guess, goal, there, n in rows])

    return train.fit(
        networks(cell), lambda step: batch(orders[:, step]), objective, {criterion: 1.0}, judge, cell.training, on_epoch
    )


def hallucinators(cell: Cell, teacher_state: dict[str, Tensor], tnet_state: dict[str, Tensor]) -> list[Hallucinator]:
    """Frozen: each replica's prevalent teacher encoders with its T-Net."""
    found = untrained(cell)
    for number, module in enumerate(found):
        teacher = replica_state(teacher_state, number)
        wanted = {name: teacher[name] for name in module.state_dict() if name.startswith("encoders.")}
        tnet = {f"tnet.{name}": tensor for name, tensor in replica_state(tnet_state, number).items()}
        module.load_state_dict(wanted | tnet)
        module.requires_grad_(False)
    return found


def untrained(cell: Cell) -> list[Hallucinator]:
    """Hallucinators that a student trains itself (Hoffman et al. 2016, CVPR: modality hallucination)."""
    shapes, names, encoder = cell.shapes(cell.task.prevalent), tuple(cell.task.privileged), cell.training.encoder
    return [
        cell.draw(number, lambda: Hallucinator(shapes, names, encoder), "hallucination")
        for number in range(len(cell.replicas))
    ]


def load_hallucinators(cell: Cell, models: Path, variant: str) -> list[Hallucinator] | None:
    """What a method's `tnet` names: nothing, hallucinators of the student's own, or those of the saved teacher."""
    if variant == "none":
        return None
    if variant == "own":
        return untrained(cell)
    return hallucinators(cell, load(models / "teacher")[0], load(models / f"tnet_{variant}")[0])
