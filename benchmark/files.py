"""Files that are either whole or not there."""

import json
import os
from pathlib import Path


def write_json(path: Path, content) -> None:
    """Write JSON under a temporary name, then rename. NaN is refused."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".tmp")
    partial.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n")
    os.replace(partial, path)
