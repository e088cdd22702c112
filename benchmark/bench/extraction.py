"""How fast recordings become features: seconds of recording in a second of one core, by modality."""

import json
import platform
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import pandas as pd
from threadpoolctl import threadpool_limits

from benchmark import extraction, plugins
from benchmark.files import write_json
from benchmark.params import Params
from benchmark.types import Source, Video

REPETITIONS = 5
PEOPLE = 2  # of each dataset


def extraction_speed(params: Params, datasets: list[str]) -> pd.DataFrame:
    """A row per dataset and modality; every repetition runs all of them once, in turn, so that noise is shared.

    recording_s: what is extracted in one repetition; speed: seconds of recording per second of one core; decode: the
    same for decoding a video alone; slowdown: how much longer extraction takes than that.
    """
    with TemporaryDirectory() as folder, threadpool_limits(1):
        jobs = {}
        for name in datasets:
            jobs |= prepared(params, name, Path(folder) / name)
        spent = {key: [] for key in jobs}
        for _ in range(REPETITIONS + 1):
            for key, (work, _) in jobs.items():
                start = time.process_time()
                work()
                spent[key].append(time.process_time() - start)
    rows = []
    for (name, modality, part), (_, seconds) in jobs.items():
        rows.append(
            {
                "dataset": name,
                "modality": modality,
                "part": part,
                "recording_s": seconds,
                "speed": seconds / median(spent[name, modality, part][1:]),
            }
        )  # the first one warms up
    wide = pd.DataFrame(rows).pivot(index=["dataset", "modality", "recording_s"], columns="part", values="speed")
    wide = wide.reindex(columns=["speed", "decode"]).reset_index()
    return wide.assign(slowdown=wide.decode / wide.speed)


def prepared(params: Params, name: str, root: Path) -> dict[tuple[str, str, str], tuple[Callable, float]]:
    """(dataset, modality, speed or decode) -> (what to time, seconds of recording)."""
    entry = params.datasets[name]
    module = plugins.load("datasets", entry.layout)
    options = module.Options(**entry.options)
    population = params.populations[entry.population].model_copy(update={"subjects": PEOPLE})
    population = population.model_copy(update={"clips": min(population.clips, 5)})
    root.mkdir()
    module.synthesize(root, entry.population, population, options, lambda function, items, _: [*map(function, items)])
    clips, jobs = module.read(root, options).clips, {}
    for modality, (kind, channels) in module.modalities(options).items():
        extractor = plugins.load("features", kind)
        job = extraction.Job(
            modality, kind, root, root / "unused.npz", clips.assign(path=clips[modality]), entry.layout, options,
            extractor.Options(**params.features.extractors.get(kind, {})), channels, params.features.segments,
        )  # fmt: skip
        groups = list(job.clips.dropna(subset="path").groupby(["recording_id", "path"]))
        seconds = sum(duration(module, job, key, own) for key, own in groups)
        jobs[name, modality, "speed"] = (
            lambda j=job, g=groups: [extraction.extract_recording(j, *key, own) for key, own in g],
            seconds,
        )
        if kind == "vision":
            videos = [module.recording(Source(modality, key[0], root, root / key[1]), options) for key, _ in groups]
            jobs[name, modality, "decode"] = (lambda v=videos: [decode(video) for video in v], seconds)
    return jobs


def duration(module, job: extraction.Job, key: tuple[str, str], clips: pd.DataFrame) -> float:
    """Seconds of one recording: to the end of its last clip, or of its file."""
    end = float(clips.end_s.max())
    if end < float("inf"):
        return end
    recording = module.recording(Source(job.modality, key[0], job.root, job.root / key[1]), job.dataset_options)
    if isinstance(recording, Video):
        from benchmark.reading.media import frame_times

        return float(frame_times(recording.path)[-1])
    first = recording if not isinstance(recording, dict) else next(iter(recording.values()))
    return len(first[1]) / first.rate


def decode(video: Video) -> None:
    """Every frame of a video, and nothing else."""
    import cv2

    cv2.setNumThreads(1)
    capture = cv2.VideoCapture(str(video.path), cv2.CAP_FFMPEG)
    while capture.read()[0]:
        pass
    capture.release()


def write(table: pd.DataFrame, folder: Path) -> str:
    """results/bench.json and bench.md; returns the table as text."""
    machine = {"processor": platform.processor() or platform.machine(), "python": platform.python_version()}
    rows = json.loads(table.to_json(orient="records"))
    write_json(folder / "bench.json", {"machine": machine, "repetitions": REPETITIONS, "extraction": rows})
    lines = [
        "| dataset | modality | recording, s | s of recording per core-second | decoding alone | slowdown |",
        "|---|---|---|---|---|---|",
    ]
    for row in table.itertuples():
        floor = ("", "") if pd.isna(row.decode) else (f"{row.decode:.0f}", f"{row.slowdown:.1f}x")
        lines.append(
            f"| {row.dataset} | {row.modality} | {row.recording_s:.0f} | {row.speed:.0f} | {floor[0]} | {floor[1]} |"
        )
    text = "\n".join(lines)
    (folder / "bench.md").write_text(f"# Extraction, one core, median of {REPETITIONS}\n\n{text}\n")
    return text
