"""Mean recall over the classes that occur (UAR; Brodersen et al. 2010, ICPR)."""

import numpy as np

KINDS = ("classification", "ordinal")
HIGHER_IS_BETTER = True
RANGE = (0, 1)


def score(confusion: np.ndarray, kind: str) -> np.ndarray:
    """confusion (..., classes, classes), truth by row -> (...), 0 to 1."""
    occurring = confusion.sum(-1)
    recall = np.diagonal(confusion, axis1=-2, axis2=-1) / np.where(occurring > 0, occurring, np.nan)
    return np.nanmean(recall, axis=-1)
