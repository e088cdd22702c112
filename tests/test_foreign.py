"""Files of other people: damaged, vast, or made to reach what nobody has given. Thousands more of them: `make soak`."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pandas as pd
import pytest
from foreign import PARSERS, REFUSALS, film
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmark import extraction
from benchmark.datasets import biovid, wesad
from benchmark.deployment import recordings
from benchmark.reading import links, media, pickles, ratings, sizes, tables
from benchmark.sensing.faces import Film
from benchmark.types import Crops, Unusable, Video, WrongTree

HERE = Path(__file__).parent
GB = 2**30
QUIET = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@pytest.mark.parametrize("name", PARSERS)
def test_every_parser_reads_what_it_is_meant_for(tmp_path, name):
    parser = PARSERS[name]
    path = tmp_path / "RECOLA-Metadata" / parser.name
    path.parent.mkdir()
    for content in parser.seeds():
        path.write_bytes(content)
        try:
            parser.read(path)
            return
        except REFUSALS as error:
            refused = error
    assert name in ("card", "params.yaml"), refused  # they lack weights, and sections


@pytest.mark.parametrize("name", PARSERS)
@settings(max_examples=40, deadline=None, suppress_health_check=QUIET)
@given(data=st.data())
def test_whatever_is_in_a_file_is_read_or_refused(tmp_path, name, data):
    parser = PARSERS[name]
    path = tmp_path / "RECOLA-Metadata" / parser.name
    path.parent.mkdir(exist_ok=True)
    content = data.draw(st.sampled_from(parser.seeds()))
    for _ in range(data.draw(st.integers(1, 3))):
        at, more = data.draw(st.integers(0, len(content))), data.draw(st.binary(max_size=6))
        content = content[:at] + more + content[at + data.draw(st.integers(0, 6)) :]
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))] if data.draw(st.booleans()) else content)
    try:
        parser.read(path)
    except REFUSALS as error:
        assert str(error)


def test_spoilt_trees_are_read_or_refused_and_nothing_beyond_them_is_opened(tmp_path):
    words = [sys.executable, HERE / "hostile.py", "40", tmp_path]
    done = subprocess.run(words, capture_output=True, text=True, errors="replace", check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout)
    assert len(found) == 7 and all(own["refused"] and own["trees"] == 40 for own in found.values())


def vast(path: Path, size: int, start: bytes = b"") -> Path:
    """A file of that size, of which the disk holds only the start."""
    path.write_bytes(start)
    os.truncate(path, size)
    return path


@pytest.mark.parametrize(
    ("name", "allowed", "read"),
    [
        ("a.csv", "64 MB", lambda path: tables.text(path, ",", (), WrongTree)),
        ("a.csv", "512 MB", lambda path: tables.numbers(path, ",", (), Unusable)),
        ("a.csv", "512 MB", lambda path: recordings.signals(path, ("ecg",), 100.0)),
        ("a.arff", "64 MB", ratings.gold),
        ("S2_quest.csv", "64 MB", wesad.questionnaire),
        ("S2.pkl", "2048 MB", pickles.read),
    ],
)
def test_a_vast_file_is_refused_and_not_read(tmp_path, name, allowed, read):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(REFUSALS) as caught:
        read(vast(tmp_path / name, 50 * GB))
    assert all(word in str(caught.value) for word in (name, "51200 MB", allowed, "benchmark/reading/sizes.py"))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000, "kB"


@pytest.mark.parametrize("name", ["record", "card", "weights", "params.yaml"])
def test_what_came_from_another_machine_has_a_size_too(tmp_path, name):
    parser = PARSERS[name]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    path = vast(tmp_path / parser.name, 50 * GB, parser.seeds()[0])
    if name == "record":
        assert "is not a whole record" in parser.read(path)
    else:
        with pytest.raises(REFUSALS, match="51200 MB; at most"):
            parser.read(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000, "kB"


def test_a_vast_picture_is_none(tmp_path):
    with pytest.raises(Unusable, match="no frame of the video can be decoded"):
        list(Film(Crops((vast(tmp_path / "1.jpg", 50 * GB),), (0.0,)), 5.0))


def test_a_small_picture_that_unpacks_to_a_vast_one_is_none(tmp_path):
    """In a process of its own: OpenCV reads its limit when it is loaded."""
    code = (
        "import sys, cv2, numpy as np; from pathlib import Path; from benchmark.sensing import faces\n"
        "path = Path(sys.argv[1]); path.write_bytes(cv2.imencode('.png', np.zeros((6000, 6000), np.uint8))[1])\n"
        "print(path.stat().st_size, faces._read(path) is None)"
    )
    said = subprocess.run([sys.executable, "-c", code, tmp_path / "1.png"], cwd=HERE.parent, capture_output=True)
    size, refused = said.stdout.split()
    assert int(size) < 100_000 and refused == b"True"


def test_frames_of_too_many_pixels_are_refused(tmp_path, monkeypatch):
    (tmp_path / "a.mp4").write_bytes(film(".mp4"))
    monkeypatch.setattr(sizes, "PIXELS", 48 * 32 - 1)
    with pytest.raises(Unusable, match="its frames of 48 x 32 have more than 1535 pixels"):
        list(Film(Video(tmp_path / "a.mp4"), 5.0))


def test_sound_that_goes_on_for_ever_is_refused(tmp_path, monkeypatch):
    (tmp_path / "a.mp4").write_bytes(film(".mp4"))
    monkeypatch.setattr(sizes, "SOUND", 5000)
    with pytest.raises(Unusable, match="the sound has more than 5000 samples"):
        media.sound(tmp_path / "a.mp4")


def test_a_wav_that_claims_four_gigabytes_is_truncated(tmp_path):
    content = PARSERS["sound"].seeds()[0]
    claim = (0xFFFFFFF0).to_bytes(4, "little")
    (tmp_path / "a.wav").write_bytes(content[:4] + claim + content[8:40] + claim + content[44:])
    with pytest.raises(Unusable, match="truncated"):
        media.sound(tmp_path / "a.wav")


def playlist(path: Path, target: Path) -> None:
    path.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:2,\n{target}\n#EXT-X-ENDLIST\n")


def stream(path: Path) -> Path:
    """A film as the parts of playlists are."""
    path.with_suffix(".mp4").write_bytes(film(".mp4"))
    with av.open(str(path.with_suffix(".mp4"))) as source, av.open(str(path), "w", format="mpegts") as made:
        tracks = {track.index: made.add_stream_from_template(track) for track in source.streams}
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = tracks[packet.stream.index]
                made.mux(packet)
    return path


@pytest.mark.parametrize("read", [media.sound, media.frame_times, lambda path: list(Film(Video(path), 5.0))])
def test_a_playlist_opens_no_other_file(tmp_path, read):
    """FFmpeg takes a text that names other files, or addresses, for a video."""
    target = stream(tmp_path / "secret.ts")
    os.utime(target, ns=(0, target.stat().st_mtime_ns))
    playlist(tmp_path / "a.m3u8", target)
    with pytest.raises(Unusable, match="cannot be opened"):
        read(tmp_path / "a.m3u8")
    assert target.stat().st_atime_ns == 0
    with av.open(str(tmp_path / "a.m3u8")) as container:  # it would have been
        assert container.streams.audio and target.stat().st_atime_ns > 0


def tree(root: Path) -> Path:
    (root / "data" / "PartA").mkdir(parents=True)
    (root / "data" / "PartA" / "a.csv").write_text("a\n")
    (root / "elsewhere" / "inner").mkdir(parents=True)
    (root / "elsewhere" / "b.csv").write_text("b\n")
    return root / "data"


def test_a_dataset_and_the_folders_in_it_may_be_links(tmp_path):
    raw = tree(tmp_path)
    (raw / "PartB").symlink_to(tmp_path / "elsewhere")
    (raw / "PartB" / "again.csv").symlink_to("b.csv")
    (raw / "PartA" / "other").symlink_to("../PartB/inner")
    links.refuse(raw)
    (tmp_path / "link").symlink_to(raw)
    links.refuse(tmp_path / "link")


@pytest.mark.parametrize(
    ("place", "target"),
    [
        ("PartA/x.csv", "/etc/hostname"),
        ("PartA/x", "../../elsewhere"),
        ("labels.csv", "../elsewhere/b.csv"),
        ("up", ".."),
        ("root", "/"),
        ("PartA/null", "/dev/null"),
        ("PartA/gone", "../../nowhere"),
    ],
)
def test_links_out_of_a_dataset_are_refused(tmp_path, place, target):
    raw = tree(tmp_path)
    (raw / place).symlink_to(target)
    with pytest.raises(WrongTree, match=r"only .*data and folders directly in it may be links") as caught:
        links.refuse(raw)
    assert str(raw / place) in str(caught.value)


def test_pipes_are_refused_and_not_waited_for(tmp_path):
    raw = tree(tmp_path)
    os.mkfifo(raw / "PartA" / "pipe.csv")
    with pytest.raises(WrongTree, match=r"PartA/pipe\.csv is neither a folder nor a file"):
        links.refuse(raw)
    with pytest.raises(Unusable, match="neither a file nor a folder"):
        extraction.inside(raw, "PartA/pipe.csv")
    with pytest.raises(Unusable, match="is not a file"):
        tables.numbers(raw / "PartA" / "pipe.csv", ",", (), Unusable)


@pytest.mark.parametrize("number", ["1e3999999999999999999", "-1E+4294967295", "2.5e-99999999999"])
def test_exponents_that_end_the_process_are_refused(tmp_path, number):
    """pandas 2.3 ends with a segmentation fault at the first, and takes the second for 0.1."""
    (tmp_path / "a.csv").write_text(f"a\n{number}\n")
    with pytest.raises(Unusable, match=r"a\.csv holds a number with the exponent "):
        tables.numbers(tmp_path / "a.csv", ",", ("a",), Unusable)
    assert tables.values(pd.Series([number, "1e3", "-2.5E-07", "x"])).tolist()[1:3] == [1000.0, -2.5e-7]
    assert tables.values(pd.Series([number])).isna().all()


@pytest.mark.parametrize("count", [20_000, 5_000_000])
def test_tables_of_too_many_columns_are_refused(tmp_path, count):
    (tmp_path / "a.csv").write_text("a," * count + "\n1\n")
    with pytest.raises(WrongTree, match="it has more than 10000 columns"):
        tables.text(tmp_path / "a.csv", ",", (), WrongTree)


def test_times_that_go_on_for_ever_are_refused(tmp_path):
    for last in ("1e15", "inf"):
        (tmp_path / "a.arff").write_text(f"@attribute frameTime\n@attribute GoldStandard\n@data\n0,0\n1,0\n{last},0\n")
        with pytest.raises(Unusable, match="more than 1000000 windows"):
            PARSERS["recola gold standard"].read(tmp_path / "a.arff")


def test_folders_that_are_files_are_missing(tmp_path):
    (tmp_path / "PartA" / "starting_point").mkdir(parents=True)
    for name in ("video", "biosignals_raw"):
        (tmp_path / "PartA" / name).write_text("x")
    with pytest.raises(WrongTree, match="not found: video, biosignals_raw"):
        biovid.read(tmp_path, biovid.Options())
    with pytest.raises(WrongTree, match="not found: starting_point"):
        (tmp_path / "two").mkdir()
        (tmp_path / "two" / "PartA").write_text("x")
        biovid.read(tmp_path / "two", biovid.Options())


def test_a_shard_that_unpacks_to_more_than_it_holds_is_none(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", header="{}", features=np.zeros((1000, 1000)), reason=np.array([""]))
    assert extraction.read_shard(tmp_path / "a.npz") is None
    (tmp_path / "b.npz").write_bytes(PARSERS["shard"].seeds()[0])
    assert extraction.read_shard(tmp_path / "b.npz")["features"].shape == (2, 3, 4)
