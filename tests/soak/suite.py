"""The run that nothing disturbed, and how another is compared with it."""

import hashlib
import re
import sqlite3
import time
from pathlib import Path

from clones import Clone, make_small

TORN = re.compile(r"\..+\.tmp(\.\w+)?$|\.part-")  # hidden names of what is being written


class Suite:
    """A finished clone, how long its stages took, what it wrote and what it put into MLflow."""

    def __init__(self, folder: Path):
        self.clone, self.seconds = Clone(folder), {}
        self.clone.edit(make_small)
        process, stage = self.clone.start("dvc", "repro", PYTHONUNBUFFERED="1"), "start"
        begun = time.monotonic()
        for line in process.stdout:
            if line.startswith("Running stage"):
                self.seconds[stage] = time.monotonic() - begun
                stage, begun = line.split("'")[1], time.monotonic()
        self.seconds[stage] = time.monotonic() - begun
        assert process.wait() == 0, process.stderr.read()[-3000:]
        self.content, self.runs = content(folder), runs(folder)

    def again(self, clone: Clone) -> dict:
        """`dvc repro`, and where DVC itself was killed while it wrote dvc.lock, once more without it."""
        cut = not whole(clone.folder / "dvc.lock")
        if cut:
            (clone.folder / "dvc.lock").unlink()
        done = clone.run("dvc", "repro")
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        ran = [line.split("'")[1] for line in done.stdout.splitlines() if line.startswith("Running stage")]
        return {"dvc.lock": "cut, removed" if cut else "whole", "ran again": ran}

    def same(self, clone: Clone, what: str) -> None:
        """Every file of data and results, and the runs in MLflow, are those of the undisturbed run; nothing is due."""
        found = content(clone.folder)
        differing = sorted(name for name in found.keys() | self.content if found.get(name) != self.content.get(name))
        assert not differing, f"{what}: {len(differing)} files differ, first {differing[:5]}"
        assert runs(clone.folder) == self.runs, f"{what}: other runs in MLflow"
        assert clone.repro() == set(), f"{what}: stages are due although nothing changed"


def whole(path: Path) -> bool:
    """As the Makefile looks at dvc.lock, which DVC writes in place: its last line has an end."""
    return not path.exists() or path.read_bytes()[-1:] == b"\n"


def content(folder: Path) -> dict[str, str]:
    """Digest of every file that stages write, but for MLflow's."""
    paths = [path for part in ("data", "results") for path in (folder / part).rglob("*") if path.is_file()]
    return {
        path.relative_to(folder).as_posix(): hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()
        for path in paths
    }


def runs(folder: Path) -> list[tuple[str, str, str]]:
    """Key, digest and status of every run in the database."""
    asked = """select k.value, d.value, status from runs join tags k on k.run_uuid = runs.run_uuid and k.key = 'key'
        left join tags d on d.run_uuid = runs.run_uuid and d.key = 'digest' where lifecycle_stage = 'active'"""
    with sqlite3.connect(folder / "mlflow.db") as database:
        return sorted(database.execute(asked).fetchall())
