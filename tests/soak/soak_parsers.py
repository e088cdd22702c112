"""Every parser of foreign files, on inputs that nobody wrote: a value or a refusal, within 5 s, and nothing opened that
lies outside of the dataset."""

import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from foreign import PARSERS
from hostile import trees
from page import RESULTS, report

HERE = Path(__file__).parent
INPUTS, TREES = 8000, 1500  # of each parser, of each dataset
LEAST = 200_000
lines: dict[str, dict] = {}


def run(script: Path, *words: str, what: str, folder: Path) -> subprocess.CompletedProcess:
    """A process of its own, so that a crash is told like any other error; what it left is kept with the results."""
    folder.mkdir()
    words = [sys.executable, str(script), *words, str(folder)]
    done = subprocess.run(words, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        kept = RESULTS / "soak" / what.replace(" ", "_")
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(folder, kept, symlinks=True)
        pytest.fail(f"{what}: see {kept}\n{done.stderr[-3000:]}")
    return done


@pytest.mark.parametrize("name", PARSERS)
def soak_inputs(tmp_path, name):
    begun = time.monotonic()
    done = run(HERE / "fuzz.py", name, str(INPUTS), what=name, folder=tmp_path / "own")
    count = int(re.search(r"number_of_executed_units: (\d+)", done.stderr)[1])
    assert count >= INPUTS
    lines[name] = {"inputs": count, "s": time.monotonic() - begun, "crashes": 0, "over 5 s": 0}
    report("parsers of foreign files", lines)


def soak_trees(tmp_path):
    begun = time.monotonic()
    done = run(HERE.parent / "hostile.py", str(TREES), what="trees", folder=tmp_path / "own")
    found = json.loads(done.stdout)
    assert set(found) == set(trees()) and all(own["trees"] == TREES for own in found.values())
    for name, own in found.items():
        lines[f"trees of {name}"] = {"inputs": own.pop("trees"), "crashes": 0, "over 5 s": 0, "outcomes": own}
    lines["trees"] = {"s": time.monotonic() - begun, "opened outside": 0}
    report("parsers of foreign files", lines)


def soak_so_many():
    """After the others."""
    total = sum(line.get("inputs", 0) for line in lines.values())
    lines["all"] = {"inputs": total}
    report("parsers of foreign files", lines)
    assert total >= LEAST, "of all parsers together; some were not run"
