"""Real data with two views that come with scikit-learn, through the very code that trains on recordings.

Decided before any of it was run: five folds with the split and the methods of the suite; and, because privileged
information is said to matter where labels are few, digits a second time with 300 training clips, the smaller
number of Lopez-Paz et al. 2016 (arXiv 1511.03643) for their pictures with a privileged view.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from sklearn import datasets

from benchmark import cell as cells
from benchmark import evaluation, inputs, intervals, scores, splits, stats, student, targets, teacher, tnet
from benchmark.cell import Cell
from benchmark.models import Network
from benchmark.params import Evaluation, Method, Split, Task, Training
from benchmark.progress import progress
from benchmark.seeds import seed
from benchmark.validation.page import Section


class Views(NamedTuple):
    """Which columns of a data set of scikit-learn are prevalent; all of them are privileged."""

    read: str  # name of the function in sklearn.datasets
    prevalent: slice
    few: int | None = None  # training clips kept in each fold; None keeps all


VIEWS = {
    "digits": Views("load_digits", slice(32, 64)),  # 8 x 8 pixels row by row: the lower four rows
    "digits_few": Views("load_digits", slice(32, 64), few=300),
    "breast_cancer": Views("load_breast_cancer", slice(0, 10)),  # the means; then standard errors, then worst values
}

EXPLANATION = """Real data of scikit-learn with the settings of `params.yaml`. `digits`: 1,797 written digits, the \
lower half of the picture is prevalent, the whole picture privileged; `digits_few`: the same with 300 training samples \
a fold; `breast_cancer`: 569 tumours, the 10 mean features are prevalent, all 30 privileged. Every sample is a subject \
of its own. Balanced accuracy pooled over folds, mean over seeds, jackknife intervals over samples; `teacher` sees \
both views, all others the prevalent one; `difference` is paired, to `prevalent_only`. Which data, how many training \
samples and how many folds was decided before any method was run."""


def section(methods: dict[str, Method], training: Training, options: Evaluation, device: torch.device) -> Section:
    """Every data set with its teacher and the given methods, among them prevalent_only."""
    rows = []
    for name in progress(VIEWS, len(VIEWS), "views"):
        rows += compared(build(name, training, device), methods, options)
    return Section("Two views of real data", f"{EXPLANATION}\n\n{reading(rows)}", rows)


def build(name: str, training: Training, device: torch.device) -> Cell:
    """The cell of a data set: modalities `part` (prevalent) and `whole` (privileged)."""
    views = VIEWS[name]
    x, y = getattr(datasets, views.read)(return_X_y=True)
    task = Task(
        dataset=name, kind="classification", target=["class"], classes=sorted(set(y.tolist())),
        prevalent=["part"], privileged=["whole"], split=Split(rule="subject_folds", folds=5),
    )  # fmt: skip
    ids = np.array([f"{name}_{number:04d}" for number in range(len(x))])
    there = torch.ones(len(x), dtype=torch.bool)
    table = inputs.Table(
        clip_id=ids,
        recording_id=ids,
        subject_id=ids,
        x={"part": torch.from_numpy(x[:, views.prevalent]).float(), "whole": torch.from_numpy(x).float()},
        visible={"part": there, "whole": there},
        target=torch.from_numpy(y),
        clean=None,
        frames=np.ones(len(x)),
        variance=np.zeros((len(x), 1)),
    )
    drawn = splits.draw(pd.DataFrame({"clip_id": ids, "recording_id": ids, "subject_id": ids}), task.split)
    if views.few:
        training_part = drawn[drawn.role == "train"].groupby("fold")
        few = training_part.sample(views.few, random_state=seed("few", name) % 2**32)
        drawn = pd.concat([few, drawn[drawn.role != "train"]])
    pooled = training.model_copy(update={"encoder": "pooled"})
    return cells.prepare(name, task, pooled, table, drawn, device)


def networks(cell: Cell, methods: dict[str, Method]) -> dict[str, list[Network]]:
    """Teachers and the students of every method, trained as pipelines/teacher and pipelines/distill do."""
    taught = teacher.fit(cell)
    teachers = teacher.restore(cell, taught.state)
    said = {"trained": teacher.everything(cell, teachers)}
    said["untrained"] = teacher.everything(cell, teacher.networks(cell))
    asked, found = {method.tnet for method in methods.values()}, {"teacher": teachers}
    tnets = {"random": cells.stack(tnet.networks(cell))}
    tnets |= {name: tnet.fit(cell, said["trained"], name).state for name in tnet.TRAINED if name in asked}
    for name, method in methods.items():
        source = targets.FILES.get(method.teacher, method.teacher)
        given = targets.prepare(cell, teacher.of_training(cell, said[source]), method.teacher)
        imagined = tnet.untrained(cell) if method.tnet == "own" else None
        if method.tnet in tnets:
            imagined = tnet.hallucinators(cell, taught.state, tnets[method.tnet])
        try:
            fitted = student.fit(cell, method, given, imagined)
        except student.Impossible as reason:
            print(f"{cell.name}: {name} is not run: {reason}")
            continue
        found[name] = student.restore(cell, method, fitted.state, imagined)
    return found


def compared(cell: Cell, methods: dict[str, Method], options: Evaluation) -> list[dict]:
    """A row per model: its score and its difference to prevalent_only, with intervals."""
    metric, kind = stats.headline(cell.task), cell.task.kind
    shown = {}
    for name, trained in networks(cell, methods).items():
        visible = teacher.modalities(cell) if name == "teacher" else cell.task.prevalent
        shown[name] = scores.tables(cell.task, evaluation.predict(cell, trained)).subjects["+".join(visible)]
    rows = []
    for name, table in shown.items():
        score = intervals.of_metric(metric, kind, table, options.confidence)
        entry = {"data": cell.name, "model": name, metric: score._asdict(), "difference": None}
        if name not in ("teacher", "prevalent_only"):
            pair = table, shown["prevalent_only"]
            entry["difference"] = intervals.difference(metric, kind, *pair, options.confidence)._asdict()
        rows.append(entry)
    return rows


def reading(rows: list[dict]) -> str:
    """What the differences say, in a sentence for each data set."""
    told = []
    for data in dict.fromkeys(row["data"] for row in rows):
        own = [row for row in rows if row["data"] == data and row["difference"]]
        places = {"above `prevalent_only`": 1, "below it": -1, "not told from it": 0}
        named = {text: [row["model"] for row in own if side(row["difference"]) == at] for text, at in places.items()}
        told.append(f"`{data}`: " + "; ".join(f"{text}: {', '.join(of) or 'none'}" for text, of in named.items()) + ".")
    return "\n".join(f"- {sentence}" for sentence in told)


def side(difference: dict) -> int:
    """1 or -1 where the interval of a difference lies above or below 0, else 0."""
    if difference["low"] is None:
        return 0
    return int(difference["low"] > 0) - int(difference["high"] < 0)
