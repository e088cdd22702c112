"""The model card of a student, for people: its card.json as a page (Mitchell et al. 2019, FAT*)."""

from statistics import mean

from benchmark import stats
from benchmark.params import Task, planned

BANNER = "**SYNTHETIC: trained on synthetic recordings. It shows that the machinery works; do not use it on people.**"
ABSENT = {"mask": "masked", "zeros": "filled in with zeros", "mean": "filled in with the training mean"}
BESIDE = (
    "a T-Net that was trained with the teacher, by the {}; it and the teacher's encoders before it are in the weights"
)
TNETS = {
    "random": "an untrained T-Net, as a control",
    "mse": BESIDE.format("squared error"),
    "mmd": BESIDE.format("maximum mean discrepancy"),
    "cosine": BESIDE.format("cosine"),
    "own": "a branch that the student trained itself",
}


def page(card: dict) -> str:
    """card as it is saved -> Markdown. The same card gives the same bytes; no time, no commit, no machine."""
    task = Task.model_validate(card["definition"])
    synthetic = card["data"]["provenance"] != "real"
    title = f"# {'SYNTHETIC ' * synthetic}{card['task']}: {card['name']}"
    parts = [title, BANNER] if synthetic else [title]
    if "impossible" in card:
        return "\n\n".join([*parts, f"This method could not be run: {card['impossible']}", ""])
    sections = {
        "What it does": does(card, task),
        "How it was trained": trained(card, task),
        "How good it is": quality(card, task),
        "How to use it": usage(card, task),
        "What it is not for": limits(card, task, synthetic),
        "Features": features(card),
    }
    return "\n\n".join([*parts, *(f"## {name}\n\n{text}" for name, text in sections.items()), ""])


def does(card: dict, task: Task) -> str:
    labels = ", ".join(f"{value:g}" for value in task.classes)
    what = f"the values of {' and '.join(task.target)}" if task.kind == "regression" else f"{task.target[0]}: {labels}"
    windows, absent = card["windows"], planned(card["method"]).absent
    clip = f"windows of {windows['length_s']:g} s every {windows['hop_s']:g} s" if windows else "whole recordings"
    more = [name for name in card["features"] if name in task.privileged]
    lines = [
        f"- Predicts ({task.kind}) {what}.",
        f"- From {' and '.join(described(card, name) for name in task.prevalent)}, in {clip}; no bio-signal is needed."
        if "biosignal" not in kinds(card, task)
        else f"- From {' and '.join(described(card, name) for name in task.prevalent)}, in {clip}.",
        f"- A modality that is not there is {ABSENT[absent]}; at least one must be there.",
    ]
    if more:
        lines.append(f"- It was also trained on {', '.join(more)}, and makes use of them where they are there.")
    return "\n".join(lines)


def kinds(card: dict, task: Task) -> set[str]:
    return {card["features"][name]["extractor"] for name in task.prevalent}


def described(card: dict, name: str) -> str:
    recipe = card["features"][name]
    channels = f" of {', '.join(recipe['channels'])}" if recipe["channels"] else ""
    return f"{name}{channels}" if recipe["extractor"] == name else f"{name} ({recipe['extractor']}{channels})"


def trained(card: dict, task: Task) -> str:
    method, data, training = planned(card["method"]), card["data"], card["training"]
    terms = [
        f"`{name}` (" + ", ".join(f"{key} {value}" for key, value in options.items()) + ")"
        for name, options in method.terms.items()
    ]
    folds = len({entry["fold"] for entry in card["replicas"]})
    privileged = " and ".join(task.privileged)
    lines = [
        f"- Recordings: {data['dataset']} ({'real' if data['provenance'] == 'real' else 'SYNTHETIC'}), {data['clips']} "
        f"clips of {data['subjects']} subjects (or dyads, actors: who is never on both sides of a split).",
        f"- Loss: the task, weight {method.task_weight:g}"
        + (f"; terms {'; '.join(terms)}" if terms else "; no distillation term")
        + f"; labels {method.labels}.",
    ]
    if terms:
        lines.append(f"- Teacher ({method.teacher}): saw {privileged} as well.")
    if method.tnet != "none":
        lines.append(f"- What it fuses in the place of {privileged} is imagined by {TNETS[method.tnet]}.")
    if method.mix != "none":
        lines.append(f"- Mixtures of clips ({method.mix}) of which the teacher speaks.")
    if method.dropout:
        lines.append(f"- {privileged} hidden at random from {method.dropout:.0%} of the clips.")
    lines += [
        f"- Split `{task.split.rule}`, {folds} folds, seeds {', '.join(map(str, training['seeds']))}: "
        f"{len(card['replicas'])} replicas.",
        f"- {training['epochs']} epochs of {training['steps']} steps of at most {training['batch']} clips, rate "
        f"{training['rate']:g}, decay {training['decay']:g}, encoder {training['encoder']}; {selection(card, task)}.",
    ]
    return "\n".join(lines)


def selection(card: dict, task: Task) -> str:
    told = f"the epoch with the best {stats.headline(task)} on the validation subjects is kept"
    tried = card.get("tuning", {}).get("tried") or []
    return told + (f"; of {len(tried)} weights of the terms the best there" if len(tried) > 1 else "")


def quality(card: dict, task: Task) -> str:
    scores = [entry["validation"] for entry in card["replicas"] if entry.get("validation") is not None]
    lost = sum(entry.get("epoch") == 0 for entry in card["replicas"])
    told = f"mean {mean(scores):.3f}, {min(scores):.3f} to {max(scores):.3f}" if scores else "none"
    lines = [
        f"- {stats.headline(task)} on the validation subjects, which chose the epoch and flatter it: {told} "
        f"over {len(scores)} replicas.",
        f"- On people who were neither trained nor selected on: `results/records/{card['task']}/{card['name']}.json` "
        "and `results/leaderboard.md`, with intervals, the controls and each missing modality.",
    ]
    if lost:
        lines.insert(0, f"- {lost} of {len(card['replicas'])} replicas diverged, have no weights and are left out.")
    return "\n".join(lines)


def usage(card: dict, task: Task) -> str:
    folder = f"results/models/{card['task']}/{card['name']}"
    example = {"vision": "video.mp4", "speech": "voice.wav", "biosignal": "signals.csv"}
    file = example[card["features"][task.prevalent[0]]["extractor"]]
    return (
        f"```\npython -m benchmark predict --student {folder} {file}\n"
        f"python -m benchmark export --student {folder} --out student.onnx\n```\n\n"
        "The prediction is the mean over the replicas, their spread stands beside it. Nearly all replicas were "
        "trained on any given clip of the training dataset: predictions for such clips are no test, "
        "`results/predictions` is."
    )


def limits(card: dict, task: Task, synthetic: bool) -> str:
    lines = [
        "- Research on distillation only: not for diagnosis, not for decisions about a person, not for surveillance.",
        "- People, cameras, rooms and tasks unlike those of the training recordings were not tested.",
        f"- {'Values' if task.kind == 'regression' else 'Probabilities'} are not calibrated; their spread over the "
        "replicas is no interval for the truth.",
    ]
    if task.split.rule.endswith("leaky"):
        lines.insert(0, "- **LEAKY split: people who were tested were trained on. Its scores are not to be quoted.**")
    owners = f"those of the owners of {card['data']['dataset']} for what is made of their recordings"
    lines.append(f"- Terms of use: {'no recording of a person went into it' if synthetic else owners}.")
    return "\n".join(lines)


def features(card: dict) -> str:
    lines = ["| modality | extractor | version | features |", "|---|---|---|---|"]
    for name, recipe in card["features"].items():
        versions = "".join(f", {package} {number}" for package, number in recipe["versions"].items())
        count = f"{len(recipe['segment'])} in each of {recipe['segments']} segments, {len(recipe['clip'])} per clip"
        lines.append(f"| {name} | {recipe['extractor']} | {recipe['version']}{versions} | {count} |")
    return "\n".join([*lines, "", "Their names, units and options stand in `card.json`."])
