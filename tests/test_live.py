"""Curves of models in training are mirrored as they grow, whatever happens to their files or to the server."""

import math

import pytest
from test_tracking import empty, mlflow  # noqa: F401

from benchmark.tracking import epochs, live, store

HEADER = "epoch,fold,seed,term,value\n"


def lines(*numbers, value=1.0, seeds=(0, 1)):
    return "".join(f"{epoch},0,{seed},kd,{value + seed}\n" for epoch in numbers for seed in seeds)


class Training:
    """A model in training, and what MLflow shows of it."""

    def __init__(self, folder):
        self.folder = folder / "models" / "made_up" / "kd"
        self.live = live.Live("tests", folder / "models")
        self.curves = self.folder / "curves.csv"

    def write(self, text, name="curves.csv"):
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / name).open("a") as file:
            file.write(text)

    def end(self):
        (self.folder / "card.json").write_text("{}")

    def runs(self):
        client = mlflow.MlflowClient()
        number = client.get_experiment_by_name("tests").experiment_id
        return {run.data.tags["key"]: run for run in client.search_runs([number], "tags.level = 'live'")}

    def history(self, key="live/made_up/kd"):
        found = mlflow.MlflowClient().get_metric_history(self.runs()[key].info.run_id, "epoch/kd")
        return [(point.step, point.value) for point in found]


@pytest.fixture
def training(tmp_path, monkeypatch, empty):  # noqa: F811
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mlflow.db").write_bytes(empty.read_bytes())
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    yield Training(tmp_path)
    mlflow.set_tracking_uri(None)


def test_epochs_appear_one_by_one_as_means_over_replicas(training):
    training.write(HEADER + lines(1))
    assert training.live.update() == 1
    [run] = training.runs().values()
    assert run.info.status == "RUNNING" and run.data.tags["method"] == "kd" and training.history() == []
    training.write(lines(2))
    training.live.update()
    assert training.history() == [(1, 1.5), (2, 1.5)]
    training.write(lines(3, value=4.0))
    training.live.update()
    assert training.history() == [(1, 1.5), (2, 1.5), (3, 4.5)]


def test_a_half_written_epoch_waits_until_it_is_whole(training):
    whole = lines(3, value=4.0)
    for cut in range(len(whole)):
        found = epochs.rows(HEADER + lines(1, 2) + whole[:cut])
        assert epochs.last_complete(found) == 2
    assert epochs.last_complete(epochs.rows(HEADER + lines(1, 2) + whole)) == 3
    assert epochs.last_complete(epochs.rows(HEADER + lines(1, 2, 3) + "4,0")) == 3
    assert epochs.last_complete(epochs.rows("epoch,fo")) == 0


def test_values_that_are_not_finite_are_left_out():
    assert epochs.means(epochs.rows(HEADER + "1,0,0,kd,nan\n1,0,1,kd,2\n2,0,0,kd,inf\n")) == [("kd", 2.0, 1)]
    assert all(math.isfinite(row.value) for row in epochs.rows(HEADER + "1,0,0,kd,x\n\n1,0,kd\n1,0,0,kd,2\n"))


def test_a_training_that_ended_is_finished_with_all_its_epochs(training):
    training.write(HEADER + lines(1))
    training.live.update()
    training.end()
    assert training.live.update() == 0
    assert training.history() == [(1, 1.5)] and training.runs()["live/made_up/kd"].info.status == "FINISHED"
    assert training.live.update() == 0 and len(training.runs()) == 1


def test_a_training_that_began_again_is_shown_anew(training):
    training.write(HEADER + lines(1, 2, 3))
    training.live.update()
    training.curves.write_text(HEADER + lines(1, 2, value=7.0))
    training.live.update()
    assert training.history() == [(1, 7.5), (2, 7.5)] and len(training.runs()) == 1


def test_a_training_that_left_nothing_is_not_shown(training):
    training.write(HEADER + lines(1, 2))
    training.live.update()
    training.curves.unlink()
    assert training.live.update() == 0 and training.runs() == {}


def test_what_was_trained_before_is_not_shown(training):
    training.write(HEADER + lines(1, 2))
    training.end()
    assert training.live.update() == 0 and training.runs() == {}


def test_each_weight_that_is_tried_has_a_run(training):
    for factor in ("0.1", "10"):
        training.write(HEADER + lines(1, 2), f"curves_{factor}.csv")
    assert training.live.update() == 2
    assert set(training.runs()) == {"live/made_up/kd/x0.1", "live/made_up/kd/x10"}


def test_a_watcher_that_starts_again_goes_on(training, tmp_path):
    training.write(HEADER + lines(1, 2))
    training.live.update()
    training.live = live.Live("tests", tmp_path / "models")
    training.live.update()
    assert training.history() == [(1, 1.5), (2, 1.5)]
    training.end()
    training.live = live.Live("tests", tmp_path / "models")
    training.live.update()
    assert [run.info.status for run in training.runs().values()] == ["FINISHED"]


def test_a_run_that_someone_deleted_comes_back(training):
    training.write(HEADER + lines(1, 2))
    training.live.update()
    mlflow.MlflowClient().delete_run(training.runs()["live/made_up/kd"].info.run_id)
    training.write(lines(3))
    with pytest.raises(store.Unreachable):
        training.live.update()
    training.live.update()
    assert [step for step, _ in training.history()] == [1, 2, 3]


def test_the_mirror_leaves_what_trains_and_deletes_what_is_over(training, tmp_path):
    training.write(HEADER + lines(1, 2))
    training.live.update()
    going = epochs.in_training(tmp_path / "models")
    store.mirror("tests", {}, {}, lambda key: key.removeprefix(store.LIVE) in going)
    assert set(training.runs()) == {"live/made_up/kd"}
    training.end()
    training.live.update()
    assert not epochs.in_training(tmp_path / "models")
    store.mirror("tests", {}, {})
    assert training.runs() == {}
    assert training.live.update() == 0 and training.runs() == {}
