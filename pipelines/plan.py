"""plan: params.yaml -> one file per dataset, task and method, so that a cell depends on its own entries only.

Training and tuning, which all cells share, are files too: DVC parses params.yaml once for each stage that names it.

Checks every name and option in the file first, so that a mistake anywhere stops the run before anything is computed.
"""

import shutil
from collections.abc import Iterable
from pathlib import Path

from benchmark import missing, objectives, plugins, splits, stats
from benchmark.files import write_json
from benchmark.params import Params, Suite, Task
from benchmark.schema import BadParams, check, nearest
from pipelines import stage


def main() -> None:
    params = stage.params()
    check_extractors(params)
    datasets = {name: dataset(name, params) for name in params.datasets}
    methods = {name: method_entry(method, f"methods.{name}") for name, method in params.methods.items()}
    for name in params.tasks:
        check_task(name, params, datasets)
    shutil.rmtree(stage.PLAN, ignore_errors=True)
    for name in params.suite.datasets:
        write_json(stage.PLAN / "datasets" / f"{name}.json", datasets[name])
    for part, entry in validation(params, methods).items():
        write_json(stage.PLAN / "validation" / f"{part}.json", entry)
    write_json(stage.PLAN / "training.json", params.training.model_dump())
    write_json(stage.PLAN / "tuning.json", params.tuning.model_dump())
    for name in params.suite.tasks:
        task = params.tasks[name]
        digest = plugins.digest("metrics", stats.headline(task))
        write_json(stage.PLAN / "tasks" / f"{name}.json", task.model_dump(exclude={"methods"}) | {"digest": digest})
        own = methods_of(name, params)
        for method in params.suite.methods:
            masks = {"masks": params.missing.model_dump()} if own[method]["missing"] != "none" else {}
            write_json(stage.PLAN / "methods" / name / f"{method}.json", own[method] | masks)
    forget(params.suite)
    report(params)


def forget(suite: Suite) -> None:
    """Remove models and results that the suite no longer names; DVC's cache keeps them. Later stages depend on folders
    as a whole, which have to be those that `dvc pull` brings to another machine."""
    for folder in (stage.RESULTS / name for name in ("models", "predictions", "records", "embeddings", "ranks")):
        remove(path for path in folder.glob("*") if path.stem not in suite.tasks)
    for task in suite.tasks:
        kept = {*suite.methods, "teacher", "targets"}
        found = (stage.MODELS / task).glob("*")
        remove(path for path in found if path.name not in kept and not path.name.startswith("tnet_"))


def remove(paths: Iterable[Path]) -> None:
    for path in paths:
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def validation(params: Params, methods: dict[str, dict]) -> dict[str, dict]:
    """What each part of the validation depends on."""
    chosen = {name: methods[name] for name in params.validation.methods}
    for name, method in chosen.items():
        more = method["mix"] != "none" or method["missing"] != "none"
        if method["teacher"] not in ("trained", "permuted", "untrained") or more:
            raise BadParams(
                f"params.yaml: validation.methods: {name} needs more than the one teacher and the whole clips there; "
                "allowed: methods of a trained, permuted or untrained teacher, without mix and missing"
            )
    views = {"methods": chosen, "training": params.training.model_dump(), "evaluation": params.evaluation.model_dump()}
    return {
        "simulations": {"repetitions": params.validation.repetitions},
        "statistics": {"draws": params.validation.draws}
        | {name: plugins.digest("metrics", name) for name in ("kappa", "ccc")},
        "transport": {},
        "terms": {name: plugins.digest("losses", name) for name in plugins.names("losses")},
        "views": views | {"digest": plugins.digest("metrics", "balanced_accuracy")},
    }


def report(params: Params) -> None:
    """What is to be trained, and what tuning multiplies it by, before it starts."""
    tasks, names, tried = params.suite.tasks, params.suite.methods, len(params.tuning.weights)
    cells = [
        (task, name, (params.methods | params.tasks[task].methods)[name].terms) for task in tasks for name in names
    ]
    print(f"{len(tasks)} tasks x {len(names)} methods = {len(cells)} cells to train at most")
    if tried > 1:
        tuned = sum(bool(terms) for _, _, terms in cells)
        print(f"tuning: {tried} weights each in {tuned} of them, {len(cells) + (tried - 1) * tuned} trainings in all")
    for task, name, terms in cells:
        if reason := objectives.unfit(terms, params.tasks[task]):
            print(f"{task}: {name} will not be run: {reason}")
    others = params.training.batch - 1
    for name, terms in {name: terms for _, name, terms in cells}.items():
        for term, options in objectives.options(terms, f"params.yaml: methods.{name}.terms").items():
            if getattr(options, "k", 0) > others:
                print(f"{name}: {term}.k is {options.k}: the other {others} clips of a batch are all its anchors")


def dataset(name: str, params: Params) -> dict:
    """A dataset with its options filled in, its population and the source of its layout."""
    entry = params.datasets[name]
    known("layout", entry.layout, plugins.names("datasets"), f"datasets.{name}")
    module = plugins.load("datasets", entry.layout)
    options = check(module.Options, entry.options, f"params.yaml: datasets.{name}.options")
    population = params.populations[entry.population]
    for key, most in (("subjects", module.PEOPLE), ("clips", module.TRIALS)):
        if (asked := getattr(population, key)) > most:
            raise BadParams(
                f"params.yaml: populations.{entry.population}.{key} is {asked}: the layout {entry.layout} of "
                f"datasets.{name} has at most {most}"
            )
    return entry.model_dump() | {
        "name": name,
        "options": options.model_dump(),
        "population_name": entry.population,
        "population": population.model_dump(),
        "modalities": module.modalities(options),
        "layout_digest": plugins.digest("datasets", entry.layout),
    }


def method_entry(method, where: str) -> dict:
    """A method with the options of its terms filled in, and the source of those terms."""
    chosen = objectives.options(method.terms, f"params.yaml: {where}.terms")
    for name in chosen:
        if (needed := getattr(plugins.load("losses", name), "TNET", method.tnet)) != method.tnet:
            raise BadParams(f"params.yaml: {where}.tnet is {method.tnet!r}: the term {name} needs {needed!r}")
    return method.model_dump() | {
        "terms": {name: options.model_dump() for name, options in chosen.items()},
        "digests": {name: plugins.digest("losses", name) for name in chosen},
    }


def methods_of(task: str, params: Params) -> dict[str, dict]:
    """All methods as a task trains them, planned; its own stand in the place of the common ones."""
    own = params.tasks[task].methods
    where = {name: f"tasks.{task}.methods.{name}" if name in own else f"methods.{name}" for name in params.methods}
    return {name: method_entry(method, where[name]) for name, method in (params.methods | own).items()}


def check_extractors(params: Params) -> None:
    for kind, given in params.features.extractors.items():
        known("extractor", kind, plugins.names("features"), "features.extractors")
        extractor = plugins.load("features", kind)
        options = check(extractor.Options, given, f"params.yaml: features.extractors.{kind}")
        try:
            extractor.definitions((), options)
        except ValueError as error:
            raise BadParams(f"params.yaml: features.extractors.{kind}: {error}") from None


def check_task(name: str, params: Params, datasets: dict[str, dict]) -> None:
    """Modalities, targets and split rule must be ones that the task's dataset has."""
    task = params.tasks[name]
    entry = datasets[task.dataset]
    module = plugins.load("datasets", entry["layout"])
    for role in ("prevalent", "privileged"):
        for modality in getattr(task, role):
            known("modality", modality, entry["modalities"], f"tasks.{name}.{role}")
    for target in task.target:
        known("label", target, module.LABELS, f"tasks.{name}.target")
    known("rule", task.split.rule, (*splits.RULES, *module.PARTITIONS), f"tasks.{name}.split")
    headline = stats.headline(task)
    known("metric", headline, stats.metrics(task.kind), f"tasks.{name}.headline")
    if not plugins.load("metrics", headline).HIGHER_IS_BETTER:
        better = [own for own in stats.metrics(task.kind) if plugins.load("metrics", own).HIGHER_IS_BETTER]
        raise BadParams(
            f"params.yaml: tasks.{name}.headline: {headline} is better when lower, and epochs are selected and "
            f"differences read by what is better when higher; allowed: {', '.join(better)} (all metrics are reported)"
        )
    if name in params.suite.tasks:
        check_masks(task, params)


def check_masks(task: Task, params: Params) -> None:
    """The masks that methods ask for in training must be ones that the task's modalities can have."""
    masks = [own.name for own in missing.listed(task, params.missing) if own.protocol in missing.MASKS]
    for method in params.suite.methods:
        wanted = (params.methods | task.methods)[method].missing
        known("condition", wanted, ("none", *masks), f"methods.{method}.missing")


def known(what: str, name: str, allowed, where: str) -> None:
    """BadParams unless the name is one of the allowed ones."""
    if name not in allowed:
        raise BadParams(f"params.yaml: {where}: there is no {what} {name!r}{nearest(name, allowed)}")


if __name__ == "__main__":
    stage.run(main)
