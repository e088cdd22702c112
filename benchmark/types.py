"""The vocabulary: what flows between datasets, extractors, models and the protocol."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

SLOPE = "gradient_"  # before a modality: the curve of the gradient norms of its modules, beside those of loss terms


class Unusable(Exception):
    """A recording that cannot be used. Its text is the reason written to failures.csv."""


class WrongTree(Exception):
    """A folder that is not laid out as its dataset's owner distributes it."""


class NoWorkers(Exception):
    """The processes that work is spread over cannot be reached, or were lost; the text says what to do."""


class Refused(Exception):
    """What was asked of a trained student cannot be done; the text says why, and what to do."""


class Modality(NamedTuple):
    """What a dataset promises to deliver under one modality name."""

    kind: str  # vision, speech or biosignal: the file in benchmark/features that extracts it
    channels: tuple[str, ...] = ()  # biosignal only: eda, ecg, emg_<site>, bvp, resp, temp, acc


class Reading(NamedTuple):
    """What a dataset's folder holds."""

    clips: pd.DataFrame  # the clip table: a row per labelled stretch of a recording
    dropped: pd.DataFrame  # path, reason: what carries no usable label or name, or is odd


class Source(NamedTuple):
    """Where one recording lies; a file may hold several, of two people in one picture for example."""

    modality: str
    recording_id: str
    root: Path  # of the dataset
    path: Path  # file or folder, below root


Change = Callable[[int, np.ndarray], np.ndarray | None]  # of a frame, by its number; None where it is lost


class Video(NamedTuple):
    """A video file; decoding is left to the extractor, which streams it."""

    path: Path
    region: tuple[float, float] = (0.0, 1.0)  # left and right edge of where the face is, fractions of the width
    change: Change | None = None  # what happens to a frame after decoding; only degraded recordings have one


class Crops(NamedTuple):
    """Pictures of an aligned face, cut out of a video by the dataset's owners; some frames have none."""

    paths: tuple[Path, ...]  # in the order of time
    times: tuple[float, ...]  # s from the start of the video
    change: Change | None = None


class Audio(NamedTuple):
    """Sound of one recording."""

    rate: float  # Hz
    samples: np.ndarray  # (samples,) float32, mono, -1 to 1


class Signal(NamedTuple):
    """One channel of bio-signals, from the start of the recording; without samples where it was not recorded."""

    rate: float  # Hz
    values: np.ndarray  # (samples,) float64; eda in uS, temp in degrees Celsius, acc in g, the rest in uV or relative


Signals = dict[str, Signal]  # by channel; each has a rate of its own


class Definitions(NamedTuple):
    """The features of an extractor: name -> definition with its unit."""

    segment: dict[str, str]  # measured once per segment of the clip
    clip: dict[str, str]  # measured only on the whole clip


class Features(NamedTuple):
    """The features of one clip, in the order of Definitions; a value that cannot be measured is NaN."""

    segment: np.ndarray  # (segments, len(Definitions.segment)) float32
    clip: np.ndarray  # (len(Definitions.clip),) float32
