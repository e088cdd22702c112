"""Conditions: what of a clip a trained model may see. Masks are drawn once per dataset, rate and draw, for all methods.

Protocols: `subset`, whole modalities (named by what is visible); `random`, modalities of each clip at random at one
rate, at least one kept (GCNet, Lian et al. 2023); `wild`, the same among the prevalent ones, the privileged absent;
`equal` and `unequal`, one rate for all modalities against a rate each with the same mean, at least one kept (the two
regimes of MissBench, arXiv 2603.09874; the rates are ours); `gap`, a contiguous share of one modality (MuteBench, arXiv
2605.15235), as deployed, without the privileged ones, where the modality is prevalent; `degraded`, recordings made
worse. What is kept is kept of what was recorded. Hidden values are gone at the input of a network and their mask is
false. Rates are shares of what is hidden in the end, also where clips that would lose everything are drawn again.
"""

from functools import reduce
from itertools import combinations, permutations
from operator import or_
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from benchmark.params import Missing, Task
from benchmark.seeds import generator

if TYPE_CHECKING:  # report and track need the names of conditions, but not torch
    from torch import Tensor

MASKS = ("random", "wild", "equal", "unequal")  # protocols that hide modalities clip by clip
ATTEMPTS = 24  # draws until a clip keeps a modality


class Condition(NamedTuple):
    """One condition of a task."""

    name: str
    alias: str  # how it is shown
    protocol: str
    rate: float | None = None  # nominal share that is hidden
    visible: tuple[str, ...] = ()  # modalities of which something may be seen
    gap: str | None = None  # the modality that has one


def conditions(modalities: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Every non-empty subset of the modalities, largest first: {"vision+biosignal": ("vision", "biosignal"), ...}."""
    sizes = range(len(modalities), 0, -1)
    return {"+".join(kept): kept for size in sizes for kept in combinations(modalities, size)}


def alias(condition: tuple[str, ...], prevalent: tuple[str, ...], privileged: tuple[str, ...]) -> str:
    """How a subset is shown: privileged_absent, all, no_<modality>, or its own name."""
    absent = [name for name in (*prevalent, *privileged) if name not in condition]
    if set(condition) == set(prevalent):
        return "privileged_absent"
    if not absent:
        return "all"
    return f"no_{absent[0]}" if len(absent) == 1 else f"only_{'_'.join(condition)}"


def subsets(task: Task) -> list[Condition]:
    """Every non-empty subset of a task's modalities, largest first."""
    roles = tuple(task.prevalent), tuple(task.privileged)
    every = conditions((*roles[0], *roles[1])).items()
    return [Condition(name, alias(kept, *roles), "subset", None, kept) for name, kept in every]


def listed(task: Task, options: Missing, degradations=()) -> list[Condition]:
    """Every condition of a task, in the order of the tables. Where one modality has to be kept, a rate beyond the
    largest that can be had is that largest one."""
    roles = tuple(task.prevalent), tuple(task.privileged)
    every = (*roles[0], *roles[1])
    found = subsets(task)
    for protocol, visible in (("random", every), ("wild", roles[0])):
        largest = round(1 - 1 / len(visible), 2)
        rates = sorted({min(rate, largest) for rate in options.rates} - {0.0})
        found += [named(f"{protocol}_{percent(rate)}", protocol, rate, visible) for rate in rates]
    found += [named(name, protocol, float(np.mean(rates)), every) for name, protocol, rates in regimes(every, options)]
    for name in every:
        visible = roles[0] if name in roles[0] else every
        for share in options.gaps:
            found.append(named(f"gap_{name}_{percent(share)}", "gap", share, visible, name))
    return found + [named(f"degraded_{name}", "degraded", None, every) for name in degradations]


def named(name: str, protocol: str, rate: float | None, visible: tuple[str, ...], gap: str | None = None) -> Condition:
    return Condition(name, name, protocol, rate, visible, gap)


def percent(share: float) -> str:
    return f"{100 * share:g}"


def regimes(modalities: tuple[str, ...], options: Missing) -> list[tuple[str, str, tuple[float, ...]]]:
    """(name, equal or unequal, the rate of each modality): every order of the unequal rates, and their mean for all."""
    low, high = options.unequal
    rates = tuple(float(rate) for rate in np.round(np.linspace(low, high, len(modalities)), 3))
    mean = float(np.round(np.mean(rates), 3))
    orders = sorted(set(permutations(rates)))
    unequal = [("_".join(("unequal", *map(percent, order))), "unequal", order) for order in orders]
    return [(f"equal_{percent(mean)}", "equal", (mean,) * len(modalities)), *unequal]


def draw(
    task: Task, clip_ids: np.ndarray, present: np.ndarray, segments: int, options: Missing
) -> dict[str, np.ndarray]:
    """The masks of a task: name -> (draws, N, modalities) bool, true where kept; gap_<share> -> int8, first segment.

    present (N, modalities): what was recorded. Modalities are in the order of the task, prevalent ones first. From
    (dataset, draw, clip, modality) alone: a clip loses the same in every task of a dataset with these modalities,
    whatever their roles and whatever other clips there are; what is hidden at one rate is hidden at every higher one.
    """
    every = (*task.prevalent, *task.privileged)
    place = [sorted(every).index(name) for name in every]
    numbers = np.stack([
        [generator("missing", task.dataset, number, clip).random((ATTEMPTS + 3, len(every))) for clip in clip_ids]
        for number in range(options.draws)
    ])[..., place]  # fmt: skip
    found = {}
    for condition in listed(task, options):
        if condition.protocol in ("random", "wild"):
            at, able = (0, present) if condition.protocol == "random" else (1, present & prevalent(task))
            found[condition.name] = one_kept(numbers[:, :, at], able, condition.rate)
    for name, _, rates in regimes(every, options):
        found[name] = some_kept(numbers[:, :, 3:] >= before_drawing_again(rates), present)
    for share in options.gaps:
        last = segments - gap_length(share, segments)
        found[f"gap_{percent(share)}"] = (numbers[:, :, 2] * (last + 1)).astype(np.int8)
    return found


def prevalent(task: Task) -> np.ndarray:
    """(modalities,) bool, in the order of the task."""
    return np.arange(len(task.prevalent) + len(task.privileged)) < len(task.prevalent)


def one_kept(numbers: np.ndarray, able: np.ndarray, rate: float) -> np.ndarray:
    """numbers, able (..., modalities) -> kept: of those a clip is able to keep one is kept, and the others are hidden
    so often that the rate over all is as asked; what it is not able to keep is hidden."""
    held = np.where(able, numbers, 0.0)
    largest = held.max(-1, keepdims=True)  # the largest of independent numbers: each modality equally often
    count = np.maximum(able.sum(-1, keepdims=True), 2)
    # below the largest, the others are uniform again once divided by it
    kept = able & (held / np.maximum(largest, 1e-300) >= rate * count / (count - 1))
    return kept | (able & (held == largest))


def some_kept(attempts: np.ndarray, present: np.ndarray) -> np.ndarray:
    """(..., attempts, modalities) -> the first attempt (..., modalities) that keeps anything that is present (...,
    modalities); all, if none does."""
    enough = (attempts & present[:, None]).any(-1)
    first = np.take_along_axis(attempts, enough.argmax(-1)[..., None, None], axis=-2)[..., 0, :]
    return np.where(enough.any(-1)[..., None], first, True)


def before_drawing_again(rates: tuple[float, ...]) -> np.ndarray:
    """The rates (modalities,) to draw with, so that these are hidden once clips that lose everything are drawn again.

    With p = the product of what is drawn, a modality is hidden in (drawn - p) / (1 - p) of the clips that are left.
    """
    wanted, lost = np.array(rates), 0.0
    for _ in range(200):
        lost = float(np.prod(wanted * (1 - lost) + lost))
    return wanted * (1 - lost) + lost


def gap_length(share: float, segments: int) -> int:
    """Segments of a gap, at least one and never all."""
    return min(max(round(share * segments), 1), segments - 1)


def cut(packed: np.ndarray, start: np.ndarray, share: float) -> np.ndarray:
    """Packed features (N, segments + 1, features) with a gap from segment start (N,) on. Quantities of the whole clip,
    the last row, are hidden with any part of it."""
    segments = packed.shape[1] - 1
    place = np.arange(segments + 1)
    inside = (place >= start[:, None]) & (place < start[:, None] + gap_length(share, segments))
    inside[:, -1] = True
    return np.where(inside[..., None], np.float32(np.nan), packed)


def hide(view: dict, visible: tuple[str, ...]) -> dict:
    """A view (x, visible) in which every other modality is hidden: its values are gone, its mask is false."""
    kept = {name: mask if name in visible else mask & False for name, mask in view["visible"].items()}
    return veil(view["x"], kept)


def veil(x: dict, visible: dict) -> dict:
    """A view (x, visible) in which values whose mask (...) is false are gone."""
    gone = {
        name: values.where(visible[name].reshape(visible[name].shape + (1,) * (values.dim() - visible[name].dim())),
                           values.new_tensor(float("nan")))
        for name, values in x.items()
    }  # fmt: skip
    return {"x": gone, "visible": visible}


def anything(view: dict) -> "Tensor":
    """Which clips (N,) have at least one visible modality."""
    return reduce(or_, view["visible"].values())
