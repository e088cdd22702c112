"""From recordings to feature tables: one shard per subject, kept while nothing it was made from changes."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile

import numpy as np
import pandas as pd

from benchmark import plugins
from benchmark.files import write_json
from benchmark.types import Definitions, Modality, Unusable


class Job(NamedTuple):
    """All clips of one subject and modality, with everything that decides their features."""

    modality: str
    kind: str
    root: Path  # of the recordings; nothing outside it is opened
    shard: Path
    clips: pd.DataFrame  # clip_id, start_s, end_s, path
    layout: str
    dataset_options: Any
    extractor_options: Any
    channels: tuple[str, ...]
    segments: int


class Counts(NamedTuple):
    clips: int
    failed: int
    computed: int  # clips of shards that had to be made anew


def definitions(modality: Modality) -> Definitions:
    return plugins.load("features", modality.kind).definitions(modality.channels)


def inside(root: Path, listed: str) -> Path:
    """The file a table lists, if the path stays below root; Unusable otherwise. A folder in it may be a link."""
    if os.path.isabs(listed) or os.path.normpath(listed).split(os.sep)[0] == os.pardir:
        raise Unusable(f"the path {listed} leaves the folder of the dataset")
    path = root / os.path.normpath(listed)
    try:
        there = path.is_file()
    except (OSError, ValueError) as error:  # too long a name, a character no name may have
        raise Unusable(f"no file can have the path {listed!r}: {error}") from None
    if not there:
        raise Unusable(f"there is no file {listed}")
    return path


def header(job: Job) -> str:
    """What a shard was made from: extractor, its version and source, options, and the content of its recordings."""
    content = hashlib.blake2b(digest_size=16)
    for listed in job.clips.path.dropna():
        try:
            with inside(job.root, listed).open("rb") as file:
                content.update(hashlib.file_digest(file, "blake2b").digest())
        except (Unusable, OSError) as error:
            content.update(str(error).encode())
    made_from = {
        "extractor": job.kind,
        "version": plugins.load("features", job.kind).VERSION,
        "source": plugins.digest("features", job.kind),
        "layout": plugins.digest("datasets", job.layout),
        "extraction": hashlib.blake2b(Path(__file__).read_bytes(), digest_size=8).hexdigest(),
        "options": [job.extractor_options.model_dump(), job.dataset_options.model_dump()],
        "segments": job.segments,
        "channels": job.channels,
        "clips": job.clips[["clip_id", "start_s", "end_s"]].astype(str).values.tolist(),
        "recordings": content.hexdigest(),
    }
    return json.dumps(made_from, sort_keys=True)


def extract_subject(job: Job) -> Counts:
    """Make the shard of one subject unless it is there already; returns what was done."""
    wanted = header(job)
    if job.shard.exists() and (kept := read_shard(job.shard)) and kept["header"] == wanted:
        return Counts(len(job.clips), int((kept["reason"] != "").sum()), 0)
    rows = [extract_clip(job, clip) for clip in job.clips.itertuples()]
    reasons = [reason for _, reason in rows]
    partial = job.shard.with_name(f".{job.shard.stem}.tmp.npz")
    np.savez(partial, header=wanted, features=np.stack([values for values, _ in rows]), reason=np.array(reasons, str))
    os.replace(partial, job.shard)
    return Counts(len(rows), sum(map(bool, reasons)), len(rows))


def extract_clip(job: Job, clip) -> tuple[np.ndarray, str]:
    """(segments + 1, features) float32 and why they are absent, or an empty reason.

    Segment-level features fill the first columns of the first rows, clip-level features the last columns of the
    last row; everything else is NaN.
    """
    extractor = plugins.load("features", job.kind)
    defined = extractor.definitions(job.channels)
    first, last = len(defined.segment), len(defined.clip)
    values = np.full((job.segments + 1, first + last), np.nan, np.float32)
    if not isinstance(clip.path, str):
        return values, "not recorded"
    try:
        path = inside(job.root, clip.path)
        opener = getattr(plugins.load("datasets", job.layout), f"open_{job.kind}")
        recording = opener(path, clip.start_s, clip.end_s, job.dataset_options)
        found = extractor.extract(recording, job.segments, job.extractor_options)
    except Unusable as error:
        return values, str(error)
    except Exception as error:  # a foreign file may break any library; one clip must not stop the others
        return values, f"{job.kind} extraction failed with {type(error).__name__}: {error}"
    values[:-1, :first], values[-1, first:] = found.segment, found.clip
    return values, ""


def read_shard(path: Path) -> dict | None:
    """A shard's content, or None if it is not one."""
    try:
        with np.load(path, allow_pickle=False) as shard:
            return {"header": str(shard["header"]), "features": shard["features"], "reason": shard["reason"]}
    except (ValueError, OSError, KeyError, EOFError, BadZipFile):
        return None


def shard_name(subject: str) -> str:
    """A file name for a subject, whatever characters its identity has."""
    return hashlib.blake2b(subject.encode(), digest_size=10).hexdigest() + ".npz"


def pack(folder: Path, clips: pd.DataFrame, modality: Modality) -> pd.DataFrame:
    """Join the shards into features.npy, index.parquet and names.json, in the order of clips; returns the index.

    Shards of subjects that are no longer listed are deleted.
    """
    shards = {subject: folder / "shards" / shard_name(subject) for subject in clips.subject_id.unique()}
    for path in sorted((folder / "shards").iterdir()):
        if path not in shards.values():
            path.unlink()
    parts = {subject: read_shard(path) for subject, path in shards.items()}
    taken = clips.groupby("subject_id").cumcount()
    rows = list(zip(clips.subject_id, taken, strict=True))
    features = np.stack([parts[subject]["features"][number] for subject, number in rows])
    reasons = [str(parts[subject]["reason"][number]) for subject, number in rows]
    np.save(folder / "features.tmp.npy", features)
    os.replace(folder / "features.tmp.npy", folder / "features.npy")
    index = pd.DataFrame({"clip_id": clips.clip_id, "present": [not reason for reason in reasons], "reason": reasons})
    index.to_parquet(folder / "index.parquet", index=False)
    write_json(folder / "names.json", definitions(modality)._asdict())
    return index
