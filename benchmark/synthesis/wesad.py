"""Sessions of synthetic people in the layout of WESAD. With 120 s and more every condition holds a window of 60 s."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmark.datasets.wesad import CONDITIONS, RATE_HZ, SENSORS, SUBJECTS
from benchmark.params import Population
from benchmark.reading import pickles
from benchmark.seeds import generator
from benchmark.synthesis import physiology
from benchmark.synthesis.elicitation import Block, Session, conditions
from benchmark.synthesis.population import drive
from benchmark.synthesis.sensors import record
from benchmark.synthesis.states import STATES

GAP_S = 22.0  # between parts
EDGE_S = 10.0  # of a condition by the questionnaire, which the owners have not labelled
LEAD_S = 300.0  # which they have cut off before the session
READING, READING_S = 5, 15.0
SHARE = {"Base": 1.5, "TSST": 1.0, "Fun": 0.8, "Medi 1": 0.7, "Medi 2": 0.7}  # of population.seconds
MEDITATION = {"stress": -0.9, "arousal": -1.1, "valence": 0.4}
FELT = {
    "Base": {"stress": -0.4, "arousal": -0.4, "valence": 0.2},
    "TSST": {"stress": 1.6, "arousal": 1.3, "valence": -1.1},
    "Fun": {"stress": -0.5, "arousal": 0.4, "valence": 1.2},
    "Medi 1": MEDITATION,
    "Medi 2": MEDITATION,
}


class Part(NamedTuple):
    """One part of a session; every condition is read about, or rested from, before the next one."""

    name: str
    start_s: float
    end_s: float


def render(task: tuple[Path, str, Population, int]) -> None:
    """All files of one subject."""
    top, name, population, number = task
    subject, parts = SUBJECTS[number], protocol(name, population, number)
    who = ("subject", name, population.seed, number)
    told, duration = told_by(name, population, number, parts), parts[-1].end_s + GAP_S
    driven = drive(name, population, (number, "session"), told.shown.body)
    life = physiology.live(physiology.person(generator(*who, "body")), driven, duration, generator(*who, "life"))
    signals = {
        device: {SENSORS[device][one].name: measured(life, device, one, generator(*who, device, one)) for one in own}
        for device, own in SENSORS.items()
    }
    folder = top / subject
    (folder / f"{subject}_E4_Data").mkdir(parents=True)
    content = {"subject": subject, "label": labels(parts), "signal": signals}
    pickles.write(folder / f"{subject}.pkl", content)
    ratings = reported(parts, told.reported).round().astype(int)
    (folder / f"{subject}_quest.csv").write_text(questionnaire(subject, parts, ratings))
    (folder / f"{subject}_readme.txt").write_text("### Additional notes ###\nA synthetic person.\n")
    (folder / f"{subject}_E4_Data" / "info.txt").write_text("Synthetic: the raw signals were not made.\n")


def clean(name: str, population: Population, number: int) -> tuple[np.ndarray, list[tuple[int, float, float]]]:
    """The labels of a session, and what was felt in its conditions in the scale of the reports."""
    parts = protocol(name, population, number)
    felt = reported(parts, told_by(name, population, number, parts).felt)
    named = [part.name for part in parts if part.name in FELT]
    return labels(parts), [(code(part), *map(float, pair)) for part, pair in zip(named, felt, strict=True)]


def protocol(name: str, population: Population, number: int) -> list[Part]:
    """The parts in the order of time: the stress test and the amusement change places from person to person."""
    middle = [["TSST", "sRead"], ["Fun", "fRead"]]
    first, last = middle if generator("order", name, population.seed, number).random() < 0.5 else middle[::-1]
    parts, now = [], GAP_S
    for part in ("Base", *first, "Medi 1", *last, "Medi 2"):
        end = now + (SHARE[part] * population.seconds if part in SHARE else READING_S)
        parts.append(Part(part, now, end))
        now = end + GAP_S
    return parts


def told_by(name: str, population: Population, number: int, parts: list[Part]) -> Session:
    """What the subject feels: a block between parts, a block for each part, and one at the end."""
    plan = [
        block
        for part in parts
        for block in (Block(GAP_S, {}), Block(part.end_s - part.start_s, FELT.get(part.name, {})))
    ]
    return conditions(name, population, number, [*plan, Block(GAP_S, {})])


def reported(parts: list[Part], states: np.ndarray) -> np.ndarray:
    """(conditions, 2) valence and arousal as ratings from 1 to 9; states are those of all blocks."""
    held = [2 * at + 1 for at, part in enumerate(parts) if part.name in FELT]
    return np.clip(5 + 2 * states[held][:, [STATES.index(name) for name in ("valence", "arousal")]], 1, 9)


def code(part: str) -> int:
    return CONDITIONS.get(part.split()[0].lower(), READING)


def labels(parts: list[Part]) -> np.ndarray:
    """The condition at 700 Hz, 0 between conditions."""
    found = np.zeros(round((parts[-1].end_s + GAP_S) * RATE_HZ), np.int32)
    for part in parts:
        found[round(part.start_s * RATE_HZ) : round(part.end_s * RATE_HZ)] = code(part.name)
    return found


def measured(life: physiology.Life, device: str, channel: str, rng: np.random.Generator) -> np.ndarray:
    """An array as the owners have it: (samples, axes), in their unit; the wrist's acceleration in whole numbers."""
    sensor = SENSORS[device][channel]
    values = record(life, channel, sensor.rate, rng, device) / sensor.scale
    values = values.reshape(len(values), -1)
    if sensor.name == "Temp":
        return values.astype(np.float32)
    return values.round() if (device, channel) == ("wrist", "acc") else values


def questionnaire(subject: str, parts: list[Part], ratings: np.ndarray) -> str:
    """Sx_quest.csv: conditions in the order of time, readings after them; lines of uneven length."""
    listed = sorted(parts, key=lambda part: (part.name not in FELT, part.start_s))
    rows = [
        ["# Subj", subject, ""],
        ["# ORDER", *(part.name for part in listed), "", ""],
        ["# START", *(clock(part.start_s - EDGE_S + LEAD_S) for part in listed), "", ""],
        ["# END", *(clock(part.end_s + EDGE_S + LEAD_S) for part in listed), "", ""],
        ["", "", ""],
        *(["# DIM", str(valence), str(arousal), "", ""] for valence, arousal in ratings),
        ["# SSSQ", "2", "3", "1", "4", "2", "3"],
    ]
    return "".join(";".join(row) + "\n" for row in rows)


def clock(time_s: float) -> str:
    """minutes.seconds as a spreadsheet keeps it: without the last zero."""
    minutes, rest = divmod(round(time_s), 60)
    return f"{minutes}.{rest:02d}".rstrip("0").rstrip(".")
