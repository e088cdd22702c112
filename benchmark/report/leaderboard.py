"""The leaderboard: records as tables."""

import pandas as pd

from benchmark import plugins
from benchmark.records import CONTROLS, GEOMETRY
from benchmark.splits import leaky


def rows(records: list[dict]) -> pd.DataFrame:
    """One row per task, method, condition and metric: value, low, high, and the reason where there is no value."""
    found = []
    for record in records:
        keys = {"task": record["task"], "method": record["method"], "provenance": record["provenance"]}
        if record["status"] != "ok":
            found.append(keys | {"reason": record["reason"]})
        for condition, entry in record["conditions"].items():
            named = keys | {"condition": condition, "alias": entry["alias"], "clips": entry["clips"]}
            if "reason" in entry:
                found.append(named | {"reason": entry["reason"]})
            for metric, score in entry.get("scores", {}).items():
                found.append(named | {"metric": metric} | score)
        for name in ("difference", "gap_recovered"):
            if name in record:
                condition = record["headline"]["condition"]
                alias = record["conditions"][condition]["alias"]
                found.append(keys | {"condition": condition, "alias": alias, "metric": name} | record[name])
    columns = [
        "task",
        "method",
        "provenance",
        "condition",
        "alias",
        "clips",
        "metric",
        "value",
        "low",
        "high",
        "p",
        "p_holm",
        "reason",
    ]
    return pd.DataFrame(found).reindex(columns=columns).astype({"clips": "Int64"})


def markdown(records: list[dict]) -> str:
    """Every task as two tables: where privileged modalities are absent, and under every condition."""
    lines = ["# Leaderboard"]
    for task in dict.fromkeys(record["task"] for record in records):
        own = [record for record in records if record["task"] == task]
        lines += ["", f"## {title(own[0])}", "", *explanation(own[0]), "", *headline_table(own)]
        lines += ["", *condition_table(own), "", *geometry_table(own)]
    return "\n".join(lines) + "\n"


def title(record: dict) -> str:
    marks = ["SYNTHETIC recordings"] * (record["provenance"] == "synthetic")
    marks += ["LEAKY split, people are trained and tested on"] * leaky(record["definition"]["split"]["rule"])
    return f"{', '.join(marks)}: {record['task']}" if marks else record["task"]


def explanation(record: dict) -> list[str]:
    data, task = record["data"], record["definition"]
    prevalent, privileged = " and ".join(task["prevalent"]), " and ".join(task["privileged"])
    return [
        f"{data['clips']} clips of {data['subjects']} subjects. Prevalent: {prevalent}; privileged: {privileged}.",
        f"Split: {task['split']['rule']}, {len(record['training']['seeds'])} seeds. Scores are pooled over folds, mean "
        f"over seeds, with {record['evaluation']['confidence']:.0%} BCa",
        f"bootstrap intervals over subjects. `teacher` sees everything; all others see {prevalent} only.",
        "",
        "p: two-sided paired permutation test over subjects, uncorrected. **Bold**: told from `prevalent_only`, better "
        "or worse; the interval excludes zero",
        f"and p is at most {1 - record['evaluation']['confidence']:.2g} after Holm's correction over all models of the "
        "table but the control `availability` (`p_holm` in leaderboard.csv).",
        "",
        "Controls: `availability` is a linear model that sees only which modalities are present. "
        + identity(record["identity"]),
        *lost(data["dropped"]),
    ]


def identity(probes: dict[str, dict]) -> str:
    """What the identity probe found, in a sentence."""
    told = [
        f"{name} {probe['accuracy']:.0%} (chance {probe['chance']:.1%})" if "accuracy" in probe
        else f"{name} not known, {probe['reason']}"
        for name, probe in probes.items()
    ]  # fmt: skip
    return f"Unseen clips whose subject is recognised by a linear probe: {', '.join(told)}."


def lost(dropped: dict[str, int]) -> list[str]:
    """What of the dataset is not in the table, where there is anything."""
    words = {
        "remarks": "remarks on recordings without a usable label, or odd ones",
        "without_prevalent": "clips without any prevalent modality",
        "incomplete": "clips without all modalities",
    }
    told = [f"{dropped[name]} {text}" for name, text in words.items() if dropped[name]]
    return [f"Left out, or worth a look: {', '.join(told)} (failures.csv)."] if told else []


def headline_table(records: list[dict]) -> list[str]:
    metric, condition = records[0]["headline"]["metric"], records[0]["headline"]["condition"]
    ok = [record for record in records if record["status"] == "ok"]
    others = [name for name in ok[0]["conditions"][condition]["scores"] if name != metric]
    head = ["method", metric, "difference to prevalent_only", "gap recovered", *others]
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for record in records:
        if record["status"] != "ok":
            lines.append(f"| {record['method']} | {record['status']}: {record['reason']} |{' |' * (len(head) - 2)}")
            continue
        scores = record["conditions"][shown_condition(record)]["scores"]
        baseline = record["method"] in ("prevalent_only", "teacher")
        cells = [
            named(record),
            with_interval(scores[metric]),
            "" if baseline or "difference" not in record else difference(record),
            "" if baseline or lacks_gap(record) else with_interval(record["gap_recovered"]),
            *(plain(scores[name]) for name in others),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def named(record: dict) -> str:
    """The method; how many seeds are left out, and how many other replicas diverged and are scored as before that."""
    out, replicas = {entry["seed"] for entry in record["left_out"]}, record["replicas"]
    later = sum(replica["status"] == "diverged" and replica["seed"] not in out for replica in replicas)
    why = "diverged" if any("diverged" in entry["reason"] for entry in record["left_out"]) else "no validation score"
    told = [f"{len(out)} of {len(record['training']['seeds'])} seeds left out: {why}"] * bool(out)
    told += [f"{later} of {len(replicas)} diverged"] * bool(later)
    return f"{record['method']} ({'; '.join(told)})" if told else record["method"]


def lacks_gap(record: dict) -> bool:
    return record["method"] in CONTROLS or "gap_recovered" not in record


def shown_condition(record: dict) -> str:
    """The teacher is shown with everything visible, everyone else with the prevalent modalities alone."""
    task = record["definition"]
    if record["method"] == "teacher":
        return "+".join((*task["prevalent"], *task["privileged"]))
    return record["headline"]["condition"]


def condition_table(records: list[dict]) -> list[str]:
    """The headline metric under every condition."""
    metric = records[0]["headline"]["metric"]
    ok = [record for record in records if record["status"] == "ok" and record["method"] not in CONTROLS]
    names = list(ok[0]["conditions"]) if ok else []
    head = [f"{metric} when visible:", *names]
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for record in ok:
        entries = [record["conditions"][name] for name in names]
        cells = [with_interval(e["scores"][metric]) if "scores" in e else "nothing to see" for e in entries]
        lines.append(f"| {record['method']} | {' | '.join(cells)} |")
    return lines


def geometry_table(records: list[dict]) -> list[str]:
    """How alike students and teachers are on test clips, and how large each loss term was."""
    ok = [record for record in records if record["status"] == "ok" and record["geometry"]]
    if not ok:
        return []
    chance = ok[0]["geometry"]["chance"]
    head = ["geometry of z", "CKA with teacher", "Frobenius distance", f"mass on true pairs (chance {chance:.3f})"]
    head += ["terms: weight x raw value in the first and in the last epoch", "weights tried"]
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for record in ok:
        found = record["geometry"]
        cells = [record["method"], *(f"{found[name]:.3f}" for name in GEOMETRY)]
        lines.append(f"| {' | '.join([*cells, terms(record), str(len(record['tuning']['tried']))])} |")
    return lines


def terms(record: dict) -> str:
    """A method's loss terms: weight, and the unweighted value in the first and last epoch, mean over replicas."""
    told = []
    for name, options in record["options"]["terms"].items():
        first, last = (record["raw"][name][end] for end in ("first", "last"))
        values = "not finite" if first is None or last is None else f"{first:.3g} to {last:.3g}"
        told.append(f"{name} {options['weight']:g} x {values}")
    return ", ".join(told)


def plain(score: dict) -> str:
    return "undefined" if score["value"] is None else f"{score['value']:.3f}"


def difference(record: dict) -> str:
    """Difference to prevalent_only with interval and p; bold where they tell the two apart."""
    text, p = with_interval(record["difference"], signed=True), record["difference"]["p"]
    if p is not None:
        text += f", p {p:.3f}".replace("0.", ".", 1) if p >= 0.0005 else ", p < .001"
    return f"**{text}**" if told_apart(record) else text


def told_apart(record: dict) -> bool:
    """Whether interval and test, corrected for all the models of the table, both tell a model from prevalent_only."""
    found, level = record["difference"], 1 - record["evaluation"]["confidence"]
    if found["p_holm"] is None or found["low"] is None:
        return False
    return found["p_holm"] <= level and not found["low"] <= 0 <= found["high"]


def with_interval(score: dict, signed: bool = False) -> str:
    if score["value"] is None:
        return "undefined"
    sign = "+" if signed else ""
    if score["low"] is None:
        return f"{score['value']:{sign}.3f}"
    return f"{score['value']:{sign}.3f} [{score['low']:{sign}.3f}, {score['high']:{sign}.3f}]"


def headline_scores(records: list[dict]) -> dict[str, float | None]:
    """Method -> headline score as the leaderboard shows it: what `dvc metrics` compares."""
    found = {}
    for record in records:
        if record["status"] == "ok":
            scores = record["conditions"][shown_condition(record)]["scores"]
            found[record["method"]] = scores[record["headline"]["metric"]]["value"]
    return found


def better(metric: str) -> str:
    return "higher is better" if plugins.load("metrics", metric).HIGHER_IS_BETTER else "lower is better"
