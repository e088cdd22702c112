"""Conditions: which modalities a trained model may see, named by what is visible."""

from functools import reduce
from itertools import combinations
from operator import or_
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # report and track need the names of conditions, but not torch
    from torch import Tensor


def conditions(modalities: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Every non-empty subset of the modalities, largest first: {"vision+biosignal": ("vision", "biosignal"), ...}."""
    sizes = range(len(modalities), 0, -1)
    return {"+".join(kept): kept for size in sizes for kept in combinations(modalities, size)}


def alias(condition: tuple[str, ...], prevalent: tuple[str, ...], privileged: tuple[str, ...]) -> str:
    """How a condition is shown: privileged_absent, all, no_<modality>, or its own name."""
    absent = [name for name in (*prevalent, *privileged) if name not in condition]
    if set(condition) == set(prevalent):
        return "privileged_absent"
    if not absent:
        return "all"
    return f"no_{absent[0]}" if len(absent) == 1 else f"only_{'_'.join(condition)}"


def hide(view: dict, visible: tuple[str, ...]) -> dict:
    """A view (x, visible) in which every other modality is hidden: its values are gone, its mask is false."""
    x = {
        name: values if name in visible else values.new_full(values.shape, float("nan"))
        for name, values in view["x"].items()
    }
    masks = {name: mask if name in visible else mask & False for name, mask in view["visible"].items()}
    return {"x": x, "visible": masks}


def anything(view: dict) -> "Tensor":
    """Which clips (N,) have at least one visible modality."""
    return reduce(or_, view["visible"].values())
