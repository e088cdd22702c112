"""Concordance correlation coefficient over clips, mean over targets (Lin 1989, Biometrics 45(1))."""

import numpy as np

from benchmark.concordance import ccc

KINDS = ("regression",)
HIGHER_IS_BETTER = True
RANGE = (-1, 1)


def score(moments: np.ndarray, kind: str) -> np.ndarray:
    """moments (..., targets, 15) -> (...), -1 to 1; NaN where truth and prediction are both constant and equal."""
    return ccc(moments).mean(-1)
