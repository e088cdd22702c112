"""Structural distillation by optimal transport between anchored similarities (PKDOT, arXiv 2401.15489, section 3)."""

from typing import Literal

from pydantic import Field
from torch import Tensor

from benchmark import ot
from benchmark.models import Lesson, Output
from benchmark.schema import Section

PROPERTIES = frozenset({"zero", "rotation", "scale"})


class Options(Section):
    """What is transported, how exactly, and how much it counts."""

    weight: float = Field(0.6, ge=0, description="lambda of the published loss; the term is a sum over k anchors")
    k: int = Field(30, ge=1, description="anchors a clip; at most the batch less one")
    epsilon: float = Field(0.01, ge=1e-4, description="entropic regulariser: squared blur; float32 needs that much")
    anchors: Literal[ot.ANCHORS] = Field("dissimilar", description="which columns of the teacher's similarities")
    shift: Literal[ot.SHIFTS] = Field("affine", description="1 + S; or S less its minimum, detached or as released")
    coupling: Literal[ot.COUPLINGS] = Field("ot", description="transport, clip by clip, or transport on equal anchors")
    centre: bool = Field(False, description="see embeddings from the mean of the batch, as CKA does; published: no")
    debias: bool = Field(True, description="subtract the self-transport of either side")
    iterations: int = Field(8, ge=1, description="Sinkhorn steps at the last of the annealed regularisers")


def loss(student: Output, teacher: Output, options: Options, lesson: Lesson) -> Tensor:
    """Debiased Sinkhorn divergence of the rows of anchored cosine matrices of z (B, WIDTH) -> scalar, 0 to 2k."""
    truth, guess = teacher.z, student.z
    if options.centre:
        truth, guess = truth - truth.mean(0), guess - guess.mean(0)
    return ot.structure_loss(
        truth,
        guess,
        k=options.k,
        epsilon=options.epsilon,
        anchors=options.anchors,
        shift_rule=options.shift,
        coupling=options.coupling,
        debias=options.debias,
        iterations=options.iterations,
    )
