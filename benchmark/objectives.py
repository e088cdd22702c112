"""What a network minimises: the loss of its task and the distillation terms of its method."""

from collections.abc import Callable
from functools import partial

from torch import Tensor, nn

from benchmark import plugins
from benchmark.models import Lesson, Output
from benchmark.params import Method, Task
from benchmark.schema import BadParams, check, nearest


def task_loss(output: Output, target: Tensor, kind: str) -> Tensor:
    """Cross-entropy (B, classes) against (B,), or 1 - CCC of standardised values (B, targets), mean over targets."""
    return task_losses(output.prediction[..., None, :], target, kind)[..., 0]


def task_losses(prediction: Tensor, target: Tensor, kind: str) -> Tensor:
    """The task loss of several predictions (..., B, n, outputs) of the same targets: (..., n)."""
    if kind != "regression":
        # as torch's cross_entropy, which under vmap loads a symbolic algebra package: 2 s for every cell
        index = target[..., None, None].expand(*prediction.shape[:-1], 1)
        return -prediction.log_softmax(-1).gather(-1, index)[..., 0].mean(-2)
    guess, truth = prediction, target[..., None, :]
    apart = guess.mean(-3) - truth.mean(-3)
    covariance = ((guess - guess.mean(-3, keepdim=True)) * (truth - truth.mean(-3, keepdim=True))).mean(-3)
    spread = guess.var(-3, correction=0) + truth.var(-3, correction=0) + apart.square()
    return (1 - 2 * covariance / spread.clamp_min(1e-8)).mean(-1)


def options(terms: dict[str, dict], where: str) -> dict[str, object]:
    """The checked options of each loss term; BadParams names a wrong one."""
    checked, there = {}, plugins.names("losses")
    for name, given in terms.items():
        if name not in there:
            raise BadParams(f"{where}: there is no term {name!r}{nearest(name, there)}")
        checked[name] = check(plugins.load("losses", name).Options, given, f"{where}.{name}")
    return checked


def reason(name: str, kind: str, outputs: int) -> str:
    """Why a term cannot be used on such a task; empty if it can, as most can on all."""
    return getattr(plugins.load("losses", name), "unfit", lambda *_: "")(kind, outputs)


def unfit(terms: dict[str, dict], task: Task) -> str:
    """Why a method's terms cannot be used on a task; empty if they can."""
    told = [reason(name, task.kind, task.outputs) for name in terms]
    return "; ".join(f"{name} {why}" for name, why in zip(terms, told, strict=True) if why)


def adapters(terms: dict[str, dict]) -> dict[str, Callable[[], nn.Module]]:
    """What builds the module that a loss term learns beside the student, by term; most terms have none."""
    chosen = options(terms, "terms")
    modules = {name: plugins.load("losses", name) for name in terms}
    return {n: partial(module.Adapter, chosen[n]) for n, module in modules.items() if hasattr(module, "Adapter")}


def build(method: Method, task: Task) -> tuple[Callable[[Callable, dict], dict[str, Tensor]], dict[str, float]]:
    """(objective, weights) for train.fit: raw terms by name, the task's own loss among them as `task`.

    Where a batch comes with mixtures, each term is its mean over clips and mixtures; the task is told of clips alone.
    """
    chosen = options(method.terms, "terms")
    modules = {name: plugins.load("losses", name) for name in chosen}

    def objective(call: Callable, batch: dict) -> dict[str, Tensor]:
        if not modules:
            return {"task": task_loss(call(batch["x"], batch["visible"]), batch["target"], task.kind)}
        terms = {"task": None} | dict.fromkeys(modules, 0.0)
        views = [batch, batch["mixed"]] if "mixed" in batch else [batch]
        for view in views:
            teacher = Output(**view["teacher"])
            student, adapted = call(view["x"], view["visible"], teacher)
            lesson = Lesson(task.kind, view["target"], len(task.privileged))
            for name, module in modules.items():
                given = lesson._replace(adapted=adapted.get(name, ()))
                terms[name] = terms[name] + module.loss(student, teacher, chosen[name], given) / len(views)
            if view is batch:
                terms["task"] = task_loss(student, batch["target"], task.kind)
        return terms

    return objective, {"task": method.task_weight} | {name: given.weight for name, given in chosen.items()}
