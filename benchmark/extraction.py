"""From recordings to feature tables: one shard per subject, kept while nothing it was made from changes."""

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from benchmark import plugins
from benchmark.files import is_pointer, replacing, room, write_json, write_table
from benchmark.types import Modality, Source, Unusable


class Job(NamedTuple):
    """All clips of one subject and modality, with everything that decides their features."""

    modality: str
    kind: str
    root: Path  # of the recordings; nothing outside it is opened
    shard: Path
    clips: pd.DataFrame  # clip_id, recording_id, start_s, end_s, path
    layout: str
    dataset_options: Any
    extractor_options: Any
    channels: tuple[str, ...]
    segments: int
    change: Any = None  # what is done to a recording before it is analysed, a degradation.Degrading


class Counts(NamedTuple):
    clips: int
    failed: int
    computed: int  # clips of shards that had to be made anew


def inside(root: Path, listed: str) -> Path:
    """The file or folder a table lists, if the path stays below root; Unusable otherwise. A folder may be a link."""
    if os.path.isabs(listed) or os.path.normpath(listed).split(os.sep)[0] == os.pardir:
        raise Unusable(f"the path {listed} leaves the folder of the dataset")
    path = root / os.path.normpath(listed)
    try:
        there = path.exists()
    except (OSError, ValueError) as error:  # too long a name, a character no name may have
        raise Unusable(f"no file can have the path {listed!r}: {error}") from None
    if not there:
        raise Unusable(f"there is no file {listed}")
    if not (path.is_file() or path.is_dir()):
        raise Unusable(f"{listed} is neither a file nor a folder")
    if is_pointer(path):
        raise Unusable(f"{listed} is a git-lfs pointer, not a recording; run `git lfs pull` where it was cloned")
    return path


def content(path: Path) -> bytes:
    """A digest of a file, or of the names and contents of the files in a folder."""
    if path.is_dir():
        held = sorted(entry for entry in path.iterdir() if entry.is_file())
        return hashlib.blake2b(b"".join(entry.name.encode() + content(entry) for entry in held)).digest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").digest()


def header(job: Job) -> str:
    """What a shard was made from: extractor, its version and source, options, and the content of its recordings."""
    recordings = hashlib.blake2b(digest_size=16)
    for listed in job.clips.path.dropna().unique():
        try:
            recordings.update(content(inside(job.root, listed)))
        except (Unusable, OSError) as error:
            recordings.update(str(error).encode())
    extractor = plugins.load("features", job.kind)
    made_from = {
        "extractor": job.kind,
        "version": extractor.VERSION,
        "versions": extractor.versions(job.extractor_options),
        "source": plugins.digest("features", job.kind),
        "layout": plugins.digest("datasets", job.layout, but="synthesis"),  # a recording is a recording
        "extraction": hashlib.blake2b(Path(__file__).read_bytes(), digest_size=8).hexdigest(),
        "options": [job.extractor_options.model_dump(), job.dataset_options.model_dump()],
        "segments": job.segments,
        "channels": job.channels,
        "clips": job.clips[["clip_id", "start_s", "end_s", "path"]].astype(str).values.tolist(),
        "recordings": recordings.hexdigest(),
    }
    if job.change is not None:
        made_from["change"] = job.change.made_from()
    return json.dumps(made_from, sort_keys=True)


def extract_subject(job: Job) -> Counts:
    """Make the shard of one subject unless it is there already; returns what was done."""
    wanted = header(job)
    if job.shard.exists() and (kept := read_shard(job.shard)) and kept["header"] == wanted:
        return Counts(len(job.clips), int((kept["reason"] != "").sum()), 0)
    rows = {}
    for (recording_id, listed), clips in job.clips.groupby(["recording_id", "path"], sort=False, dropna=False):
        rows |= extract_recording(job, recording_id, listed, clips)
    values, reasons = zip(*(rows[clip_id] for clip_id in job.clips.clip_id), strict=True)
    with replacing(job.shard) as partial:
        np.savez(partial, header=wanted, features=np.stack(values), reason=np.array(reasons, str))
    return Counts(len(rows), sum(map(bool, reasons)), len(rows))


def extract_recording(job: Job, recording_id: str, listed, clips: pd.DataFrame) -> dict[str, tuple[np.ndarray, str]]:
    """What extract_clip gives for each clip of one recording, by clip_id; the recording is read and analysed once."""
    if not isinstance(listed, str):
        return {clip_id: (blank(job), "not recorded") for clip_id in clips.clip_id}
    extractor = plugins.load("features", job.kind)

    def analyse():
        source = Source(job.modality, recording_id, job.root, inside(job.root, listed))
        recording = plugins.load("datasets", job.layout).recording(source, job.dataset_options)
        recording = recording if job.change is None else job.change(recording, recording_id)
        return extractor.analyse(recording, job.extractor_options)

    analysis, reason = attempt(analyse, job.kind)
    if reason:
        return {clip_id: (blank(job), reason) for clip_id in clips.clip_id}
    return {clip.clip_id: extract_clip(job, analysis, clip.start_s, clip.end_s) for clip in clips.itertuples()}


def extract_clip(job: Job, analysis: Any, start_s: float, end_s: float) -> tuple[np.ndarray, str]:
    """(segments + 1, features) float32 and why they are absent, or an empty reason.

    Segment-level features fill the first columns of the first rows, clip-level features the last columns of the
    last row; everything else is NaN.
    """
    extractor, values = plugins.load("features", job.kind), blank(job)
    found, reason = attempt(
        lambda: extractor.extract(analysis, start_s, end_s, job.segments, job.extractor_options), job.kind
    )
    if not reason:
        first = found.segment.shape[1]
        values[:-1, :first], values[-1, first:] = found.segment, found.clip
    return values, reason


def attempt(step: Callable[[], Any], kind: str) -> tuple[Any, str]:
    """The result of a step and "", or None and why the recording cannot be used."""
    try:
        return step(), ""
    except Unusable as error:
        return None, str(error)
    except MemoryError as error:
        if not greedy(error):  # the machine's fault, not the file's: the clip must not be taken for an absent one
            raise
        return None, f"{kind} extraction failed: {error}"
    except Exception as error:  # a foreign file may break any library; one clip must not stop the others
        return None, f"{kind} extraction failed with {type(error).__name__}: {error}"


def greedy(error: MemoryError) -> bool:
    """Whether an array was asked for that is larger than the whole memory: a broken file may say that it is so long."""
    return getattr(error, "_total_size", 0) > os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def blank(job: Job) -> np.ndarray:
    """Features of a clip of which nothing is known."""
    defined = plugins.load("features", job.kind).definitions(job.channels, job.extractor_options)
    return np.full((job.segments + 1, len(defined.segment) + len(defined.clip)), np.nan, np.float32)


def read_shard(path: Path) -> dict | None:
    """A shard's content, or None if it is not one."""
    try:
        with np.load(path, allow_pickle=False) as shard:
            if any(part.file_size != part.compress_size for part in shard.zip.infolist()):
                return None  # not as it is written here: a small file that unpacks to a vast one
            return {"header": str(shard["header"]), "features": shard["features"], "reason": shard["reason"]}
    except Exception:  # a damaged file breaks zipfile and numpy in many ways
        return None


def shard_name(subject: str) -> str:
    """A file name for a subject, whatever characters its identity has."""
    return hashlib.blake2b(subject.encode(), digest_size=10).hexdigest() + ".npz"


def pack(folder: Path, clips: pd.DataFrame, modality: Modality, options: Any) -> pd.DataFrame:
    """Join the shards into features.npy, index.parquet and names.json, in the order of clips; returns the index.

    options: of the extractor. names.json also tells all that is needed to extract the same from other recordings.

    Shards of subjects that are no longer listed are deleted. Only one is in memory at a time.
    """
    shards = {folder / "shards" / shard_name(who): rows for who, rows in clips.groupby("subject_id").indices.items()}
    for path in sorted((folder / "shards").iterdir()):
        if path not in shards:
            path.unlink()
    first = read_shard(next(iter(shards)))["features"]
    reasons = np.empty(len(clips), object)
    with replacing(folder / "features.npy") as partial:
        features = room(partial, (len(clips), *first.shape[1:]))
        for path, rows in shards.items():
            shard = read_shard(path)
            features[rows], reasons[rows] = shard["features"], shard["reason"]
    index = pd.DataFrame({"clip_id": clips.clip_id, "present": [not reason for reason in reasons], "reason": reasons})
    write_table(folder / "index.parquet", index)
    extractor = plugins.load("features", modality.kind)
    defined = extractor.definitions(modality.channels, options)._asdict()
    recipe = {"extractor": modality.kind, "version": extractor.VERSION, "versions": extractor.versions(options)}
    recipe |= {"channels": list(modality.channels), "segments": first.shape[1] - 1}
    write_json(folder / "names.json", defined | recipe | {"options": options.model_dump(mode="json")})
    return index
