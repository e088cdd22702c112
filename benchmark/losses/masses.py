"""How similar a clip is to its anchors, as masses that transport moves between them (after WKD-L, arXiv 2412.08139)."""

import torch
from pydantic import Field
from torch import Tensor

from benchmark import ot
from benchmark.models import Lesson, Output
from benchmark.schema import Section

PROPERTIES = frozenset({"zero", "rotation", "scale"})


class Options(Section):
    """The anchors, how sharply similarities become masses, and how much the transport counts."""

    weight: float = Field(1.0, ge=0, description="none is published; wkd_logits does so with classes")
    k: int = Field(30, ge=1, description="anchors a clip, the least similar ones; at most the batch less one")
    temperature: float = Field(0.1, gt=0, description="of the softmax that makes masses of similarities")
    epsilon: float = Field(0.1, ge=0.05, description="entropic regulariser; less underflows in float32")
    iterations: int = Field(50, ge=1, description="Sinkhorn steps")


def shares(similarities: Tensor) -> Tensor:
    """Softmax (B, k) that leaves a millionth to every anchor, so that transport has a number for the sharpest too."""
    return (similarities.softmax(-1) + 1e-6) / (1 + 1e-6 * similarities.shape[-1])


def transport(rows: Tensor, columns: Tensor, kernel: Tensor, options: Options) -> Tensor:
    """Entropic cost of masses (B, k) moved onto others, for each clip, with its gradient, the potentials.

    kernel (B, k, k). Both sides are averaged at once, so equal masses have equal potentials after any steps.
    """
    with torch.no_grad():
        u, v = torch.ones_like(rows), torch.ones_like(columns)
        for _ in range(options.iterations):
            across, down = ot.product(columns * v, kernel.transpose(-1, -2)), ot.product(rows * u, kernel)
            u, v = (u / across).sqrt(), (v / down).sqrt()
    return options.epsilon * (rows * u.log() + columns * v.log()).sum(-1)


def loss(student: Output, teacher: Output, options: Options, lesson: Lesson) -> Tensor:
    """Debiased transport of the student's masses onto the teacher's, mean over clips; z (B, WIDTH) -> scalar from 0.

    Moving mass from anchor a to b costs 1 - cos(a, b) of the teacher's embeddings.
    """
    truth, guess = ot.cosine_structure(teacher.z.detach()), ot.cosine_structure(student.z)
    chosen = ot.choose_anchors(truth, options.k, "dissimilar")
    kernel = ((truth[chosen[..., :, None], chosen[..., None, :]] - 1) / options.epsilon).exp()
    rows, columns = (shares(s.gather(-1, chosen) / options.temperature) for s in (guess, truth))
    pairs = (rows, columns, 1), (rows, rows, -0.5), (columns, columns, -0.5)
    return sum(sign * transport(a, b, kernel, options).mean() for a, b, sign in pairs)
