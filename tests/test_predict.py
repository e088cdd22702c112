"""Files of somebody without a dataset become clips, and a student says what it thinks of them, whatever is missing."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from conftest import small_cell
from test_vision import person
from typer.testing import CliRunner

from benchmark import __main__ as command
from benchmark import cell as cells
from benchmark import checkpoints, extraction, inputs, models, plugins
from benchmark.datasets import biovid
from benchmark.deployment import prediction, recordings, students
from benchmark.params import Method
from benchmark.reading import media
from benchmark.synthesis import film
from benchmark.types import Refused, Unusable

KINDS = {"vision": (), "speech": (), "biosignal": ("ecg", "eda")}
TAKES = dict.fromkeys(("vision", "speech", "biosignal"))
SEGMENTS = 4


def recipe(kind: str, channels) -> dict:
    """How features are extracted, as the features stage writes it down."""
    extractor = plugins.load("features", kind)
    options = extractor.Options(extras="none") if "extras" in extractor.Options.model_fields else extractor.Options()
    own = {"version": extractor.VERSION, "versions": {}, "channels": list(channels), "segments": SEGMENTS}
    about = own | {"extractor": kind, "options": options.model_dump(mode="json")}
    return extractor.definitions(channels, options)._asdict() | about


BACKWARDS = dict(reversed(recipe("vision", ())["segment"].items()))


def save(folder: Path, takes: tuple[str, ...], windows=None, **more) -> Path:
    """A student with random weights that reads what the extractors really measure; the last one taken is privileged
    where there are two or more."""
    features = {name: recipe(name, KINDS[name]) for name in takes}
    shapes = {name: (2 * len(own["segment"]) + len(own["clip"]),) for name, own in features.items()}
    torch.manual_seed(1)
    networks = [models.Network(shapes, 3, "pooled") for _ in range(3)]
    cell = small_cell(seeds=(0,))
    method = Method(inputs="all") if len(takes) > 2 else Method()
    card = cells.card(cell, "mine") | {"method": method.model_dump(), "windows": windows, "features": features}
    prevalent = takes[:2]
    definition = card["definition"] | {"prevalent": prevalent, "privileged": takes[2:] or ["nothing"]}
    data = {"dataset": "made_up", "provenance": "synthetic", "clips": 1, "subjects": 1}
    card |= {"definition": definition, "shapes": shapes, "data": data} | more
    checkpoints.save(folder, cells.stack(networks), card)
    return folder


@pytest.fixture(scope="module")
def of_faces(tmp_path_factory):
    return save(tmp_path_factory.mktemp("faces"), ("vision",))


@pytest.fixture(scope="module")
def of_all(tmp_path_factory):
    return save(tmp_path_factory.mktemp("all"), ("vision", "speech", "biosignal"))


def voice(seconds: float, rate: int = 16_000) -> np.ndarray:
    """A hum with overtones, louder and softer."""
    time = np.arange(round(seconds * rate)) / rate
    hum = sum(np.sin(2 * np.pi * 140 * k * time) / k for k in range(1, 12))
    return (0.2 * hum * (0.6 + 0.4 * np.sin(2 * np.pi * 3 * time))).astype(np.float32)


def body(path: Path, seconds: float, rate: float = 100.0, time: bool = True) -> None:
    """A table with the time, skin conductance, and an ECG."""
    times = np.arange(round(seconds * rate)) / rate
    beats = np.exp(-((((times * 1.2) % 1) - 0.5) ** 2) / 0.0005)
    noise = np.random.default_rng(0).normal(size=(2, len(times)))
    table = pd.DataFrame({"time": times, "eda": 5 + np.sin(times) + 0.01 * noise[0], "ECG": beats + 0.01 * noise[1]})
    table.drop(columns=[] if time else "time").to_csv(path, index=False, sep=";")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """One recording of three files, and another of a video with sound."""
    folder = tmp_path_factory.mktemp("files")
    person(folder / "a.mp4", 1, 150)
    soundfile.write(folder / "a.wav", voice(6.0), 16_000)
    body(folder / "a.csv", 6.0)
    (folder / "more").mkdir()
    person(folder / "more" / "silent.mp4", 2, 75)
    import cv2

    capture, frames = cv2.VideoCapture(str(folder / "more" / "silent.mp4")), []
    while (read := capture.read())[0]:
        frames.append(read[1])
    (folder / "more" / "silent.mp4").unlink()
    film.write(folder / "more" / "b.mp4", frames, 25.0, voice(3.0), 16_000)
    return folder


def predict(student: Path, *paths: Path, **how) -> pd.DataFrame:
    return prediction.predict(students.load(student), list(paths), workers=1, **how)[0]


def test_files_of_a_name_belong_together_and_a_video_gives_its_sound(of_all, files):
    rows = predict(of_all, files).set_index("clip")
    assert list(rows.index) == ["a", "more/b"]
    assert rows.seen.tolist() == ["vision+speech+biosignal", "vision+speech"]
    assert rows.reason.tolist() == ["", ""], "that there are no bio-signals needs no telling"
    assert rows.end_s.tolist() == pytest.approx([6.0, 3.0], abs=0.1)
    assert np.allclose(rows[["p_0", "p_1", "p_2"]].sum(axis=1), 1) and (rows.spread > 0).all()
    assert rows.prediction.tolist() == [row.idxmax()[2:] for _, row in rows[["p_0", "p_1", "p_2"]].iterrows()]
    assert set(rows.student) == {"SYNTHETIC made_up/mine"}


def test_a_modality_that_is_not_there_is_masked(of_all, files, tmp_path):
    shutil.copy(files / "a.mp4", tmp_path / "a.mp4")
    row = predict(of_all, tmp_path).iloc[0]
    assert row.seen == "vision" and row.reason == "speech: the file has no audio track"
    found = students.load(of_all)
    (clip,) = prediction.clips(
        recordings.Recording("a", {"vision": files / "a.mp4"}, []), prediction.jobs(found), None, None
    )
    x, masks = {}, {}
    for name in clip.x:
        shape = found.card["shapes"][name]
        x[name] = torch.full((1, *shape), 99.0)  # whatever stands there, it is not seen
        masks[name] = torch.tensor([name == "vision"])
    x["vision"] = torch.from_numpy(
        inputs.pool(clip.x["vision"][None], len(found.card["features"]["vision"]["segment"]))
    )
    assert students.answer(found, x, masks)[0][0].tolist() == pytest.approx([row.p_0, row.p_1, row.p_2], abs=1e-6)


def test_what_is_measured_is_what_the_pipeline_measures(of_faces, files):
    found = students.load(of_faces)
    job = prediction.jobs(found)["vision"]._replace(root=files, layout="biovid", dataset_options=biovid.Options())
    listed = pd.DataFrame({"clip_id": ["whole", "part"], "start_s": [0.0, 2.0], "end_s": [np.inf, 4.0]})
    expected = extraction.extract_recording(job, "a", "a.mp4", listed)
    (recording,) = recordings.find([files / "a.mp4"], found.takes)
    (whole,) = prediction.clips(recording, prediction.jobs(found), None, None)
    parts = prediction.clips(recording, prediction.jobs(found), prediction.Cut(2.0, 2.0), None)
    assert [(part.start_s, part.end_s) for part in parts] == [(0, 2), (2, 4), (4, 6)]
    np.testing.assert_array_equal(whole.x["vision"], expected["whole"][0])
    np.testing.assert_array_equal(parts[1].x["vision"], expected["part"][0])
    assert not expected["whole"][1] and np.isfinite(expected["whole"][0][:-1, :10]).all()


def test_windows_are_those_of_the_training_unless_others_are_asked_for(files, tmp_path):
    folder = save(tmp_path / "student", ("vision",), {"length_s": 4.0, "hop_s": 1.0})
    assert predict(folder, files / "a.mp4").start_s.tolist() == [0, 1, 2]
    assert predict(folder, files / "a.mp4", hop=2.0).start_s.tolist() == [0, 2]
    found = predict(folder, files / "a.mp4", window=1.5)
    assert found.start_s.tolist() == [0, 1.5, 3, 4.5] and found.end_s.tolist() == [1.5, 3, 4.5, 6]
    short = predict(folder, files / "more" / "b.mp4")
    assert len(short) == 1 and short.end_s[0] == pytest.approx(3.0, abs=0.1), "shorter than a window: one clip"


def test_a_window_that_is_none_is_refused(of_faces, files):
    for how, told in (
        ({"hop": 2.0}, "--hop needs --window"),
        ({"window": -1.0}, "must be seconds above 0"),
        ({"rate": 0.0}, "--rate 0"),
    ):
        with pytest.raises(Refused, match=told):
            predict(of_faces, files / "a.mp4", **how)


def test_what_cannot_be_seen_is_a_row_with_a_reason_and_the_others_stay(of_all, files, tmp_path):
    shutil.copy(files / "a.mp4", tmp_path / "good.mp4")
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "text.mp4").write_text("no video")
    (tmp_path / "cut.mp4").write_bytes((files / "a.mp4").read_bytes()[:3000])
    (tmp_path / "lfs.mp4").write_text("version https://git-lfs.github.com/spec/v1\n")
    film.write(tmp_path / "wall.mp4", [np.full((96, 96, 3), 90 + k % 3, np.uint8) for k in range(60)], 25.0)
    soundfile.write(tmp_path / "quiet.wav", np.zeros(16_000, np.float32), 16_000)
    (tmp_path / "words.csv").write_text("eda;ecg\n1;two\n")
    rows = predict(of_all, tmp_path).set_index("clip")
    assert rows.seen["good"] == "vision" and rows.p_0["good"] > 0
    others = rows.drop("good")
    assert set(others.index) == {"empty", "text", "cut", "lfs", "wall", "quiet", "words"}
    assert (
        (others.seen == "").all()
        and others[["p_0", "spread"]].isna().all(axis=None)
        and (others.prediction == "").all()
    )
    assert "git-lfs pointer" in rows.reason["lfs"] and "no face" in rows.reason["wall"]
    assert "words.csv cannot be read" in rows.reason["words"] and "speech" in rows.reason["quiet"]
    assert not rows.reason.str.contains("Error:").any()


@pytest.mark.parametrize(
    "listed, takes, expected",
    [
        (["a.mp4"], "vision", {"a": {"vision": "a.mp4"}}),
        (["a.MP4", "a.csv"], "vision", {"a": {"vision": "a.MP4"}}),
        (["a.mp4", "b.wav"], "vision speech", {"a": {"vision": "a.mp4", "speech": "a.mp4"}, "b": {"speech": "b.wav"}}),
        (["a.mp4", "a.wav"], "vision speech", {"a": {"vision": "a.mp4", "speech": "a.wav"}}),
        (["a.mp4"], "speech", {"a": {"speech": "a.mp4"}}),
        (["a.csv"], "wrist chest", {"a": {"wrist": "a.csv"}}),
        (["a.chest.csv", "a.wrist.csv"], "wrist chest", {"a": {"wrist": "a.wrist.csv", "chest": "a.chest.csv"}}),
        (["a.chest.csv", "a.csv"], "wrist chest", {"a": {"wrist": "a.csv", "chest": "a.chest.csv"}}),
        (["a.b.mp4", "a.b.wav", "x.txt"], "vision speech", {"a.b": {"vision": "a.b.mp4", "speech": "a.b.wav"}}),
        (["a.mp4", "._a.mp4"], "vision", {"a": {"vision": "a.mp4"}}),
        (["s1/a.mp4", "s2/a.mp4"], "vision", {"s1/a": {"vision": "s1/a.mp4"}, "s2/a": {"vision": "s2/a.mp4"}}),
    ],
)
def test_each_modality_gets_its_file(tmp_path, listed, takes, expected):
    for name in listed:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    kinds = {name: {"wrist": "biosignal", "chest": "biosignal"}.get(name, name) for name in takes.split()}
    found = recordings.find([tmp_path], kinds)
    assert {
        own.name: {m: f.relative_to(tmp_path).as_posix() for m, f in own.files.items()} for own in found
    } == expected


def test_equal_names_of_different_folders_are_told_apart(tmp_path):
    for name in ("s1", "s2"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.mp4").touch()
    paths = [tmp_path / "s1" / "a.mp4", tmp_path / "s2" / "a.mp4", tmp_path / "s2"]
    assert [own.name for own in recordings.find(paths, {"vision": "vision"})] == ["s1/a", "s2/a"]


@pytest.mark.parametrize("name, told", [("none.mp4", "does not exist"), ("a.txt", "is not known; it takes vision")])
def test_a_wrong_path_is_refused(tmp_path, name, told):
    (tmp_path / "a.txt").touch()
    with pytest.raises(Refused, match=told):
        recordings.find([tmp_path / name], {"vision": "vision"})
    with pytest.raises(Refused, match="holds nothing that this student can see"):
        recordings.find([tmp_path], {"vision": "vision"})


def test_signals_have_the_rate_of_their_times_or_the_one_that_is_given(tmp_path):
    body(tmp_path / "timed.csv", 5.0)
    found = recordings.signals(tmp_path / "timed.csv", ("ecg", "eda", "resp"), 7.0)
    assert {name: (own.rate, len(own.values)) for name, own in found.items()} == {
        "ecg": (100.0, 500), "eda": (100.0, 500), "resp": (100.0, 0)
    }  # fmt: skip
    body(tmp_path / "bare.csv", 5.0, time=False)
    assert recordings.signals(tmp_path / "bare.csv", ("ecg",), 50.0)["ecg"].rate == 50.0
    (tmp_path / "axes.csv").write_text("acc_x,acc_y,acc_z\n1,2,3\n4,5,6\n")
    assert recordings.signals(tmp_path / "axes.csv", ("acc",), 32.0)["acc"].values.shape == (2, 3)


@pytest.mark.parametrize(
    "text, told",
    [
        ("eda\n1\n2\n", "no --rate was given"),
        ("pulse\n1\n2\n", "has no column ecg or eda; it has: pulse"),
        ("time,eda\n1,1\n0.5,2\n", "expected seconds that increase"),
        ("time,eda\n0,1\n20,2\n", "at 1 Hz or more"),
        ("eda\n1\n", "holds 1 samples"),
        ("", "cannot be read"),
    ],
)
def test_tables_that_say_too_little_are_unusable(tmp_path, text, told):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(Unusable, match=told):
        recordings.signals(tmp_path / "a.csv", ("ecg", "eda"), None)


@pytest.mark.parametrize(
    "change",
    [{"version": 1}, {"versions": {"mediapipe": "1"}}, {"clip": {"other": ""}}, {"segment": BACKWARDS}],
)
def test_features_that_are_measured_otherwise_today_are_refused(files, tmp_path, change):
    features = {"vision": recipe("vision", ()) | change}
    folder = save(tmp_path / "student", ("vision",), features=features)
    with pytest.raises(Refused, match=f"made by another vision extractor .{next(iter(change))} differ"):
        predict(folder, files / "a.mp4")


def run(*words) -> tuple[int, str]:
    """The command line: how it ended, and what it printed or said."""
    done = CliRunner().invoke(command.app, [str(word) for word in words])
    return done.exit_code, done.output if done.exception is None else f"{done.output}{done.exception}"


def test_the_command_says_synthetic_first_writes_a_table_and_replaces_nothing_unasked(of_faces, files, tmp_path):
    out = tmp_path / "said.csv"
    code, text = run("predict", "--student", of_faces, files / "a.mp4", files / "a.csv", "--out", out, "--fold", 1)
    assert code == 0, text
    assert text.startswith("trained on SYNTHETIC recordings, do not use on people: made_up/mine, one replica\n")
    assert "not taken by this student: a.csv; it takes vision (.mp4" in text
    rows = pd.read_csv(out, keep_default_na=False)
    assert rows.columns.tolist() == [
        "student", "clip", "start_s", "end_s", "prediction", "spread", "p_0", "p_1", "p_2", "seen", "reason"
    ]  # fmt: skip
    assert rows["clip"].tolist() == ["a"] and rows.spread.tolist() == [""] and rows.seen.tolist() == ["vision"]
    out.write_text("mine")
    code, text = run("predict", "--student", of_faces, files / "a.mp4", "--out", out)
    assert code == 1 and "exists; give --force to replace it" in text and out.read_text() == "mine"
    assert run("predict", "--student", of_faces, files / "a.mp4", "--out", out, "--force")[0] == 0
    code, text = run("predict", "--student", of_faces, files / "a.mp4", "--out", out / "inner.csv")
    assert code == 1 and "inner.csv cannot be written" in text
    assert len(pd.read_csv(out)) == 1 and [path.name for path in tmp_path.iterdir()] == ["said.csv"]


def test_a_wrong_command_line_is_told_without_a_traceback(tmp_path):
    words = ["predict", "--student", "x", "y", "--rate", "z"]
    done = subprocess.run([sys.executable, "-m", "benchmark", *words], capture_output=True, text=True)
    assert done.returncode == 2 and "'--rate'" in done.stderr and "Traceback" not in done.stderr
    words = ["predict", "--student", tmp_path, tmp_path, "--out", tmp_path / "out.csv"]
    done = subprocess.run([sys.executable, "-m", "benchmark", *words], capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.startswith("error: ") and len(done.stderr.splitlines()) == 1


def test_processes_change_no_number(of_faces, files):
    one, two = (prediction.predict(students.load(of_faces), [files], workers=count)[0] for count in (1, 2))
    pd.testing.assert_frame_equal(one, two)


def test_sound_alone_is_enough(of_all, files):
    (row,) = predict(of_all, files / "a.wav").itertuples()
    assert row.seen == "speech" and row.reason == "vision: not recorded"
    assert row.end_s == len(media.sound(files / "a.wav").samples) / 16_000
