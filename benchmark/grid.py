"""The grid of a study: factors of a method, varied one at a time; levels are read out of the methods themselves."""

from typing import NamedTuple

from benchmark.schema import nearest
from benchmark.sections import Study


class Level(NamedTuple):
    """A method as one level of a factor."""

    method: str
    value: float | str | bool
    default: bool
    beside: tuple[str, ...]  # other options in which it differs from the default


def levels(study: Study, methods: dict[str, dict]) -> dict[str, list[Level]]:
    """The levels of each factor: numbers by size, others in the order given.

    methods: planned methods, with the options of their terms filled in. ValueError where a method lacks the option.
    """
    flat = {name: flattened(methods[name]) for name in study.compared}
    found = {}
    for name, factor in study.factors.items():
        own = [level(study.default, method, factor.option, flat, f"factors.{name}") for method in factor.methods]
        found[name] = sorted(own, key=lambda entry: entry.value) if numeric(own) else own
    return found


def level(default: str, method: str, option: str, flat: dict[str, dict], where: str) -> Level:
    own, start = flat[method], flat[default]
    if option not in own:
        raise ValueError(f"{where}: {method} has no option {option!r}{nearest(option, own)}")
    beside = sorted(key for key in own.keys() | start.keys() if key != option and own.get(key) != start.get(key))
    return Level(method, own[option], method == default, tuple(beside))


def flattened(method: dict) -> dict:
    """{"tnet": "none", "kdot.k": 30, ...}"""
    terms = {f"{term}.{key}": value for term, options in method["terms"].items() for key, value in options.items()}
    return {key: value for key, value in method.items() if key not in ("terms", "digests")} | terms


def numeric(entries: list[Level]) -> bool:
    """Whether the levels stand on a scale."""
    return all(isinstance(entry.value, int | float) and not isinstance(entry.value, bool) for entry in entries)
