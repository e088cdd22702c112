"""Work on many items at once: the only file that knows processes and clusters."""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from functools import partial
from typing import Any

from joblib import Parallel, cpu_count, delayed, parallel_config
from joblib.externals.loky.process_executor import TerminatedWorkerError
from threadpoolctl import threadpool_limits

from benchmark.progress import progress
from benchmark.sections import Runtime
from benchmark.types import NoWorkers

PATIENCE = 60  # seconds for a scheduler to answer, and for a first worker


def cores(workers: int | str) -> int:
    """How many processes to use; auto means every core this process may run on."""
    return cpu_count() if workers == "auto" else workers


def map(function: Callable[[Any], Any], items: Iterable, title: str, runtime: Runtime) -> list:
    """function of every item, in the order of the items, wherever and in whatever order they are worked on.

    function runs in the project's folder with one thread, so that its numbers do not depend on where that is.
    """
    items = list(items)
    found = dict(finished(function, items, title, runtime))
    return [found[number] for number in range(len(items))]


def finished(function: Callable[[Any], Any], items: list, title: str, runtime: Runtime) -> Iterator[tuple[int, Any]]:
    """Number and result of every item, as soon as it is done. NoWorkers if the processes are lost that work on them."""
    if not items:
        return
    job, spread = partial(alone, os.getcwd(), function), clustered if runtime.executor == "dask" else local
    yield from progress(spread(job, items, runtime), len(items), title)


def alone(folder: str, function: Callable[[Any], Any], item: tuple[int, Any]) -> tuple[int, Any]:
    number, content = item
    os.chdir(folder)  # workers live on, and may have been started elsewhere
    with threadpool_limits(1):
        return number, function(content)


def local(job: Callable, items: list, runtime: Runtime) -> Iterator[tuple[int, Any]]:
    """Over processes of this machine; one worker is this process."""
    count = min(cores(runtime.workers), len(items))
    with parallel_config("loky", inner_max_num_threads=1):
        results = Parallel(n_jobs=count, return_as="generator_unordered")(delayed(job)(own) for own in enumerate(items))
    try:
        yield from results
    except TerminatedWorkerError:
        raise NoWorkers(
            f"one of {count} worker processes was killed, as happens when memory runs out: allow fewer with "
            "runtime.workers in params.yaml. What was finished is kept; give the same command again."
        ) from None


def clustered(job: Callable, items: list, runtime: Runtime) -> Iterator[tuple[int, Any]]:
    """Over the workers of a Dask cluster, which works again on the items of a worker that died."""
    from distributed import KilledWorker, as_completed
    from distributed.protocol.pickle import dumps, loads

    def opened(sealed: bytes) -> tuple[int, Any]:  # in here, and sealed: no scheduler has to import this project
        return loads(sealed)()

    with client_of(runtime, len(items)) as client:
        sealed = [dumps(partial(job, own)) for own in enumerate(items)]
        done = as_completed([client.submit(opened, own, pure=False) for own in sealed], loop=client.loop)
        try:
            for future in done:
                yield future.result()
                future.release()  # else it is worked on again if its worker dies later
        except KilledWorker:
            raise NoWorkers(
                "several Dask workers died over the same item, as happens when memory runs out: give them more, or "
                "start fewer on a machine. What was finished is kept; give the same command again."
            ) from None
        except CancelledError:
            raise NoWorkers(
                "the Dask scheduler went away. What was finished is kept; start it and its workers, then give the same "
                "command again."
            ) from None


@contextmanager
def client_of(runtime: Runtime, most: int) -> Iterator:
    """A client of the Dask scheduler of an address, or of one with worker processes of this machine alone."""
    from distributed import Client, LocalCluster

    if runtime.scheduler:
        with reached(runtime.scheduler) as client:
            gather(client, runtime.scheduler, os.getcwd())
            yield client
        return
    own = {"host": "127.0.0.1", "dashboard_address": None, "memory_limit": 0, "threads_per_worker": 1}
    with LocalCluster(n_workers=min(cores(runtime.workers), most), **own) as cluster, Client(cluster) as client:
        yield client


def reached(scheduler: str):
    from distributed import Client

    try:
        return Client(scheduler, timeout=PATIENCE)
    except OSError:
        raise NoWorkers(
            f"runtime.scheduler: no Dask scheduler answers at {scheduler}. Start it with `dask scheduler`, or leave "
            "the line out for workers of this machine."
        ) from None


def gather(client, scheduler: str, folder: str) -> None:
    """Take every worker to the project's folder, with its code as it is now."""
    try:
        client.wait_for_workers(1, timeout=PATIENCE)
        if max(client.nthreads().values()) > 1:
            raise NoWorkers(f"runtime.scheduler: a worker of {scheduler} has several threads; give it `--nthreads 1`.")
        client.restart()  # imported before, the code may have been edited since
        client.register_plugin(entering(folder))
    except TimeoutError:
        raise NoWorkers(
            f"runtime.scheduler: the Dask scheduler at {scheduler} has no worker; start some with `dask worker "
            f"{scheduler} --nthreads 1`."
        ) from None
    except FileNotFoundError:
        raise NoWorkers(
            f"runtime.scheduler: a worker of {scheduler} has no folder {folder}; all machines have to share it."
        ) from None


def entering(folder: str):
    """What takes every worker to the project's folder, also one that starts later."""
    from distributed import WorkerPlugin

    class Project(WorkerPlugin):  # in here, because it is then sent whole to workers that cannot import this file yet
        name = "project"

        def setup(self, worker) -> None:
            import os
            import sys

            os.chdir(folder)
            sys.path.insert(0, folder)

    return Project()
