"""The leaderboard: every score as a row, and the words that tables and figures have for a record."""

import pandas as pd

from benchmark import plugins
from benchmark.records import compared
from benchmark.robustness import points
from benchmark.splits import leaky

COLUMNS = (
    "task",
    "method",
    "provenance",
    "condition",
    "alias",
    "protocol",
    "rate",
    "clips",
    "answered",
    "metric",
    "value",
    "low",
    "high",
    "p",
    "p_holm",
    "p_pooled",
    "p_folds",
    "test",
    "effect",
    "wide_low",
    "wide_high",
    "worse",
    "equivalent",
    "better",
    "reason",
)


def rows(records: list[dict]) -> pd.DataFrame:
    """One row per task, method, condition and metric: value, low, high, and the reason where there is no value."""
    found = []
    for record in records:
        keys = {"task": record["task"], "method": record["method"], "provenance": record.get("provenance")}
        if record["status"] != "ok":
            found.append(keys | {"reason": record["reason"]})
        for condition, entry in record["conditions"].items():
            named = keys | {"condition": condition}
            named |= {name: entry.get(name) for name in ("alias", "protocol", "rate", "clips", "answered")}
            if "reason" in entry:
                found.append(named | {"reason": entry["reason"]})
            for metric, score in entry.get("scores", {}).items():
                found.append(named | {"metric": metric} | score)
        for name in ("difference", "gap_recovered"):
            if name in record:
                condition = record["headline"]["condition"]
                alias = record["conditions"][condition]["alias"]
                found.append(keys | {"condition": condition, "alias": alias, "metric": name} | flat(record[name]))
        for name, score in record.get("robustness", {}).items():
            found.append(keys | {"metric": name} | score)
    return pd.DataFrame(found).reindex(columns=list(COLUMNS)).astype({"clips": "Int64"})


def flat(difference: dict) -> dict:
    """A difference with its wide interval and its shares of a region of practical equivalence as columns."""
    wide, rope = difference.get("wide") or {}, difference.get("rope") or {}
    shares = {name: rope.get(name) for name in ("worse", "equivalent", "better")}
    more = {"p_folds": (difference.get("folds") or {}).get("p")}
    return difference | more | {"wide_low": wide.get("low"), "wide_high": wide.get("high")} | shares


def title(record: dict) -> str:
    """The task, marked where its recordings are synthetic or its split leaks."""
    marks = ["SYNTHETIC recordings"] * (record["provenance"] == "synthetic")
    marks += ["LEAKY split, people are trained and tested on"] * leaky(record["definition"]["split"]["rule"])
    return f"{', '.join(marks)}: {record['task']}" if marks else record["task"]


def readable(records: list[dict]) -> list[dict]:
    """Records that say what was asked, scored or not."""
    return [record for record in records if "definition" in record]


def scored(records: list[dict]) -> list[dict]:
    """Records that have scores."""
    return [record for record in records if record["status"] == "ok"]


def condition_names(records: list[dict]) -> list[str]:
    """Every condition of any of the scored records, in their order."""
    return list(dict.fromkeys(name for record in records for name in record["conditions"]))


def entry_of(records: list[dict], condition: str) -> dict:
    """What the first of the records that has a condition says of it."""
    return next(record["conditions"][condition] for record in records if condition in record["conditions"])


def score_of(record: dict, condition: str, metric: str | None = None) -> dict:
    """A score under a condition, the headline metric unless another is named; always with value and reason."""
    entry = record["conditions"].get(condition, {"reason": "not among the conditions of this model"})
    empty = {"value": None, "low": None, "high": None, "reason": entry.get("reason", "not scored by this metric")}
    return empty | entry.get("scores", {}).get(metric or record["headline"]["metric"], {})


def missing_curve(record: dict, protocol: str) -> list[tuple[float, dict]]:
    """(rate, headline score) of the random or the wild protocol, from nothing more hidden upwards."""
    found = [(rate, score_of(record, name)) for rate, name in points(record["conditions"], protocol)]
    return [(rate, score) for rate, score in found if score["value"] is not None]


def named(record: dict) -> str:
    """The method; how many seeds are left out, and how many other replicas diverged and are scored as before that."""
    out, replicas = {entry["seed"] for entry in record["left_out"]}, record["replicas"]
    later = sum(replica["status"] == "diverged" and replica["seed"] not in out for replica in replicas)
    why = "diverged" if any("diverged" in entry["reason"] for entry in record["left_out"]) else "no validation score"
    told = [f"{len(out)} of {len(record['training']['seeds'])} seeds left out: {why}"] * bool(out)
    told += [f"{later} of {len(replicas)} diverged"] * bool(later)
    return f"{record['method']} ({'; '.join(told)})" if told else record["method"]


def shown_condition(record: dict) -> str:
    """The teacher is shown with everything visible, everyone else with the prevalent modalities alone."""
    task = record["definition"]
    if record["method"] == "teacher":
        return "+".join((*task["prevalent"], *task["privileged"]))
    return record["headline"]["condition"]


def p_text(p: float) -> str:
    return f"p {p_number(p)}"


def p_number(p: float) -> str:
    return f"{p:.3f}".replace("0.", ".", 1) if p >= 0.0005 else "< .001"


def told_apart(record: dict) -> bool:
    """Whether interval and test, corrected for all the models of the table, both tell a model from prevalent_only, and
    on the same side: from 20 subjects on the test is of their own scores, the interval of the pooled one."""
    found, level = record["difference"], 1 - record["evaluation"]["confidence"]
    if found["p_holm"] is None or found["low"] is None:
        return False
    side = 1 if found["low"] > 0 else -1 if found["high"] < 0 else 0
    return found["p_holm"] <= level and side != 0 and found["direction"] == side


def told(records: list[dict]) -> list[dict]:
    """Scored records that are told from prevalent_only."""
    return [record for record in scored(records) if compared(record) and told_apart(record)]


def with_interval(score: dict, signed: bool = False) -> str:
    if score["value"] is None:
        return "undefined"
    sign = "+" if signed else ""
    if score.get("low") is None:
        return f"{score['value']:{sign}.3f}"
    return f"{score['value']:{sign}.3f} [{score['low']:{sign}.3f}, {score['high']:{sign}.3f}]"


def headline_scores(records: list[dict]) -> dict[str, float | None]:
    """Method -> headline score as the leaderboard shows it: what `dvc metrics` compares."""
    return {record["method"]: score_of(record, shown_condition(record))["value"] for record in scored(records)}


def better(metric: str) -> str:
    return "higher is better" if plugins.load("metrics", metric).HIGHER_IS_BETTER else "lower is better"
