"""Variational information distillation (VID, Ahn et al. 2019, arXiv 1904.05835, section 2)."""

import math

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import softplus

from benchmark.models import WIDTH, Lesson, Output
from benchmark.schema import Section

PROPERTIES: frozenset[str] = frozenset()
TINY = 1e-5  # smallest variance, as in the released code


class Options(Section):
    """The Gaussian that the student gives for the teacher, and how much it counts."""

    weight: float = Field(1.0, ge=0, description="beta of RepDistiller's script for VID")
    variance: float = Field(5.0, gt=TINY, description="of every unit at the start")


class Adapter(nn.Module):
    """Mean (B, WIDTH) of the teacher's z given the student's, and variance (WIDTH,): log(1 + exp(a)) + TINY."""

    def __init__(self, options: Options):
        super().__init__()
        first, second, third = (nn.Linear(WIDTH, WIDTH, bias=False) for _ in range(3))
        self.mean = nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), third)
        self.scale = nn.Parameter(torch.full((WIDTH,), math.log(math.expm1(options.variance - TINY))))

    def forward(self, student: Output, teacher: Output) -> tuple[Tensor, Tensor]:
        return self.mean(student.z), softplus(self.scale) + TINY


def loss(student: Output, teacher: Output, options: Options, lesson: Lesson) -> Tensor:
    """Mean over clips and units of ((mean(z_s) - z_t)^2 / variance + log variance) / 2.

    z (B, WIDTH) -> scalar of either sign.
    """
    mean, variance = lesson.adapted
    return ((mean - teacher.z.detach()).square() / variance + variance.log()).mean() / 2
