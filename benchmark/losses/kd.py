"""Knowledge distillation of what the teacher says (Hinton, Vinyals and Dean 2015, arXiv 1503.02531, equation 1)."""

import torch
from pydantic import Field
from torch import Tensor

from benchmark.models import Lesson, Output
from benchmark.schema import Section

PROPERTIES = frozenset({"zero", "logit_shift"})


class Options(Section):
    """How soft the teacher's words are, and how much they count."""

    weight: float = Field(0.9, ge=0, description="alpha of the published loss; give the task 1 - alpha")
    temperature: float = Field(2.0, gt=0, description="softens both distributions; unused for regression")


def loss(student: Output, teacher: Output, options: Options, lesson: Lesson) -> Tensor:
    """T^2 KL(teacher || student) of tempered class probabilities, or the mean squared error of standardised values.

    Predictions (B, outputs) -> scalar, at least 0, 0 where both say the same.
    """
    wanted = teacher.prediction.detach()
    if lesson.kind == "regression":
        return (student.prediction - wanted).square().mean()
    truth, guess = (torch.log_softmax(p / options.temperature, -1) for p in (wanted, student.prediction))
    return options.temperature**2 * (truth.exp() * (truth - guess)).sum(-1).mean()
