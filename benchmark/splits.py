"""Who is trained on, selected on and tested on. A subject is never in two roles of one fold."""

import numpy as np
import pandas as pd

from benchmark.params import Split, nearest
from benchmark.seeds import seed

ROLES = ("train", "validation", "test")
RULES = ("subject_folds", "loso")  # or the name of a partition that comes with the dataset


def draw(clips: pd.DataFrame, split: Split) -> pd.DataFrame:
    """fold, clip_id, role of the given clips (clip_id, subject_id and any partition columns).

    Rules: `subject_folds`, `loso`, or the name of a column that says train or test (and validation) by clip. Where
    validation subjects are not given, a share of the training subjects is drawn. Depends on identities alone.
    """
    clips = clips.sort_values("clip_id", ignore_index=True)
    rows = []
    for fold, test in enumerate(test_sets(clips, split)):
        roles = np.where(test, "test", "train").astype(object)
        given = split.rule in clips and clips[split.rule].eq("validation").to_numpy()
        roles[given if np.any(given) else validation(clips.subject_id.to_numpy(), test, split, fold)] = "validation"
        rows.append(
            pd.DataFrame({"fold": fold, "clip_id": clips.clip_id, "subject_id": clips.subject_id, "role": roles})
        )
    drawn = pd.concat(rows, ignore_index=True)
    shared = drawn.groupby(["fold", "subject_id"]).role.nunique().max()
    if shared > 1:
        raise ValueError(f"split rule {split.rule}: a subject is in two roles of one fold")
    return drawn[["fold", "clip_id", "role"]]


def test_sets(clips: pd.DataFrame, split: Split) -> list[np.ndarray]:
    """One boolean array (N,) per fold."""
    subjects = clips.subject_id.to_numpy()
    people = np.unique(subjects)
    if split.rule == "loso":
        return [subjects == person for person in people]
    if split.rule == "subject_folds":
        if len(people) < split.folds:
            raise ValueError(f"{split.folds} folds need at least as many subjects; there are {len(people)}")
        from sklearn.model_selection import GroupKFold

        folds = GroupKFold(split.folds, shuffle=True, random_state=seed("folds", split.seed) % 2**32)
        return [np.isin(np.arange(len(clips)), test) for _, test in folds.split(clips, groups=subjects)]
    if split.rule in clips and set(clips[split.rule]) <= set(ROLES):
        return [clips[split.rule].eq("test").to_numpy()]
    partitions = [name for name in clips.columns if set(clips[name].unique()) <= set(ROLES)]
    allowed = [*RULES, *partitions]
    raise ValueError(f"split rule: there is no {split.rule!r}{nearest(split.rule, allowed)}")


def validation(subjects: np.ndarray, test: np.ndarray, split: Split, fold: int) -> np.ndarray:
    """Rows of the training subjects that are kept for selection."""
    from sklearn.model_selection import GroupShuffleSplit

    rest = np.flatnonzero(~test)
    drawing = GroupShuffleSplit(
        1, test_size=split.validation, random_state=seed("validation", split.seed, fold) % 2**32
    )
    _, chosen = next(drawing.split(rest, groups=subjects[rest]))
    return rest[chosen]
