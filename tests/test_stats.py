"""Statistics of predictions: what clips add, and what they sum to."""

import numpy as np

from benchmark import stats


def test_order_of_clips_changes_nothing():
    rng = np.random.default_rng(0)
    values, people, seeds = rng.random((60, 2, 2)), np.repeat(list("abc"), 20), np.tile([0, 1], 30)
    order = rng.permutation(60)
    np.testing.assert_allclose(
        stats.by_subject(values, people, seeds), stats.by_subject(values[order], people[order], seeds[order])
    )
