"""Teacher spaces: every modality's embeddings brought into the joint space (MT-PKDOT, arXiv 2408.09035, section 3)."""

import torch
from torch import Tensor, nn

from benchmark import objectives, train
from benchmark.cell import Cell
from benchmark.models import WIDTH
from benchmark.train import Fitted, pad


class Adapters(nn.Module):
    """A linear bottleneck for each modality and a head on it; no activation, as released."""

    def __init__(self, modalities: int, outputs: int):
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Sequential(nn.Linear(WIDTH, WIDTH // 2), nn.Linear(WIDTH // 2, WIDTH)) for _ in range(modalities)
        )
        self.heads = nn.ModuleList(nn.Linear(WIDTH, outputs) for _ in range(modalities))

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings (B, modalities, WIDTH) -> z (B, modalities, WIDTH), prediction (B, modalities, outputs)."""
        z = torch.stack([layer(token) for layer, token in zip(self.layers, tokens.unbind(-2), strict=True)], -2)
        return z, torch.stack([head(own) for head, own in zip(self.heads, z.unbind(-2), strict=True)], -2)


def networks(cell: Cell) -> list[Adapters]:
    modalities, outputs = len(cell.task.prevalent) + len(cell.task.privileged), cell.outputs
    return [cell.draw(number, lambda: Adapters(modalities, outputs), "spaces") for number in range(len(cell.replicas))]


def fit(cell: Cell, everything: dict[str, Tensor]) -> Fitted:
    """Self-distillation: adapters that turn each modality's embedding towards the frozen joint one, and tell the task.

    everything: what the teachers say of all clips, the fields of models.Output (replicas, N, ...). Half the cosine
    distance to z, half the task loss of the heads, at half weight each, as released; the joint transformer is frozen.
    """
    own, orders = cell.own, cell.orders()
    kind = cell.task.kind

    def batch(rows: Tensor) -> dict:
        return {name: everything[name][own, rows] for name in ("tokens", "z", "seen")} | {
            "target": cell.batch(rows, ())["target"]
        }

    def objective(call, batch: dict) -> dict[str, Tensor]:
        z, prediction = call(batch["tokens"])
        align = 1 - torch.cosine_similarity(z, batch["z"][..., None, :], dim=-1)
        align = (align * batch["seen"]).sum(-1).mean()
        return {"align": align, "task": objectives.task_losses(prediction, batch["target"], kind).sum()}

    checks = batch(pad(cell.validation).to(cell.device))

    def judge(run):
        said = run(checks["tokens"])[1]
        found = [
            objectives.task_losses(guess[:n], truth[:n], kind).mean()
            for guess, truth, n in zip(said, checks["target"], map(len, cell.validation), strict=True)
        ]
        return -torch.stack(found).cpu().numpy()

    weights = {"align": 0.5, "task": 0.25}
    return train.fit(networks(cell), lambda step: batch(orders[:, step]), objective, weights, judge, cell.training)


@torch.no_grad()
def said(cell: Cell, fitted: Fitted, everything: dict[str, Tensor], names=("z", "prediction")) -> dict[str, Tensor]:
    """z (replicas, N, 1 + modalities, WIDTH) and prediction (..., outputs): the joint space, then each modality's."""
    replicas, clips, slots = everything["seen"].shape
    joint = {name: everything[name] for name in names}
    found = {name: own.new_empty(replicas, clips, 1 + slots, own.shape[-1]) for name, own in joint.items()}
    for number, module in enumerate(train.load(networks(cell), fitted.state)):
        told = dict(zip(("z", "prediction"), module(everything["tokens"][number]), strict=True))
        for name, values in found.items():
            values[number, :, 0], values[number, :, 1:] = joint[name][number], told[name]
    return found
