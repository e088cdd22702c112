"""Processes change the time a stage takes, and nothing else."""

import os
import time

import pytest

from benchmark.executor import cores, spread
from benchmark.progress import progress


def late_first(number: int) -> tuple[int, int]:
    time.sleep(0.2 if number == 0 else 0.0)
    return number, os.getpid()


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_the_order_of_the_items(workers):
    results = spread(late_first, range(5), "testing", workers)
    assert [number for number, _ in results] == [0, 1, 2, 3, 4]
    assert (os.getpid() in {process for _, process in results}) == (workers == 1)


def test_auto_uses_the_cores_this_process_may_use():
    assert 1 <= cores("auto") <= os.cpu_count() and cores(3) == 3


def test_no_items_are_no_work():
    assert spread(late_first, [], "testing", "auto") == []


def test_progress_is_silent_unless_the_output_is_a_terminal(capfd):
    assert list(progress(iter("abc"), 3, "letters")) == ["a", "b", "c"]
    assert capfd.readouterr() == ("", "")
