"""Figures: what they draw, that nothing overlaps, and that bad input is told in words."""

from itertools import combinations

import made_results as made
import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.image import imread
from matplotlib.text import Text

from benchmark.report import (
    calibration,
    curves,
    evidence,
    failures,
    forest,
    gallery,
    growth,
    hallucination,
    page,
    ranks,
    spread,
    structure,
    style,
)

FIGURES = {
    "forest", "visible", "heatmap", "missing", "ranks", "subjects", "reliability", "similarity", "transport",
    "hallucination", "training",
}  # fmt: skip


def gathered(tmp_path, records) -> evidence.Evidence:
    made.write(tmp_path, records)
    folders = (tmp_path / name for name in ("predictions", "embeddings", "models"))
    return evidence.gather("made_up", records, *folders)


@pytest.fixture(scope="module")
def shown(tmp_path_factory) -> dict[str, style.Drawn]:
    found = gathered(tmp_path_factory.mktemp("results"), made.suite())
    return {drawn.name: drawn for drawn in gallery.of_task(found, made.RANKS)}


@pytest.fixture(scope="module", params=sorted(FIGURES))
def drawn(request, shown) -> style.Drawn:
    return shown[request.param]


def texts(figure, monkeypatch) -> list:
    """(words, box in pixels) of every text that is drawn."""
    found, draw = [], Text.draw

    def noted(text, renderer):
        draw(text, renderer)
        if text.get_visible() and text.get_text().strip():
            found.append((text.get_text(), text.get_window_extent(renderer)))

    monkeypatch.setattr(Text, "draw", noted)
    FigureCanvasAgg(figure).draw()
    return found


def test_every_figure_is_drawn_with_its_words(drawn):
    assert drawn.figure is not None, drawn.reason
    assert drawn.figure.get_suptitle().startswith("SYNTHETIC recordings: made_up")
    assert len(drawn.reading) > 60 and "nan" not in drawn.reading


def test_no_text_of_a_figure_overlaps_another_or_is_cut_off(drawn, monkeypatch):
    found = texts(drawn.figure, monkeypatch)
    assert len(found) > 3
    for (one, a), (other, b) in combinations(found, 2):
        apart = a.x1 <= b.x0 + 1 or b.x1 <= a.x0 + 1 or a.y1 <= b.y0 + 1 or b.y1 <= a.y0 + 1
        assert apart or rotated(one, other), f"{one!r} overlaps {other!r}"
    whole = drawn.figure.bbox
    assert all(b.x0 >= -1 and b.y0 >= -1 and b.x1 <= whole.x1 + 1 and b.y1 <= whole.y1 + 1 for _, b in found)


def rotated(one: str, other: str) -> bool:
    """Names over the columns of the heat map slant: their boxes overlap, their letters do not."""
    return {one, other} <= set(made.METHODS)


@pytest.mark.parametrize("draw", [
    lambda: forest.draw(made.suite()),
    lambda: curves.training(made.suite(), {"kd": made.curves()}),
    lambda: structure.similarity(made.suite(), made.embeddings()),
], ids=["forest", "training", "similarity"])  # fmt: skip
def test_equal_results_give_equal_files(draw, tmp_path):
    one, two = (style.save(draw().figure, tmp_path / name, "drawn") for name in ("one", "two"))
    assert one == two and one.png.startswith(b"\x89PNG") and b"<svg" in one.svg
    assert one.png == (tmp_path / "one" / "drawn.png").read_bytes()
    assert one.svg == (tmp_path / "two" / "drawn.svg").read_bytes()
    assert np.ptp(imread(tmp_path / "one" / "drawn.png")) > 0.5


def test_series_are_told_apart_without_colour():
    looks = [style.line(number) for number in range(7)]
    assert len({(look["marker"], str(look["linestyle"])) for look in looks}) == 7


def nothing_scored(found):
    return found._replace(records=[made.unscored(r["method"], "diverged", "no seed is left") for r in found.records])


def unread(found):
    names = [record["method"] for record in found.records]
    return found._replace(
        predictions={}, unread=dict.fromkeys(names, "x.parquet is missing"), embeddings="x is missing"
    )


def one_rate(found):
    kept = [
        r | {"conditions": {n: e for n, e in r["conditions"].items() if e["protocol"] == "subset"}}
        for r in found.records
    ]
    return found._replace(records=kept)


def undefined(found):
    """Zero variance: every score and every difference is undefined."""
    blank = made.score(None, "undefined: truth or prediction has no spread")
    kept = []
    for own in found.records:
        cells = {n: e | ({"scores": {"kappa": blank}} if "scores" in e else {}) for n, e in own["conditions"].items()}
        more = {"difference": own["difference"] | blank | {"p": None, "p_holm": None}} if "difference" in own else {}
        kept.append(own | {"conditions": cells} | more)
    return found._replace(records=kept)


def one_subject(found):
    """No intervals and no tests; all predictions are of one person."""
    few = {
        "low": None,
        "high": None,
        "p": None,
        "p_holm": None,
        "reason": "no test from 1 subjects",
        "wide": None,
        "rope": None,
    }
    kept = [own | {"difference": own["difference"] | few} if "difference" in own else own for own in found.records]
    return found._replace(
        records=kept, predictions={name: made.predictions(1, subjects=1) for name in found.predictions}
    )


@pytest.mark.parametrize("spoil, lost", [
    (nothing_scored, FIGURES - {"ranks", "training"}),
    (unread, {"subjects", "reliability", "similarity", "transport", "hallucination"}),
    (one_rate, {"missing"}),
    (undefined, {"forest", "visible", "heatmap", "missing"}),
    (one_subject, set()),
])  # fmt: skip
def test_what_cannot_be_drawn_has_a_reason(spoil, lost, tmp_path):
    found = spoil(gathered(tmp_path, made.suite()))
    drawn = {own.name: own for own in gallery.of_task(found, made.RANKS)}
    assert {name for name, own in drawn.items() if own.figure is None} == lost
    assert all(own.reason for own in drawn.values() if own.figure is None)
    for own in drawn.values():
        if own.figure:
            own.figure.draw_without_rendering()


def test_predictions_of_other_clips_are_refused(tmp_path):
    records = made.suite()
    made.write(tmp_path, records)
    kept = made.predictions().query("clip_id != 's0_00'")
    kept.to_parquet(tmp_path / "predictions" / "made_up" / "kd.parquet", index=False)
    (tmp_path / "predictions" / "made_up" / "kdot.parquet").write_bytes(b"half a file")
    (tmp_path / "predictions" / "made_up" / "teacher.parquet").unlink()
    found = evidence.gather("made_up", records, *(tmp_path / name for name in ("predictions", "embeddings", "models")))
    assert f"is of {made.CLIPS - 1} clips that are not the {made.CLIPS} of its record" in found.unread["kd"]
    rows = [[cell.text for cell in row] for row in failures.table(records, {"made_up": found.unread}).rows]
    assert ["made_up", "kd", "predictions", found.unread["kd"]] in rows
    assert "cannot be read" in found.unread["kdot"] and "is missing" in found.unread["teacher"]
    assert set(found.predictions) == {"prevalent_only", "availability"}


def test_predictions_of_as_many_other_clips_are_refused_and_half_a_curve_is_none(tmp_path):
    records = made.suite()
    made.write(tmp_path, records)
    other = made.predictions().replace({"clip_id": {"s0_00": "stranger"}})
    other.to_parquet(tmp_path / "predictions" / "made_up" / "kd.parquet", index=False)
    (tmp_path / "models" / "made_up" / "kd" / "curves.csv").write_text("epoch,fo")
    (tmp_path / "models" / "made_up" / "kdot" / "curves.csv").write_text("")
    found = evidence.gather("made_up", records, *(tmp_path / name for name in ("predictions", "embeddings", "models")))
    assert "kd.parquet is of" in found.unread["kd"] and "kd" not in found.predictions
    assert not {"kd", "kdot"} & set(found.curves) and "teacher" in found.curves
    assert "No curves: kd, kdot" in curves.training(records, found.curves).reading


def test_embeddings_of_other_clips_are_refused(tmp_path):
    path = tmp_path / "made_up.npz"
    assert "is missing" in evidence.embedded(path, frozenset())
    np.savez(path, **made.embeddings())
    whole = path.read_bytes()
    for part in (b"", b"half a file", whole[: len(whole) // 2]):
        path.write_bytes(part)
        assert "cannot be read" in evidence.embedded(path, frozenset())
    path.write_bytes(whole)
    assert "of 48 embedded clips, such as s1_01, have no predictions" in evidence.embedded(path, frozenset({"s0_00"}))
    assert set(evidence.embedded(path, frozenset(made.clip_names()))) == set(made.embeddings())


def test_reliability_of_known_predictions():
    rows = pd.DataFrame({"truth": [0, 0, 1, 1], "prediction": [0, 0, 0, 1], "p0": [0.95, 0.95, 0.95, 0.25], "p1": 0.05})
    rows.loc[3, "p1"] = 0.75
    table, error = calibration.reliability(rows)
    assert table["count"].tolist() == [1, 3] and table.correct.tolist() == pytest.approx([1, 2 / 3])
    assert error == pytest.approx((0.25 + 3 * (0.95 - 2 / 3)) / 4)


def test_subjects_have_a_score_in_units_of_the_target():
    rows = pd.DataFrame({"subject_id": ["a", "a", "b"], "truth": [0, 2, 1], "prediction": [0, 1, 3]})
    assert spread.per_subject(rows, "ordinal").to_dict() == {"a": -0.5, "b": -2.0}
    assert spread.per_subject(rows, "classification").to_dict() == {"a": 0.5, "b": 0.0}


def test_correlations_by_feature_and_none_of_a_constant_one():
    real = np.arange(12.0).reshape(4, 3)
    guess = np.stack([real[:, 0], -real[:, 1], np.ones(4)], axis=1)
    found = hallucination.correlations(real, guess)
    assert found[:2] == pytest.approx([1, -1]) and np.isnan(found[2])


def test_constant_features_are_counted_below_the_figure(shown):
    assert "being constant: 1 features of random" in shown["hallucination"].reading


def test_a_matrix_shrinks_to_means_of_neighbours():
    found = structure.shrunk(np.arange(25.0).reshape(5, 5), most=3)
    assert found.tolist() == [[3, 5, 6.5], [13, 15, 16.5], [20.5, 22.5, 24]]


def test_a_plan_moves_all_mass_and_clips_of_equal_structure_stay():
    z = np.random.default_rng(0).normal(size=(40, 6))
    plan = structure.plan_between(z, z)
    assert plan.sum(0) == pytest.approx(np.full(40, 1 / 40), abs=1e-4)
    assert np.trace(plan) > 0.9


def test_curves_start_where_nothing_more_is_hidden():
    own = made.record("teacher", 0.7)
    starts = {name: curves.missing_curve(own, name)[0] for name in curves.PROTOCOLS}
    assert starts["random"][0] == 0 and starts["random"][1]["value"] == pytest.approx(0.8)
    assert starts["wild"][1]["value"] == 0.7
    assert [rate for rate, _ in curves.missing_curve(own, "random")] == [0, 0.1, 0.3, 0.5]


def test_models_without_scores_are_named_below_the_figures(shown):
    for name in ("forest", "heatmap", "missing"):
        assert "clean_labels (not run), rand_tnet (unreadable) and kdot_k10 (diverged" in shown[name].reading


def test_ranks_that_cannot_be_read_have_a_reason(tmp_path):
    assert "is missing" in evidence.ranking(tmp_path / "made_up.json")["reason"]
    (tmp_path / "made_up.json").write_text('{"methods": [')
    found = evidence.ranking(tmp_path / "made_up.json")
    assert "not a whole file" in ranks.draw(found, "made_up").reason
    two = made.RANKS | {
        "methods": made.RANKS["methods"][:2],
        "friedman": None,
        "critical_difference": None,
        "cliques": [],
    }
    drawn = ranks.draw(two | {"reason": "two methods: a paired test compares them"}, "made_up")
    assert drawn.figure and drawn.reading.endswith("left out. Two methods: a paired test compares them.")


def measured(path) -> None:
    """Growth as `make bench` writes it."""
    points = [("clips", count, x) for count in (1, 15) for x in (1000, 10_000, 100_000)]
    points += [("batch", 1, x) for x in (32, 64, 128, 256, 512, 1024, 2048)]
    points += [("replicas", x, x) for x in (1, 2, 5, 10, 15, 30)]
    rows = [
        (quantity, against, method, count, x, 0.5 + x / 1000 + 300 * (quantity == "memory_mb"))
        for quantity in ("load_s", "train_s", "memory_mb")
        for method in ("prevalent_only", "kdot")
        for against, count, x in points
    ]
    columns = ["quantity", "against", "method", "replicas", "x", "y"]
    pd.DataFrame(rows, columns=columns).to_csv(path, index=False)


def test_growth_is_drawn_where_it_was_measured_and_stands_on_the_page(tmp_path, monkeypatch):
    assert growth.draw(tmp_path / "growth.csv") is None
    measured(tmp_path / "growth.csv")
    drawn = growth.draw(tmp_path / "growth.csv")
    panels = [axes for axes in drawn.figure.axes if axes.axison]
    assert len(panels) == 9 and all(axes.get_xscale() == axes.get_yscale() == "log" for axes in panels)
    assert [len(axes.lines) for axes in panels[:3]] == [5, 3, 3]  # methods, by replicas, and what is linear
    found = texts(drawn.figure, monkeypatch)
    for (one, a), (other, b) in combinations(found, 2):
        apart = a.x1 <= b.x0 + 1 or b.x1 <= a.x0 + 1 or a.y1 <= b.y0 + 1 or b.y1 <= a.y0 + 1
        assert apart or rotated(one, other), f"{one!r} overlaps {other!r}"
    shown = page.figure(drawn._replace(figure=None), style.save(drawn.figure, tmp_path, "bench-growth"))
    told = page.html(made.suite(), {}, [], [], {}, shown)
    assert 'id="bench-growth"' in told and '<a href="#growth">' in told
    assert 'id="growth"' not in page.html(made.suite(), {}, [], [], {})


def test_growth_of_some_axes_alone_is_drawn(tmp_path):
    measured(tmp_path / "growth.csv")
    rows = pd.read_csv(tmp_path / "growth.csv")
    rows[rows.against == "clips"].to_csv(tmp_path / "growth.csv", index=False)
    assert sum(axes.axison for axes in growth.draw(tmp_path / "growth.csv").figure.axes) == 3
