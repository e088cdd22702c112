"""The vocabulary: what flows between datasets, extractors, models and the protocol."""

from pathlib import Path
from typing import NamedTuple

import numpy as np


class Unusable(Exception):
    """A recording that cannot be used. Its text is the reason written to failures.csv."""


class WrongTree(Exception):
    """A folder that is not laid out as its dataset's owner distributes it."""


class Modality(NamedTuple):
    """What a dataset promises to deliver under one modality name."""

    kind: str  # vision, speech or biosignal: the file in benchmark/features that extracts it
    channels: tuple[str, ...] = ()  # biosignal only: eda, ecg, emg_<site>, bvp, resp


class Video(NamedTuple):
    """A stretch of a video file; decoding is left to the extractor, which streams it."""

    path: Path
    start_s: float = 0.0
    end_s: float = float("inf")


class Signals(NamedTuple):
    """Bio-signals of one clip, all at one rate."""

    rate: float  # Hz
    channels: dict[str, np.ndarray]  # name -> (samples,) float64; eda in uS, the rest in uV


class Audio(NamedTuple):
    """Sound of one clip."""

    rate: float  # Hz
    samples: np.ndarray  # (samples,) float32, mono, -1 to 1


class Definitions(NamedTuple):
    """The features of an extractor: name -> definition with its unit."""

    segment: dict[str, str]  # measured once per segment of the clip
    clip: dict[str, str]  # measured only on the whole clip


class Features(NamedTuple):
    """The features of one clip, in the order of Definitions; a value that cannot be measured is NaN."""

    segment: np.ndarray  # (segments, len(Definitions.segment)) float32
    clip: np.ndarray  # (len(Definitions.clip),) float32
