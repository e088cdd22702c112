"""Relational distillation of angles between clips (RKD, Park et al. 2019, arXiv 1904.05068, section 3.2.2)."""

import torch
from pydantic import Field
from torch import Tensor

from benchmark.models import Lesson, Output
from benchmark.schema import Section

PROPERTIES = frozenset({"zero", "rotation", "scale", "translation"})


class Options(Section):
    """Which angles, and how much they count."""

    weight: float = Field(50.0, ge=0, description="of the angles in RepDistiller's RKD, whose beta is 1")
    ends: int = Field(16, ge=1, description="clips that the rays of a clip end at; the paper's are all of the batch")


def angles(z: Tensor, ends: int) -> Tensor:
    """Cosines of the angles at every clip between those that follow it. z (B, WIDTH) -> (B, ends, ends), -1 to 1.

    The last clip is followed by the first. A batch is a random draw, so these are random angles, and all clips have an
    equal part in them. Two clips at the same place have no direction: cosine 0, no gradient.
    """
    size = z.shape[-2]
    after = torch.arange(size)[:, None] + torch.arange(1, min(ends, size - 1) + 1)
    rays = z[after.to(z.device) % size] - z[:, None]
    squares = rays.square().sum(-1, keepdim=True)
    apart = squares > 1e-10
    units = torch.where(apart, rays * torch.where(apart, squares, 1.0).rsqrt(), 0.0)
    return units @ units.transpose(-1, -2)


def loss(student: Output, teacher: Output, options: Options, lesson: Lesson) -> Tensor:
    """Mean Huber loss (delta 1) of the cosines of the angles ijk between three different clips, seen from j.

    z (B, WIDTH) -> scalar, 0 to 3 / 2.
    """
    apart = (angles(student.z, options.ends) - angles(teacher.z.detach(), options.ends)).abs()
    near, (clips, ends) = apart.clamp_max(1), apart.shape[-3:-1]
    return (near * (apart - near / 2)).sum() / max(clips * ends * (ends - 1), 1)
