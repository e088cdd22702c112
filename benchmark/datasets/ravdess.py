"""RAVDESS, Ryerson audio-visual database of emotional speech and song (Livingstone and Russo 2018, PLoS ONE).

People      24 North American actors, 12 of each sex (odd numbers are men).
Recordings  Speech: 60 trials an actor of 3 to 5 s, two sentences, sound alone (wav, 48 kHz, 16 bit), picture alone
            and both (mp4, 1280 x 720 at 29.97 fps, AAC at 48 kHz). Song: the same in 44 trials, without Actor_18.
            Sound and video are separate exports: the wav and the track of the video may differ by milliseconds.
            That the video with sound and the one without show the same pictures is likely, but not stated.
Labels      Emotion 1 neutral, 2 calm, 3 happy, 4 sad, 5 angry, 6 fearful, 7 disgust, 8 surprised (song: 1 to 6), as
            asked of the actor; intensity 1 or 2 (neutral only 1, so it has half the trials); statement 1 or 2.
Licence     CC BY-NC-SA 4.0, no signature: https://zenodo.org/records/1188976
Protocol    Folds over actors (5 or 6 are usual); accuracy, which the half-sized neutral class favours, and its mean
            over classes (UAR).
Figures     Unseen actors, accuracy: both 81.6 %, face 74.9 % (Chumachenko et al. 2022, arXiv 2201.11095); 75.8 %
            (arXiv 2111.02172). Random splits over clips, as many papers use, share actors and score higher.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, Field

from benchmark.params import Population
from benchmark.reading import media
from benchmark.reading.trees import below
from benchmark.types import Audio, Modality, Reading, Source, Video, WrongTree

LABELS, PARTITIONS, PEOPLE, TRIALS = ("emotion", "intensity", "statement"), (), 24, 104
EMOTIONS = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")
ENDINGS = {"01": ".mp4", "02": ".mp4", "03": ".wav"}  # picture and sound, picture, sound
CHANNELS = {"speech": ("01",), "song": ("02",), "both": ("01", "02")}
FIELDS = {  # of a name, in their order, with the codes each may have
    "modality": tuple(ENDINGS),
    "channel": CHANNELS["both"],
    "emotion": tuple(f"{code:02d}" for code in range(1, 9)),
    "intensity": ("01", "02"),
    "statement": ("01", "02"),
    "repetition": ("01", "02"),
    "actor": tuple(f"{code:02d}" for code in range(1, PEOPLE + 1)),
}
ACTOR = re.compile(r"actor_?(\d\d)", re.I)
DEPTH = 3  # levels below the root on which an actor's folder may lie
FRAMES_HZ, RATE_HZ = 30000 / 1001, 48_000  # of synthetic recordings
TREE = """
  Actor_01/03-01-06-01-02-01-01.wav              modality-channel-emotion-intensity-statement-repetition-actor
  Actor_01/02-01-06-01-02-01-01.mp4              (or only the one with sound, 01-01-...)
  or each archive in a folder of its own:
  Audio_Speech_Actors_01-24/Actor_01/*.wav
  Video_Speech_Actor_01/Actor_01/*.mp4"""


class Options(BaseModel, extra="forbid"):
    channel: Literal["speech", "song", "both"] = Field("speech", description="which recordings")
    sound: Literal["wav", "video"] = Field("wav", description="the sound alone, or the track of the video with sound")


def modalities(options: Options) -> dict[str, Modality]:
    return {"speech": Modality("speech"), "vision": Modality("vision")}


def expected_tree(options: Options) -> str:
    return TREE


def read(root: Path, options: Options) -> Reading:
    """The clip table: one row per trial of which any file is there.

    A name that is not one of the owners', and a second file of a name, are dropped by path.
    """
    found, dropped = listed(root)
    kept = sorted({name[3:] for name in found if name[3:5] in CHANNELS[options.channel]})
    if not kept:
        others = f"; there are {len(found)} of another channel, see options.channel" if found else ""
        raise WrongTree(f"no recording of {options.channel} in a folder Actor_NN{others}")
    places = {}
    for name, path in found.items():
        places.setdefault(kin(name), below(root, path.parent))
    rows = []
    for trial in kept:
        _, emotion, intensity, statement, _, actor = trial.split("-")
        row = {"clip_id": trial, "recording_id": trial, "subject_id": f"Actor_{actor}", "start_s": 0.0, "end_s": np.inf}
        row |= {"emotion": int(emotion), "intensity": int(intensity), "statement": int(statement)}
        row["speech"] = located(root, found, places, trial, "03" if options.sound == "wav" else "01")
        row["vision"] = located(root, found, places, trial, "02", "01")
        rows.append(row)
    return Reading(pd.DataFrame(rows), pd.DataFrame(dropped, columns=["path", "reason"]))


def listed(root: Path) -> tuple[dict[str, Path], list[tuple[str, str]]]:
    """Files by name, and what is left out, with the reason."""
    found, dropped = {}, []
    for path, actor in recorded(root):
        name, shown = path.stem, below(root, path)
        if reason := mistake(name, path.suffix.lower(), actor):
            dropped.append((shown, reason))
        elif name in found:
            dropped.append((shown, f"the same name as {below(root, found[name])}, which is used"))
        else:
            found[name] = path
    return found, dropped


def recorded(folder: Path, depth: int = DEPTH) -> Iterator[tuple[Path, str]]:
    """Media files in folders of actors, with the actor's number; in sorted order, without hidden files."""
    for place in sorted(entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith(".")):
        if named := ACTOR.fullmatch(place.name):
            files = sorted(entry for entry in place.iterdir() if not entry.name.startswith(".") and entry.is_file())
            yield from ((file, named[1]) for file in files if file.suffix.lower() in ENDINGS.values())
        if depth > 1:
            yield from recorded(place, depth - 1)


def mistake(name: str, ending: str, actor: str) -> str:
    """What is wrong with the name of a file, or an empty text."""
    if not re.fullmatch(r"\d\d(-\d\d){6}", name, re.ASCII):
        return "the name is not seven fields of two digits: " + "-".join(FIELDS)
    codes = dict(zip(FIELDS, name.split("-"), strict=True))
    for field, code in codes.items():
        if code not in FIELDS[field]:
            return f"{field} {code} in the name; there are {FIELDS[field][0]} to {FIELDS[field][-1]}"
    if ENDINGS[codes["modality"]] != ending:
        return f"modality {codes['modality']} is distributed as {ENDINGS[codes['modality']]}, not as {ending}"
    return "" if codes["actor"] == actor else f"the name says actor {codes['actor']}, its folder actor {actor}"


def kin(name: str) -> tuple[str, str, str]:
    """Files of one modality, channel and actor lie in one folder."""
    modality, channel, *_, actor = name.split("-")
    return modality, channel, actor


def located(root: Path, found: dict[str, Path], places: dict, trial: str, *choices: str) -> str:
    """Path of the first choice of modality that is there, else where the first one is expected."""
    names = [f"{modality}-{trial}" for modality in choices]
    if there := next((name for name in names if name in found), None):
        return below(root, found[there])
    _, channel, actor = kin(names[0])
    place = places.get(kin(names[0]), f"{archive(choices[0], channel, actor)}/Actor_{actor}")
    return f"{place}/{names[0]}{ENDINGS[choices[0]]}"


def archive(modality: str, channel: str, actor: str) -> str:
    """Name of the owners' archive with such files."""
    kind = "Speech" if channel == "01" else "Song"
    return f"Audio_{kind}_Actors_01-24" if modality == "03" else f"Video_{kind}_Actor_{actor}"


def recording(source: Source, options: Options) -> Video | Audio:
    """A whole recording."""
    if source.modality == "vision":
        return Video(source.path)
    return media.sound(source.path)


def synthesize(root: Path, name: str, population: Population, options: Options, spread) -> pd.DataFrame:
    """Write synthetic archives below root; returns the noise-free labels: clip_id, emotion, intensity, statement.

    population.clips: trials of an actor, of 60 in speech and 44 in song. Songs are spoken; Actor_18 has none.
    """
    tasks = [(root, name, population, options, subject) for subject in range(population.subjects)]
    spread(render_subject, tasks, f"recordings of {population.subjects} people")
    (root / "Actor_01" / ".DS_Store").write_text("litter\n")
    names = [trial for *_, subject in tasks for trial in trials(subject, population.clips, options)]
    codes = np.array([[int(code) for code in trial.split("-")] for trial in names])
    return pd.DataFrame({"clip_id": names} | {label: codes[:, at] for at, label in enumerate(LABELS, 1)})


def trials(subject: int, count: int, options: Options) -> list[str]:
    """What an actor is asked for: every emotion once, then again with the other intensity and statement.

    Half of the emotions begin with either statement, other ones for the next actor, so that no statement tells more
    than another however few trials are made.
    """
    asked, actor = [], f"{subject + 1:02d}"
    for channel in CHANNELS[options.channel]:
        if channel == "02" and actor == "18":
            continue
        possible = [
            f"{channel}-{emotion:02d}-{intensity:02d}-{1 + (emotion + subject + turn) % 2:02d}-{repetition:02d}-{actor}"
            for repetition in (1, 2)
            for turn, intensity in ((0, 1), (1, 2), (1, 1), (0, 2))
            for emotion in range(1, 7 if channel == "02" else 9)
            if (emotion, intensity) != (1, 2)
        ]
        asked += possible[:count]
    return asked


def render_subject(task: tuple) -> None:
    """All recordings of one synthetic actor."""
    from benchmark.synthesis.acting import Asked, perform

    root, name, population, options, subject = task
    for number, trial in enumerate(trials(subject, population.clips, options)):
        emotion, intensity, statement = (int(code) for code in trial.split("-")[1:4])
        asked = Asked(trial, EMOTIONS[emotion - 1], {1: 0.8, 2: 1.2}[intensity], statement)
        write_trial(root, trial, number, *perform(name, population, subject, asked, FRAMES_HZ, RATE_HZ))


def write_trial(root: Path, trial: str, number: int, pictures: list[np.ndarray], sound: np.ndarray) -> None:
    """The three files of a trial, with what is odd in copies of the archives.

    Actor 1: the second wav is stereo, the first lies there twice. Actor 2: ACTOR02, and no third video without sound.
    Actor 3: doubled folders of the videos.
    """
    import soundfile

    from benchmark.synthesis import film

    channel, *_, actor = trial.split("-")
    inner = "ACTOR02" if actor == "02" else f"Actor_{actor}"
    audio, video = (root / archive(modality, channel, actor) for modality in ("03", "02"))
    video = video / video.name if actor == "03" else video
    places = [audio / inner, video / inner]
    places += [root / "Actor_01"] if actor == "01" and number == 0 else []
    for place in places:
        place.mkdir(parents=True, exist_ok=True)
    stereo = np.column_stack([sound, sound]) if actor == "01" and number == 1 else sound
    for place in (places[0], *places[2:]):
        soundfile.write(place / f"03-{trial}.wav", stereo, RATE_HZ, subtype="PCM_16")
    film.write(places[1] / f"01-{trial}.mp4", pictures, FRAMES_HZ, sound, RATE_HZ)
    if (actor, number) != ("02", 2):
        film.write(places[1] / f"02-{trial}.mp4", pictures, FRAMES_HZ)
