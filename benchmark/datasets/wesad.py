"""WESAD, wearable stress and affect detection (Schmidt et al. 2018, ICMI).

People      15, S2 to S17 without S12; S1 and S12 do not exist.
Recordings  One session of about 1.5 to 2 h each: a RespiBAN at the chest (ECG, EDA, EMG of the trapezius, breathing,
            skin temperature and acceleration, 700 Hz) and an Empatica E4 at the wrist (acceleration 32 Hz, pulse
            64 Hz, EDA and temperature 4 Hz). Read are Sx.pkl, where the owners have synchronised both, and
            Sx_quest.csv; the raw Sx_respiban.txt and Sx_E4_Data are not.
Labels      At 700 Hz the condition: 1 baseline, 2 stress (Trier social stress test), 3 amusement, 4 meditation, which
            comes twice; 0 is in between, 5 to 7 are to be ignored. Valence and arousal (1 to 9) are what the
            person reported after the condition. `order` is the condition's place in the session: baseline always
            comes first and nothing comes at random but stress and amusement, so time alone tells a lot.
Licence     Free download for research (https://uni-siegen.sciebo.de/s/HGdUkoNlW1Ub0Gx, UCI); the owners' readme and
            UCI word it differently: check before passing it on.
Protocol    Leave one subject out over 15; baseline, stress, amusement, or stress against the other two; windows of
            60 s; accuracy and macro F1.
Figures     Schmidt et al.: 80 % accuracy of three classes, 93 % of two; a network later 84 and 95 %. The 99 % that are
            also in print most likely come from splits over windows, which test people who were trained on and
            moments that overlap with training: not comparable.
"""

import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from pydantic import BaseModel, Field

from benchmark.files import is_pointer
from benchmark.params import Population
from benchmark.reading import pickles, sizes
from benchmark.reading.trees import below, child, files
from benchmark.reading.windows import Windows, vote
from benchmark.types import Modality, Reading, Signal, Signals, Source, Unusable, WrongTree

LABELS, PARTITIONS = ("state", "stress", "valence", "arousal", "order"), ()
SUBJECTS = tuple(f"S{number}" for number in range(2, 18) if number != 12)
PEOPLE, TRIALS = len(SUBJECTS), 1
RATE_HZ, EVERY = 700, 7  # of the labels; of every how many labels one is enough to tell where windows lie
CONDITIONS = {"base": 1, "tsst": 2, "fun": 3, "medi": 4}  # names in the questionnaire, without numbers
IGNORED = (0, 5, 6, 7)
STRESS = {1: 0.0, 2: 1.0, 3: 0.0}
REPORTS = ("valence", "arousal")


class Sensor(NamedTuple):
    """An array of Sx.pkl."""

    name: str
    rate: int  # Hz
    scale: float = 1.0  # to the unit of types.Signal


SENSORS = {
    "wrist": {
        "acc": Sensor("ACC", 32, 1 / 64),
        "bvp": Sensor("BVP", 64),
        "eda": Sensor("EDA", 4),
        "temp": Sensor("TEMP", 4),
    },
    "chest": {
        "acc": Sensor("ACC", RATE_HZ),
        "ecg": Sensor("ECG", RATE_HZ, 1000.0),
        "eda": Sensor("EDA", RATE_HZ),
        "emg_trapezius": Sensor("EMG", RATE_HZ, 1000.0),
        "resp": Sensor("Resp", RATE_HZ),
        "temp": Sensor("Temp", RATE_HZ),
    },
}
TREE = """
  WESAD/                     (any case, doubled or not, or its content)
    S2/S2.pkl                synchronised signals and labels
    S2/S2_quest.csv          semicolons: times of the conditions, self-reports
    S3/..."""


class Options(BaseModel, extra="forbid"):
    windows: Windows = Field(
        Windows(length_s=60.0, hop_s=30.0, min_valid=0.9, agreement=0.9),
        description="how sessions are cut; min_valid and agreement: share of a window that must lie in one condition",
    )


def modalities(options: Options) -> dict[str, Modality]:
    return {device: Modality("biosignal", tuple(sensors)) for device, sensors in SENSORS.items()}


def expected_tree(options: Options) -> str:
    return TREE


def read(root: Path, options: Options) -> Reading:
    """The clip table: windows of every session that lie in one condition.

    A subject whose pickle is missing or broken is dropped by name; without a questionnaire only the self-reports are.
    """
    clips, dropped = [], []
    for subject, folder in folders(root).items():
        there = files(folder, ".pkl", ".csv")
        path = there.get(subject.lower(), folder / f"{subject}.pkl")
        quest = there.get(f"{subject}_quest".lower(), folder / f"{subject}_quest.csv")
        try:
            labels = session(path, subject)["label"]
        except Unusable as error:
            dropped.append((below(root, path), str(error)))
            continue
        try:
            reports = questionnaire(quest)
            if differs := compared(reports, labels):
                dropped.append((below(root, quest), differs))
        except Unusable as error:
            reports = []
            dropped.append((below(root, quest), f"no self-reports: {error}"))
        own, lost = windowed(subject, labels, reports, options.windows)
        if lost:
            dropped.append((below(root, path), f"{lost} windows do not lie in one condition"))
        clips.append(own.assign(**dict.fromkeys(SENSORS, below(root, path))))
    table = pd.concat(clips, ignore_index=True) if clips else pd.DataFrame(columns=["clip_id", "subject_id", *SENSORS])
    return Reading(table, pd.DataFrame(dropped, columns=["path", "reason"]))


def folders(root: Path) -> dict[str, Path]:
    """Subject -> folder, in the order of their numbers."""
    top = child(root, "WESAD") or root
    found = {}
    for entry in sorted(top.iterdir()) if top.is_dir() else ():
        if entry.is_dir() and (named := re.fullmatch(r"[Ss]0*(\d+)", entry.name)):
            subject = f"S{named[1]}"
            if subject in found:
                raise WrongTree(f"{below(root, found[subject])} and {below(root, entry)} are both of subject {subject}")
            inner = entry / entry.name
            found[subject] = inner if inner.is_dir() else entry
    if not found:
        raise WrongTree("no folder S2, S3, ... of a subject")
    return dict(sorted(found.items(), key=lambda item: int(item[0][1:])))


def session(path: Path, subject: str) -> dict[str, Any]:
    """What Sx.pkl holds, keys in lower case: label (N,) whole numbers at 700 Hz, signal -> device -> arrays."""
    if not path.is_file():
        raise Unusable(f"there is no {path.name}")
    if is_pointer(path):
        raise Unusable(f"{path.name} is a git-lfs pointer, not a recording")
    content = lowered(pickles.read(path), path.name)
    if absent := [key for key in ("subject", "label", "signal") if key not in content]:
        raise Unusable(f"{path.name} holds no {', '.join(absent)}; it holds {', '.join(sorted(content))}")
    if not (isinstance(content["subject"], str) and content["subject"] == subject):
        raise Unusable(f"{path.name} says it is of another subject than {subject}")
    labels = pickles.numbers(content["label"])
    if labels.ndim != 1 or not labels.size:
        raise Unusable(f"{path.name}: label is not a row of numbers")
    known = np.isin(labels, (*CONDITIONS.values(), *IGNORED))
    if not known.all():
        raise Unusable(f"{path.name}: label {labels[~known][0]} is none of 0 to 7")
    if np.isin(labels, IGNORED).all():
        raise Unusable(f"{path.name}: no label names a condition, 1 to 4")
    return content | {"label": labels.astype(np.int8)}


def lowered(mapping: Any, where: str) -> dict[str, Any]:
    if not isinstance(mapping, dict):
        raise Unusable(f"{where} is not a dictionary")
    return {key.lower(): value for key, value in mapping.items() if isinstance(key, str)}


def conditions(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The place in the session, from 1, of the condition at each label (NaN = none), and the code of each condition."""
    held = np.isin(labels, tuple(CONDITIONS.values()))
    begins = np.diff(labels[held], prepend=0) != 0
    order = np.full(len(labels), np.nan)
    order[held] = np.cumsum(begins)
    return order, labels[held][begins]


def windowed(subject: str, labels: np.ndarray, reports: list, windows: Windows) -> tuple[pd.DataFrame, int]:
    """The windows of one session with their labels, and how many lie in no single condition."""
    order, codes = conditions(labels)
    order = pd.Series(order[::EVERY], name="order")
    table, lost = vote(np.arange(len(order)) * EVERY / RATE_HZ, order, windows)
    states = codes[table.order.astype(int) - 1].astype(float)
    said = {place: (np.nan, np.nan) for place in range(1, len(codes) + 1)} | matched(codes, reports)
    named = {label: [said[place][column] for place in table.order] for column, label in enumerate(REPORTS)}
    clip_id = [f"{subject}_{number:04d}" for number in table.pop("number")]
    stress = pd.Series(states).map(STRESS)
    return table.assign(
        clip_id=clip_id, recording_id=subject, subject_id=subject, state=states, stress=stress, **named
    ), lost


def matched(codes: np.ndarray, reports: list[tuple[int, float, float]]) -> dict[int, tuple[float, float]]:
    """Place of a condition -> valence, arousal: the first meditation has the report of the first, and so on."""
    found, left = {}, list(reports)
    for place, code in enumerate(codes, 1):
        if own := next((report for report in left if report[0] == code), None):
            left.remove(own)
            found[place] = own[1:]
    return found


def compared(reports: list[tuple[int, float, float]], labels: np.ndarray) -> str:
    """In what the questionnaire and the labels disagree about the order of the conditions; the labels count."""
    said, seen = [code for code, *_ in reports], conditions(labels)[1].tolist()
    return "" if said == seen else f"conditions in the order {said}, by the labels {seen}; the labels are followed"


def questionnaire(path: Path) -> list[tuple[int, float, float]]:
    """(condition, valence, arousal) of each condition in the order of time."""
    lines = commented(path)
    if absent := [name for name in ("ORDER", "START", "END", "DIM") if name not in lines]:
        raise Unusable(f"{path.name} has no line {', '.join(absent)}")
    names = lines["ORDER"][0]
    kinds = [re.sub(r"[\s\d]", "", name).lower() for name in names]
    known = {"", "sread", "fread", "bread", *CONDITIONS}
    strange = [name for name, kind in zip(names, kinds, strict=True) if kind not in known]
    if strange:
        raise Unusable(f"{path.name}: ORDER names {strange[0]}, which is no condition")
    kept = [at for at, kind in enumerate(kinds) if kind in CONDITIONS]
    if len(lines["DIM"]) != len(kept):
        raise Unusable(f"{path.name} has {len(lines['DIM'])} lines DIM for {len(kept)} conditions")
    try:
        times = [tuple(seconds(lines[name][0][at]) for name in ("START", "END")) for at in kept]
        values = [tuple(rating(cells[column]) for column in range(2)) for cells in lines["DIM"]]
    except IndexError:
        raise Unusable(f"{path.name}: a line START, END or DIM is too short") from None
    except ValueError as error:
        raise Unusable(f"{path.name}: {error}") from None
    if any(start >= end for start, end in times):
        raise Unusable(f"{path.name}: a condition ends before it starts")
    found = zip(times, (CONDITIONS[kinds[at]] for at in kept), values, strict=True)
    return [(code, *value) for _, code, value in sorted(found, key=lambda item: item[0])]


def commented(path: Path) -> dict[str, list[list[str]]]:
    """Name of a line -> the cells of each line of that name; every line that counts begins with #."""
    sizes.held(path, sizes.TEXT, Unusable)
    try:
        text = path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise Unusable(f"{path.name} cannot be read: {error.strerror}") from None
    lines: dict[str, list[list[str]]] = {}
    for line in text.splitlines():
        name, *cells = (cell.strip() for cell in line.lstrip("# \t").split(";"))
        if line.startswith("#"):
            lines.setdefault(name.upper(), []).append(cells)
    return lines


def seconds(text: str) -> int:
    """A time of the questionnaire: minutes.seconds, whose last zero a spreadsheet took away: 50.3 is 50 min 30 s."""
    found = re.fullmatch(r"(\d{1,4})(?:\.([0-5]\d?))?", text)
    if not found:
        raise ValueError(f"{text!r} is not a time as minutes.seconds")
    return 60 * int(found[1]) + int((found[2] or "0").ljust(2, "0"))


def rating(text: str) -> float:
    """1 to 9; NaN where nothing was said."""
    value = float(text) if text else np.nan
    if not (np.isnan(value) or 1 <= value <= 9):
        raise ValueError(f"{text} is not a rating from 1 to 9")
    return value


def recording(source: Source, options: Options) -> Signals:
    """All signals of one device. The pickle is loaded whole: about 1 GB, which is let go with the other device."""
    content = session(source.path, source.recording_id)
    duration = len(content["label"]) / RATE_HZ
    devices = lowered(content["signal"], "signal")
    arrays = lowered(devices.get(source.modality), f"signal {source.modality}")
    return {channel: signal(arrays, source.modality, channel, duration) for channel in SENSORS[source.modality]}


def signal(arrays: dict, device: str, channel: str, duration: float) -> Signal:
    """One channel in the unit of types.Signal, if it is as long as the labels."""
    name, rate, scale = SENSORS[device][channel]
    axes, values = 3 if channel == "acc" else 1, pickles.numbers(arrays.get(name.lower()))
    if not values.ndim or values.size != len(values) * axes:
        raise Unusable(f"{device} {name} is not an array of {axes} columns of numbers")
    if abs(len(values) / rate - duration) > 1:
        raise Unusable(f"{device} {name} has {len(values)} samples, at {rate} Hz {duration * rate:.0f} are expected")
    values = values.astype(float) * scale
    return Signal(rate, values if axes > 1 else values.ravel())


def synthesize(root: Path, name: str, population: Population, options: Options, spread) -> pd.DataFrame:
    """Write synthetic sessions below root; returns the noise-free labels. population.seconds: of the stress test.

    spread(function, items, title) runs a function over items, in any process and order.
    """
    from benchmark.synthesis import wesad

    people = range(population.subjects)
    tasks = [(root / "WESAD", name, population, number) for number in people]
    spread(wesad.render, tasks, f"sessions of {population.subjects} people")
    clean = [
        windowed(SUBJECTS[number], *wesad.clean(name, population, number), options.windows)[0] for number in people
    ]
    return pd.concat(clean, ignore_index=True)[["clip_id", *LABELS]]
