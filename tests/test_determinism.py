"""Numbers depend on what is asked, never on how it is computed or on what else is asked."""

import ast
import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from conftest import kdot, small_cell, teach
from test_params import SHIPPED

from benchmark import student
from benchmark.params import Method
from pipelines import features, plan, prepare, stage

ROOT = SHIPPED.parent
METHODS = {"prevalent_only": Method(), "kd": Method(terms={"kd": {}}, task_weight=0.1), "kdot": kdot()}


def suite(**more) -> dict:
    """The shipped params with three people of two clips."""
    raw = yaml.safe_load(SHIPPED.read_text())
    raw["suite"] |= {"datasets": ["biovid"], "tasks": ["biovid_level"], "methods": ["prevalent_only", "kd"]}
    raw["populations"]["shared"] |= {"subjects": 3, "clips": 2}
    raw["studies"], raw["runtime"] = {}, more
    return raw


def written(folder: Path, part: str) -> dict[str, str]:
    """Digest of every file below a folder."""
    paths = sorted(path for path in (folder / part).rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.md5(path.read_bytes()).hexdigest() for path in paths}


def extracted(folder: Path, patch, **runtime) -> dict[str, str]:
    """Recordings, clips and features of a project in a folder."""
    (folder / "data" / "raw" / "biovid").mkdir(parents=True)
    (folder / "data" / "raw" / "biovid" / "README.md").write_text("the tree")
    (folder / "params.yaml").write_text(yaml.safe_dump(suite(**runtime)))
    patch.chdir(folder)
    plan.main()
    prepare.main("biovid")
    features.main("biovid")
    return written(folder, "data")


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """Extracted by one process."""
    with pytest.MonkeyPatch.context() as patch:
        return extracted(tmp_path_factory.mktemp("alone"), patch, workers=1)


def test_workers_change_no_byte(alone, tmp_path, monkeypatch):
    assert extracted(tmp_path, monkeypatch, workers=2) == alone


def test_the_order_in_which_folders_are_listed_changes_no_byte(alone, tmp_path, monkeypatch):
    listed, scanned = os.listdir, os.scandir

    class Backwards(list):
        def __enter__(self):
            return iter(self)

        def __exit__(self, *_):
            pass

        def close(self):
            pass

    monkeypatch.setattr(os, "listdir", lambda *where: sorted(listed(*where), reverse=True))
    monkeypatch.setattr(
        os, "scandir", lambda *where: Backwards(sorted(scanned(*where), key=lambda own: own.name, reverse=True))
    )
    assert extracted(tmp_path, monkeypatch, workers=1) == alone


def test_the_order_of_sets_changes_no_byte(alone, tmp_path):
    """Python draws it anew in every process, from PYTHONHASHSEED."""
    code = """
import sys; sys.path[:0] = sys.argv[1:3]
from pathlib import Path
import pytest, test_determinism
with pytest.MonkeyPatch.context() as patch:
    print(test_determinism.extracted(Path(sys.argv[3]), patch, workers=1))
"""
    words = [sys.executable, "-c", code, str(ROOT), str(ROOT / "tests"), str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, env=os.environ | {"PYTHONHASHSEED": "4242"})
    assert done.returncode == 0, done.stderr[-2000:]
    assert ast.literal_eval(done.stdout.splitlines()[-1]) == alone


def trained(**more) -> dict[str, dict[tuple[int, int], dict[str, torch.Tensor]]]:
    """Weights of the teacher and of students, by model and (fold, seed)."""
    taught = teach(small_cell(**more))
    fits = {name: student.fit(taught.cell, method, taught.given, None) for name, method in METHODS.items()}
    return {
        name: {
            tuple(replica): {key: values[number] for key, values in fitted.state.items()}
            for number, replica in enumerate(taught.cell.replicas)
        }
        for name, fitted in {"teacher": taught.fitted, **fits}.items()
    }


@pytest.fixture(scope="module")
def once():
    return trained(epochs=3)


def same(found: dict, expected: dict) -> None:
    """Every replica of expected has the same bits in found."""
    for name, replicas in expected.items():
        for replica, weights in replicas.items():
            for key, values in weights.items():
                assert torch.equal(found[name][replica][key], values), (name, replica, key)


def test_threads_change_no_bit_of_the_weights(once):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        same(trained(epochs=3), once)
    finally:
        torch.set_num_threads(before)


COMPILED = """if True:
    import sys; sys.path[:0] = [".", "tests"]
    import hashlib
    import torch
    from numba.core.event import Listener, register
    from test_native import clouds, ot, said
    from test_speech import TIME, extract, tone

    class Compilations(Listener):
        seen = False
        on_start = lambda self, event: setattr(self, "seen", True)
        on_end = lambda self, event: None

    found = Compilations()
    register("numba:compile", found)
    torch.set_num_threads(1)
    chosen = ot.choose_anchors(ot.cosine_structure(clouds(96, 30, 1.0)[0]), 30, "dissimilar")
    told = [chosen]
    for seed in range(8):
        told += said(ot.between_points, *clouds(128, 30, 0.3, seed), epsilon=0.01)
    heard = [part.tobytes() for part in extract(tone(150))[:2]]
    print(found.seen, hashlib.md5(b"".join([part.numpy().tobytes() for part in told] + heard)).hexdigest())
"""


def test_what_is_compiled_says_the_same_bits_as_what_is_loaded(tmp_path):
    """Functions that were compiled apart were called in the process that compiled them, and rounded otherwise."""
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    words = {"args": [sys.executable, "-c", COMPILED], "env": environment, "cwd": ROOT, "text": True, "check": True}
    (first, made), (second, loaded) = (subprocess.run(**words, capture_output=True).stdout.split() for _ in range(2))
    assert (first, second) == ("True", "False") and made == loaded


@pytest.mark.parametrize("seeds", [(1, 0), (5, 0, 1), (0, 1, 2, 3, 4)])
def test_other_seeds_change_no_bit_of_a_replica(once, seeds):
    same(trained(epochs=3, seeds=seeds), once)


def test_other_seeds_move_no_replica_to_another_mask():
    few, many = small_cell(seeds=(0, 1)), small_cell(seeds=(5, 1, 0))
    for condition in ("random_30", "random_50"):
        drawn = [dict(zip(own.replicas, own.masks(condition), strict=True)) for own in (few, many)]
        assert all(torch.equal(drawn[1][replica], mask) for replica, mask in drawn[0].items())
    assert {few.turn(replica, 2) for replica in few.replicas} == {0, 1}


def test_a_seed_a_method_a_dataset_a_task_or_a_population_more_leaves_every_other_entry_of_the_plan(
    tmp_path, monkeypatch
):
    """Cells depend on their own entries: what leaves these bytes leaves every number that is made from them."""
    monkeypatch.chdir(tmp_path)

    def planned(raw: dict) -> dict[str, str]:
        stage.PARAMS.write_text(yaml.safe_dump(raw))
        plan.main()
        return written(tmp_path, "results/plan")

    before, raw = planned(suite()), suite()
    raw["populations"]["first"] = raw["populations"]["small"] | {"seed": 3}
    raw["datasets"] = {"first": raw["datasets"]["biovid"] | {"population": "first"}} | raw["datasets"]
    raw["tasks"] = {"first": raw["tasks"]["biovid_level"] | {"dataset": "first"}} | raw["tasks"]
    raw["methods"] = {"first": {"terms": {"kd": {"temperature": 3.0}}}} | raw["methods"]
    raw["suite"]["datasets"].insert(0, "first")
    raw["suite"]["tasks"].insert(0, "first")
    raw["suite"]["methods"].insert(0, "first")
    after = planned(raw)
    assert before.items() <= after.items()
    assert {Path(name).stem for name in after.keys() - before.keys()} == {"first", "kd", "prevalent_only"}


def test_random_numbers_come_from_identities():
    """A generator is made from words and identities in benchmark/seeds.py, or from a number that such a one drew."""
    allowed = {"seeds.py": "seed(*identity)", "head.py": "look.seed"}
    for path in sorted((ROOT / "benchmark").rglob("*.py")):
        for call in (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)):
            name, given = ast.unparse(call.func), ", ".join(map(ast.unparse, call.args))
            where = f"{path.name}: {name}({given})"
            assert not re.fullmatch(r"np\.random\.\w+", name) or (
                name == "np.random.default_rng" and allowed.get(path.name) == given
            ), where
            seeded = "generator" in {keyword.arg for keyword in call.keywords}
            assert seeded or name not in ("torch.randperm", "torch.rand", "torch.randn", "torch.randint"), where
            if name.split(".")[-1] == "generator":
                assert given.startswith(("'", "*identity", "*who")), where


def test_a_generator_of_an_identity_is_the_same_after_any_other():
    from benchmark.seeds import generator

    first = generator("a", 1).random(3)
    generator("b").random(5)
    assert np.array_equal(generator("a", 1).random(3), first)
    assert not np.array_equal(generator("a", "1x").random(3), first)
