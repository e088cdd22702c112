"""Videos as they are found on the web, annotated frame by frame: the layout of Aff-Wild2 with its irregularities."""

from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from benchmark.synthesis import elicitation, film
from benchmark.synthesis.face import SIZE
from benchmark.synthesis.scene import Scene

FPS = (30.0, 25.0, 24.0, 30.0, 15.0, 29.97, 60.0)
PLACES = (("batch1", ".mp4"), ("batch2", ".avi"), ("new_vids", ".mp4"))
EDITION = "6th ABAW Annotations"
RATERS, LAG_S = 4, 0.4
CROP = 112  # px
HEADER = "Neutral,Anger,Disgust,Fear,Happiness,Sadness,Surprise,Other"
POINTS = {  # valence and arousal of each expression in the order of the header
    0: (0.0, 0.0), 1: (-0.6, 0.7), 2: (-0.7, 0.2), 3: (-0.4, 0.8), 4: (0.7, 0.4), 5: (-0.7, -0.5), 6: (0.3, 0.8),
    7: (0.2, -0.7),
}  # fmt: skip


def render_video(job: tuple) -> list[tuple[str, np.ndarray, pd.DataFrame]]:
    """One video with one or two people and their annotations; returns stem, frame times, noise-free labels of each."""
    root, name, population, options, number = job
    fps, (place, ending) = FPS[number % len(FPS)], PLACES[number % len(PLACES)]
    people = [number] if number % 12 != 5 else [number, 1_000_000 + number]  # the second person of a video
    talks = [elicitation.conversation(name, population, who, 0, population.seconds) for who in people]
    scenes = [
        Scene(name, population, (who, 0), t.shown, population.seconds) for who, t in zip(people, talks, strict=True)
    ]
    times, regular = frame_times(scenes[0], fps, variable=number % len(FPS) == 3 and ending == ".mp4")
    title = stem(number, fps, len(people))
    path = root / place / f"{title}{ending}"
    path.parent.mkdir(parents=True, exist_ok=True)
    pictures = zip(*(scene.frames(times) for scene in scenes), strict=True)
    frames = (np.hstack(shown) for shown in pictures)
    sound = None if number % 30 == 11 else sum(s.sound(44_100, t.talking) for s, t in zip(scenes, talks, strict=True))
    film.write(path, frames, fps, sound, 44_100, None if regular else times)
    sides = [title] if len(people) == 1 else [f"{title}_left", f"{title}_right"]
    found = []
    for side, scene, talk in zip(sides, scenes, talks, strict=True):
        if options.vision == "crops":
            write_crops(root / "cropped_aligned" / side, scene, times)
        labels = annotate(root, side, scene, talk, times, "Validation_Set" if number % 3 == 2 else "Train_Set")
        found.append((side, times, labels))
    return found


def stem(number: int, fps: float, people: int) -> str:
    """Names in the three forms that occur."""
    forms = (f"{number + 1}-{fps:.0f}-{SIZE * people}x{SIZE}", f"{number + 1}", f"video{number + 1}")
    return forms[number % 3]


def frame_times(scene: Scene, fps: float, variable: bool) -> tuple[np.ndarray, bool]:
    """When frames are shown, s from the first, and whether regularly."""
    count = round(scene.seconds * fps)
    if not variable:
        return np.arange(count) / fps, True
    steps = scene.generator("steps").uniform(0.6, 1.4, count) / fps
    times = np.round(np.cumsum(steps) - steps[0], 3)
    return times[times < scene.seconds], False


def annotate(root: Path, side: str, scene: Scene, talk, times: np.ndarray, part: str) -> pd.DataFrame:
    """Write annotations of both challenges, a line per frame and sometimes one more; returns noise-free labels."""
    even = np.arange(0, scene.seconds, 0.04)
    noisy, exact = {}, {}
    for label in ("valence", "arousal"):
        state = np.interp(even, talk.shown.felt.times, talk.shown.felt.of(label))
        ratings = elicitation.raters(
            scene.generator("raters", label), state, 0.04, RATERS, LAG_S, scene.population.label_noise
        )
        noisy[label] = np.interp(times, even, ratings.mean(axis=1))
        exact[label] = np.interp(times, even, elicitation.clean_rating(state))
    noisy, exact = (pd.DataFrame(values) for values in (noisy, exact))
    rng = scene.generator("gaps")
    unseen = np.zeros(len(times), bool)
    if rng.random() < 0.3:  # a stretch that nobody labelled
        start = rng.uniform(0, 0.8) * scene.seconds
        unseen = (times >= start) & (times < start + 1.5)
    extra = int(rng.random() < 0.3)
    lines = [f"{v:.3f},{a:.3f}" for v, a in noisy.itertuples(index=False)]
    write_lines(root, "VA_Estimation_Challenge", part, side, "valence,arousal", lines, unseen, "-5,-5", extra)
    codes = [str(code) for code in expressions(noisy)]
    write_lines(root, "EXPR_Classification_Challenge", part, side, HEADER, codes, unseen, "-1", extra)
    return exact.assign(expression=expressions(exact).astype(float))


def expressions(values: pd.DataFrame) -> np.ndarray:
    """The expression nearest to valence and arousal, (frames,) place in the header."""
    points = np.array(list(POINTS.values()))
    return np.argmin(((values.to_numpy()[:, None] - points) ** 2).sum(axis=2), axis=1)


def write_lines(
    root: Path, challenge: str, part: str, side: str, header: str, lines: list[str], unseen, none: str, extra: int
) -> None:
    place = root / EDITION / challenge / part
    place.mkdir(parents=True, exist_ok=True)
    shown = [none if gap else line for line, gap in zip(lines, unseen, strict=True)]
    (place / f"{side}.txt").write_text("\n".join([header, *shown, *shown[-1:] * extra]) + "\n")


def write_crops(place: Path, scene: Scene, times: np.ndarray) -> None:
    """Aligned faces by frame number from 1; none for frames in which no face was found."""
    place.mkdir(parents=True, exist_ok=True)
    lost = scene.generator("lost").random(len(times) // 10 + 1) < 0.1  # a tenth of the stretches of ten frames
    for number, (frame, box) in enumerate(zip(scene.frames(times), scene.boxes(len(times)), strict=True)):
        if lost[number // 10]:
            continue
        x, y, width, _ = box
        matrix = np.float32([[CROP / width, 0, -x * CROP / width], [0, CROP / width, -y * CROP / width]])
        cv2.imwrite(str(place / f"{number + 1:05d}.jpg"), cv2.warpAffine(frame, matrix, (CROP, CROP)))
