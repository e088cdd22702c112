"""Recordings of synthetic people in the layout of StressID: tasks one after the other, a recording of each."""

from pathlib import Path

import numpy as np
import pandas as pd

from benchmark.datasets.stressid import EDA_DELETED, RATE_HZ, TALKING, TASKS
from benchmark.params import Population
from benchmark.seeds import generator
from benchmark.synthesis import face, film, physiology, voice
from benchmark.synthesis.elicitation import Block, Session, conditions
from benchmark.synthesis.population import delivery, drive, units
from benchmark.synthesis.sensors import record
from benchmark.synthesis.states import STATES, Course, row

FRAMES_HZ, SOUND_HZ = 15, 32_000
NO_VIDEO = "37ir 7m3c dmbd hvpa j1u8 ql3b qx2o r0a3 u3v9 uyrl wfsl".split()
NO_SOUND = "37ir dmbd f6q3 hvpa j1u8 ql3b qx2o r0a3 uyrl wfsl".split()
UNLABELLED = "hh2e"
PUBLISHED = ["2ea4", UNLABELLED, "r5s8", "37ir", "7m3c", "f6q3", "wssm", *NO_VIDEO[2:]]
# Of four people in a row one has a published code, with what is known about it; sy01, sy02, ... are made up.
SUBJECTS = [PUBLISHED[n // 4] if n % 4 == 0 and n // 4 < len(PUBLISHED) else f"sy{n:02d}" for n in range(65)]
FELT = {  # stress, arousal, valence
    "Baseline": (-0.4, -0.5, 0.2),
    "Breathing": (-1.1, -1.1, 0.6),
    "Video1": (-0.8, -0.7, 0.8),
    "Video2": (-0.1, 0.3, -0.6),
    "Counting1": (-0.3, -0.1, 0.1),
    "Counting2": (0.4, 0.3, -0.2),
    "Counting3": (0.9, 0.7, -0.6),
    "Stroop": (0.3, 0.4, 0.1),
    "Speaking": (0.8, 0.9, -0.3),
    "Math": (1.1, 0.9, -0.8),
    "Reading": (-0.7, -0.3, 0.3),
    "Relax": (-1.2, -1.2, 0.8),
}
SCALES = {"stress": {"stress": 1.0}, "relax": {"stress": -0.8, "arousal": -0.4}, "valence": {"valence": 1.0}}
SCALES |= {"arousal": {"arousal": 1.0}}  # what is reported: 5 + 2 x the sum of states
BOUNDS = (4.5, 6.5)  # reported stress between relaxed, neither and stressed; the owners have not published theirs


def render(item: tuple[Path, str, Population, int, tuple[str, ...]]) -> None:
    """All recordings of one subject."""
    root, name, population, number, tasks = item
    subject, told = SUBJECTS[number], session(name, population, number)
    who = ("subject", name, population.seed, number)
    person, speaker = physiology.person(generator(*who, "body")), voice.person(generator(*who, "voice"))
    look = face.look(generator(*who, "look"))
    for at, task in enumerate(FELT):
        if task not in (*tasks, "Baseline"):
            continue
        shown = told.shown.cut(at * population.seconds, (at + 1) * population.seconds)
        key, rng = (number, task), generator(*who, task)
        life = physiology.live(person, drive(name, population, key, shown.body), population.seconds, rng)
        write_signals(folder(root, "Physiological", subject) / f"{subject}_{task}.txt", life, rng)
        if task in TALKING and subject not in NO_SOUND:
            said = voice.speak(speaker, delivery(name, population, key, shown.voice), population.seconds, SOUND_HZ, rng)
            write_sound(folder(root, "Audio", subject) / f"{subject}_{task}.wav", said)
        if task != "Baseline" and subject not in NO_VIDEO:
            shows = Course(shown.face.times, shown.face.states + row(talk=1.0 if task in TALKING else -1.0))
            looks = units(name, population, key, shows, round(population.seconds * FRAMES_HZ), FRAMES_HZ)
            pictures = face.render(look, looks, face.motion(rng, len(looks)), rng)
            film.write(folder(root, "Videos", subject) / f"{subject}_{task}.mp4", pictures, FRAMES_HZ)
    # a Mac leaves such files behind
    (folder(root, "Physiological", subject) / f"._{subject}_{TALKING[0]}.txt").write_bytes(b"\0\5\x16\7")


def session(name: str, population: Population, number: int) -> Session:
    """What a subject feels in all tasks, whichever of them are recorded."""
    plan = [
        Block(population.seconds, dict(zip(("stress", "arousal", "valence"), means, strict=True)))
        for means in FELT.values()
    ]
    return conditions(name, population, number, plan)


def folder(root: Path, kind: str, subject: str) -> Path:
    place = root / kind / subject
    place.mkdir(parents=True, exist_ok=True)
    return place


def write_signals(path: Path, life: physiology.Life, rng: np.random.Generator) -> None:
    """Commas, mV and uS, no time; one sample of each file is missing, and a whole column of one."""
    columns = {
        name: record(life, channel, RATE_HZ, rng) for name, channel in (("ECG", "ecg"), ("EDA", "eda"), ("RR", "resp"))
    }
    table = pd.DataFrame(columns | {"ECG": columns["ECG"] / 1000}).round(4)
    table.iloc[int(rng.integers(len(table)))] = np.nan
    if path.stem == EDA_DELETED:
        table["EDA"] = np.nan
    table.to_csv(path, index=False)


def write_sound(path: Path, samples: np.ndarray) -> None:
    import soundfile

    soundfile.write(path, samples, SOUND_HZ, subtype="PCM_16")


def reports(states: np.ndarray) -> pd.DataFrame:
    """Scales by task, 0 to 10, of the states (tasks, len(STATES)) of all tasks."""
    values = pd.DataFrame(states, index=list(FELT), columns=list(STATES)).loc[list(TASKS)]
    sums = {scale: sum(weight * values[state] for state, weight in own.items()) for scale, own in SCALES.items()}
    return (5 + 2 * pd.DataFrame(sums)).clip(0, 10)


def classes(said: pd.DataFrame) -> pd.DataFrame:
    """stress and affect as owners would derive them from the reports."""
    return pd.DataFrame({"stress": (said.stress >= BOUNDS[0]).astype(int), "affect": np.digitize(said.stress, BOUNDS)})


def clean(name: str, population: Population, number: int) -> pd.DataFrame:
    """The labels of all tasks of a subject if the reports were of exactly what was felt."""
    felt = reports(session(name, population, number).felt)
    named = felt.rename(columns={"stress": "self_stress", "relax": "self_relax"})
    found = pd.concat([classes(felt).set_index(felt.index).astype(float), named], axis=1)
    return found.assign(clip_id=[f"{SUBJECTS[number]}_{task}" for task in TASKS]).reset_index(drop=True)


def write_labels(root: Path, name: str, population: Population) -> None:
    """labels.csv and self_assessments.csv. One subject reports too little and is left out of the first."""
    said = {
        SUBJECTS[number]: reports(session(name, population, number).reported).round()
        for number in range(population.subjects)
    }
    lines = [
        own.set_index(subject + "_" + said[subject].index)
        for subject in sorted(said)
        if subject != UNLABELLED
        for own in [classes(said[subject])]
    ]
    table = pd.concat(lines).rename(columns={"stress": "binary-stress", "affect": "affect3-class"})
    table.to_csv(root / "labels.csv", index_label="subject/task")
    columns = pd.DataFrame({subject: own.stack() for subject, own in sorted(said.items())})
    if UNLABELLED in columns:
        columns.loc[[("Breathing", "valence"), ("Breathing", "arousal")], UNLABELLED] = np.nan
    columns.index = ["_".join(names) for names in columns.index]
    columns.to_csv(root / "self_assessments.csv", sep=";", index_label="Tasks")
