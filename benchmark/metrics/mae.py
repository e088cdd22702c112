"""Mean absolute error, in classes for ordered classes and in units of the target for values."""

import numpy as np

KINDS = ("ordinal", "regression")
HIGHER_IS_BETTER = False
RANGE = (0, float("inf"))


def score(statistics: np.ndarray, kind: str) -> np.ndarray:
    """confusion (..., classes, classes) or moments (..., targets, 15) -> (...), at least 0."""
    if kind == "regression":
        return (statistics[..., 6] / statistics[..., 0]).mean(-1)
    grades = np.arange(statistics.shape[-1])
    distance = np.abs(grades[:, None] - grades)
    return (statistics * distance).sum((-2, -1)) / statistics.sum((-2, -1))
