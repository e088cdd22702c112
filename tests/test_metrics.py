"""Every metric against scikit-learn or its definition; a new file must at least keep the contract."""

import numpy as np
import pytest
from conftest import small_task
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


def summed(kind, truth, guess, recording=None, frames=None, variance=0.0):
    """Statistics of all clips; values come from ten recordings of twenty clips unless told otherwise."""
    if kind != "regression":
        return stats.confusion(truth, guess, CLASSES).sum(0)
    recording = np.arange(len(truth)) // 20 if recording is None else recording
    frames = np.ones(len(truth)) if frames is None else frames
    return stats.moments(truth, guess, recording, frames, np.full_like(truth, variance)).sum(0)


def scored(metric, kind, truth, guess, **more):
    return float(stats.score(metric, kind, summed(kind, truth, guess, **more)))


@pytest.mark.parametrize(
    "metric, expected",
    [
        ("accuracy", reference.accuracy_score),
        ("balanced_accuracy", reference.balanced_accuracy_score),
        ("macro_f1", lambda t, p: reference.f1_score(t, p, average="macro")),
        ("weighted_f1", lambda t, p: reference.f1_score(t, p, average="weighted")),
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
        one = summed(kind, truth, guess)
        np.testing.assert_allclose(stats.score(metric, kind, np.stack([one, one])), [real, real])


def test_a_prediction_without_spread_has_no_kappa_but_is_not_an_error():
    truth = np.zeros(10, int)
    assert np.isnan(scored("kappa", "ordinal", truth, truth))


def concordance(truth, guess):
    covariance = ((truth - truth.mean(0)) * (guess - guess.mean(0))).mean(0)
    return 2 * covariance / (truth.var(0) + guess.var(0) + (truth.mean(0) - guess.mean(0)) ** 2)


def test_ccc_by_recording_is_the_mean_over_recordings_with_something_to_agree_on(values):
    truth, guess = values
    expected = np.mean([concordance(truth[i : i + 20], guess[i : i + 20]).mean() for i in range(0, 200, 20)])
    assert scored("ccc_recordings", "regression", truth, guess) == pytest.approx(expected)
    alone = np.r_[np.arange(180) // 20, 100 + np.arange(20)]  # the last twenty are recordings of one clip
    expected = np.mean([concordance(truth[i : i + 20], guess[i : i + 20]).mean() for i in range(0, 180, 20)])
    assert scored("ccc_recordings", "regression", truth, guess, recording=alone) == pytest.approx(expected)


def test_ccc_over_frames_is_that_of_the_frames_themselves():
    rng = np.random.default_rng(2)
    frames = rng.normal(size=(50, 30, 2)) + rng.normal(size=(50, 1, 2))  # thirty frames a clip
    guess = frames.mean(1) + 0.3 * rng.normal(size=(50, 2))
    expected = concordance(frames.reshape(-1, 2), np.repeat(guess, 30, axis=0)).mean()
    moments = stats.moments(frames.mean(1), guess, np.zeros(50), np.full(50, 30), frames.var(1)).sum(0)
    assert float(stats.score("ccc_frames", "regression", moments)) == pytest.approx(expected)


def test_the_headline_is_that_of_the_kind_unless_the_task_names_one():
    assert stats.headline(small_task("ordinal")) == "kappa"
    assert stats.headline(small_task("regression")) == "ccc"
    assert stats.headline(small_task("classification").model_copy(update={"headline": "macro_f1"})) == "macro_f1"
