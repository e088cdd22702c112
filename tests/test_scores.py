"""Scores under conditions come from predictions alone; differences are tested on what both models have."""

import numpy as np
import pandas as pd
import pytest

from benchmark import missing, scores, stats
from benchmark.params import Evaluation, Missing, Task

TASK = Task(
    dataset="made_up", kind="ordinal", target=["level"], classes=[0, 1], prevalent=["vision"],
    privileged=["biosignal"], split={"rule": "subject_folds", "folds": 2, "validation": 0.2, "seed": 0},
)  # fmt: skip
VALUES = TASK.model_copy(update={"kind": "regression", "target": ["arousal", "valence"], "classes": []})
OPTIONS = Evaluation(resamples=200, confidence=0.95, rope=0.01)
LISTED = missing.listed(TASK, Missing(rates=[0.3], unequal=[0.1, 0.5], gaps=[]))


def predictions(accuracy: float, seeds: list[int], subjects: int = 7) -> pd.DataFrame:
    """Of 20 clips of each subject under three conditions; the same for a seed, whatever other seeds there are."""
    parts = []
    for seed in seeds:
        rng, truth = np.random.default_rng([seed, int(100 * accuracy)]), np.tile([0, 1], 10 * subjects)
        said = np.where(rng.random(len(truth)) < accuracy, truth, 1 - truth)
        subject = np.repeat(np.arange(subjects), 20)
        clips = {"clip_id": np.arange(len(truth)), "subject_id": subject, "truth": truth, "fold": subject % 2}
        for condition, given in (("vision", said), ("vision+biosignal", truth), ("random_30", said)):
            own = {"condition": condition, "prediction": given, "target": "level", "seed": seed}
            seen = (condition != "random_30") | (np.arange(len(truth)) % 4 > 0)
            parts.append(pd.DataFrame(clips | own | {"seen": seen}))
    return pd.concat(parts, ignore_index=True).astype({"condition": "category"})


def test_conditions_have_intervals_where_they_are_promised_and_reasons_where_there_is_nothing():
    found = scores.conditions(TASK, scores.tables(TASK, predictions(0.7, [0, 1])), LISTED, OPTIONS)
    assert list(found) == [own.name for own in LISTED]
    assert found["vision"]["scores"]["accuracy"]["low"] < found["vision"]["scores"]["accuracy"]["value"]
    random = found["random_30"]
    assert random["scores"]["kappa"]["low"] is not None and random["scores"]["accuracy"]["low"] is None
    assert random["answered"] == 0.75 and random["rate"] == 0.3 and random["clips"] == 140
    assert found["biosignal"] == {
        "alias": "no_vision", "protocol": "subset", "rate": None, "clips": 0, "answered": None,
        "reason": "shows this model nothing that it can use",
    }  # fmt: skip


def test_scores_are_those_of_the_predictions():
    rows = predictions(0.7, [0, 1])
    found = scores.conditions(TASK, scores.tables(TASK, rows), LISTED, OPTIONS)["vision"]["scores"]["accuracy"]
    own = rows[rows.condition == "vision"]
    assert found["value"] == pytest.approx((own.truth == own.prediction).groupby(own.seed).mean().mean())


def test_each_replica_has_the_scores_of_its_own_test_clips():
    rows = predictions(0.7, [0, 1])
    card = {"replicas": [{"fold": f, "seed": s, "epoch": 3} for f in (0, 1) for s in (0, 1, 2)]}
    found = scores.replicas(TASK, scores.tables(TASK, rows), LISTED, card)
    for entry in found:
        own = rows[(rows.fold == entry["fold"]) & (rows.seed == entry["seed"]) & (rows.condition == "vision")]
        if entry["seed"] == 2:
            assert entry["scores"] == {}, "a seed that is left out has none"
        else:
            assert entry["scores"]["vision"]["accuracy"] == pytest.approx((own.truth == own.prediction).mean())
            assert set(entry["scores"]["random_30"]) == {"kappa"}


def values_table(order=("arousal", "valence")) -> pd.DataFrame:
    rng, parts = np.random.default_rng(0), []
    for target in order:
        truth = rng.normal(size=40)
        parts.append(pd.DataFrame({
            "fold": 0, "seed": 0, "clip_id": np.arange(40), "subject_id": np.repeat(np.arange(8), 5),
            "recording_id": np.repeat(np.arange(8), 5), "condition": "vision", "seen": True, "target": target,
            "truth": truth, "prediction": truth + rng.normal(size=40), "frames": 5.0, "variance": 0.1,
        }))  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def test_predictions_are_summed_by_subject_for_classes_and_values():
    rows = pd.DataFrame(
        {
            "fold": 0, "seed": [0, 0, 1, 1], "clip_id": ["a", "b", "a", "b"], "subject_id": ["p", "q", "p", "q"],
            "condition": "vision", "target": "level", "truth": [0, 1, 0, 1], "prediction": [0, 0, 1, 1],
        }
    )  # fmt: skip
    found = scores.tables(TASK, rows).subjects["vision"]
    assert found.shape == (2, 2, 2, 2) and found[0, 0, 0, 0] == 1 and found[1, 0, 1, 0] == 1
    rows = rows.assign(recording_id=rows.clip_id, frames=10.0, variance=0.5)
    both = pd.concat([rows.assign(target="arousal"), rows.assign(target="valence", prediction=2.0)])
    moments = scores.tables(VALUES, both).subjects["vision"]
    assert moments.shape == (2, 2, 2, 15) and moments[0, 0, 1, 2] == 2.0
    assert moments[0, 0, 0, stats.FRAMES].tolist() == [10, 0, 0, 5, 0, 0]


def test_values_are_scored_by_target_whatever_their_order():
    one, two = values_table(), values_table().sort_values("target", ascending=False, kind="stable")
    tables = [scores.tables(VALUES, rows).subjects["vision"] for rows in (one, two)]
    np.testing.assert_array_equal(*tables)
    mine = stats.pooled("ccc", "regression", tables[0].sum(0))
    parts = [one[one.target == target] for target in VALUES.target]
    by_hand = []
    for part in parts:
        t, p = part.truth.to_numpy(), part.prediction.to_numpy()
        by_hand.append(2 * np.cov(t, p, ddof=0)[0, 1] / (t.var() + p.var() + (t.mean() - p.mean()) ** 2))
    assert mine == pytest.approx(np.mean(by_hand))


def test_targets_of_different_clips_are_an_error():
    rows = values_table()
    rows.loc[0, "clip_id"] = 99
    with pytest.raises(ValueError, match="do not have the same clips"):
        scores.tables(VALUES, rows)


FOLD = {"train": 4, "validation": 1, "test": 2}


def compare(**found: pd.DataFrame) -> dict[str, dict]:
    tables = {name: scores.tables(TASK, rows) for name, rows in found.items()}
    return {name: scores.compare(TASK, name, tables, FOLD, OPTIONS) for name in found}


def test_a_difference_has_all_that_can_be_said_of_it():
    found = compare(teacher=predictions(0.9, [0, 1]), prevalent_only=predictions(0.6, [0, 1]))
    own = found["teacher"]["difference"]
    assert own["p"] == 2 / 2**7 < found["prevalent_only"]["difference"]["p"] == 1
    assert own["test"] == "paired permutation" and own["effect"] > 1 and own["reason"] is None
    assert own["wide"]["low"] <= own["low"] < own["value"] < own["high"] <= own["wide"]["high"]
    assert own["rope"]["better"] > 0.9 and own["rope"]["width"] == 0.01 and own["folds"]["t"] > 0


def test_from_twenty_subjects_on_their_scores_are_ranked():
    many = [predictions(accuracy, [0, 1], subjects=21) for accuracy in (0.9, 0.6)]
    found = compare(teacher=many[0], prevalent_only=many[1])["teacher"]["difference"]
    assert found["test"] == "Wilcoxon signed-rank" and found["p"] < 0.001


def test_one_seed_tells_nothing_of_other_training():
    found = compare(teacher=predictions(0.9, [0]), prevalent_only=predictions(0.6, [0]))["teacher"]["difference"]
    assert found["wide"] == {"low": None, "high": None, "reason": "one seed: nothing is known of other training"}
    assert found["low"] is not None and found["p"] is not None


def test_only_seeds_of_both_models_are_compared():
    every, late = predictions(0.6, [0, 1, 2]), predictions(0.65, [2])
    own, whole, same = (scores.tables(TASK, rows) for rows in (late, every, every[every.seed == 2]))
    assert scores.difference(TASK, own, whole, FOLD, OPTIONS) == scores.difference(TASK, own, same, FOLD, OPTIONS)


def test_few_subjects_are_the_reason_for_what_cannot_be_said():
    few = [predictions(accuracy, [0], subjects=4) for accuracy in (0.9, 0.6)]
    found = compare(teacher=few[0], prevalent_only=few[1])["teacher"]["difference"]
    assert found["p"] is None and found["reason"].startswith("no test from 4 subjects") and found["low"] is not None
    assert found["rope"] is None
    one = [predictions(accuracy, [0, 1], subjects=1) for accuracy in (0.9, 0.6)]
    found = compare(teacher=one[0], prevalent_only=one[1])["teacher"]["difference"]
    assert found["low"] is None and found["reason"] == "no interval from 1 subject" and found["value"] is not None


def test_predictions_without_spread_are_undefined_in_words():
    rows = values_table().assign(prediction=0.0, truth=0.0)
    listed = [own for own in missing.listed(VALUES, Missing(rates=[0.3], unequal=[0.1, 0.5], gaps=[]))]
    found = scores.conditions(VALUES, scores.tables(VALUES, rows), listed, OPTIONS)["vision"]["scores"]["ccc"]
    assert found["value"] is None and found["reason"].startswith("undefined")


def test_subjects_rank_the_models():
    tables = {f"m{number}": scores.tables(TASK, predictions(0.6 + number / 10, [0, 1])) for number in range(3)}
    found = scores.ranking(TASK, tables, 0.95)
    assert [own["method"] for own in found["methods"]] == ["m2", "m1", "m0"] and found["blocks"] == 7


def test_the_constant_answer_scores_chance():
    table = scores.tables(TASK, predictions(0.7, [0, 1])).subjects["vision"]
    assert scores.constant("balanced_accuracy", "ordinal", table) == 0.5
    assert scores.constant("kappa", "ordinal", table) == 0 == scores.constant("ccc", "regression", table)
