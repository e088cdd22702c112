"""Average ranks and critical differences, against published and hand-made values."""

import json

import numpy as np
import pytest
from scipy.stats import friedmanchisquare

from benchmark import ranks

DEMSAR = {  # JMLR 7, table 6: AUC of four versions of C4.5 on 14 data sets
    "C4.5": [.763, .599, .954, .628, .882, .936, .661, .583, .775, 1.000, .940, .619, .972, .957],
    "C4.5+m": [.768, .591, .971, .661, .888, .931, .668, .583, .838, 1.000, .962, .666, .981, .978],
    "C4.5+cf": [.771, .590, .968, .654, .886, .916, .609, .563, .866, 1.000, .965, .614, .9751, .946],
    "C4.5+m+cf": [.798, .569, .967, .657, .898, .931, .685, .625, .875, 1.000, .962, .669, .975, .970],
}  # fmt: skip


def test_published_ranks_and_test():
    """Demsar 2006: 3.143, 2.000, 2.893, 1.964; Friedman 9.28 before the correction for ties."""
    found = ranks.compare(DEMSAR, 0.95)
    assert {entry["method"]: round(entry["rank"], 3) for entry in found["methods"]} == {
        "C4.5+m+cf": 1.964, "C4.5+m": 2.0, "C4.5+cf": 2.893, "C4.5": 3.143,
    }  # fmt: skip
    assert found["methods"][0]["method"] == "C4.5+m+cf" and found["blocks"] == 14
    assert found["friedman"]["statistic"] == pytest.approx(friedmanchisquare(*DEMSAR.values()).statistic)
    assert found["friedman"]["p"] < 0.05 and found["reason"] is None


@pytest.mark.parametrize(("methods", "q"), [(2, 1.960), (3, 2.343), (5, 2.728), (10, 3.164)])
def test_published_critical_values(methods, q):
    """Demsar 2006, table 5a, at .05."""
    expected = q * np.sqrt(methods * (methods + 1) / (6 * 30))
    assert ranks.critical_difference(methods, 30, 0.95) == pytest.approx(expected, rel=3e-4)


def test_groups_not_told_apart_are_the_longest_ones():
    places = ranks.cliques(np.array([1.0, 1.5, 2.4, 2.6, 5.0]), 1.2)
    assert places == [(0, 1), (1, 3)]
    assert ranks.cliques(np.array([1.0, 3.0, 5.0]), 1.0) == [] and ranks.cliques(np.array([1.0, 2.0]), 1.0) == []
    assert ranks.cliques(np.array([1.0, 1.1, 1.2]), 9.0) == [(0, 2)]


def test_a_lower_error_is_a_better_rank_and_ties_share_theirs():
    found = ranks.compare({"a": [1, 1, 1], "b": [2, 2, 2], "c": [2, 2, 2]}, 0.95, higher_is_better=False)
    assert [entry["rank"] for entry in found["methods"]] == [1, 2.5, 2.5]


def test_methods_that_differ_in_every_block_are_told_apart():
    rng = np.random.default_rng(0)
    scores = {name: (lead + 0.1 * rng.normal(size=40)).tolist() for name, lead in (("low", 0), ("mid", 1), ("top", 2))}
    found = ranks.compare(scores, 0.95)
    assert [entry["method"] for entry in found["methods"]] == ["top", "mid", "low"] and found["cliques"] == []
    noise = ranks.compare({name: rng.normal(size=40).tolist() for name in scores}, 0.95)
    assert len(noise["cliques"]) == 1 and len(noise["cliques"][0]) == 3 and noise["friedman"]["p"] > 0.05


def test_what_cannot_be_ranked_has_a_reason():
    nan = float("nan")
    assert ranks.compare({"a": [1, nan, 2], "b": [2, 1, 3], "c": [3, 2, nan]}, 0.95)["reason"].startswith("no ranks of")
    kept = ranks.compare({"a": [1, nan, 2], "b": [2, 1, 3], "c": [3, 2, 1]}, 0.95)
    assert kept["blocks"] == 2 and kept["excluded"] == 1 and kept["reason"] is None
    two = ranks.compare({"a": [1, 2], "b": [2, 3]}, 0.95)
    assert two["methods"][0] == {"method": "b", "rank": 1.0} and "paired test" in two["reason"]
    alike = ranks.compare({"a": [1, 2], "b": [1, 2], "c": [1, 2]}, 0.95)
    assert alike["friedman"] is None and "alike" in alike["reason"]
    for found in (kept, two, alike, ranks.compare({}, 0.95), ranks.compare({"a": []}, 0.95)):
        json.dumps(found, allow_nan=False)
