"""Contrastive representation distillation (CRD, Tian, Krishnan and Isola 2020, arXiv 1910.10699, section 3.2).

The other B - 1 clips of the batch are the negatives, in place of 16384 draws from a memory bank.
"""

import math

from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import normalize, softplus

from benchmark.models import WIDTH, Lesson, Output
from benchmark.params import Section

PROPERTIES: frozenset[str] = frozenset()


class Options(Section):
    """The contrast, and how much it counts."""

    weight: float = Field(0.8, ge=0, description="beta of RepDistiller's script for CRD")
    temperature: float = Field(0.07, gt=0, description="of the inner products of projections")
    width: int = Field(128, ge=1, description="of the projections")


class Adapter(nn.Module):
    """The projections of both embeddings onto a common unit sphere: (B, width) each."""

    def __init__(self, options: Options):
        super().__init__()
        self.student, self.teacher = (nn.Linear(WIDTH, options.width) for _ in range(2))

    def forward(self, student: Output, teacher: Output) -> tuple[Tensor, Tensor]:
        one, two = self.student(student.z), self.teacher(teacher.z.detach())
        return normalize(one, dim=-1, eps=1e-3), normalize(two, dim=-1, eps=1e-3)


def loss(student: Output, teacher: Output, options: Options, lesson: Lesson) -> Tensor:
    """-log D(i, i) - sum over j of log(1 - D(i, j)), mean over clips i (equation 18) -> scalar, at least 0.

    D = e / (e + (B - 1) m) with e = exp(<s, t> / temperature); m is the mean of e for random directions, which is what
    the released code estimates on its first, random memory. Both sides are live, so its two halves are one here.
    """
    one, two = lesson.adapted
    noise = math.log(max(len(one) - 1, 1)) + 1 / (2 * options.width * options.temperature**2)
    logits = one @ two.transpose(-1, -2) / options.temperature - noise
    return softplus(logits).sum(-1).mean() - logits.diagonal(dim1=-2, dim2=-1).mean()
