"""What a trained student says of recordings: a row per clip, with its times and what could be seen."""

import json
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch

from benchmark import executor, extraction, inputs, plugins, schema
from benchmark.deployment import recordings, students
from benchmark.deployment.recordings import Recording
from benchmark.deployment.students import Student
from benchmark.files import replacing
from benchmark.sections import Runtime
from benchmark.types import Refused

SHOWN = 40  # rows on the terminal


class Cut(NamedTuple):
    """How a recording is cut into clips; without it, all of it is one."""

    length_s: float
    hop_s: float


class Clip(NamedTuple):
    """A stretch of a recording as a student may see it."""

    name: str
    start_s: float
    end_s: float
    x: dict[str, np.ndarray]  # modality -> (segments + 1, features) as extracted
    reasons: dict[str, str]  # modality -> why it cannot be seen, empty where it can be


def cut_of(student: Student, window: float | None, hop: float | None) -> Cut | None:
    """The asked window, or that of the training; Refused unless both numbers are positive."""
    own = student.card["windows"]
    if any(value is not None and not value > 0 for value in (window, hop)):
        raise Refused(f"--window {window} --hop {hop}: both must be seconds above 0")
    if hop is not None and window is None and own is None:
        raise Refused("--hop needs --window: this student was trained on whole recordings")
    if window is None and own is None:
        return None
    length = window or own["length_s"]
    return Cut(length, hop or (length if window or own is None else own["hop_s"]))


def jobs(student: Student) -> dict[str, extraction.Job]:
    """How to extract each modality as in the training; Refused where this installation measures something else."""
    found = {}
    for modality, recipe in student.card["features"].items():
        kind, where = recipe["extractor"], f"features of {modality} in the student's card"
        if kind not in plugins.names("features"):
            raise Refused(f"{where}: there is no extractor {kind} in benchmark/features any more")
        extractor = plugins.load("features", kind)
        options = schema.check(extractor.Options, recipe["options"], f"card.json: features.{modality}.options")
        channels = tuple(recipe["channels"])
        now = {"version": extractor.VERSION, "versions": extractor.versions(options)}
        now |= extractor.definitions(channels, options)._asdict()
        if differing := [name for name in now if json.dumps(recipe.get(name)) != json.dumps(now[name])]:
            then = ", ".join(f"{name} {version}" for name, version in recipe["versions"].items()) or "nothing else"
            raise Refused(
                f"{where} were made by another {kind} extractor ({', '.join(differing)} differ): version "
                f"{recipe['version']} with {then}; install that, or train the student again"
            )
        found[modality] = extraction.Job(
            modality, kind, Path(), Path(), pd.DataFrame(), "", None, options, channels, recipe["segments"]
        )
    return found


def clips(recording: Recording, todo: dict[str, extraction.Job], cut: Cut | None, rate: float | None) -> list[Clip]:
    """The clips of one recording. Each file is read and analysed once; what breaks is a reason, never an error."""
    analyses, why = {}, {}
    for modality, job in todo.items():
        if modality not in recording.files:
            why[modality] = "not recorded"
            continue
        extractor, file = plugins.load("features", job.kind), recording.files[modality]

        def analyse(job=job, extractor=extractor, file=file):
            return extractor.analyse(recordings.read(file, job.kind, job.channels, rate), job.extractor_options)

        analyses[modality], why[modality] = extraction.attempt(analyse, job.kind)
    seconds = max((duration(own) for own in analyses.values() if own is not None), default=np.nan)
    return [clip(recording.name, *span, todo, analyses, why) for span in spans(seconds, cut)]


def clip(name: str, start_s: float, end_s: float, shown_s: float, todo: dict, analyses: dict, why: dict) -> Clip:
    x, reasons = {}, {}
    for modality, job in todo.items():
        if analyses.get(modality) is None:
            x[modality], reasons[modality] = extraction.blank(job), why[modality]
        else:
            x[modality], reasons[modality] = extraction.extract_clip(job, analyses[modality], start_s, end_s)
    return Clip(name, start_s, shown_s, x, reasons)


def spans(seconds: float, cut: Cut | None) -> list[tuple[float, float, float]]:
    """(start, end, end as shown) of each clip, s. A recording that is shorter than a window is one clip."""
    count = int(np.floor((seconds - cut.length_s) / cut.hop_s + 1e-6)) + 1 if cut and np.isfinite(seconds) else 0
    if count < 1:
        return [(0.0, np.inf, seconds)]
    starts = np.arange(count) * cut.hop_s
    return [(float(start), float(start + cut.length_s), float(start + cut.length_s)) for start in starts]


def duration(analysis) -> float:
    """Seconds of what an extractor has analysed."""
    if hasattr(analysis, "film"):
        film = analysis.film
        return film.duration if film.truncated else film.seconds
    if hasattr(analysis, "audio"):
        return len(analysis.audio.samples) / analysis.audio.rate
    return max(len(signal.values) / signal.rate for signal in analysis.values())


def table(student: Student, found: list[Clip]) -> pd.DataFrame:
    """A row per clip: student, clip, start_s, end_s, what is predicted and its spread over the replicas, seen, reason.

    For classes: prediction (a label value), p_<label> of each, and spread, the deviation of the probability of the
    predicted class; for values <target> and <target>_spread. Empty where nothing could be seen.
    """
    encoder = student.card["training"]["encoder"]
    x, visible = {}, {}
    for modality, recipe in student.card["features"].items():
        packed = np.stack([own.x[modality] for own in found])
        x[modality] = inputs.shaped(packed, len(recipe["segment"]), encoder)
        visible[modality] = torch.tensor([not own.reasons[modality] for own in found])
    mean, spread = (values.double().numpy() for values in students.answer(student, x, visible))
    usable = np.array([any(not own.reasons[name] for name in student.takes) for own in found])
    mean[~usable] = spread[~usable] = np.nan
    if len(student.networks) == 1:
        spread[:] = np.nan
    rows = pd.DataFrame({"student": student.name, "clip": [own.name for own in found]})
    rows["start_s"], rows["end_s"] = [own.start_s for own in found], [own.end_s for own in found]
    rows = pd.concat([rows, predicted(student, mean, spread, usable)], axis=1)
    rows["seen"] = ["+".join(name for name in student.takes if not own.reasons[name]) for own in found]
    rows["reason"] = [told(own, student) for own in found]
    return rows


def predicted(student: Student, mean: np.ndarray, spread: np.ndarray, usable: np.ndarray) -> pd.DataFrame:
    if student.task.kind == "regression":
        pairs = zip(student.outputs, mean.T, spread.T, strict=True)
        return pd.DataFrame({k: v for name, own, by in pairs for k, v in ((name, own), (f"{name}_spread", by))})
    best = np.nan_to_num(mean).argmax(-1)
    names = np.where(usable, np.array(student.outputs)[best], "")
    found = {"prediction": names, "spread": spread[np.arange(len(best)), best]}
    return pd.DataFrame(found | {f"p_{name}": own for name, own in zip(student.outputs, mean.T, strict=True)})


def told(clip: Clip, student: Student) -> str:
    """Why what was there could not be seen; that a privileged modality is not there needs no telling."""
    said = clip.reasons.items()
    return "; ".join(f"{n}: {why}" for n, why in said if why and (n in student.task.prevalent or why != "not recorded"))


def predict(
    student: Student,
    paths: list[Path],
    window: float | None = None,
    hop: float | None = None,
    rate: float | None = None,
    workers: int | str = "auto",
) -> tuple[pd.DataFrame, list[str]]:
    """The table of everything in these files and folders, and remarks for the reader.

    window, hop: seconds of a clip and from one start to the next; None takes those of the training. rate: Hz, of
    bio-signals without a column of time. workers: processes, auto for one per core; they change no number.
    """
    if rate is not None and not 0 < rate < np.inf:
        raise Refused(f"--rate {rate}: samples per second, above 0, are needed")
    cut, todo = cut_of(student, window, hop), jobs(student)
    listed = recordings.find(paths, student.takes)
    remarks = [f"left out: {line}" for line in student.left_out]
    if ignored := [name for own in listed for name in own.ignored]:
        more = f" and {len(ignored) - 1} more" if len(ignored) > 1 else ""
        remarks.append(f"not taken by this student: {ignored[0]}{more}; {recordings.allowed(student.takes)}")
    runtime = Runtime(workers=workers)
    found = executor.map(partial(clips, todo=todo, cut=cut, rate=rate), listed, "recordings", runtime)
    return table(student, [clip for own in found for clip in own]), remarks


def write(rows: pd.DataFrame, path: Path) -> None:
    """The table as CSV, under a temporary name until it is whole."""
    with replacing(path) as partial:
        rows.round(6).to_csv(partial, index=False)


def shown(rows: pd.DataFrame, path: Path) -> str:
    """The first rows for the terminal, without the columns that are the same everywhere."""
    kept = rows.drop(columns="student").head(SHOWN)
    kept = kept.drop(columns=[name for name in ("reason",) if not kept[name].any()])
    text = kept.to_string(index=False, na_rep="", float_format="{:.3f}".format, formatters=dict.fromkeys(TIMES, time))
    more = f"\n... and {len(rows) - SHOWN} more clips in {path}" if len(rows) > SHOWN else ""
    return text + more


TIMES = ("start_s", "end_s")


def time(seconds: float) -> str:
    return f"{seconds:.2f}" if np.isfinite(seconds) else ""
