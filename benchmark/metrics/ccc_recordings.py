"""CCC within each recording, mean over recordings and targets (as AVEC 2018 scores it)."""

import numpy as np

from benchmark.stats import RECORDINGS

KINDS = ("regression",)
HIGHER_IS_BETTER = True
RANGE = (-1, 1)


def score(moments: np.ndarray, kind: str) -> np.ndarray:
    """moments (..., targets, 15) -> (...), -1 to 1; NaN where no recording has two clips that differ."""
    total, recordings = np.moveaxis(moments[..., RECORDINGS], -1, 0)
    return (total / np.where(recordings > 0, recordings, np.nan)).mean(-1)
