"""What a disk, a signal or a clock does to one stage: one sentence, nothing half written, the same bytes afterwards."""

import errno
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import clones
import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
import yaml
from test_determinism import ROOT, suite, written

from benchmark import checkpoints, extraction
from benchmark.files import refusal, replacing, write_json, write_table, write_text
from benchmark.synthesis import face
from pipelines import features, plan, prepare, stage

MANY = np.random.default_rng(0).random(60_000)
WRITERS = {
    "text": lambda path: write_text(path, "x" * 300_000),
    "json": lambda path: write_json(path, MANY.tolist()),
    "csv": lambda path: write_table(path.with_suffix(".csv"), pd.DataFrame({"x": MANY})),
    "parquet": lambda path: write_table(path.with_suffix(".parquet"), pd.DataFrame({"x": MANY})),
    "weights": lambda path: checkpoints.write(path, {"x": torch.from_numpy(MANY)}),
    "video": lambda path: face.write(path.with_suffix(".mp4"), noise()),
}


def noise():
    rng = np.random.default_rng(0)
    return (rng.integers(0, 255, (face.SIZE, face.SIZE, 3)).astype(np.uint8) for _ in range(40))


@pytest.fixture
def disk(tmp_path):
    """A file system of 64 kB."""
    with clones.mounted(tmp_path, "64k") as folder:
        yield folder


@pytest.mark.parametrize("writer", WRITERS)
def test_a_full_disk_is_one_sentence_and_leaves_nothing_half_written(disk, writer):
    with pytest.raises(OSError) as caught:
        WRITERS[writer](disk / "file")
    assert caught.value.errno == errno.ENOSPC and os.listdir(disk) == []
    assert refusal(caught.value).startswith(f"no space is left on the disk of {disk}; free some, then run `dvc repro`")


def test_every_library_that_writes_is_understood(disk):
    for write in (
        lambda: np.save(disk / "a.npy", MANY),
        lambda: np.savez(disk / "a.npz", MANY),
        lambda: soundfile.write(disk / "a.wav", MANY, 16_000),
    ):
        with pytest.raises(Exception) as caught:
            write()
        assert "no space is left" in refusal(caught.value), caught.value
        [path.unlink() for path in disk.iterdir()]


def test_a_full_disk_keeps_the_file_that_was_there(disk):
    write_text(disk / "file", "old")
    with pytest.raises(OSError):
        write_text(disk / "file", "x" * 300_000)
    assert (disk / "file").read_text() == "old" and os.listdir(disk) == ["file"]


def test_a_read_only_disk_is_one_sentence(disk):
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    with pytest.raises(OSError) as caught:
        write_text(disk / "file", "x")
    assert refusal(caught.value).startswith(f"{disk} cannot be written, its disk is read-only; mount it for writing")


def test_a_folder_of_another_user_is_one_sentence():
    """Root may write everywhere: there, another user asks."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o555)
        child = os.fork()
        if child == 0:
            if os.getuid() == 0:
                os.setuid(65534)
            try:
                write_text(Path(folder) / "file", "x")
            except OSError as error:
                os._exit(0 if f"{folder}: Permission denied; give yourself the right" in refusal(error) else 1)
            os._exit(2)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_other_errors_stay_what_they_are():
    assert refusal(FileNotFoundError(errno.ENOENT, "No such file", "a")) is None and refusal(ValueError("x")) is None


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """Three people, prepared and extracted; where that lies, and what it holds."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "data" / "raw" / "biovid").mkdir(parents=True)
    (folder / "data" / "raw" / "biovid" / "README.md").write_text("the tree")
    (folder / "params.yaml").write_text(yaml.safe_dump(suite(workers=2)))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        plan.main()
        prepare.main("biovid")
        features.main("biovid")
    return folder, written(folder, "data")


def started(folder: Path, *words: str) -> subprocess.Popen:
    return clones.started((sys.executable, "-m", *words), folder, os.environ | {"PYTHONPATH": str(ROOT)})


def shards(folder: Path) -> list[Path]:
    return sorted((folder / "data" / "features" / "biovid").glob("*/shards/[!.]*.npz"))


def until(found, process: subprocess.Popen) -> None:
    """Wait until something is found, or the process has ended."""
    while process.poll() is None and not found():
        time.sleep(0.02)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_features_ended_in_the_middle_are_gone_on_with(project, how, monkeypatch):
    folder, whole = project
    for path in shards(folder)[1:]:
        path.unlink()
    kept = shards(folder)[0].stat().st_mtime_ns
    process = started(folder, "pipelines.features", "biovid")
    until(lambda: len(shards(folder)) > 1, process)
    os.killpg(process.pid, how)
    _, said = process.communicate()
    assert process.returncode != 0, "DVC would take it for done"
    if how == signal.SIGINT:
        assert not list((folder / "data" / "features").rglob(".*"))
        assert "Traceback" not in said.partition("error: interrupted; `dvc repro` goes on from here")[0]
    monkeypatch.chdir(folder)
    features.main("biovid")
    assert written(folder, "data") == whole and shards(folder)[0].stat().st_mtime_ns == kept


def test_a_worker_that_is_killed_is_one_sentence_and_what_was_finished_is_kept(project, monkeypatch):
    """As when memory runs out."""
    folder, whole = project
    for path in shards(folder)[1:]:
        path.unlink()
    process = started(folder, "pipelines.features", "biovid")
    killed = []
    until(lambda: killed.extend(clones.workers(process.pid)) or killed, process)
    assert killed, process.communicate()
    os.kill(killed[0], signal.SIGKILL)
    _, said = process.communicate()
    assert process.returncode == 1 and "Traceback" not in said, said
    assert "killed" in said and "runtime.workers" in said and shards(folder)
    monkeypatch.chdir(folder)
    features.main("biovid")
    assert written(folder, "data") == whole


def test_a_kill_while_mlflow_makes_its_tables_leaves_nothing_half_made(tmp_path):
    code = "from benchmark.tracking import store as s\nwith s.connected() as c: print(c.get_experiment('0').name)"
    environment, partial = clones.plain() | {"PYTHONPATH": str(ROOT)}, tmp_path / ".mlflow.tmp.db"
    process = clones.started((sys.executable, "-c", code), tmp_path, environment)
    until(lambda: partial.exists() and partial.stat().st_size > 100_000, process)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert partial.exists(), "it was not in the midst of it"
    assert (tmp_path / "mlflow.db").stat().st_size == 0
    again = clones.started((sys.executable, "-c", code), tmp_path, environment)
    assert again.communicate()[0] == "Default\n" and not partial.exists()


def test_memory_that_runs_out_makes_no_clip_absent_but_a_file_that_asks_for_too_much_does():
    def out_of_memory():
        raise MemoryError

    with pytest.raises(MemoryError):
        extraction.attempt(out_of_memory, "speech")
    found, reason = extraction.attempt(lambda: np.empty(1 << 50), "speech")
    assert found is None and reason.startswith("speech extraction failed: Unable to allocate 8.00 PiB")


def test_ctrl_c_is_told_and_is_no_success(monkeypatch, capsys):
    """typer hands Ctrl-C back as an ordinary value."""

    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sys, "argv", ["stage"])
    with pytest.raises(SystemExit, match="error: interrupted; `dvc repro` goes on from here"):
        stage.run(interrupted)


def test_times_of_files_from_the_past_and_the_future_change_nothing(project, monkeypatch, capsys):
    folder, whole = project
    monkeypatch.chdir(folder)
    features.main("biovid")
    capsys.readouterr()
    for number, path in enumerate(sorted(folder.rglob("*"))):
        moment = time.time() + (1 if number % 2 else -1) * 20 * 365 * 86400
        os.utime(path, (moment, moment))
    features.main("biovid")
    assert written(folder, "data") == whole and ", 0 extracted now" in capsys.readouterr().out


def test_a_clock_that_jumps_while_a_stage_runs_changes_nothing(project):
    folder, whole = project
    for path in shards(folder):
        path.unlink()
    jumping = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (clones.CLOCK, ROOT)))}
    asked = subprocess.run([sys.executable, "-c", "import time; print(time.time())"], capture_output=True, env=jumping)
    assert abs(float(asked.stdout) - time.time()) > 86_400
    process = clones.started((sys.executable, "-m", "pipelines.features", "biovid"), folder, jumping)
    said, complained = process.communicate()
    assert process.returncode == 0, complained
    assert ", 0 kept" in said and written(folder, "data") == whole


def test_a_hidden_leftover_of_a_killed_writer_is_taken_over_by_the_next(tmp_path):
    (tmp_path / ".file.tmp.json").write_text("[1, 2")
    write_json(tmp_path / "file.json", [1, 2, 3])
    assert os.listdir(tmp_path) == ["file.json"]
    with pytest.raises(KeyboardInterrupt), replacing(tmp_path / "file.json") as partial:
        partial.write_text("[")
        raise KeyboardInterrupt
    assert os.listdir(tmp_path) == ["file.json"]
