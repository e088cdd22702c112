"""The only training loop. It trains many replicas of one network at once, each on its own clips."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap
from torch.optim.adamw import adamw
from torch.utils._pytree import tree_map

from benchmark.params import Training
from benchmark.progress import progress
from benchmark.schema import BadParams
from benchmark.seeds import generator
from benchmark.types import SLOPE


class Replica(NamedTuple):
    """One training run of a cell; the cell is (task, method)."""

    fold: int
    seed: int


class Fitted(NamedTuple):
    """Trained replicas, each at its best epoch on its validation clips."""

    state: dict[str, Tensor]  # parameter or buffer name -> (replicas, ...); parameters are NaN where epoch is 0
    epoch: np.ndarray  # (replicas,) best epoch from 1; 0 when no epoch had a finite score
    score: np.ndarray  # (replicas,) validation score at that epoch
    diverged: np.ndarray  # (replicas,) epoch in which a loss or weight was no longer finite; 0 for never
    raw: dict[str, np.ndarray]  # term -> (epochs, replicas) mean of the unweighted term


def device(wanted: str) -> torch.device:
    """auto takes a GPU where there is one; BadParams where one is asked for that torch cannot use."""
    if wanted == "cuda" and not torch.cuda.is_available():
        raise BadParams(
            "params.yaml: runtime.device is cuda, but torch finds no GPU here; use auto or cpu, "
            "or install a torch built for CUDA and the driver of the GPU"
        )
    return torch.device("cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu")


@contextmanager
def precise(precision: str) -> Iterator[None]:
    """How exact matrix products on a GPU are while the block runs: tf32 rounds their inputs to 10 bits."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def call(module: nn.Module, state, inputs: tuple, precision: str):
    """What a module says of inputs with the given weights. bf16 computes its layers in that, and says it in float32."""
    if precision != "bf16":
        return functional_call(module, state, inputs)
    where = next(iter(state[0].values())).device.type
    with torch.autocast(where, torch.bfloat16):
        said = functional_call(module, state, inputs)
    return tree_map(lambda own: own.float() if own.is_floating_point() else own, said)


def batch_orders(task: str, replicas: list[Replica], train: list[np.ndarray], training: Training) -> Tensor:
    """Row numbers of every batch: (replicas, epochs * steps, B), without replacement until the clips run out.

    Drawn from (task, fold, seed) alone, so that every method sees the same batches. B is at most the smallest
    training fold, so every replica takes the same number of steps of the same size.
    """
    size = min(training.batch, *(len(rows) for rows in train))
    total = training.epochs * training.steps
    orders = []
    for replica, rows in zip(replicas, train, strict=True):
        rng = generator("batches", task, *replica)
        per_pass = len(rows) // size
        passes = [rng.permutation(rows)[: per_pass * size] for _ in range(-(-total // per_pass))]
        orders.append(np.concatenate(passes)[: total * size].reshape(total, size))
    return torch.from_numpy(np.stack(orders))


def pad(rows: list[np.ndarray]) -> Tensor:
    """Row numbers of unequal length as one tensor (replicas, longest), repeating the last row as filling."""
    longest = max(map(len, rows))
    return torch.from_numpy(np.stack([np.pad(r, (0, longest - len(r)), mode="edge") for r in rows]))


class AdamW:
    """torch's AdamW (Loshchilov and Hutter 2019, ICLR) without torch.optim.AdamW, whose first step imports
    torch's compiler: 5 s at the start of every cell."""

    def __init__(self, learnt: list[Tensor], training: Training):
        self.learnt, self.training = learnt, training
        self.first, self.second = ([torch.zeros_like(tensor) for tensor in learnt] for _ in range(2))
        self.steps = [torch.zeros(()) for _ in learnt]  # on the processor: AdamW reads them, a GPU would be waited for

    @torch.no_grad()
    def step(self) -> None:
        """Move against the gradients, then forget them."""
        gradients = [tensor.grad for tensor in self.learnt]
        adamw(
            self.learnt, gradients, self.first, self.second, [], self.steps, foreach=True, amsgrad=False,
            beta1=0.9, beta2=0.999, lr=self.training.rate, weight_decay=self.training.decay, eps=1e-8, maximize=False,
        )  # fmt: skip
        for tensor in self.learnt:
            tensor.grad = None


def silent(epoch: int, curves: dict[str, np.ndarray]) -> None:
    """An on_epoch that keeps nothing."""


def fit(
    modules: list[nn.Module],
    draw: Callable[[int], dict],
    objective: Callable[[Callable, dict], dict[str, Tensor]],
    weights: dict[str, float],
    judge: Callable[[Callable], np.ndarray],
    training: Training,
    on_epoch: Callable[[int, dict[str, np.ndarray]], None] = silent,
    title: str = "training",
) -> Fitted:
    """Train one module per replica, and keep each at its best epoch.

    draw(step) gives the batch of an optimiser step with a leading replica axis; objective(call, batch of one replica)
    gives {term: raw scalar}, and the sum weighted by `weights` is minimised; judge(run) scores the replicas (R,),
    higher is better, where run(*inputs) applies every replica to its part of the inputs; on_epoch receives the mean
    raw terms, the mean gradient norms of each modality's modules and the validation score of each replica after each
    epoch. A replica whose loss or weights are no longer finite is not trained on: it stays what it was at its best
    epoch before. Without one it has no weights, but NaN, so that nothing that is built on it can pass for trained.
    """
    pattern = modules[0]
    parameters, buffers = stack_module_state(modules)
    learnt = [tensor for tensor in parameters.values() if tensor.requires_grad]
    optimiser, branches = AdamW(learnt, training), by_modality(parameters)

    def one(own: dict, fixed: dict, batch: dict) -> dict:
        return objective(lambda *inputs: call(pattern, (own, fixed), inputs, training.precision), batch)

    @torch.no_grad()
    def run(*inputs):
        return vmap(lambda own, fixed, *given: functional_call(pattern, (own, fixed), given))(
            parameters, buffers, *inputs
        )

    best = {name: tensor.detach().clone() for name, tensor in parameters.items()}
    best_epoch, best_score = np.zeros(len(modules), int), np.full(len(modules), -np.inf)
    diverged, history = np.zeros(len(modules), int), []
    for epoch in progress(range(1, training.epochs + 1), training.epochs, title):
        steps = range((epoch - 1) * training.steps, epoch * training.steps)
        with precise(training.precision):
            means = descend(
                lambda step: vmap(one)(parameters, buffers, draw(step)), steps, weights, branches, optimiser
            )
        means = {name: values.cpu().numpy() for name, values in means.items()}
        curves = {name: values for name, values in means.items() if not name.startswith(SLOPE)}
        diverged[(diverged == 0) & ~(finite(learnt) & np.isfinite(list(curves.values())).all(0))] = epoch
        score = np.where(diverged == 0, judge(run), np.nan)
        better = np.isfinite(score) & (score > best_score)
        best_epoch[better], best_score[better] = epoch, score[better]
        for name, tensor in parameters.items():
            best[name][torch.from_numpy(better)] = tensor.detach()[torch.from_numpy(better)]
        history.append(curves)
        on_epoch(epoch, means | {"validation": score})
    for tensor in best.values():
        tensor[torch.from_numpy(best_epoch == 0)] = torch.nan
    best |= {name: tensor.detach() for name, tensor in buffers.items()}
    raw = {term: np.stack([curves[term] for curves in history]) for term in history[0]}
    return Fitted(best, best_epoch, np.where(np.isfinite(best_score), best_score, np.nan), diverged, raw)


def descend(
    say: Callable[[int], dict[str, Tensor]],
    steps: range,
    weights: dict[str, float],
    branches: dict[str, list[list[Tensor]]],
    optimiser: AdamW,
) -> dict[str, Tensor]:
    """Take steps; mean over them of each raw term, and of the gradient norms of each modality: name -> (replicas,).

    Nothing in it waits for the device.
    """
    totals: dict[str, Tensor] = {}
    for step in steps:
        terms = say(step)
        sum(weights[term] * raw for term, raw in terms.items()).sum().backward()
        found = {term: raw.detach() for term, raw in terms.items()}
        found |= {SLOPE + modality: gradient_norm(parts) for modality, parts in branches.items()}
        optimiser.step()
        for name, values in found.items():
            totals[name] = totals.get(name, 0.0) + values
    return {name: total / len(steps) for name, total in totals.items()}


def by_modality(parameters: dict[str, Tensor]) -> dict[str, list[list[Tensor]]]:
    """modality -> its modules, each a list of learnt parameters: encoders, and a T-Net as the branch `hallucinated`."""
    found: dict[str, dict[str, list[Tensor]]] = {}
    for name, tensor in parameters.items():
        module, parts = name.rpartition(".")[0], name.removeprefix("student.").split(".")
        if tensor.requires_grad and parts[0] in ("encoders", "hallucinator"):
            modality = parts[1] if parts[0] == "encoders" else "hallucinated"
            found.setdefault(modality, {}).setdefault(module, []).append(tensor)
    return {modality: list(modules.values()) for modality, modules in found.items()}


def gradient_norm(modules: list[list[Tensor]]) -> Tensor:
    """Mean over modules of the norm of the gradient of a module's parameters: (replicas,)."""
    squares = [sum(own.grad.flatten(1).square().sum(1) for own in module) for module in modules]
    return torch.stack(squares).sqrt().mean(0)


def finite(tensors: list[Tensor]) -> np.ndarray:
    """Which replicas (R,) have finite values in all tensors (R, ...)."""
    return torch.stack([tensor.detach().flatten(1).isfinite().all(1) for tensor in tensors]).all(0).cpu().numpy()


def load(modules: list[nn.Module], state: dict[str, Tensor]) -> list[nn.Module]:
    """The modules, one per replica, with the weights that fit gave."""
    for number, module in enumerate(modules):
        module.load_state_dict(replica_state(state, number))
    return modules


def replica_state(state: dict[str, Tensor], number: int) -> dict[str, Tensor]:
    """The weights of one replica, for a plain module's load_state_dict."""
    return {name: tensor[number] for name, tensor in state.items()}
