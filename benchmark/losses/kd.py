"""Knowledge distillation of what the teacher says (Hinton, Vinyals and Dean 2015, arXiv 1503.02531, section 2)."""

import torch
from pydantic import Field
from torch import Tensor

from benchmark.models import Lesson, Output
from benchmark.params import Section


class Options(Section):
    weight: float = Field(0.9, ge=0, description="alpha of the published loss; give the task 1 - alpha")
    temperature: float = Field(2.0, gt=0, description="softens both distributions; unused for regression")


def loss(student: Output, teacher: Output, options: Options, lesson: Lesson) -> Tensor:
    """T^2 KL(teacher || student) of tempered class probabilities, or the mean squared error of standardised values.

    Predictions (B, outputs) -> scalar, at least 0, 0 where both say the same.
    """
    if lesson.kind == "regression":
        return (student.prediction - teacher.prediction).square().mean()
    truth, guess = (torch.log_softmax(p / options.temperature, -1) for p in (teacher.prediction, student.prediction))
    return options.temperature**2 * (truth.exp() * (truth - guess)).sum(-1).mean()
