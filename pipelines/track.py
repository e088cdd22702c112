"""track: records -> MLflow. Mirrors what is missing there or differs; nothing else is lost if MLflow is down."""

import hashlib
import subprocess
from pathlib import Path

import pandas as pd

from benchmark import records
from benchmark.files import write_json
from pipelines import stage

MARKER = Path("mlruns/tracked.json")


def main() -> None:
    from benchmark import tracking

    params = stage.params()
    suite = params.suite
    try:
        found = records.load(stage.RECORDS, suite.tasks, records.names(suite.methods))
    except FileNotFoundError as error:
        raise stage.Failure(f"there are no results yet: {error.filename} is missing. Run `dvc repro` first.") from None
    artifacts = [stage.RESULTS / f"leaderboard.{ending}" for ending in ("csv", "md", "json", "tex")]
    artifacts.append(stage.RESULTS / "report.html")
    wanted = tracking.runs(list(found.values()), curves(list(found)), artifacts)
    try:
        done = tracking.mirror(params.tracking.experiment, wanted, context())
    except tracking.Unreachable as error:
        raise stage.Failure(
            f"{error}\nEverything else is saved. Start the server or unset MLFLOW_TRACKING_URI, "
            "then run `dvc repro` again."
        ) from None
    write_json(MARKER, {key: run.digest for key, run in wanted.items()})
    for name, path in tracking.links(params.tracking.experiment, suite.tasks).items():
        print(f"{name}  http://127.0.0.1:5000{path}")
    print(f"MLflow: {done['written']} runs written, {done['kept']} kept, {done['deleted']} deleted")


def curves(keys: list[tuple[str, str]]) -> dict[tuple[str, str], pd.DataFrame]:
    """Epoch curves of what was trained: (task, model) -> epoch, fold, seed, term, value."""
    paths = {key: stage.MODELS.joinpath(*key) / "curves.csv" for key in keys}
    paths |= {(task, "teacher_hallucinated"): stage.MODELS / task / "tnet_mse" / "curves.csv" for task, _ in keys}
    return {key: pd.read_csv(path) for key, path in paths.items() if path.exists()}


def context() -> dict[str, str]:
    """The code and data that new runs came from."""
    lock = Path("dvc.lock")
    git = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return {
        "git_commit": git.stdout.strip() or "not in git",
        "dvc_lock": hashlib.md5(lock.read_bytes()).hexdigest() if lock.exists() else "none",
    }


if __name__ == "__main__":
    stage.run(main)
