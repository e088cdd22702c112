"""What a task's records say, in sentences. Every sentence follows from a rule over the records."""

from benchmark.missing import percent
from benchmark.records import compared
from benchmark.report.leaderboard import (
    missing_curve,
    named,
    p_text,
    readable,
    score_of,
    scored,
    shown_condition,
    told,
    told_apart,
    with_interval,
)
from benchmark.report.style import several

BLIND = {
    "teacher_permuted": "whose teacher's outputs were shuffled among the clips",
    "teacher_untrained": "whose teacher was never trained",
}
CONDUCT = {
    "ok": "scored",
    "not run": "not run",
    "diverged": "diverged in every seed",
    "no score": "without a validation score in every seed",
    "unreadable": "unreadable",
}


def overview(tasks: dict[str, list[dict]]) -> list[str]:
    """Of all tasks together. tasks: task -> its records."""
    known = [record for records in tasks.values() for record in readable(records)]
    synthetic = sorted({record["dataset"] for record in known if record["provenance"] == "synthetic"})
    told_in = {task: told(records) for task, records in tasks.items()}
    names = {record["method"] for found in told_in.values() for record in found}
    lines = [f"{len(tasks)} tasks, {sum(len(scored(r)) for r in tasks.values())} scored models."]
    if synthetic:
        lines.append(
            f"SYNTHETIC: the recordings of {several(synthetic)} are made by this software. What is written here about "
            "them says whether the methods work as built, and nothing about people."
        )
    if names:
        counts = {
            name: [t for t, found in told_in.items() if name in {r["method"] for r in found}] for name in sorted(names)
        }
        words = several(f"{name} ({several(found)})" for name, found in counts.items())
        lines.append(f"Told from prevalent_only, for better or worse, after correction: {words}.")
    silent = [task for task, found in told_in.items() if not found]
    if silent:
        lines.append(f"No model is told from prevalent_only in {several(silent)}: differences there are within noise.")
    return lines


def of_task(records: list[dict]) -> list[str]:
    """Sentences on one task: who is told from the baseline, the teacher's lead, missing modalities, controls."""
    ok = scored(records)
    if not ok:
        return ["No model of this task has a score.", *absent(records)]
    rules = effects, teacher, collapse, controls
    return [line for rule in rules for line in rule(ok)] + absent(records)


def effects(records: list[dict]) -> list[str]:
    """Which methods are told from prevalent_only, and how far the others are from zero."""
    family = [record for record in records if compared(record)]
    if not any(record["method"] == "prevalent_only" for record in records):
        return ["There is no scored prevalent_only, so no difference could be computed."]
    if not family:
        return ["No model could be compared with prevalent_only."]
    apart = [record for record in family if told_apart(record)]
    lines = []
    for sign, word in ((1, "above"), (-1, "below")):
        found = [r for r in apart if r["difference"]["value"] * sign > 0]
        if found:
            lines.append(f"Told from prevalent_only and {word} it: {several(map(effect, found))}.")
    untested = [r for r in family if r["difference"].get("p_holm") is None]
    rest = [r for r in family if r not in apart and r not in untested]
    values = [r["difference"]["value"] for r in rest if r["difference"]["value"] is not None]
    if values:
        who = f"The other {len(rest)} models compared are" if apart else f"None of the {len(rest)} models compared is"
        span = f"their differences run from {min(values):+.3f} to {max(values):+.3f}, which may be chance"
        lines.append(f"{who} {'not ' * bool(apart)}told from prevalent_only after correction; {span}.")
    for reason in dict.fromkeys(r["difference"]["reason"] for r in untested):
        lines.append(f"Without a test: {several(r['method'] for r in untested)} ({reason or 'no p value'}).")
    return lines


def effect(record: dict) -> str:
    found = record["difference"]
    return f"{record['method']} ({with_interval(found, signed=True)}, {p_text(found['p_holm'])} corrected)"


def teacher(records: list[dict]) -> list[str]:
    """How far the teacher, seeing everything, is from the baseline; and what students could recover of that."""
    by_name = {record["method"]: record for record in records}
    if not {"teacher", "prevalent_only"} <= set(by_name):
        return ["The teacher or prevalent_only has no scores, so the teacher's lead is not known."]
    upper, lower = (score_of(by_name[n], shown_condition(by_name[n])) for n in ("teacher", "prevalent_only"))
    lead = by_name["teacher"].get("lead")
    if lead is None or lead["value"] is None:
        return [f"The teacher's lead is undefined ({upper['reason'] or lower['reason'] or 'no difference'})."]
    metric = by_name["teacher"]["headline"]["metric"]
    line = f"The teacher, seeing everything, has {metric} {with_interval(upper)}, prevalent_only {with_interval(lower)}"
    line += f": {with_interval(lead, signed=True)}, paired"
    if lead["low"] is None:
        return [f"{line}; whether that is more than chance is not known ({lead['reason']})."]
    if not lead["low"] <= 0 <= lead["high"]:
        return [f"{line}."]
    return [f"{line}. The interval includes 0: the privileged modalities may add little here."]


def collapse(records: list[dict]) -> list[str]:
    """What happens at the highest missing rate."""
    lines, by_method = [], {record["method"]: record for record in records}
    alike = [name for name, record in by_method.items() if name != "prevalent_only" and sees_prevalent(record)]
    words = {"random": "of all modalities", "wild": "of the prevalent modalities"}
    for protocol, what in words.items():
        curves = {r["method"]: missing_curve(r, protocol) for r in records}
        ends = {name: curve[-1] for name, curve in curves.items() if len(curve) > 1}
        own = curves.get("prevalent_only") or []
        if len(own) < 2 or "prevalent_only" not in ends:
            continue
        rate, start, end = own[-1][0], own[0][1], own[-1][1]
        seen = by_method["prevalent_only"]["conditions"][f"{protocol}_{percent(rate)}"].get("answered")
        line = f"With {rate:.0%} {what} hidden at random, prevalent_only goes "
        line += f"from {start['value']:.3f} to {with_interval(end)}"
        line += f", seeing anything of {seen:.0%} of the clips" if seen is not None and seen < 1 else ""
        others = [s["value"] for name, (r, s) in ends.items() if r == rate and name in alike]
        span = f"; students of the same input lie between {min(others):.3f} and {max(others):.3f}" if others else ""
        inside = others and end.get("low") is not None and end["low"] <= min(others) and max(others) <= end["high"]
        lines.append(line + span + (", all within its interval." if inside else "."))
    return lines


def sees_prevalent(record: dict) -> bool:
    """Whether a model is a student that sees prevalent modalities alone."""
    return (record["options"] or {}).get("inputs") == "prevalent"


def controls(records: list[dict]) -> list[str]:
    """What models without knowledge did, and one without label noise."""
    lines = []
    for record in records:
        name = record["method"]
        if name in BLIND and compared(record) and record["difference"]["value"] is not None:
            found = with_interval(record["difference"], signed=True)
            text = f"The control {name}, {BLIND[name]}, differs from prevalent_only by {found}"
            apart = told_apart(record)
            lines.append(f"{text} and is {'' if apart else 'not '}told from it" + (
                ": not every gain here is knowledge of privileged modalities." if apart else "."
            ))  # fmt: skip
        if name == "clean_labels" and compared(record) and record["difference"]["value"] is not None:
            text = with_interval(record["difference"], True)
            lines.append(f"Training on labels without noise (clean_labels) differs from prevalent_only by {text}.")
        if name == "availability":
            score = score_of(record, shown_condition(record))
            value = with_interval(score) if score["value"] is not None else f"undefined ({score['reason']})"
            lines.append(f"A model that sees only which modalities are present (availability) scores {value}.")
    return lines


def absent(records: list[dict]) -> list[str]:
    """Models that are not scored, or not on every seed."""
    lines = []
    for status, words in list(CONDUCT.items())[1:]:
        found = [f"{record['method']} ({record['reason']})" for record in records if record["status"] == status]
        lines += [f"{words.capitalize()}: {several(found)}."] if found else []
    partial = [named(record) for record in scored(records) if named(record) != record["method"]]
    return lines + ([f"Scored on fewer replicas: {several(partial)}."] if partial else [])


def explanation(record: dict) -> list[str]:
    """What was asked, of how many, and how it was scored: a paragraph each."""
    data, task = record["data"], record["definition"]
    prevalent, privileged = " and ".join(task["prevalent"]), " and ".join(task["privileged"])
    confidence = record["evaluation"]["confidence"]
    said = (
        f"{data['clips']} clips of {data['subjects']} subjects. Prevalent: {prevalent}; privileged: {privileged}. "
        f"Split: {task['split']['rule']}, {len(record['training']['seeds'])} seeds. Scores are pooled over folds, mean "
        f"over seeds, with {confidence:.0%} jackknife-t intervals over subjects. `teacher` sees everything; all "
        f"others see {prevalent} only."
    )
    tests = (
        "p: two-sided paired test over subjects, uncorrected. **Bold**: told from `prevalent_only`, better "
        f"or worse; the interval excludes zero and p is at most {1 - confidence:.2g} after Holm's correction over all "
        "models of the table but the control `availability` (`p_holm` in leaderboard.csv)."
    )
    checks = "Controls: `availability` is a linear model that sees only which modalities are present. "
    return [said, tests, " ".join([checks + identity(record["identity"]), *lost(data["dropped"])])]


def identity(probes: dict[str, dict]) -> str:
    """What the identity probe found, in a sentence."""
    found = [
        f"{name} {probe['accuracy']:.0%} (chance {probe['chance']:.1%})" if "accuracy" in probe
        else f"{name} not known, {probe['reason']}"
        for name, probe in probes.items()
    ]  # fmt: skip
    return f"Unseen clips whose subject is recognised by a linear probe: {', '.join(found)}."


def lost(dropped: dict[str, int]) -> list[str]:
    """What of the dataset is not in the table, where there is anything."""
    words = {
        "remarks": "remarks on recordings without a usable label, or odd ones",
        "without_prevalent": "clips without any prevalent modality",
        "incomplete": "clips without all modalities",
    }
    found = [f"{dropped[name]} {text}" for name, text in words.items() if dropped[name]]
    return [f"Left out, or worth a look: {', '.join(found)} (failures.csv)."] if found else []
