"""Discovery: a plug-in is a file, and its file name is the registration."""

import hashlib
import importlib
from pathlib import Path
from types import ModuleType

HERE = Path(__file__).parent


def names(kind: str) -> list[str]:
    """Sorted names of the plug-ins in benchmark/<kind>/."""
    return sorted(path.stem for path in (HERE / kind).glob("*.py") if not path.stem.startswith("_"))


def load(kind: str, name: str) -> ModuleType:
    """The module benchmark/<kind>/<name>.py; ValueError lists what exists."""
    if name not in names(kind):
        raise ValueError(f"benchmark/{kind}/ has no {name}.py; it has: {', '.join(names(kind))}")
    return importlib.import_module(f"benchmark.{kind}.{name}")


def digest(kind: str, name: str) -> str:
    """A digest of the plug-in's source, so that what depends on it can notice a change."""
    load(kind, name)
    return hashlib.blake2b((HERE / kind / f"{name}.py").read_bytes(), digest_size=8).hexdigest()
