"""Who is trained on, selected on and tested on. A subject is never in two roles of one fold.

The exception is a rule whose name ends in _leaky: it repeats what was published, over recordings whatever the subject.
Clips of one recording are never in two roles, whatever the rule.
"""

import numpy as np
import pandas as pd

from benchmark.params import Split
from benchmark.schema import nearest
from benchmark.seeds import generator, seed

ROLES = ("train", "validation", "test")
RULES = ("subject_folds", "loso", "clip_folds_leaky")  # or the name of a partition that comes with the dataset


def draw(clips: pd.DataFrame, split: Split) -> pd.DataFrame:
    """fold, clip_id, role of the given clips (clip_id, recording_id, subject_id and any partition columns).

    Rules: `subject_folds`, `loso`, `clip_folds_leaky`, or the name of a column that says train or test (and
    validation) by clip. Where validation subjects are not given, some of the training subjects are drawn. Depends on
    identities alone.
    """
    clips = clips.sort_values("clip_id", ignore_index=True)
    unit = "recording_id" if leaky(split.rule) else "subject_id"
    units, rows = clips[unit].to_numpy(), []
    for fold, test in enumerate(test_sets(clips, units, split)):
        roles = np.where(test, "test", "train").astype(object)
        given = split.rule in clips and clips[split.rule].eq("validation").to_numpy()
        roles[given if np.any(given) else validation(units, test, split, fold)] = "validation"
        rows.append(pd.DataFrame({"fold": fold, "clip_id": clips.clip_id, "unit": units, "role": roles}))
    drawn = pd.concat(rows, ignore_index=True)
    roles = drawn.groupby(["fold", "unit"]).role.nunique()
    if shared := sorted({name for _, name in roles[roles > 1].index}):
        raise ValueError(f"split rule {split.rule}: {shared[0]} ({unit}) is in two roles of one fold")
    return drawn[["fold", "clip_id", "role"]]


def leaky(rule: str) -> bool:
    """Whether a rule lets people be tested who were trained on."""
    return rule.endswith("_leaky")


def test_sets(clips: pd.DataFrame, units: np.ndarray, split: Split) -> list[np.ndarray]:
    """One boolean array (N,) per fold. units (N,): what is never split, subjects or recordings."""
    people = np.unique(units)
    if split.rule == "loso":
        return [units == person for person in people]
    if split.rule in ("subject_folds", "clip_folds_leaky"):
        return [np.isin(units, tested) for tested in groups(people, split)]
    if split.rule in clips and set(clips[split.rule]) <= set(ROLES):
        return [clips[split.rule].eq("test").to_numpy()]
    partitions = [name for name in clips.columns if set(clips[name].unique()) <= set(ROLES)]
    allowed = [*RULES, *partitions]
    raise ValueError(f"split rule: there is no {split.rule!r}{nearest(split.rule, allowed)}")


def groups(people: np.ndarray, split: Split) -> list[np.ndarray]:
    """Who is tested in each fold: everyone once, or split.test different people a fold."""
    needed = split.folds * (split.test or 1)
    if len(people) < needed:
        each = f" of {split.test} tested" if split.test else ""
        raise ValueError(f"{split.folds} folds{each} need at least {needed} subjects; there are {len(people)}")
    if split.test:
        order = generator("folds", split.seed).permutation(people)
        return list(order[:needed].reshape(split.folds, split.test))
    from sklearn.model_selection import GroupKFold

    folds = GroupKFold(split.folds, shuffle=True, random_state=seed("folds", split.seed) % 2**32)
    return [people[test] for _, test in folds.split(people, groups=people)]


def validation(units: np.ndarray, test: np.ndarray, split: Split, fold: int) -> np.ndarray:
    """Rows of the training subjects that are kept for selection."""
    from sklearn.model_selection import GroupShuffleSplit

    rest = np.flatnonzero(~test)
    size = split.validation if split.validation < 1 else int(split.validation)
    if size >= len(np.unique(units[rest])):
        raise ValueError(f"split.validation: {size} of {len(np.unique(units[rest]))} training subjects leave none")
    drawing = GroupShuffleSplit(1, test_size=size, random_state=seed("validation", split.seed, fold) % 2**32)
    _, chosen = next(drawing.split(rest, groups=units[rest]))
    return rest[chosen]
