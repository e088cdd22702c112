"""What a study over populations concludes, on differences of known size."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import nctdtr
from scipy.stats import t

from benchmark import power
from benchmark.params import Study
from benchmark.report import studies


def drawn(gain: float, populations: int = 10, seed: int = 0) -> pd.DataFrame:
    """Rows of a study in which `kd` gains and `rand` does not; scores of a population share its level."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(populations):
        level = 0.4 + 0.05 * rng.normal()
        for method, own in {"teacher": 0.1, "prevalent_only": 0.0, "kd": gain, "rand": 0.0}.items():
            noise = 0 if method == "prevalent_only" else 0.01 * rng.normal()
            error = np.nan if method == "prevalent_only" else 0.012
            geometry = {"cka": 0.5, "frobenius": 0.3, "true_pairs": 0.02, "chance": 0.008}
            found = {"metric": "kappa", "score": level + own + noise, "error": error}
            rows.append({"population": number, "method": method} | found | geometry)
    return pd.DataFrame(rows)


def entry(results: dict, name: str) -> dict:
    return next(found for found in results["methods"] if found["method"] == name)


def test_differences_are_paired_within_populations():
    results = power.summarise(drawn(gain=0.02), ["kd"], 0.95)
    found = entry(results, "kd")["to_prevalent_only"]
    assert found["low"] < 0.02 < found["high"] and found["low"] > 0 and found["p"] < 0.01
    assert found["high"] - found["low"] < 0.03, "levels that deviate by .05 must not widen it"
    assert entry(results, "rand")["to_kd"]["mean"] == pytest.approx(-0.02, abs=0.012)
    assert "to_kd" not in entry(results, "kd")


def test_a_method_that_does_nothing_is_rarely_told_apart():
    found = [entry(power.summarise(drawn(0, seed=seed), ["kd"], 0.95), "rand") for seed in range(200)]
    p = [own["to_prevalent_only"]["p"] for own in found]
    assert np.mean(np.array(p) < 0.05) < 0.1


def test_a_difference_is_bold_where_it_is_told_apart_among_all_that_are_compared():
    results = power.summarise(drawn(gain=0.02), ["kd"], 0.95)
    gained, nothing = (entry(results, name)["to_prevalent_only"] for name in ("kd", "rand"))
    assert gained["p_holm"] == pytest.approx(2 * gained["p"]) and nothing["p_holm"] == nothing["p"] > 0.05
    assert entry(results, "teacher")["to_prevalent_only"]["p_holm"] is None
    assert studies.compared(gained, 0.95)[0].startswith("**+0.0") and "*" not in studies.compared(nothing, 0.95)[0]
    assert "*" not in studies.compared(gained | {"p_holm": 0.06, "p": 0.03}, 0.95)[0]


def test_power_rises_from_the_level_to_one_and_many_populations_see_more():
    found = power.summarise(drawn(gain=0.02), ["kd"], 0.95)["power"]
    for curve in (found["one"], found["all"]):
        assert curve[0] == pytest.approx(0.05, abs=1e-5) and np.all(np.diff(curve) >= -1e-9) and curve[-1] > 0.99
    assert found["smallest"]["all"] < found["smallest"]["one"]
    assert found["smallest"]["one"] == pytest.approx(2.8 * 0.012, rel=0.01)  # (1.96 + 0.84) standard errors


def test_promised_power_is_the_share_of_simulated_studies_that_show_it():
    promised = power.several(np.array([0.01]), 0.01, 10, 0.95)[0]
    rng = np.random.default_rng(1)
    shown = [power.paired(pd.Series(rng.normal(0.01, 0.01, 10)), 0.95)["p"] < 0.05 for _ in range(1000)]
    assert np.mean(shown) == pytest.approx(promised, abs=0.04)


@pytest.mark.parametrize("populations", [2, 4])
def test_few_populations_have_a_power_at_every_difference(populations):
    grid = np.linspace(0, 8, 81) / np.sqrt(populations)
    found = power.several(grid, 1.0, populations, 0.95)
    bound, shift = t.ppf(0.975, populations - 1), grid * np.sqrt(populations)
    known = 1 - nctdtr(populations - 1, shift, bound) + nctdtr(populations - 1, shift, -bound)
    told = np.isfinite(known)  # scipy has no number everywhere
    assert np.isfinite(found).all() and told.sum() > 70
    np.testing.assert_allclose(found[told], known[told], atol=1e-4)


def test_the_page_and_the_picture_say_what_was_found(tmp_path):
    study = Study(
        task="biovid_level", methods=["prevalent_only", "kd", "rand"], against=["kd"], populations=10, first=7
    )
    results = power.summarise(drawn(gain=0.02), ["kd"], 0.95)
    page = studies.markdown("power", study, results, 0.95)
    assert page.startswith("# SYNTHETIC") and "seeds 7 to 16" in page and "| kd | " in page and "CKA" in page
    assert "mass on true pairs (chance 0.008)" in page
    studies.figure("power", study, results, tmp_path / "power.png")
    assert (tmp_path / "power.png").stat().st_size > 10_000
