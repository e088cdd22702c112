"""Validation: known outcomes come back, and a verdict would change if they did not."""

import json

import numpy as np
import pytest
import torch

from benchmark import ot
from benchmark.params import Evaluation, Method, Training
from benchmark.validation import bootstraps, crowds, page, simulations, statistics, transport, views

CPU = torch.device("cpu")
QUICK = Training(seeds=[0], encoder="temporal", batch=64, epochs=4, steps=8, rate=0.005, decay=0.01)


def outside(rows: list[dict]) -> set[str]:
    return {row["check"] for row in rows if row["verdict"] == "outside"}


def test_what_was_published_stands_as_it_was_printed():
    """arXiv 1511.03643, numerical simulations: teacher, regular, distilled; the last one is printed as 0.56."""
    printed = [
        " / ".join("{}±{}".format(*simulation.published[model]) for model in simulations.MODELS)
        for simulation in simulations.SIMULATIONS.values()
    ]
    assert printed == ["96±0 / 88±1 / 95±1", "90±1 / 68±1 / 70±1", "98±0 / 89±1 / 97±1", "96±2 / 55±3 / 56±4"]


def test_distillation_hands_clean_labels_on_and_clean_features_not():
    gains = {}
    for name in ("1 clean labels", "2 clean features"):
        scores = simulations.accuracies(name, repetitions=10)
        assert (scores["teacher"] > scores["regular"]).all()
        gains[name] = scores["distilled"] - scores["regular"]
    assert (gains["1 clean labels"] > 0).all() and gains["1 clean labels"].mean() > 4
    assert abs(gains["2 clean features"].mean()) < 1.5


def test_a_repetition_is_the_same_among_few_or_many():
    few, many = (simulations.drawn("4 features by clip", repetitions)[0] for repetitions in (2, 3))
    assert torch.equal(few.x, many.x[:2]) and torch.equal(few.label, many.label[:2])
    assert not torch.equal(many.x[1], many.x[2])


@pytest.mark.parametrize("name", simulations.SIMULATIONS)
def test_simulated_clips_are_standardised_with_their_training_part(name):
    train, test = simulations.drawn(name, 2)
    assert train.x.shape == (2, 200, 51) and test.x.shape == (2, 1000, 51)
    assert train.x[..., :-1].mean(1).abs().max() < 1e-5 < test.x[..., :-1].mean(1).abs().max()
    assert (train.x[..., -1] == 1).all() and 0.3 < train.label.double().mean() < 0.7


def test_privileged_features_are_those_of_the_generators():
    rng, alpha = np.random.default_rng(0), np.arange(50.0)
    relevant = simulations.relevant_features(rng, alpha, 5)
    assert (relevant.privileged == relevant.x[:, :3]).all()
    by_clip = simulations.features_by_clip(rng, alpha, 5)
    assert (by_clip.privileged == -np.sort(-by_clip.x)[:, :3]).all() and by_clip.label.sum() == 2


def test_a_verdict_is_computed():
    simulation = simulations.SIMULATIONS["1 clean labels"]
    scores = {"teacher": np.full(4, 96.0), "regular": np.full(4, 88.0), "distilled": np.array([94.0, 95, 95, 96])}
    good = simulations.found("1 clean labels", simulation, scores)
    assert good["verdict"] == "inside" and good["wins"] == "4 of 4" and good["gain"]["mean"] == 7
    poor = simulations.found("1 clean labels", simulation, scores | {"regular": np.full(4, 95.0)})
    assert poor["verdict"] == "outside" and poor["wins"] == "1 of 4"


def test_transport_is_what_is_known_of_it():
    section = transport.section()
    assert len(section.rows) > 30 and not outside(section.rows)
    assert "36 of 36 inside" in page.markdown({"transport": section})
    json.dumps(page.content({"transport": section}), allow_nan=False)


def test_a_wrong_regulariser_is_noticed(monkeypatch):
    right = ot.schedule
    monkeypatch.setattr(ot, "schedule", lambda epsilon, *rest: right(1.1 * epsilon, *rest))
    assert {"two points: plan .5 / (1 + 1/e)", "two points: value log(4 P11)"} <= outside(transport.closed_forms())
    assert len(outside(transport.peers())) == 7 and outside(transport.gaussians(200))


def test_other_anchors_biased_transport_and_steps_for_other_kernels_are_noticed(monkeypatch):
    with monkeypatch.context() as patch:
        right = ot.choose_anchors
        patch.setattr(ot, "choose_anchors", lambda structure, k, rule: right(structure, k, "similar"))
        assert outside(transport.peers()) == {"NumPy and POT: the loss as trained, float32"}
    with monkeypatch.context() as patch:
        right_one = ot.divergence
        patch.setattr(ot, "divergence", lambda *given, **ways: right_one(*given, **ways, debias=False))
        assert "debiased: S(x, x)" in outside(transport.properties())
    with monkeypatch.context() as patch:
        patch.setattr(ot, "structure_loss", lambda teacher, student, **ways: student.sum() * float("nan"))
        broken = transport.degenerate()
        assert len(outside(broken)) == 5 and json.dumps(broken, allow_nan=False)
    monkeypatch.setattr(ot, "balance", ot.average)
    assert "one dimension: sorted, epsilon .01" in outside(transport.closed_forms())


def test_statistics_become_a_page_whatever_the_draws():
    section = statistics.section(100)
    text = json.dumps(page.content({"statistics": section}), allow_nan=False)
    assert len({tuple(row) for row in section.rows}) == 1 and "permutation, 16 subjects" in text
    assert {row["verdict"] for row in section.rows if "interval: CCC, 16" in row["check"]} == {None}
    assert "Nadeau-Bengio" in page.markdown({"statistics": section})


def test_intervals_that_are_too_narrow_are_noticed(monkeypatch):
    monkeypatch.setattr(statistics, "SUBJECTS", (23,))
    monkeypatch.setattr(statistics, "CROWDS", {"kappa": statistics.CROWDS["kappa"]})
    rows = statistics.covered(10_000)
    assert len(rows) == 2 and not outside(rows)
    right = statistics.limits

    def narrow(value, spreads, confidence):
        return right(value, [own._replace(variance=0.7 * own.variance) for own in spreads], confidence)

    monkeypatch.setattr(statistics, "limits", narrow)
    assert outside(statistics.covered(2000)) == {
        "interval: kappa, 23 subjects",
        "interval: difference of kappa, 23 subjects",
    }


def test_tests_that_find_too_much_are_noticed(monkeypatch):
    assert not outside(statistics.folds(1000)) and not outside([row_of_paired(1000)])
    paired, corrected = statistics.paired, statistics.nadeau_bengio
    monkeypatch.setattr(statistics, "paired", lambda *given: (own := paired(*given))._replace(p=own.p / 2))
    monkeypatch.setattr(statistics, "nadeau_bengio", lambda apart, train, test: corrected(apart, train, 1))
    assert outside([row_of_paired(1000)]) and outside(statistics.folds(1000))


def row_of_paired(draws: int) -> dict:
    """What false_positives says of equal models and ten subjects."""
    people = crowds.graded(np.random.default_rng(0), 2000, 1)
    people = np.concatenate([people, people[::-1]], axis=1)
    p = statistics.tested(people, "kappa", "ordinal", draws, 10)
    return statistics.judged(statistics.row("paired", 10, draws, (p <= 0.05).mean()), *statistics.FALSE)


def test_bootstraps_over_subjects_and_seeds_draw_both():
    """Seeds that differ by 1 and subjects that hardly do: the ends are those of drawing the two seeds."""
    values = np.random.default_rng(0).uniform(size=(1, 30, 2, 1, 1)) * 1e-3 + np.array([0, 1.0])[:, None, None]
    low, high = bootstraps.pigeonhole(
        lambda s: s[0][..., 0, 0].mean(-1) / 30, list(values), 400, 0.9, np.random.default_rng(1)
    )
    assert (low, high) == pytest.approx((0, 1), abs=2e-3)


def test_any_rows_become_a_table():
    rows = [
        {
            "loss": "kd",
            "score": {"mean": 0.25, "deviation": 1.0},
            "difference": {"value": 0.1, "low": 0.0, "high": 0.2},
        },
        {"loss": "kdot", "score": {"mean": 96, "deviation": None}, "difference": None},
    ]
    text = page.markdown({"losses": page.Section("Losses", "What they do.", rows)})
    assert "## Losses\n\nWhat they do.\n\n| loss | score | difference |\n|---|---|---|\n" in text
    assert "| kd | 0.2 ± 1.0 | +0.100 [+0.000, +0.200] |\n| kdot | 96 |  |\n" in text
    judged = [{"check": "a", "verdict": "inside"}, {"check": "b", "verdict": "outside"}]
    assert "**1 of 2 inside; outside: b.**" in page.markdown({"checks": page.Section("Checks", "Two.", judged)})


@pytest.mark.parametrize("name", views.VIEWS)
def test_views_are_divided_once_for_every_fold(name):
    cell = views.build(name, QUICK, CPU)
    part, whole = (cell.table.x[view] for view in ("part", "whole"))
    assert torch.equal(part, whole[:, views.VIEWS[name].prevalent]) and part.shape[1] < whole.shape[1]
    assert sorted(np.concatenate(cell.test)) == list(range(len(part)))
    for roles in zip(cell.train, cell.validation, cell.test, strict=True):
        assert len(set(np.concatenate(roles))) == sum(map(len, roles))
    assert name != "digits_few" or [len(rows) for rows in cell.train] == [300] * 5


def test_students_of_views_never_see_the_privileged_one():
    cell = views.build("breast_cancer", QUICK, CPU)
    methods = {"prevalent_only": Method(), "kd": Method(terms={"kd": {}})}
    found = views.networks(cell, methods)
    assert found["teacher"][0].inputs == ("part", "whole") and found["kd"][0].inputs == ("part",)
    cell.table.x["whole"].fill_(float("nan"))
    blind = views.networks(cell, {"prevalent_only": Method()})["prevalent_only"]
    for one, other in zip(found["prevalent_only"], blind, strict=True):
        for name, weights in one.state_dict().items():
            assert torch.equal(weights, other.state_dict()[name])


def test_views_take_every_tnet_and_pass_over_what_two_classes_do_not_allow(capsys):
    cell = views.build("breast_cancer", QUICK, CPU)
    methods = {variant: Method(terms={"kdot": {}}, tnet=variant) for variant in ("random", "mmd", "cosine", "own")}
    found = views.networks(cell, methods | {"dkd": Method(terms={"dkd": {}})})
    assert list(found) == ["teacher", *methods] and "dkd is not run: " in capsys.readouterr().out


def test_views_are_scored_and_read_from_the_numbers():
    cell = views.build("breast_cancer", QUICK, CPU)
    methods = {"prevalent_only": Method(), "pknot": Method(terms={"kdot": {}}, tnet="mse")}
    rows = views.compared(cell, methods, Evaluation(resamples=100, confidence=0.95, rope=0.01))
    assert [row["model"] for row in rows] == ["teacher", "prevalent_only", "pknot"]
    assert all(0.7 < row["balanced_accuracy"]["value"] < 1 for row in rows)
    assert rows[1]["difference"] is None and rows[2]["difference"]["low"] <= rows[2]["difference"]["high"]
    above = [rows[0], rows[1], rows[2] | {"difference": {"value": 0.02, "low": 0.01, "high": 0.03}}]
    assert "above `prevalent_only`: pknot; below it: none; not told from it: none." in views.reading(above)
