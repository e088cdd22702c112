"""The runs that MLflow shall hold, made from records: names, tags, params, metrics. Nothing here knows MLflow."""

import hashlib
import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from benchmark import plugins
from benchmark.records import CONTROLS, TEACHERS
from benchmark.tracking import epochs

MISSING = "none"  # the value of a param that a method lacks: left out, MLflow would draw it beside the largest number
TRIED = ("value", "low", "high")

COLUMNS = ("difference", "difference_p_holm", "gap_recovered", "robustness/area_random", "robustness/area_wild")

Metrics = list[tuple[str, float, int]]  # name, value, step


@dataclass
class Run:
    """What one MLflow run shall hold."""

    name: str
    tags: dict[str, str]
    params: dict[str, str] = field(default_factory=dict)
    metrics: Metrics = field(default_factory=list)
    dataset: dict | None = None  # name, digest, source, schema, profile
    artifacts: list[Path] = field(default_factory=list)
    signature: dict | None = None  # of a model, whose files the artifacts are: inputs, outputs: name -> shape

    @cached_property
    def digest(self) -> str:
        """Of everything that it holds, files included. Not to be changed afterwards."""
        text = json.dumps(vars(self) | {"artifacts": []}, sort_keys=True)
        files = "".join(f"{path.name} {hashlib.md5(path.read_bytes()).hexdigest()}" for path in self.artifacts)
        return hashlib.blake2b((text + files).encode(), digest_size=12).hexdigest()


def of_suite(
    records: list[dict], curves: dict[tuple[str, str], list[epochs.Row]], artifacts: list[Path], models: Path
) -> dict[str, Run]:
    """Every run of the suite by key: per task and method, per replica, the best student's model, the leaderboard.

    models: folder with the trained students, by task and method.
    """
    found = {"leaderboard": leaderboard_run(records, artifacts)}
    for task in dict.fromkeys(record["task"] for record in records):
        own = [record for record in records if record["task"] == task]
        params = varying_params(own)
        for record in own:
            rows = curves.get((task, record["method"]), [])
            found |= runs_of(record, params[record["method"]], rows)
        winner = best_student(own)
        if winner and (models / task / winner["method"] / epochs.CARD).exists():
            found[f"model/{task}"] = model_run(winner, models / task / winner["method"])
    return found


def runs_of(record: dict, params: dict[str, str], rows: list[epochs.Row]) -> dict[str, Run]:
    """The run of a method, and one for each of its replicas."""
    key = f"{record['task']}/{record['method']}"
    found = {key: method_run(record, params, rows)}
    own = epochs.of_replicas(rows)
    for replica in record["replicas"]:
        where = replica["fold"], replica["seed"]
        found["/".join((key, *map(str, where)))] = replica_run(record, replica, params, own.get(where, []))
    return found


def method_run(record: dict, params: dict[str, str], rows: list[epochs.Row]) -> Run:
    metrics = condition_metrics(record) + comparison_metrics(record)
    for name, score in record.get("robustness", {}).items():
        metrics += named(score, f"robustness/{name}")
    metrics += [(f"geometry/{key}", value, 0) for key, value in (record.get("geometry") or {}).items()]
    metrics += [(f"epoch/{term}", value, epoch) for term, value, epoch in epochs.means(rows)]
    said = {"reason": record["reason"]} if record.get("reason") else {}
    return Run(title(record), tags(record, "method") | said, params, metrics, dataset=dataset(record))


def condition_metrics(record: dict) -> Metrics:
    """The headline metric under every condition, with its interval; the others where whole modalities are hidden.

    The headline comes first: MLflow's comparison opens with the first metric that all runs have.
    """
    metric, found = record.get("headline", {}).get("metric"), headline(record)
    for condition in record["conditions"].values():
        for name, score in condition.get("scores", {}).items():
            if name == metric or whole(condition):
                alias = condition["alias"]
                found += named(score, f"{name}/{alias}", f"{name}_low/{alias}", f"{name}_high/{alias}")
    return list(dict.fromkeys(found))


def headline(record: dict) -> Metrics:
    """The score that ranks methods; nothing where there is none."""
    held = record.get("headline", {})
    condition = record["conditions"].get(held.get("condition"), {})
    score = condition.get("scores", {}).get(held.get("metric"), {})
    return named(score, f"{held['metric']}/{condition['alias']}") if score else []


def comparison_metrics(record: dict) -> Metrics:
    """Difference to prevalent_only and the gap recovered, with their intervals and tests."""
    found = []
    for name in ("difference", "gap_recovered"):
        found += named(record.get(name, {}), name, f"{name}_low", f"{name}_high")
    difference = record.get("difference", {})
    single = {name: difference.get(name) for name in ("p", "p_holm", "effect")}
    single |= {f"wide_{end}": (difference.get("wide") or {}).get(end) for end in ("low", "high")}
    single |= {f"rope_{name}": value for name, value in (difference.get("rope") or {}).items()}
    return found + [(f"difference_{name}", value, 0) for name, value in single.items() if value is not None]


def replica_run(record: dict, replica: dict, params: dict[str, str], points: Metrics) -> Run:
    """A replica's own scores: the headline metric under every condition, the others where modalities are hidden."""
    headline, metrics = record["headline"]["metric"], []
    for name, scores in replica["scores"].items():
        condition = record["conditions"].get(name, {"alias": name})
        for metric, value in scores.items():
            if value is not None and (metric == headline or whole(condition)):
                metrics.append((f"{metric}/{condition['alias']}", value, 0))
    if replica.get("epoch") is not None:
        metrics.append(("best_epoch", replica["epoch"], 0))
    metrics += [(f"epoch/{term}", value, epoch) for term, value, epoch in points]
    place = {"fold": str(replica["fold"]), "seed": str(replica["seed"])}
    params = {name: value for name, value in params.items() if not name.startswith("with.")}  # its method has them
    own = tags(record, "replica") | place | {"status": replica.get("status", record["status"])}
    name = title(record, f"fold {place['fold']} seed {place['seed']}")
    return Run(name, own, params | place, metrics, dataset=dataset(record))


def whole(condition: dict) -> bool:
    """Whether a condition hides whole modalities of every clip."""
    return condition.get("protocol", "subset") == "subset"


def named(score: dict, *names: str) -> Metrics:
    """value, low and high under up to three names, those that exist."""
    return [(name, score[part], 0) for name, part in zip(names, TRIED, strict=False) if score.get(part) is not None]


def title(record: dict, more: str = "") -> str:
    """Of a run: the method first, where columns are narrow."""
    synthetic = "SYNTHETIC" if record.get("provenance") == "synthetic" else ""
    return " ".join(filter(None, (record["method"], record["task"], more, synthetic)))


def tags(record: dict, level: str) -> dict[str, str]:
    names = ("task", "method", "dataset", "provenance", "status", "device")
    return {name: str(record[name]) for name in names if record.get(name) is not None} | {"level": level}


def varying_params(records: list[dict]) -> dict[str, dict[str, str]]:
    """Params of the methods of one task, by method: those that are not the same for all, each in every one.

    MLflow's comparison opens with the first three by name: method, terms, tnet. The others begin with `with`.
    """
    held = {record["method"]: options(record) for record in records}
    names = sorted({name for own in held.values() for name in own})
    several = [name for name in names if len({own.get(name, MISSING) for own in held.values()}) > 1]
    return {
        method: {name: own.get(name, MISSING) for name in several} | {"method": method} for method, own in held.items()
    }


def options(record: dict) -> dict[str, str]:
    """{"terms": "kdot", "tnet": "none", "with.kdot.k": "30", ...}: a method's options as params."""
    found = {}
    for name, value in (record.get("options") or {}).items():
        if name == "terms":
            found[name] = "+".join(value) or MISSING
            found |= {f"with.{term}.{key}": str(own) for term, held in value.items() for key, own in held.items()}
        elif name == "tnet":
            found[name] = str(value)
        elif name not in ("digests", "masks"):
            found[f"with.{name}"] = str(value)
    return found


def dataset(record: dict) -> dict | None:
    """What a run was evaluated on, as MLflow describes datasets; digest: of the clips, or of their description."""
    data = record.get("data")
    if not data:
        return None
    about = json.dumps([data, record.get("definition"), record.get("extractors")], sort_keys=True)
    digest = data.get("digest") or hashlib.blake2b(about.encode(), digest_size=16).hexdigest()
    continuous = record.get("definition", {}).get("kind") == "regression"
    columns = [{"type": "string", "name": name, "required": True} for name in ("clip_id", "subject_id")]
    columns += [
        {"type": "double" if continuous else "long", "name": name, "required": True}
        for name in record.get("definition", {}).get("target", [])
    ]
    profile = {name: data[name] for name in ("clips", "subjects") if name in data}
    return {
        "name": f"{record['dataset']}/{record['task']}",
        "digest": digest[:36],
        "source": json.dumps({"uri": f"data/inputs/{record['task']}"}),
        "schema": json.dumps({"mlflow_colspec": columns}),
        "profile": json.dumps(profile | {"provenance": record["provenance"]}),
    }


def best_student(records: list[dict]) -> dict | None:
    """The record of the method of one task with the best headline score; None where there is none.

    Teachers, controls and students that learnt from clean labels are not for use, and do not take part.
    """
    able = [record for record in records if headline(record) and not control(record)]
    if not able:
        return None
    sign = 1 if plugins.load("metrics", able[0]["headline"]["metric"]).HIGHER_IS_BETTER else -1
    return max(able, key=lambda record: sign * headline(record)[0][1])


def control(record: dict) -> bool:
    """Whether a model is a yardstick, not for use."""
    given = record.get("options") or {}
    named = record["method"] in (*TEACHERS, *CONTROLS)
    return named or given.get("labels") == "clean" or given.get("teacher") in ("permuted", "untrained")


def model_run(record: dict, folder: Path) -> Run:
    """The files of a student, and what goes in and comes out: features by modality, an answer per class or target."""
    shapes = json.loads((folder / epochs.CARD).read_text())["shapes"]
    definition = record["definition"]
    answers = len(definition["classes"]) or len(definition["target"])
    signature = {
        "inputs": {name: [-1, *shapes[name]] for name in definition["prevalent"]},
        "outputs": {"probabilities" if definition["classes"] else "values": [-1, answers]},
    }
    files = sorted(path for path in folder.iterdir() if path.suffix in (".safetensors", ".json", ".md"))
    name = title(record, "best student")
    return Run(name, tags(record, "model"), {}, headline(record), dataset(record), files, signature)


def leaderboard_run(records: list[dict], artifacts: list[Path]) -> Run:
    """The tables and figures of the whole suite."""
    provenance = "+".join(sorted({record["provenance"] for record in records if record.get("provenance")}))
    versions = next((record["versions"] for record in records if record.get("versions")), {})
    about = {"level": "leaderboard", "provenance": provenance, "versions": json.dumps(versions)}
    return Run(f"leaderboard ({provenance})", about, artifacts=artifacts)


def views(found: dict[str, Run]) -> dict[str, dict]:
    """What MLflow's table shall show of each task: its methods, best first, with these columns."""
    made = {}
    for run in found.values():
        if run.tags["level"] == "method" and run.metrics:
            metrics = [name for name, _, _ in run.metrics]
            about = made.setdefault(run.tags["task"], {"first": metrics[0], "there": set()})
            about["there"] |= set(metrics)
    for task, about in made.items():
        metric, _, alias = about["first"].partition("/")
        columns = [about["first"], f"{metric}_low/{alias}", f"{metric}_high/{alias}", *COLUMNS]
        made[task] = {
            "searchFilter": f'tags.level = "method" and tags.task = "{task}"',
            "orderByKey": f"metrics.`{about['first']}`",
            "orderByAsc": False,
            "startTime": "ALL",
            "lifecycleFilter": "Active",
            "selectedColumns": [f"metrics.`{name}`" for name in columns if name in about["there"]] + ["tags.`status`"],
        }
    return made
