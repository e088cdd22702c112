"""Tables and figures from records alone."""

import numpy as np
import pytest
from test_tracking import record

from benchmark.report import figures, leaderboard

DEFINITION = {"prevalent": ["vision"], "privileged": ["biosignal"], "split": {"rule": "subject_folds"}}
IDENTITY = {"vision": {"accuracy": 0.8, "chance": 0.02, "clips": 9}, "biosignal": {"reason": "too few clips"}}
DROPPED = {"remarks": 2, "without_prevalent": 0, "incomplete": 0}


@pytest.fixture
def records():
    def whole(method, value):
        own = record(method, value) | {
            "definition": DEFINITION,
            "data": {"clips": 9, "subjects": 3, "dropped": DROPPED},
            "identity": IDENTITY,
            "training": {"seeds": [0, 1]},
            "evaluation": {"confidence": 0.95},
        }
        own["conditions"]["vision+biosignal"] = own["conditions"]["vision"] | {"alias": "all"}
        return own

    impossible = whole("clean_labels", 0.1) | {
        "status": "not run", "reason": "labels: clean needs synthetic recordings", "conditions": {}, "replicas": [],
    }  # fmt: skip
    for name in ("difference", "gap_recovered"):
        del impossible[name]
    return [whole("teacher", 0.8), whole("prevalent_only", 0.4), whole("kd", 0.5), impossible]


def test_synthetic_results_say_so_everywhere(records, monkeypatch, tmp_path):
    assert "## SYNTHETIC recordings: made_up" in leaderboard.markdown(records)
    assert set(leaderboard.rows(records).provenance) == {"synthetic"}
    titles = []
    monkeypatch.setattr("matplotlib.figure.Figure.suptitle", lambda self, text, **_: titles.append(text))
    figures.scores(records, tmp_path / "made_up.png")
    assert titles[0].startswith("SYNTHETIC recordings: made_up")
    real = [own | {"provenance": "real"} for own in records]
    assert "SYNTHETIC" not in leaderboard.markdown(real)


def test_a_leaky_split_says_so(records):
    leaks = [own | {"definition": DEFINITION | {"split": {"rule": "clip_folds_leaky"}}} for own in records]
    assert "LEAKY split" in leaderboard.markdown(leaks) and "LEAKY" not in leaderboard.markdown(records)


def test_controls_and_what_was_left_out_are_told(records):
    text = leaderboard.markdown(records)
    assert "vision 80% (chance 2.0%), biosignal not known, too few clips" in text
    assert "worth a look: 2 remarks on recordings without a usable label" in text


def test_the_table_shows_scores_differences_and_reasons(records):
    text = leaderboard.markdown(records)
    assert "| kd | 0.500 [0.400, 0.600] | +0.100 [+0.000, +0.200], p .030 | undefined | undefined |" in text
    assert "| clean_labels | not run: labels: clean needs synthetic recordings |" in text
    assert "nothing to see" in text and "nan" not in text.lower()


def test_replicas_that_diverged_are_counted_and_seeds_left_out_are_named(records):
    kd = records[2]
    kd["replicas"][1] |= {"status": "diverged", "diverged": 2}
    assert "| kd (1 of 2 diverged) | 0.500" in leaderboard.markdown(records)
    kd["left_out"] = [{"seed": 1, "reason": "fold 0 diverged at epoch 2"}]
    assert "| kd (1 of 2 seeds left out: diverged) | 0.500" in leaderboard.markdown(records)
    kd["replicas"][0] |= {"status": "diverged", "diverged": 2}
    assert "| kd (1 of 2 seeds left out: diverged; 1 of 2 diverged) | 0.500" in leaderboard.markdown(records)
    kd["left_out"] = [{"seed": 1, "reason": "fold 0 has no validation score"}]
    assert "| kd (1 of 2 seeds left out: no validation score; 1 of 2 diverged)" in leaderboard.markdown(records)


def test_a_model_without_any_seed_left_is_a_row_with_its_reason(records):
    records[3] |= {"status": "diverged", "reason": "no seed is left (seed 0: fold 3 diverged at epoch 1)"}
    assert "| clean_labels | diverged: no seed is left (seed 0: fold 3 diverged at epoch 1) |" in (
        leaderboard.markdown(records)
    )


def test_without_a_comparison_the_cells_are_empty(records):
    for name in ("difference", "gap_recovered"):
        del records[2][name]
    assert "| kd | 0.500 [0.400, 0.600] |  |  | undefined |" in leaderboard.markdown(records)


def test_the_baseline_is_not_compared_with_itself(records):
    line = next(line for line in leaderboard.markdown(records).splitlines() if line.startswith("| prevalent_only"))
    assert line.split("|")[3:5] == ["  ", "  "]


def cell(records, **found) -> str:
    """What the table says of the difference of kd, where that is so."""
    records[2]["difference"] |= found
    line = next(line for line in leaderboard.markdown(records).splitlines() if line.startswith("| kd |"))
    return line.split(" | ")[2]


def test_a_difference_is_bold_where_interval_and_corrected_test_support_it(records):
    apart = {"value": 0.1, "low": 0.05, "high": 0.15, "p": 0.002, "p_holm": 0.02}
    assert cell(records, **apart) == "**+0.100 [+0.050, +0.150], p .002**"
    assert cell(records, value=-0.1, low=-0.15, high=-0.05) == "**-0.100 [-0.150, -0.050], p .002**"
    assert cell(records, **apart | {"p_holm": 0.051}) == "+0.100 [+0.050, +0.150], p .002"
    assert cell(records, **apart | {"low": -0.001}) == "+0.100 [-0.001, +0.150], p .002"
    assert cell(records, **apart | {"low": None, "high": None}) == "+0.100, p .002"
    records[2]["evaluation"] = {"confidence": 0.99}
    assert "**" not in cell(records, **apart)
    assert cell(records, p=1 / 2001) == "+0.100 [+0.050, +0.150], p < .001" and cell(records, p=1.0).endswith("p 1.000")


def test_without_p_nothing_is_bold_and_the_table_is_whole(records):
    assert cell(records, low=0.05, p=None, p_holm=None) == "+0.100 [+0.050, +0.200]"
    assert cell(records, value=None, low=None, high=None, reason="no spread") == "undefined"


def test_p_values_stand_in_the_rows_of_differences_alone(records):
    rows = leaderboard.rows(records)
    assert rows[rows.metric == "difference"].p_holm.eq(0.06).all() and rows.p.count() == rows.p_holm.count() == 3
    assert set(rows[rows.p.notna()].metric) == {"difference"}


def test_markers_are_filled_where_a_model_is_told_from_the_baseline(records):
    hollow, told = records[2], records[2] | {"difference": records[2]["difference"] | {"low": 0.01, "p_holm": 0.01}}
    axes = figures.plt.figure().subplots()
    figures.draw_differences(axes, [told, records[1], hollow, records[0]], "kappa")
    drawn = {bars.get_label(): bars.lines[0] for bars in axes.containers}
    faces = {label: (line.get_markerfacecolor(), line.get_ydata().tolist()) for label, line in drawn.items()}
    assert [faces[label] for label in sorted(faces)] == [("white", [2]), ("black", [0])]
    assert all("told from prevalent_only" in label for label in faces)


def test_every_row_has_a_value_or_a_reason(records):
    records[2]["gap_recovered"]["reason"] = records[2]["conditions"]["vision"]["scores"]["accuracy"]["reason"] = "why"
    rows = leaderboard.rows(records)
    own = rows[rows.method == "kd"]
    assert (own.value.notna() | own.reason.notna()).all()
    assert rows[rows.method == "clean_labels"].reason.tolist() == ["labels: clean needs synthetic recordings"]


def test_headline_scores_are_those_of_the_table(records):
    assert leaderboard.headline_scores(records) == {"teacher": 0.8, "prevalent_only": 0.4, "kd": 0.5}


def test_equal_records_draw_equal_figures(records, tmp_path):
    for name in ("one.png", "two.png"):
        figures.scores(records, tmp_path / name)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    assert np.ptp(figures.plt.imread(tmp_path / "one.png")) > 0.5
