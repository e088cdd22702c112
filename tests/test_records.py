"""Differences in records: tested on what both models have, and corrected for all the models of a task."""

import numpy as np
import pandas as pd
import pytest

from benchmark import records
from benchmark.params import Evaluation, Task

TASK = Task(
    dataset="made_up", kind="ordinal", target=["level"], classes=[0, 1], prevalent=["vision"],
    privileged=["biosignal"], split={"rule": "subject_folds", "folds": 2, "validation": 0.2, "seed": 0},
)  # fmt: skip
OPTIONS = Evaluation(resamples=200, confidence=0.95)


def predictions(accuracy: float, seeds: list[int], subjects: int = 7) -> pd.DataFrame:
    """Of 20 clips of each subject under two conditions; the same for a seed, whatever other seeds there are."""
    parts = []
    for seed in seeds:
        rng, truth = np.random.default_rng([seed, int(100 * accuracy)]), np.tile([0, 1], 10 * subjects)
        said = np.where(rng.random(len(truth)) < accuracy, truth, 1 - truth)
        clips = {"clip_id": np.arange(len(truth)), "subject_id": np.repeat(np.arange(subjects), 20), "truth": truth}
        for condition, given in (("vision", said), ("vision+biosignal", truth)):
            own = {"condition": condition, "prediction": given, "target": "level", "seed": seed, "fold": 0}
            parts.append(pd.DataFrame(clips | own))
    return pd.concat(parts, ignore_index=True)


def compare(**found: pd.DataFrame) -> dict[str, dict]:
    tables = {name: records.tables(TASK, rows) for name, rows in found.items()}
    return {name: records.comparison(TASK, name, tables, found, OPTIONS) for name in found}


def test_a_difference_has_a_p_value():
    found = compare(teacher=predictions(0.9, [0, 1]), prevalent_only=predictions(0.6, [0, 1]))
    assert found["teacher"]["difference"]["p"] == 2 / 2**7 < found["prevalent_only"]["difference"]["p"] == 1


def test_only_seeds_of_both_models_are_tested():
    every, late = predictions(0.6, [0, 1, 2]), predictions(0.65, [2])
    p, reason = records.tested(TASK, late, every, OPTIONS)
    assert reason is None and p == records.tested(TASK, late, every[every.seed == 2], OPTIONS)[0]


def test_too_few_subjects_are_the_reason_for_no_p():
    few = [predictions(accuracy, [0], subjects=4) for accuracy in (0.9, 0.6)]
    found = compare(teacher=few[0], prevalent_only=few[1])["teacher"]["difference"]
    assert found["p"] is None and found["reason"].startswith("no test from 4 subjects") and found["low"] is not None


def entry(method: str, p: float | None) -> dict:
    return {"method": method, "difference": {"p": p, "p_holm": None}}


def test_p_values_are_corrected_for_the_models_compared_and_no_others():
    found = [
        entry("teacher", 0.001), entry("teacher_hallucinated", 0.03), entry("prevalent_only", 1.0), entry("kd", 0.01),
        entry("kdot", 0.2), entry("pknot", None), entry("availability", 0.001), {"method": "clean_labels"},
    ]  # fmt: skip
    records.adjust(found)
    adjusted = {own["method"]: own["difference"]["p_holm"] for own in found if "difference" in own}
    assert adjusted == {
        "teacher": None, "teacher_hallucinated": pytest.approx(0.06), "prevalent_only": None,
        "kd": pytest.approx(0.03), "kdot": pytest.approx(0.2), "pknot": None, "availability": None,
    }  # fmt: skip


def test_a_task_without_any_p_value_is_left_as_it_is():
    records.adjust(found := [entry("kd", None), entry("prevalent_only", 1.0)])
    assert [own["difference"]["p_holm"] for own in found] == [None, None]
