"""Intervals over subjects, and over subjects and seeds."""

import numpy as np
import pytest
from scipy.stats import t as student
from scipy.stats import ttest_1samp

from benchmark import intervals, plugins, stats
from benchmark.validation import bootstraps, crowds

KAPPA = "kappa", "ordinal"


def mean(sums: list[np.ndarray]) -> np.ndarray:
    """The mean of values kept as (sum, count) in a table (subjects, seeds, 1, 2), over seeds."""
    return (sums[0][..., 0, 0] / sums[0][..., 0, 1]).mean(-1)


def of_values(values: np.ndarray) -> np.ndarray:
    """(..., subjects, seeds) -> a table for `mean`."""
    return np.stack([values, np.ones_like(values)], axis=-1)[..., None, :]


def table(accuracy: float, subjects: int = 30, seed: int = 0, spread: float = 0.05, seeds: int = 2) -> np.ndarray:
    """by_subject confusions of a two-class model of about this accuracy: (subjects, seeds, 2, 2)."""
    rng = np.random.default_rng(seed)
    people = np.clip(accuracy + spread * rng.normal(size=subjects), 0, 1)
    right = rng.binomial(40, people[:, None], (subjects, seeds)) / 2
    found = np.zeros((subjects, seeds, 2, 2))
    found[..., 0, 0] = found[..., 1, 1] = right
    found[..., 0, 1] = found[..., 1, 0] = 20 - right
    return found


def test_of_a_mean_it_is_the_t_interval():
    """Where no value stands out (kurtosis below that of the normal) with subjects - 1 degrees of freedom."""
    values = np.random.default_rng(0).uniform(size=(40, 1))
    found = intervals.interval(mean, [of_values(values)], 0.9)
    expected = ttest_1samp(values[:, 0], 0).confidence_interval(0.9)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_of_a_mean_whose_values_stand_out_it_has_the_degrees_of_freedom_of_their_kurtosis():
    """By hand, four subjects at 0 and one at 1: deviations .2 and .8, kurtosis 3.25, 10 / (3.25 - .5)."""
    values = np.array([0, 0, 0, 0, 1.0])[:, None]
    found = intervals.interval(mean, [of_values(values)], 0.95)
    reach = student.ppf(0.975, 10 / 2.75) * values.std(ddof=1) / np.sqrt(5)
    assert (found.low, found.high) == pytest.approx((0.2 - reach, 0.2 + reach))


def test_the_value_is_the_mean_over_seeds_of_pooled_scores():
    tables = table(0.7)
    found = intervals.of_metric("accuracy", "classification", tables, 0.95)
    pooled = [np.trace(tables[:, seed].sum(0)) / tables[:, seed].sum() for seed in range(2)]
    assert found.value == pytest.approx(np.mean(pooled))
    assert found.low < found.value < found.high and found.reason is None


@pytest.mark.parametrize(
    ("draw", "metric", "kind"), [(crowds.graded, *KAPPA), (crowds.valued, "ccc", "regression")], ids=["kappa", "ccc"]
)
def test_scores_and_differences_cover_the_truth_as_often_as_they_say(draw, metric, kind):
    """2,000 samples of 23 people; `make validate` takes 10,000, of more sizes. BCa would fail for both."""
    rng = np.random.default_rng(3)
    people = draw(rng, 5000, 1)
    difference = intervals.lead(metric, kind)
    truth = difference([model.sum(0, dtype=float) for model in people])
    value, without = intervals.left_out(difference, list(crowds.samples(rng, people, 2000, 23)))
    low, high = intervals.limits(value, [intervals.jackknife(without)], 0.95)
    assert 0.93 <= np.mean((low <= truth) & (truth <= high)) <= 0.97


def test_many_samples_at_once_are_the_same_as_one_by_one():
    people = crowds.samples(np.random.default_rng(0), crowds.graded(np.random.default_rng(0), 100, 3), 5, 12)
    difference = intervals.lead(*KAPPA)
    value, without = intervals.left_out(difference, list(people))
    narrow = intervals.jackknife(without)
    wide = intervals.over_seeds(difference, list(people))
    for draw, pair in enumerate(zip(*people, strict=True)):
        for spreads, single in (([narrow], intervals.interval), ([narrow, wide], intervals.hierarchical)):
            ends = intervals.limits(value, spreads, 0.95)
            assert single(difference, list(pair), 0.95)[:3] == pytest.approx((value[draw], *(e[draw] for e in ends)))


def test_difference_is_paired():
    """Two models that differ by the same amount in every subject differ with a narrow interval."""
    low = table(0.6, spread=0.2)
    high = low.copy()
    high[::2, :, 0, 0] += 2
    high[::2, :, 0, 1] -= 2
    found = intervals.difference("balanced_accuracy", "classification", high, low, 0.95)
    alone = intervals.of_metric("balanced_accuracy", "classification", low, 0.95)
    assert found.value == pytest.approx(0.025)
    assert found.high - found.low < 0.2 * (alone.high - alone.low)


def test_the_order_of_subjects_changes_nothing():
    own, order = table(0.7), np.random.default_rng(1).permutation(30)
    one, two = (intervals.of_metric(*KAPPA, rows, 0.95) for rows in (own, own[order]))
    assert one[:3] == pytest.approx(two[:3])


def test_an_interval_ends_where_the_metric_does():
    near = table(0.97, subjects=4, spread=0.1, seed=1)
    free = intervals.interval(lambda sums: stats.pooled("accuracy", "ordinal", sums[0]), [near], 0.95)
    assert free.high > 1 and intervals.of_metric("accuracy", "ordinal", near, 0.95) == free._replace(high=1)


@pytest.mark.parametrize("name", plugins.names("metrics"))
def test_every_metric_says_where_it_ends(name):
    least, most = plugins.load("metrics", name).RANGE
    for kind in plugins.load("metrics", name).KINDS:
        draw = crowds.valued if kind == "regression" else crowds.graded
        if kind == "regression":
            truth = np.random.default_rng(0).normal(size=(2, 60, 1))
            summed = stats.moments(truth[0], truth[1], np.arange(60) // 5, np.ones(60), 0 * truth[0]).sum(0)
        else:
            summed = draw(np.random.default_rng(0), 5, 1)[0, :, 0]
        assert ((stats.score(name, kind, summed) >= least) & (stats.score(name, kind, summed) <= most)).all()


def test_seeds_by_hand():
    """Three seeds that shift all subjects alike: the deviation of the seeds' means over root 3, and t of 2."""
    shift, own = np.array([0.1, 0.2, 0.6]), np.random.default_rng(0).uniform(size=(1000, 1))
    found = intervals.hierarchical(mean, [of_values(1e-3 * own + shift)], 0.95)
    assert found.high - found.value == pytest.approx(student.ppf(0.975, 2) * shift.std(ddof=1) / 3**0.5, rel=1e-3)
    narrow = intervals.interval(mean, [of_values(1e-3 * own + shift)], 0.95)
    assert narrow.value == found.value and narrow.high - narrow.low < 0.001 * (found.high - found.low)


def test_subjects_and_seeds_together_by_hand():
    """The components of a two-way analysis of variance, and each reaches as far as its own t quantile."""
    values = np.random.default_rng(0).uniform(size=(20, 4)) + np.array([0, 0.1, 0.6, 0.4])
    rest = values - values.mean(0) - values.mean(1)[:, None] + values.mean()
    over_subjects = values.mean(1).var(ddof=1) / 20
    added = values.mean(0).var(ddof=1) / 4 - (rest**2).sum() / (19 * 3) / (20 * 4)
    reach = np.sqrt(student.ppf(0.975, 19) ** 2 * over_subjects + student.ppf(0.975, 3) ** 2 * added)
    found = intervals.hierarchical(mean, [of_values(values)], 0.95)
    assert (found.low, found.high) == pytest.approx((values.mean() - reach, values.mean() + reach), rel=1e-3)


@pytest.mark.parametrize("seeds", [3, 5])
@pytest.mark.parametrize("luck", [0.0, 0.1, 1.0])
def test_other_training_is_covered_whether_seeds_differ_or_not(seeds, luck):
    rng = np.random.default_rng(seeds)
    subject, seed = rng.normal(size=(2000, 23, 1)), luck * rng.normal(size=(2000, 1, seeds))
    tables = [of_values(subject + seed + rng.normal(size=(2000, 23, seeds)))]
    value, without = intervals.left_out(mean, tables)
    spreads = [intervals.jackknife(without), intervals.over_seeds(mean, tables)]
    low, high = intervals.limits(value, spreads, 0.95)
    assert 0.93 <= np.mean((low <= 0) & (high >= 0)) <= 0.98
    low, high = intervals.limits(value, spreads[:1], 0.95)
    assert luck < 1 or np.mean((low <= 0) & (high >= 0)) < 0.7, "given the networks"


def test_what_cannot_be_had_over_seeds_has_a_reason():
    one = intervals.hierarchical(intervals.lead(*KAPPA), [table(0.7, seeds=1), table(0.6, seeds=1, seed=1)], 0.95)
    assert one.value is not None and one.low is None and one.reason == "one seed: nothing is known of other training"
    other = intervals.hierarchical(intervals.lead(*KAPPA), [table(0.7), table(0.6, seeds=3)], 0.95)
    assert other.low is None and "different seeds" in other.reason
    two = intervals.hierarchical(intervals.lead(*KAPPA), [table(0.7), table(0.6, seed=1)], 0.95)
    assert two.low < two.value < two.high and two.reason is None
    few = intervals.hierarchical(intervals.lead(*KAPPA), [table(0.7, 2), table(0.6, 2)], 0.95)
    assert few.reason == "no interval from 2 subjects"


def test_models_with_different_numbers_of_seeds_can_be_compared():
    """A seed may be left out of one of them: each is averaged over the seeds that it has."""
    method, baseline = table(0.7), table(0.6, seed=1)
    found = intervals.difference("accuracy", "classification", method[:, 1:], baseline, 0.95)
    own, other = (stats.pooled("accuracy", "classification", t.sum(0)) for t in (method[:, 1:], baseline))
    assert found.value == pytest.approx(own - other) and found.low < found.value < found.high
    gap = intervals.gap_recovered("accuracy", "classification", method[:, 1:], baseline, table(0.8, seed=2), 0.95)
    assert gap.low < gap.value < gap.high


def test_gap_recovered_is_the_share_of_the_lead():
    tables = table(0.7, seed=1), table(0.6, seed=1), table(0.8, seed=1)
    found = intervals.gap_recovered("balanced_accuracy", "classification", *tables, 0.95)
    assert found.value == pytest.approx(0.5, abs=0.1) and found.low < found.value < found.high


def test_gap_recovered_is_undefined_when_the_teacher_has_no_lead():
    tables = table(0.7, seed=3), table(0.7), table(0.7, seed=2)
    found = intervals.gap_recovered("balanced_accuracy", "classification", *tables, 0.95)
    assert found.value is None and "teacher does not beat" in found.reason


def test_too_few_subjects_and_no_spread_are_reasons_not_numbers():
    for subjects, told in ((1, "no interval from 1 subject"), (2, "no interval from 2 subjects")):
        found = intervals.of_metric("accuracy", "classification", table(0.7, subjects), 0.95)
        assert found.value is not None and found.low is None and found.reason == told
        every = [
            intervals.of_metric(m, "classification", table(0.7, subjects), 0.95)
            for m in stats.metrics("classification")
        ]
        assert {own.reason for own in every} == {told}
    constant = np.zeros((5, 1, 3, 3))
    constant[..., 0, 0] = 4
    found = {name: intervals.of_metric(name, "ordinal", constant, 0.95) for name in stats.metrics("ordinal")}
    assert found["kappa"].value is None and found["kappa"].reason.startswith("undefined")
    assert found["accuracy"].value == 1 and "the same without any" in found["accuracy"].reason
    alone = constant.copy()
    alone[0, 0, 1, 1] = 4
    assert "without one of the subjects the score is undefined" in intervals.of_metric(*KAPPA, alone, 0.95).reason


def test_bootstraps_of_the_comparison_are_those_of_scipy():
    from scipy.stats import bootstrap

    values = np.random.default_rng(0).exponential(size=30)
    found = bootstraps.limits(
        lambda s: mean([s[0]]), [of_values(values[:, None])], 40_000, 0.9, np.random.default_rng(1)
    )
    for method in ("percentile", "BCa"):
        known = bootstrap((values,), np.mean, n_resamples=40_000, confidence_level=0.9, method=method, rng=2)
        assert found[method] == pytest.approx(tuple(known.confidence_interval), abs=0.015)
    low, high = found["bootstrap-t"]
    assert low < found["BCa"][0] + 0.02 and high > found["BCa"][1], "longer to the right, where the values lie"
