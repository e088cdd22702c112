"""Statistics of predictions: what clips add, and what they sum to."""

import numpy as np
import pandas as pd

from benchmark import stats


def test_order_of_clips_changes_nothing():
    rng = np.random.default_rng(0)
    values, people, seeds = rng.random((60, 2, 2)), np.repeat(list("abc"), 20), np.tile([0, 1], 30)
    order = rng.permutation(60)
    np.testing.assert_allclose(
        stats.by_subject(values, people, seeds), stats.by_subject(values[order], people[order], seeds[order])
    )


def test_predictions_are_summed_by_subject_for_classes_and_values():
    rows = pd.DataFrame(
        {
            "fold": 0, "seed": [0, 0, 1, 1], "clip_id": ["a", "b", "a", "b"], "subject_id": ["p", "q", "p", "q"],
            "target": "level", "truth": [0, 1, 0, 1], "prediction": [0, 0, 1, 1],
        }
    )  # fmt: skip
    found = stats.predicted_statistics("ordinal", rows, 2)
    assert found.shape == (2, 2, 2, 2) and found[0, 0, 0, 0] == 1 and found[1, 0, 1, 0] == 1
    rows = rows.assign(recording_id=rows.clip_id, frames=10.0, variance=0.5)
    both = pd.concat([rows.assign(target="arousal"), rows.assign(target="valence", prediction=2.0)])
    moments = stats.predicted_statistics("regression", both, 0)
    assert moments.shape == (2, 2, 2, 15) and moments[0, 0, 1, 2] == 2.0
    assert moments[0, 0, 0, stats.FRAMES].tolist() == [10, 0, 0, 5, 0, 0]
