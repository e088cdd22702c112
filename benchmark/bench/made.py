"""Made-up clips as a stage leaves them in data/inputs/<task>: as large as those of the default suite, or as wanted."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch

from benchmark import cell as cells
from benchmark import splits
from benchmark.files import write_json
from benchmark.params import Method, Split, Task, Training
from benchmark.seeds import generator

CLIPS, SUBJECTS, FOLDS, SEEDS = 1200, 60, 5, 3  # of biovid_level
SEGMENTS = 10
FEATURES = {"vision": (103, 8), "biosignal": (10, 17)}  # of a segment, of a clip; as biovid_level has them
METHODS = {"prevalent_only": Method(), "kdot": Method(terms={"kdot": {}})}
TASK = Task(
    dataset="made_up", kind="ordinal", target=["level"], classes=[0, 1, 2, 3, 4], prevalent=["vision"],
    privileged=["biosignal"], split=Split(rule="subject_folds", folds=FOLDS),
)  # fmt: skip


def training(epochs: int, steps: int, batch: int = 128, seeds: int = SEEDS) -> Training:
    """As params.yaml has it, for so many epochs."""
    return Training(
        seeds=list(range(seeds)), encoder="pooled", batch=batch, epochs=epochs, steps=steps, rate=0.002, decay=0.01
    )


def write(folder: Path, clips: int = CLIPS, subjects: int = SUBJECTS, folds: int = FOLDS) -> None:
    """The files of a task whose two modalities both show its five classes."""
    rng = generator("bench", "clips", clips)
    level = rng.integers(0, 5, clips)
    for name, (segment, clip) in FEATURES.items():
        values = rng.standard_normal((clips, SEGMENTS + 1, segment + clip), np.float32)
        values[..., :3] += 0.5 * level[:, None, None]
        values[:, :-1, segment:] = values[:, -1, :segment] = np.nan
        np.save(folder / f"{name}.npy", values)
        names = {"segment": [f"s{n}" for n in range(segment)], "clip": [f"c{n}" for n in range(clip)]}
        write_json(folder / f"{name}.json", names)
    table = pd.DataFrame({
        "clip_id": [f"clip{number:06d}" for number in range(clips)],
        "recording_id": [f"clip{number:06d}" for number in range(clips)],
        "subject_id": [f"person{number % subjects:05d}" for number in range(clips)],
        "level": level, "has_vision": True, "has_biosignal": True,
    })  # fmt: skip
    table.to_parquet(folder / "clips.parquet", index=False)
    splits.draw(table, Split(rule="subject_folds", folds=folds)).to_parquet(folder / "splits.parquet", index=False)


def load(folder: Path, trained: Training, device: torch.device) -> cells.Cell:
    return cells.load("made_up", TASK, trained, folder, device, None)
