"""Centred kernel alignment: structure seen from the mean of the batch (Kornblith et al. 2019, arXiv 1905.00414)."""

from pydantic import Field
from torch import Tensor

from benchmark.kernels import cka
from benchmark.models import Lesson, Output
from benchmark.schema import Section

PROPERTIES = frozenset({"zero", "rotation", "scale", "translation"})


class Options(Section):
    """How much alignment counts."""

    weight: float = Field(1.0, ge=0, description="none is published for clips of a batch; the term is 0 to 1")


def loss(student: Output, teacher: Output, options: Options, lesson: Lesson) -> Tensor:
    """1 - CKA of the embeddings, equation 4 of the paper with linear kernels (14): z (B, D) -> scalar, 0 to 1."""
    return 1 - cka(student.z, teacher.z.detach())
