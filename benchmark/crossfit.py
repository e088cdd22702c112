"""Cross-fitting: what teachers say of training clips that they have not been trained on, and what they agree on.

A teacher has learnt the noise of the labels of its training clips, and says it again. Here the training subjects are
dealt into parts, and every part is told by a teacher that was trained on the others (Chernozhukov et al. 2018,
Econometrics Journal 21; of teachers, Dao et al. 2021, ICLR, arXiv 2104.09732). All of them together, with the teacher
of all training subjects, are an ensemble (bagging; Breiman 1996, Machine Learning 24).
"""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from benchmark import spaces, teacher
from benchmark.cell import Cell
from benchmark.seeds import generator

PARTS = 3


def parts(cell: Cell) -> list[Cell]:
    """A cell for each part: trained on the other parts' subjects, tested on its own, selected as ever.

    None at all where a fold trains on a single subject, of whom nobody else can tell.
    """
    if any(len(set(cell.table.subject_id[rows])) < 2 for rows in cell.train):
        return []
    dealt = [held(cell, number) for number in range(len(cell.replicas))]
    found = []
    for part in range(PARTS):
        train = [rows[own != part] for rows, own in zip(cell.train, dealt, strict=True)]
        test = [rows[own == part] for rows, own in zip(cell.train, dealt, strict=True)]
        found.append(replace(cell, name=f"{cell.name} part {part}", train=train, test=test))
    return found


def held(cell: Cell, number: int) -> np.ndarray:
    """The part of each training clip of a replica; whole subjects, the same for all seeds of a fold."""
    subjects = cell.table.subject_id[cell.train[number]]
    people = np.unique(subjects)
    order = generator("crossfit", cell.name, cell.replicas[number].fold).permutation(len(people))
    return (order % PARTS)[np.searchsorted(people, subjects)]


def fit(cell: Cell, everything: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor], Tensor]:
    """Held-out targets, those of the ensemble, and held-out predictions of each space (replicas, N, spaces, outputs).

    everything: what the cell's own teachers say of all clips. Beyond the training clips all is NaN. The z of a part's
    teacher is turned into the space of the cell's own by the rotation that fits its training clips best.
    """
    held = everything | {name: torch.full_like(everything[name], torch.nan) for name in ("z", "prediction")}
    replicas, clips, slots = everything["seen"].shape
    spoken = held["z"].new_full((replicas, clips, 1 + slots, cell.outputs), torch.nan)
    members = [everything]
    for part in parts(cell):
        own, told = asked(part, cell)
        for number, rows in enumerate(part.test):
            turn = rotation(own["z"][number, part.train[number]], everything["z"][number, part.train[number]])
            held["z"][number, rows] = own["z"][number, rows] @ turn
            held["prediction"][number, rows] = own["prediction"][number, rows]
            spoken[number, rows] = told[number, rows]
        members.append(own)
    return held, consensus(cell, members), spoken


def asked(part: Cell, cell: Cell) -> tuple[dict[str, Tensor], Tensor]:
    """What the teachers of a part, trained here, say of all clips (z and prediction), and what their spaces predict."""
    own = teacher.everything(part, teacher.restore(part, teacher.fit(part).state))
    told = spaces.said(part, spaces.fit(part, own), own, ("prediction",))["prediction"]
    return (
        {"z": own["z"], "prediction": rescaled(own["prediction"], part, cell)},
        rescaled(told, part, cell),
    )


def consensus(cell: Cell, members: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """What several teachers agree on: the mean of their probabilities or values, and of their geometries.

    Embeddings of different networks cannot be averaged, their cosine matrices can: z is the rank-WIDTH embedding
    whose products are nearest to the mean of all members' centred cosine matrices. One that diverged is no member.
    """
    found = members[0] | {name: torch.full_like(members[0][name], torch.nan) for name in ("z", "prediction")}
    for number, rows in enumerate(cell.train):
        kept = [member for member in members if member["z"][number, rows].isfinite().all()]
        if not kept or kept[0] is not members[0]:  # without a teacher of its own, a replica has no targets
            continue
        said = torch.stack([member["prediction"][number, rows] for member in kept])
        values = cell.task.kind == "regression"
        found["prediction"][number, rows] = said.mean(0) if values else said.softmax(-1).mean(0).clamp_min(1e-8).log()
        joint = torch.cat([centred(member["z"][number, rows]) / len(kept) ** 0.5 for member in kept], dim=-1)
        axes = torch.linalg.svd(joint, full_matrices=False)[2][: found["z"].shape[-1]]
        found["z"][number, rows] = 0.0  # fewer clips than axes need no more of them
        found["z"][number, rows, : len(axes)] = joint @ axes.T
    return found


def centred(z: Tensor) -> Tensor:
    """Unit vectors of embeddings (n, D) seen from their mean."""
    return torch.nn.functional.normalize(z - z.mean(0), dim=-1)


def rescaled(said: Tensor, part: Cell, cell: Cell) -> Tensor:
    """Predictions (replicas, N, ..., outputs), standardised by one cell's training clips, as another standardises."""
    shape = (len(cell.replicas),) + (1,) * (said.dim() - 2) + (cell.outputs,)
    mean, deviation, goal, unit = (values.reshape(shape) for values in (*part.scale, *cell.scale))
    return (said * deviation + mean - goal) / unit


def rotation(source: Tensor, goal: Tensor) -> Tensor:
    """The orthogonal matrix R (D, D) with the smallest |source R - goal|; NaN if these are. source, goal (n, D)."""
    mixed = source.T @ goal
    if not mixed.isfinite().all():  # of a teacher that diverged
        return torch.full_like(mixed, torch.nan)
    left, _, right = torch.linalg.svd(mixed)
    return left @ right
