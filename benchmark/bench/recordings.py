"""Recordings of the suite's datasets, rendered anew, and what extracts features of them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from benchmark import extraction, plugins
from benchmark.params import Params
from benchmark.types import Audio, Signals, Source, Video

PEOPLE, CLIPS = 2, 5  # of each dataset, recordings of each


class Material(NamedTuple):
    """All recordings of one modality of a dataset."""

    dataset: str
    kind: str
    job: extraction.Job
    groups: list[tuple[tuple[str, str], pd.DataFrame]]  # (recording_id, path) and its clips
    recordings: list[Any]  # as the dataset reads them: Video, Audio or Signals
    seconds: float

    def extract(self) -> None:
        """Features of every clip, as the stage computes them."""
        for key, own in self.groups:
            extraction.extract_recording(self.job, *key, own)

    def as_files(self) -> "Material":
        """The same with every file as one clip, however the dataset cuts it into windows."""
        whole = [(key, own.iloc[:1].assign(start_s=0.0, end_s=float("inf"))) for key, own in self.groups]
        return self._replace(groups=whole)

    def read(self) -> Iterator[Video | Audio | Signals]:
        """The recordings read once more, as whoever else analyses them must."""
        module = plugins.load("datasets", self.job.layout)
        for (recording_id, path), _ in self.groups:
            source = Source(self.job.modality, recording_id, self.job.root, self.job.root / path)
            yield module.recording(source, self.job.dataset_options)


def render(params: Params, name: str, root: Path, people: int = PEOPLE, clips: int = CLIPS) -> list[Material]:
    """Recordings of a few people of a dataset, below root, by modality."""
    entry = params.datasets[name]
    module = plugins.load("datasets", entry.layout)
    options = module.Options(**entry.options)
    population = params.populations[entry.population]
    population = population.model_copy(update={"subjects": people, "clips": min(population.clips, clips)})
    root.mkdir()
    module.synthesize(root, entry.population, population, options, lambda function, items, _: [*map(function, items)])
    table, found = module.read(root, options).clips, []
    for modality, (kind, channels) in module.modalities(options).items():
        extractor = plugins.load("features", kind)
        job = extraction.Job(
            modality, kind, root, root / "unused.npz", table.assign(path=table[modality]), entry.layout, options,
            extractor.Options(**params.features.extractors.get(kind, {})), channels, params.features.segments,
        )  # fmt: skip
        groups = list(job.clips.dropna(subset="path").groupby(["recording_id", "path"]))
        made = Material(name, kind, job, groups, [], 0.0)
        recordings = list(made.read())
        seconds = sum(length(one, own) for one, (_, own) in zip(recordings, groups, strict=True))
        found.append(made._replace(recordings=recordings, seconds=seconds))
    return found


def length(recording: Video | Audio | Signals, clips: pd.DataFrame) -> float:
    """Seconds of a recording: to the end of its last clip, or of its file."""
    end = float(clips.end_s.max())
    if end < float("inf"):
        return end
    if isinstance(recording, Video):
        from benchmark.reading.media import frame_times

        return float(frame_times(recording.path)[-1])
    first = recording if not isinstance(recording, dict) else next(iter(recording.values()))
    return len(first[1]) / first.rate
