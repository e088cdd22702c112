"""Concordance correlation coefficient, mean over targets (Lin 1989, Biometrics 45(1)), population moments."""

import numpy as np

KINDS = ("regression",)
HIGHER_IS_BETTER = True


def score(moments: np.ndarray, kind: str) -> np.ndarray:
    """moments (..., targets, 7) -> (...), -1 to 1; NaN where truth and prediction are both constant and equal."""
    count, truth, guess, truth_square, guess_square, product, _ = np.moveaxis(moments, -1, 0)
    truth, guess = truth / count, guess / count
    spread = truth_square / count - truth**2 + guess_square / count - guess**2 + (truth - guess) ** 2
    return (2 * (product / count - truth * guess) / np.where(spread > 1e-12, spread, np.nan)).mean(-1)
