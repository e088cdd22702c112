"""Relational distillation of angles between clips (RKD, Park et al. 2019, arXiv 1904.05068, section 3.2.2)."""

import torch
from pydantic import Field
from torch import Tensor

from benchmark.models import Lesson, Output
from benchmark.params import Section

PROPERTIES = frozenset({"zero", "rotation", "scale", "translation"})


class Options(Section):
    """Which angles, and how much they count."""

    weight: float = Field(50.0, ge=0, description="of the angles in RepDistiller's RKD, whose beta is 1")
    vertices: int = Field(8, ge=1, description="clips at which angles are measured; the paper's are all of the batch")


def angles(z: Tensor, vertices: int) -> Tensor:
    """Cosine of the angle at each of the first clips between every two. z (B, WIDTH) -> (vertices, B, B), -1 to 1.

    A batch is a random draw, so its first clips are random ones: the mean over them estimates that over all B^3
    angles, and every clip still ends a ray. Two clips at the same place have no direction: cosine 0, no gradient.
    """
    rays = z[None] - z[:vertices, None]
    squares = rays.square().sum(-1, keepdim=True)
    apart = squares > 1e-10
    units = torch.where(apart, rays * torch.where(apart, squares, 1.0).rsqrt(), 0.0)
    return units @ units.transpose(-1, -2)


def loss(student: Output, teacher: Output, options: Options, lesson: Lesson) -> Tensor:
    """Mean Huber loss (delta 1) of the cosines -> scalar, 0 to 3 / 2."""
    apart = (angles(student.z, options.vertices) - angles(teacher.z.detach(), options.vertices)).abs()
    near = apart.clamp_max(1)
    return (near * (apart - near / 2)).mean()
