"""The sections of params.yaml: every choice a user makes, checked before anything runs."""

import re
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import yaml
from pydantic import AfterValidator, Field, model_validator

from benchmark.files import read_text
from benchmark.schema import BadParams, Positive, Section, Share, check, distinct, require
from benchmark.sections import Degradation, Runtime, Study, Tuning, folders


class Suite(Section):
    """What `dvc repro` runs: names of entries below."""

    datasets: Annotated[list[str], Field(min_length=1), AfterValidator(distinct)]
    tasks: Annotated[list[str], Field(min_length=1), AfterValidator(distinct)]
    methods: Annotated[list[str], Field(min_length=1), AfterValidator(distinct)]
    degradations: Annotated[list[str], AfterValidator(distinct)] = []


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
    missing: str = "none"  # the condition whose masks hide training input, such as random_30
    mix: Literal["none", "dissimilar", "similar", "random"] = "none"  # mixtures with such anchors, told by the teacher

    @model_validator(mode="after")
    def consistent(self):
        if self.inputs == "prevalent" and (self.dropout or self.absent != "mask"):
            asked = f"dropout is {self.dropout:g}" if self.dropout else f"absent is {self.absent!r}"
            raise ValueError(f"{asked}: only with inputs: all is there privileged input to hide or to fill in")
        if self.inputs == "all" and self.tnet != "none":
            raise ValueError(f"tnet is {self.tnet!r}: inputs: all leaves nothing to hallucinate; allowed: 'none'")
        if self.mix != "none" and not (self.terms and self.teacher == "trained"):
            raise ValueError(f"mix is {self.mix!r}: the trained teacher speaks of mixtures to terms; it needs both")
        return self


def planned(entry: dict) -> Method:
    """A method as the plan wrote it, beside the digests of its terms and the options of its masks."""
    return Method.model_validate({name: value for name, value in entry.items() if name not in ("digests", "masks")})


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

    @property
    def outputs(self) -> int:
        """Of a network: a logit per class, or a value per target."""
        return len(self.classes) or len(self.target)

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
    precision: Literal["float32", "tf32", "bf16"] = "float32"  # of the layers in training; scores are always float32


class Evaluation(Section):
    """How scores are summarised."""

    resamples: Annotated[int, Field(ge=100)]
    confidence: Annotated[float, Field(gt=0, lt=1)]
    rope: Annotated[float, Field(ge=0)]  # differences of the headline this small do not matter in practice


Rate = Annotated[float, Field(gt=0, lt=1)]


class Missing(Section):
    """What happens when modalities go missing: the masks of benchmark/missing.py, drawn once for all methods."""

    draws: Positive = 3  # masks of each rate; a seed takes number seed modulo draws
    rates: Annotated[list[Rate], Field(min_length=1), AfterValidator(distinct)]
    unequal: Annotated[list[Rate], Field(min_length=2, max_length=2)]  # of the modality hidden least, and most
    gaps: Annotated[list[Rate], AfterValidator(distinct)]  # shares of a clip

    @model_validator(mode="after")
    def something_is_kept(self):
        if sum(self.unequal) >= 1:
            raise ValueError(f"unequal is {self.unequal}: of two modalities one is kept, so their mean is below 0.5")
        return self


class Validation(Section):
    """What `validate` does again: published simulations, statistics, and methods on real data of scikit-learn."""

    repetitions: Positive
    draws: Annotated[int, Field(ge=100)]
    methods: Annotated[list[str], Field(min_length=1), AfterValidator(distinct)]


class Tracking(Section):
    """Where MLflow shows the runs."""

    experiment: str


class Params(Section):
    whole: ClassVar[bool] = True
    suite: Suite
    runtime: Runtime = Runtime()
    populations: dict[str, Population]
    datasets: dict[str, Dataset]
    tasks: dict[str, Task]
    features: FeatureSection
    training: Training
    tuning: Tuning = Tuning()
    methods: dict[str, Method]
    missing: Missing
    evaluation: Evaluation
    validation: Validation
    tracking: Tracking
    studies: dict[str, Study] = {}
    degradations: Annotated[dict[str, Degradation], AfterValidator(folders)] = {}

    @model_validator(mode="after")
    def names_exist(self):
        known = {"datasets": self.datasets, "tasks": self.tasks, "methods": self.methods}
        for kind, entries in known.items():
            for name in getattr(self.suite, kind):
                require(name, entries, f"suite.{kind}")
        for name in self.suite.degradations:
            require(name, self.degradations, "suite.degradations")
        for name in self.validation.methods:
            require(name, self.methods, "validation.methods")
            if self.methods[name].labels == "clean":
                raise ValueError(f"validation.methods: {name} needs labels without noise, which real data do not have")
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
            for method in study.compared:
                require(method, self.methods, f"studies.{name}.methods")
            for method in study.against:
                require(method, study.compared, f"studies.{name}.against")
        compared = {"suite": self.suite.methods, "validation": self.validation.methods}
        compared |= {f"studies.{name}": study.compared for name, study in self.studies.items()}
        for where, methods in compared.items():
            if "prevalent_only" not in methods:
                raise ValueError(
                    f"{where}.methods: prevalent_only is the baseline of every comparison and must be listed"
                )
        return self


class Loader(yaml.SafeLoader):
    """YAML in which 2e-3 is a number, as in YAML 1.2 and as DVC reads it; YAML 1.1 takes it for text."""


EXPONENT = re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+$")
Loader.add_implicit_resolver("tag:yaml.org,2002:float", EXPONENT, list("-+0123456789"))


def load(path: Path) -> Params:
    """Read and check params.yaml; BadParams tells every mistake in a sentence of its own."""
    try:
        raw = Loader(read_text(path)).get_single_data()
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise BadParams(f"{path} is not valid YAML: {error}") from None
    except OSError as error:
        raise BadParams(f"{path} cannot be read: {error.strerror}") from None
    return check(Params, raw, path.name)
