"""From trained networks to the predictions table, the only place scores come from."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch

from benchmark import checkpoints, missing, student, teacher, tnet
from benchmark.cell import Cell, decide
from benchmark.models import Network
from benchmark.params import planned

KEYS = ["fold", "seed", "clip_id", "subject_id", "condition"]


def restore(cell: Cell, models: Path, name: str) -> tuple[dict, list[Network] | None]:
    """The card and the networks of a saved model; None where its method could not be run.

    `teacher_hallucinated` is the teacher with its trained T-Net in the place of hidden privileged modalities.
    """
    own = "teacher" if name == "teacher_hallucinated" else name
    state, card = checkpoints.load(models / own)
    if "impossible" in card:
        return card, None
    if own != "teacher":
        method = planned(card["method"])
        imagined = tnet.load_hallucinators(cell, models, method.tnet)
        return card, student.restore(cell, method, state, imagined)
    networks = teacher.restore(cell, state)
    if name != own:
        pairs = zip(card["replicas"], checkpoints.read_card(models / "tnet_mse")["replicas"], strict=True)
        card["replicas"] = [next((entry for entry in pair if entry["epoch"] == 0), pair[0]) for pair in pairs]
        for network, module in zip(networks, tnet.load_hallucinators(cell, models, "mse"), strict=True):
            network.hallucinator = module
    return card, networks


def left_out(card: dict) -> list[dict]:
    """Seeds that cannot be scored, and why: scores are pooled over the folds of a seed, and a fold has no weights."""
    reasons: dict[int, list[str]] = {}
    for entry in card["replicas"]:
        if entry.get("epoch") == 0:
            why = f"diverged at epoch {entry['diverged']}" if "diverged" in entry else "has no validation score"
            reasons.setdefault(entry["seed"], []).append(f"fold {entry['fold']} {why}")
    more = {seed: f", and {len(found) - 1} more" if len(found) > 1 else "" for seed, found in reasons.items()}
    return [{"seed": seed, "reason": found[0] + more[seed]} for seed, found in sorted(reasons.items())]


@torch.no_grad()
def predict(cell: Cell, networks: list[Network], without=()) -> pd.DataFrame:
    """Predictions of every replica on its test clips under every condition; without: seeds that are left out.

    A row per clip (and target): KEYS, target, truth, prediction (class index or value), and for classes the
    probability of each, p0, p1, ... A condition that hides all a network could see, of a clip or of all, has no row.
    """
    parts = []
    numbers = [number for number, replica in enumerate(cell.replicas) if replica.seed not in without]
    for name, visible in missing.conditions(teacher.modalities(cell)).items():
        for number in numbers:
            network = networks[number]
            rows = torch.from_numpy(cell.test[number]).to(cell.device)
            view = missing.hide(cell.view(rows, network.inputs), visible)
            kept = missing.anything(view)
            if kept.any():
                said = network(**view).prediction * network.target_deviation + network.target_mean
                parts.append(rows_of(cell, number, rows[kept], said[kept]).assign(condition=name))
    return pd.concat(parts, ignore_index=True)


def rows_of(cell: Cell, number: int, rows: torch.Tensor, said: torch.Tensor) -> pd.DataFrame:
    """The rows of one replica: fold, seed, clip_id, subject_id, target, truth, prediction; then, for classes the
    probabilities, and for values recording_id, frames and variance, which say what a continuous label is made of."""
    index = rows.cpu().numpy()
    replica, kind = cell.replicas[number], cell.task.kind
    keys = {
        "fold": replica.fold,
        "seed": replica.seed,
        "clip_id": cell.table.clip_id[index],
        "subject_id": cell.table.subject_id[index],
    }
    truth, values = cell.table.target[rows].cpu().numpy(), said.cpu().numpy()
    if kind == "regression":
        keys |= {"recording_id": cell.table.recording_id[index], "frames": cell.table.frames[index]}
        columns = zip(cell.task.target, truth.T, values.T, cell.table.variance[index].T, strict=True)
        return pd.concat([
            pd.DataFrame(keys | {"target": t, "truth": a, "prediction": b, "variance": v}) for t, a, b, v in columns
        ])  # fmt: skip
    probability = said.double().softmax(-1).cpu().numpy()
    found = {"target": cell.task.target[0], "truth": truth, "prediction": decide(values, kind)}
    return pd.DataFrame(keys | found | {f"p{c}": probability[:, c] for c in range(cell.outputs)})


def counts(cell: Cell) -> dict:
    """What was there to be learnt from and tested on: counts for the record."""
    absent = {name: int((~mask).sum()) for name, mask in cell.table.visible.items()}
    return {
        "clips": len(cell.table.clip_id),
        "subjects": len(np.unique(cell.table.subject_id)),
        "absent": absent,
    }
