"""Hints: the student's embedding predicts the teacher's through a learned regressor (FitNets, arXiv 1412.6550)."""

from pydantic import Field
from torch import Tensor, nn

from benchmark.models import WIDTH, Lesson, Output
from benchmark.schema import Section

PROPERTIES: frozenset[str] = frozenset()


class Options(Section):
    """How much the hints count."""

    weight: float = Field(100.0, ge=0, description="beta of RepDistiller's script for FitNet")


class Adapter(nn.Module):
    """The regressor r of the paper, as linear as its embeddings allow: z (B, WIDTH) -> (B, WIDTH)."""

    def __init__(self, options: Options):
        super().__init__()
        self.regressor = nn.Linear(WIDTH, WIDTH)

    def forward(self, student: Output, teacher: Output) -> Tensor:
        return self.regressor(student.z)


def loss(student: Output, teacher: Output, options: Options, lesson: Lesson) -> Tensor:
    """Mean of |r(z_s) - z_t|^2 over clips and units, equation 3 less its factor 1/2.

    z (B, WIDTH) -> scalar, at least 0.
    """
    return (lesson.adapted - teacher.z.detach()).square().mean()
