"""The teacher, its T-Net and what they hand on to students."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmark import objectives, train
from benchmark.cell import Cell
from benchmark.checkpoints import load
from benchmark.models import Hallucinator, Network, TNet
from benchmark.params import Method
from benchmark.seeds import seed
from benchmark.train import Fitted, pad, replica_state


def modalities(cell: Cell) -> tuple[str, ...]:
    return (*cell.task.prevalent, *cell.task.privileged)


def networks(cell: Cell) -> list[Network]:
    """Untrained teachers, one per replica."""
    return [cell.network("teacher", number, modalities(cell)) for number in range(len(cell.replicas))]


def restore(cell: Cell, state: dict[str, Tensor]) -> list[Network]:
    """Trained teachers with their weights, one per replica."""
    found = networks(cell)
    for number, network in enumerate(found):
        network.load_state_dict(replica_state(state, number))
    return found


def fit(cell: Cell, on_epoch) -> Fitted:
    """Train the teachers on the training subjects; each is kept at its best epoch on the validation subjects."""
    objective, weights = objectives.build(Method(), cell.task.kind)
    names = modalities(cell)
    return train.fit(
        networks(cell), lambda rows: cell.batch(rows, names), cell.orders(), objective, weights,
        cell.judge(names), cell.training, on_epoch,
    )  # fmt: skip


@torch.no_grad()
def embeddings(cell: Cell, teachers: list[Network]) -> dict[str, Tensor]:
    """Every teacher's embedding of every modality of every clip: modality -> (replicas, N, WIDTH)."""
    names = modalities(cell)
    x = {name: cell.table.x[name] for name in names}
    tokens = torch.stack([teacher.embed(x) for teacher in teachers])
    return dict(zip(names, tokens.unbind(-2), strict=True))


def tnets(cell: Cell) -> list[TNet]:
    """Untrained T-Nets, one per replica; the `random` variant is just these, saved."""
    found = []
    for replica in cell.replicas:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed("tnet", cell.name, *replica))
            found.append(TNet(len(cell.task.prevalent), len(cell.task.privileged)).to(cell.device))
    return found


def fit_tnet(cell: Cell, teachers: list[Network], on_epoch) -> Fitted:
    """Train T-Nets from the frozen teacher's prevalent to its privileged embeddings by mean squared error.

    Only training clips with their privileged modality count; kept at the smallest error on the validation clips.
    """
    known = embeddings(cell, teachers)
    given = torch.stack([known[name] for name in cell.task.prevalent], dim=-2)
    goal = torch.stack([known[name] for name in cell.task.privileged], dim=-2)
    seen = torch.stack([cell.table.visible[name] for name in cell.task.prevalent], dim=-1)
    there = torch.stack([cell.table.visible[name] for name in cell.task.privileged], dim=-1)
    own = torch.arange(len(cell.replicas), device=cell.device)[:, None]

    def draw(rows: Tensor) -> dict:
        return {"given": given[own, rows], "goal": goal[own, rows], "seen": seen[rows], "there": there[rows]}

    def error(guess: Tensor, batch: dict) -> Tensor:
        squares = (guess - batch["goal"]).square().mean(-1) * batch["there"]
        return squares.sum((-2, -1)) / batch["there"].sum((-2, -1)).clamp_min(1)

    def judge(run) -> np.ndarray:
        checks = draw(pad(cell.validation).to(cell.device))
        return -error(run(checks["given"], checks["seen"]), checks).cpu().numpy()

    def objective(call, batch: dict) -> dict[str, Tensor]:
        return {"mse": error(call(batch["given"], batch["seen"]), batch)}

    return train.fit(tnets(cell), draw, cell.orders(), objective, {"mse": 1.0}, judge, cell.training, on_epoch)


def hallucinators(cell: Cell, teacher_state: dict[str, Tensor], tnet_state: dict[str, Tensor]) -> list[Hallucinator]:
    """Frozen: each replica's prevalent teacher encoders with its T-Net."""
    found = []
    for number in range(len(cell.replicas)):
        module = Hallucinator(cell.shapes(cell.task.prevalent), tuple(cell.task.privileged), cell.training.encoder)
        teacher = replica_state(teacher_state, number)
        wanted = {name: teacher[name] for name in module.state_dict() if name.startswith("encoders.")}
        tnet = {f"tnet.{name}": tensor for name, tensor in replica_state(tnet_state, number).items()}
        module.load_state_dict(wanted | tnet)
        found.append(module.to(cell.device))
    return found


def load_hallucinators(cell: Cell, models: Path, tnet: str) -> list[Hallucinator] | None:
    """The hallucinators of a saved teacher and T-Net variant; None for the variant `none`."""
    if tnet == "none":
        return None
    return hallucinators(cell, load(models / "teacher")[0], load(models / f"tnet_{tnet}")[0])


@torch.no_grad()
def targets(cell: Cell, teachers: list[Network]) -> dict[str, Tensor]:
    """What each teacher says of its own training clips: z (replicas, N, WIDTH), prediction (replicas, N, outputs).

    Every other clip is NaN, so a student that reached for validation or test targets could not train.
    """
    names = modalities(cell)
    found = {"z": [], "prediction": []}
    for teacher, rows in zip(teachers, cell.train, strict=True):
        index = torch.from_numpy(rows).to(cell.device)
        output = teacher(**cell.view(index, names))
        for name, values in output._asdict().items():
            whole = torch.full((len(cell.table.clip_id), values.shape[-1]), torch.nan, device=cell.device)
            whole[index] = values
            found[name].append(whole)
    return {name: torch.stack(values) for name, values in found.items()}
