"""Discovery: a plug-in is a file, and its file name is the registration."""

import ast
import hashlib
import importlib
from functools import cache
from pathlib import Path
from types import ModuleType

HERE = Path(__file__).parent


def names(kind: str) -> list[str]:
    """Sorted names of the plug-ins in benchmark/<kind>/."""
    return sorted(path.stem for path in (HERE / kind).glob("*.py") if not path.stem.startswith("_"))


@cache
def load(kind: str, name: str) -> ModuleType:
    """The module benchmark/<kind>/<name>.py; ValueError lists what exists."""
    if name not in names(kind):
        raise ValueError(f"benchmark/{kind}/ has no {name}.py; it has: {', '.join(names(kind))}")
    return importlib.import_module(f"benchmark.{kind}.{name}")


@cache
def digest(kind: str, name: str, but: str = "") -> str:
    """A digest of the plug-in's source and of every project file it imports, so that a change is noticed.

    but: a folder whose files do not count.
    """
    load(kind, name)
    seen, todo = set(), [HERE / kind / f"{name}.py"]
    while todo:
        path = todo.pop()
        if path not in seen:
            seen.add(path)
            todo += [file for file in imported(path) if file.parent.name != but]
    content = b"".join(path.read_bytes() for path in sorted(seen))
    return hashlib.blake2b(content, digest_size=8).hexdigest()


def imported(path: Path) -> list[Path]:
    """Files of this package that a file imports, anywhere in it."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        names = (
            [node.module, *(f"{node.module}.{a.name}" for a in node.names)] if isinstance(node, ast.ImportFrom) else []
        )
        files = [
            HERE.parent / (name.replace(".", "/") + ".py") for name in names if name and name.startswith("benchmark")
        ]
        found += [file for file in files if file.exists()]
    return found
