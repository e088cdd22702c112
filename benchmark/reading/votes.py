"""Tables in which CREMA-D's owners tell what raters chose: counts of votes, and a summary of the winners."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from benchmark.reading import tables
from benchmark.types import WrongTree

LETTERS = ("A", "D", "F", "H", "N", "S")  # of the emotions a rater may choose
QUERIES = {  # label -> what raters were given as the first digit of a line's number, and the column of the summary
    "perceived_voice": ("1", "VoiceVote"),
    "perceived_face": ("2", "FaceVote"),
    "perceived_av": ("3", "MultiModalVote"),
}
Named = Callable[[str], str | None]  # the clip a name stands for, None if it is no such name
Winners = dict[tuple[str, str], str]  # (label, clip) -> letters with most votes, in order; several where they tie


def counted(path: Path, named: Named) -> Winners:
    """Winners by the counts of votes; "" where nobody voted."""
    table = tables.text(path, ",", (*LETTERS, "fileName"), WrongTree)
    number, clip = table.iloc[:, 0], table.fileName.map(named)
    counts = table[list(LETTERS)].apply(tables.values)
    label = number.str[:1].map({digit: label for label, (digit, _) in QUERIES.items()})
    wrong = {
        "a first column that is not 1 (voice), 2 (face) or 3 (both) and five digits": ~matches(number, "[123][0-9]{5}"),
        "a fileName that names no clip": clip.isna(),
        f"votes {', '.join(LETTERS)} that are not whole numbers": ~((counts >= 0) & (counts % 1 == 0)).all(axis=1),
        "a clip that was there before": number.duplicated() | pd.DataFrame({"of": label, "clip": clip}).duplicated(),
    }
    for what, rows in wrong.items():
        tables.refuse(path, table, rows, what, WrongTree)
    most = counts.max(axis=1).to_numpy()[:, None]
    winning = (counts.to_numpy() == most) & (most > 0)
    letters = ["".join(np.array(LETTERS)[row]) for row in winning]
    return dict(zip(zip(label, clip, strict=True), letters, strict=True))


def differing(path: Path, named: Named, winners: Winners) -> list[str]:
    """Where the summary tells another winner than the counts, in words."""
    columns = [column for _, column in QUERIES.values()]
    table = tables.text(path, ",", ("FileName", *columns), WrongTree)
    clips, letter = table.FileName.map(named), f"[{''.join(LETTERS)}]"
    wrong = {"a FileName that names no clip": clips.isna(), "a clip that was there before": clips.duplicated()}
    wrong |= {
        f"a {column} that is not letters of {', '.join(LETTERS)} with colons": ~matches(
            table[column], f"({letter}(:{letter})*)?"
        )
        for column in columns
    }
    for what, rows in wrong.items():
        tables.refuse(path, table, rows, what, WrongTree)
    found = []
    for label, (_, column) in QUERIES.items():
        for clip, told in zip(clips, table[column], strict=True):
            votes = winners.get((label, clip), "")
            if set(told) - {":"} != set(votes):
                found.append(f"{clip}: {column} is {told or 'none'}, by the votes it is {':'.join(votes) or 'none'}")
    return found


def matches(values: pd.Series, pattern: str) -> pd.Series:
    return values.str.fullmatch(pattern).astype(bool)
