"""Wasserstein distance between the embeddings of a batch (KD2M, Montesuma 2025, arXiv 2504.01757, section 3)."""

from pydantic import Field
from torch import Tensor

from benchmark import plans
from benchmark.models import Lesson, Output
from benchmark.ot import half_squared_distances
from benchmark.params import Section

PROPERTIES = frozenset({"zero", "order"})


class Options(Section):
    """How much the distance counts."""

    weight: float = Field(1e-4, ge=0, description="of the released KD2M; the term is a sum over units")


def loss(student: Output, teacher: Output, options: Options, lesson: Lesson) -> Tensor:
    """Squared W2 of z_s and z_t (B, WIDTH) by an exact plan, which has no gradient -> scalar, at least 0.

    Which clip is whose does not matter: the plan pairs them anew, whatever their classes.
    """
    costs = 2 * half_squared_distances(student.z, teacher.z.detach())
    return (plans.assignment(costs) * costs).sum()
