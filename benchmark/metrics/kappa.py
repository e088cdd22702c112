"""Cohen's kappa (1960), quadratically weighted where classes are ordered (1968, Psychological Bulletin 70(4))."""

import numpy as np

KINDS = ("classification", "ordinal")
HIGHER_IS_BETTER = True
RANGE = (-1, 1)


def score(confusion: np.ndarray, kind: str) -> np.ndarray:
    """confusion (..., classes, classes), truth by row -> (...), -1 to 1; NaN where one class is all there is."""
    grades = np.arange(confusion.shape[-1])
    distance = grades[:, None] - grades
    disagreement = distance**2 if kind == "ordinal" else distance != 0
    total = confusion.sum((-2, -1))
    expected = (confusion.sum(-1)[..., :, None] * confusion.sum(-2)[..., None, :] * disagreement).sum((-2, -1))
    observed = (confusion * disagreement).sum((-2, -1)) * total
    return 1 - observed / np.where(expected > 0, expected, np.nan)
