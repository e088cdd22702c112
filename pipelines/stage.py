"""What every stage shares: where things lie, how params are read, how errors are told."""

import json
import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("POT_BACKEND_DISABLE_JAX", "1")
os.environ.setdefault("POT_BACKEND_DISABLE_TENSORFLOW", "1")

import typer

from benchmark import params as choices
from benchmark.files import refusal
from benchmark.schema import BadParams
from benchmark.types import WrongTree

PARAMS = Path("params.yaml")
DATA = Path("data")
RAW, SYNTHETIC, PREPARED, FEATURES, DEGRADED, INPUTS, MASKS = (
    DATA / name for name in ("raw", "synthetic", "prepared", "features", "degraded", "inputs", "masks")
)
RESULTS = Path("results")
PLAN, MODELS, PREDICTIONS, RECORDS, FIGURES = (
    RESULTS / name for name in ("plan", "models", "predictions", "records", "figures")
)


class Failure(Exception):
    """A stage that cannot go on; the text says what, where and what to do."""


def params() -> choices.Params:
    """The whole of params.yaml, checked. A stage uses only the sections that dvc.yaml lists for it."""
    return choices.load(PARAMS)


def planned(*parts: str) -> dict:
    """One resolved entry of the plan: planned("tasks", task) and so on."""
    return json.loads(PLAN.joinpath(*parts).with_suffix(".json").read_text())


def task_of(name: str) -> choices.Task:
    """A planned task. The digest in its file is that of its headline metric, which selects epochs."""
    return choices.Task.model_validate({key: value for key, value in planned("tasks", name).items() if key != "digest"})


def training() -> choices.Training:
    """How every network is trained, as planned."""
    return choices.Training.model_validate(planned("training"))


def run(main: Callable) -> None:
    """Run a stage from the command line; what a user can mend is one sentence, not a traceback."""
    warnings.filterwarnings("ignore", message=".*batching rule.*")
    warnings.filterwarnings("ignore", message="A worker stopped")  # joblib takes large imports for a leak
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    try:
        if app(standalone_mode=False) == 130:  # what typer makes of Ctrl-C; left at that, DVC takes the stage for done
            raise KeyboardInterrupt
    except (BadParams, WrongTree, Failure) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("error: interrupted; `dvc repro` goes on from here: what is finished is kept")
    except Exception as error:
        if sentence := refusal(error):
            sys.exit(f"error: {sentence}")
        raise
