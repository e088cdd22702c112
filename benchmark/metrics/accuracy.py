"""Share of clips whose class is right."""

import numpy as np

KINDS = ("classification", "ordinal")
HIGHER_IS_BETTER = True
RANGE = (0, 1)


def score(confusion: np.ndarray, kind: str) -> np.ndarray:
    """confusion (..., classes, classes), truth by row -> (...), 0 to 1."""
    return np.trace(confusion, axis1=-2, axis2=-1) / confusion.sum((-2, -1))
