"""features: recordings -> feature tables of every modality of a dataset. Only shards that changed are made anew."""

import json
from pathlib import Path

import pandas as pd

from benchmark import executor, extraction, plugins
from benchmark.files import write_table
from benchmark.types import Modality
from pipelines import stage


def main(dataset: str) -> None:
    params = stage.params()
    entry, section = stage.planned("datasets", dataset), params.features
    clips = pd.read_parquet(stage.PREPARED / dataset / "clips.parquet")
    root = Path(json.loads((stage.PREPARED / dataset / "source.json").read_text())["root"])
    folder, failures = stage.FEATURES / dataset, [pd.read_csv(stage.PREPARED / dataset / "dropped.csv")]
    for name, (kind, channels) in entry["modalities"].items():
        modality = Modality(kind, tuple(channels))
        todo = jobs(name, modality, clips, root, folder / name, entry, section)
        counts = executor.spread(extraction.extract_subject, todo, f"{dataset} {name}", params.runtime.workers)
        options = plugins.load("features", kind).Options(**section.extractors.get(kind, {}))
        index = extraction.pack(folder / name, clips, modality, options)
        paths = clips[["clip_id", name]].rename(columns={name: "path"})
        failures.append(paths.merge(index[~index.present], on="clip_id").assign(modality=name))
        print(f"{dataset} {name}: {tally(counts)}")
    table = pd.concat(failures, ignore_index=True).reindex(columns=["clip_id", "modality", "path", "reason"])
    table = table.sort_values(["modality", "clip_id", "path"], na_position="first")
    write_table(folder / "failures.csv", table)
    unread = table[table.modality.notna() & (table.reason != "not recorded")]
    refuse_too_many(unread, clips, section.max_failure_rate, folder)


def jobs(name, modality, clips, root, folder, entry, section) -> list[extraction.Job]:
    """One job per subject, in sorted order."""
    module, extractor = plugins.load("datasets", entry["layout"]), plugins.load("features", modality.kind)
    options = extractor.Options(**section.extractors.get(modality.kind, {}))
    (folder / "shards").mkdir(parents=True, exist_ok=True)
    columns = clips[["clip_id", "recording_id", "start_s", "end_s", name]].rename(columns={name: "path"})
    return [
        extraction.Job(
            modality=name,
            kind=modality.kind,
            root=root,
            shard=folder / "shards" / extraction.shard_name(subject),
            clips=columns[clips.subject_id == subject],
            layout=entry["layout"],
            dataset_options=module.Options(**entry["options"]),
            extractor_options=options,
            channels=modality.channels,
            segments=section.segments,
        )
        for subject in sorted(clips.subject_id.unique())
    ]


def tally(counts: list[extraction.Counts]) -> str:
    clips, failed, computed = (sum(column) for column in zip(*counts, strict=True))
    return f"{clips - failed} of {clips} clips usable, {computed} extracted now, {clips - computed} kept"


def refuse_too_many(failures: pd.DataFrame, clips: pd.DataFrame, limit: float, folder: Path) -> None:
    """Failure if a modality could not be read in more than the allowed share of clips."""
    for modality, rows in failures.groupby("modality"):
        share = len(rows) / len(clips)
        if share > limit:
            common = rows.reason.value_counts()
            raise stage.Failure(
                f"{modality} could not be read in {len(rows)} of {len(clips)} clips ({share:.0%}; "
                f"features.max_failure_rate allows {limit:.0%}). Most often: {common.index[0]} "
                f"({common.iloc[0]} clips). All reasons are in {folder / 'failures.csv'}"
            )


if __name__ == "__main__":
    stage.run(main)
