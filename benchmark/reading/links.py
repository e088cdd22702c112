"""What archives may hold beside folders and files: links that lead out of a dataset, pipes and devices."""

import os
from collections.abc import Iterator
from pathlib import Path

from benchmark.types import WrongTree


def refuse(raw: Path) -> None:
    """WrongTree if a link below raw leaves the dataset, or anything there is neither a folder nor a file.

    raw itself and folders directly in it may be links: people keep recordings on other disks. Deeper down, links are
    of whoever made the archive, and must lead to something that lies in the dataset.
    """
    home = os.path.realpath(raw)
    linked = {place.name: os.path.realpath(place) for place in raw.iterdir() if place.is_symlink() and place.is_dir()}
    for top in (home, *linked.values()):
        for entry in entries(top):
            shown = entry.path.replace(home, str(raw), 1)
            if entry.is_symlink():
                own = entry.path == os.path.join(home, entry.name) and entry.name in linked
                target = os.path.realpath(entry.path)
                around = (target,) if own else (home, *linked.values())
                if target == os.path.commonpath((target, home)) or not any(below(target, place) for place in around):
                    raise WrongTree(
                        f"{shown} is a link to {target}, outside of the dataset; only {raw} and folders directly in it "
                        "may be links: put what is meant in its place, or remove it"
                    )
            elif not entry.is_dir() and not entry.is_file():
                raise WrongTree(f"{shown} is neither a folder nor a file, but a pipe, a socket or a device: remove it")


def below(path: str, place: str) -> bool:
    return os.path.commonpath((path, place)) == place


def entries(top: str) -> Iterator[os.DirEntry]:
    """Everything below a folder; links are told, not followed."""
    todo = [top]
    while todo:
        with os.scandir(todo.pop()) as found:
            for entry in found:
                yield entry
                if entry.is_dir(follow_symlinks=False):
                    todo.append(entry.path)
