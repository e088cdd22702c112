"""A small suite of results, made up: records of the present version, predictions, embeddings and epoch curves."""

import itertools
import json
from pathlib import Path

import numpy as np
import pandas as pd

from benchmark.records import tested
from benchmark.robustness import EXPLAINED

METHODS = ("teacher", "prevalent_only", "kd", "kdot", "clean_labels", "availability")
DEFINITION = {
    "dataset": "biovid", "kind": "ordinal", "target": ["level"], "classes": [0.0, 1.0, 2.0], "prevalent": ["vision"],
    "privileged": ["biosignal"], "clips": "any", "headline": None, "split": {"rule": "subject_folds", "folds": 2},
}  # fmt: skip
SUBJECTS, CLIPS = 8, 48


def score(value: float | None, reason: str | None = None) -> dict:
    low, high = (None, None) if value is None else (round(value - 0.1, 9), round(value + 0.1, 9))
    return {"value": value, "low": low, "high": high, "reason": reason}


def conditions(value: float, sees_all: bool) -> dict:
    """Scores under every protocol; a student sees nothing of bio-signals."""
    hidden = {"clips": 0, "answered": None, "reason": "shows this model nothing that it can use"}
    found = {
        "vision+biosignal": entry("all", "subset", None, value + 0.1 * sees_all),
        "vision": entry("privileged_absent", "subset", None, value),
        "biosignal": entry("only_biosignal", "subset", None, 0.3),
    }
    if not sees_all:
        found["biosignal"] = {"alias": "only_biosignal", "protocol": "subset", "rate": None} | hidden
    rates = ((10, 0.1), (30, 0.3), (50, 0.5))
    found |= {
        f"random_{percent}": entry(f"random_{percent}", "random", rate, value - rate / 3) for percent, rate in rates
    }
    found |= {f"wild_{percent}": entry(f"wild_{percent}", "wild", rate, value - rate / 2) for percent, rate in rates}
    return found | {"gap_vision_30": entry("gap_vision_30", "gap", 0.3, value - 0.05)}


def entry(alias: str, protocol: str, rate: float | None, value: float) -> dict:
    answered = 1.0 if rate is None else 1 - rate**2
    scores = {"kappa": score(value), "accuracy": score(value + 0.1)}
    return {
        "alias": alias, "protocol": protocol, "rate": rate, "clips": CLIPS, "answered": answered, "scores": scores,
    }  # fmt: skip


def record(method: str, value: float = 0.4, task: str = "made_up", **more) -> dict:
    """A scored record; `more` replaces its entries."""
    difference = score(round(value - 0.4, 9)) | {
        "p": 0.03, "p_holm": 0.06, "test": "paired permutation", "direction": 1, "effect": 0.4,
        "seeds": 2, "p_pooled": 0.04,
        "subjects": 8, "excluded": 0, "folds": {"t": 1.5, "p": 0.2, "reason": None},
        "wide": {"low": value - 0.6, "high": value - 0.2, "reason": None},
        "rope": {"worse": 0.1, "equivalent": 0.3, "better": 0.6, "width": 0.01},
    }  # fmt: skip
    made = {
        "version": 2, "task": task, "method": method, "dataset": "biovid", "provenance": "synthetic", "status": "ok",
        "definition": DEFINITION, "headline": {"metric": "kappa", "condition": "vision"},
        "data": {"clips": CLIPS, "subjects": SUBJECTS, "absent": {"vision": 0, "biosignal": 3},
                 "dropped": {"remarks": 2, "without_prevalent": 0, "incomplete": 0}},
        "evaluation": {"resamples": 200, "confidence": 0.95}, "versions": {"torch": "2.13.0", "numpy": "2.4.6"},
        "identity": {"vision": {"accuracy": 0.8, "chance": 0.02, "clips": 9}, "biosignal": {"reason": "too few clips"}},
        "training": {"seeds": [0, 1], "encoder": "pooled", "batch": 32, "epochs": 4}, "device": "cpu",
        "options": {"terms": {method: {"weight": 0.9}} if method in ("kd", "kdot") else {}, "tnet": "none",
                    "inputs": "prevalent"},
        "raw": {method: {"first": 0.41, "last": 0.02}}, "tuning": {"tried": [1.0], "chosen": []}, "left_out": [],
        "geometry": {"cka": 0.6, "frobenius": 0.3, "true_pairs": 0.021, "chance": 0.008},
        "tested": tested(pd.DataFrame({"clip_id": clip_names(), "condition": "vision"}), "vision"), "missing": {},
        "available": {"teacher": {"vision": 1.0, "biosignal": 0.94}, "student": {"vision": 1.0}},
        "conditions": conditions(value, sees_all=method == "teacher"),
        "robustness": {name: {"value": value, "reason": None} for name in EXPLAINED},
        "difference": difference, "gap_recovered": score(None, "undefined: the teacher does not beat prevalent_only"),
        "replicas": [{"fold": fold, "seed": seed, "status": "ok"} for fold in (0, 1) for seed in (0, 1)],
    }  # fmt: skip
    if method in ("teacher", "availability"):
        made["geometry"] = None
    if method == "teacher":
        made |= {"available": made["available"] | {"student": {}}, "lead": score(0.3)}
    return made | more


def unscored(method: str, status: str, reason: str, task: str = "made_up") -> dict:
    """What stands in the place of a model without scores."""
    kept = {
        name: value for name, value in record(method, task=task).items() if name not in ("difference", "gap_recovered")
    }
    return kept | {
        "status": status, "reason": reason, "conditions": {}, "replicas": [], "geometry": None, "robustness": {},
    }  # fmt: skip


def suite(task: str = "made_up") -> list[dict]:
    """Scored, not run, diverged and unreadable models of one task."""
    values = {"teacher": 0.7, "prevalent_only": 0.4, "kd": 0.5, "kdot": 0.45, "availability": 0.0}
    found = [record(method, value, task) for method, value in values.items()]
    found[1]["difference"] |= {
        "value": 0.0,
        "low": None,
        "high": None,
        "p": 1.0,
        "p_holm": None,
        "rope": None,
        "wide": None,
    }
    found.insert(4, unscored("clean_labels", "not run", "labels: clean needs synthetic recordings", task))
    found.insert(5, unscored("rand_tnet", "unreadable", "rand_tnet.json is not a whole record; run `dvc repro`", task))
    found.insert(6, unscored("kdot_k10", "diverged", "no seed is left (seed 0: fold 0 diverged at epoch 2)", task))
    return found


def clip_names() -> list[str]:
    return [f"s{number % SUBJECTS}_{number:02d}" for number in range(CLIPS)]


def predictions(seed: int = 0, subjects: int = SUBJECTS) -> pd.DataFrame:
    """Of two seeds under the headline condition and one more, of three classes."""
    rng = np.random.default_rng(seed)
    truth = np.arange(CLIPS) % 3
    parts = []
    for run in (0, 1):
        likely = rng.dirichlet((1, 1, 1), CLIPS) + np.eye(3)[truth] * 0.5
        likely /= likely.sum(1, keepdims=True)
        keys = {
            "fold": 0,
            "seed": run,
            "clip_id": clip_names(),
            "subject_id": [f"s{n % subjects}" for n in range(CLIPS)],
        }
        said = {"target": "level", "truth": truth, "prediction": likely.argmax(1)}
        said |= {f"p{number}": likely[:, number] for number in range(3)}
        parts += [pd.DataFrame(keys | {"condition": name} | said) for name in ("vision", "vision+biosignal")]
    return pd.concat(parts, ignore_index=True)


def embeddings(seed: int = 0) -> dict[str, np.ndarray]:
    """Of all clips, sorted by class; the first T-Net's first feature is constant."""
    rng = np.random.default_rng(seed)
    target = np.sort(np.arange(CLIPS) % 3)
    z = {
        f"z/{name}": rng.normal(size=(CLIPS, 8)) + target[:, None]
        for name in ("teacher", "prevalent_only", "kd", "kdot")
    }
    real = rng.normal(size=(CLIPS, 1, 8))
    tokens = {
        name: real * share + rng.normal(size=real.shape) for name, share in (("random", 0), ("mse", 1), ("mmd", 0.5))
    }
    tokens["random"][..., 0] = 1.0
    there = np.arange(CLIPS)[:, None] > 2
    about = {"clip_id": np.array(clip_names()), "target": target, "privileged": np.array(["biosignal"]), "there": there}
    return about | z | {"tokens/real": real} | {f"tokens/{name}": values for name, values in tokens.items()}


def curves(terms=("task", "validation", "kd")) -> pd.DataFrame:
    places = itertools.product((1, 2, 3), (0, 1), (0, 1), terms)
    rows = [(epoch, fold, seed, term, 1 / epoch + 0.1 * seed) for epoch, fold, seed, term in places]
    return pd.DataFrame(rows, columns=["epoch", "fold", "seed", "term", "value"])


RANKS = {
    "methods": [{"method": n, "rank": r} for n, r in (("kd", 1.4), ("kdot", 1.9), ("prevalent_only", 2.7))],
    "blocks": 8, "excluded": 1, "friedman": {"statistic": 6.0, "p": 0.04}, "critical_difference": 1.1,
    "cliques": [["kd", "kdot"], ["kdot", "prevalent_only"]], "reason": None, "unit": "subjects",
}  # fmt: skip


def write(results: Path, records: list[dict]) -> None:
    """Records, predictions, embeddings and curves as the stages before the report leave them."""
    for own in records:
        folders = {name: results / name / own["task"] for name in ("records", "predictions", "models")}
        for folder in (*folders.values(), results / "embeddings"):
            folder.mkdir(parents=True, exist_ok=True)
        (folders["records"] / f"{own['method']}.json").write_text(json.dumps(own))
        if own["status"] == "ok":
            predictions(len(own["method"])).to_parquet(folders["predictions"] / f"{own['method']}.parquet", index=False)
            (folders["models"] / own["method"]).mkdir(exist_ok=True)
            curves().to_csv(folders["models"] / own["method"] / "curves.csv", index=False)
        np.savez(results / "embeddings" / f"{own['task']}.npz", **embeddings())
