"""StressID, a multimodal dataset for stress identification (Chaptoukaev et al. 2023, NeurIPS Datasets and Benchmarks).

People      65, of whom 64 have labels. 11 have no video (3 refused its release, 8 cameras failed), 10 no sound.
Recordings  11 tasks: breathing, two videos, seven tasks in which people talk (60 s each), relaxing. ECG, EDA and
            breathing of a chest belt (RR), 500 Hz, in no stated unit; face video; sound only of the seven talking
            tasks. Rates of video and sound are reported differently, so they are read from the files.
Labels      Self-reports after each task, 0 to 10: stress, relax, valence, arousal. From them the owners derive
            `stress` (0, 1) and `affect` (0 relaxed, 1 neither, 2 stressed). The rule they print does not give the
            three classes they distribute, so these are read and never computed. hh2e has reported too little and is
            in no label file; Baseline recordings carry no label; the EDA of r5s8_Counting3 was deleted.
Licence     Research, by signed agreement with Inria: https://project.inria.fr/stressid
Protocol    The paper: ten random splits over tasks, which share people; weighted F1 and balanced accuracy. Here folds
            over people; the leaky family of splits is there under its name.
Figures     The paper, two classes, weighted F1 / balanced accuracy: bio-signals .73/.72, video .69/.69, sound .70/.66;
            on the 370 tasks with everything .66/.58, .67/.62, .67/.62, fused .72/.65; three classes fused .63/.58.
            Folds over people (third party), macro F1: bio-signals .54 to .57, video .59 to .62, fused .68.
Caution     Who talks is stressed (71 % against 31 %), and only who talks has sound: which modalities are there tells as
            much as what is in them (.70 macro F1). So only talking tasks are read, and tasks take complete clips.
"""

from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, Field

from benchmark.params import Population
from benchmark.reading import media, tables
from benchmark.reading.trees import below, child, files
from benchmark.types import Audio, Modality, Reading, Signal, Signals, Source, Unusable, Video, WrongTree

LABELS, PARTITIONS = ("stress", "affect", "self_stress", "self_relax", "valence", "arousal"), ()
PEOPLE, TRIALS = 65, 11
TALKING = ("Counting1", "Counting2", "Counting3", "Stroop", "Speaking", "Math", "Reading")
TASKS = ("Breathing", "Video1", "Video2", *TALKING, "Relax")
CLASSES = {"stress": ("binary-stress", (0, 1)), "affect": ("affect3-class", (0, 1, 2))}  # column of labels.csv, values
SCALES = {"self_stress": "stress", "self_relax": "relax", "valence": "valence", "arousal": "arousal"}
FILES = {"vision": ("Videos", ".mp4"), "speech": ("Audio", ".wav"), "biosignal": ("Physiological", ".txt")}
CHANNELS, RATE_HZ = {"ecg": "ECG", "eda": "EDA", "resp": "RR"}, 500
EDA_DELETED = "r5s8_Counting3"
TREE = """
  labels.csv                                     commas: subject/task (2ea4_Math), binary-stress, affect3-class
  self_assessments.csv                           semicolons: Tasks (Math_stress, Math_relax, ...), a column per subject
  Physiological/<subject>/<subject>_<Task>.txt   commas: ECG, EDA, RR
  Audio/<subject>/<subject>_<Task>.wav
  Videos/<subject>/<subject>_<Task>.mp4"""


class Options(BaseModel, extra="forbid"):
    tasks: Literal["talking", "all"] = Field("talking", description="only the seven with sound, or all eleven")


def modalities(options: Options) -> dict[str, Modality]:
    return {
        "vision": Modality("vision"),
        "speech": Modality("speech"),
        "biosignal": Modality("biosignal", tuple(CHANNELS)),
    }


def expected_tree(options: Options) -> str:
    return TREE


def read(root: Path, options: Options) -> Reading:
    """The clip table: a row per labelled task, the whole recording of it.

    Recordings without a label are dropped by name; Baseline and tasks that are not asked for are passed over.
    """
    top = child(root, "StressID") or root
    wanted = TALKING if options.tasks == "talking" else TASKS
    places = {name: child(top, folder) for name, (folder, _) in FILES.items()}
    there = {name: recorded(root, place, FILES[name][1]) for name, place in places.items()}
    if not any(there.values()):
        raise WrongTree("no recording in Physiological, Audio or Videos")
    clips = labelled(listed(top, "labels.csv"))
    dropped = unlabelled(root, there, clips, wanted)
    clips = clips[clips.task.isin(wanted) & clips[list(CLASSES)].notna().any(axis=1)]
    reports, absent = assessed(listed(top, "self_assessments.csv"), clips)
    dropped += [(below(root, listed(top, "self_assessments.csv")), f"no column of subject {who}") for who in absent]
    clips = clips.sort_values("clip_id", ignore_index=True).merge(reports, on="clip_id", how="left")
    paths = {name: [located(root, name, places, there, clip) for clip in clips.itertuples()] for name in FILES}
    clips = clips.assign(recording_id=clips.clip_id, start_s=0.0, end_s=np.inf, **paths)
    return Reading(clips, pd.DataFrame(sorted(dropped), columns=["path", "reason"]))


def listed(top: Path, name: str) -> Path:
    path = child(top, name)
    if not (path and path.is_file()):
        raise WrongTree(f"no {name}")
    return path


def recorded(root: Path, place: Path | None, ending: str) -> dict[str, Path]:
    """Files of one modality by their name in lower case without its ending."""
    found: dict[str, Path] = {}
    for entry in sorted(place.iterdir()) if place and place.is_dir() else ():
        if entry.is_dir() and not entry.name.startswith("."):
            for stem, path in files(child(place, entry.name), ending).items():
                if stem in found:
                    raise WrongTree(f"{below(root, found[stem])} and {below(root, path)} are the same recording")
                found[stem] = path
    return found


def labelled(path: Path) -> pd.DataFrame:
    """labels.csv checked: clip_id, subject_id, task, and the owners' classes, NaN where they give none."""
    columns = {label: column for label, (column, _) in CLASSES.items()}
    table = tables.text(path, ",", ("subject/task", *columns.values()), WrongTree)
    if table.empty:
        raise WrongTree(f"{path.name} lists no task")
    names = table["subject/task"].str.extract(rf"^([A-Za-z0-9]+)_({'|'.join(TASKS)})$")
    wrong = {
        f"no name <subject>_<task> with one of the tasks {', '.join(TASKS)}": names[0].isna(),
        "a name that was there before": table["subject/task"].str.lower().duplicated(),
    }
    values = {label: tables.values(table[column]) for label, column in columns.items()}
    for label, (column, allowed) in CLASSES.items():
        blank = table[column].str.lower().isin(("", "nan"))
        wrong[f"no {column} of {', '.join(map(str, allowed))}"] = ~blank & ~values[label].isin(allowed)
    for what, rows in wrong.items():
        tables.refuse(path, table, rows, what, WrongTree)
    return pd.DataFrame({"clip_id": table["subject/task"], "subject_id": names[0], "task": names[1], **values})


def unlabelled(root: Path, there: dict, clips: pd.DataFrame, wanted: tuple[str, ...]) -> list[tuple[str, str]]:
    """Path and reason of every recording of the wanted tasks that has no label, and of every other name."""
    known = set(clips.clip_id[clips[list(CLASSES)].notna().any(axis=1)].str.lower())
    tasks, passed = {task.lower() for task in wanted}, {task.lower() for task in (*TASKS, "Baseline")}
    dropped = []
    for paths in there.values():
        for stem, path in paths.items():
            task = stem.partition("_")[2]
            if task in tasks and stem not in known:
                dropped.append((below(root, path), "labels.csv gives it no label"))
            elif task not in passed:
                dropped.append((below(root, path), "its name is not <subject>_<task>"))
    return dropped


def assessed(path: Path, clips: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Self-reports by clip_id, and subjects without any. The file has a column per subject."""
    table = tables.text(path, ";", ("Tasks",), WrongTree).set_index("Tasks")
    rows = [f"{task}_{scale}" for task in clips.task.unique() for scale in SCALES.values()]
    people = sorted(clips.subject_id.unique())
    if missing := [row for row in rows if row not in table.index]:
        raise WrongTree(f"{path.name} has no row {missing[0]}")
    if twice := [name for name in table.index[table.index.duplicated()] if name in rows]:
        raise WrongTree(f"{path.name} has the row {twice[0]} twice")
    text = table.loc[rows, [who for who in people if who in table]]
    values = text.apply(tables.values)
    wrong = ~text.apply(lambda column: column.str.lower().isin(("", "nan"))) & ~((values >= 0) & (values <= 10))
    for who in wrong.columns[wrong.any()]:
        row = wrong.index[wrong[who]][0]
        raise WrongTree(
            f"{path.name} row {row} has {text.loc[row, who]!r} for subject {who}; expected 0 to 10, or nothing"
        )
    values, asked = values.reindex(columns=people), list(zip(clips.task, clips.subject_id, strict=True))
    said = {label: [values.loc[f"{task}_{scale}", who] for task, who in asked] for label, scale in SCALES.items()}
    return pd.DataFrame({"clip_id": clips.clip_id, **said}), [who for who in people if who not in table]


def located(root: Path, name: str, places: dict, there: dict, clip) -> str | None:
    """Path of a recording below root; None where the task has no sound, or the modality has nothing of the subject."""
    if name == "speech" and clip.task not in TALKING:
        return None
    if path := there[name].get(clip.clip_id.lower()):
        return below(root, path)
    if not any(stem.startswith(f"{clip.subject_id}_".lower()) for stem in there[name]):
        return None
    return f"{below(root, places[name])}/{clip.subject_id}/{clip.clip_id}{FILES[name][1]}"


def recording(source: Source, options: Options) -> Video | Audio | Signals:
    """A whole recording. Bio-signals have no time: their rate is the one that the owners state."""
    if source.modality == "vision":
        return Video(source.path)
    if source.modality == "speech":
        return media.sound(source.path)
    deleted = ("eda",) if source.recording_id == EDA_DELETED else ()
    wanted = {channel: column for channel, column in CHANNELS.items() if channel not in deleted}
    table = tables.numbers(source.path, ",", tuple(wanted.values()), Unusable)
    if len(table) < 2:
        raise Unusable(f"{source.path.name} holds {len(table)} samples")
    found = {channel: table[column].to_numpy() for channel, column in wanted.items()}
    return {channel: Signal(RATE_HZ, found.get(channel, np.empty(0))) for channel in CHANNELS}


def synthesize(root: Path, name: str, population: Population, options: Options, spread) -> pd.DataFrame:
    """Write synthetic recordings below root; returns the noise-free labels. population.seconds: of each task.

    spread(function, items, title) runs a function over items, in any process and order.
    """
    from benchmark.synthesis import stressid

    tasks = TALKING if options.tasks == "talking" else TASKS
    people = range(population.subjects)
    items = [(root, name, population, number, tasks) for number in people]
    spread(stressid.render, items, f"recordings of {population.subjects} people")
    stressid.write_labels(root, name, population)
    return pd.concat([stressid.clean(name, population, number) for number in people], ignore_index=True)
