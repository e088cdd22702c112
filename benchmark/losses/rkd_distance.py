"""Relational distillation of distances between clips (RKD, Park et al. 2019, arXiv 1904.05068, section 3.2.1)."""

import torch
from pydantic import Field
from torch import Tensor

from benchmark.models import Lesson, Output
from benchmark.ot import half_squared_distances
from benchmark.schema import Section

PROPERTIES = frozenset({"zero", "rotation", "scale", "translation"})


class Options(Section):
    """How much the distances count."""

    weight: float = Field(25.0, ge=0, description="of the distances in RepDistiller's RKD, whose beta is 1")


def distances(z: Tensor) -> Tensor:
    """Distance of every two clips over its mean over pairs. z (B, WIDTH) -> (B, B), at least 0.

    Clips at the same place have distance 0 and no gradient, where the root has no slope.
    """
    z = z - z.mean(-2, keepdim=True)
    squares, size = 2 * half_squared_distances(z, z), z.shape[-2]
    apart = (squares > 1e-10) & ~torch.eye(size, dtype=torch.bool, device=z.device)
    found = torch.where(apart, torch.where(apart, squares, 1.0).sqrt(), 0.0)
    return found / (found.sum() / max(size * (size - 1), 1)).clamp_min(1e-6)


def loss(student: Output, teacher: Output, options: Options, lesson: Lesson) -> Tensor:
    """Mean over all B^2 pairs of the Huber loss (delta 1) of |z_i - z_j| over its mean.

    z (B, WIDTH) -> scalar, at least 0.
    """
    apart = (distances(student.z) - distances(teacher.z.detach())).abs()
    near = apart.clamp_max(1)
    return (near * (apart - near / 2)).mean()
