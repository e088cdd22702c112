"""python -m benchmark data | bench | predict | export: what recordings are there, how fast they become features,
what a trained student says of others, and the student as a graph that other programs run."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from benchmark import params, plugins, schema
from benchmark.reading import sources
from benchmark.types import NoWorkers, Refused, WrongTree

StudentFolder = Annotated[Path, typer.Option(help="results/models/<task>/<method>")]
Fold = Annotated[int | None, typer.Option(help="only replicas of this fold; all of them are an ensemble")]
Seed = Annotated[int | None, typer.Option(help="only replicas of this seed")]
Force = Annotated[bool, typer.Option(help="replace the file that --out names")]

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
def bench(
    only: Annotated[str, typer.Option(help="parts to measure again, with commas between them")] = "",
    repetitions: Annotated[int, typer.Option(min=1, help="turns of every contestant")] = 5,
    file: Path = Path("params.yaml"),
    folder: Path = Path("results"),
) -> None:
    """How fast, beside what else there is; writes bench.json and bench.md. Parts left out stay as they were."""
    from benchmark.bench import parts

    asked = [name.strip() for name in only.split(",")] if only else list(parts.ASKED)
    if unknown := sorted(set(asked) - set(parts.ASKED)):
        raise Refused(f"--only: there is no {unknown[0]!r}{schema.nearest(unknown[0], parts.ASKED)}")
    parts.run(params.load(file), folder, Path(), asked, repetitions)


@app.command()
def predict(
    student: StudentFolder,
    files: Annotated[list[Path], typer.Argument(help="videos, sounds, tables of signals, or folders of them")],
    out: Path = Path("predictions.csv"),
    force: Force = False,
    window: Annotated[float | None, typer.Option(help="seconds of a clip; as in the training if left out")] = None,
    hop: Annotated[float | None, typer.Option(help="seconds from one clip to the next")] = None,
    rate: Annotated[float | None, typer.Option(help="samples per second of tables without a column `time`")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="processes; one per core if left out")] = None,
    fold: Fold = None,
    seed: Seed = None,
) -> None:
    """What a trained student says of recordings, per clip with its times; also written as CSV."""
    from benchmark.deployment import prediction, students

    students.make_way(out, force)
    loaded = students.load(student, fold, seed)
    rows, remarks = prediction.predict(loaded, files, window, hop, rate, workers or "auto")
    prediction.write(rows, out)
    print(students.headline(loaded), *remarks, prediction.shown(rows, out), f"written to {out}", sep="\n")


@app.command()
def export(
    student: StudentFolder,
    out: Path = Path("student.onnx"),
    force: Force = False,
    fold: Fold = None,
    seed: Seed = None,
) -> None:
    """A trained student as one ONNX graph, checked against torch."""
    from benchmark.deployment import exports, students

    students.make_way(out, force)
    loaded = students.load(student, fold, seed)
    found = exports.export(loaded, out)
    size = out.stat().st_size / 2**20
    print(students.headline(loaded), *(f"left out: {line}" for line in loaded.left_out), sep="\n")
    print(f"written to {out}, {size:.1f} MB; largest difference to torch {found:.1e} (at most {exports.TOLERANCE:g})")


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
        app()
    except (schema.BadParams, NoWorkers, Refused) as error:
        sys.exit(f"error: {error}")
