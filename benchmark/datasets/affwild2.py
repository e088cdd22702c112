"""Aff-Wild2 (Kollias and Zafeiriou 2019, BMVC), as distributed for the ABAW competitions.

People      594 videos with valence and arousal (ABAW3 and later), most of one person, some of two; who appears in which
            video is not published, so a video is a group of its own.
Recordings  Videos from the web in any size and frame rate (14 to 60 fps, some variable), most with sound; or the
            aligned face pictures that the owners cut out of them, with gaps where no face was found.
Labels      Valence and arousal, -1 to 1, one line per frame (-5: none); or one of 8 expressions (-1: none).
Licence     Academic use, by signed agreement: https://ibug.doc.ic.ac.uk/resources/aff-wild2
Protocol    The official partition, whose test labels are hidden: train on Train_Set, test on Validation_Set, and report
            it as validation. Each challenge has a partition of its own. Score: mean CCC over all labelled frames
            (here `ccc_frames`; a model predicts windows); macro-F1 for expressions.
Figures     Validation CCC, valence / arousal: ABAW3 baseline .310 / .170; joint cross-attention .663 / .584 (arXiv
            2203.14779). Test: .180 / .170 and .374 / .363.
"""

import re
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, Field

from benchmark.params import Population
from benchmark.reading import media, sizes, tables
from benchmark.reading.trees import below, files, folders
from benchmark.reading.windows import Windows, cut, vote
from benchmark.types import Audio, Crops, Modality, Reading, Source, Unusable, Video, WrongTree

LABELS, PARTITIONS, PEOPLE, TRIALS = ("valence", "arousal", "expression"), ("official",), 10_000, 1
EXPRESSIONS = ("neutral", "anger", "disgust", "fear", "happiness", "sadness", "surprise", "other")
CHALLENGES = {
    "va": ("VA_Estimation_Challenge", "VA_Set"),
    "expr": ("EXPR_Classification_Challenge", "EXPR_Recognition_Challenge", "EXPR_Set"),
}
SETS = {"train_set": "train", "training_set": "train", "validation_set": "test"}
FILMS = ("batch1", "batch2", "batch3", "new_vids")
PICTURES = ("cropped_aligned", "cropped_aligned_new_50_vids")
SIDES = {"_left": (0.0, 0.5), "_right": (0.5, 1.0)}  # where one of two people is in the picture
USUAL_FPS = 30.0
TREE = """
  batch1/*.mp4  batch2/*.avi  new_vids/*.mp4                   the videos (in any of batch1, batch2, batch3, new_vids)
  cropped_aligned/<video>/00001.jpg                            or the aligned faces, with options.vision: crops
  6th ABAW Annotations/                                        any edition; or annotations/ of the first release
    VA_Estimation_Challenge/{Train_Set,Validation_Set}/<video>.txt      valence,arousal; a line per frame
    EXPR_Classification_Challenge/{Train_Set,Validation_Set}/<video>.txt"""


class Options(BaseModel, extra="forbid"):
    challenge: Literal["va", "expr"] = Field("va", description="whose labels and partition; they must not be pooled")
    vision: Literal["videos", "crops"] = Field("videos", description="the videos, or the owners' aligned faces")
    windows: Windows = Windows(length_s=2.0, hop_s=2.0)


def modalities(options: Options) -> dict[str, Modality]:
    return {"vision": Modality("vision"), "speech": Modality("speech")}


def expected_tree(options: Options) -> str:
    return TREE


def read(root: Path, options: Options) -> Reading:
    """The clip table: windows of every annotated video, of each person where there are two.

    Line k of an annotation is frame k of its video, at the time its container gives that frame. A video whose
    annotation is broken or holds no label is dropped by name; so are windows with too few labelled frames.
    """
    annotated, films, dropped = annotations(root, options), *videos(root)
    crops = {place.name.lower(): place for kind in PICTURES for top in folders(root, kind) for place in subfolders(top)}
    clips = []
    for stem, (role, path) in sorted(annotated.items()):
        film = films.get(video_of(stem).lower())
        seen = film if options.vision == "videos" else crops.get(stem.lower())
        try:
            own, lost = windowed(stem, path, film, options)
        except Unusable as error:
            dropped.append((below(root, path), str(error)))
            continue
        if lost:
            dropped.append((below(root, path), f"{lost} windows with too few labelled frames or too little agreement"))
        expected = f"batch1/{video_of(stem)}.mp4" if options.vision == "videos" else f"{PICTURES[0]}/{stem}"
        sound = below(root, film) or f"batch1/{video_of(stem)}.mp4"
        paths = {"vision": below(root, seen) or expected, "speech": sound}
        clips.append(own.assign(recording_id=stem, subject_id=video_of(stem), official=role, **paths))
    unlabelled = sorted(set(films) - {video_of(stem).lower() for stem in annotated})
    dropped += [
        (below(root, films[stem]), f"no annotation of the {options.challenge} challenge") for stem in unlabelled
    ]
    table = pd.concat(clips, ignore_index=True) if clips else pd.DataFrame(columns=["clip_id", "subject_id"])
    return Reading(table, pd.DataFrame(dropped, columns=["path", "reason"]))


def annotations(root: Path, options: Options) -> dict[str, tuple[str, Path]]:
    """Annotation name -> (train or test, its file)."""
    editions = [root, *(place for place in subfolders(root) if "annotations" in place.name.lower())]
    names = CHALLENGES[options.challenge]
    tops = [place for edition in editions for name in names for place in folders(edition, name, 1 + (edition != root))]
    if len(tops) != 1:
        found = ", ".join(below(root, top) for top in tops)
        raise WrongTree(
            f"two editions of annotations, keep one: {found}" if tops else f"no folder {' or '.join(names)}"
        )
    found = {}
    for place in sorted(entry for entry in subfolders(tops[0]) if entry.name.lower() in SETS):
        for path in files(place, ".txt").values():
            if path.stem in found:
                raise WrongTree(
                    f"{path.stem} is annotated twice: {below(root, found[path.stem][1])} and {below(root, path)}"
                )
            found[path.stem] = (SETS[place.name.lower()], path)
    if not found:
        raise WrongTree(f"{below(root, tops[0])} holds no Train_Set or Validation_Set with .txt files")
    return found


def videos(root: Path) -> tuple[dict[str, Path], list[tuple[str, str]]]:
    """Video name (lower case) -> file; and copies in other folders, of which the first in sorted order is used."""
    found, twice = {}, []
    for top in (place for kind in FILMS for place in folders(root, kind)):
        for stem, path in files(top, ".mp4", ".avi").items():
            if stem in found:
                twice.append((below(root, path), f"a second copy; {below(root, found[stem])} is used"))
            found.setdefault(stem, path)
    return found, twice


def subfolders(place: Path) -> list[Path]:
    return sorted(entry for entry in place.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def video_of(stem: str) -> str:
    """The video of an annotation: two people in one video are told apart by _left and _right."""
    return re.sub(r"_(left|right)$", "", stem)


def windowed(stem: str, path: Path, film: Path | None, options: Options) -> tuple[pd.DataFrame, int]:
    """The windows of one annotation with their labels, and how many were dropped."""
    labels = values(path) if options.challenge == "va" else expressions(path)
    times = frame_times(film, stem, len(labels))
    if options.challenge == "va":
        found, lost = cut(times, labels, options.windows)
    else:
        found, lost = vote(times, labels, options.windows)
    return found.assign(clip_id=[f"{stem}_{count:05d}" for count in found.pop("number")]), lost


def values(path: Path) -> pd.DataFrame:
    """Valence and arousal by frame, NaN unless both lie in -1 to 1 (-5 says that none was given)."""
    table = tables.numbers(path, ",", ("valence", "arousal"), Unusable, skip_blank_lines=False)[["valence", "arousal"]]
    if (table > 1).any(axis=None):
        raise Unusable(f"{path.name} holds a value above 1")
    table = table.where((table >= -1).all(axis=1))
    if not table.notna().any(axis=None):
        raise Unusable(f"{path.name} labels no frame")
    return table


def expressions(path: Path) -> pd.Series:
    """Expression by frame as its place in EXPRESSIONS, by the names in the header; -1 says that none was given."""
    table = tables.numbers(path, ",", (), Unusable, skip_blank_lines=False)
    names = [str(name).lower() for name in table.columns]
    if not (names and set(names) <= set(EXPRESSIONS)):
        raise Unusable(f"{path.name} has the header {','.join(names)}; allowed are {', '.join(EXPRESSIONS)}")
    codes = table.iloc[:, 0].where(table.iloc[:, 0] >= 0)
    if not codes.notna().any() or not codes.dropna().isin(range(len(names))).all():
        raise Unusable(f"{path.name} labels no frame, or with a number that is not 0 to {len(names) - 1}")
    return codes.map({code: float(EXPRESSIONS.index(name)) for code, name in enumerate(names)}).rename("expression")


def frame_times(film: Path | None, stem: str, count: int) -> np.ndarray:
    """When each of the first `count` frames is shown, s; by the container, or evenly where the video is not there.

    Annotations may have a few lines more than the container has frames; those go on at its rate.
    """
    if film is None:
        return np.arange(count) / stated_fps(stem)
    known = media.frame_times(film)
    if count > 1.1 * len(known) + 2:
        raise Unusable(f"{count} annotated frames, but the video {film.name} has {len(known)}")
    step = float(np.median(np.diff(known))) if len(known) > 1 else 1 / USUAL_FPS
    beyond = known[-1] + step * np.arange(1, max(0, count - len(known)) + 1)
    return np.concatenate([known, beyond])[:count]


def stated_fps(stem: str) -> float:
    """The frame rate in a name such as 12-24-1920x1080, else the usual one."""
    stated = re.match(r"\d+-(\d+)-\d+x\d+", stem)
    return float(stated[1]) if stated and int(stated[1]) else USUAL_FPS


def recording(source: Source, options: Options) -> Video | Crops | Audio:
    """A whole recording; of two people in a video, the half of the picture with the one that is meant."""
    if source.modality == "speech":
        return media.sound(source.path)
    if options.vision == "videos":
        side = source.recording_id.removeprefix(video_of(source.recording_id))
        return Video(source.path, SIDES.get(side, (0.0, 1.0)))
    numbers = {
        int(path.stem): path
        for path in files(source.path, ".jpg", ".png").values()
        if re.fullmatch("[0-9]+", path.stem)
    }
    if not numbers or max(numbers) > sizes.FRAMES:
        raise Unusable(f"{source.path.name} holds no picture named by its frame number, or one above {sizes.FRAMES}")
    film = videos(source.root)[0].get(video_of(source.recording_id).lower())
    times = frame_times(film, source.recording_id, max(numbers))
    frames = sorted(number for number in numbers if number >= 1)
    return Crops(tuple(numbers[number] for number in frames), tuple(float(times[number - 1]) for number in frames))


def synthesize(root: Path, name: str, population: Population, options: Options, spread) -> pd.DataFrame:
    """Write synthetic videos with annotations of both challenges below root; returns windows with noise-free labels.

    Frame rates differ, one in seven is variable; some videos hold two people, some no sound, some annotations a frame
    more than the video. Aligned faces are written only where options ask for them.
    """
    from benchmark.synthesis import wild

    jobs = [(root, name, population, options, number) for number in range(population.subjects)]
    found = spread(wild.render_video, jobs, f"{population.subjects} videos")
    return pd.concat([clean(*trace, options) for traces in found for trace in traces], ignore_index=True)


def clean(stem: str, times: np.ndarray, labels: pd.DataFrame, options: Options) -> pd.DataFrame:
    """All windows of one person with noise-free labels; one more, as annotations may go on after the last frame."""
    beyond = times[-1] + options.windows.hop_s * np.arange(0.1, 1.05, 0.1)
    times, labels = np.r_[times, beyond], pd.concat([labels, *[labels.tail(1)] * len(beyond)], ignore_index=True)
    windows = options.windows.model_copy(update={"min_valid": 1e-9, "agreement": 1e-9})
    if options.challenge == "va":
        found, _ = cut(times, labels[["valence", "arousal"]], windows)
    else:
        found, _ = vote(times, labels.expression, windows)
    return found.assign(clip_id=[f"{stem}_{count:05d}" for count in found.number])
