"""The gold standard of several raters, and files of continuous ratings."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmark.reading import ratings
from benchmark.types import Unusable

ARFF = """@relation gold_standard
@attribute Instance_name string
@attribute frameTime numeric
@attribute GoldStandard numeric

@data

dev_1,0,-0.022925
dev_1,0.04,0.5
"""


def raters(count=200, seed=0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    truth = np.sin(np.arange(count) / 20) * 0.5
    values = truth[:, None] + rng.normal(0, 0.1, (count, 6)) + np.array([0.2, 0.1, 0, -0.1, 0, 0.1])
    return pd.DataFrame(np.clip(values, -1, 1), index=np.arange(count) * 0.04)


def by_hand(values: np.ndarray) -> np.ndarray:
    """The published formula, written out: frame means, less the file's mean, plus the weighted mean of rater means."""
    weights = []
    for one in range(values.shape[1]):
        scores = []
        for other in set(range(values.shape[1])) - {one}:
            x, y = values[:, one], values[:, other]
            scores.append(2 * np.cov(x, y, bias=True)[0, 1] / (x.var() + y.var() + (x.mean() - y.mean()) ** 2))
        weights.append(np.mean(scores))
    return values.mean(1) - values.mean() + (np.array(weights) * values.mean(0)).sum() / sum(weights)


def test_the_gold_standard_follows_the_published_formula():
    table = raters()
    np.testing.assert_allclose(ratings.agreed(table), by_hand(table.to_numpy()), atol=1e-12)


def test_a_rater_who_disagrees_moves_only_the_mean_over_raters():
    table = raters()
    table[5] = -table[0]
    weights_without = ratings.agreed(table.drop(columns=5))
    assert abs(ratings.agreed(table).mean() - weights_without.mean()) < 0.01


def test_a_constant_or_partly_missing_rater_is_no_traceback():
    table = raters()
    table[3] = 0.0
    table.loc[table.index[:50], 4] = np.nan
    assert np.isfinite(ratings.agreed(table)).all()
    assert np.isfinite(ratings.agreed(pd.DataFrame(np.zeros((5, 2)), index=np.arange(5.0)))).all()


def test_arff_is_read_after_its_data_line_wherever_that_is(tmp_path):
    for name, text in {"plain": ARFF, "blank": "\n\n% note\n" + ARFF, "upper": ARFF.replace("@data", "@DATA")}.items():
        (tmp_path / f"{name}.arff").write_text(text)
        found = ratings.gold(tmp_path / f"{name}.arff")
        assert found.index.tolist() == [0, 0.04] and found.tolist() == [-0.022925, 0.5]


def test_individual_ratings_have_semicolons_and_blanks_in_names(tmp_path):
    path = tmp_path / "P16.csv"
    path.write_text("time;FM1 ;FM2 ;FM3 ;FF1 ;FF2 ;FF3\n0;0.1;0.1;0.1;0.1;0.1;0.1\n0.04;0.2;0.2;0.2;0.2;0.2;0.2\n")
    assert list(ratings.individual(path)) == ["FM1", "FM2", "FM3", "FF1", "FF2", "FF3"]
    np.testing.assert_allclose(ratings.gold(path), [0.1, 0.2])


@pytest.mark.parametrize(
    "name, text, told",
    [
        ("x.arff", ARFF.replace("@data", ""), "no @data"),
        ("x.arff", ARFF.replace("frameTime", "time"), "no attributes frameTime|no @data"),
        ("x.arff", ARFF + "dev_1,nine,0\n", "not 3 values with two numbers"),
        ("x.arff", ARFF + "dev_1,0.04,0.1\n", "do not always increase"),
        ("x.arff", ARFF.replace("0.5", "5"), "outside -1 to 1"),
        ("x.csv", "", "cannot be read"),
        ("x.csv", "time,FM1,FM2\n0,1,1\n", "cannot be read as semicolon-separated numbers"),
        ("x.csv", "time;FM1;FM2\n0;a;0\n", "cannot be read as semicolon-separated numbers"),
        ("x.csv", "time;FM1;FM2\n0;0;0;0\n1;0;0;0\n", "more values than its header"),
        ("x.csv", "time;FM1\n0;0\n1;0\n", "1 raters; at least 2"),
        ("x.csv", "time;FM1;FM2\n0;0;0\n", "holds 1 frames"),
    ],
)  # fmt: skip
def test_broken_files_are_refused_by_name(tmp_path, name, text, told):
    (tmp_path / name).write_text(text)
    with pytest.raises(Unusable, match=told) as error:
        ratings.gold(tmp_path / name)
    assert name in str(error.value)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["a.arff", "a.csv"]), st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=10))
def test_damaged_files_never_end_in_a_traceback(tmp_path, name, damage):
    text = ARFF if name == "a.arff" else "time;FM1 ;FM2 \n" + "\n".join(f"{n / 25};0.{n};0.1" for n in range(9))
    content = bytearray(text.encode())
    for at, value in damage:
        content[at % len(content)] = value
    (tmp_path / name).write_bytes(bytes(content))
    try:
        found = ratings.gold(tmp_path / name)
    except Unusable as reason:
        assert name in str(reason)
    else:
        assert found.dropna().between(-1.001, 1.001).all() or len(found)
