"""CREMA-D, crowd-sourced emotional multimodal actors dataset (Cao et al. 2014, IEEE TAFFC).

People      91 actors (48 men), 20 to 74 years, of several ethnic backgrounds.
Recordings  7,442 clips of about 1 to 5 s, 12 sentences: wav (16 kHz, 16 bit), and what the raters were shown, flv with
            sound and mp3. VideoFlash/1076_MTI_NEU_XX.flv and 1064_TIE_SAD_XX.flv are nearly empty, and so are their
            mp3; the owners advise using the wav.
Labels      `emotion` is the one asked of the actor: 0 anger, 1 disgust, 2 fear, 3 happy, 4 neutral, 5 sad.
            `perceived_av`, `perceived_voice` and `perceived_face` are what most of about ten raters chose who saw and
            heard, only heard, or only saw the clip; none where several emotions have as many votes. `level` is 0 low,
            1 medium, 2 high, and none in the many clips of unspecified level (XX).
Licence     ODbL 1.0 and DbCL 1.0, no signature: https://github.com/CheyneyComputerScience/CREMA-D
Protocol    Five splits of 63, 14 and 14 actors (VAVL, Goncalves et al. 2023); accuracy, F1, mean recall (UAR).
Figures     Raters choose the intended emotion in 63.6 % (both), 58.2 % (face), 40.9 % (voice) of their answers.
            77.1 macro F1 is listed for arXiv 2201.11095. Random splits over clips (6,698/744) share actors.
"""

import csv
import re
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, Field

from benchmark.files import is_pointer
from benchmark.params import Population
from benchmark.reading import media, tables, votes
from benchmark.reading.trees import below, child
from benchmark.types import Audio, Modality, Reading, Source, Unusable, Video, WrongTree

EMOTIONS = {"ANG": "angry", "DIS": "disgust", "FEA": "fearful", "HAP": "happy", "NEU": "neutral", "SAD": "sad"}
LABELS, PARTITIONS, PEOPLE, TRIALS = ("emotion", *votes.QUERIES, "level"), (), 91, 82
SENTENCES = ("IEO", "TIE", "IOM", "IWW", "TAI", "MTI", "IWL", "ITH", "DFA", "ITS", "TSI", "WSI")
LEVELS = {"LO": 0.0, "MD": 1.0, "HI": 2.0, "XX": np.nan}
NAME = re.compile(rf"(10\d\d)_({'|'.join(SENTENCES)})_({'|'.join(EMOTIONS)})_(LO|MD|HI|XX?)", re.ASCII)
FORM = "actor_sentence_emotion_level of CREMA-D"
MEDIA = {"wav": ("AudioWAV", ".wav"), "mp3": ("AudioMP3", ".mp3"), "flv": ("VideoFlash", ".flv")}
DEMOGRAPHICS = ("ActorID", "Age", "Sex", "Race", "Ethnicity")
SHORTEST_S = 1.0  # less than the shortest recording
STRENGTHS = {"LO": 0.5, "MD": 0.8, "HI": 1.2, "XX": 0.9}  # of synthetic emotions
FRAMES_HZ, RATE_HZ, WAV_HZ = 30000 / 1001, 44_100, 16_000  # of synthetic recordings
TREE = """
  AudioWAV/1001_DFA_ANG_XX.wav
  VideoFlash/1001_DFA_ANG_XX.flv
  AudioMP3/1001_DFA_ANG_XX.mp3          only with options.sound: mp3
  processedResults/tabulatedVotes.csv   commas: number of query and clip, A, D, F, H, N, S, fileName, ...
  processedResults/summaryTable.csv     commas: FileName, VoiceVote, FaceVote, MultiModalVote, ...
  SentenceFilenames.csv, VideoDemographics.csv
  or all of it in one folder, as a clone or a download has it"""


class Options(BaseModel, extra="forbid"):
    sound: Literal["wav", "mp3", "flv"] = Field("wav", description="which copy of the sound; several mp3 are blank")


def modalities(options: Options) -> dict[str, Modality]:
    return {"speech": Modality("speech"), "vision": Modality("vision")}


def expected_tree(options: Options) -> str:
    return TREE


def read(root: Path, options: Options) -> Reading:
    """The clip table: one row per name of which sound or video is there.

    Told in dropped: files with other names, listed recordings without a file, and where label files are absent, say
    nothing about an actor or contradict each other.
    """
    base = top(root)
    places = {kind: child(base, folder) or base / folder for kind, (folder, _) in MEDIA.items()}
    found, dropped = {}, []
    for kind in dict.fromkeys((options.sound, "flv")):
        found[kind], lost = recorded(root, places[kind], MEDIA[kind][1])
        dropped += lost
    stems = sorted(set().union(*found.values()))
    dropped += unrecorded(root, base, stems)
    chosen, lost = perceived(root, base)
    people, unknown = actors(root, base, stems)
    rows = []
    for stem in stems:
        actor, _, emotion, level = stem.split("_")
        row = {"clip_id": stem, "recording_id": stem, "subject_id": actor, "start_s": 0.0, "end_s": np.inf}
        row |= {"emotion": list(EMOTIONS).index(emotion), "level": LEVELS[level]}
        row |= {label: chosen.get((label, stem), np.nan) for label in votes.QUERIES}
        row |= people.get(actor, {"age": np.nan, "sex": None})
        for modality, kind in (("speech", options.sound), ("vision", "flv")):
            expected = places[kind] / f"{stem}{MEDIA[kind][1]}"  # where it is missing
            row[modality] = below(root, found[kind].get(stem, expected))
        rows.append(row)
    table = pd.DataFrame(rows) if rows else pd.DataFrame(columns=["clip_id", "subject_id", "speech", "vision"])
    return Reading(table, pd.DataFrame(dropped + lost + unknown, columns=["path", "reason"]))


def top(root: Path) -> Path:
    """The folder that holds the recordings: root, or a clone or unpacked download in it."""
    inner = [child(root, entry.name) for entry in sorted(root.iterdir()) if entry.is_dir()]
    for folder in (root, *inner):
        if child(folder, "AudioWAV") or child(folder, "VideoFlash"):
            return folder
    raise WrongTree("no folder AudioWAV or VideoFlash")


def named(text: str) -> str | None:
    """A name with its level spelt XX where it is not given (older copies have one X); None if it is not the owners'."""
    fields = NAME.fullmatch(text.upper())
    if not fields or not 1001 <= int(fields[1]) <= 1000 + PEOPLE:
        return None
    return "_".join(fields.groups()[:3]) + ("_XX" if fields[4] == "X" else f"_{fields[4]}")


def recorded(root: Path, place: Path, ending: str) -> tuple[dict[str, Path], list[tuple[str, str]]]:
    """Recordings of one folder by name, and what is left out. WrongTree if git-lfs left pointers in their place."""
    there = sorted(place.iterdir()) if place.is_dir() else []
    there = [entry for entry in there if entry.suffix.lower() == ending and not entry.name.startswith(".")]
    found, dropped = {}, []
    for path in there:
        stem = named(path.stem)
        if not stem:
            dropped.append((below(root, path), f"the name is not {FORM}"))
        elif stem in found:
            dropped.append((below(root, path), f"the same name as {below(root, found[stem])}, which is used"))
        else:
            found[stem] = path
    if pointers := [path for path in found.values() if is_pointer(path)]:
        raise WrongTree(
            f"{len(pointers)} of {len(found)} files in {place.name} are git-lfs pointers, not recordings (first: "
            f"{pointers[0].name}); a download as zip has only those: clone with git-lfs, then run `git lfs pull`"
        )
    return found, dropped


def unrecorded(root: Path, base: Path, stems: list[str]) -> list[tuple[str, str]]:
    """What the owners list and nobody finds."""
    path = child(base, "SentenceFilenames.csv")
    if not path:
        return []
    table = tables.text(path, ",", ("Filename",), WrongTree)
    listed = table.Filename.map(named)
    tables.refuse(path, table, listed.isna(), f"a Filename that is not {FORM}", WrongTree)
    absent = sorted(set(listed) - set(stems))
    return [(below(root, path), f"{stem} is listed, but there is no sound and no video of it") for stem in absent]


def actors(root: Path, base: Path, stems: list[str]) -> tuple[dict[str, dict], list[tuple[str, str]]]:
    """Actor -> age and sex, and the actors the owners' table does not know; nobody where there is no table."""
    path = child(base, "VideoDemographics.csv")
    if not path:
        return {}, []
    table = tables.text(path, ",", DEMOGRAPHICS, WrongTree)
    age = tables.values(table.Age)
    wrong = {
        "an ActorID that is not 1001 to 1091": ~table.ActorID.isin([str(1001 + n) for n in range(PEOPLE)]),
        "an ActorID that was there before": table.ActorID.duplicated(),
        "an Age that is not in years": ~age.between(1, 120),
        "a Sex that is neither Male nor Female": ~table.Sex.isin(["Male", "Female"]),
    }
    for what, rows in wrong.items():
        tables.refuse(path, table, rows, what, WrongTree)
    known = {who: {"age": years, "sex": sex} for who, years, sex in zip(table.ActorID, age, table.Sex, strict=True)}
    unknown = sorted({stem[:4] for stem in stems} - set(known))
    return known, [(below(root, path), f"actor {actor} is not listed") for actor in unknown]


def perceived(root: Path, base: Path) -> tuple[dict[tuple[str, str], int], list[tuple[str, str]]]:
    """(Label, clip) -> the emotion with most votes, where it is one, and what the label files leave open."""
    folder = child(base, "processedResults")
    path = child(folder, "tabulatedVotes.csv") if folder and folder.is_dir() else None
    if not path:
        expected = below(root, base / "processedResults" / "tabulatedVotes.csv")
        return {}, [(expected, f"not there: no {', '.join(votes.QUERIES)}")]
    winners = votes.counted(path, named)
    labels = {clip: votes.LETTERS.index(letters) for clip, letters in winners.items() if len(letters) == 1}
    summary = child(folder, "summaryTable.csv")
    notes = votes.differing(summary, named, winners) if summary else []
    return labels, [(below(root, summary), note) for note in notes]


def recording(source: Source, options: Options) -> Video | Audio:
    """A whole recording. Unusable if next to nothing is in it."""
    path = source.path
    if source.modality == "vision":
        seconds = float(media.frame_times(path)[-1])
    else:
        sound = media.sound(path)
        seconds = len(sound.samples) / sound.rate
    if seconds < SHORTEST_S:
        raise Unusable(
            f"{path.name} is nearly empty: {seconds:.2f} s, where no recording is shorter than {SHORTEST_S:g} s"
        )
    return Video(path) if source.modality == "vision" else sound


def synthesize(root: Path, name: str, population: Population, options: Options, spread) -> pd.DataFrame:
    """Write a synthetic clone below root; returns the noise-free labels, in which raters see what was intended.

    population.clips: recordings of an actor, of 82.
    """
    base = root / "CREMA-D"
    for folder, _ in MEDIA.values():
        (base / folder).mkdir(parents=True)
    (base / "AudioWAV" / ".DS_Store").write_text("litter\n")
    tasks = [(base, name, population, subject) for subject in range(population.subjects)]
    spread(render_subject, tasks, f"recordings of {population.subjects} people")
    write_tables(base, name, population)
    stems = [stem for *_, subject in tasks for stem in trials(subject, population.clips)]
    emotions = [list(EMOTIONS).index(stem[9:12]) for stem in stems]
    clean = {label: emotions for label in ("emotion", *votes.QUERIES)}
    return pd.DataFrame({"clip_id": stems} | clean | {"level": [LEVELS[stem[13:]] for stem in stems]})


def trials(subject: int, count: int) -> list[str]:
    """What an actor is asked for: every emotion with one sentence, then with the next; one sentence has levels.

    Each actor begins with another sentence.
    """
    levelled, *others = SENTENCES
    rounds = [(sentence, "XX") for sentence in others]
    for at, level in enumerate(("HI", "LO", "MD")):
        rounds.insert(2 * at, (levelled, level))
    rounds = rounds[subject % len(rounds) :] + rounds[: subject % len(rounds)]
    asked = [
        f"{1001 + subject}_{sentence}_{emotion}_{'XX' if emotion == 'NEU' else level}"
        for sentence, level in rounds
        for emotion in EMOTIONS
        if emotion != "NEU" or level in ("HI", "XX")
    ]
    return asked[:count]


def request(stem: str):
    """What an actor is asked for in a recording of that name."""
    from benchmark.synthesis.acting import Asked

    _, sentence, emotion, level = stem.split("_")
    return Asked(stem, EMOTIONS[emotion], STRENGTHS[level], SENTENCES.index(sentence))


def render_subject(task: tuple) -> None:
    """All recordings of one synthetic actor. As in older copies: one wav of the first ends in _X, two flv are empty."""
    import soundfile
    from scipy.signal import resample_poly

    from benchmark.synthesis import acting, film

    base, name, population, subject = task
    for number, stem in enumerate(trials(subject, population.clips)):
        pictures, sound = acting.perform(name, population, subject, request(stem), FRAMES_HZ, RATE_HZ)
        spelt = stem[:-1] if (subject, number) == (0, 7) else stem
        wav = resample_poly(sound, WAV_HZ, RATE_HZ)
        soundfile.write(base / "AudioWAV" / f"{spelt}.wav", wav, WAV_HZ, subtype="PCM_16")
        if (subject, number) in ((0, 3), (1, 4)):
            pictures, sound = pictures[:2], sound[: RATE_HZ // 15]
        film.write(base / "VideoFlash" / f"{stem}.flv", pictures, FRAMES_HZ, sound, RATE_HZ)
        soundfile.write(base / "AudioMP3" / f"{stem}.mp3", sound, RATE_HZ, format="MP3")


def write_tables(base: Path, name: str, population: Population) -> None:
    """The label files of all actors."""
    from benchmark.seeds import generator
    from benchmark.synthesis import acting

    listed, counted, told, people = [], [], [], []
    for subject in range(population.subjects):
        age = int(generator("age", name, population.seed, subject).integers(20, 75))
        people.append((1001 + subject, age, ("Male", "Female")[subject % 2], "Unknown", "Not Hispanic"))
        for number, stem in enumerate(trials(subject, population.clips), 1 + 82 * subject):
            listed.append((number, stem))
            row = [str(number), stem]
            for given, (digit, _) in zip(("voice", "face", "both"), votes.QUERIES.values(), strict=True):
                found = acting.votes(name, population, subject, request(stem), given, tuple(EMOTIONS.values()))
                winners = ":".join(letter for letter, n in zip(votes.LETTERS, found, strict=True) if n == found.max())
                share = round(found.max() / found.sum(), 4)
                counted.append((f"{digit}{number:05d}", *found.tolist(), stem, int(found.sum()), share, winners))
                row.append(winners)
            told.append(row)
    save(base / "SentenceFilenames.csv", listed, ("Stimulus_Number", "Filename"))
    save(base / "VideoDemographics.csv", people, DEMOGRAPHICS)
    (base / "processedResults").mkdir()
    columns = ("", *votes.LETTERS, "fileName", "numResponses", "agreement", "emoVote")
    save(base / "processedResults" / "tabulatedVotes.csv", sorted(counted), columns)
    columns = ("", "FileName", *(column for _, column in votes.QUERIES.values()))
    save(base / "processedResults" / "summaryTable.csv", told, columns)


def save(path: Path, rows: list, columns: tuple[str, ...]) -> None:
    """A table as the owners write it: commas, texts in quotes."""
    pd.DataFrame(rows, columns=columns).to_csv(path, index=False, quoting=csv.QUOTE_NONNUMERIC)
