"""Tuning: the same number of trials for every method, chosen by validation clips, told in the card."""

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import kdot, silent, small_cell

from benchmark import curves, student, tuning
from benchmark.params import Method
from benchmark.train import Fitted

WEIGHTS = [0.5, 1.0, 2.0]


@pytest.fixture(scope="module")
def cell():
    """Three folds of two seeds: replicas 0 and 1, 2 and 3, 4 and 5."""
    return small_cell(epochs=2)


def candidate(number: int, scores: list[float], diverged=(0,) * 6) -> Fitted:
    """Fitted replicas that can be told: replica r of candidate c holds 10 c + r."""
    own = 10 * number + np.arange(6)
    state = {"weight": torch.from_numpy(own)[:, None].repeat(1, 3).float()}
    raw = {"kdot": np.stack([own, own + 0.5])}
    return Fitted(state, own, np.array(scores), np.array(diverged), raw)


def test_every_method_with_terms_tries_the_same_number_and_others_have_nothing_to_try():
    for terms in ({"kd": {}}, {"kdot": {"k": 3}}, {"kd": {}, "kdot": {}}):
        assert tuning.candidates(WEIGHTS, terms) == WEIGHTS
    assert tuning.candidates(WEIGHTS, {}) == [1.0]


def test_the_best_mean_over_seeds_is_chosen_for_each_fold(cell):
    fits = [
        candidate(0, [0.9, 0.1, 0.5, 0.5, 0.2, 0.2]),
        candidate(1, [0.6, 0.6, 0.4, 0.7, 0.1, 0.2]),
        candidate(2, [0.5, 0.6, 0.1, 0.8, 0.3, 0.3]),
    ]
    found, chosen = tuning.choose(cell, fits)
    assert chosen.tolist() == [1, 1, 1, 1, 2, 2]
    assert found.state["weight"][:, 0].tolist() == [10, 11, 12, 13, 24, 25]
    assert found.epoch.tolist() == [10, 11, 12, 13, 24, 25] and found.score.tolist() == [0.6, 0.6, 0.4, 0.7, 0.3, 0.3]
    np.testing.assert_array_equal(found.raw["kdot"], [found.epoch, found.epoch + 0.5])


def test_a_candidate_with_a_replica_without_score_is_not_chosen(cell):
    nan = float("nan")
    fits = [candidate(0, [nan, 0.9, 0.5, 0.5, nan, nan], (1, 0, 0, 0, 1, 1)), candidate(1, [0.1] * 4 + [nan, nan])]
    found, chosen = tuning.choose(cell, fits)
    assert chosen.tolist() == [1, 1, 0, 0, 0, 0]
    assert found.diverged.tolist() == [0, 0, 0, 0, 1, 1] and np.isnan(found.score[4:]).all()


def test_the_card_tells_what_was_tried_and_chosen(cell):
    assert tuning.card(cell, WEIGHTS, np.array([1, 1, 2, 2, 0, 0])) == {
        "tried": WEIGHTS,
        "chosen": [{"fold": 0, "factor": 1.0}, {"fold": 1, "factor": 2.0}, {"fold": 2, "factor": 0.5}],
    }


@pytest.mark.parametrize("factor", [0.5, 3.0])
def test_the_factor_multiplies_the_weights_of_terms_and_nothing_else(taught, factor):
    def state(method: Method, **more) -> dict:
        return student.fit(taught.cell, method, taught.given, None, silent, **more).state

    def weighing(weight: float) -> Method:
        return Method(terms={"kd": {"weight": weight}, "kdot": {"k": 8, "weight": 0.6 * weight}}, task_weight=0.3)

    found, expected, other = state(weighing(1.0), factor=factor), state(weighing(factor)), state(weighing(1.0))
    torch.testing.assert_close(found, expected)
    assert not torch.allclose(found["head.weight"], other["head.weight"], atol=1e-3)
    plain = state(Method(), factor=factor), state(Method())
    torch.testing.assert_close(*plain)


def test_the_curves_of_the_chosen_candidates_are_kept(tmp_path, cell):
    paths = [tmp_path / f"{number}.csv" for number in range(2)]
    for number, path in enumerate(paths):
        student.fit(cell, kdot(), *nothing(cell), curves.recorder(path, cell.replicas), float(number))
    curves.merge(paths, np.array([0, 0, 1, 1, 0, 0]), cell.replicas, tmp_path / "all.csv")
    merged, *tried = (pd.read_csv(path) for path in (tmp_path / "all.csv", *paths))
    keys = ["epoch", "fold", "seed", "term"]
    for fold, number in enumerate((0, 1, 0)):
        own, expected = (table[table.fold == fold].set_index(keys).sort_index() for table in (merged, tried[number]))
        pd.testing.assert_frame_equal(own, expected)
    assert len(merged) == len(tried[0]) and not merged.equals(tried[0])


def nothing(cell) -> tuple[dict, None]:
    """Targets of a teacher that says nothing much."""
    shape = len(cell.replicas), len(cell.table.clip_id)
    z = torch.randn(*shape, 32, generator=torch.Generator().manual_seed(0))
    said = {"z": z, "prediction": z[..., :3], "tokens": z[:, :, None].repeat(1, 1, 2, 1)}
    return said | {"seen": torch.ones(*shape, 2, dtype=torch.bool)}, None
