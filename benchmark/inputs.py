"""What networks read: the clips of a task as tensors, gathered once from its dataset."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from benchmark import missing
from benchmark.files import room, scratch, write_json
from benchmark.params import Missing, Task

CLIPS = 1024  # that are copied or reshaped at a time


class Table(NamedTuple):
    """The clips of one task that can be used; N clips."""

    clip_id: np.ndarray  # (N,) str
    recording_id: np.ndarray  # (N,) str
    subject_id: np.ndarray  # (N,) str, the group that is never split
    x: dict[str, Tensor]  # modality -> (N, ...) float32, NaN where not measured
    visible: dict[str, Tensor]  # modality -> (N,) bool, false where the modality is absent
    target: Tensor  # (N,) class index, or (N, targets) float32
    clean: Tensor | None  # the same without label noise, known only for synthetic recordings
    frames: np.ndarray  # (N,) annotated frames that a continuous label is the mean of; 1 for any other label
    variance: np.ndarray  # (N, targets) of the label over these frames
    masks: dict[str, np.ndarray] = {}  # as missing.draw gives them, where conditions or a method ask for them

    def positions(self, clip_ids) -> np.ndarray:
        """Row numbers of the given clips; those that were dropped are passed over."""
        rows = pd.Series(np.arange(len(self.clip_id)), index=self.clip_id)
        return rows.reindex(clip_ids).dropna().astype(int).to_numpy()


class Listed(NamedTuple):
    """Features of some clips in the table of their dataset, which is read where it is needed."""

    packed: np.ndarray  # (clips of the dataset, segments + 1, features), memory-mapped
    rows: np.ndarray  # (N,), in the order of the clips
    present: np.ndarray  # (N,) bool


def gather(task: Task, prepared: Path, features: Path, folder: Path) -> pd.DataFrame:
    """Write a task's inputs to folder; returns its clips, usable or not, for splitting.

    prepared, features: data/{prepared,features}/<dataset>. Clips without any prevalent modality, or for a task of
    complete clips without any of its modalities, are dropped, with their number in source.json.
    """
    clips = pd.read_parquet(prepared / "clips.parquet")
    clips = clips[wanted(task, clips)].reset_index(drop=True)
    if (prepared / "clean.parquet").exists():
        clean = pd.read_parquet(prepared / "clean.parquet").set_index("clip_id").loc[clips.clip_id]
        clips = clips.assign(**{f"clean_{name}": clean[name].to_numpy() for name in task.target})
    found = {name: rows_of(features / name, clips.clip_id) for name in (*task.prevalent, *task.privileged)}
    names = {name: json.loads((features / name / "names.json").read_text()) for name in found}
    clips = clips.assign(**{f"has_{name}": own.present for name, own in found.items()})
    usable = clips[[f"has_{name}" for name in task.prevalent]].any(axis=1).to_numpy()
    complete = clips[[f"has_{name}" for name in found]].all(axis=1).to_numpy()
    kept = usable & complete if task.clips == "complete" else usable
    for modality, own in found.items():
        copy(own.packed, own.rows[kept], folder / f"{modality}.npy")
        write_json(folder / f"{modality}.json", names[modality])
    clips[kept].reset_index(drop=True).to_parquet(folder / "clips.parquet", index=False)
    source = json.loads((prepared / "source.json").read_text())
    dropped = {"without_prevalent": int((~usable).sum()), "incomplete": int((usable & ~kept).sum())}
    extractors = {name: {key: names[name][key] for key in ("extractor", "versions")} for name in names}
    write_json(folder / "source.json", source | {"dropped": source["dropped"] | dropped, "extractors": extractors})
    return clips


def masks(task: Task, folder: Path, options: Missing) -> dict[str, np.ndarray]:
    """The masks of a task's conditions for its clips, as missing.draw gives them. folder: data/inputs/<task>."""
    clips, every = pd.read_parquet(folder / "clips.parquet"), (*task.prevalent, *task.privileged)
    present = clips[[f"has_{name}" for name in every]].to_numpy(bool)
    return missing.draw(task, clips.clip_id.to_numpy(), present, recorded(folder, every[0])[0].shape[1] - 1, options)


def load_masks(path: Path) -> dict[str, np.ndarray]:
    """Masks as the stage of that name saved them."""
    with np.load(path, allow_pickle=False) as drawn:
        return dict(drawn)


def about(folder: Path, modalities) -> dict:
    """What a trained network must be told of its inputs, so that it can be used without them, for its card.

    folder: data/inputs/<task>. data: where the clips come from, and how many there are; windows: length and step of
    the windows that recordings are cut into, None where a clip is a whole recording; features: how each of the
    modalities is extracted, and the names of what it gives.
    """
    source, clips = json.loads((folder / "source.json").read_text()), pd.read_parquet(folder / "clips.parquet")
    data = {name: source[name] for name in ("dataset", "provenance")}
    data |= {"clips": len(clips), "subjects": int(clips.subject_id.nunique())}
    features = {name: json.loads((folder / f"{name}.json").read_text()) for name in modalities}
    return {"data": data, "windows": windows(clips), "features": features}


def windows(clips: pd.DataFrame) -> dict[str, float] | None:
    """{"length_s", "hop_s"} of clips that are equal stretches of longer recordings; None if they are not."""
    lengths = clips.end_s - clips.start_s
    steps = clips.sort_values("start_s").groupby("recording_id").start_s.diff().dropna()
    if steps.empty or not np.isfinite(lengths).all() or np.ptp(lengths) > 1e-6:
        return None
    return {"length_s": round(float(lengths.iloc[0]), 6), "hop_s": round(float(steps.min()), 6)}


def wanted(task: Task, clips: pd.DataFrame) -> np.ndarray:
    """Which clips belong to the task: labelled, and of one of its classes."""
    if task.kind == "regression":
        return clips[task.target].notna().all(axis=1).to_numpy()
    return clips[task.target[0]].isin(task.classes).to_numpy()


def rows_of(folder: Path, clip_ids: pd.Series) -> Listed:
    """Where features of the given clips are. folder: data/features/<dataset>/<modality>."""
    index = pd.read_parquet(folder / "index.parquet")
    rows = pd.Series(np.arange(len(index)), index=index.clip_id).loc[clip_ids].to_numpy()
    return Listed(np.load(folder / "features.npy", mmap_mode="r"), rows, index.present.to_numpy()[rows])


def copy(packed: np.ndarray, rows: np.ndarray, path: Path) -> None:
    """Rows of a table in a file of their own."""
    copied = room(path, (len(rows), *packed.shape[1:]))
    for own in chunks(len(rows)):
        copied[own] = packed[rows[own]]


def chunks(clips: int) -> Iterator[slice]:
    """The numbers from 0 to clips, CLIPS at a time; at least one part, if empty."""
    return (slice(first, min(first + CLIPS, clips)) for first in range(0, max(clips, 1), CLIPS))


def degraded(task: Task, folder: Path, root: Path) -> dict[str, dict[str, Listed]]:
    """Per degradation and modality what `rows_of` gives of the task's clips.

    folder: data/inputs/<task>, whose clips give the order; root: data/degraded. A modality that a degradation leaves
    as it is has no entry, nor has any where it changes no modality of the task.
    """
    clip_ids, own = pd.read_parquet(folder / "clips.parquet", columns=["clip_id"]).clip_id, root / task.dataset
    made = json.loads((own / "degradations.json").read_text())
    modalities = (*task.prevalent, *task.privileged)
    return {
        name: {part: rows_of(own / name / part, clip_ids) for part in modalities if part in made[name]} for name in made
    }


def load(task: Task, folder: Path, encoder: str) -> Table:
    """The inputs of a task as its networks read them. folder: data/inputs/<task>."""
    clips = pd.read_parquet(folder / "clips.parquet")
    modalities = (*task.prevalent, *task.privileged)
    x = {name: whole(folder, name, encoder) for name in modalities}
    clean, spread = ([pattern.format(name) for name in task.target] for pattern in ("clean_{}", "{}_variance"))
    return Table(
        clip_id=clips.clip_id.to_numpy(),
        recording_id=clips.recording_id.to_numpy(),
        subject_id=clips.subject_id.to_numpy(),
        x=x,
        visible={name: torch.from_numpy(clips[f"has_{name}"].to_numpy()) for name in modalities},
        target=targets(task, clips[task.target].to_numpy(float)),
        clean=targets(task, clips[clean].to_numpy(float)) if clean[0] in clips else None,
        frames=clips.frames.to_numpy(float) if "frames" in clips else np.ones(len(clips)),
        variance=clips[spread].to_numpy(float) if spread[0] in clips else np.zeros((len(clips), len(spread))),
    )


def recorded(folder: Path, modality: str) -> tuple[np.ndarray, int]:
    """Packed features (N, segments + 1, features) of a modality, and how many of them are of segments."""
    segment = len(json.loads((folder / f"{modality}.json").read_text())["segment"])
    return np.load(folder / f"{modality}.npy", mmap_mode="r"), segment


def shaped(packed: np.ndarray, segment: int, encoder: str) -> Tensor:
    """Packed features as an encoder reads them: (N, ...) float32."""
    return torch.from_numpy((pool if encoder == "pooled" else unfold)(packed, segment))


def whole(folder: Path, modality: str, encoder: str) -> Tensor:
    """A modality of all clips of a task, as its encoder reads it: (N, ...), in a file where it is large."""
    packed, segment = recorded(folder, modality)
    return joined((shaped(packed[own], segment, encoder) for own in chunks(len(packed))), len(packed), folder)


def reshaped(folder: Path, modality: str, given: Listed, encoder: str) -> Tensor:
    """Other features of a modality, as `whole` gives its own."""
    segment, rows = recorded(folder, modality)[1], given.rows
    parts = (shaped(given.packed[rows[own]], segment, encoder) for own in chunks(len(rows)))
    return joined(parts, len(rows), folder)


def gapped(folder: Path, modality: str, starts: np.ndarray, share: float, encoder: str) -> Tensor:
    """A modality with a gap in each clip, as its encoder reads it: (draws, N, ...). starts (draws, N), of segments."""
    packed, segment = recorded(folder, modality)
    parts = (
        shaped(missing.cut(packed[own], start[own], share), segment, encoder)
        for start in starts
        for own in chunks(len(packed))
    )
    return joined(parts, starts.size, folder).unflatten(0, starts.shape)


def joined(parts: Iterable[Tensor], count: int, folder: Path) -> Tensor:
    """Parts of a table one below the other, count rows together, as files.scratch holds them."""
    found, first = None, 0
    for part in parts:
        if found is None:
            found = torch.from_numpy(scratch(folder, (count, *part.shape[1:])))
        found[first : first + len(part)] = part
        first += len(part)
    return found


def targets(task: Task, labels: np.ndarray) -> Tensor:
    """Class index of the nearest of the task's label values (exact for real labels), or the values themselves."""
    if task.kind == "regression":
        return torch.from_numpy(labels.astype(np.float32))
    return torch.from_numpy(np.abs(labels - np.asarray(task.classes)).argmin(axis=1))


def pool(packed: np.ndarray, segment: int) -> np.ndarray:
    """Mean and deviation over segments of the first `segment` columns, beside the clip-level row."""
    values = packed[:, :-1, :segment].astype(np.float64)
    known = np.isfinite(values)
    count = known.sum(axis=1)
    mean = np.where(known, values, 0).sum(axis=1) / np.maximum(count, 1)
    deviation = np.sqrt((np.where(known, values - mean[:, None], 0) ** 2).sum(axis=1) / np.maximum(count, 1))
    mean[count == 0] = deviation[count == 0] = np.nan
    return np.concatenate([mean, deviation, packed[:, -1, segment:]], axis=1).astype(np.float32)


def columns(names: dict, encoder: str) -> list[str]:
    """Names of the features of a modality in the order in which a network of this encoder reads them."""
    segment, clip = list(names["segment"]), list(names["clip"])
    if encoder == "pooled":
        segment = [f"{kind} of {name}" for kind in ("mean", "deviation") for name in segment]
    return segment + clip


def unfold(packed: np.ndarray, segment: int) -> np.ndarray:
    """Every segment beside a copy of the clip-level row: (N, segments, features)."""
    filled = np.array(packed[:, :-1])
    filled[:, :, segment:] = packed[:, -1:, segment:]
    return filled
