"""Files of somebody who has no dataset: which belong to one recording, and how each kind is read.

Files of one folder that share their name up to the ending are one recording: `a.mp4`, `a.wav`, `a.csv`. Where a student
takes two modalities of a kind, `a.<modality>.csv` says which is meant; `a.csv` is the first of them.
"""

from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmark.extraction import inside
from benchmark.reading import media, sizes, tables
from benchmark.types import Audio, Refused, Signal, Signals, Unusable, Video

ENDINGS = {
    "vision": (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".flv"),
    "speech": (".wav", ".flac", ".mp3", ".ogg", ".m4a", ".aac", ".opus"),
    "biosignal": (".csv", ".tsv"),
}
KINDS = {ending: kind for kind, endings in ENDINGS.items() for ending in endings}
TIME = ("time", "time_s")  # columns that hold the time, s


class Recording(NamedTuple):
    """What belongs together."""

    name: str  # of the files without their ending, below the folder that was asked for
    files: dict[str, Path]  # modality -> file
    ignored: list[str]  # files of kinds that the student does not take


def find(paths: list[Path], takes: dict[str, str]) -> list[Recording]:
    """The recordings of files and folders, sorted by name; takes: modality -> kind.

    Refused where there is no such path, or nothing that the student can see.
    """
    listed: dict[tuple[Path, str], tuple[str, list[Path]]] = {}
    for path in paths:
        if not path.exists():
            raise Refused(f"{path} does not exist")
        held = sorted(entry for entry in path.rglob("[!.]*") if entry.is_file()) if path.is_dir() else [path]
        for file in held:
            if file.suffix.lower() in KINDS:
                stem = stem_of(file, takes)
                top = path if path.is_dir() else path.parent
                name = (file.parent / stem).relative_to(top).as_posix()
                files = listed.setdefault((file.parent.resolve(), stem), (name, []))[1]
                files.extend([] if file in files else [file])
            elif not path.is_dir():
                raise Refused(f"{file}: the ending {file.suffix or 'is missing and'} is not known; {allowed(takes)}")
    found = [assigned(name, files, takes) for name, files in listed.values()]
    if not any(recording.files for recording in found):
        raise Refused(f"{', '.join(map(str, paths))} holds nothing that this student can see; {allowed(takes)}")
    names = Counter(recording.name for recording in found)
    told = [
        own._replace(name=f"{key[0].name}/{own.name}") if names[own.name] > 1 else own
        for key, own in zip(listed, found, strict=True)
    ]
    return sorted((own for own in told if own.files), key=lambda own: own.name)


def allowed(takes: dict[str, str]) -> str:
    """What a student takes, in words."""
    said = [f"{modality} ({', '.join(ENDINGS[kind])})" for modality, kind in takes.items()]
    return f"it takes {'; '.join(said)}"


def stem_of(file: Path, takes: dict[str, str]) -> str:
    """The name of a file without its ending, and without the modality that it may name before that."""
    stem, _, last = file.stem.rpartition(".")
    return stem if stem and last in takes else file.stem


def assigned(name: str, files: list[Path], takes: dict[str, str]) -> Recording:
    """Each modality gets the file that names it, or the next of its kind; speech else the sound track of the video."""
    free = list(files)
    chosen: dict[str, Path] = {}
    for told in (True, False):
        for modality, kind in takes.items():
            fits = [file for file in free if KINDS[file.suffix.lower()] == kind]
            fits = [file for file in fits if file.stem.endswith(f".{modality}") or not told]
            if fits and modality not in chosen:
                chosen[modality] = fits[0]
                free.remove(fits[0])
    films = [file for file in files if KINDS[file.suffix.lower()] == "vision"]
    for modality, kind in takes.items():
        if kind == "speech" and modality not in chosen and films:
            chosen[modality] = films[0]
    ignored = [file.name for file in free if file not in chosen.values()]
    return Recording(name, {modality: chosen[modality] for modality in takes if modality in chosen}, ignored)


def read(file: Path, kind: str, channels: tuple[str, ...], rate: float | None) -> Video | Audio | Signals:
    """A whole recording of one modality; Unusable if it cannot be read. rate: of signals without a column of time."""
    path = inside(file.parent, file.name)
    if kind == "vision":
        return Video(path)
    if kind == "speech":
        return media.sound(path)
    return signals(path, channels, rate)


def signals(path: Path, channels: tuple[str, ...], rate: float | None) -> Signals:
    """A table with a column per channel, or of a channel with several axes one per axis (acc_x, acc_y, acc_z).

    The rate, Hz, is that of the column `time` or `time_s` (seconds) where there is one. A channel without a column
    was not recorded; at least one must be there. For units see benchmark/types.py, Signal.
    """
    with sizes.held(path, sizes.TABLE, Unusable).open(encoding="utf-8-sig", errors="replace") as file:
        first = file.readline()
    separator = max(tables.SEPARATORS, key=first.count)
    table = tables.numbers(path, separator, (), Unusable)
    table.columns = table.columns.str.lower()
    if len(table) < 2:
        raise Unusable(f"{path.name} holds {len(table)} samples")
    own = {channel: [name for name in table if name == channel or name in axes(channel)] for channel in channels}
    if not any(own.values()):
        raise Unusable(f"{path.name} has no column {' or '.join(channels)}; it has: {', '.join(table.columns)}")
    times = next((table[name].to_numpy() for name in TIME if name in table), None)
    rate = rate if times is None else rate_of(times, path.name)
    if rate is None:
        raise Unusable(f"{path.name} has no column {' or '.join(TIME)} in seconds, and no --rate was given")
    values = {channel: table[names].to_numpy().squeeze(1 if len(names) == 1 else ()) for channel, names in own.items()}
    return {channel: Signal(rate, values[channel] if own[channel] else np.empty(0)) for channel in channels}


def axes(channel: str) -> tuple[str, ...]:
    return tuple(f"{channel}_{axis}" for axis in "xyz")


def rate_of(times: np.ndarray, name: str) -> float:
    """Samples per second by the median step; Unusable unless it is between 1 and 100000 Hz and time goes on."""
    steps = np.diff(times)
    step = float(np.nanmedian(steps)) if np.isfinite(steps).any() else np.nan
    if not 1e-5 <= step <= 1 or (steps <= 0).any():
        raise Unusable(f"{name}: time advances by {step:g} a row; expected seconds that increase, at 1 Hz or more")
    return round(1 / step, 3)
