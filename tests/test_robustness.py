"""Summaries of many conditions, against numbers worked out by hand."""

import numpy as np
import pandas as pd
import pytest

from benchmark import robustness


def scored(alias: str, protocol: str, rate: float | None, value: float | None) -> dict:
    return {"alias": alias, "protocol": protocol, "rate": rate, "scores": {"kappa": {"value": value}}}


def conditions(values: dict[float, float | None]) -> dict[str, dict]:
    found = {"vision+biosignal": scored("all", "subset", None, values[0.0])}
    return found | {f"random_{rate}": scored("", "random", rate, value) for rate, value in values.items() if rate}


def test_the_area_is_the_mean_of_the_curve_and_multibench_does_not_rescale_it():
    curve = conditions({0.0: 0.6, 0.2: 0.4, 0.4: 0.4})
    assert robustness.area(curve, "kappa", "random")["value"] == pytest.approx((0.5 + 0.4) / 2)
    assert robustness.area(curve, "kappa", "random", scaled=False)["value"] == pytest.approx(0.2 * 0.5 + 0.2 * 0.4)


def test_an_area_needs_every_score_of_a_curve():
    found = robustness.area(conditions({0.0: 0.6, 0.2: None}), "kappa", "random")
    assert found == {"value": None, "reason": "no score at some rates"}
    alone = robustness.area(conditions({0.0: 0.6}), "kappa", "random")
    assert alone["value"] is None and "one modality alone" in alone["reason"]


def test_the_worst_condition_is_named_and_no_subset():
    found = conditions({0.0: 0.6, 0.2: 0.5, 0.4: 0.3}) | {"vision": scored("v", "subset", None, -1.0)}
    assert robustness.worst(found, "kappa", higher=True) == {"value": 0.3, "reason": "under random_0.4"}
    assert robustness.worst(found, "kappa", higher=False)["value"] == 0.5


def test_effective_robustness_forgives_a_lead_and_counts_what_is_kept_of_it():
    baseline = conditions({0.0: 0.5, 0.2: 0.4, 0.4: 0.2})
    lead = conditions({0.0: 0.6, 0.2: 0.5, 0.4: 0.3})
    kept = conditions({0.0: 0.6, 0.2: 0.6, 0.4: 0.5})
    assert robustness.effective(lead, baseline, "kappa")["value"] == pytest.approx(0)
    assert robustness.effective(kept, baseline, "kappa")["value"] == pytest.approx(0.1 + 0.2)
    assert robustness.effective(baseline, baseline, "kappa")["value"] == 0


def subsets(a: float, b: float, both: float) -> dict[str, dict]:
    values = {"a+b": both, "a": a, "b": b}
    return {name: scored(name, "subset", None, value) for name, value in values.items()}


def test_equity_is_one_for_equal_modalities_and_nought_for_one_that_does_all():
    assert robustness.equity(subsets(0.3, 0.3, 0.5), "kappa", 0.0, ("a", "b"))["value"] == pytest.approx(1)
    assert robustness.equity(subsets(0.5, 0.0, 0.5), "kappa", 0.0, ("a", "b"))["value"] == pytest.approx(0)
    one = subsets(0.5, 0.0, 0.5)
    one["b"] = {"alias": "b", "protocol": "subset", "rate": None, "reason": "shows this model nothing"}
    assert robustness.equity(one, "kappa", 0.0, ("a", "b"))["value"] == pytest.approx(0)


def test_equity_is_the_entropy_of_shapley_values():
    found = robustness.equity(subsets(0.4, 0.2, 0.5), "kappa", 0.1, ("a", "b"))["value"]
    gains = {"a": (0.3 + (0.4 - 0.1)) / 2, "b": (0.1 + (0.4 - 0.3)) / 2}
    shares = np.array(list(gains.values())) / sum(gains.values())
    assert found == pytest.approx(-(shares * np.log2(shares)).sum())
    assert sum(gains.values()) == pytest.approx(0.5 - 0.1)
    nothing = robustness.equity(subsets(0.1, 0.1, 0.1), "kappa", 0.1, ("a", "b"))
    assert nothing == {"value": None, "reason": "no modality lifts the score above chance"}


def curves(**norms: list[float]) -> pd.DataFrame:
    rows = [
        {"epoch": epoch, "fold": 0, "seed": 0, "term": f"gradient_{name}", "value": value}
        for name, values in norms.items()
        for epoch, value in enumerate(values, 1)
    ]
    return pd.DataFrame([*rows, {"epoch": 1, "fold": 0, "seed": 0, "term": "task", "value": 9.0}])


def test_the_learning_index_is_the_spread_of_the_norms_over_their_mean():
    found = robustness.learning_index(curves(vision=[1.0, 3.0], speech=[1.0, 1.0]))
    assert found["value"] == pytest.approx((0.0 + 1.0 / 2.0) / 2)
    assert robustness.learning_index(curves(vision=[1.0]))["reason"] == "the modules of one modality alone learn"
    assert robustness.learning_index(None)["reason"] == "nothing was trained"
    assert robustness.learning_index(curves(a=[np.nan], b=[np.nan])) == robustness.unknown("every replica diverged")
