"""One cell of the benchmark: the clips of a task, divided for each replica, ready to be trained on."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from benchmark import inputs, missing, models, stats
from benchmark.params import Task, Training
from benchmark.seeds import seed
from benchmark.train import Fitted, Replica, batch_orders, pad


@dataclass(frozen=True)
class Cell:
    """The data of all replicas of one task on one device."""

    name: str  # of the task
    task: Task
    training: Training
    table: inputs.Table
    replicas: list[Replica]
    train: list[np.ndarray]  # rows of the table, one array per replica
    validation: list[np.ndarray]
    test: list[np.ndarray]
    device: torch.device

    @property
    def outputs(self) -> int:
        return self.task.outputs

    @cached_property
    def own(self) -> Tensor:
        """Numbers of the replicas as a column: values[own, rows] takes each replica's own rows (replicas, B)."""
        return torch.arange(len(self.replicas), device=self.device)[:, None]

    def masks(self, condition: str) -> Tensor | None:
        """What each replica's draw of a condition keeps: (replicas, N, modalities) bool; None for the condition `none`.
        A seed takes its own draw."""
        if condition == "none":
            return None
        drawn = torch.from_numpy(self.table.masks[condition]).to(self.device)
        return drawn[[self.turn(replica, len(drawn)) for replica in self.replicas]]

    def turn(self, replica: Replica, draws: int) -> int:
        """The number of the draw that a replica takes: by its seed itself, so that other seeds do not move it."""
        return replica.seed % draws

    def shapes(self, modalities) -> dict[str, tuple[int, ...]]:
        return {name: tuple(self.table.x[name].shape[1:]) for name in modalities}

    def orders(self) -> Tensor:
        return batch_orders(self.name, self.replicas, self.train, self.training).to(self.device)

    def view(self, rows: Tensor, modalities) -> dict:
        """x and visible of rows (...) of the table; only the named modalities."""
        return {
            "x": {name: self.table.x[name][rows] for name in modalities},
            "visible": {name: self.table.visible[name][rows] for name in modalities},
        }

    def batch(self, rows: Tensor, modalities, labels: Tensor | None = None) -> dict:
        """A training batch of rows (replicas, B): a view and its targets, standardised by replica for regression."""
        target = (self.table.target if labels is None else labels)[rows]
        if self.task.kind == "regression":
            mean, deviation = self.scale
            target = (target - mean[:, None]) / deviation[:, None]
        return self.view(rows, modalities) | {"target": target}

    @cached_property
    def scale(self) -> tuple[Tensor, Tensor]:
        """Mean and deviation of the targets of each replica's training clips: (replicas, outputs) each."""
        if self.task.kind != "regression":
            blank = torch.zeros(len(self.replicas), self.outputs, device=self.device)
            return blank, blank + 1
        found = [self.table.target[torch.from_numpy(rows).to(self.device)] for rows in self.train]
        return torch.stack([t.mean(0) for t in found]), torch.stack([t.std(0).clamp_min(1e-6) for t in found])

    def draw(
        self, number: int, build: Callable[[], nn.Module], *identity: str, kept: Tensor | None = None
    ) -> nn.Module:
        """A module of one replica, weights drawn from (identity, task, fold, seed), its encoders standardising by its
        training clips; kept (N, modalities): of these, what a mask has not hidden."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed(*identity, self.name, *self.replicas[number]))
            module = build().to(self.device)
        rows = torch.from_numpy(self.train[number]).to(self.device)
        for name, encoder in getattr(module, "encoders", {}).items():
            shown = rows if kept is None else rows[kept[rows, list(self.table.x).index(name)]]
            encoder.standardise.fit(self.table.x[name][shown])
        return module

    def network(self, role: str, number: int, modalities, kept: Tensor | None = None, **more) -> models.Network:
        """An untrained network of one replica, its weights drawn from its role, never from the method."""
        shapes, encoder = self.shapes(modalities), self.training.encoder
        network = self.draw(
            number, lambda: models.Network(shapes, self.outputs, encoder, **more), "weights", role, kept=kept
        )
        mean, deviation = self.scale
        network.target_mean.copy_(mean[number])
        network.target_deviation.copy_(deviation[number])
        return network

    def judge(self, modalities, hidden=()):
        """A judge for train.fit: each replica's headline metric on its own validation clips, some inputs hidden."""
        rows = pad(self.validation).to(self.device)
        shown = missing.hide(self.view(rows, modalities), [name for name in modalities if name not in hidden])
        mean, deviation = (values[:, None] for values in self.scale)
        truth = self.table.target[rows].cpu().numpy()
        headline, kind = stats.headline(self.task), self.task.kind

        def score(run) -> np.ndarray:
            said = (run(shown["x"], shown["visible"]).prediction * deviation + mean).cpu().numpy()
            prediction = decide(said, kind)
            found = np.full(len(self.replicas), np.nan)
            for number, own in enumerate(self.validation):
                if np.isfinite(said[number]).all():
                    pair = truth[number, : len(own)], prediction[number, : len(own)]
                    found[number] = stats.score(headline, kind, self.statistics(own, *pair).sum(0))
            return found

        return score

    def statistics(self, rows: np.ndarray, truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
        """What each of the given clips of the table adds to every metric, as stats defines it."""
        if self.task.kind != "regression":
            return stats.confusion(truth, prediction, self.outputs)
        table = self.table
        return stats.moments(truth, prediction, table.recording_id[rows], table.frames[rows], table.variance[rows])


def load(
    name: str, task: Task, training: Training, folder: Path, device: torch.device, masks: dict[str, np.ndarray] | None
) -> Cell:
    """A task's inputs, divided by its saved splits for every fold and seed. folder: data/inputs/<task>; masks: of the
    conditions, where they are needed."""
    table = inputs.load(task, folder, training.encoder)._replace(masks=masks or {})
    return prepare(name, task, training, table, pd.read_parquet(folder / "splits.parquet"), device)


def prepare(
    name: str, task: Task, training: Training, table: inputs.Table, splits: pd.DataFrame, device: torch.device
) -> Cell:
    """Divide a task's table by its saved splits, for every fold and seed."""
    folds = sorted(splits.fold.unique())
    rows = {
        (fold, role): table.positions(splits.clip_id[(splits.fold == fold) & (splits.role == role)])
        for fold in folds
        for role in ("train", "validation", "test")
    }
    replicas = [Replica(int(fold), number) for fold in folds for number in training.seeds]
    moved = table._replace(
        x={key: value.to(device) for key, value in table.x.items()},
        visible={key: value.to(device) for key, value in table.visible.items()},
        target=table.target.to(device),
        clean=None if table.clean is None else table.clean.to(device),
    )
    parts = ([rows[replica.fold, role] for replica in replicas] for role in ("train", "validation", "test"))
    return Cell(name, task, training, moved, replicas, *parts, device)


def decide(prediction: np.ndarray, kind: str) -> np.ndarray:
    """Class index of the largest logit (..., classes) -> (...); values (..., targets) stay as they are."""
    return prediction if kind == "regression" else prediction.argmax(-1)


def stack(modules: list[nn.Module]) -> dict[str, Tensor]:
    """The weights of untrained modules in the form train.fit returns them."""
    states = [module.state_dict() for module in modules]
    return {name: torch.stack([state[name] for state in states]) for name in states[0]}


def card(cell: Cell, name: str, fitted: Fitted | None = None) -> dict:
    """What saved weights are: enough to rebuild the networks and to tell how each replica was selected."""
    replicas = [replica._asdict() for replica in cell.replicas]
    if fitted:
        for number, entry in enumerate(replicas):
            score, lost = fitted.score[number], int(fitted.diverged[number])
            entry |= {"epoch": int(fitted.epoch[number]), "validation": float(score) if np.isfinite(score) else None}
            entry |= {"status": "diverged", "diverged": lost} if lost else {"status": "ok"}
    return {
        "task": cell.name,
        "name": name,
        "definition": cell.task.model_dump(exclude={"methods"}),
        "training": cell.training.model_dump() | {"selection": "best headline metric on the validation subjects"},
        "shapes": {key: list(shape) for key, shape in cell.shapes(cell.table.x).items()},
        "device": cell.device.type,
        "replicas": replicas,
    } | ({"raw": raw_scales(fitted)} if fitted else {})


def summary(fitted: Fitted) -> str:
    """How the replicas ended, for the terminal."""
    lost = int((fitted.diverged > 0).sum())
    return f"best epochs {fitted.epoch.min()}-{fitted.epoch.max()}" + (f", {lost} DIVERGED" if lost else "")


def raw_scales(fitted: Fitted) -> dict[str, dict[str, float | None]]:
    """Mean of each unweighted term over the replicas, in the first and in the last epoch: how large it is by nature."""
    found = {}
    for term, values in fitted.raw.items():
        ends = {end: row[np.isfinite(row)] for end, row in (("first", values[0]), ("last", values[-1]))}
        found[term] = {end: float(row.mean()) if len(row) else None for end, row in ends.items()}
    return found
