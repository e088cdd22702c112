"""A trained student in use: rebuilt from its folder alone, and what its replicas say together.

A task is predicted by the mean over its replicas, those of all folds and seeds. Nearly all of them have been trained on
any given clip of the training dataset, so what they say of such clips is no honest test; results/predictions is.
"""

from pathlib import Path
from typing import Annotated, NamedTuple

import torch
from pydantic import BaseModel, Field, ValidationError
from safetensors import SafetensorError
from torch import Tensor, nn

from benchmark import checkpoints, train
from benchmark.models import Hallucinator, Network
from benchmark.params import Task, planned
from benchmark.reading import sizes
from benchmark.train import Replica
from benchmark.types import Refused

NEEDED = ("task", "name", "definition", "training", "shapes", "replicas", "data", "windows", "features")


class Entry(BaseModel):
    """A replica in a card."""

    fold: int
    seed: int
    epoch: int | None = None


class Recipe(BaseModel):
    """How the features of a modality are extracted, in a card."""

    extractor: str
    version: int
    versions: dict[str, str]
    channels: list[str]
    segments: Annotated[int, Field(ge=1, le=1000)]
    options: dict
    segment: dict[str, str] | list[str]  # names, with their definitions or without
    clip: dict[str, str] | list[str]


class Card(BaseModel):
    """What is used of a card, which may come from another machine."""

    task: str
    name: str
    training: dict
    shapes: dict[str, list[Annotated[int, Field(ge=1, le=100_000)]]]
    replicas: Annotated[list[Entry], Field(min_length=1)]
    data: dict
    windows: dict[str, float] | None
    features: Annotated[dict[str, Recipe], Field(min_length=1)]


class Student(NamedTuple):
    """A trained student. Its networks read the modalities of card["features"], in that order."""

    card: dict
    task: Task
    replicas: list[Replica]
    networks: list[Network]  # one per replica
    left_out: list[str]  # replicas that were asked for and have no weights, and why

    @property
    def takes(self) -> dict[str, str]:
        """Modality -> kind, of all that it can make use of; at least one prevalent modality is needed."""
        return {name: recipe["extractor"] for name, recipe in self.card["features"].items()}

    @property
    def synthetic(self) -> bool:
        return self.card["data"]["provenance"] != "real"

    @property
    def name(self) -> str:
        """Task and method; SYNTHETIC in front if it was trained on such recordings."""
        return f"{'SYNTHETIC ' * self.synthetic}{self.card['task']}/{self.card['name']}"

    @property
    def outputs(self) -> list[str]:
        """What it answers: a label value per class, or the names of the targets."""
        return [f"{value:g}" for value in self.task.classes] or list(self.task.target)


class Answer(nn.Module):
    """A network that answers in units of the labels: (B, classes) probabilities or (B, targets) values."""

    def __init__(self, network: Network, kind: str):
        super().__init__()
        self.network, self.kind = network, kind

    def forward(self, x: dict[str, Tensor], visible: dict[str, Tensor]) -> Tensor:
        said = self.network(x, visible).prediction * self.network.target_deviation + self.network.target_mean
        return said if self.kind == "regression" else said.softmax(-1)


def load(folder: Path, fold: int | None = None, seed: int | None = None) -> Student:
    """The student saved in results/models/<task>/<method>; Refused if there is none that can be used.

    fold, seed: take only the replicas of these.
    """
    card = read_card(folder)
    task = Task.model_validate(card["definition"])
    wanted = [
        (number, Replica(entry["fold"], entry["seed"]))
        for number, entry in enumerate(card["replicas"])
        if fold in (None, entry["fold"]) and seed in (None, entry["seed"])
    ]
    if not wanted:
        folds, seeds = (sorted({entry[key] for entry in card["replicas"]}) for key in ("fold", "seed"))
        asked = " and ".join(f"{k} {v}" for k, v in (("fold", fold), ("seed", seed)) if v is not None)
        raise Refused(f"{folder} has no replica of {asked}; its folds are {folds}, its seeds {seeds}")
    lost = {number: replica for number, replica in wanted if card["replicas"][number].get("epoch") == 0}
    left_out = [f"fold {replica.fold}, seed {replica.seed}: {why(card['replicas'][n])}" for n, replica in lost.items()]
    kept = [(number, replica) for number, replica in wanted if number not in lost]
    if not kept:
        raise Refused(f"{folder} has no replica with weights ({'; '.join(left_out)}); train it again")
    sizes.held(folder / "weights.safetensors", sizes.WEIGHTS, Refused)
    try:
        state, _ = checkpoints.load(folder)
        networks = [restored(card, task, train.replica_state(state, number)) for number, _ in kept]
    except (SafetensorError, OSError, RuntimeError, LookupError, TypeError, ValueError) as error:
        said = str(error).splitlines()[0]
        raise Refused(f"{folder}/weights.safetensors does not hold the weights of its card: {said}") from None
    return Student(card, task, [replica for _, replica in kept], networks, left_out)


def read_card(folder: Path) -> dict:
    """The card of a student that can be used; Refused says what the folder holds instead."""
    where = "expected a folder such as results/models/<task>/<method>"
    if not (folder / "card.json").is_file():
        inner = sorted(path.parent.name for path in folder.glob("*/card.json"))
        held = f"; it holds the folders {', '.join(inner)}" if inner else "" if folder.is_dir() else ", there is none"
        raise Refused(f"{folder} is not the folder of a trained student{held}: {where}")
    try:
        card = checkpoints.read_card(folder)
        method = card.get("method")
    except (ValueError, AttributeError, RecursionError) as error:
        raise Refused(f"{folder}/card.json cannot be read as JSON: {error}") from None
    if method is None:
        raise Refused(f"{folder} holds {card.get('name', 'no student')}, not a student: {where}")
    if "impossible" in card:
        raise Refused(f"{folder} holds no weights: {card['name']} could not be run: {card['impossible']}")
    if absent := [name for name in NEEDED if name not in card]:
        again = f"dvc repro -f distill@{card.get('task')}-{card.get('name')}"
        raise Refused(f"{folder}/card.json lacks {', '.join(absent)}: it is of an earlier version; run `{again}`")
    try:
        planned(method), Task.model_validate(card["definition"]), Card.model_validate(card)
    except (ValidationError, AttributeError) as error:
        first = error.errors()[0] if isinstance(error, ValidationError) else {"loc": ("method",), "msg": str(error)}
        where = ".".join(map(str, first["loc"]))
        raise Refused(f"{folder}/card.json is not valid: {where}: {first['msg']}") from None
    return card


def why(entry: dict) -> str:
    return f"diverged in epoch {entry['diverged']}" if "diverged" in entry else "has no validation score"


def restored(card: dict, task: Task, state: dict[str, Tensor]) -> Network:
    """One replica with its weights. The T-Net and the teacher's prevalent encoders that feed it are among them."""
    method, encoder = planned(card["method"]), card["training"]["encoder"]
    shapes = {name: tuple(shape) for name, shape in card["shapes"].items()}
    hallucinator = None
    if method.tnet != "none":
        feeding = {name: shapes[name] for name in task.prevalent}
        hallucinator = Hallucinator(feeding, tuple(task.privileged), encoder)
    seen = {name: shapes[name] for name in card["features"]}
    network = Network(seen, task.outputs, encoder, hallucinator=hallucinator, absent=method.absent)
    network.load_state_dict(state)
    return network.train(False).requires_grad_(False)


@torch.no_grad()
def answer(student: Student, x: dict[str, Tensor], visible: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Mean over the replicas and their deviation from it, (B, outputs) each.

    x[modality] (B, ...) float32 as the networks read it, NaN where not measured; visible[modality] (B,) bool.
    """
    said = torch.stack([Answer(network, student.task.kind)(x, visible) for network in student.networks])
    return said.mean(0), said.std(0, correction=0)


def headline(student: Student) -> str:
    """What speaks, for the first line of whatever it says."""
    count = f"mean of {len(student.networks)} replicas" if len(student.networks) > 1 else "one replica"
    warning = "trained on SYNTHETIC recordings, do not use on people: " if student.synthetic else ""
    return f"{warning}{student.card['task']}/{student.card['name']}, {count}"


def make_way(path: Path, force: bool) -> None:
    """The folder of a file that is to be written; Refused if there is a file that nobody asked to replace."""
    if path.is_dir():
        raise Refused(f"{path} is a folder; --out names a file")
    if path.exists() and not force:
        raise Refused(f"{path} exists; give --force to replace it, or another --out")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Refused(f"{path} cannot be written: {error}") from None
