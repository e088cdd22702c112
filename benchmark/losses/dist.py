"""Distillation from a stronger teacher by correlation (DIST, Huang et al. 2022, arXiv 2205.10536, equation 10)."""

from pydantic import Field
from torch import Tensor
from torch.nn.functional import normalize

from benchmark.models import Lesson, Output
from benchmark.schema import Section

PROPERTIES = frozenset({"zero", "logit_shift"})


class Options(Section):
    """What the two relations count."""

    weight: float = Field(2.0, ge=0, description="of torchdistill, and of the paper's beta and gamma")
    beta: float = Field(1.0, ge=0, description="of the relation between the classes of a clip")
    gamma: float = Field(1.0, ge=0, description="of the relation between the clips of a class")
    temperature: float = Field(1.0, gt=0, description="softens both distributions")


def unfit(kind: str, outputs: int) -> str:
    if kind == "regression":
        return "needs the probabilities of classes, which a regression does not have"
    return "" if outputs > 2 else "needs three classes or more: two probabilities always correlate by 1 or -1"


def correlation(x: Tensor, y: Tensor) -> Tensor:
    """Pearson correlation along the last axis (..., n) -> (...), -1 to 1; 0 where either does not vary."""
    x, y = (normalize(v - v.mean(-1, keepdim=True), dim=-1, eps=1e-3) for v in (x, y))
    return (x * y).sum(-1)


def loss(student: Output, teacher: Output, options: Options, lesson: Lesson) -> Tensor:
    """T^2 (beta (1 - correlation of classes) + gamma (1 - correlation of clips)), each a mean, of 0 to 2.

    Predictions (B, classes) -> scalar, 0 to 2 T^2 (beta + gamma).
    """
    guess, truth = ((p / options.temperature).softmax(-1) for p in (student.prediction, teacher.prediction.detach()))
    classes, clips = correlation(guess, truth), correlation(guess.transpose(-1, -2), truth.transpose(-1, -2))
    return options.temperature**2 * (options.beta * (1 - classes.mean()) + options.gamma * (1 - clips.mean()))
