"""Decoupled knowledge distillation (DKD, Zhao et al. 2022, arXiv 2203.08679, equation 7)."""

import torch
from pydantic import Field
from torch import Tensor

from benchmark.models import Lesson, Output
from benchmark.params import Section

PROPERTIES = frozenset({"zero", "logit_shift"})


class Options(Section):
    """What the two parts count; the paper's warm-up over 20 epochs is left out."""

    weight: float = Field(1.0, ge=0, description="of mdistiller, beside a task weight of 1")
    alpha: float = Field(1.0, ge=0, description="of the target class against all others")
    beta: float = Field(8.0, ge=0, description="of the other classes among themselves")
    temperature: float = Field(4.0, gt=0, description="softens both distributions")


def unfit(kind: str, outputs: int) -> str:
    if kind == "regression":
        return "needs the probabilities of classes, which a regression does not have"
    return "" if outputs > 2 else "needs three classes or more: beside the target there must be two to tell apart"


def parts(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Log probabilities of the target and all others (B, 2), and of the others among themselves (B, classes - 1)."""
    others = torch.arange(logits.shape[-1] - 1, device=logits.device)
    rest = logits.gather(-1, others + (others >= target[:, None]))
    own = logits.gather(-1, target[:, None])
    return torch.cat([own, rest.logsumexp(-1, keepdim=True)], -1).log_softmax(-1), rest.log_softmax(-1)


def loss(student: Output, teacher: Output, options: Options, lesson: Lesson) -> Tensor:
    """T^2 (alpha KL(b_t || b_s) + beta KL(p_t || p_s)), mean over clips; logits (B, classes) -> scalar, at least 0."""
    truths = parts(teacher.prediction.detach() / options.temperature, lesson.target)
    guesses = parts(student.prediction / options.temperature, lesson.target)
    target, rest = ((t.exp() * (t - g)).sum(-1).mean() for t, g in zip(truths, guesses, strict=True))
    return options.temperature**2 * (options.alpha * target + options.beta * rest)
