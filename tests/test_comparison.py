"""Tests of one method against another: over subjects, over folds, over data sets, and the Bayesian opinion."""

from itertools import product

import numpy as np
import pytest
from scipy.stats import combine_pvalues, norm, ttest_rel, wilcoxon
from statsmodels.stats.multitest import multipletests

from benchmark import comparison, stats
from benchmark.comparison import Outcome


def p_of(method: np.ndarray, baseline: np.ndarray, metric: str = "kappa", kind: str = "ordinal", draws: int = 999):
    return comparison.paired(metric, kind, method, baseline, draws).p


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
    """Permuted by every one of 2^8 swaps, and ranked; 1000 data sets, the mean level plus three standard errors."""
    found = np.array([p_of(*unequal(subjects, seed), draws=draws) for seed in range(1000)])
    assert np.mean(found <= 0.05) <= 0.07
    assert np.mean(found <= 0.2) <= 0.238
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
    for people in (8, 30):
        one, same = unequal(people, seed=0)[0], values(people, 1, 0.7)
        assert p_of(one, one) == 1
        found = comparison.paired("ccc", "regression", same, same, 99)
        assert found.p == 1 and found.effect is None and found.reason == "the models score alike"


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

    monkeypatch.setattr(comparison, "pooled", only_at_ends)
    assert p_of(one, two) == 1


def test_an_undefined_difference_has_a_reason_instead_of_p():
    constant = np.zeros((8, 1, 2, 2))
    constant[..., 0, 0] = 4
    found = comparison.paired("kappa", "ordinal", constant, constant, 99)
    assert found.p is None and "undefined" in found.reason and (found.subjects, found.excluded) == (0, 8)


def test_no_test_where_no_p_below_a_twentieth_exists():
    for people, word in ((5, "subjects"), (1, "subject")):
        found = comparison.paired("kappa", "ordinal", *unequal(people, seed=0, lead=0.3), 999)
        assert found.p is None and found.reason == f"no test from {people} {word}: p cannot be below .05"
        assert (found.effect is None) == (people == 1)


def test_models_of_other_seeds_are_not_paired():
    one, two = unequal(8, seed=0)
    with pytest.raises(ValueError, match="the same subjects and seeds"):
        comparison.paired("kappa", "ordinal", one, two[:, :1], 99)


def test_holm_by_hand():
    """.01 x 4; .02 x 3; .03 x 2 and .04 x 1, neither less than the one before."""
    assert comparison.holm([0.03, 0.01, 0.04, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert comparison.holm([0.6, 0.7]) == [1, 1] and comparison.holm([]) == []


def test_holm_is_that_of_statsmodels():
    p = np.random.default_rng(0).uniform(size=12).tolist()
    assert comparison.holm(p) == pytest.approx(multipletests(p, method="holm")[1].tolist())


@pytest.mark.parametrize("people", [20, 60])
def test_from_20_subjects_on_their_own_scores_are_ranked(people):
    one, two = unequal(people, seed=4, lead=0.05)
    found = comparison.paired("kappa", "ordinal", one, two, 99)
    apart = [
        np.mean([stats.score("kappa", "ordinal", m[subject, seed]) for seed in range(2)])
        - np.mean([stats.score("kappa", "ordinal", b[subject, seed]) for seed in range(2)])
        for m, b, subject in ((one, two, subject) for subject in range(people))
    ]
    told = np.round(apart, 10)
    assert found.name == "Wilcoxon signed-rank" and found.reason is None
    assert found.p == pytest.approx(wilcoxon(told[told != 0]).pvalue)
    assert found.effect == pytest.approx(np.mean(apart) / np.std(apart, ddof=1))
    assert (found.subjects, found.excluded) == (people, 0)


def test_signed_ranks_by_enumeration():
    """p is the share of the 2^8 signs whose sum of ranks lies as far from the middle."""
    apart = np.array([0.11, -0.02, 0.35, 0.07, 0.28, -0.13, 0.19, 0.41])
    ranks = np.abs(apart).argsort().argsort() + 1
    sums = np.array([ranks @ signs for signs in product((0, 1), repeat=8)])
    expected = np.mean(np.abs(sums - 18) >= abs(ranks @ (apart > 0) - 18))
    assert comparison.signed_ranks(apart)[0] == pytest.approx(expected)


def test_under_20_subjects_the_pooled_difference_is_permuted():
    found = comparison.paired("kappa", "ordinal", *unequal(19, seed=4, lead=0.05), 99)
    assert found.name == "paired permutation" and round(found.p * 100) == pytest.approx(found.p * 100)


def test_subjects_without_a_score_are_excluded_and_counted():
    one, two = unequal(30, seed=4, lead=0.1)
    for table in (one, two):
        table[:4, :, :, 1:] = table[:4, :, 1:, :] = 0  # one class, always right: kappa is undefined
    found = comparison.paired("kappa", "ordinal", one, two, 99)
    assert (found.subjects, found.excluded) == (26, 4) and found.name == "Wilcoxon signed-rank"
    assert found.p == comparison.paired("kappa", "ordinal", one[4:], two[4:], 99).p


def test_where_subjects_have_no_scores_of_their_own_the_pooled_difference_is_permuted():
    """One class per subject: kappa of a subject is 0 or undefined, whatever is predicted; pooled it tells a lot."""
    rng = np.random.default_rng(0)
    tables = np.zeros((2, 30, 1, 2, 2))
    for model, accuracy in enumerate((0.9, 0.6)):
        right = rng.binomial(20, accuracy, 30)
        truth = np.arange(30) % 2
        tables[model, np.arange(30), 0, truth, truth] = right
        tables[model, np.arange(30), 0, truth, 1 - truth] = 20 - right
    found = comparison.paired("kappa", "ordinal", *tables, 999)
    assert found.p == 1 / 1000 and found.name.startswith("paired permutation (only 0 of 30 subjects")
    assert found.effect is None and "effect" in found.reason


def test_subjects_who_all_differ_alike_have_a_p_but_no_effect_size():
    one, two = (np.tile(table[:1], (24, 1, 1, 1)) for table in unequal(1, seed=0, lead=0.3))
    found = comparison.paired("kappa", "ordinal", one, two, 99)
    assert found.p < 1e-4 and found.effect is None and found.reason.startswith("no effect size")


def test_nadeau_bengio_by_hand():
    """Mean .02, variance .00025; 10 folds of 90 and 10: .02 / sqrt((1/10 + 1/9) .00025), t of 9."""
    apart = [0.02 + 0.015 * sign for sign in (1, -1)] * 5
    found = comparison.nadeau_bengio(apart, 90, 10)
    assert found.t == pytest.approx(0.02 / np.sqrt((0.1 + 10 / 90) * 0.00025)) and found.reason is None
    assert found.p == pytest.approx(0.0224, abs=1e-4)
    plain = ttest_rel(apart, np.zeros(10))
    assert found.p > plain.pvalue
    assert comparison.nadeau_bengio([-a for a in apart], 90, 10)[:2] == pytest.approx((-found.t, found.p))


def test_folds_that_cannot_be_tested_have_a_reason():
    assert comparison.nadeau_bengio([0.1], 80, 20) == (None, None, "no test from 1 fold")
    assert "do not vary" in comparison.nadeau_bengio([0.1, 0.1, 0.1], 80, 20).reason
    assert "undefined" in comparison.nadeau_bengio([0.1, float("nan")], 80, 20).reason
    with pytest.raises(ValueError, match="training and test samples, not 80 and 0"):
        comparison.nadeau_bengio([0.1, 0.2], 80, 0)


def test_stouffer_is_that_of_scipy_on_one_sided_p():
    p, signs, weights = [0.04, 0.3, 0.5], [1, -1, 1], np.sqrt([60, 12, 30])
    one_sided = [own / 2 if sign > 0 else 1 - own / 2 for own, sign in zip(p, signs, strict=True)]
    known = combine_pvalues(one_sided, "stouffer", weights=weights)
    z, both = comparison.stouffer(comparison.signed(p, signs), weights)
    assert z == pytest.approx(known.statistic) and both == pytest.approx(2 * min(known.pvalue, 1 - known.pvalue))
    assert comparison.stouffer(comparison.signed([0.03], [-1]), [5]) == (
        pytest.approx(norm.ppf(0.015)),
        pytest.approx(0.03),
    )


def test_extreme_p_values_combine_to_numbers():
    assert np.isfinite(comparison.stouffer(comparison.signed([0.0, 1.0], [1, 1]), [1, 1])).all()
    assert comparison.stouffer(comparison.signed([0.01, 0.01], [1, -1]), [2, 2]) == (pytest.approx(0), pytest.approx(1))
    for wrong in ([1.2, 0.1], [float("nan"), 0.1]):
        with pytest.raises(ValueError, match="between 0 and 1"):
            comparison.signed(wrong, [1, 1])
    with pytest.raises(ValueError, match="above 0"):
        comparison.stouffer([0.1, 0.1], [1, 0])


DATASETS = {"level": "biovid", "binary": "biovid", "av": "recola"}


def test_data_sets_are_combined_by_the_number_of_their_subjects():
    found = {
        "level": {"kd": Outcome(0.02, 1, 60), "kdot": Outcome(0.5, 1, 60)},
        "av": {"kd": Outcome(0.2, -1, 12), "kdot": Outcome(0.4, 1, 12), "pknot": Outcome(0.01, 1, 12)},
    }
    rows = {row["method"]: row for row in comparison.combined(found, DATASETS)}
    z, p = comparison.stouffer(comparison.signed([0.02, 0.2], [1, -1]), [60**0.5, 12**0.5])
    assert (rows["kd"]["z"], rows["kd"]["p"]) == (z, p) and rows["kd"]["tasks"] == ["level", "av"]
    assert rows["kd"]["p_holm"] == pytest.approx(2 * p) and rows["kdot"]["p_holm"] == rows["kdot"]["p"] > 0.1
    alone = rows["pknot"]
    assert alone["z"] is alone["p"] is alone["p_holm"] is None
    assert alone["reason"] == "nothing to combine: tested on 1 data set"


def test_tasks_of_the_same_people_do_not_count_twice():
    one = {"level": {"kd": Outcome(0.02, 1, 60)}, "av": {"kd": Outcome(0.2, 1, 12)}}
    twice = one | {"binary": {"kd": Outcome(0.02, 1, 60)}}
    (alone,), (both,) = (comparison.combined(found, DATASETS) for found in (one, twice))
    assert both["z"] == pytest.approx(alone["z"]) and both["tasks"] == ["level", "av", "binary"]
    same = {name: twice[name] for name in ("level", "binary")}
    assert comparison.combined(same, DATASETS)[0]["reason"] == "nothing to combine: tested on 1 data set"
    untested = one | {"av": {"kd": Outcome(None, 0, 4)}}
    assert comparison.combined(untested, DATASETS)[0]["reason"] and comparison.combined({}, {}) == []


def test_a_second_opinion_tells_equivalent_from_unknown():
    rng = np.random.default_rng(0)
    better, alike, unknown = (
        mean + spread * rng.normal(size=30) for mean, spread in ((0.05, 0.03), (0, 0.005), (0, 0.2))
    )
    assert comparison.signed_rank(better, 0.01)["better"] > 0.99
    assert comparison.signed_rank(-better, 0.01)["worse"] > 0.99
    assert comparison.signed_rank(alike, 0.01)["equivalent"] > 0.99
    assert max(comparison.signed_rank(unknown, 0.01).values()) < 0.95
    for found in (comparison.signed_rank(d, 0.01) for d in (better, alike, unknown)):
        assert sum(found.values()) == pytest.approx(1)
    assert comparison.signed_rank(rng.permutation(better), 0.01) == comparison.signed_rank(better, 0.01)


def test_a_second_opinion_by_hand():
    """Six equal gains: pairs of gains lie above the region, those with the prior's 0 inside; better wins where the
    gains have weight w with w^2 > 1/2, w ~ Beta(6, 1/2)."""
    from scipy.stats import beta

    found = comparison.signed_rank([0.05] * 6, 0.04)
    assert found["better"] == pytest.approx(beta.sf(0.5**0.5, 6, 0.5), abs=0.01) and found["worse"] == 0
    assert comparison.signed_rank([0.0] * 6, 0.0) == {"worse": 0, "equivalent": 1, "better": 0}
    assert comparison.signed_rank([0.1] * 5 + [float("nan")], 0.01) is None
    with pytest.raises(ValueError, match="at least 0 wide, not -1"):
        comparison.signed_rank([0.1] * 6, -1)
