"""Work on many items at once: the only file that knows processes."""

from collections.abc import Callable, Iterable
from typing import Any

from joblib import Parallel, cpu_count, delayed

from benchmark.progress import progress


def cores(workers: int | str) -> int:
    """How many processes to use; auto means every core this process may run on."""
    return cpu_count() if workers == "auto" else workers


def spread(function: Callable[[Any], Any], items: Iterable, title: str, workers: int | str) -> list:
    """function of every item, in the order of the items, over processes."""
    items = list(items)
    count = min(cores(workers), len(items)) or 1
    results = Parallel(n_jobs=count, return_as="generator")(delayed(function)(item) for item in items)
    return list(progress(results, len(items), title))
