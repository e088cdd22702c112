"""Tuning: the weight of a method, chosen among candidates on the validation subjects; the same budget for all."""

import numpy as np
import torch

from benchmark.cell import Cell
from benchmark.train import Fitted


def candidates(weights: list[float], terms: dict) -> list[float]:
    """The factors on its terms' weights that a method tries; a method without terms has nothing to tune."""
    return weights if terms else [1.0]


def choose(cell: Cell, fits: list[Fitted]) -> tuple[Fitted, np.ndarray]:
    """(the best candidate of each fold, its number for each replica), by the validation score averaged over seeds.

    One choice for all seeds of a fold: a mean of several runs is steadier than each run's own best.
    """
    folds = np.array([replica.fold for replica in cell.replicas])
    scores = np.nan_to_num(np.stack([fitted.score for fitted in fits]), nan=-np.inf)
    chosen = np.empty(len(folds), int)
    for fold in np.unique(folds):
        chosen[folds == fold] = scores[:, folds == fold].mean(1).argmax()
    return combine(fits, chosen), chosen


def combine(fits: list[Fitted], chosen: np.ndarray) -> Fitted:
    """Each replica of the candidate chosen for it."""
    replica = np.arange(len(chosen))

    def picked(values: list[np.ndarray]) -> np.ndarray:
        return np.stack(values)[chosen, ..., replica]

    state = {
        name: torch.stack([fits[number].state[name][at] for at, number in enumerate(chosen)]) for name in fits[0].state
    }
    raw = {term: picked([fitted.raw[term] for fitted in fits]).T for term in fits[0].raw}
    of_replica = ([getattr(fitted, name) for fitted in fits] for name in ("epoch", "score", "diverged"))
    return Fitted(state, *map(picked, of_replica), raw)


def card(cell: Cell, tried: list[float], chosen: np.ndarray) -> dict:
    """How many weights were tried, and the factor chosen in each fold."""
    found = {replica.fold: tried[number] for replica, number in zip(cell.replicas, chosen, strict=True)}
    return {"tried": tried, "chosen": [{"fold": fold, "factor": factor} for fold, factor in found.items()]}
