"""BioVid Heat Pain Database, Parts A and B (Walter et al. 2013, IEEE CYBCO).

People      87 (Part B 86), 20 to 65 years, at four individually calibrated heat levels and a baseline.
Recordings  8,700 clips of 5.5 s: face video at 25 fps, and skin conductance, ECG and EMG at 512 Hz.
            Part A: bare face, EMG of the trapezius. Part B: also EMG of corrugator and zygomaticus.
Labels      BL1, PA1, PA2, PA3, PA4 as level 0 to 4, 20 clips each per subject.
Licence     Non-commercial research, by signed agreement with the owners: http://www.nit.ovgu.de/BioVid.html
Protocol    Leave one subject out over 87 or 67 subjects, or the owners' 61/26 hold-out.
Figures     BL1 against PA4, unseen people: face 71 % (CNN), bio-signals about 75 to 85 % accuracy. Published
            numbers above that often come from splits that share people, and from other windows than the clips.
"""

from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, Field

from benchmark.params import Population
from benchmark.reading import tables
from benchmark.reading.trees import child
from benchmark.types import Modality, Reading, Signal, Signals, Source, Unusable, Video, WrongTree

CLASSES = ("BL1", "PA1", "PA2", "PA3", "PA4")
COLUMNS = ("subject_id", "subject_name", "class_id", "class_name", "sample_id", "sample_name")
CHANNELS = {  # column of the file -> channel
    "gsr": "eda",
    "ecg": "ecg",
    "emg_trapezius": "emg_trapezius",
    "emg_corrugator": "emg_corrugator",
    "emg_zygomaticus": "emg_zygomaticus",
}
LABELS, PARTITIONS = ("level",), ("holdout_61_26",)  # columns of the clip table that tasks may name
FACIAL = ("emg_corrugator", "emg_zygomaticus")
PEOPLE, TRIALS = 87, 100  # as many as the layout has names for, and as many recordings of each
RATE_HZ, FRAMES_HZ, DURATION_S = 512, 25, 5.5
ONSET_S = (0.1, 0.9)  # when a synthetic face begins to react
SUBJECTS = """
    071309_w_21 071313_m_41 071614_m_20 071709_w_23 071814_w_23 071911_w_24 072414_m_23 072514_m_27
    072609_w_23 072714_m_23 073109_w_28 073114_m_25 080209_w_26 080309_m_29 080314_w_25 080609_w_27
    080614_m_24 080709_m_24 080714_m_23 081014_w_27 081609_w_40 081617_m_27 081714_m_36 082014_w_24
    082109_m_53 082208_w_45 082315_w_60 082414_m_64 082714_m_22 082809_m_26 082814_w_46 082909_m_47
    083009_w_42 083013_w_47 083109_m_60 083114_w_55 091809_w_43 091814_m_37 091914_m_46 092009_m_54
    092014_m_56 092509_w_51 092514_m_50 092714_m_64 092808_m_51 092813_w_24 100117_w_36 100214_m_50
    100417_m_44 100509_w_43 100514_w_51 100909_w_65 100914_m_39 101015_w_43 101114_w_37 101209_w_61
    101216_m_40 101309_m_48 101514_w_36 101609_m_36 101809_m_59 101814_m_58 101908_m_61 101916_m_40
    102008_w_22 102214_w_36 102309_m_61 102316_w_50 102414_w_58 102514_w_40 110614_m_42 110810_m_62
    110909_m_29 111313_m_64 111409_w_63 111609_m_65 111914_w_63 112009_w_43 112016_m_25 112209_m_51
    112310_m_20 112610_w_60 112809_w_23 112909_w_20 112914_w_51 120514_w_56 120614_w_61
""".split()  # in the order of subject_id, from 1
NOT_REACTING = (27, 28, 32, 33, 34, 35, 36, 39, 40, 41, 42, 44, 51, 53, 55, 56, 61, 64, 74, 87)  # Werner et al. 2017
HELD_OUT = (
    2, 8, 14, 27, 35, 36, 37, 46, 53, 55, 58, 60, 62, 63, 66, 67, 68, 78, 79, 80, 81, 82, 83, 84, 85, 86,
)  # fmt: skip  # Gkikas' proposal, published by the owners
TREE = """
  Part{part}/                                    (any case; one doubled folder is accepted)
    starting_point/samples.csv                 tab-separated: {columns}
    biosignals_{signals}/<subject_name>/<sample_name>_bio.csv
    video/<subject_name>/<sample_name>.mp4"""


class Options(BaseModel, extra="forbid"):
    part: Literal["A", "B"] = Field("A", description="bare face, or with sensors on the face")
    signals: Literal["raw", "filtered"] = Field("raw", description="which of the two folders of bio-signals")
    subjects: Literal["all", "reacting_67"] = Field("all", description="reacting_67 leaves out 20 who show no reaction")


def modalities(options: Options) -> dict[str, Modality]:
    """What is delivered: face video, and the bio-signals that are valid in the part."""
    channels = tuple(name for column, name in CHANNELS.items() if options.part == "B" or column not in FACIAL)
    return {"vision": Modality("vision"), "biosignal": Modality("biosignal", channels)}


def expected_tree(options: Options) -> str:
    return TREE.format(part=options.part, signals=options.signals, columns=", ".join(COLUMNS))


def read(root: Path, options: Options) -> Reading:
    """The clip table: one row per line of samples.csv, in its order by sample name. WrongTree if it is not there.

    Paths are relative to root, as listed by the owners; whether a file is sound is found when it is opened.
    """
    part = child(root, f"part{options.part}") or (root if child(root, "starting_point") else None)
    named = {name: part and child(part, name) for name in ("starting_point", "video", f"biosignals_{options.signals}")}
    folders = {name: place if place and place.is_dir() else None for name, place in named.items()}
    samples = folders["starting_point"] and child(folders["starting_point"], "samples.csv")
    if not (samples and all(folders.values())):
        missing = [name for name, folder in folders.items() if not folder] or ["samples.csv"]
        raise WrongTree(f"not found: {', '.join(missing)}" if part else f"no folder Part{options.part}")
    table = read_samples(samples)
    if options.subjects == "reacting_67":
        table = table[~table.subject_id.isin(NOT_REACTING)]
    table = table.sort_values("sample_name", ignore_index=True)
    clips = pd.DataFrame(
        {
            "clip_id": table.sample_name,
            "recording_id": table.sample_name,
            "subject_id": table.subject_name,
            "start_s": 0.0,
            "end_s": np.inf,  # to the end of the file
            "level": table.class_id,
            "holdout_61_26": np.where(table.subject_id.isin(HELD_OUT), "test", "train"),
            "vision": located(root, folders["video"], table, ".mp4"),
            "biosignal": located(root, folders[f"biosignals_{options.signals}"], table, "_bio.csv"),
        }
    )
    return Reading(clips, pd.DataFrame(columns=["path", "reason"]))


def read_samples(path: Path) -> pd.DataFrame:
    """samples.csv checked; WrongTree names the line that is wrong."""
    table = tables.text(path, "\t", COLUMNS, WrongTree)
    if table.empty:
        raise WrongTree(f"{path.name} lists no sample")
    numbers = {name: tables.values(table[name]) for name in ("subject_id", "class_id")}
    wrong = {
        "an unknown class_id": ~numbers["class_id"].isin(range(len(CLASSES))),
        "a subject_id that is not a number": ~np.isfinite(numbers["subject_id"]),
        "no subject_name": table.subject_name.eq(""),
        "no sample_name": table.sample_name.eq(""),
        "a sample_name that was there before": table.sample_name.duplicated(),
    }
    for what, rows in wrong.items():
        tables.refuse(path, table, rows, what, WrongTree)
    return table.assign(**{name: values.astype(int) for name, values in numbers.items()})


def located(root: Path, folder: Path, table: pd.DataFrame, ending: str) -> list[str]:
    """Path of each sample below root; as it is on disk where upper and lower case differ."""
    there = {
        (subject.name.lower(), file.name.lower()): file
        for subject in sorted(folder.iterdir())
        if subject.is_dir()
        for file in sorted(subject.iterdir())
    }
    inner, paths = folder.relative_to(root).as_posix(), []
    for subject, sample in zip(table.subject_name, table.sample_name, strict=True):
        found = there.get((subject.lower(), f"{sample}{ending}".lower()))
        paths.append(found.relative_to(root).as_posix() if found else f"{inner}/{subject}/{sample}{ending}")
    return paths


def recording(source: Source, options: Options) -> Video | Signals:
    """A whole recording. Bio-signals: tab-separated, time in microseconds from the start. Unusable if broken."""
    if source.modality == "vision":
        return Video(source.path)
    wanted = {column: name for column, name in CHANNELS.items() if name in modalities(options)["biosignal"].channels}
    table = tables.numbers(source.path, "\t", ("time", *wanted), Unusable)
    if len(table) < 2:
        raise Unusable(f"only {len(table)} samples")
    step = float(np.nanmedian(np.diff(table["time"]))) / 1e6
    if not 1e-4 < step < 1:
        raise Unusable(f"time advances by {step:g} s a sample; expected microseconds at about {RATE_HZ} Hz")
    # steps are whole microseconds: 1953 stands for 1953.125
    rate = RATE_HZ if abs(step * RATE_HZ - 1) < 1e-3 else 1 / step
    return {name: Signal(rate, table[column].to_numpy()) for column, name in wanted.items()}


def synthesize(root: Path, name: str, population: Population, options: Options, spread) -> pd.DataFrame:
    """Write a synthetic Part A or B below root; returns the noise-free labels: clip_id, level.

    spread(function, items, title) runs a function over items, in any process and order.
    """
    from benchmark.synthesis.elicitation import clean_label, draw

    clips = draw(name, population)
    tasks = [(root / f"Part{options.part}", name, population, options, own) for own in clips]
    spread(render_subject, tasks, f"recordings of {population.subjects} people")
    listed = [(clip, *line) for own in clips for clip, line in zip(own, sample_lines(own), strict=True)]
    start = root / f"Part{options.part}" / "starting_point"
    start.mkdir(parents=True)
    lines = pd.DataFrame([row[1:] for row in listed], columns=COLUMNS)
    lines.to_csv(start / "samples.csv", sep="\t", index=False)
    return pd.DataFrame({"clip_id": lines.sample_name, "level": [clean_label(row[0].felt) for row in listed]})


def sample_lines(clips: list) -> list[tuple]:
    """Lines of samples.csv: stimuli are numbered in the order of presentation, baselines after them."""
    stimuli, baselines = 0, sum(clip.level > 0 for clip in clips)
    lines = []
    for clip in clips:
        stimuli, baselines = stimuli + (clip.level > 0), baselines + (clip.level == 0)
        subject, label = SUBJECTS[clip.subject], CLASSES[clip.level]
        number = stimuli if clip.level else baselines
        lines.append((clip.subject + 1, subject, clip.level, label, number, f"{subject}-{label}-{number:03d}"))
    return lines


def render_subject(task: tuple) -> None:
    """All recordings of one synthetic subject."""
    from benchmark.seeds import generator
    from benchmark.synthesis import face, physiology, sensors
    from benchmark.synthesis.population import drive, units

    part, name, population, options, clips = task
    who = ("subject", name, population.seed, clips[0].subject)
    look, person = face.look(generator(*who, "look")), physiology.person(generator(*who, "body"))
    frames = round(DURATION_S * FRAMES_HZ)
    for clip, (_, subject, *_, sample) in zip(clips, sample_lines(clips), strict=True):
        rng = generator(*who, "clip", clip.number)
        key = (clip.subject, clip.number)
        shown = units(name, population, key, clip.shown.face, frames, FRAMES_HZ, ONSET_S)
        (part / "video" / subject).mkdir(parents=True, exist_ok=True)
        pictures = face.render(look, shown, face.motion(rng, frames), rng)
        face.write(part / "video" / subject / f"{sample}.mp4", pictures, FRAMES_HZ)
        driven = drive(name, population, key, clip.shown.body)
        life = physiology.live(person, driven, DURATION_S, generator(*who, "life", clip.number))
        signals = {
            channel: sensors.record(life, channel, RATE_HZ, generator(*who, "signals", clip.number, channel))
            for channel in CHANNELS.values()
        }
        write_signals(part, subject, sample, signals, options)


def write_signals(part: Path, subject: str, sample: str, signals: dict[str, np.ndarray], options: Options) -> None:
    """The raw and the band-passed csv of a clip. Part A has no facial columns."""
    import pyarrow as pa
    from pyarrow import csv
    from scipy.signal import butter, sosfiltfilt

    bands = {"gsr": (None, 5.0), "ecg": (0.5, 40.0)}
    for kind in ("raw", "filtered"):
        columns = {"time": np.round(np.arange(len(signals["ecg"])) * 1e6 / RATE_HZ).astype(np.int64)}
        for column, channel in CHANNELS.items():
            if options.part == "A" and column in FACIAL:
                continue
            values = signals[channel]
            if kind == "filtered":
                low, high = bands.get(column, (20.0, 250.0))
                edges, shape = ((low, high), "bandpass") if low else (high, "lowpass")
                values = sosfiltfilt(butter(2, edges, shape, fs=RATE_HZ, output="sos"), values)
            columns[column] = np.round(values, 4)
        folder = part / f"biosignals_{kind}" / subject
        folder.mkdir(parents=True, exist_ok=True)
        options_ = csv.WriteOptions(delimiter="\t", quoting_style="none", quoting_header="none")
        csv.write_csv(pa.table(columns), folder / f"{sample}_bio.csv", options_)
