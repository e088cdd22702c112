"""Copies of the project that tests run `dvc repro` in, and a configuration that takes a minute."""

import csv
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import yaml

ROOT = Path(__file__).parents[1]
METHODS = ["prevalent_only", "kd", "pknot"]
TASKS = {"biovid_level": "biovid", "recola_av": "recola"}  # of a clip each, and of windows
HUSHED = (  # beginnings of variables that steer MLflow and DVC, or by which they know a test and keep silent in it
    "MLFLOW", "DVC", "DO_NOT_TRACK", "PYTEST", "CI", "GITHUB", "GITLAB", "JENKINS", "TRAVIS", "TF_BUILD", "BITBUCKET",
    "CODEBUILD", "BUILDKITE", "TEAMCITY", "CLOUD_RUN", "RUNBOT",
)  # fmt: skip
GUARD = ROOT / "tests" / "guard"  # in PYTHONPATH, it writes down who asks for an address beyond this machine
CLOCK = ROOT / "tests" / "clock"  # in PYTHONPATH, it makes time jump
ALONE = ["unshare", "--map-root-user", "--net"]  # before a command: no network, not even this machine's own


def plain() -> dict[str, str]:
    """The environment of somebody who has set nothing, outside of any test."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(HUSHED)}
    return kept | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"}


def started(words: tuple[str, ...], folder: Path, environment: dict[str, str]) -> subprocess.Popen:
    """A process in a session of its own. Ctrl-C reaches it even where the tests run in the background, deaf to it."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(words, cwd=folder, env=environment, start_new_session=True, preexec_fn=listen, **pipes)


def listen() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def workers(process: int) -> list[int]:
    """Processes that joblib started to work for one."""
    below = psutil.Process(process).children(recursive=True)
    return [own.pid for own in below if any("popen_loky" in word for word in command(own))]


def command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:  # it has ended meanwhile
        return []


@contextmanager
def mounted(folder: Path, size: str) -> Iterator[Path]:
    """A file system of that size in memory, in a folder; skips where none can be."""
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True).returncode:
        pytest.skip("no file system can be mounted here: it takes root")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


class Clone:
    """A copy of the project with a git history of its own."""

    def __init__(self, folder: Path):
        self.folder = folder
        listed = self.git("ls-files", "-co", "--exclude-standard", "-z", cwd=ROOT)
        for name in filter(None, listed.split("\0")):
            if (ROOT / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, folder / name)
        (folder / "dvc.lock").unlink(missing_ok=True)
        self.git("init", "-q")
        self.commit("clone")

    def commit(self, message: str) -> None:
        self.git("add", "-A")
        self.git("-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", message)

    def git(self, *words: str, cwd: Path | None = None) -> str:
        return subprocess.run(
            ["git", *words], cwd=cwd or self.folder, check=True, capture_output=True, text=True
        ).stdout

    def copied(self, folder: Path) -> "Clone":
        """The same, with all that it has computed, in another folder."""
        made = object.__new__(Clone)
        made.folder = Path(shutil.copytree(self.folder, folder, symlinks=True))
        return made

    def run(self, *words: str, **more: str) -> subprocess.CompletedProcess:
        """A command of the activated environment, with more variables."""
        done = self.start(*words, **more)
        said, complained = done.communicate()
        return subprocess.CompletedProcess(words, done.returncode, said, complained)

    def start(self, *words: str, **more: str) -> subprocess.Popen:
        """A command that is not waited for, in a session of its own, so that a signal to its group hits its children
        and nobody else."""
        return started(words, self.folder, plain() | more)

    def repro(self, *words: str, before: list[str] = (), **more: str) -> set[str]:
        """Stages that `dvc repro`, or another command of DVC, ran."""
        done = self.run(*before, "dvc", *(words or ("repro",)), **more)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return {line.split("'")[1] for line in done.stdout.splitlines() if line.startswith("Running stage")}

    def edit(self, change) -> None:
        path = self.folder / "params.yaml"
        params = yaml.safe_load(path.read_text())
        change(params)
        path.write_text(yaml.safe_dump(params, sort_keys=False))

    def leaderboard(self) -> list[dict]:
        with (self.folder / "results" / "leaderboard.csv").open() as file:
            return list(csv.DictReader(file))


def no_namespace() -> str:
    """Why no command can be run without a network here; empty where it can."""
    if not shutil.which("unshare"):
        return "no namespace without a network can be made: there is no unshare"
    tried = subprocess.run([*ALONE, "true"], capture_output=True, text=True, check=False)
    return f"no namespace without a network can be made: {tried.stderr.strip()}" if tried.returncode else ""


def make_small(params: dict) -> None:
    params["suite"] |= {"datasets": list(TASKS.values()), "tasks": list(TASKS), "methods": METHODS}
    params["populations"]["shared"] |= {"subjects": 10, "clips": 5}
    params["populations"]["conversation"] |= {"subjects": 10, "seconds": 18}
    params["training"] |= {"seeds": [0], "epochs": 3, "steps": 3, "batch": 16}
    params["evaluation"]["resamples"] = 200
    params["validation"] = {"repetitions": 2, "draws": 100, "methods": ["prevalent_only", "kd"]}
