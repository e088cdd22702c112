"""Modality hallucination: imagined tokens match the teacher's (Hoffman et al. 2016, doi 10.1109/CVPR.2016.96)."""

from pydantic import Field
from torch import Tensor

from benchmark.models import Lesson, Output
from benchmark.schema import Section

PROPERTIES = frozenset({"zero"})
TNET = "own"  # what a method with this term must say: no other T-Net learns from it


class Options(Section):
    """How much the imagination counts."""

    weight: float = Field(10.0, ge=0, description="the paper wants about ten times the size of any other loss")


def loss(student: Output, teacher: Output, options: Options, lesson: Lesson) -> Tensor:
    """Mean squared error of the privileged tokens (B, q, WIDTH), where the teacher saw one -> scalar, at least 0.

    Equation 1 without its sigmoid, which fits activations from 0 on; these tokens are standardised.
    """
    if student.tokens.shape[-2] < teacher.tokens.shape[-2]:
        raise ValueError("hallucination needs a student with a T-Net of its own: tnet: own")
    first = teacher.tokens.shape[-2] - lesson.privileged
    apart = (student.tokens[..., first:, :] - teacher.tokens[..., first:, :].detach()).square().mean(-1)
    seen = teacher.seen[..., first:].to(apart.dtype)
    return (apart * seen).sum() / seen.sum().clamp_min(1)
