"""Made-up datasets of any number of clips, in the layout of data/prepared and data/features, and a task's inputs."""

from pathlib import Path

import numpy as np
import pandas as pd

from benchmark import inputs, splits
from benchmark.bench.made import FEATURES, SEGMENTS, TASK
from benchmark.files import room, write_json
from benchmark.params import Task

EACH = 20  # clips of a subject


def dataset(root: Path, clips: int, subjects: int | None = None, widths: dict = FEATURES) -> pd.DataFrame:
    """data/{prepared,features}/made_up below root; returns the clip table. The level shows in the first features."""
    table = clip_table(clips, subjects or max(clips // EACH, 1))
    prepared = root / "data" / "prepared" / "made_up"
    prepared.mkdir(parents=True)
    table.to_parquet(prepared / "clips.parquet", index=False)
    write_json(prepared / "source.json", {"provenance": "synthetic", "dataset": "made_up", "dropped": {"remarks": 0}})
    for name, (segment, clip) in widths.items():
        folder = root / "data" / "features" / "made_up" / name
        folder.mkdir(parents=True)
        recipe = {"segment": dict.fromkeys(map("s{}".format, range(segment)), "")}
        recipe |= {"clip": dict.fromkeys(map("c{}".format, range(clip)), ""), "extractor": name, "channels": []}
        recipe |= {"version": 1, "versions": {}, "segments": SEGMENTS, "options": {}}
        write_json(folder / "names.json", recipe)
        present = write_features(folder / "features.npy", table.level.to_numpy(), segment, clip, seed=len(name))
        index = pd.DataFrame({"clip_id": table.clip_id, "present": present, "reason": ""})
        index.to_parquet(folder / "index.parquet", index=False)
    return table


def clip_table(clips: int, subjects: int) -> pd.DataFrame:
    """Clips of subjects in turn, so that those of one subject do not lie together."""
    number = np.arange(clips)
    names = [f"clip_{n:07d}" for n in number]
    people = [f"subject_{n:06d}" for n in number % subjects]
    level = np.random.default_rng(0).integers(0, 5, clips)
    return pd.DataFrame({"clip_id": names, "recording_id": names, "subject_id": people, "level": level}).assign(
        start_s=0.0, end_s=np.inf, provenance="synthetic"
    )


def write_features(path: Path, level: np.ndarray, segment: int, clip: int, seed: int) -> np.ndarray:
    """Packed features of all clips; returns which of them are present: all but one in twenty."""
    rng, packed = np.random.default_rng(seed), room(path, (len(level), SEGMENTS + 1, segment + clip))
    present = rng.random(len(level)) > 0.05 * (seed > len("vision"))
    for own in inputs.chunks(len(level)):
        values = rng.standard_normal(packed[own].shape, dtype=np.float32)
        values[:, :, :2] += level[own, None, None] / 2
        values[:, :-1, segment:] = values[:, -1, :segment] = np.nan
        values[~present[own]] = np.nan
        packed[own] = values
    return present


def gathered(root: Path, task: Task = TASK) -> Path:
    """The task's inputs, as its stage makes them; returns data/inputs/made_up below root."""
    folder, data = root / "data" / "inputs" / "made_up", root / "data"
    folder.mkdir(parents=True)
    clips = inputs.gather(task, data / "prepared" / "made_up", data / "features" / "made_up", folder)
    splits.draw(clips, task.split).to_parquet(folder / "splits.parquet", index=False)
    return folder
