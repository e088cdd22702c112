"""`dvc repro`, ended at random moments and given again: nothing is lost, and every byte is what it would have been."""

import os
import random
import shutil
import signal
import subprocess
import time

import pytest
import yaml
from page import report
from suite import TORN, Suite

STAGES = {
    "prepare": ["prepare@biovid", "prepare@recola"],
    "features": ["features@biovid", "features@recola"],
    "teacher": ["teacher@biovid_level", "teacher@recola_av"],
    "distill": ["distill@biovid_level-pknot", "distill@recola_av-kd"],
    "evaluate": ["evaluate@biovid_level", "evaluate@recola_av"],
    "report": ["report"],
    "track": ["track"],
}
KILLS, INTERRUPTS, FROM_NOTHING = 20, 14, 6


def moments(count: int, name: str) -> list[tuple[str, float]]:
    """Stages, every kind in turn, and the share of each one's time after which it is ended."""
    rng, kinds = random.Random(name), list(STAGES)
    return [(rng.choice(STAGES[kinds[number % len(kinds)]]), rng.uniform(0.02, 0.95)) for number in range(count)]


def due(clone, stage: str) -> None:
    """Make a stage have to do all of its work: without its outputs, its runs in MLflow and DVC's memory of it."""
    name, _, item = stage.partition("@")
    command = f"cmd: python -m pipelines.{name} {item.replace('-', ' ')}".rstrip()
    for path in (clone.folder / ".dvc" / "cache" / "runs").glob("*/*/*"):
        if path.read_text().startswith(command + "\n"):
            shutil.rmtree(path.parent)
    lock = yaml.safe_load((clone.folder / "dvc.lock").read_text())
    for out in lock["stages"].pop(stage)["outs"]:
        path = clone.folder / out["path"]
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    (clone.folder / "dvc.lock").write_text(yaml.safe_dump(lock, sort_keys=False))
    if name == "track":
        (clone.folder / "mlflow.db").unlink()
        shutil.rmtree(clone.folder / "mlruns", ignore_errors=True)


def ended(clone, how: int, stage: str, after: float) -> float | None:
    """Start `dvc repro`, wait until a stage has run for so many seconds, and end all its processes; the seconds, or
    None where it was done before."""
    process = clone.start("dvc", "repro", PYTHONUNBUFFERED="1")
    for line in process.stdout:
        if line.startswith(f"Running stage '{stage}'"):
            break
    begun = time.monotonic()
    try:
        process.communicate(timeout=after)
        return None
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, how)
    spent = time.monotonic() - begun
    process.communicate()
    return spent


@pytest.mark.parametrize("how", ["kill", "interrupt"])
def soak_ends(finished: Suite, tmp_path, how):
    signals = {"kill": signal.SIGKILL, "interrupt": signal.SIGINT}
    counts = {"kill": KILLS, "interrupt": INTERRUPTS}
    lines = {}
    for number, (stage, share) in enumerate(moments(counts[how], how)):
        clone = finished.clone.copied(tmp_path / f"{how}{number}")
        spent = None
        while spent is None:  # until it comes before the stage is done
            due(clone, stage)
            spent = ended(clone, signals[how], stage, share * finished.seconds[stage])
            share /= 2
        left = [path.name for path in clone.folder.rglob("*") if TORN.match(path.name)]
        lines[f"{number + 1}. {stage}"] = {"after s": spent, "left behind": left} | finished.again(clone)
        assert how == "kill" or not left, f"SIGINT to {stage} after {spent:.2f} s left {left}"
        finished.same(clone, f"{how} of {stage} after {spent:.2f} s")
        shutil.rmtree(clone.folder)
        report(f"{how} -> dvc repro", lines)
