"""plan: params.yaml -> one file per dataset, task and method, so that a cell depends on its own entries only."""

from benchmark import objectives, plugins
from benchmark.files import write_json
from benchmark.params import check
from pipelines import stage


def main() -> None:
    params = stage.params()
    for name in params.suite.datasets:
        write_json(stage.PLAN / "datasets" / f"{name}.json", dataset(name, params.datasets[name], params.populations))
    for name in params.suite.tasks:
        task = params.tasks[name]
        write_json(stage.PLAN / "tasks" / f"{name}.json", task.model_dump(exclude={"methods"}))
        for method in params.suite.methods:
            resolved = task.methods.get(method, params.methods[method])
            where = f"tasks.{name}.methods" if method in task.methods else "methods"
            write_json(stage.PLAN / "methods" / name / f"{method}.json", method_entry(resolved, f"{where}.{method}"))


def dataset(name: str, entry, populations) -> dict:
    """A dataset with its options filled in, its population and the source of its layout."""
    module = plugins.load("datasets", entry.layout)
    options = check(module.Options, entry.options, f"params.yaml: datasets.{name}.options")
    return entry.model_dump() | {
        "name": name,
        "options": options.model_dump(),
        "population_name": entry.population,
        "population": populations[entry.population].model_dump(),
        "modalities": module.modalities(options),
        "layout_digest": plugins.digest("datasets", entry.layout),
    }


def method_entry(method, where: str) -> dict:
    """A method with the options of its terms filled in, and the source of those terms."""
    chosen = objectives.options(method.terms, f"params.yaml: {where}.terms")
    return method.model_dump() | {
        "terms": {name: options.model_dump() for name, options in chosen.items()},
        "digests": {name: plugins.digest("losses", name) for name in chosen},
    }


if __name__ == "__main__":
    stage.run(main)
