"""Concordance correlation, of predictions with labels or of two raters."""

import numpy as np


def ccc(summed: np.ndarray) -> np.ndarray:
    """Concordance correlation coefficient (Lin 1989, Biometrics 45(1)), -1 to 1, by population moments.

    summed (..., 6 or more): sums of 1, t, p, t^2, p^2, tp -> (...); NaN where both are constant and equal.
    """
    count, truth, guess, truth_square, guess_square, product = np.moveaxis(summed[..., :6], -1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        truth, guess = truth / count, guess / count
        spread = truth_square / count - truth**2 + guess_square / count - guess**2 + (truth - guess) ** 2
        return 2 * (product / count - truth * guess) / np.where(spread > 1e-12, spread, np.nan)
