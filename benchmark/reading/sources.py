"""Where a dataset's recordings come from: the owner's files, or a synthetic stand-in in the same layout."""

from pathlib import Path
from types import ModuleType

import pandas as pd

from benchmark.reading import links
from benchmark.types import Reading, WrongTree

SHOWN = 12  # entries of a wrong tree that an error lists
LITTER = ("README.md", ".gitignore", ".DS_Store")


def real(name: str, source: str, raw: Path, module: ModuleType, options) -> Reading | None:
    """The owner's recordings, or None where synthetic ones are to be made.

    WrongTree if real recordings are asked for, or something is there, but not as expected.
    """
    found = sorted(path for path in raw.glob("*") if path.name not in LITTER)
    if source == "synthetic" or (source == "auto" and not found):
        return None
    try:
        links.refuse(raw)
        reading = module.read(raw, options)
        if reading.clips.empty:
            why = "\n  ".join(f"{row.path}: {row.reason}" for row in reading.dropped.head(SHOWN).itertuples())
            raise WrongTree(f"no labelled clip was found{':' if why else ''}\n  {why}".rstrip())
        return reading
    except WrongTree as error:
        advice = (
            f"Put the recordings in place (data/raw/{name}/README.md), "
            f"or set datasets.{name}.source: synthetic in params.yaml."
        )
        raise WrongTree(
            f"{raw} is not laid out as {name}: {error}\nexpected:{module.expected_tree(options)}\n"
            f"found:\n{listing(raw, found)}\n{advice}"
        ) from None


def listing(raw: Path, found: list[Path]) -> str:
    """The first two levels of what is there."""
    lines = []
    for path in found:
        lines.append(f"  {path.relative_to(raw)}{'/' if path.is_dir() else ''}")
        if path.is_dir() and not path.is_symlink():
            lines += [f"    {child.name}{'/' if child.is_dir() else ''}" for child in sorted(path.iterdir())]
    more = f"\n  ... and {len(lines) - SHOWN} more" if len(lines) > SHOWN else ""
    return "\n".join(lines[:SHOWN] or ["  nothing but the README"]) + more


def summary(reading: Reading, source: str) -> str:
    """What was found, in a line."""
    clips, dropped = reading
    lost = f"; {len(dropped)} remarks on what has no usable label or is odd, see dropped.csv" if len(dropped) else ""
    return f"{len(clips)} clips of {clips.subject_id.nunique()} subjects, {source} recordings{lost}"


def missing(clips: pd.DataFrame, root: Path, modalities) -> dict[str, tuple[int, int, str]]:
    """Modality -> clips that name a recording, clips whose recording is not there, and the first of those."""
    found = {}
    for name in modalities:
        named = clips[name].dropna()
        absent = sorted(path for path in named.unique() if not (root / path).exists())
        found[name] = (len(named), int(named.isin(absent).sum()), absent[0] if absent else "")
    return found
