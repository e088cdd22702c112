"""How time and memory grow with clips, batch and replicas; written for the figure of the report too."""

import math
import shutil
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import torch
from safetensors.torch import save_file

from benchmark import student, targets
from benchmark.bench import child, made, page
from benchmark.files import write_table
from benchmark.models import WIDTH
from benchmark.progress import progress
from benchmark.seeds import generator

CLIPS = (1_000, 10_000, 100_000)
BATCHES = (32, 128, 512, 2048)
REPLICAS = (1, 5, 15, 30)
EPOCHS, STEPS = 2, 10
TIMES, ENOUGH_S = 3, 5.0  # trainings of a point, fewer where they fill so many seconds
COLUMNS = ("quantity", "against", "method", "replicas", "x", "y")

EXPLANATION = f"""Made-up feature tables, as wide as those of `biovid_level` and laid out like `data/inputs/<task>` \
with targets of a teacher; each point is a process of its own that loads them and trains a method for {EPOCHS} \
epochs of {STEPS} steps, with a look at all validation clips after each. *load*: until the clips and targets are in \
memory; *train*: median of {TIMES} trainings, or of as many as fill {ENOUGH_S:g} s; *memory*: the most the process \
held, Python and its libraries included. The exponent is that of the last tenfold: 1 is linear. What grows with \
replicas is for {made.CLIPS} clips and batches of 128, with batches for 4096 clips and one replica. The figure is in \
the report after the next `dvc repro`."""


def measure(
    results: Path,
    clips: tuple[int, ...] = CLIPS,
    batches: tuple[int, ...] = BATCHES,
    replicas: tuple[int, ...] = REPLICAS,
    counts: tuple[int, ...] = (1, made.FOLDS * made.SEEDS),
) -> dict:
    """The part of the page; also results/bench/growth.csv."""
    rows = []
    with TemporaryDirectory() as folder:
        rows += against(Path(folder), "clips", [(n, count, 128, n) for n in clips for count in counts])
        rows += against(Path(folder), "batch", [(4096, 1, size, size) for size in batches])
        rows += against(Path(folder), "replicas", [(made.CLIPS, count, 128, count) for count in replicas])
    write(results / "bench" / "growth.csv", rows)
    tables = {
        f"Against {name}": [row for row in rows if row["against"] == name] for name in ("clips", "batch", "replicas")
    }
    told = {name: [shown(row) for row in own] for name, own in tables.items()}
    return page.part("Growth", EXPLANATION, told, goals(rows)) | {"repetitions": TIMES}


def against(folder: Path, name: str, points: list[tuple[int, int, int, int]]) -> list[dict]:
    """A row per method and point: clips, replicas, batch, and which of them is the axis."""
    rows, place = [], folder / "inputs"
    for clips, replicas, batch, x in progress(points, len(points), f"growth, {name}"):
        prepare(place, clips, replicas)
        for method in made.METHODS:
            found = child.alone(train, folder=str(place), method=method, batch=batch, seeds=seeds(replicas))
            held = {"memory_mb": found["peak_mb"], "imports_mb": found["imports_mb"]}
            rows.append({"against": name, "method": method, "replicas": replicas, "x": x} | found["found"] | held)
        shutil.rmtree(place)
    return rows


def seeds(replicas: int) -> int:
    """Seeds of a task that has as many replicas; five folds wherever that is possible."""
    return replicas // folds(replicas)


def folds(replicas: int) -> int:
    return made.FOLDS if replicas % made.FOLDS == 0 else 2 if replicas % 2 == 0 else 1


def prepare(folder: Path, clips: int, replicas: int) -> None:
    """The inputs of so many clips, and what a teacher would say of them."""
    folder.mkdir()
    made.write(folder, clips, max(clips // 20, 10), max(folds(replicas), 2))
    if folds(replicas) == 1:
        first_fold(folder)
    rng = generator("bench", "targets", clips, replicas)

    def drawn(*shape: int) -> torch.Tensor:
        return torch.from_numpy(rng.standard_normal((replicas, clips, *shape), np.float32))

    seen = torch.ones(replicas, clips, len(made.FEATURES), dtype=torch.bool)
    said = {"prediction": drawn(5), "z": drawn(WIDTH), "tokens": drawn(len(made.FEATURES), WIDTH), "seen": seen}
    save_file(said, folder / "trained.safetensors")


def first_fold(folder: Path) -> None:
    """Leave one fold of the splits."""
    splits = pd.read_parquet(folder / "splits.parquet")
    splits[splits.fold == 0].to_parquet(folder / "splits.parquet", index=False)


def train(folder: str, method: str, batch: int, seeds: int) -> dict[str, float]:
    """Load what is in a folder and train one method, as the stage does; seconds of both."""
    chosen, start = made.METHODS[method], time.perf_counter()
    cell = made.load(Path(folder), made.training(EPOCHS, STEPS, batch, seeds), torch.device("cpu"))
    given = targets.load(cell, Path(folder), chosen.teacher)
    loaded, spent = time.perf_counter() - start, []
    while len(spent) < TIMES and sum(spent) < ENOUGH_S:
        start = time.perf_counter()
        student.fit(cell, chosen, given, None)
        spent.append(time.perf_counter() - start)
    return {"load_s": loaded, "train_s": median(spent)}


def shown(row: dict) -> dict:
    """A row of the page."""
    names = {"x": row["against"], "load_s": "load, s", "train_s": "train, s", "memory_mb": "memory, MB"}
    kept = {names.get(key, key): value for key, value in row.items() if key not in ("against", "imports_mb")}
    if row["against"] == "replicas":
        del kept["replicas"]
        kept = {"method": kept.pop("method"), "replicas": row["x"], **kept}
    return kept


def goals(rows: list[dict]) -> list[dict]:
    """Nothing worse than linear in clips, and what the largest table takes."""
    found, own = [], [row for row in rows if row["against"] == "clips"]
    for count in sorted({row["replicas"] for row in own}):
        for quantity in ("load_s", "train_s", "memory_mb"):
            worst = max(exponent(own, quantity, method, count) for method in made.METHODS)
            name = f"exponent of {quantity.rsplit('_', 1)[0]} in clips, replicas: {count}"
            found.append(page.goal(name, worst, at_most=1.1))
    largest = max(row["x"] for row in own)
    held = max(row["memory_mb"] for row in own if row["x"] == largest)
    return [*found, page.goal(f"memory of {largest} clips, MB", held, at_most=4096)]


def exponent(rows: list[dict], quantity: str, method: str, replicas: int) -> float:
    """Slope on logarithmic axes between the two largest tables; of memory above what the imports take."""
    points = sorted(
        (row["x"], row[quantity] - (row["imports_mb"] if quantity == "memory_mb" else 0.0))
        for row in rows
        if row["method"] == method and row["replicas"] == replicas
    )
    (x, y), (more, grown) = points[-2:]
    return math.log(max(grown, 1e-9) / max(y, 1e-9)) / math.log(more / x)


def write(path: Path, rows: list[dict]) -> None:
    """The measurements in long form."""
    long = [
        [quantity, *(row[name] for name in COLUMNS[1:-1]), f"{row[quantity]:.6g}"]
        for row in rows
        for quantity in ("load_s", "train_s", "memory_mb")
    ]
    write_table(path, pd.DataFrame(long, columns=COLUMNS))
