"""A copy of the project in a folder of its own, and DVC in it."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from benchmark.params import Params

PARTS = ("benchmark", "pipelines", "results/bench", "dvc.yaml", "pyproject.toml")
QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "PYTHONUNBUFFERED": "1"}
DVC = [sys.executable, "-m", "dvc"]


def copy(root: Path, folder: Path, params: Params) -> None:
    """The code of the project in root and the given params; recordings are synthesised, whatever root has. What was
    computed in the folder before stays."""
    params = params.model_copy(deep=True)
    folder.mkdir(parents=True, exist_ok=True)
    for name in PARTS:
        if (root / name).is_dir():
            shutil.rmtree(folder / name, ignore_errors=True)
            shutil.copytree(root / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(root / name, folder / name)
    for name in params.suite.datasets:
        params.datasets[name].source = "synthetic"
        (folder / "data" / "raw" / name).mkdir(parents=True, exist_ok=True)
        shutil.copy(root / "data" / "raw" / name / "README.md", folder / "data" / "raw" / name)
    (folder / "params.yaml").write_text(json.dumps(params.model_dump(), indent=1))  # JSON is YAML
    if not (folder / ".dvc").exists():
        for words in (["init", "--quiet", "--no-scm"], ["config", "core.analytics", "false"]):
            subprocess.run([*DVC, *words], cwd=folder, env=environment(), check=True)


def activated() -> dict[str, str]:
    """The variables of an activated environment, that of the python that runs this."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return os.environ | {"PATH": path, "DVC_NO_ANALYTICS": "true"}


def environment() -> dict[str, str]:
    """The same, but with the runs of MLflow in the copy alone."""
    return {name: value for name, value in activated().items() if not name.startswith("MLFLOW")} | QUIET


def repro(folder: Path, *targets: str) -> list[tuple[str, float]]:
    """`dvc repro`: the stages in the order in which they ran, with the seconds until the next one or the end."""
    command = [*DVC, "repro", *targets]
    began, tail = [("start of dvc", time.perf_counter())], []
    process = subprocess.Popen(
        command, cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    for line in process.stdout:
        tail = [*tail[-30:], line]
        if line.startswith("Running stage '"):
            began.append((line.split("'")[1], time.perf_counter()))
    if process.wait():
        raise RuntimeError(f"dvc repro stopped:\n{''.join(tail)}")
    ends = [at for _, at in began[1:]] + [time.perf_counter()]
    return [(name, end - at) for (name, at), end in zip(began, ends, strict=True)]
