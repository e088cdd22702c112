"""Python loads this by its name when its folder is in PYTHONPATH: its clock jumps by days, there and back, as that of a
machine does whose battery is empty or that woke up elsewhere. What counts seconds (time.monotonic) goes on evenly."""

import time

JUMPS = (400, -3, 20, -7000)  # days; the next one after half a second
REAL = time.time_ns


def jumped() -> int:
    return REAL() + JUMPS[int(2 * time.monotonic()) % len(JUMPS)] * 86_400 * 10**9


time.time_ns = jumped
time.time = lambda: jumped() / 1e9
