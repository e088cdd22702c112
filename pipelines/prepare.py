"""prepare: a dataset's recordings, real or synthesised, -> its clip table."""

import shutil
from functools import partial

import pandas as pd

from benchmark import executor, plugins, sources
from benchmark.files import write_json
from benchmark.params import Population
from pipelines import stage


def main(dataset: str) -> None:
    entry, runtime = stage.planned("datasets", dataset), stage.params().runtime
    module = plugins.load("datasets", entry["layout"])
    options = module.Options(**entry["options"])
    folder, raw, synthetic = stage.PREPARED / dataset, stage.RAW / dataset, stage.SYNTHETIC / dataset
    source = sources.decide(dataset, entry["source"], raw, module, options)
    for place in (folder, synthetic):
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
    root = raw if source == "real" else synthetic
    if source == "synthetic":
        spread = partial(executor.spread, workers=runtime.workers)
        population = Population(**entry["population"])
        clean = module.synthesize(root, entry["population_name"], population, options, spread)
        clean.to_parquet(folder / "clean.parquet", index=False)
    clips = module.read(root, options).assign(provenance=source)
    clips.to_parquet(folder / "clips.parquet", index=False)
    write_json(folder / "source.json", {"provenance": source, "root": root.as_posix(), "dataset": dataset})
    print(f"{dataset}: {summary(clips, source)}")


def summary(clips: pd.DataFrame, source: str) -> str:
    return f"{len(clips)} clips of {clips.subject_id.nunique()} subjects, {source} recordings"


if __name__ == "__main__":
    stage.run(main)
