"""study, beside the graph: a task on fresh populations, each in a copy of the project that DVC runs by itself."""

from pathlib import Path

import pandas as pd

from benchmark import grid, power, records
from benchmark.bench import project
from benchmark.files import write_json, write_text
from benchmark.params import Params, Study
from benchmark.progress import progress
from benchmark.report import sensitivity, studies
from benchmark.schema import BadParams, nearest
from pipelines import plan, stage
from pipelines.graph import dvc

FOLDER = stage.DATA / "studies"


def main(name: str) -> None:
    params = stage.params()
    if name not in params.studies:
        raise BadParams(f"params.yaml: studies: there is no {name!r}{nearest(name, params.studies)}")
    study, found = params.studies[name], []
    levels = levels_of(name, params)
    plan.report(alone(params, study, study.first))
    print(f"{name}: all of that in each of {study.populations} populations", flush=True)
    for seed in progress(range(study.first, study.first + study.populations), study.populations, name):
        folder = FOLDER / f"{study.task}_{seed}"
        project.copy(Path(), folder, alone(params, study, seed))
        repro(folder)
        found.append(summary(folder / stage.RECORDS, study, seed))
    rows = pd.concat(found, ignore_index=True)
    confidence, folder = params.evaluation.confidence, stage.RESULTS / "studies"
    results = power.summarise(rows, [*study.against, *filter(None, [study.default])], confidence)
    told = rows.astype(object).where(rows.notna(), None).to_dict("records")
    write_json(folder / f"{name}.json", {"study": study.model_dump(), "rows": told} | results)
    page = studies.markdown(name, study, results, confidence)
    if levels:
        page += "\n" + sensitivity.markdown(study, results, levels, confidence)
        sensitivity.figure(name, study, results, levels, confidence, folder)
    write_text(folder / f"{name}.md", page)
    studies.figure(name, study, results, folder / f"{name}.png")
    print(f"results/studies/{name}.md: {len(study.compared)} methods over {study.populations} populations")


def levels_of(name: str, params: Params) -> dict[str, list[grid.Level]]:
    """The levels of a study's factors; BadParams where a method has no such option."""
    study = params.studies[name]
    try:
        return grid.levels(study, plan.methods_of(study.task, params))
    except ValueError as error:
        raise BadParams(f"params.yaml: studies.{name}.{error}") from None


def alone(params: Params, study: Study, seed: int) -> Params:
    """The params of one population: the study's task and methods, and its dataset synthesised from another seed."""
    found = params.model_copy(deep=True)
    dataset = found.datasets[found.tasks[study.task].dataset]
    dataset.source = "synthetic"
    found.populations[dataset.population].seed = seed
    found.suite.datasets, found.suite.tasks = [found.tasks[study.task].dataset], [study.task]
    found.suite.methods, found.suite.degradations = study.compared, []
    found.tuning = study.tuning or found.tuning
    return found


def repro(folder: Path) -> None:
    """Everything up to the records of one population."""
    done = dvc(folder, "repro", "evaluate")
    if done.returncode:
        raise stage.Failure(f"the population in {folder} stopped: {done.stderr[-2000:]}")


def summary(folder: Path, study: Study, seed: int) -> pd.DataFrame:
    """A row per method: its headline score, and its difference to prevalent_only with interval, in one population."""
    rows = []
    for (_, method), record in records.load(folder, [study.task], ["teacher", *study.compared]).items():
        rows.append({"population": seed, "method": method} | studies.row(record))
    return pd.DataFrame(rows)


if __name__ == "__main__":
    stage.run(main)
