"""F1 of each class weighted by how often it occurs."""

import numpy as np

KINDS = ("classification", "ordinal")
HIGHER_IS_BETTER = True
RANGE = (0, 1)


def score(confusion: np.ndarray, kind: str) -> np.ndarray:
    """confusion (..., classes, classes), truth by row -> (...), 0 to 1."""
    occurring, seen = confusion.sum(-1), confusion.sum(-1) + confusion.sum(-2)
    f1 = 2 * np.diagonal(confusion, axis1=-2, axis2=-1) / np.where(seen > 0, seen, 1)
    return (f1 * occurring).sum(-1) / occurring.sum(-1)
