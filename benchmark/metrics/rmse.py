"""Root mean squared error, mean over targets, in units of the target."""

import numpy as np

KINDS = ("regression",)
HIGHER_IS_BETTER = False
RANGE = (0, float("inf"))


def score(moments: np.ndarray, kind: str) -> np.ndarray:
    """moments (..., targets, 15) -> (...), at least 0."""
    squared = moments[..., 3] + moments[..., 4] - 2 * moments[..., 5]
    return np.sqrt(np.maximum(squared, 0) / moments[..., 0]).mean(-1)
