"""The graph from outside: DVC as a command, for what stands beside it."""

import os
import subprocess
import sys
from pathlib import Path


def dvc(folder: Path, *words: str, shown: bool = False) -> subprocess.CompletedProcess:
    """DVC in a folder, with the python that runs this: an environment need not be activated.

    shown: what it prints goes to the terminal, and is not kept.
    """
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = [sys.executable, "-m", "dvc", *words]
    environment = os.environ | {"PATH": path, "DVC_NO_ANALYTICS": "true"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=not shown, text=True, check=False)
