"""RECOLA, remote collaborative and affective interactions (Ringeval et al. 2013, FG), original and AVEC releases.

People      46 French-speaking students in 23 dyads solving a task by video call; 23 of them, who agreed, are public;
            the AVEC challenges of 2015, 2016 and 2018 use 27 as train_1..9, dev_1..9, test_1..9.
Recordings  The first 5 minutes of each call: own microphone, face video at 25 fps, EDA and ECG (1000 Hz; 250 Hz in the
            filtered AVEC 2016 files).
Labels      Arousal and valence, -1 to 1, every 40 ms by six raters, who lag 2 to 4 s behind what they hear and see.
            Where only their ratings are there, the gold standard is computed as AVEC 2018 published it.
Licence     Non-commercial research, by signed agreement: https://diuf.unifr.ch/main/diva/recola
Protocol    AVEC: train on train_*, test on dev_* (the labels of test_* are not public, so figures on dev are
            optimistic); with the 23 public people, folds over dyads or subjects. CCC, over everything and by recording.
Figures     AVEC 2016 baseline, test CCC .702 arousal, .638 valence; best .770, .687 (MIT-LL). Dev .855, .713 (Brno).
"""

import re
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, Field

from benchmark.params import Population
from benchmark.reading import media, ratings, tables
from benchmark.reading.trees import below, child, files
from benchmark.reading.windows import Windows, cut
from benchmark.types import Audio, Modality, Reading, Signal, Signals, Source, Unusable, Video, WrongTree

LABELS, PARTITIONS, PEOPLE, TRIALS = ("arousal", "valence"), ("avec",), 50, 1
RATERS = ("FM1", "FM2", "FM3", "FF1", "FF2", "FF3")
STEP_S, LAG_S = 0.04, 2.8
MEDIA = {"vision": (".mp4", ".avi"), "speech": (".wav",), "biosignal": (".csv",)}
FOLDERS = {  # folder of each modality, the first of these that exists
    "original": {
        "vision": ("RECOLA-Video-recordings",),
        "speech": ("RECOLA-Audio-recordings",),
        "biosignal": ("RECOLA-Biosignals-recordings",),
    },
    "avec": {
        "vision": ("recordings_video",),
        "speech": ("recordings_audio",),
        "biosignal": ("recordings_physio/filtered", "recordings_physio"),
    },
}
GOLD = {"original": (), "avec": ("ratings_gold_standard", "labels/gs_1")}
INDIVIDUAL = {
    "original": ("RECOLA-Annotation/emotional_behaviour",),
    "avec": ("ratings_individual", "labels/individual"),
}
TREES = {
    "original": """
  RECOLA-Annotation/emotional_behaviour/{arousal,valence}/P16.csv    semicolons: time;FM1 ;FM2 ;FM3 ;FF1 ;FF2 ;FF3
  RECOLA-Audio-recordings/P16.wav
  RECOLA-Video-recordings/P16.mp4
  RECOLA-Biosignals-recordings/P16.csv                               semicolons: time (s), EDA, ECG
  RECOLA-Metadata/recola_user_info.csv                               semicolons: Group_id and User, for the dyads""",
    "avec": """
  ratings_gold_standard/{arousal,valence}/{train,dev}_1.arff         (or ratings_individual/..., or labels/gs_1/...)
  recordings_audio/train_1.wav
  recordings_video/train_1.mp4
  recordings_physio/train_1.csv                                      (or in recordings_physio/filtered)""",
}

ARFF = """@relation gold_standard

@attribute Instance_name string
@attribute frameTime numeric
@attribute GoldStandard numeric

@data

{rows}
"""


class Options(BaseModel, extra="forbid"):
    release: Literal["original", "avec"] = Field("original", description="two releases of the same people; never both")
    group: Literal["dyad", "subject"] = Field("dyad", description="who is never split; AVEC files name no dyads")
    windows: Windows = Windows(length_s=6.0, hop_s=3.0, delay_s=2.8)


def modalities(options: Options) -> dict[str, Modality]:
    return {
        "vision": Modality("vision"),
        "speech": Modality("speech"),
        "biosignal": Modality("biosignal", ("ecg", "eda")),
    }


def expected_tree(options: Options) -> str:
    return TREES[options.release]


def read(root: Path, options: Options) -> Reading:
    """The clip table: windows of every recording that carries ratings of both dimensions.

    A recording without them, or with broken ones, is dropped by name; so are windows with too few rated frames.
    """
    traces = {label: rated(root, options, label) for label in LABELS}
    if absent := [label for label, found in traces.items() if not found]:
        raise WrongTree(f"no ratings of {', '.join(absent)}")
    groups = dyads(root) if options.release == "original" and options.group == "dyad" else {}
    places = {name: folder(root, FOLDERS[options.release][name]) for name in MEDIA}
    stems = set().union(*traces.values(), *(recorded(place, MEDIA[name]) for name, place in places.items()))
    clips, dropped = [], []
    for stem in sorted(stems, key=number):
        paths = {name: located(root, place, stem, MEDIA[name]) for name, place in places.items()}
        origin = next((below(root, found[stem]) for found in traces.values() if stem in found), paths["speech"])
        try:
            own, lost = windowed(stem, traces, options)
        except Unusable as error:
            dropped.append((origin, str(error)))
            continue
        if lost:
            dropped.append((origin, f"{lost} windows with too few rated frames"))
        role = {"train": "train", "dev": "test"}.get(stem.split("_")[0])
        clips.append(own.assign(recording_id=stem, subject_id=groups.get(stem, stem), avec=role, **paths))
    table = pd.concat(clips, ignore_index=True) if clips else pd.DataFrame(columns=["clip_id", "subject_id", *MEDIA])
    return Reading(table, pd.DataFrame(dropped, columns=["path", "reason"]))


def windowed(stem: str, traces: dict[str, dict[str, Path]], options: Options) -> tuple[pd.DataFrame, int]:
    """The windows of one recording with their labels, and how many were dropped."""
    if absent := [label for label in LABELS if stem not in traces[label]]:
        raise Unusable(f"no ratings of {', '.join(absent)}")
    columns = {label: ratings.gold(traces[label][stem]) for label in LABELS}
    trace = pd.DataFrame(columns)
    found, lost = cut(trace.index.to_numpy(float), trace, options.windows)
    return found.assign(clip_id=[f"{stem}_{count:04d}" for count in found.pop("number")]), lost


def number(stem: str) -> tuple[str, int]:
    """Sorts P2 before P10, train_2 before train_10."""
    name, digits = re.fullmatch(r"(.*?)_?(\d+)", stem).groups()
    return name, int(digits)


def folder(root: Path, choices: tuple[str, ...]) -> Path | None:
    """The first of the folders that exists, in any case, doubled by an archive or not."""
    for choice in choices:
        place = root
        for name in choice.split("/"):
            place = place and child(place, name)
        if place:
            return place
    return None


def recorded(place: Path | None, endings: tuple[str, ...]) -> dict[str, Path]:
    """Files of recordings by their name: P16, train_1. Others (train_all, notes) are left alone."""
    found = {stem: path for stem, path in files(place, *endings).items()}
    named = {stem: re.fullmatch(r"(p)(\d+)|((?:train|dev|test)_\d+)", stem) for stem in found}
    return {f"P{int(m[2])}" if m[1] else m[3]: found[stem] for stem, m in named.items() if m}


def rated(root: Path, options: Options, label: str) -> dict[str, Path]:
    """The file with the labels of each recording: a gold standard where there is one, else individual ratings."""
    places = [
        folder(root, tuple(f"{choice}/{label}" for choice in kind[options.release])) for kind in (INDIVIDUAL, GOLD)
    ]
    return recorded(places[0], (".csv",)) | recorded(places[1], (".arff",))


def located(root: Path, place: Path | None, stem: str, endings: tuple[str, ...]) -> str | None:
    """Path of a recording below root, also where the file is missing; None where the whole modality is."""
    if place is None:
        return None
    return below(root, recorded(place, endings).get(stem)) or f"{below(root, place)}/{stem}{endings[0]}"


def dyads(root: Path) -> dict[str, str]:
    """Person -> dyad. Lines of the owners' table that name no person (it ends with three) are passed over."""
    place = child(root, "RECOLA-Metadata")
    path = place and child(place, "recola_user_info.csv")
    if not path:
        raise WrongTree("no RECOLA-Metadata/recola_user_info.csv, which names the dyads; or set options.group: subject")
    table = tables.text(path, ";", ("Group_id", "User"), WrongTree)
    people = table.User.str.extract(r"^[Pp]?0*(\d+)$")[0]
    named = people.notna() & table.Group_id.ne("")
    if (twice := people[named][people[named].duplicated()]).any():
        raise WrongTree(f"{path.name}: P{twice.iloc[0]} stands in two dyads")
    return {f"P{who}": f"dyad_{group}" for who, group in zip(people[named], table.Group_id[named], strict=True)}


def recording(source: Source, options: Options) -> Video | Audio | Signals:
    """A whole recording. Bio-signals: semicolons, time in s first; EDA and ECG by name, else by position."""
    path = source.path
    if source.modality == "vision":
        return Video(path)
    if source.modality == "speech":
        return media.sound(path)
    table = tables.numbers(path, ";", (), Unusable).dropna(axis=1, how="all")
    if table.shape[1] < 3 or len(table) < 2:
        raise Unusable(f"{path.name} has {len(table)} rows of {table.shape[1]} columns; expected time, EDA and ECG")
    step = float(np.nanmedian(np.diff(table.iloc[:, 0])))
    if not 1e-4 < step < 0.1:
        raise Unusable(f"{path.name}: time advances by {step:g} a row; expected seconds at 10 Hz or more")
    upper = {name.upper(): name for name in table.columns[1:]}
    named = [next((own for name, own in upper.items() if channel in name), None) for channel in ("EDA", "ECG")]
    chosen = named if None not in named and named[0] != named[1] else table.columns[1:3]
    return {
        channel: Signal(round(1 / step, 3), table[own].to_numpy())
        for channel, own in zip(("eda", "ecg"), chosen, strict=True)
    }


def synthesize(root: Path, name: str, population: Population, options: Options, spread) -> pd.DataFrame:
    """Write synthetic recordings in the chosen release below root; returns windows with noise-free labels.

    The original release carries ratings only, the AVEC release also gold standards, which are computed from them.
    """
    people = [(root, name, population, options, subject) for subject in range(population.subjects)]
    clean = spread(render_subject, people, f"recordings of {population.subjects} people")
    if options.release == "original":
        write_metadata(root / "RECOLA-Metadata", population.subjects)
    return pd.concat(clean, ignore_index=True)


def stem_of(options: Options, subject: int) -> str:
    """P16, P17, ...; or train_1, dev_1, test_1, train_2, ..."""
    if options.release == "original":
        return f"P{16 + subject}"
    return f"{('train', 'dev', 'test')[subject % 3]}_{subject // 3 + 1}"


def render_subject(person: tuple) -> pd.DataFrame:
    """All files of one synthetic person; returns the windows with noise-free labels, as late as raters are."""
    from benchmark.synthesis import elicitation
    from benchmark.synthesis.scene import Scene

    root, name, population, options, subject = person
    stem, top = stem_of(options, subject), FOLDERS[options.release]
    talk = elicitation.conversation(name, population, subject, 0, population.seconds)
    scene = Scene(name, population, (subject, 0), talk.shown, population.seconds, talk.talking)
    places = {modality: root / top[modality][-1] for modality in MEDIA}
    for place in places.values():
        place.mkdir(parents=True, exist_ok=True)
    scene.film(places["vision"] / f"{stem}.mp4", 25.0)
    scene.record_voice(places["speech"] / f"{stem}.wav", 44_100)
    write_signals(places["biosignal"] / f"{stem}.csv", scene, options)
    times = np.arange(round(population.seconds / STEP_S) + 1) * STEP_S
    states = {label: np.interp(times, talk.shown.felt.times, talk.shown.felt.of(label)) for label in LABELS}
    for label, state in states.items():
        write_ratings(root, options, stem, label, times, state, scene)
    clean = pd.DataFrame({label: elicitation.clean_rating(state) for label, state in states.items()})
    found, _ = cut(times, clean, options.windows.model_copy(update={"delay_s": 0.0, "min_valid": 1e-9}))
    return found.assign(clip_id=[f"{stem}_{count:04d}" for count in found.number])[["clip_id", *LABELS]]


def write_signals(path: Path, scene, options: Options) -> None:
    """EDA and ECG at the rate of the release, with the time in s in front."""
    rate = 1000 if options.release == "original" else 250
    eda, ecg = (scene.signal(channel, rate) for channel in ("eda", "ecg"))
    table = pd.DataFrame({"time": np.arange(len(eda)) / rate, "EDA": eda, "ECG": ecg})
    table.to_csv(path, sep=";", index=False, float_format="%.5g" if rate == 250 else "%.6g")


def write_ratings(
    root: Path, options: Options, stem: str, label: str, times: np.ndarray, state: np.ndarray, scene
) -> None:
    """Six individual ratings, and for AVEC their gold standard; nobody has ratings of test_*."""
    from benchmark.synthesis import elicitation

    if stem.startswith("test"):
        return
    rng = scene.generator("raters", label)
    values = elicitation.raters(rng, state, STEP_S, len(RATERS), LAG_S, scene.population.label_noise)
    table = pd.DataFrame(values.round(4), index=times.round(2), columns=list(RATERS))
    place = root / INDIVIDUAL[options.release][0] / label
    place.mkdir(parents=True, exist_ok=True)
    header = "time;" + ";".join(f"{rater} " if rater != "FF3" else rater for rater in RATERS)
    table.to_csv(place / f"{stem}.csv", sep=";", header=False, float_format="%.4f")
    (place / f"{stem}.csv").write_text(header + "\n" + (place / f"{stem}.csv").read_text())
    if options.release == "avec":
        place = root / GOLD["avec"][0] / label
        place.mkdir(parents=True, exist_ok=True)
        rows = "\n".join(f"{stem},{time:g},{value:.6f}" for time, value in ratings.agreed(table).items())
        (place / f"{stem}.arff").write_text(ARFF.format(rows=rows))


def write_metadata(place: Path, people: int) -> None:
    """Who talks with whom; the owners' table ends with three lines that are no people."""
    place.mkdir(parents=True)
    lines = [f"{count // 2 + 1};P{16 + count}" for count in range(people)]
    (place / "recola_user_info.csv").write_text("\n".join(["Group_id;User", *lines, ";mean", ";std", ";total"]) + "\n")
