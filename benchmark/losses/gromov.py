"""Gromov-Wasserstein distance of the geometries of a batch (Memoli 2011, doi 10.1007/s10208-011-9093-5)."""

from pydantic import Field
from torch import Tensor

from benchmark import plans
from benchmark.models import Lesson, Output
from benchmark.ot import cosine_structure
from benchmark.schema import Section

PROPERTIES = frozenset({"zero", "rotation", "scale", "order"})


class Options(Section):
    """How much the geometry counts, and what is known of the plan beforehand."""

    weight: float = Field(1.0, ge=0, description="none is published for distillation; KD2M's code has the distance")
    prior: float = Field(0.0, ge=0, le=1, description="share of the plan's cost that wants clips matched to themselves")


def loss(student: Output, teacher: Output, options: Options, lesson: Lesson) -> Tensor:
    """Sum over i, j, k, l of (C_s(i, k) - C_t(j, l))^2 P(i, j) P(k, l) -> scalar, 0 to 4.

    C = 1 - cosine of every two clips, z (B, WIDTH); the plan P has no gradient, which is right to first order.
    """
    own, wanted = 1 - cosine_structure(student.z), 1 - cosine_structure(teacher.z.detach())
    plan = plans.gromov(own, wanted, options.prior)
    return own.square().mean() + wanted.square().mean() - 2 * (plan * (own @ plan @ wanted)).sum()
