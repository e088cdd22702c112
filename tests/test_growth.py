"""Growth: what is done a part at a time is what is done at once, and memory stays while the clips become more."""

import os
import subprocess
import sys
import warnings
from pathlib import Path

import made_inputs
import numpy as np
import pandas as pd
import pytest
import torch
from conftest import MASKS, silent
from made_inputs import TASK

from benchmark import cell as cells
from benchmark import comparison, controls, evaluation, extraction, files, inputs, missing, plugins, student
from benchmark.params import Method, Training
from benchmark.types import Modality

ROOT = Path(__file__).parents[1]
CLIPS = 150  # more than one part, and a part of one clip
FEW = 7  # clips at a time; a last part of 3


@pytest.fixture
def folder(tmp_path) -> Path:
    """Inputs of a made-up task."""
    made_inputs.dataset(tmp_path, CLIPS, subjects=10)
    return made_inputs.gathered(tmp_path)


def shards(root: Path, clips: pd.DataFrame) -> Path:
    """Shards of the made-up vision, as extraction leaves them; every tenth clip has a reason."""
    own, packed = root / "packed" / "vision", np.load(root / "data/features/made_up/vision/features.npy", mmap_mode="r")
    (own / "shards").mkdir(parents=True)
    for who, rows in clips.groupby("subject_id").indices.items():
        reason = np.where(rows % 10, "", "too dark")
        np.savez(own / "shards" / extraction.shard_name(who), header="", features=packed[rows], reason=reason)
    return own


def packed(own: Path, clips: pd.DataFrame) -> pd.DataFrame:
    return extraction.pack(own, clips, Modality("vision"), plugins.load("features", "vision").Options())


def test_shards_packed_one_by_one_are_the_file_that_stacking_all_of_them_gives(tmp_path):
    clips = made_inputs.dataset(tmp_path, CLIPS, subjects=9)
    own = shards(tmp_path, clips)
    (own / "shards" / extraction.shard_name("who left")).write_text("")
    index = packed(own, clips)
    assert (own / "features.npy").read_bytes() == (tmp_path / "data/features/made_up/vision/features.npy").read_bytes()
    assert list(index.clip_id) == list(clips.clip_id) and len(list((own / "shards").iterdir())) == 9
    assert list(index.reason) == ["" if number % 10 else "too dark" for number in range(CLIPS)]
    assert list(index.present) == [bool(number % 10) for number in range(CLIPS)]
    np.save(tmp_path / "saved.npy", np.load(own / "features.npy"))
    assert (own / "features.npy").read_bytes() == (tmp_path / "saved.npy").read_bytes()


def test_a_mapped_file_has_its_space_on_the_disk_before_it_is_written_to(tmp_path):
    """Else a disk that becomes full ends the process by a signal."""
    array = files.room(tmp_path / "a.npy", (1000, 300))
    assert (tmp_path / "a.npy").stat().st_blocks * 512 >= array.nbytes


@pytest.mark.parametrize("clips", [1, FEW - 1, FEW, FEW + 1, CLIPS])
@pytest.mark.parametrize("encoder", ["pooled", "temporal"])
def test_features_shaped_a_few_clips_at_a_time_are_bit_by_bit_those_of_all(tmp_path, monkeypatch, clips, encoder):
    monkeypatch.setattr(inputs, "CLIPS", FEW)
    made_inputs.dataset(tmp_path, clips, subjects=1)
    own = tmp_path / "data" / "features" / "made_up" / "vision"
    (own / "features.npy").rename(own / "vision.npy"), (own / "names.json").rename(own / "vision.json")
    whole, segment = np.load(own / "vision.npy"), inputs.recorded(own, "vision")[1]
    rows, starts = np.random.default_rng(0).permutation(clips)[: clips - clips // 3], np.arange(2 * clips) % 7
    given, starts = inputs.Listed(whole, rows, rows >= 0), starts.reshape(2, clips)
    same_bits(inputs.whole(own, "vision", encoder), inputs.shaped(whole, segment, encoder))
    same_bits(inputs.reshaped(own, "vision", given, encoder), inputs.shaped(whole[rows], segment, encoder))
    cut = [inputs.shaped(missing.cut(whole, start, 0.3), segment, encoder) for start in starts]
    same_bits(inputs.gapped(own, "vision", starts, 0.3, encoder), torch.stack(cut))


def same_bits(found: torch.Tensor, expected: torch.Tensor) -> None:
    assert found.shape == expected.shape and found.dtype == expected.dtype == torch.float32
    assert torch.equal(found.contiguous().view(torch.int32), expected.contiguous().view(torch.int32))


@pytest.mark.parametrize("encoder", ["pooled", "temporal"])
def test_features_that_are_mapped_train_as_those_in_memory(folder, monkeypatch, encoder):
    training = Training(seeds=[0], encoder=encoder, batch=32, epochs=2, steps=2, rate=0.003, decay=0.01)
    weights, before = [], sorted(folder.iterdir())
    for large in (files.LARGE, 1000):
        monkeypatch.setattr(files, "LARGE", large)
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # torch warns of memory that cannot be written to
            cell = cells.load("made_up", TASK, training, folder, torch.device("cpu"), None)
        assert bool(mapped(folder)) == (large == 1000)
        assert sorted(folder.iterdir()) == before, "the file has no name"
        weights.append(student.fit(cell, Method(), {}, None, silent).state)
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def mapped(folder: Path) -> str:
    """What this process maps of files in a folder that have no name."""
    lines = Path("/proc/self/maps").read_text().splitlines()
    return "\n".join(line for line in lines if str(folder) in line and "deleted" in line)


def test_predictions_made_a_few_clips_at_a_time_are_those_made_at_once(taught, monkeypatch):
    scenes = [
        evaluation.Scene(own, torch.from_numpy(taught.cell.table.masks[own.name]) if own.protocol != "subset" else None)
        for own in missing.listed(taught.cell.task, MASKS)
        if own.protocol == "subset" or own.name in taught.cell.table.masks
    ]
    found = []
    for most in (evaluation.MOST, 5 * len(scenes)):
        monkeypatch.setattr(evaluation, "MOST", most)
        own = evaluation.predict(taught.cell, taught.teachers, scenes)
        found.append(own.sort_values(["fold", "seed", "condition", "clip_id"], ignore_index=True))
    keys = [name for name in found[0] if not name.startswith("p")]
    pd.testing.assert_frame_equal(found[0][keys], found[1][keys])
    pd.testing.assert_frame_equal(found[0], found[1], rtol=1e-5)


def test_signed_ranks_are_those_of_the_table_of_all_pairs():
    rng = np.random.default_rng(0)
    values, weights = np.round(rng.normal(size=40), 1), rng.dirichlet(np.ones(40), 30)
    mean = (values[:, None] + values) / 2
    for rope in (1e-10, 0.1 + 1e-10):
        regions = mean < -rope, np.abs(mean) <= rope, mean > rope
        expected = np.stack([(weights @ region * weights).sum(1) for region in regions], axis=1)
        assert (expected > 0).all()
        np.testing.assert_allclose(comparison.masses(values, weights, rope), expected, atol=1e-14)


def test_identity_is_asked_of_so_many_people_only(taught, monkeypatch):
    assert controls.identity(taught.cell)["vision"]["chance"] == pytest.approx(1 / 12)
    monkeypatch.setattr(controls, "MOST", 4)
    found = controls.identity(taught.cell)["vision"]
    assert found["chance"] == 1 / 4 and found["clips"] == 24


BOUNDED = """
import resource, sys
from pathlib import Path
import pandas as pd, sklearn.model_selection, torch
import made_inputs, test_growth
from benchmark import files, inputs, plugins
root, files.LARGE = Path(sys.argv[1]), int(sys.argv[2])
clips = pd.read_parquet(root / "data" / "prepared" / "made_up" / "clips.parquet")
plugins.load("features", "vision")
held = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmData"))
allowed = 1024 * int(held.split()[1]) + 100 * 2**20
resource.setrlimit(resource.RLIMIT_DATA, (allowed, allowed))
folder = root / "data" / "inputs" / "made_up"
if not folder.exists():
    test_growth.packed(root / "packed" / "vision", clips)
    print("packed")
    made_inputs.gathered(root)
    print("gathered")
for encoder in ("pooled", "temporal"):
    table = inputs.load(made_inputs.TASK, folder, encoder)
    print(encoder, table.x["vision"][torch.arange(0, 42000, 400)].nan_to_num().mean().isfinite().item())
"""


@pytest.fixture(scope="module")
def large(tmp_path_factory) -> Path:
    """200 MB of features, and their shards."""
    root = tmp_path_factory.mktemp("large")
    clips = made_inputs.dataset(root, 42_000, subjects=100)
    assert (root / "data/features/made_up/vision/features.npy").stat().st_size > 195 * 2**20
    shards(root, clips)
    return root


def test_200_mb_of_features_are_packed_copied_and_read_in_100_mb_of_memory(large):
    done = bounded(large, limit=2**24)
    assert done.stdout.split("\n")[:-1] == ["packed", "gathered", "pooled True", "temporal True"], done.stderr[-2000:]
    done = bounded(large, limit=2**40)
    assert done.stdout == "pooled True\n" and "emory" in done.stderr, "what is not mapped does not fit"


def bounded(root: Path, limit: int) -> subprocess.CompletedProcess:
    """A process that may take 100 MB beside what Python and its libraries take; limit: files.LARGE."""
    own = {"PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "tests"))), "ARROW_DEFAULT_MEMORY_POOL": "system"}
    words = [sys.executable, "-c", BOUNDED, str(root), str(limit)]
    return subprocess.run(words, env=os.environ | own, cwd=ROOT, capture_output=True, text=True)
