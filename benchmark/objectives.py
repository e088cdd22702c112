"""What a network minimises: the loss of its task and the distillation terms of its method."""

from collections.abc import Callable

from torch import Tensor

from benchmark import plugins
from benchmark.models import Output
from benchmark.params import BadParams, Method, check, nearest


def task_loss(output: Output, target: Tensor, kind: str) -> Tensor:
    """Cross-entropy (B, classes) against (B,), or 1 - CCC of standardised values (B, targets), mean over targets."""
    if kind != "regression":
        # as torch's cross_entropy, which under vmap loads a symbolic algebra package: 2 s for every cell
        return -output.prediction.log_softmax(-1).gather(-1, target[..., None]).mean()
    guess, truth = output.prediction, target
    covariance = ((guess - guess.mean(0)) * (truth - truth.mean(0))).mean(0)
    spread = guess.var(0, correction=0) + truth.var(0, correction=0) + (guess.mean(0) - truth.mean(0)).square()
    return (1 - 2 * covariance / spread.clamp_min(1e-8)).mean()


def options(terms: dict[str, dict], where: str) -> dict[str, object]:
    """The checked options of each loss term; BadParams names a wrong one."""
    checked, there = {}, plugins.names("losses")
    for name, given in terms.items():
        if name not in there:
            raise BadParams(f"{where}: there is no term {name!r}{nearest(name, there)}")
        checked[name] = check(plugins.load("losses", name).Options, given, f"{where}.{name}")
    return checked


def build(method: Method, kind: str) -> tuple[Callable[[Callable, dict], dict[str, Tensor]], dict[str, float]]:
    """(objective, weights) for train.fit: raw terms by name, the task's own loss among them as `task`."""
    chosen = options(method.terms, "terms")
    modules = {name: plugins.load("losses", name) for name in chosen}

    def objective(call: Callable, batch: dict) -> dict[str, Tensor]:
        output = call(batch["x"], batch["visible"])
        terms = {"task": task_loss(output, batch["target"], kind)}
        for name, module in modules.items():
            terms[name] = module.loss(output, Output(**batch["teacher"]), chosen[name], kind)
        return terms

    return objective, {"task": method.task_weight} | {name: given.weight for name, given in chosen.items()}
