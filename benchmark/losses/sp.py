"""Similarity-preserving distillation: batches keep their Gram matrix (Tung and Mori 2019, arXiv 1907.09682)."""

from pydantic import Field
from torch import Tensor
from torch.nn.functional import normalize

from benchmark.models import Lesson, Output
from benchmark.schema import Section

PROPERTIES = frozenset({"zero", "rotation", "scale"})


class Options(Section):
    """How much the similarities count."""

    weight: float = Field(3000.0, ge=0, description="beta of RepDistiller's script for SP")


def similarities(z: Tensor) -> Tensor:
    """Inner products of every two clips, each row of unit length. z (B, WIDTH) -> (B, B), -1 to 1."""
    return normalize(z @ z.transpose(-1, -2), dim=-1, eps=1e-6)


def loss(student: Output, teacher: Output, options: Options, lesson: Lesson) -> Tensor:
    """|G_t - G_s|_F^2 / B^2, G the Gram matrix z z^T with rows of length 1 (section 3).

    z (B, WIDTH) -> scalar, 0 to 4 / B.
    """
    return (similarities(student.z) - similarities(teacher.z.detach())).square().mean()
