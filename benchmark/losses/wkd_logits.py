"""Wasserstein distillation of logits (WKD-L, Lv, Yang and Li 2024, arXiv 2412.08139, section 3.1)."""

import torch
from pydantic import Field
from torch import Tensor

from benchmark.models import Lesson, Output
from benchmark.ot import cosine_structure
from benchmark.schema import Section

PROPERTIES = frozenset({"logit_shift"})


class Options(Section):
    """The costs between classes, and what the two parts count; the paper's decay of the second is left out."""

    weight: float = Field(1.0, ge=0, description="of both parts, beside a task weight of 1")
    transport: float = Field(600.0, ge=0, description="of the transport, by the authors' settings for CIFAR-100")
    temperature: float = Field(8.0, gt=0, description="softens what is transported")
    epsilon: float = Field(0.05, ge=0.02, description="entropic regulariser; less underflows in float32")
    iterations: int = Field(50, ge=1, description="Sinkhorn steps; the authors' 10 are too few for classes far apart")


def unfit(kind: str, outputs: int) -> str:
    if kind == "regression":
        return "needs the probabilities of classes, which a regression does not have"
    return "" if outputs > 2 else "needs three classes or more: beside the target there must be two to move between"


def class_costs(z: Tensor, target: Tensor, classes: int) -> Tensor:
    """1 - exp(cos - 1) of the teacher's class means of z (B, WIDTH), 0 without clips -> (classes, classes), below 1."""
    member = (target == torch.arange(classes, device=z.device)[:, None]).to(z.dtype)
    costs = 1 - (cosine_structure(member @ z) - 1).exp()
    return costs * (1 - torch.eye(classes, dtype=z.dtype, device=z.device))


def plan(rows: Tensor, columns: Tensor, costs: Tensor, epsilon: float, iterations: int) -> Tensor:
    """Entropic plans (B, n, n) between masses (B, n); gradients run through the steps, as the authors' do."""
    kernel, u = (-costs / epsilon).exp(), torch.ones_like(rows)
    for _ in range(iterations):
        v = columns / (kernel * u[..., :, None]).sum(-2)
        u = rows / (kernel * v[..., None, :]).sum(-1)
    return u[..., :, None] * kernel * v[..., None, :]


def loss(student: Output, teacher: Output, options: Options, lesson: Lesson) -> Tensor:
    """-p_t(y) log p_s(y) + transport <P, costs> between the other classes, mean over clips.

    Logits (B, classes), z (B, WIDTH) -> scalar, at least 0.
    """
    guess, truth, own = student.prediction, teacher.prediction.detach(), lesson.target[:, None]
    others = torch.arange(guess.shape[-1] - 1, device=guess.device)
    others = others + (others >= own)
    rows, columns = ((p.gather(-1, others) / options.temperature).softmax(-1) for p in (guess, truth))
    costs = class_costs(teacher.z.detach(), lesson.target, guess.shape[-1])[others[..., None], others[:, None]]
    moved = plan(rows, columns, costs, options.epsilon, options.iterations) * costs
    target = -truth.softmax(-1).gather(-1, own) * guess.log_softmax(-1).gather(-1, own)
    return target.mean() + options.transport * moved.sum((-2, -1)).mean()
