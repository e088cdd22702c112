"""Folders as people have them: in any case, doubled by an archive, littered."""

from pathlib import Path

from benchmark.types import WrongTree


def child(folder: Path, name: str) -> Path | None:
    """The entry of that name in any case; a folder that holds itself again is entered twice."""
    found = sorted(entry for entry in folder.iterdir() if entry.name.lower() == name.lower()) if folder.is_dir() else []
    if not found:
        return None
    doubled = found[0].is_dir() and sorted(e for e in found[0].iterdir() if e.name.lower() == name.lower())
    return doubled[0] if doubled else found[0]


def files(folder: Path | None, *endings: str) -> dict[str, Path]:
    """Files of a folder by lower-case name without its ending, in sorted order; hidden ones are litter.

    WrongTree if two have the same name but for case or ending: which of them is meant?
    """
    if folder is None or not folder.is_dir():
        return {}
    there = sorted(entry for entry in folder.iterdir() if entry.is_file() and not entry.name.startswith("."))
    found: dict[str, Path] = {}
    for entry in (entry for entry in there if entry.suffix.lower() in endings):
        if other := found.get(entry.stem.lower()):
            raise WrongTree(f"{folder.name} holds both {other.name} and {entry.name}: keep one")
        found[entry.stem.lower()] = entry
    return found


def below(root: Path, path: Path | None) -> str | None:
    """A path as the clip table lists it: relative to root; None where there is no file."""
    return None if path is None else path.relative_to(root).as_posix()


def folders(root: Path, name: str, depth: int = 2) -> list[Path]:
    """Folders of that name in any case, at most so many levels below root; one that holds itself again counts once."""
    found = []
    for entry in sorted(entry for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith(".")):
        if entry.name.lower() == name.lower():
            found.append(child(root, entry.name))
        elif depth > 1:
            found += folders(entry, name, depth - 1)
    return found
