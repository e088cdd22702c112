"""Epoch curves on disk: appended as training goes, so that a long run can be watched."""

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmark.files import write_table
from benchmark.train import Replica

COLUMNS = ("epoch", "fold", "seed", "term", "value")


def recorder(path: Path, replicas: list[Replica]) -> Callable[[int, dict[str, np.ndarray]], None]:
    """An on_epoch for train.fit that appends a line per replica and term to a csv."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(",".join(COLUMNS) + "\n")

    def on_epoch(epoch: int, curves: dict[str, np.ndarray]) -> None:
        with path.open("a", newline="") as file:
            lines = csv.writer(file, lineterminator="\n")
            for term, values in sorted(curves.items()):
                for replica, value in zip(replicas, values, strict=True):
                    lines.writerow((epoch, *replica, term, f"{value:.6g}"))

    return on_epoch


def merge(paths: list[Path], chosen: np.ndarray, replicas: list[Replica], path: Path) -> None:
    """Of several candidates' curves, those of the candidate chosen for each replica."""
    import pandas as pd

    tables = [pd.read_csv(own) for own in paths]
    kept = []
    for replica, number in zip(replicas, chosen, strict=True):
        table = tables[number]
        kept.append(table[(table.fold == replica.fold) & (table.seed == replica.seed)])
    write_table(path, pd.concat(kept).sort_values(["epoch", "fold", "seed", "term"]))
