"""The schema of params.yaml: every choice a user makes, checked before anything runs."""

import difflib
import re
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

Positive = Annotated[int, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]


def distinct(values: list) -> list:
    """The values, none of which may stand twice."""
    if twice := sorted({str(value) for value in values if values.count(value) > 1}):
        raise ValueError(f"{', '.join(twice)} stands there twice")
    return values


def auto_or_positive(value: Any) -> str | int:
    if value == "auto" or (type(value) is int and value > 0):
        return value
    raise ValueError("input should be 'auto' or an integer greater than 0")


class BadParams(Exception):
    """params.yaml is wrong; the text says where, what is allowed and what to do."""


class Section(BaseModel):
    """Strict: text, true and false are no numbers; an integer may stand for a number with a point."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, strict=True)


class Suite(Section):
    """What `dvc repro` runs: names of entries below."""

    datasets: Annotated[list[str], Field(min_length=1), AfterValidator(distinct)]
    tasks: Annotated[list[str], Field(min_length=1), AfterValidator(distinct)]
    methods: Annotated[list[str], Field(min_length=1), AfterValidator(distinct)]


class Runtime(Section):
    """Where it runs. Workers change no number, another device only within rounding: no stage depends on it."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    workers: Annotated[Any, AfterValidator(auto_or_positive)] = "auto"


class FaceShows(Section):
    """How clearly a face shows its state; deviations in units of the effect of the state itself."""

    expressiveness: Annotated[float, Field(ge=0)]  # deviation of the log gain over subjects
    others: Annotated[float, Field(ge=0)]  # deviation of states that have nothing to do with what is felt, which has 1
    frequency: Annotated[float, Field(gt=0)]  # how fast an expression bends away from a straight response
    subject: Annotated[float, Field(ge=0)]  # offsets that belong to the subject
    clip: Annotated[float, Field(ge=0)]  # offsets common to all units of a recording
    noise: Annotated[float, Field(ge=0)]  # of each unit


class BodyShows(Section):
    """What bio-signals show, and how clearly."""

    shows: Literal["felt", "hidden", "nothing"]
    subject: Annotated[float, Field(ge=0)]
    noise: Annotated[float, Field(ge=0)]


class VoiceShows(Section):
    """What a voice shows, and how clearly; `shown` is what the face shows."""

    shows: Literal["shown", "felt", "hidden", "nothing"] = "shown"
    subject: Annotated[float, Field(ge=0)] = 0.4
    noise: Annotated[float, Field(ge=0)] = 0.4


class Population(Section):
    """People and their states; benchmark/synthesis/ draws them and defines each number."""

    subjects: Annotated[int, Field(ge=2)]
    clips: Annotated[int, Field(ge=1)]  # recordings of a subject
    seconds: Annotated[float, Field(gt=0)] = 5.5  # of a recording, where the dataset's layout leaves it open
    label_noise: Annotated[float, Field(ge=0)]  # deviation of the label's noise, what is felt having 1
    icc: Annotated[float, Field(ge=0, le=0.5)]  # share of the variance of what is felt that lies between subjects
    hidden: Share = 0.0  # share of the variance of what is felt that the face does not show
    face: FaceShows
    voice: VoiceShows = VoiceShows()
    body: BodyShows
    seed: int = 0


class Dataset(Section):
    """Recordings in the layout of an owner."""

    layout: str
    source: Literal["auto", "real", "synthetic"] = "auto"
    population: str
    options: dict[str, Any] = {}


class Split(Section):
    """Who is trained on, selected on and tested on; always whole subjects."""

    rule: str
    folds: Annotated[int, Field(ge=2)] = 5
    test: Positive | None = None  # subjects tested in each fold; None tests every subject once
    validation: Annotated[float, Field(gt=0)] = 0.2  # share of the training subjects, or from 1 on their number
    seed: int = 0


class Method(Section):
    """One way to train a student."""

    terms: dict[str, dict[str, Any]] = {}
    task_weight: Annotated[float, Field(ge=0)] = 1.0
    tnet: Literal["none", "random", "mse", "mmd", "cosine", "own"] = "none"  # own: learnt by the student itself
    teacher: Literal["trained", "permuted", "untrained", "crossfit", "ensemble", "confident", "batchwise"] = "trained"
    labels: Literal["noisy", "clean"] = "noisy"
    inputs: Literal["prevalent", "all"] = "prevalent"  # what the student is trained on; it is tested without the rest
    absent: Literal["mask", "zeros", "mean"] = "mask"  # what stands in for an absent modality
    dropout: Share = 0.0  # of the privileged modalities, hidden at random in training

    @model_validator(mode="after")
    def consistent(self):
        if self.inputs == "prevalent" and (self.dropout or self.absent != "mask"):
            asked = f"dropout is {self.dropout:g}" if self.dropout else f"absent is {self.absent!r}"
            raise ValueError(f"{asked}: only with inputs: all is there privileged input to hide or to fill in")
        if self.inputs == "all" and self.tnet != "none":
            raise ValueError(f"tnet is {self.tnet!r}: inputs: all leaves nothing to hallucinate; allowed: 'none'")
        return self


class Tuning(Section):
    """How many weights each method may try; the same number for all, chosen on the validation subjects."""

    weights: Annotated[list[Annotated[float, Field(gt=0)]], Field(min_length=1), AfterValidator(distinct)] = [1.0]


class Task(Section):
    """A question asked of a dataset."""

    dataset: str
    kind: Literal["classification", "ordinal", "regression"]
    target: list[str] = Field(min_length=1)
    classes: list[float] = []
    prevalent: list[str] = Field(min_length=1)
    privileged: list[str] = Field(min_length=1)
    clips: Literal["any", "complete"] = "any"  # complete: only clips in which every modality is present
    headline: str | None = None  # metric that ranks and selects; None takes that of the kind
    split: Split
    methods: dict[str, Method] = {}

    @model_validator(mode="after")
    def consistent(self):
        if (self.kind == "regression") == bool(self.classes):
            raise ValueError("classes are needed for classification and ordinal tasks, and only there")
        if self.kind != "regression" and len(self.target) != 1:
            raise ValueError("a classification or ordinal task has one target")
        if both := sorted(set(self.prevalent) & set(self.privileged)):
            raise ValueError(f"{', '.join(both)} cannot be both prevalent and privileged")
        return self


class FeatureSection(Section):
    """How recordings become numbers; the options of an extractor are defined in its file."""

    segments: Positive
    max_failure_rate: Share
    extractors: dict[str, dict[str, Any]] = {}  # by kind of modality: the file in benchmark/features


class Training(Section):
    """How every network is trained; the same budget for every method and fold."""

    seeds: Annotated[list[int], Field(min_length=1), AfterValidator(distinct)]
    encoder: Literal["pooled", "temporal"]
    batch: Annotated[int, Field(ge=2)]
    epochs: Positive
    steps: Positive
    rate: Annotated[float, Field(gt=0)]
    decay: Annotated[float, Field(ge=0)]


class Evaluation(Section):
    """How scores are summarised."""

    resamples: Annotated[int, Field(ge=100)]
    confidence: Annotated[float, Field(gt=0, lt=1)]


class Tracking(Section):
    """Where MLflow shows the runs."""

    experiment: str


class Study(Section):
    """Methods compared over people who are drawn for this alone, again and again."""

    task: str
    methods: Annotated[list[str], Field(min_length=2), AfterValidator(distinct)]
    populations: Annotated[int, Field(ge=2)] = 10
    first: int  # seed of the first population; the others follow


class Params(Section):
    suite: Suite
    runtime: Runtime = Runtime()
    populations: dict[str, Population]
    datasets: dict[str, Dataset]
    tasks: dict[str, Task]
    features: FeatureSection
    training: Training
    tuning: Tuning = Tuning()
    methods: dict[str, Method]
    evaluation: Evaluation
    tracking: Tracking
    studies: dict[str, Study] = {}

    @model_validator(mode="after")
    def names_exist(self):
        known = {"datasets": self.datasets, "tasks": self.tasks, "methods": self.methods}
        for kind, entries in known.items():
            for name in getattr(self.suite, kind):
                require(name, entries, f"suite.{kind}")
        for name, dataset in self.datasets.items():
            require(dataset.population, self.populations, f"datasets.{name}.population")
        for name, task in self.tasks.items():
            require(task.dataset, self.datasets, f"tasks.{name}.dataset")
            for method in task.methods:
                require(method, self.methods, f"tasks.{name}.methods")
            if name in self.suite.tasks and task.dataset not in self.suite.datasets:
                raise ValueError(f"suite.tasks: {name} needs dataset {task.dataset}; add it to suite.datasets")
        reserved = ("teacher", "targets", "availability")
        if taken := sorted(n for n in self.methods if n in reserved or n.startswith(("teacher_hall", "tnet_"))):
            raise ValueError(f"methods: {', '.join(taken)}: this name is taken by the teacher, its T-Net or a control")
        for name, study in self.studies.items():
            require(study.task, self.tasks, f"studies.{name}.task")
            for method in study.methods:
                require(method, self.methods, f"studies.{name}.methods")
        compared = {"suite": self.suite.methods} | {f"studies.{n}": s.methods for n, s in self.studies.items()}
        for where, methods in compared.items():
            if "prevalent_only" not in methods:
                raise ValueError(
                    f"{where}.methods: prevalent_only is the baseline of every comparison and must be listed"
                )
        return self


def require(name: str, allowed, where: str) -> None:
    """ValueError unless the name is one of the allowed ones; it names the nearest."""
    if name not in allowed:
        raise ValueError(f"{where}: there is no {name!r}{nearest(name, allowed)}")


def nearest(name: str, allowed) -> str:
    """A hint for a wrong name: the closest allowed one, and all of them."""
    close = difflib.get_close_matches(str(name), list(allowed), n=1, cutoff=0.5)
    hint = f"; did you mean {close[0]!r}?" if close else ";"
    return f"{hint} allowed: {', '.join(sorted(allowed)) or 'nothing'}"


class Loader(yaml.SafeLoader):
    """YAML in which 2e-3 is a number, as in YAML 1.2 and as DVC reads it; YAML 1.1 takes it for text."""


EXPONENT = re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+$")
Loader.add_implicit_resolver("tag:yaml.org,2002:float", EXPONENT, list("-+0123456789"))


def load(path: Path) -> Params:
    """Read and check params.yaml; BadParams tells every mistake in a sentence of its own."""
    try:
        raw = Loader(path.read_text()).get_single_data()
    except yaml.YAMLError as error:
        raise BadParams(f"{path} is not valid YAML: {error}") from None
    return check(Params, raw, path.name)


def check(schema: type[BaseModel], raw: Any, where: str) -> Any:
    """Validate a section; BadParams names the key, the section, the value and what is allowed."""
    try:
        return schema.model_validate(raw)
    except ValidationError as error:
        raise BadParams("\n".join(sentence(schema, item, where) for item in error.errors())) from None


def sentence(schema: type[BaseModel], error: dict, where: str) -> str:
    """One mistake in words."""
    path = [str(part) for part in error["loc"]]
    if schema is not Params:  # a section of its own: its name is part of the path
        where, _, name = where.rpartition(": ")
        path, where = [name, *path], where or "params.yaml"
    at = ".".join(path) or "the file"
    if error["type"] == "extra_forbidden":
        section = ".".join(path[:-1]) or "the top level"
        return f"{where}: {section} has no key {path[-1]!r}{nearest(path[-1], keys(schema, error['loc'][:-1]))}"
    if error["type"] == "missing":
        return f"{where}: {at} is missing"
    if error["type"] == "value_error":
        told = f"{at} is {error['input']!r}" if isinstance(error["input"], str | int | float) else at
        return f"{where}: {told}: {error['ctx']['error']}" if path else f"{where}: {error['ctx']['error']}"
    allowed = f"at least {error['ctx']['min_length']} needed" if error["type"] == "too_short" else error["msg"].lower()
    return f"{where}: {at} is {error['input']!r}: {allowed.partition(' or instance of')[0]}"


def keys(schema: Any, path: tuple) -> list[str]:
    """The keys allowed in the section at `path`, following models and dictionaries of models."""
    for part in path:
        if isinstance(schema, type) and issubclass(schema, BaseModel):
            schema = schema.model_fields[part].annotation
        else:  # dict[str, Model]
            schema = schema.__args__[1]
    return list(schema.model_fields)
