"""Processes, clusters and deaths of workers change the time a stage takes, and nothing else."""

import os
import signal
import time
from functools import partial
from pathlib import Path
from threading import Timer

import dask
import pytest
from distributed import LocalCluster
from test_extraction import OPTIONS, job, recordings  # noqa: F401  (a fixture)

from benchmark import executor, extraction
from benchmark.datasets import biovid
from benchmark.executor import cores
from benchmark.progress import progress
from benchmark.sections import Runtime
from benchmark.types import NoWorkers

DASK = Runtime(executor="dask", workers=2)
RUNTIMES = [Runtime(workers=1), Runtime(workers=2), DASK]


def late_first(number: int) -> tuple[int, int]:
    time.sleep(0.2 if number == 0 else 0.0)
    return number, os.getpid()


@pytest.mark.parametrize("runtime", RUNTIMES, ids=["alone", "local", "dask"])
def test_results_come_in_the_order_of_the_items(runtime):
    results = executor.map(late_first, range(5), "testing", runtime)
    assert [number for number, _ in results] == [0, 1, 2, 3, 4]
    assert (os.getpid() in {process for _, process in results}) == (runtime.workers == 1)


def extracted(tree: Path, folder: Path, runtime: Runtime, work) -> dict[str, bytes]:
    """Shards of a modality, one for each clip, made over an executor."""
    folder.mkdir()
    kind, channels = biovid.modalities(OPTIONS)["vision"]
    clips = biovid.read(tree, OPTIONS).clips.rename(columns={"vision": "path"})
    jobs = [job("vision", kind, tree, folder / f"{name}.npz", own, channels) for name, own in clips.groupby("clip_id")]
    assert [own[:2] for own in executor.map(work, jobs, "testing", runtime)] == [(1, 0)] * 10
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def killed_once(job: extraction.Job, marker: Path) -> extraction.Counts:
    """Extraction, in the midst of which the first process that comes here is killed."""
    try:
        marker.touch(exist_ok=False)
    except FileExistsError:
        return extraction.extract_subject(job)
    Timer(0.05, os.kill, (os.getpid(), signal.SIGKILL)).start()
    extraction.extract_subject(job)
    signal.pause()


def test_features_are_the_same_bytes_on_a_cluster_one_of_whose_workers_is_killed(recordings, tmp_path):  # noqa: F811
    expected = extracted(recordings, tmp_path / "alone", Runtime(workers=1), extraction.extract_subject)
    marker = tmp_path / "killed"
    found = extracted(recordings, tmp_path / "dask", DASK, partial(killed_once, marker=marker))
    assert found == expected and marker.exists()


def dies(number: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize(
    "runtime, told", [(Runtime(workers=2), "one of 2 worker processes was killed"), (DASK, "several Dask workers died")]
)
def test_workers_that_are_killed_again_and_again_are_told_in_words(runtime, told):
    with dask.config.set({"distributed.scheduler.allowed-failures": 1}), pytest.raises(NoWorkers, match=told):
        executor.map(dies, range(2), "testing", runtime)


def whereabouts(_) -> tuple[int, str, str | None]:
    return os.getpid(), os.getcwd(), os.environ.get("OMP_NUM_THREADS")


def test_workers_of_a_running_scheduler_start_afresh_in_the_folder_of_the_project(tmp_path, monkeypatch):
    own = {"n_workers": 1, "host": "127.0.0.1", "dashboard_address": None}
    with LocalCluster(threads_per_worker=1, **own) as cluster:
        runtime = Runtime(executor="dask", scheduler=cluster.scheduler_address)
        before = {nanny.pid for nanny in cluster.workers.values()}
        monkeypatch.chdir(tmp_path)
        [(process, *rest)] = executor.map(whereabouts, [0], "testing", runtime)
    assert rest == [str(tmp_path), "1"]
    assert process not in before | {os.getpid()}


@pytest.mark.parametrize(
    "workers, told",
    [
        ({"n_workers": 0}, "has no worker; start some with `dask worker tcp://"),
        ({"n_workers": 1, "threads_per_worker": 2}, "has several threads; give it `--nthreads 1`"),
    ],
)
def test_workers_that_cannot_be_used_are_told_in_a_sentence(workers, told, monkeypatch):
    monkeypatch.setattr(executor, "PATIENCE", 2)
    with LocalCluster(processes=False, host="tcp://127.0.0.1", dashboard_address=None, **workers) as cluster:
        runtime = Runtime(executor="dask", scheduler=cluster.scheduler_address)
        with pytest.raises(NoWorkers, match=told):
            executor.map(late_first, range(2), "testing", runtime)


def test_a_scheduler_that_is_not_there_is_told_in_a_sentence(monkeypatch):
    monkeypatch.setattr(executor, "PATIENCE", 1)
    runtime = Runtime(executor="dask", scheduler="tcp://127.0.0.1:9")
    with pytest.raises(NoWorkers, match=r"no Dask scheduler answers at tcp://127.0.0.1:9. Start it with `dask sched"):
        executor.map(late_first, range(2), "testing", runtime)


def test_auto_uses_the_cores_this_process_may_use():
    assert 1 <= cores("auto") <= os.cpu_count() and cores(3) == 3


@pytest.mark.parametrize("runtime", RUNTIMES, ids=["alone", "local", "dask"])
def test_no_items_are_no_work(runtime):
    assert executor.map(late_first, [], "testing", runtime) == []


def test_progress_is_silent_unless_the_output_is_a_terminal(capfd):
    assert list(progress(iter("abc"), 3, "letters")) == ["a", "b", "c"]
    assert capfd.readouterr() == ("", "")
