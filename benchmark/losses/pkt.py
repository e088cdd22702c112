"""Probabilistic knowledge transfer: whom a clip is close to (Passalis and Tefas 2018, arXiv 1803.10837, section 3)."""

from pydantic import Field
from torch import Tensor

from benchmark.models import Lesson, Output
from benchmark.ot import cosine_structure
from benchmark.schema import Section

PROPERTIES = frozenset({"zero", "rotation", "scale"})
TINY = 1e-7  # keeps logarithms of opposite clips finite, as in the released code


class Options(Section):
    """How much the neighbourhoods count."""

    weight: float = Field(30000.0, ge=0, description="beta of RepDistiller's script for PKT")


def neighbours(z: Tensor) -> Tensor:
    """Shifted cosines (cos + 1) / 2 of every two clips as probabilities of each row. z (B, WIDTH) -> (B, B)."""
    close = (cosine_structure(z) + 1) / 2
    return close / close.sum(-1, keepdim=True)


def loss(student: Output, teacher: Output, options: Options, lesson: Lesson) -> Tensor:
    """Mean over all B^2 pairs of p_t log(p_t / p_s), p = (cos + 1) / 2 over its row, which holds the clip itself.

    z (B, WIDTH) -> scalar, at least 0.
    """
    truth, guess = neighbours(teacher.z.detach()), neighbours(student.z)
    return (truth * ((truth + TINY) / (guess + TINY)).log()).mean()
