"""Leaderboard, tables, words and page, from records alone."""

import json
import re

import made_results as made
import pytest

from benchmark.report import (
    board,
    combination,
    failures,
    formats,
    leaderboard,
    page,
    provenance,
    style,
    summary,
    tables,
)
from benchmark.report.tables import Cell, Table


@pytest.fixture
def records():
    return made.suite()


def named(records, method) -> dict:
    return next(own for own in records if own["method"] == method)


def row(records, method, table="headline") -> list[str]:
    found = next(own for own in tables.of_task(records) if own.name == table)
    return next([cell.text for cell in cells] for cells in found.rows if cells[0].text.split(" (")[0] == method)


def test_synthetic_results_say_so_everywhere(records):
    assert "## SYNTHETIC recordings: made_up" in board.markdown(records)
    assert set(leaderboard.rows(records).provenance) == {"synthetic"}
    assert board.caption_across(records).startswith("SYNTHETIC")
    real = [own | {"provenance": "real"} for own in records]
    assert "SYNTHETIC" not in board.markdown(real) + board.caption_across(real) + page.html(real, {}, [], [], {})
    assert "SYNTHETIC recordings in made_up" in page.html(records, {}, [], [], {})


def test_a_leaky_split_says_so(records):
    leaks = [own | {"definition": made.DEFINITION | {"split": {"rule": "clip_folds_leaky"}}} for own in records]
    assert "LEAKY split" in board.markdown(leaks) and "LEAKY" not in board.markdown(records)


def test_controls_and_what_was_left_out_are_told(records):
    text = board.markdown(records)
    assert "vision 80% (chance 2.0%), biosignal not known, too few clips" in text
    assert "worth a look: 2 remarks on recordings without a usable label" in text


def test_the_table_shows_scores_differences_and_reasons(records):
    text = board.markdown(records)
    assert "| kd | 0.500 [0.400, 0.600] | +0.100 [+0.000, +0.200], p .030 | undefined | 0.600 |" in text
    assert "| clean_labels | not run: labels: clean needs synthetic recordings |" in text
    assert "gap recovered of kd, kdot: undefined: the teacher does not beat prevalent_only." in text
    assert "nothing to see" in text and "nan" not in text.lower()


def test_geometry_and_raw_scales_of_loss_terms_are_shown(records):
    text = board.markdown(records)
    assert "mass on true pairs (chance 0.008)" in text and "| prevalent_only | 0.600 | 0.300 | 0.021 |  | 1 |" in text
    assert "| kd | 0.600 | 0.300 | 0.021 | kd 0.9 x 0.41 to 0.02 | 1 |" in text


def test_missing_rates_are_columns_and_unseen_clips_are_told(records):
    found = next(own for own in tables.of_task(records) if own.name == "missing")
    assert found.head[1:] == ["random_10", "random_30", "random_50", "wild_10", "wild_30", "wild_50", "gap_vision_30"]
    assert row(records, "kd", "missing")[1:4] == ["0.467", "0.400", "0.333"]
    assert "random_50 75%" in found.note


def test_differences_name_their_test_and_their_region_of_equivalence(records):
    found = row(records, "kd", "differences")
    assert found[2:7] == ["[-0.100, +0.300]", "+0.40", ".030", ".060", "paired permutation"]
    assert found[7:] == [".040", ".200", "10%", "30%", "60%"]
    named(records, "kd")["difference"] |= {"wide": None, "rope": None, "effect": None, "test": None, "p": None}
    assert row(records, "kd", "differences")[2:5] == ["no interval", "none", "none"]


def test_replicas_that_diverged_are_counted_and_seeds_left_out_are_named(records):
    kd = named(records, "kd")
    kd["replicas"][1] |= {"status": "diverged", "diverged": 2}
    assert "| kd (1 of 4 diverged) | 0.500" in board.markdown(records)
    kd["left_out"] = [{"seed": 1, "reason": "fold 0 diverged at epoch 2"}]
    assert "| kd (1 of 2 seeds left out: diverged) | 0.500" in board.markdown(records)
    kd["replicas"][0] |= {"status": "diverged", "diverged": 2}
    assert "| kd (1 of 2 seeds left out: diverged; 1 of 4 diverged) | 0.500" in board.markdown(records)
    kd["left_out"] = [{"seed": 1, "reason": "fold 0 has no validation score"}]
    assert "| kd (1 of 2 seeds left out: no validation score; 1 of 4 diverged)" in board.markdown(records)


def test_without_a_comparison_the_cells_are_empty(records):
    for name in ("difference", "gap_recovered"):
        del named(records, "kd")[name]
    assert row(records, "kd")[1:4] == ["0.500 [0.400, 0.600]", "", ""]


def test_the_baseline_is_not_compared_with_itself(records):
    assert row(records, "prevalent_only")[2:4] == ["", ""]


def cell(records, **found) -> str:
    """What the table says of the difference of kd, where that is so."""
    named(records, "kd")["difference"] |= found
    line = next(line for line in board.markdown(records).splitlines() if line.startswith("| kd |"))
    return line.split(" | ")[2]


def test_a_difference_is_bold_where_interval_and_corrected_test_support_it(records):
    apart = {"value": 0.1, "low": 0.05, "high": 0.15, "p": 0.002, "p_holm": 0.02}
    assert cell(records, **apart) == "**+0.100 [+0.050, +0.150], p .002**"
    assert cell(records, value=-0.1, low=-0.15, high=-0.05, direction=-1) == "**-0.100 [-0.150, -0.050], p .002**"
    assert "**" not in cell(records, direction=1), "the test says the other side"
    assert cell(records, **apart | {"p_holm": 0.051}) == "+0.100 [+0.050, +0.150], p .002"
    assert cell(records, **apart | {"low": -0.001}) == "+0.100 [-0.001, +0.150], p .002"
    assert cell(records, **apart | {"low": None, "high": None}) == "+0.100, p .002"
    named(records, "kd")["evaluation"] = {"confidence": 0.99}
    assert "**" not in cell(records, **apart)
    assert cell(records, p=1 / 2001) == "+0.100 [+0.050, +0.150], p < .001" and cell(records, p=1.0).endswith("p 1.000")


def test_without_p_nothing_is_bold_and_the_table_is_whole(records):
    assert cell(records, low=0.05, p=None, p_holm=None) == "+0.100 [+0.050, +0.200]"
    assert cell(records, value=None, low=None, high=None, reason="no spread") == "undefined"


def test_every_row_has_a_value_or_a_reason(records):
    rows = leaderboard.rows(records)
    assert (rows.value.notna() | rows.reason.notna()).all()
    assert rows[rows.method == "clean_labels"].reason.tolist() == ["labels: clean needs synthetic recordings"]
    assert set(rows.protocol.dropna()) == {"subset", "random", "wild", "gap"}
    assert (
        rows[rows.condition == "wild_50"].rate.eq(0.5).all()
        and rows[rows.condition == "wild_50"].answered.eq(0.75).all()
    )


def test_p_values_stand_in_the_rows_of_differences_alone(records):
    rows = leaderboard.rows(records)
    assert set(rows[rows.p.notna()].metric) == {"difference"} and rows.p.count() == 5
    own = rows[(rows.metric == "difference") & (rows.method == "kd")].iloc[0]
    assert (own.p_holm, own.test, own.wide_low, own.better) == pytest.approx((0.06, own.test, -0.1, 0.6))


def test_headline_scores_are_those_of_the_table(records):
    found = leaderboard.headline_scores(records)
    assert found == {"teacher": pytest.approx(0.8), "prevalent_only": 0.4, "kd": 0.5, "kdot": 0.45, "availability": 0.0}


def test_words_name_who_is_told_apart_and_who_is_not(records):
    said = " ".join(summary.of_task(records))
    assert "None of the 2 models compared is told from prevalent_only after correction" in said
    assert "run from +0.050 to +0.100, which may be chance" in said
    named(records, "kd")["difference"] |= {"low": 0.05, "p_holm": 0.01}
    said = " ".join(summary.of_task(records))
    assert "Told from prevalent_only and above it: kd (+0.100 [+0.050, +0.200], p .010 corrected)." in said
    assert "The other 1 models compared are not told" in said
    assert summary.overview({"made_up": records})[2].endswith("after correction: kd (made_up).")


def test_words_on_teacher_missing_rates_controls_and_losses(records):
    records.append(made.record("teacher_permuted", 0.42))
    said = " ".join(summary.of_task(records))
    assert "0.800 [0.700, 0.900], prevalent_only 0.400 [0.300, 0.500]: +0.300 [+0.200, +0.400], paired." in said
    assert "With 50% of the prevalent modalities hidden at random, prevalent_only goes from 0.400 to 0.150" in said
    assert (
        "The control teacher_permuted, whose teacher's outputs were shuffled" in said and "is not told from it" in said
    )
    assert "Not run: clean_labels (labels: clean needs synthetic recordings)." in said
    assert "Unreadable: rand_tnet (rand_tnet.json is not a whole record; run `dvc repro`)." in said


def test_words_where_there_is_little_to_say(records):
    few = [made.unscored(own["method"], "diverged", "no seed is left") for own in records]
    assert summary.of_task(few)[0] == "No model of this task has a score."
    without = [own for own in records if own["method"] not in ("prevalent_only", "teacher")]
    said = " ".join(summary.of_task(without))
    assert "no scored prevalent_only" in said and "lead is not known" in said
    low = {"low": None, "high": None, "p": None, "p_holm": None, "reason": "no test from 1 subjects"}
    for own in records:
        own.get("difference", {}).update(low)
    assert "Without a test: kd and kdot (no test from 1 subjects)." in summary.of_task(records)


def test_failures_are_listed_with_their_reasons(records):
    named(records, "kd")["left_out"] = [{"seed": 1, "reason": "fold 0 diverged at epoch 2"}]
    rows = [tuple(cell.text for cell in cells) for cells in failures.table(records, {}).rows]
    assert ("made_up", "rand_tnet", "unreadable", "rand_tnet.json is not a whole record; run `dvc repro`") in rows
    assert ("made_up", "kd", "seed 1 left out", "fold 0 diverged at epoch 2") in rows
    blind = "prevalent_only, kd, kdot, availability"
    assert ("made_up", blind, "no score under biosignal", "shows this model nothing that it can use") in rows
    assert ("made_up", "all", "3 of 48 clips", "biosignal is absent") in rows


def test_provenance_names_choices_versions_and_a_digest_that_follows_them(records):
    text = " ".join(cell.text for cell in provenance.table(records).rows[0])
    for part in ("SYNTHETIC", "rule subject_folds, folds 2", "0, 1", "epochs 4", "resamples 200", "biosignal 94%"):
        assert part in text
    named(records, "kd")["versions"] = {"torch": "2.14.0"}
    assert provenance.versions(records)["torch"] == "2.13.0 and 2.14.0"
    before = provenance.digest(records)
    named(records, "kd")["training"] = {"seeds": [0]}
    assert provenance.digest(records) != before == provenance.digest(made.suite())


def test_latex_is_escaped_and_keeps_bold_and_reasons():
    rows = [
        [Cell("kd_soft"), Cell("50 % & 3", strong=True), Cell("p < .001")],
        [Cell("x"), Cell("not run: #1", why="#1"), Cell("")],
    ]
    text = formats.latex(Table("t", "T", ["a_b", "c", "d"], rows), "T_1")
    assert r"kd\_soft & \textbf{50 \% \& 3} & p $<$ .001 \\" in text
    assert r"x & \multicolumn{2}{l}{not run: \#1} \\" in text and r"\caption{T\_1}" in text
    assert text.count("{") == text.count("}")


def test_csv_gives_the_reason_of_an_empty_cell(records):
    found = next(own for own in tables.of_task(records) if own.name == "headline")
    assert "undefined: the teacher does not beat prevalent_only" in formats.comma_separated(found).splitlines()[3]


def test_the_page_needs_nothing_else_and_hides_nothing(records):
    drawn = style.Drawn("forest", "Differences", reason="no <b>model</b> could be compared")
    told = [{"method": "kd", "z": 1.2, "p": 0.2, "p_holm": 0.4, "tasks": ["made_up"], "reason": None}]
    text = page.html(records, {"made_up": [page.figure(drawn, None)]}, told, [], {})
    assert not re.search(r"""(src|href)=["'](?!data:|#)""", text) and "<script" not in text and "url(" not in text
    assert "Not drawn: no &lt;b&gt;model&lt;/b&gt; could be compared." in text
    for own in records:
        if own["status"] != "ok":
            assert f"{own['status']}: {own['reason']}"[:40] in text
    assert (
        "2.13.0" in text and "dvc repro" in text and "+1.20" in text and not re.search(r"\bnan\b|\bNone\b(?! of)", text)
    )


def test_the_page_copes_without_any_score_and_without_comparisons(records):
    few = [made.unscored(own["method"], "diverged", "no seed is left") for own in records]
    text = page.html(few, {}, combination.all_tasks(few)["combined"], [], {})
    assert "No model could be compared" in text and "No model of this task has a score." in text
    one = page.html(records, {}, combination.all_tasks(records)["combined"], [], {})
    assert "none: nothing to combine: tested on 1 data set" in one


def test_all_tasks_together(records):
    other = [own | {"dataset": "recola"} for own in made.suite("other")]
    found = combination.all_tasks([*records, *other])
    kd, kdot = found["combined"]
    assert kd["z"] > 2 and kd["tasks"] == ["made_up", "other"] and kdot["reason"] is None
    assert [entry["method"] for entry in found["ranks"]["methods"]] == ["kd", "kdot", "prevalent_only"]
    assert found["ranks"]["blocks"] == 2 and found["ranks"]["unit"] == "tasks"
    named(other, "kd")["headline"] = {"metric": "mae", "condition": "vision"}
    assert combination.all_tasks([*records, *other])["ranks"]["excluded"] == 1, "kd has no such score"
    few = [made.unscored(own["method"], "diverged", "no seed is left") for own in records]
    assert (
        combination.all_tasks(few)["combined"] == []
        and "no ranks of 0" in combination.all_tasks(few)["ranks"]["reason"]
    )


def test_the_page_holds_the_smaller_of_picture_and_drawing():
    png = b"\x89PNG\r\n\x1a\n" + bytes(8) + (220).to_bytes(4, "big") + (110).to_bytes(4, "big")
    small = page.figure(style.Drawn("a", "A"), style.Saved(png, b"<svg/>"))
    large = page.figure(style.Drawn("a", "A"), style.Saved(png, b"<svg/>" * page.INLINE))
    assert small.source.startswith("data:image/svg+xml") and large.source.startswith("data:image/png")
    assert (small.width, small.height) == (192, 96)


def test_rows_are_json_without_nan(records):
    rows = leaderboard.rows(records)
    json.dumps(rows.astype(object).where(rows.notna(), None).to_dict("records"), allow_nan=False)
