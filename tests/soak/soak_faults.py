"""Whole runs on a full disk, on a read-only one, with a held or damaged mlflow.db, without a worker, twice at once, and
under a clock that jumps: one sentence each, nothing torn, and afterwards the same bytes."""

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import clones
import pytest
from clones import CLOCK, Clone, make_small
from page import report
from soak_kills import due
from suite import TORN, Suite


@pytest.fixture
def disk(tmp_path):
    """A file system of 512 MB in memory."""
    with clones.mounted(tmp_path, "512m") as folder:
        yield folder


def told(clone) -> str:
    """What a stage that cannot do its work says last; no traceback, and no file half written."""
    done = clone.run("dvc", "repro")
    assert done.returncode != 0, done.stdout
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert lines and "Traceback" not in done.stderr, done.stderr[-3000:]
    assert not [path for path in clone.folder.rglob("*") if TORN.match(path.name)]
    return lines[0].replace(str(clone.folder), ".")


@pytest.mark.parametrize("stage", ["features@recola", "teacher@recola_av", "evaluate@recola_av", "report"])
def soak_a_full_disk(finished: Suite, disk, stage):
    clone = finished.clone.copied(disk / "clone")
    due(clone, stage)
    free = shutil.disk_usage(disk).free
    with (disk / "ballast").open("wb") as file:
        file.write(b"\0" * (free - 20_000))
    said = told(clone)
    assert "no space is left" in said
    (disk / "ballast").unlink()
    lines = {stage: {"said": said} | finished.again(clone)}
    finished.same(clone, f"a full disk in {stage}")
    report(f"disk full: {stage}", lines)


def soak_a_read_only_disk(finished: Suite, disk):
    """Of the results alone: DVC itself writes elsewhere."""
    clone = finished.clone.copied(disk / "clone")
    results = clone.folder / "results"
    shutil.rmtree(results)
    results.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", results], check=True)
    try:
        shutil.copytree(finished.clone.folder / "results", results, dirs_exist_ok=True)
        subprocess.run(["mount", "-o", "remount,ro", results], check=True)
        done = clone.run(sys.executable, "-m", "pipelines.validate")
        assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
        subprocess.run(["mount", "-o", "remount,rw", results], check=True)
        lines = {"pipelines.validate": {"said": done.stderr.strip().replace(str(clone.folder), ".")}}
        lines["pipelines.validate"] |= finished.again(clone)
        finished.same(clone, "read-only results")
    finally:
        subprocess.run(["umount", "-l", results], check=True)
    report("read-only results", lines)


def damaged(path: Path, how: str) -> None:
    whole = path.read_bytes()
    path.unlink()
    if how == "a folder":
        path.mkdir()
    else:
        noise = random.Random(0).randbytes(len(whole))
        half = len(whole) // 2
        path.write_bytes({"noise": noise, "cut": whole[:half], "noise inside": whole[:half] + noise[half:]}[how])


@pytest.mark.parametrize("how", ["noise", "cut", "noise inside", "a folder", "locked"])
def soak_a_database_that_cannot_be_used(finished: Suite, tmp_path, how):
    """Only track fails; the database is made again from the records."""
    clone = finished.clone.copied(tmp_path / "clone")
    path = clone.folder / "mlflow.db"
    (clone.folder / "results" / "leaderboard.md").unlink()
    (clone.folder / "mlruns" / "tracked.json").unlink()
    holder = sqlite3.connect(path, isolation_level=None)
    if how == "locked":
        holder.execute("BEGIN EXCLUSIVE")
    else:
        damaged(path, how)
    begun = time.monotonic()
    done = clone.run("dvc", "repro")
    spent = time.monotonic() - begun
    assert done.returncode != 0 and "failed to reproduce 'track'" in done.stderr and "Traceback" not in done.stderr
    said = next(line for line in done.stderr.splitlines() if line.startswith("error: "))
    assert "end that program" in said if how == "locked" else "made again" in said
    holder.close()
    if path.is_dir():
        path.rmdir()
    elif how != "locked":
        path.unlink()
    lines = {how: {"said": said.replace(str(clone.folder), "."), "s": spent} | finished.again(clone)}
    finished.same(clone, f"mlflow.db {how}")
    report(f"mlflow.db: {how}", lines)


def soak_a_worker_that_is_killed(finished: Suite, tmp_path):
    """As when memory runs out: the stage ends with a sentence, what was extracted stays."""
    clone = finished.clone.copied(tmp_path / "clone")
    due(clone, "features@biovid")
    clone.edit(lambda params: params["runtime"].update(workers=2))
    process = clone.start("dvc", "repro")
    shards, killed = clone.folder / "data" / "features" / "biovid", []
    while process.poll() is None and not killed:
        time.sleep(0.05)
        if len(list(shards.glob("*/shards/[!.]*.npz"))) >= 3:
            killed = clones.workers(process.pid)[:1]
    os.kill(killed[0], signal.SIGKILL)
    _, complained = process.communicate()
    kept = len(list(shards.glob("*/shards/[!.]*.npz")))
    said = next(line for line in complained.splitlines() if line.startswith("error: "))
    assert process.returncode != 0 and "Traceback" not in complained and "killed" in said
    lines = {"features@biovid": {"said": said, "shards kept": kept} | finished.again(clone)}
    clone.edit(lambda params: params["runtime"].update(workers="auto"))
    finished.same(clone, "a worker killed")
    report("a worker killed", lines)


@pytest.mark.parametrize("stage", ["features@recola", "teacher@recola_av"])
def soak_two_at_once(finished: Suite, tmp_path, stage):
    """The second stops with DVC's sentence, or finds everything done; neither harms the other."""
    clone = finished.clone.copied(tmp_path / "clone")
    due(clone, stage)
    first = clone.start("dvc", "repro", PYTHONUNBUFFERED="1")
    for line in first.stdout:
        if line.startswith("Running stage"):
            break
    second = clone.run("dvc", "repro")
    _, complained = first.communicate()
    assert first.returncode == 0, complained[-2000:]
    said = next((line for line in second.stderr.splitlines() if line.startswith("ERROR")), "all done")
    assert "Traceback" not in second.stderr
    lines = {stage: {"the second": f"exit {second.returncode}: {said}"} | finished.again(clone)}
    finished.same(clone, f"two at once in {stage}")
    report(f"two dvc repro at once: {stage}", lines)


@pytest.mark.parametrize("years", [-20, 20])
def soak_times_of_files(finished: Suite, tmp_path, years):
    """Files from the past and the future are the same files."""
    clone, lines = finished.clone.copied(tmp_path / "clone"), {}
    moment = time.time() + years * 365 * 86400
    for path in clone.folder.rglob("*"):
        if path.is_file():
            os.utime(path, (moment, moment))
    assert clone.repro() == set(), "other times of files make stages due"
    due(clone, "report")
    lines[f"{years:+d} years"] = {
        "stages due": "none",
        "made again": sorted(clone.repro()),
    }
    finished.same(clone, f"a clock {years:+d} years off")
    report(f"clock: files {years:+d} years off", lines)


def soak_a_clock_that_jumps(finished: Suite, tmp_path):
    """By days, there and back, twice a second, in every process of a whole run."""
    clone = Clone(tmp_path)
    clone.edit(make_small)
    ran = clone.repro(PYTHONPATH=str(CLOCK))
    finished.same(clone, "a clock that jumps")
    report("clock: jumps by days during a run", {"dvc repro": {"stages run": len(ran), "files that differ": 0}})
