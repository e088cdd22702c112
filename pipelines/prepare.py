"""prepare: a dataset's recordings, real or synthesised, -> its clip table."""

import shutil
from functools import partial

from benchmark import executor, plugins
from benchmark.files import write_json, write_table
from benchmark.params import Population
from benchmark.reading import sources
from pipelines import stage


def main(dataset: str) -> None:
    entry, runtime = stage.planned("datasets", dataset), stage.params().runtime
    module = plugins.load("datasets", entry["layout"])
    options = module.Options(**entry["options"])
    folder, raw, synthetic = stage.PREPARED / dataset, stage.RAW / dataset, stage.SYNTHETIC / dataset
    reading = sources.real(dataset, entry["source"], raw, module, options)
    for place in (folder, synthetic):
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
    root, source = (raw, "real") if reading else (synthetic, "synthetic")
    if not reading:
        spread = partial(executor.spread, workers=runtime.workers)
        population = Population(**entry["population"])
        clean = module.synthesize(root, entry["population_name"], population, options, spread)
        write_table(folder / "clean.parquet", clean)
        reading = module.read(root, options)
    write_table(folder / "clips.parquet", reading.clips.assign(provenance=source))
    write_table(folder / "dropped.csv", reading.dropped)
    about = {"provenance": source, "root": root.as_posix(), "dataset": dataset}
    write_json(folder / "source.json", about | {"dropped": {"remarks": len(reading.dropped)}})
    print(f"{dataset}: {sources.summary(reading, source)}")


if __name__ == "__main__":
    stage.run(main)
