"""python -m benchmark data | bench: what recordings are there, how fast they become features."""

import sys
from pathlib import Path

import typer

from benchmark import params, plugins, schema, sources
from benchmark.types import WrongTree

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, no_args_is_help=True)


@app.callback()
def about() -> None:
    """Tools beside the pipeline."""


@app.command()
def data(file: Path = Path("params.yaml"), folder: Path = Path("data")) -> None:
    """For every dataset: real, synthetic or a wrong tree, what was found, and what is missing."""
    wrong = False
    for name, dataset in params.load(file).datasets.items():
        module = plugins.load("datasets", dataset.layout)
        options = schema.check(module.Options, dataset.options, f"{file}: datasets.{name}.options")
        try:
            lines = found(name, dataset.source, folder, module, options)
        except WrongTree as error:
            lines, wrong = ["wrong tree", *str(error).splitlines()], True
        print(f"{name}: {lines[0]}", *lines[1:], sep="\n    ")
    if wrong:
        sys.exit(1)


@app.command()
def bench(file: Path = Path("params.yaml"), folder: Path = Path("results")) -> None:
    """Extraction speed of the suite's datasets; writes bench.json and bench.md."""
    from benchmark import bench as benches

    loaded = params.load(file)
    print(benches.write(benches.extraction_speed(loaded, loaded.suite.datasets), folder))


def found(name: str, source: str, folder: Path, module, options) -> list[str]:
    """Lines about one dataset: where its recordings come from, and what each modality has and lacks."""
    root, reading, origin = folder / "raw" / name, None, "real"
    reading = sources.real(name, source, root, module, options)
    if reading is None:
        root, origin = folder / "synthetic" / name, "synthetic"
        if not (root.is_dir() and any(root.iterdir())):
            return ["synthetic, not rendered yet: `dvc repro` does so"]
        reading = module.read(root, options)
    lines = [sources.summary(reading, origin)]
    for modality, (named, absent, first) in sources.missing(reading.clips, root, module.modalities(options)).items():
        without = len(reading.clips) - named
        lines.append(
            f"{modality}: {named - absent} of {len(reading.clips)} clips have a recording"
            + (f"; {without} have none by design" if without else "")
            + (f"; of {absent} it is missing, first {first}" if absent else "")
        )
    return lines + [f"remark: {row.path}: {row.reason}" for row in reading.dropped.head(5).itertuples()]


if __name__ == "__main__":
    try:
        app(standalone_mode=False)
    except schema.BadParams as error:
        sys.exit(f"error: {error}")
