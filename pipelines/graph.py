"""The graph from outside: DVC as a command, for what stands beside it."""

import subprocess
from pathlib import Path

from benchmark.bench import project


def dvc(folder: Path, *words: str, shown: bool = False) -> subprocess.CompletedProcess:
    """DVC in a folder, with the python that runs this: an environment need not be activated.

    shown: what it prints goes to the terminal, and is not kept.
    """
    command, environment = [*project.DVC, *words], project.activated()
    return subprocess.run(command, cwd=folder, env=environment, capture_output=not shown, text=True, check=False)
