"""The benchmarks: who takes turns with whom, what the page says, and that every part measures. No time is asserted."""

import json
import math

import numpy as np
import pandas as pd
import pytest
import torch
from test_params import SHIPPED

from benchmark import __main__ as commands
from benchmark import ot
from benchmark import params as choices
from benchmark.bench import (
    cells,
    clock,
    device,
    distillation,
    extraction,
    growth,
    made,
    page,
    parts,
    project,
    recordings,
    reference,
    stages,
)
from benchmark.types import Refused

CPU = torch.device("cpu")
MACHINE = {
    "processor": "made up", "cores": 2, "memory_gib": 8.0, "gpu": None, "python": "3.11", "torch": "2", "threads": 1,
    "load": 0.2,
}  # fmt: skip


def whole(part: dict) -> dict:
    """The part, once every number in it is finite and can be written as JSON."""
    json.dumps(part, allow_nan=False)
    assert part["title"] and part["explanation"] and all(part["tables"].values())
    return part


def test_contestants_take_turns_in_alternating_order_after_a_warm_up():
    called = []
    spent = clock.race({name: lambda own=name: called.append(own) for name in "abc"}, 3)
    assert "".join(called) == "abc" + "abc" + "cba" + "abc"
    assert {name: len(seconds) for name, seconds in spent.items()} == {"a": 3, "b": 3, "c": 3}


def test_short_calls_are_repeated_within_a_turn_and_their_mean_counts():
    now, called = [0.0], []

    def run():
        called.append(1)
        now[0] += 0.1

    spent = clock.race({"run": run}, 2, least=0.5, clock=lambda: now[0])
    assert spent["run"] == pytest.approx([0.1, 0.1]) and len(called) == 1 + 1 + 2 * 5


def test_a_ratio_is_the_median_of_the_ratios_of_each_repetition():
    assert clock.ratio({"slow": [2.0, 30.0, 6.0], "fast": [1.0, 10.0, 1.0]}, "slow", "fast") == 3.0


def test_the_machine_is_told_without_its_name_or_paths():
    told = clock.machine()
    assert set(told) == set(MACHINE) and told["cores"] >= 1 and told["memory_gib"] > 0
    assert not any("/" in str(value) for value in told.values())


def test_the_page_says_whether_a_goal_was_met(tmp_path):
    goals = [
        page.goal("fast enough", 3.2, at_least=3),
        page.goal("small enough", 1200.0, at_most=1000),
        page.goal("on a GPU", None, at_least=10),
    ]
    part = page.part("Part", "Words.", {"Table": [{"name": "x", "value": 0.12345, "none": None}]}, goals)
    text = page.write(tmp_path, {"b": part | {"machine": MACHINE, "repetitions": 5}}, ["a", "b"])
    assert "| fast enough | at least 3 | 3.2 | met |" in text
    assert "| small enough | at most 1000 | 1200 | **missed** |" in text
    assert "| on a GPU | at least 10 |  | not measured |" in text
    assert (
        "| x | 0.123 |  |" in text
        and "made up, 2 cores, 8 GiB, no GPU" in text
        and "before: 0.2. Repetitions: 5." in text
    )


def test_a_part_replaces_its_older_self_and_keeps_the_others(tmp_path):
    def told(words):
        return page.part(words, "Words.", {}, []) | {"machine": MACHINE, "repetitions": 5}

    page.write(tmp_path, {"a": told("first"), "b": told("other")}, ["a", "b"])
    text = page.write(tmp_path, {"a": told("second")}, ["a", "b"])
    assert "## second" in text and "## first" not in text and text.index("## second") < text.index("## other")
    assert list(json.loads((tmp_path / "bench.json").read_text())["parts"]) == ["a", "b"]
    assert (tmp_path / "bench.md").read_text() == text


def test_an_unknown_part_is_refused_in_a_sentence():
    with pytest.raises(Refused, match=r"^--only: there is no 'cel'.*cell"):
        commands.bench(only="step,cel")


def test_only_the_parts_that_are_asked_for_are_measured(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(growth, "measure", lambda results: page.part("Growth", "Words.", {}, []) | {"repetitions": 3})
    text = parts.run(choices.load(SHIPPED), tmp_path, SHIPPED.parent, ["growth"], 5)
    assert "## Growth" in text and "Repetitions: 3." in text and "## Growth" in capsys.readouterr().out


def test_the_reference_is_what_the_loss_of_the_suite_converges_to():
    teacher, student = (z.double() for z in distillation.embeddings(64, "trained"))
    z = student.clone().requires_grad_()
    loss = ot.structure_loss(teacher, z, iterations=2000)
    expected, error = reference.gradient(teacher, student, 30, 0.01, "affine")
    assert error < 1e-6
    torch.testing.assert_close(torch.autograd.grad(loss, z)[0], expected, rtol=1e-4, atol=1e-6 * float(expected.norm()))


def test_a_step_is_timed_beside_others_and_its_gradient_compared():
    part = whole(distillation.measure(1, sizes=(32,), threads=(1,), large=64))
    times, errors, memory = part["tables"].values()
    assert {"kdot", "geomloss", "POT", "floor", "kdot, stacked", "geomloss / kdot"} < set(times[0])
    assert [row["student"] for row in errors] == ["untrained", "trained"]
    assert all(max(row[name] for name in ("kdot", "geomloss", "POT")) < 0.3 for row in errors)
    assert [row["step"] for row in memory] == ["kdot", "geomloss"]
    assert all(row["peak, MB"] >= row["before the step, MB"] > 10 for row in memory)


def test_all_ways_of_training_a_cell_end_at_the_same_scores():
    part = whole(cells.measure(1, CPU, epochs=2, steps=3, clips=400, seeds=1, faithful=1))
    (rows,) = part["tables"].values()
    assert [row["way"] for row in rows] == ["together", "one by one", "plain", "released"]
    assert all(row["largest difference of a metric"] <= 1e-4 for row in rows[:3])
    assert part["goals"][-1]["met"] is True


@pytest.fixture(scope="module")
def small():
    """Recordings of a few seconds."""
    params = choices.load(SHIPPED)
    params.populations["conversation"] = params.populations["conversation"].model_copy(update={"seconds": 12.0})
    return params


def test_extraction_is_timed_for_every_kind_beside_its_yardsticks(small, monkeypatch):
    monkeypatch.setattr(extraction, "SHARED_S", 0.2)
    tables = whole(extraction.measure(small, 1, ["recola"]))["tables"]
    assert set(tables) == {"vision", "biosignal", "speech", "workers"}
    assert tables["vision"][0]["recording, s"] == pytest.approx(24, abs=0.5)
    assert tables["vision"][0]["features / decode"] > 1 and "neurokit / files" in tables["biosignal"][0]
    assert tables["workers"][0]["one / two"] > 0


def test_a_file_as_one_clip_is_extracted_as_a_whole(small, tmp_path):
    own = next(m for m in recordings.render(small, "recola", tmp_path / "recola") if m.kind == "biosignal")
    windows, files = ([len(clips) for _, clips in made.groups] for made in (own, own.as_files()))
    assert files == [1, 1] and min(windows) > 1
    assert all(math.isinf(clips.end_s.iloc[0]) for _, clips in own.as_files().groups)


def test_the_roofline_counts_more_work_for_more_clips():
    part = whole(device.measure(1, CPU, sizes=(32, 64), steps=2, square=64, copied=2**16))
    peaks, steps, training = part["tables"].values()
    assert peaks[0]["GFLOP/s"] > 0 and steps[1]["MFLOP"] > 3.9 * steps[0]["MFLOP"]
    assert [row["replicas"] for row in training] == [1, 15] and training[0]["use"] is None


def test_growth_is_measured_in_processes_of_their_own_and_written_in_long_form(tmp_path, monkeypatch):
    monkeypatch.setattr(made, "METHODS", {"prevalent_only": made.METHODS["prevalent_only"]})
    part = whole(growth.measure(tmp_path, clips=(200, 400), batches=(32,), replicas=(4,), counts=(1,)))
    assert list(part["tables"]) == ["Against clips", "Against batch", "Against replicas"]
    rows = pd.read_csv(tmp_path / "bench" / "growth.csv")
    assert list(rows.columns) == list(growth.COLUMNS) and set(rows.quantity) == {"load_s", "train_s", "memory_mb"}
    assert sorted(rows[rows.against == "clips"].x.unique()) == [200, 400] and np.isfinite(rows.y).all()


@pytest.mark.parametrize("replicas", [1, 2, 5, 15, 30])
def test_a_made_up_task_has_as_many_replicas_as_are_asked_for(replicas, tmp_path):
    growth.prepare(tmp_path / "inputs", 200, replicas)
    cell = made.load(tmp_path / "inputs", made.training(1, 1, 16, growth.seeds(replicas)), CPU)
    assert len(cell.replicas) == replicas and len(cell.table.clip_id) == 200
    assert torch.isfinite(cell.table.x["vision"]).all()


def test_an_exponent_is_the_slope_of_the_last_tenfold():
    rows = [
        {"x": x, "method": "kdot", "replicas": 1, "train_s": 1 + x**1.5, "memory_mb": 300 + x, "imports_mb": 300}
        for x in (10, 1000, 10_000)
    ]
    assert growth.exponent(rows, "train_s", "kdot", 1) == pytest.approx(1.5, abs=1e-3)
    assert growth.exponent(rows, "memory_mb", "kdot", 1) == pytest.approx(1)


@pytest.fixture(scope="module")
def copied(tmp_path_factory):
    """A folder with a small project in it, and a stage that is made up."""
    folder = tmp_path_factory.mktemp("project")
    project.copy(SHIPPED.parent, folder / "small", stages.small(choices.load(SHIPPED)))
    (folder / "small" / "pipelines" / "made_up.py").write_text(STAGE)
    return folder


def test_the_stages_of_a_copy_are_timed(copied, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://somebody.else")
    ran = project.repro(copied / "small", "plan")
    assert [name for name, _ in ran] == ["start of dvc", "plan"] and all(seconds > 0 for _, seconds in ran)
    assert (copied / "small" / "results" / "plan" / "tasks" / "recola_av.json").exists()
    assert "MLFLOW_TRACKING_URI" not in project.environment()


def test_instances_of_a_stage_are_added_up():
    rows = stages.walls([("start of dvc", 1.0), ("distill@a-kd", 2.0), ("distill@a-kdot", 4.0), ("report", 1.0)])
    assert rows[1] == {"stage": "distill", "instances": 2, "seconds": 6.0, "seconds of one": 3.0}
    assert rows[-1] == {"stage": "all", "instances": 3, "seconds": 8.0, "seconds of one": None}


STAGE = """
from pathlib import Path
from benchmark import executor, seeds
from benchmark.sections import Runtime
def main(way):
    if way == "pool":
        executor.map(abs, range(-9, 0), "items", Runtime(workers=1))
    for number in range(9):
        Path("../reached.txt").write_text(str(number))
        seeds.seed(way, number)
if __name__ == "__main__":
    import sys
    main(sys.argv[1])
"""


@pytest.mark.parametrize(
    ("way", "landmark", "reached"), [("loop", "benchmark.seeds:seed", "1"), ("pool", stages.POOL, None)]
)
def test_a_stage_is_watched_until_its_second_item_and_no_longer(way, landmark, reached, copied):
    told = copied / "reached.txt"
    told.unlink(missing_ok=True)
    assert stages.start_up(copied, stages.Start("made up", f"made_up {way}", landmark)) > 0
    assert (told.read_text() if told.exists() else None) == reached
    assert len((copied / "times.txt").read_text().splitlines()) == (2 if way == "loop" else 4)
    assert not (copied / "copy").exists()


def test_a_stage_that_never_does_its_work_is_told(copied):
    with pytest.raises(RuntimeError, match=r"^made_up nothing never came to benchmark.seeds:generator"):
        stages.start_up(copied, stages.Start("made up", "made_up nothing", "benchmark.seeds:generator"))
