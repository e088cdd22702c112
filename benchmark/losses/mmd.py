"""Maximum mean discrepancy of the embeddings of a batch (NST, Huang and Wang 2017, arXiv 1707.01219, section 4).

The paper compares the channels of feature maps; here the clips of a batch are the samples.
"""

from pydantic import Field
from torch import Tensor
from torch.nn.functional import normalize

from benchmark import kernels
from benchmark.models import Lesson, Output
from benchmark.params import Section

PROPERTIES = frozenset({"zero", "scale", "order"})


class Options(Section):
    """How much the discrepancy counts."""

    weight: float = Field(50.0, ge=0, description="beta of RepDistiller's script for NST; none is published for clips")


def loss(student: Output, teacher: Output, options: Options, lesson: Lesson) -> Tensor:
    """Squared discrepancy of unit embeddings z (B, WIDTH) under Gaussian kernels -> scalar, 0 to 2.

    Gretton et al. 2012, JMLR 13, equation 5, biased; which clip is whose does not matter.
    """
    return kernels.mmd(normalize(student.z, dim=-1, eps=1e-3), normalize(teacher.z.detach(), dim=-1, eps=1e-3))
