"""Where a dataset's recordings come from: the owner's files, or a synthetic stand-in in the same layout."""

from pathlib import Path
from types import ModuleType

from benchmark.types import WrongTree

SHOWN = 12  # entries of a wrong tree that an error lists


def decide(name: str, source: str, raw: Path, module: ModuleType, options) -> str:
    """`real` or `synthetic`. WrongTree if real recordings are asked for, or half there, but not as expected."""
    if source == "synthetic":
        return "synthetic"
    found = sorted(path for path in raw.glob("*") if path.name not in ("README.md", ".gitignore", ".DS_Store"))
    if source == "auto" and not found:
        return "synthetic"
    try:
        module.read(raw, options)
    except WrongTree as error:
        advice = (
            f"Put the recordings in place (data/raw/{name}/README.md), "
            f"or set datasets.{name}.source: synthetic in params.yaml."
        )
        raise WrongTree(
            f"{raw} is not laid out as {name}: {error}\nexpected:{module.expected_tree(options)}\n"
            f"found:\n{listing(raw, found)}\n{advice}"
        ) from None
    return "real"


def listing(raw: Path, found: list[Path]) -> str:
    """The first two levels of what is there."""
    lines = []
    for path in found:
        lines.append(f"  {path.relative_to(raw)}{'/' if path.is_dir() else ''}")
        if path.is_dir():
            lines += [f"    {child.name}{'/' if child.is_dir() else ''}" for child in sorted(path.iterdir())]
    more = f"\n  ... and {len(lines) - SHOWN} more" if len(lines) > SHOWN else ""
    return "\n".join(lines[:SHOWN] or ["  nothing but the README"]) + more
