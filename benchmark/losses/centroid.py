"""Centroid of the similarities: the constraint added to transport (MT-PKDOT, arXiv 2408.09035)."""

import torch
from pydantic import Field
from torch import Tensor

from benchmark.models import Lesson, Output
from benchmark.ot import cosine_structure
from benchmark.schema import Section

PROPERTIES = frozenset({"zero", "rotation", "scale"})


class Options(Section):
    """How much the centroid counts."""

    weight: float = Field(0.2, ge=0, description="of the MT-PKDOT paper, beside .8 of the task and .2 of kdot")


def loss(student: Output, teacher: Output, options: Options, lesson: Lesson) -> Tensor:
    """|mean_i C_t(i, .) - mean_i C_s(i, .)| of the full cosine matrices, not shifted.

    z (B, WIDTH) -> scalar, 0 to 2 B^(1/2).
    """
    apart = (cosine_structure(student.z) - cosine_structure(teacher.z.detach())).mean(-2)
    return torch.linalg.vector_norm(apart)
