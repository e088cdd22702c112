"""From trained networks to the predictions table, the only place scores come from."""

import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from benchmark import checkpoints, inputs, missing, student, teacher, tnet
from benchmark.cell import Cell, decide
from benchmark.missing import Condition
from benchmark.models import Network
from benchmark.params import Method, Missing, planned

MOST = 2**14  # rows that a network answers at a time: a clip under every condition is one for each


class Scene(NamedTuple):
    """A condition, as it meets the clips of a task."""

    condition: Condition
    kept: Tensor | None = None  # (draws, N, modalities) bool, what the condition leaves of `visible`; None for all
    replaced: dict[str, tuple[Tensor, Tensor]] = {}  # modality -> values (draws, N, ...), and where (draws, N) they are


def subsets(cell: Cell) -> list[Scene]:
    """Every subset of the modalities."""
    return [Scene(own) for own in missing.subsets(cell.task)]


def scenes(cell: Cell, folder: Path, options: Missing, degraded: dict) -> list[Scene]:
    """Every condition of a task, from the masks that its inputs carry. folder: data/inputs/<task>; degraded: as
    inputs.degraded gives them; a modality that a degradation leaves as it is stays what was recorded."""
    found, order, encoder = [], teacher.modalities(cell), cell.training.encoder
    for condition in missing.listed(cell.task, options, degraded):
        if condition.protocol == "degraded":
            made = degraded[condition.name.removeprefix("degraded_")]
            shaped = {name: inputs.reshaped(folder, name, own, encoder) for name, own in made.items()}
            there = {name: torch.from_numpy(own.present) for name, own in made.items()}
            replaced = {n: (v[None].to(cell.device), there[n][None].to(cell.device)) for n, v in shaped.items()}
            found.append(Scene(condition, replaced=replaced))
        elif condition.gap:
            starts = cell.table.masks[f"gap_{missing.percent(condition.rate)}"][..., order.index(condition.gap)]
            values = inputs.gapped(folder, condition.gap, starts, condition.rate, encoder)
            present = cell.table.visible[condition.gap].expand(len(values), -1)
            found.append(Scene(condition, replaced={condition.gap: (values.to(cell.device), present)}))
        elif condition.protocol == "subset":
            found.append(Scene(condition))
        else:
            found.append(Scene(condition, torch.from_numpy(cell.table.masks[condition.name]).to(cell.device)))
    return found


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
def predict(cell: Cell, networks: list[Network], scenes: list[Scene] | None = None, without=()) -> pd.DataFrame:
    """Predictions of every replica on its test clips under every condition; without: seeds that are left out.

    scenes: every subset of the modalities unless given.

    A row per clip (and target): fold, seed, clip_id, subject_id, condition, seen, target, truth, prediction (class
    index or value), and for classes the probability of each, p0, p1, ... Where nothing of a clip is visible to a
    network, a subset has no row, and under every other condition the answer is what training told without input: the
    share of each class, or the mean. A condition that shows a network nothing of any clip has no rows.
    """
    scenes, parts = scenes or subsets(cell), []
    for number, (network, replica) in enumerate(zip(networks, cell.replicas, strict=True)):
        if replica.seed not in without:
            rows = torch.from_numpy(cell.test[number]).to(cell.device)
            parts += [answers(cell, network, number, own, scenes) for own in rows.split(max(MOST // len(scenes), 1))]
    return answered(parts, [scene.condition.name for scene in scenes if scene.condition.protocol == "subset"])


def answers(cell: Cell, network: Network, number: int, rows: Tensor, scenes: list[Scene]) -> pd.DataFrame:
    """What one replica says of rows (B,) of the table under every condition."""
    views = [view(cell, scene, number, rows, network.inputs) for scene in scenes]
    together = {part: {name: torch.cat([own[part][name] for own in views]) for name in network.inputs}
                for part in ("x", "visible")}  # fmt: skip
    said = network(**together).prediction * network.target_deviation + network.target_mean
    seen = missing.anything(together)
    said = torch.where(seen[:, None], said, prior(cell, number).to(said))
    place, names = np.arange(len(scenes)).repeat(len(rows)), [scene.condition.name for scene in scenes]
    more = {"condition": pd.Categorical.from_codes(place, names), "seen": seen.cpu().numpy()}
    return rows_of(cell, number, rows.repeat(len(scenes)), said, more)


def answered(parts: list[pd.DataFrame], subsets: list[str]) -> pd.DataFrame:
    """Predictions without the clips of which a subset shows nothing, and without conditions that show nothing."""
    shown = set().union(*(part.condition[part.seen].unique() for part in parts))
    for number, part in enumerate(parts):  # one at a time: they may be most of what is in memory
        kept = part.condition.isin(shown) & (part.seen | ~part.condition.isin(subsets))
        parts[number] = part[kept]
    return pd.concat(parts, ignore_index=True)


def view(cell: Cell, scene: Scene, number: int, rows: Tensor, names: tuple[str, ...]) -> dict:
    """What a network that takes the named modalities sees of rows (B,) under a condition: x and visible."""
    shown, order = cell.view(rows, names), teacher.modalities(cell)
    replica = cell.replicas[number]
    for name in names:
        if name in scene.replaced:
            values, present = scene.replaced[name]
            turn = cell.turn(replica, len(values))
            shown["x"][name], shown["visible"][name] = values[turn, rows], present[turn, rows]
        if name not in scene.condition.visible:
            shown["visible"][name] = shown["visible"][name] & False
        elif scene.kept is not None:
            kept = scene.kept[cell.turn(replica, len(scene.kept)), rows, order.index(name)]
            shown["visible"][name] = shown["visible"][name] & kept
    return missing.veil(**shown)


def prior(cell: Cell, number: int) -> Tensor:
    """The answer without any input: log of the share of each class in training (outputs,), or the mean values."""
    if cell.task.kind == "regression":
        return cell.scale[0][number]
    counts = np.bincount(cell.table.target.cpu().numpy()[cell.train[number]], minlength=cell.outputs)
    return torch.from_numpy(np.log(np.maximum(counts, 1e-9) / counts.sum()))


def available(cell: Cell, card: dict) -> dict[str, dict[str, float]]:
    """What was there to learn from: share of the training clips, mean over replicas, by modality, of the teacher and of
    the student; a model of the teacher stage has no student."""
    found = {"teacher": student.available(cell, Method(inputs="all"))}
    return found | {"student": student.available(cell, planned(card["method"])) if "method" in card else {}}


def rows_of(cell: Cell, number: int, rows: Tensor, said: Tensor, more: dict) -> pd.DataFrame:
    """The rows of one replica: fold, seed, clip_id, subject_id, more columns, target, truth, prediction; then, for
    classes the probabilities, and for values recording_id, frames and variance, which say what a continuous label is
    made of."""
    index = rows.cpu().numpy()
    replica, kind = cell.replicas[number], cell.task.kind
    keys = {
        "fold": replica.fold,
        "seed": replica.seed,
        "clip_id": cell.table.clip_id[index],
        "subject_id": cell.table.subject_id[index],
    } | more
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
        "digest": digest(cell),
        "fold": {role: people(cell, getattr(cell, role)) for role in ("train", "validation", "test")},
    }


def people(cell: Cell, rows: list[np.ndarray]) -> int:
    """Subjects of a role in one fold, on average."""
    return round(np.mean([len(np.unique(cell.table.subject_id[own])) for own in rows]))


def digest(cell: Cell) -> str:
    """Of the clips, targets and features of a task."""
    found, table = hashlib.blake2b(digest_size=12), cell.table
    found.update("\x1f".join(map(str, table.clip_id)).encode())
    for values in (table.target, *(table.x[name] for name in sorted(table.x))):
        found.update(values.cpu().contiguous().numpy())
    return found.hexdigest()
