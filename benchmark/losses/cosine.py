"""Embeddings that point the same way, clip by clip (the alignment of MT-PKDOT, arXiv 2408.09035)."""

from pydantic import Field
from torch import Tensor
from torch.nn.functional import normalize

from benchmark.models import Lesson, Output
from benchmark.params import Section

PROPERTIES = frozenset({"zero", "scale"})


class Options(Section):
    """How much the angle counts."""

    weight: float = Field(0.5, ge=0, description="of the alignment in MT-PKDOT's released code")


def loss(student: Output, teacher: Output, options: Options, lesson: Lesson) -> Tensor:
    """Mean of 1 - cos(z_s, z_t) over clips, z (B, WIDTH) -> scalar, 0 to 2."""
    one, two = (normalize(z, dim=-1, eps=1e-3) for z in (student.z, teacher.z.detach()))
    return 1 - (one * two).sum(-1).mean()
