"""Intervals, tests and gap recovered."""

from itertools import product

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


def p_of(method: np.ndarray, baseline: np.ndarray, metric: str = "kappa", kind: str = "ordinal", draws: int = 999):
    return stats.paired_test(metric, kind, method, baseline, draws)[0]


def unequal(subjects: int, seed: int, lead: float = 0.0) -> list[np.ndarray]:
    """Two models with strengths of their own in each subject; the first is better by `lead` on average."""
    rng = np.random.default_rng(seed)
    people = np.clip(0.65 + 0.1 * rng.normal(size=(2, subjects)) + np.array([[lead], [0.0]]), 0, 1)
    found = np.zeros((2, subjects, 2, 2, 2))
    for kind in range(2):
        right = rng.binomial(20, people[..., None], (2, subjects, 2))
        found[..., kind, kind], found[..., kind, 1 - kind] = right, 20 - right
    return list(found)


def values(subjects: int, seed: int, noise: float) -> np.ndarray:
    """by_subject moments of values predicted with this much noise: (subjects, 2 seeds, 1 target, 15)."""
    truth = np.random.default_rng(0).normal(size=(subjects * 20, 1))
    found = truth + noise * np.random.default_rng(seed).normal(size=truth.shape)
    who, run = np.repeat(np.arange(subjects), 20), np.tile([0, 1], subjects * 10)
    summed = stats.moments(truth, found, np.arange(len(truth)), np.ones(len(truth)), 0 * truth)
    return stats.by_subject(summed, who, run)


def test_a_real_effect_has_a_small_p():
    assert p_of(*unequal(30, seed=0, lead=0.2)) < 0.01
    assert p_of(values(20, 1, 0.5), values(20, 2, 1.0), "ccc", "regression") < 0.01


@pytest.mark.parametrize(("subjects", "draws"), [(8, 300), (25, 300)])
def test_without_an_effect_p_is_below_a_level_no_more_often_than_that_level(subjects, draws):
    """Exactly enumerated (2^8 swaps) and drawn; 1000 data sets, levels plus 1.5 standard errors."""
    found = np.array([p_of(*unequal(subjects, seed), draws=draws) for seed in range(1000)])
    assert np.mean(found <= 0.05) <= 0.06
    assert np.mean(found <= 0.2) <= 0.22
    assert 0.45 <= np.median(found) <= 0.56


@pytest.mark.parametrize("subjects", [8, 25])
def test_exchanging_the_models_changes_no_p(subjects):
    one, two = unequal(subjects, seed=5, lead=0.05)
    assert p_of(one, two) == p_of(two, one)


def test_p_does_not_depend_on_the_order_of_the_predictions():
    rng = np.random.default_rng(0)
    truth, people, seeds = rng.integers(0, 3, 600), np.repeat(np.arange(20), 30), np.tile([0, 1], 300)
    rows = [stats.confusion(truth, np.where(rng.random(600) < a, truth, 0), 3) for a in (0.6, 0.5)]
    order = rng.permutation(600)
    plain = p_of(*(stats.by_subject(part, people, seeds) for part in rows))
    assert plain == p_of(*(stats.by_subject(part[order], people[order], seeds[order]) for part in rows))


def test_every_swap_of_six_subjects_is_counted_once():
    one, two = unequal(6, seed=3, lead=0.05)

    def apart(swapped: tuple[int, ...]) -> float:
        own = sum(b if s else a for a, b, s in zip(one, two, swapped, strict=True))
        other = sum(a if s else b for a, b, s in zip(one, two, swapped, strict=True))
        return abs(float(stats.pooled("kappa", "ordinal", own) - stats.pooled("kappa", "ordinal", other)))

    found = [apart(swapped) for swapped in product((0, 1), repeat=6)]
    assert p_of(one, two) == np.mean(np.array(found) >= found[0] - 1e-9)


def test_equal_models_have_p_1():
    one, same = unequal(30, seed=0)[0], values(30, 1, 0.7)
    assert p_of(one, one) == 1
    assert p_of(same, same, "ccc", "regression") == 1


def test_rounded_moments_tie_where_numbers_do():
    """Swapping all subjects gives the same difference, less its sign, but for the last digits."""
    found = [p_of(values(6, seed, 0.3), values(6, seed + 50, 2.0), "ccc", "regression") for seed in range(1, 50)]
    assert min(found) == 2 / 2**6 and all(p * 2**6 % 2 == 0 for p in found)


def test_undefined_swaps_count_as_extreme(monkeypatch):
    one, two = unequal(6, seed=0, lead=0.3)
    assert p_of(one, two) == 2 / 2**6
    ends = one[:, 0, 0, 0].sum(), two[:, 0, 0, 0].sum()

    def only_at_ends(metric: str, kind: str, drawn: np.ndarray) -> np.ndarray:
        found = drawn[..., 0, 0, 0]
        return np.where(np.isin(found, ends), found, np.nan)

    monkeypatch.setattr(stats, "pooled", only_at_ends)
    assert p_of(one, two) == 1


def test_an_undefined_difference_has_a_reason_instead_of_p():
    constant = np.zeros((8, 1, 2, 2))
    constant[..., 0, 0] = 4
    p, reason = stats.paired_test("kappa", "ordinal", constant, constant, 99)
    assert p is None and "undefined" in reason


def test_no_test_where_no_p_below_a_twentieth_exists():
    p, reason = stats.paired_test("kappa", "ordinal", *unequal(5, seed=0, lead=0.3), 999)
    assert p is None and reason == "no test from 5 subjects: p cannot be below .05"


def test_models_of_other_seeds_are_not_paired():
    one, two = unequal(8, seed=0)
    with pytest.raises(ValueError, match="the same subjects and seeds"):
        stats.paired_test("kappa", "ordinal", one, two[:, :1], 99)


def test_holm_by_hand():
    """.01 x 4; .02 x 3; .03 x 2 and .04 x 1, neither less than the one before."""
    assert stats.holm([0.03, 0.01, 0.04, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert stats.holm([0.6, 0.7]) == [1, 1] and stats.holm([]) == []


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
