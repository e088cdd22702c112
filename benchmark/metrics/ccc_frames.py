"""CCC over annotated frames: each frame is predicted as its clip is, once for every clip that holds it."""

import numpy as np

from benchmark.concordance import ccc
from benchmark.stats import FRAMES

KINDS = ("regression",)
HIGHER_IS_BETTER = True
RANGE = (-1, 1)


def score(moments: np.ndarray, kind: str) -> np.ndarray:
    """moments (..., targets, 15) -> (...), -1 to 1, mean over targets."""
    return ccc(moments[..., FRAMES]).mean(-1)
