"""What extraction is measured against: decoding, detection, NeuroKit's whole processing, librosa's pyin."""

import warnings
from pathlib import Path

import cv2
import numpy as np

from benchmark.bench.recordings import Material
from benchmark.sensing import faces

RATE_HZ = 5.0  # of analysed frames, as params.yaml has it
PITCH_HZ = (65.0, 500.0)


def decode(material: Material) -> None:
    """Every frame of every video, and nothing else."""
    for video in material.recordings:
        for _ in frames(video.path, keep=False):
            pass


def detect(material: Material) -> None:
    """Every frame decoded; in those that are analysed OpenCV's frontal cascade searches the whole picture, as large as
    the extractor has it."""
    cascade = cv2.CascadeClassifier(f"{cv2.data.haarcascades}haarcascade_frontalface_default.xml")
    for video in material.recordings:
        for picture in frames(video.path, keep=True):
            zoom = max(1.0, max(picture.shape) / faces.LONGER)
            small = cv2.resize(picture, None, fx=1 / zoom, fy=1 / zoom, interpolation=cv2.INTER_AREA)
            grey = cv2.equalizeHist(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY))
            least = int(0.2 * min(grey.shape))
            cascade.detectMultiScale(grey, 1.1, 3, minSize=(least, least))


def follow(material: Material) -> None:
    """Every frame decoded, and the face found and followed as the extractor does it, but nothing measured."""
    for video in material.recordings:
        for _ in faces.follow(faces.Film(video, RATE_HZ)):
            pass


def frames(path: Path, keep: bool):
    """The analysed frames of a video, all of which are decoded; only kept ones are converted into pictures."""
    cv2.setNumThreads(1)
    capture, number = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG), 0
    step = max(1, round((capture.get(cv2.CAP_PROP_FPS) or 25) / RATE_HZ))
    while capture.grab():
        if keep and number % step == 0:
            yield capture.retrieve()[1]
        number += 1
    capture.release()


def neurokit(material: Material) -> int:
    """NeuroKit's eda_, ecg_, rsp_, ppg_ and emg_process of every channel; how many of them failed."""
    import neurokit2 as nk

    process = {"eda": nk.eda_process, "ecg": nk.ecg_process, "resp": nk.rsp_process, "bvp": nk.ppg_process}
    failed = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for signals in material.read():
            for channel, signal in signals.items():
                run = process.get(channel, nk.emg_process if channel.startswith("emg") else None)
                try:
                    run and run(np.asarray(signal.values, float), sampling_rate=round(signal.rate))
                except Exception:  # on short or odd signals it does, of many kinds
                    failed += 1
    return failed


def pyin(material: Material) -> None:
    """The usual recipe in librosa: pitch by pyin, coefficients, level and spectral shape."""
    import librosa

    for audio in material.read():
        samples = librosa.resample(audio.samples, orig_sr=audio.rate, target_sr=16000)
        framing = {"hop_length": 256}
        librosa.pyin(samples, fmin=PITCH_HZ[0], fmax=PITCH_HZ[1], sr=16000, frame_length=1024, **framing)
        librosa.feature.mfcc(y=samples, sr=16000, n_mfcc=13, n_fft=1024, **framing)
        librosa.feature.rms(y=samples, frame_length=1024, **framing)
        librosa.feature.zero_crossing_rate(samples, frame_length=1024, **framing)
        for measure in (librosa.feature.spectral_centroid, librosa.feature.spectral_rolloff):
            measure(y=samples, sr=16000, n_fft=1024, **framing)
        librosa.feature.spectral_flatness(y=samples, n_fft=1024, **framing)
