"""Intervals and gap recovered."""

import numpy as np
import pandas as pd
import pytest

from benchmark import stats

WAYS = {"resamples": 500, "confidence": 0.95}


def table(accuracy: float, subjects: int = 30, seed: int = 0, spread: float = 0.05) -> np.ndarray:
    """by_subject confusions of a two-class model of about this accuracy: (subjects, 2 seeds, 2, 2)."""
    rng = np.random.default_rng(seed)
    people = np.clip(accuracy + spread * rng.normal(size=subjects), 0, 1)
    right = rng.binomial(40, people[:, None], (subjects, 2)) / 2
    found = np.zeros((subjects, 2, 2, 2))
    found[..., 0, 0] = found[..., 1, 1] = right
    found[..., 0, 1] = found[..., 1, 0] = 20 - right
    return found


def test_the_value_is_the_mean_over_seeds_of_pooled_scores():
    tables = table(0.7)
    found = stats.scores("classification", tables, **WAYS)["accuracy"]
    pooled = [np.trace(tables[:, seed].sum(0)) / tables[:, seed].sum() for seed in range(2)]
    assert found.value == pytest.approx(np.mean(pooled))
    assert found.low < found.value < found.high


def test_an_interval_covers_the_truth_as_often_as_it_says():
    """With 30 subjects 95 % intervals cover the population's accuracy in about 95 % of draws."""
    covered = 0
    for seed in range(120):
        tables = table(0.7, seed=seed)
        found = stats.interval(lambda s: stats.pooled("accuracy", "classification", s[0]), [tables], 300, 0.95)
        covered += found.low <= 0.7 <= found.high
    assert 0.88 <= covered / 120 <= 0.99


def test_order_of_clips_changes_nothing():
    rng = np.random.default_rng(0)
    values, people, seeds = rng.random((60, 2, 2)), np.repeat(list("abc"), 20), np.tile([0, 1], 30)
    order = rng.permutation(60)
    np.testing.assert_allclose(
        stats.by_subject(values, people, seeds), stats.by_subject(values[order], people[order], seeds[order])
    )


def test_difference_is_paired():
    """Two models that differ by the same amount in every subject differ with a narrow interval."""
    low = table(0.6, spread=0.2)
    high = low.copy()
    high[..., 0, 0] += 2
    high[..., 0, 1] -= 2
    found = stats.difference("balanced_accuracy", "classification", high, low, **WAYS)
    alone = stats.scores("classification", low, **WAYS)["balanced_accuracy"]
    assert found.value == pytest.approx(0.05)
    assert found.high - found.low < 0.2 * (alone.high - alone.low)


def test_models_with_different_numbers_of_seeds_can_be_compared():
    """A seed may be left out of one of them: each is averaged over the seeds that it has."""
    method, baseline = table(0.7), table(0.6, seed=1)
    found = stats.difference("accuracy", "classification", method[:, 1:], baseline, **WAYS)
    own, other = (stats.pooled("accuracy", "classification", t.sum(0)) for t in (method[:, 1:], baseline))
    assert found.value == pytest.approx(own - other) and found.low < found.value < found.high
    gap = stats.gap_recovered("accuracy", "classification", method[:, 1:], baseline, table(0.8, seed=2), **WAYS)
    assert gap.low < gap.value < gap.high


def test_gap_recovered_is_the_share_of_the_lead():
    baseline, student, teacher = table(0.6, seed=1), table(0.7, seed=1), table(0.8, seed=1)
    found = stats.gap_recovered("balanced_accuracy", "classification", student, baseline, teacher, **WAYS)
    assert found.value == pytest.approx(0.5, abs=0.1) and found.low < found.value < found.high


def test_gap_recovered_is_undefined_when_the_teacher_has_no_lead():
    same = table(0.7)
    found = stats.gap_recovered(
        "balanced_accuracy", "classification", table(0.7, seed=3), same, table(0.7, seed=2), **WAYS
    )
    assert found.value is None and "teacher does not beat" in found.reason


def test_too_few_subjects_and_no_spread_are_reasons_not_numbers():
    assert (
        stats.scores("classification", table(0.7, subjects=2), **WAYS)["accuracy"].reason
        == "no interval from 2 subjects"
    )
    constant = np.zeros((5, 1, 3, 3))
    constant[..., 0, 0] = 4
    assert stats.scores("ordinal", constant, **WAYS)["kappa"].value is None


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
