"""Correlation congruence: batches keep their kernel matrix (Peng et al. 2019, arXiv 1904.01802, section 3).

This is the paper's and torchdistill's term on Gram matrices; RepDistiller's of the same name compares the differences
of clips that follow each other.
"""

import math

import torch
from pydantic import Field
from torch import Tensor

from benchmark.models import Lesson, Output
from benchmark.ot import cosine_structure
from benchmark.schema import Section

PROPERTIES = frozenset({"zero", "rotation", "scale"})


class Options(Section):
    """The kernel, and how much it counts."""

    weight: float = Field(0.003, ge=0, description="of torchdistill, whose definition this is (RepDistiller's has .02)")
    gamma: float = Field(0.4, gt=0, description="of the Gaussian kernel exp(-gamma |x - y|^2)")


def kernel(z: Tensor, gamma: float) -> Tensor:
    """Gaussian kernel of every two clips by its Taylor series up to order 2. z (B, WIDTH) -> (B, B), above 0.

    The series in the inner product is that of the kernel for unit vectors alone, so embeddings are normalised.
    """
    inner = 2 * gamma * cosine_structure(z)
    return math.exp(-2 * gamma) * (1 + inner + inner.square() / 2)


def loss(student: Output, teacher: Output, options: Options, lesson: Lesson) -> Tensor:
    """|K(z_s) - K(z_t)|_F / B^2 of the kernel matrices, as in torchdistill not squared.

    z (B, WIDTH) -> scalar, 0 to 1 / B.
    """
    apart = kernel(student.z, options.gamma) - kernel(teacher.z.detach(), options.gamma)
    return torch.linalg.vector_norm(apart) / apart.shape[-1] ** 2
