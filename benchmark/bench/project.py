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
OWN = {"DVC_NO_ANALYTICS": "true", "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "PYTHONUNBUFFERED": "1"}


def copy(root: Path, folder: Path, params: Params) -> None:
    """The code of the project in root and the given params; recordings are synthesised, whatever root has."""
    params = params.model_copy(deep=True)
    for name in PARTS:
        if (root / name).is_dir():
            shutil.copytree(root / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(root / name, folder / name)
    for name in params.suite.datasets:
        params.datasets[name].source = "synthetic"
        (folder / "data" / "raw" / name).mkdir(parents=True)
        shutil.copy(root / "data" / "raw" / name / "README.md", folder / "data" / "raw" / name)
    (folder / "params.yaml").write_text(json.dumps(params.model_dump(), indent=1))  # JSON is YAML
    subprocess.run([*DVC, "init", "--quiet", "--no-scm"], cwd=folder, env=environment(), check=True)
    subprocess.run([*DVC, "config", "core.analytics", "false"], cwd=folder, env=environment(), check=True)


DVC = [sys.executable, "-m", "dvc"]


def environment() -> dict[str, str]:
    """As an activated environment has it, but with the runs of MLflow in the copy alone."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW")}
    return kept | OWN | {"PATH": path}


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
