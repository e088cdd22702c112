"""Four simulations whose outcome is published: Lopez-Paz, Bottou, Schoelkopf and Vapnik 2016, ICLR, arXiv 1511.03643.

Linear softmax models of d = 50 features. The teacher reads privileged x*, the student x alone and, with lambda = 1
and temperature 1, nothing but the teacher's soft labels; the regular model reads x and the labels. Training as in
their released code: 200 clips, 1,000 epochs of RMSprop in batches of 128; 1,000 test clips (the text says 10,000).
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from benchmark.progress import progress
from benchmark.seeds import generator
from benchmark.validation.page import Section

DIMENSIONS, TRAINING, TEST = 50, 200, 1000
EPOCHS, BATCH, RATE, SMOOTHING, FLOOR = 1000, 128, 1e-3, 0.9, 1e-7  # of RMSprop as Keras sets it
MODELS = ("teacher", "regular", "distilled")


class Sample(NamedTuple):
    """Clips of a simulation: x (n, 50), privileged (n, q), label (n,) bool."""

    x: np.ndarray
    privileged: np.ndarray
    label: np.ndarray


def clean_labels(rng: np.random.Generator, alpha: np.ndarray, n: int) -> Sample:
    """x* = <alpha, x>, the label's side of the border before noise: what distillation can hand on."""
    x = rng.standard_normal((n, DIMENSIONS))
    side = x @ alpha
    return Sample(x, side[:, None], side + rng.standard_normal(n) > 0)


def clean_features(rng: np.random.Generator, alpha: np.ndarray, n: int) -> Sample:
    """x = x* + noise: the teacher is better, but nothing of that is in x."""
    clean = rng.standard_normal((n, DIMENSIONS))
    return Sample(clean + rng.standard_normal(clean.shape), clean, clean @ alpha > 0)


def relevant_features(rng: np.random.Generator, alpha: np.ndarray, n: int) -> Sample:
    """x* = the 3 features of x that make the label: the teacher knows where to look."""
    x = rng.standard_normal((n, DIMENSIONS))
    return Sample(x, x[:, :3], x[:, :3] @ alpha[:3] > 0)


def features_by_clip(rng: np.random.Generator, alpha: np.ndarray, n: int) -> Sample:
    """x* = the 3 largest features of each x: another place in every clip, which no linear student can follow."""
    x = rng.standard_normal((n, DIMENSIONS))
    largest = np.sort(x, axis=1)[:, :-4:-1]
    value = largest @ alpha[:3]
    return Sample(x, largest, value > np.median(value))


class Simulation(NamedTuple):
    """How clips are drawn, the published accuracies in % (mean, deviation), and what a re-run must stay within."""

    draw: Callable[[np.random.Generator, np.ndarray, int], Sample]
    published: dict[str, tuple[int, int]]
    accepted: dict[str, tuple[float, float]]  # accuracy of a model, or gain of the distilled over the regular one


SIMULATIONS = {
    "1 clean labels": Simulation(
        clean_labels,
        {"teacher": (96, 0), "regular": (88, 1), "distilled": (95, 1)},
        {"distilled": (94, 96.5), "gain": (5.5, 9)},
    ),
    "2 clean features": Simulation(
        clean_features, {"teacher": (90, 1), "regular": (68, 1), "distilled": (70, 1)}, {"gain": (-1.5, 1.5)}
    ),
    "3 relevant features": Simulation(
        relevant_features,
        {"teacher": (98, 0), "regular": (89, 1), "distilled": (97, 1)},
        {"distilled": (96.5, 98.5), "gain": (8, 12.5)},
    ),
    "4 features by clip": Simulation(
        features_by_clip, {"teacher": (96, 2), "regular": (55, 3), "distilled": (56, 4)}, {"gain": (-1.5, 1.5)}
    ),
}

EXPLANATION = """Test accuracy in %, mean ± deviation over {repetitions} repetitions of [Lopez-Paz et al. 2016]\
(https://arxiv.org/abs/1511.03643); `gain` is the paired difference distilled - regular in points, `wins` counts \
repetitions in which it is above 0. `accepted` is the range for the mean in a re-run; where the gains of 1 and 3 \
come back, and next to none in 2 and 4, distillation hands on what it should and invents nothing. In simulation 4 the \
paper's text (3 features drawn for each clip), the released code (3 drawn once, others for the test) and the printed \
numbers disagree: only a line that is commented out in the code, the 3 largest features of each clip and a threshold \
at their median, gives numbers like those printed, and is what runs here. Its range is that of simulation 2."""


def section(repetitions: int) -> Section:
    """All four simulations as two rows each: what was published, what is found."""
    rows = []
    for name, simulation in SIMULATIONS.items():
        rows += [published(name, simulation), found(name, simulation, accuracies(name, repetitions))]
    return Section("Four simulations with published outcomes", EXPLANATION.format(repetitions=repetitions), rows)


def published(name: str, simulation: Simulation) -> dict:
    scores = {model: dict(zip(("mean", "deviation"), simulation.published[model], strict=True)) for model in MODELS}
    gain = simulation.published["distilled"][0] - simulation.published["regular"][0]
    blank = {"wins": None, "accepted": None, "verdict": None}
    return {"simulation": name, "source": "published"} | scores | {"gain": {"mean": gain, "deviation": None}} | blank


def found(name: str, simulation: Simulation, scores: dict[str, np.ndarray]) -> dict:
    """A row of the table. scores: model -> accuracy of every repetition in % (R,)."""
    gain = scores["distilled"] - scores["regular"]
    values = scores | {"gain": gain}
    inside = [low <= values[of].mean() <= high for of, (low, high) in simulation.accepted.items()]
    spread = {of: {"mean": float(v.mean()), "deviation": float(v.std())} for of, v in values.items()}
    return {"simulation": name, "source": "this suite"} | spread | {
        "wins": f"{(gain > 0).sum()} of {len(gain)}",
        "accepted": ", ".join(f"{of} {low:g} to {high:g}" for of, (low, high) in simulation.accepted.items()),
        "verdict": "inside" if all(inside) else "outside",
    }  # fmt: skip


def accuracies(name: str, repetitions: int) -> dict[str, np.ndarray]:
    """Test accuracy in % of the teacher, the regular and the distilled model: (R,) each."""
    train, test = drawn(name, repetitions)
    labels = torch.nn.functional.one_hot(train.label, 2).float()
    teacher = fit(train.privileged, labels[:, :, None], name, "teachers")
    soft = logits(train.privileged, teacher).softmax(-1)
    students = fit(train.x, torch.stack([labels, soft[:, :, 0]], dim=2), name, "students")
    said = torch.cat([logits(test.privileged, teacher), logits(test.x, students)], dim=2).argmax(-1)
    right = (said == test.label[..., None]).double().mean(1) * 100
    return dict(zip(MODELS, right.T.numpy(), strict=True))


def drawn(name: str, repetitions: int) -> tuple[Sample, Sample]:
    """Training and test clips of every repetition, standardised with the training part, a column of ones appended."""
    parts = [], []
    for repetition in range(repetitions):
        rng = generator("simulation", name, repetition)
        alpha = rng.standard_normal(DIMENSIONS)
        for part, n in zip(parts, (TRAINING, TEST), strict=True):
            part.append(SIMULATIONS[name].draw(rng, alpha, n))
    train, test = (Sample(*map(np.stack, zip(*part, strict=True))) for part in parts)

    def ready(values: np.ndarray, own: np.ndarray) -> Tensor:
        scaled = (values - own.mean(1, keepdims=True)) / own.std(1, keepdims=True)
        return torch.from_numpy(np.pad(scaled, [(0, 0), (0, 0), (0, 1)], constant_values=1).astype(np.float32))

    def whole(part: Sample) -> Sample:
        x, privileged = ready(part.x, train.x), ready(part.privileged, train.privileged)
        return Sample(x, privileged, torch.from_numpy(part.label.astype(int)))

    return whole(train), whole(test)


def logits(x: Tensor, weights: Tensor) -> Tensor:
    """x (R, n, d + 1), weights (R, d + 1, 2 models) -> (R, n, models, 2)."""
    return (x @ weights).unflatten(-1, (-1, 2))


def fit(x: Tensor, targets: Tensor, name: str, role: str) -> Tensor:
    """Linear softmax models of all repetitions at once: x (R, n, d + 1), targets (R, n, models, 2) -> weights.

    Initial weights after Glorot and Bengio 2010, as Keras draws them. Clips are independent, so one order of them
    serves every repetition as well as orders of their own.
    """
    repetitions, clips, width = x.shape
    rng = generator("simulation", name, role)
    bound = (6 / (width - 1 + 2)) ** 0.5
    start = rng.uniform(-bound, bound, (repetitions, width, 1, 2)).repeat(targets.shape[2], axis=2)
    start[:, -1] = 0
    weights = torch.from_numpy(start.astype(np.float32)).flatten(-2)
    optimiser = torch.optim.RMSprop([weights], lr=RATE, alpha=SMOOTHING, eps=FLOOR)
    for _ in progress(range(EPOCHS), EPOCHS, f"{name}: {role}"):
        order = torch.from_numpy(rng.permutation(clips))
        for rows in order.split(BATCH):
            batch = x[:, rows]
            wrong = logits(batch, weights).softmax(-1) - targets[:, rows]
            weights.grad = batch.mT @ wrong.flatten(-2) / len(rows)  # of the cross-entropy
            optimiser.step()
    return weights
