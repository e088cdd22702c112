"""Controls beside the methods: what presence alone tells, and how well features give away who it is."""

import warnings

import numpy as np
import pandas as pd
import torch

from benchmark import evaluation
from benchmark.cell import Cell

MOST = 500  # people that are to be told from each other


def availability(cell: Cell) -> pd.DataFrame:
    """Predictions, as evaluation.predict gives them, of a linear model that sees only which modalities are present.

    A score above chance means that the recordings' gaps give the labels away, and a method may profit from them. It
    needs no seed: its rows are the same for all, under the condition in which all prevalent modalities are visible.
    """
    bits = torch.stack(list(cell.table.visible.values()), dim=-1).cpu().numpy().astype(float)
    target, parts = cell.table.target.cpu().numpy(), []
    for number in range(len(cell.replicas)):
        said = fitted(cell, bits, target, cell.train[number])(bits[cell.test[number]])
        tested = torch.from_numpy(cell.test[number])
        more = {"condition": "+".join(cell.task.prevalent), "seen": np.ones(len(tested), bool)}
        parts.append(evaluation.rows_of(cell, number, tested, torch.from_numpy(said), more))
    return pd.concat(parts, ignore_index=True).astype({"condition": "category"})


def fitted(cell: Cell, bits: np.ndarray, target: np.ndarray, rows: np.ndarray):
    """bits (N, modalities) -> logits (N, classes) or values (N, targets), learnt on the given rows."""
    from sklearn.linear_model import LinearRegression, LogisticRegression

    if cell.task.kind == "regression":
        return LinearRegression().fit(bits[rows], target[rows]).predict
    counts = np.bincount(target[rows], minlength=cell.outputs)
    prior = np.log(np.maximum(counts, 1e-9) / counts.sum())
    if np.ptp(bits[rows], axis=0).max() == 0 or (counts > 0).sum() < 2:  # nothing to learn from
        return lambda shown: np.tile(prior, (len(shown), 1))
    model = LogisticRegression(class_weight="balanced").fit(bits[rows], target[rows])

    def logits(shown: np.ndarray) -> np.ndarray:
        found = np.full((len(shown), cell.outputs), -np.inf)
        found[:, model.classes_] = model.predict_log_proba(shown)
        return found

    return logits


def identity(cell: Cell) -> dict[str, dict]:
    """How often each modality's features tell who it is: modality -> accuracy, chance, clips; or a reason.

    A shrunk linear discriminant learns from one half who is in the clips of the other: the earlier and the later clips
    of each recording where recordings hold several, which each show one person; else every other recording of each
    subject; of at most MOST people. High values are why clips of one person must never lie on both sides of a split.
    """
    return {name: recognised(cell, name) for name in cell.table.x}


def recognised(cell: Cell, modality: str) -> dict:
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    table = cell.table
    x = table.x[modality].flatten(1).cpu().numpy()
    several = len(set(table.recording_id)) < len(table.clip_id)
    present = pd.DataFrame({"who": table.recording_id if several else table.subject_id, "clip": table.clip_id})
    present = present[table.visible[modality].cpu().numpy()].sort_values(["who", "clip"])
    everyone = present.who.unique()
    asked = everyone[np.linspace(0, len(everyone) - 1, min(MOST, len(everyone))).round().astype(int)]
    present = present[present.who.isin(asked)]
    place, clips = present.groupby("who").cumcount(), present.groupby("who").clip.transform("size")
    later = place >= clips / 2 if several else place % 2 == 1
    known = present.who.isin(present.who[later])
    train, test = (present[known & half] for half in (~later, later))
    people = train.who.nunique()
    if people < 2 or len(train) <= people:
        return {"reason": "too few clips of each person"}
    learnt, told = x[train.index], x[test.index]
    mean, deviation = np.nanmean(learnt, axis=0), np.nanstd(learnt, axis=0)
    deviation = np.where(deviation > 1e-8, deviation, 1)
    learnt, told = (np.nan_to_num((values - mean) / deviation).clip(-5, 5) for values in (learnt, told))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # constant columns
        probe = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto", priors=np.full(people, 1 / people))
        right = probe.fit(learnt, train.who).predict(told) == test.who
    return {"accuracy": float(right.mean()), "chance": 1 / people, "clips": len(test)}
