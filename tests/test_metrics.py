"""Every metric against scikit-learn or its definition; a new file must at least keep the contract."""

import numpy as np
import pytest
from sklearn import metrics as reference

from benchmark import plugins, stats

CLASSES = 5


@pytest.fixture
def classes():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, CLASSES, 300)
    return truth, np.where(rng.random(300) < 0.5, truth, rng.integers(0, CLASSES, 300))


@pytest.fixture
def values():
    rng = np.random.default_rng(1)
    truth = rng.normal(size=(200, 2))
    return truth, 0.6 * truth + 0.3 + 0.5 * rng.normal(size=(200, 2))


def scored(metric, kind, truth, guess):
    return float(stats.score(metric, kind, stats.statistics(kind, truth, guess, CLASSES).sum(0)))


@pytest.mark.parametrize(
    "metric, expected",
    [
        ("accuracy", reference.accuracy_score),
        ("balanced_accuracy", reference.balanced_accuracy_score),
        ("macro_f1", lambda t, p: reference.f1_score(t, p, average="macro")),
        ("kappa", lambda t, p: reference.cohen_kappa_score(t, p, weights="quadratic")),
        ("mae", reference.mean_absolute_error),
    ],
)
def test_class_metrics_agree_with_scikit_learn(metric, expected, classes):
    assert scored(metric, "ordinal", *classes) == pytest.approx(expected(*classes))


def test_kappa_of_classes_without_an_order_has_no_weights(classes):
    assert scored("kappa", "classification", *classes) == pytest.approx(reference.cohen_kappa_score(*classes))


def test_value_metrics_agree_with_their_definitions(values):
    truth, guess = values
    assert scored("mae", "regression", *values) == pytest.approx(np.abs(truth - guess).mean())
    assert scored("rmse", "regression", *values) == pytest.approx(np.sqrt(((truth - guess) ** 2).mean(0)).mean())
    covariance = ((truth - truth.mean(0)) * (guess - guess.mean(0))).mean(0)
    ccc = 2 * covariance / (truth.var(0) + guess.var(0) + (truth.mean(0) - guess.mean(0)) ** 2)
    assert scored("ccc", "regression", *values) == pytest.approx(ccc.mean())


@pytest.mark.parametrize("metric", plugins.names("metrics"))
def test_metric_keeps_the_contract(metric, classes, values):
    module = plugins.load("metrics", metric)
    assert module.__doc__ and isinstance(module.HIGHER_IS_BETTER, bool)
    for kind in module.KINDS:
        truth, guess = values if kind == "regression" else classes
        perfect, real = scored(metric, kind, truth, truth), scored(metric, kind, truth, guess)
        assert perfect > real if module.HIGHER_IS_BETTER else perfect < real
        one = stats.statistics(kind, truth, guess, CLASSES).sum(0)
        np.testing.assert_allclose(stats.score(metric, kind, np.stack([one, one])), [real, real])


def test_a_prediction_without_spread_has_no_kappa_but_is_not_an_error():
    truth = np.zeros(10, int)
    assert np.isnan(scored("kappa", "ordinal", truth, truth))


def test_the_headline_comes_first():
    assert stats.metrics("ordinal")[0] == "kappa"
    assert stats.metrics("classification")[0] == "balanced_accuracy"
    assert stats.metrics("regression")[0] == "ccc"
