"""The budget of tuning, sections of params.yaml that decide no result, and what only opt-in parts read: degradations
and studies."""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from benchmark.schema import Positive, Section, distinct


def folders(entries: dict) -> dict:
    """The entries, whose names are also names of folders and of conditions."""
    for name in entries:
        if not re.fullmatch("[a-z][a-z0-9_]*", name):
            raise ValueError(f"the name {name!r}: only a to z, 0 to 9 and _ are allowed, a letter first")
    return entries


class VisionDegradation(Section):
    """What happens to the frames of a video after they are decoded."""

    noise: Annotated[float, Field(ge=0, le=255)] = 0.0  # deviation in grey levels, of 0 to 255
    drop: Annotated[float, Field(ge=0, lt=1)] = 0.0  # share of frames lost, each by chance
    every: Positive = 1  # only each n-th frame was recorded


class SoundDegradation(Section):
    """What happens to the samples of a sound or of a bio-signal; a lower rate first, then noise, then losses."""

    snr_db: Annotated[float, Field(ge=-60, le=120)] | None = None  # white noise, by the power about the mean
    rate_hz: Annotated[float, Field(gt=0)] | None = None  # highest rate; what is recorded at a lower one stays
    drop: Annotated[float, Field(ge=0, lt=1)] = 0.0  # share lost, in stretches: of sound silent, of signals missing
    stretch_s: Annotated[float, Field(gt=0)] = 0.5  # length of a lost stretch, s


class Degradation(Section):
    """How recordings are made worse, by kind of modality; kinds that are not named stay as they are."""

    vision: VisionDegradation = VisionDegradation()
    speech: SoundDegradation = SoundDegradation()
    biosignal: SoundDegradation = SoundDegradation()

    @property
    def kinds(self) -> list[str]:
        """The kinds of modality that it changes."""
        untouched = Degradation.model_construct()
        return [kind for kind in type(self).model_fields if getattr(self, kind) != getattr(untouched, kind)]

    @model_validator(mode="after")
    def something(self):
        idle = [kind for kind in self.model_fields_set if not getattr(self, kind).model_fields_set - {"stretch_s"}]
        if idle or not self.model_fields_set:
            raise ValueError(f"{', '.join(sorted(idle)) or 'it'} changes nothing; give at least one value")
        return self


class Factor(Section):
    """One choice inside a method, and methods in which it is made differently."""

    option: str  # where it stands: <term>.<option> or a key of the method; the values are read from the methods
    methods: Annotated[list[str], Field(min_length=2), AfterValidator(distinct)]


class Tuning(Section):
    """How many weights each method may try; the same number for all, chosen on the validation subjects."""

    weights: Annotated[list[Annotated[float, Field(gt=0)]], Field(min_length=1), AfterValidator(distinct)] = [1.0]


class Study(Section):
    """Methods compared over people who are drawn for this alone, again and again."""

    task: str
    methods: Annotated[list[str], Field(min_length=2), AfterValidator(distinct)]
    tuning: Tuning | None = None  # of this study; without it that of every run
    against: list[str] = []  # methods that others are compared with, beside prevalent_only
    default: str | None = None  # the method from which each factor departs, one at a time
    factors: dict[str, Factor] = {}
    populations: Annotated[int, Field(ge=2)] = 10
    first: int  # seed of the first population; the others follow

    @property
    def compared(self) -> list[str]:
        """All of its methods, those of its factors too, each once."""
        return list(dict.fromkeys([*self.methods, *(name for own in self.factors.values() for name in own.methods)]))

    @model_validator(mode="after")
    def consistent(self):
        for name, factor in self.factors.items():
            if self.default not in factor.methods:
                asked = f"default is {self.default!r}" if self.default else "default is missing"
                raise ValueError(f"{asked}: factors.{name} departs from one of {', '.join(factor.methods)}; name it")
        return self


def auto_or_positive(value: Any) -> str | int:
    if value == "auto" or (type(value) is int and value > 0):
        return value
    raise ValueError("input should be 'auto' or an integer greater than 0")


def address(value: str | None) -> str | None:
    if value is None or re.fullmatch(r"tcp://[^\s/:]+:[1-9]\d{0,4}", value):
        return value
    raise ValueError("the address of a Dask scheduler is needed, tcp://host:port, as in tcp://10.0.0.5:8786")


class Runtime(Section):
    """Where it runs. Workers change no number, another device only within rounding: no stage depends on it."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    workers: Annotated[Any, AfterValidator(auto_or_positive)] = "auto"  # of this machine
    executor: Literal["local", "dask"] = "local"
    scheduler: Annotated[str | None, AfterValidator(address)] = None  # of Dask; without one, workers of this machine

    @model_validator(mode="after")
    def a_scheduler_is_one_of_dask(self):
        if self.scheduler and self.executor != "dask":
            raise ValueError(f"scheduler is {self.scheduler!r}: only with executor: dask")
        return self
