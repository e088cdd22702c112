"""Subjects are never shared between the roles of a fold, recordings not even where a rule says that it leaks."""

import numpy as np
import pandas as pd
import pytest

from benchmark import splits
from benchmark.params import Split


@pytest.fixture
def clips():
    people = np.repeat([f"p{number:02d}" for number in range(20)], 5)
    return pd.DataFrame(
        {
            "clip_id": [f"{person}-{number}" for number, person in enumerate(people)],
            "recording_id": [f"{person}-{number // 2}" for number, person in enumerate(people)],
            "subject_id": people,
            "official": np.where(people < "p15", "train", "test"),
            "complete": np.select([people < "p12", people < "p15"], ["train", "validation"], "test"),
        }
    )


@pytest.mark.parametrize("rule", ["subject_folds", "loso", "official", "complete"])
def test_roles_share_no_subject_and_cover_every_clip(clips, rule):
    drawn = splits.draw(clips, Split(rule=rule)).merge(clips, on="clip_id")
    for _, fold in drawn.groupby("fold"):
        people = {role: set(rows.subject_id) for role, rows in fold.groupby("role")}
        assert set(people) == set(splits.ROLES)
        assert not people["train"] & people["test"] and not people["validation"] & (people["test"] | people["train"])
        assert len(fold) == len(clips)


@pytest.mark.parametrize("rule, folds", [("subject_folds", 5), ("loso", 20)])
def test_every_clip_is_tested_once(clips, rule, folds):
    drawn = splits.draw(clips, Split(rule=rule))
    tested = drawn[drawn.role == "test"]
    assert drawn.fold.nunique() == folds and sorted(tested.clip_id) == sorted(clips.clip_id)


def test_order_of_the_table_changes_nothing(clips):
    shuffled = clips.sample(frac=1, random_state=3)
    pd.testing.assert_frame_equal(
        splits.draw(clips, Split(rule="subject_folds")), splits.draw(shuffled, Split(rule="subject_folds"))
    )


def test_the_seed_of_the_split_decides(clips):
    one, two = (splits.draw(clips, Split(rule="subject_folds", seed=seed)) for seed in (0, 1))
    assert not one.equals(two)


def test_given_validation_subjects_are_used(clips):
    drawn = splits.draw(clips, Split(rule="complete"))
    assert set(drawn.clip_id[drawn.role == "validation"]) == set(clips.clip_id[clips.complete == "validation"])


def test_an_unknown_rule_lists_the_allowed_ones(clips):
    with pytest.raises(
        ValueError, match=r"did you mean 'subject_folds'\? allowed: clip_folds_leaky, complete, loso, official"
    ):
        splits.draw(clips, Split(rule="subject_fold"))


def test_more_folds_than_subjects_is_refused(clips):
    with pytest.raises(ValueError, match="5 folds need at least 5 subjects; there are 3"):
        splits.draw(clips[clips.subject_id < "p03"], Split(rule="subject_folds"))


def test_a_partition_that_splits_a_subject_is_refused(clips):
    clips.loc[0, "official"] = "test"
    with pytest.raises(ValueError, match=r"official: p00 \(subject_id\) is in two roles"):
        splits.draw(clips, Split(rule="official"))


def test_a_leaky_rule_shares_subjects_but_never_splits_a_recording(clips):
    drawn = splits.draw(clips, Split(rule="clip_folds_leaky")).merge(clips, on="clip_id")
    assert (drawn.groupby(["fold", "recording_id"]).role.nunique() == 1).all()
    assert (drawn.groupby(["fold", "subject_id"]).role.nunique() > 1).any()
    assert sorted(drawn.clip_id[drawn.role == "test"]) == sorted(clips.clip_id)
    assert splits.leaky("clip_folds_leaky") and not [rule for rule in splits.RULES[:2] if splits.leaky(rule)]


def test_numbers_of_tested_and_validation_subjects_can_be_given(clips):
    drawn = splits.draw(clips, Split(rule="subject_folds", folds=4, test=3, validation=2)).merge(clips, on="clip_id")
    sizes = drawn.groupby(["fold", "role"]).subject_id.nunique().unstack()
    assert (sizes == [3, 15, 2]).all(axis=None) and list(sizes) == ["test", "train", "validation"]
    tested = drawn[drawn.role == "test"].groupby("fold").subject_id.unique()
    assert len(set(np.concatenate(list(tested)))) == 12


def test_more_tested_subjects_than_there_are_is_refused(clips):
    with pytest.raises(ValueError, match="5 folds of 5 tested need at least 25 subjects; there are 20"):
        splits.draw(clips, Split(rule="subject_folds", test=5))
    with pytest.raises(ValueError, match="16 of 16 training subjects leave none"):
        splits.draw(clips, Split(rule="subject_folds", validation=16))
