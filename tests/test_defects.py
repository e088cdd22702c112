"""What went wrong in released code of this field, and cannot here. Each test states the defect that it would notice."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import divided, first_fold, kdot, silent, small_cell, small_task, teach, with_shifted, with_table
from test_biosignal import clip as measured
from test_params import SHIPPED

from benchmark import cell as cells
from benchmark import (
    checkpoints,
    crossfit,
    evaluation,
    inputs,
    intervals,
    params,
    scores,
    spaces,
    splits,
    stats,
    student,
    targets,
    teacher,
    tnet,
    train,
)
from benchmark.models import WIDTH, Network
from benchmark.params import Method, Split

PREVALENT, EVERYTHING = ("vision",), ("vision", "biosignal")


def same(one: dict, two: dict) -> bool:
    return all(torch.equal(values.nan_to_num(7.0), two[name].nan_to_num(7.0)) for name, values in one.items())


@pytest.mark.parametrize("rule", [rule for rule in splits.RULES if not splits.leaky(rule)])
def test_clips_of_a_person_are_never_in_two_roles(rule):
    """Folds, or the split that a backbone was trained on, were drawn over clips: all people were trained on."""
    cell = small_cell()
    ids = {name: getattr(cell.table, name) for name in ("clip_id", "recording_id", "subject_id")}
    drawn = splits.draw(pd.DataFrame(ids), Split(rule=rule, folds=3))
    cell = cells.prepare("made_up", cell.task, cell.training, cell.table, drawn, cell.device)
    for roles in zip(cell.train, cell.validation, cell.test, strict=True):
        people = [set(cell.table.subject_id[rows]) for rows in roles]
        assert all(people) and not (people[0] & people[1] or people[0] & people[2] or people[1] & people[2])


def everything_trained(cell) -> dict[str, train.Fitted]:
    """All that is trained in a cell, one on the other."""
    taught = teach(cell)
    imagining = tnet.fit(cell, taught.said, "mse", silent)
    modules = tnet.hallucinators(cell, taught.fitted.state, imagining.state)
    adapted = spaces.fit(cell, taught.said)
    held, _, spoken = crossfit.fit(cell, taught.said)
    several = taught.said | spaces.said(cell, adapted, taught.said) | {"heldout": spoken}
    given = targets.prepare(cell, teacher.of_training(cell, several), "confident")
    return {
        "teacher": taught.fitted, "tnet": imagining, "spaces": adapted,
        "student": student.fit(cell, kdot(tnet="mse", teacher="confident"), given, modules, silent),
        "of all inputs": student.fit(cell, kdot(inputs="all", teacher="crossfit"), held, None, silent),
    }  # fmt: skip


def test_test_clips_change_neither_weights_nor_the_chosen_epoch():
    """The best epoch was chosen on the clips it was reported on, and the learning rate followed them, too."""
    cell = first_fold(small_cell(epochs=3))
    rows = cell.test[0]
    other = with_shifted(with_shifted(cell, "vision", 9.0, rows), "biosignal", -9.0, rows)
    wrong = cell.table.target.clone()
    wrong[rows] = 2 - wrong[rows]
    one, two = everything_trained(cell), everything_trained(with_table(other, target=wrong))
    for name in one:
        assert same(one[name].state, two[name].state) and (one[name].epoch == two[name].epoch).all(), name
        assert (one[name].score == two[name].score).all() and (one[name].epoch > 0).all(), name


def test_a_teacher_has_learnt_from_its_own_folds_training_clips_alone(taught):
    """One teacher served all folds, and had been trained on the clips that its students were tested on."""
    cell = taught.cell
    for number, rows in enumerate(cell.train):
        measured = cell.table.x["vision"][torch.from_numpy(rows)]
        torch.testing.assert_close(taught.teachers[number].encoders["vision"].standardise.mean, measured.nanmean(0))
    again = teach(with_shifted(first_fold(cell), "vision", 9.0, cell.test[0]))
    assert same({name: values[:2] for name, values in taught.fitted.state.items()}, again.fitted.state)
    assert not torch.allclose(taught.fitted.state["head.weight"][0], taught.fitted.state["head.weight"][2])


def test_the_tnet_that_was_trained_and_saved_is_the_one_that_is_tested(tmp_path, taught, tnets):
    """The T-Net was never trained nor saved, and another random one was drawn for the test."""
    cell = taught.cell
    for name, fitted in (("teacher", taught.fitted), ("tnet_mse", tnets["mse"])):
        checkpoints.save(tmp_path / name, fitted.state, cells.card(cell, name, fitted))
    modules, method = tnet.load_hallucinators(cell, tmp_path, "mse"), kdot(tnet="mse")
    found = student.fit(cell, method, taught.given, modules, silent)
    about = {"method": method.model_dump() | {"digests": {}}}
    checkpoints.save(tmp_path / "pknot", found.state, cells.card(cell, "pknot", found) | about)
    for name in ("pknot", "teacher_hallucinated"):
        for number, network in enumerate(evaluation.restore(cell, tmp_path, name)[1]):
            used = network.hallucinator.tnet.state_dict()
            assert same(used, train.replica_state(tnets["mse"].state, number)), name
            assert not torch.equal(used["layers.0.weight"], tnet.networks(cell)[number].layers[0].weight)


@pytest.mark.parametrize(
    "method",
    [Method(), kdot(), kdot(tnet="mse"), Method(tnet="own"), Method(inputs="all")],
    ids=["plain", "kdot", "pknot", "own", "all"],
)
def test_all_of_a_student_is_trained(taught, imagined, method):
    """The student's encoder was frozen with a random last layer, or with a random first one."""
    modules = {"mse": imagined, "own": tnet.untrained(taught.cell)}.get(method.tnet)
    found = student.fit(taught.cell, method, taught.given, modules, silent)
    for number, network in enumerate(student.networks(taught.cell, method, modules)):
        frozen = "hallucinator." if method.tnet == "mse" else "nothing"
        for name, values in network.named_parameters():
            moved = (found.state[name][number] - values).abs().max() > 1e-4
            assert bool(moved) != name.startswith(frozen), name


def temporal(cell) -> cells.Cell:
    """The same clips as four segments."""
    x = {name: values[:, None].repeat(1, 4, 1) for name, values in cell.table.x.items()}
    for values in x.values():
        values += 0.3 * torch.randn(values.shape, generator=torch.Generator().manual_seed(0))
    return with_table(replace(cell, training=cell.training.model_copy(update={"encoder": "temporal"})), x=x)


def every_model(cell) -> dict[str, Network]:
    """A network of every kind that the suite can build for a cell."""
    imagined = tnet.untrained(cell)
    with_tnet = teacher.networks(cell)[0]
    with_tnet.hallucinator = imagined[0]
    ways = {
        "prevalent_only": Method(), "own": Method(tnet="own"), "dropout": Method(inputs="all", dropout=0.5),
        "zeros": Method(inputs="all", absent="zeros"), "mean": Method(inputs="all", absent="mean"),
    }  # fmt: skip
    students = {
        name: student.networks(cell, way, imagined if way.tnet == "own" else None)[0] for name, way in ways.items()
    }
    return {"teacher": teacher.networks(cell)[0], "teacher_hallucinated": with_tnet} | students


@pytest.mark.parametrize("shape", ["pooled", "temporal"])
def test_a_prediction_does_not_depend_on_the_other_clips_of_its_batch(shape):
    """Attention ran across the batch, so that a clip was judged by its neighbours, all of one class in the test."""
    cell = small_cell(clips=44)
    cell = temporal(cell) if shape == "temporal" else cell
    sorted_by_class = cell.table.target.argsort(stable=True)
    assert len(sorted_by_class) > 512
    for name, network in every_model(cell).items():
        together = network(**cell.view(sorted_by_class[:512], network.inputs)).prediction
        alone = [network(**cell.view(row[None], network.inputs)).prediction for row in sorted_by_class[:512]]
        torch.testing.assert_close(torch.cat(alone), together, atol=1e-5, rtol=0, msg=name)


def test_modalities_attend_to_each_other():
    """With one key to attend to, the output of attention did not depend on the query at all."""
    network = teacher.networks(small_cell())[0]
    view = small_cell().view(slice(0, 8), EVERYTHING)
    hidden = {"x": view["x"], "visible": view["visible"] | {"biosignal": torch.zeros(8, dtype=torch.bool)}}
    both, one = network(**view).z, network(**hidden).z
    with torch.no_grad():
        network.fusion.query_key_value.weight[:WIDTH] *= -3  # what asks
    seen = view["visible"]["biosignal"]
    assert seen.any() and (network(**view).z - both)[seen].abs().amax(1).min() > 1e-3
    torch.testing.assert_close(network(**hidden).z, one)


def test_batches_are_drawn_at_random_whatever_the_order_of_the_clips():
    """Clips were listed class by class and not shuffled, so that a batch held one class."""
    cell = small_cell()
    place = cell.table.target.argsort(stable=True).argsort()
    table = cell.table._replace(clip_id=np.array([f"{number:03d}" for number in place]))
    cell = divided(cell.task, cell.training, table)
    for number, rows in enumerate(cell.train):
        assert (cell.table.target[rows].diff() >= 0).all(), "listed class by class"
        for batch in cell.orders()[number]:
            assert cell.table.target[batch].bincount(minlength=3).max() < 0.8 * len(batch)


def test_every_clip_is_tested_once_and_none_is_dropped_at_the_end():
    """The last, incomplete batch of the test clips was dropped: one in twelve, all of one class."""
    cell = small_cell(subjects=13, clips=11)
    assert any(len(rows) % cell.training.batch for rows in cell.test)
    found = evaluation.predict(cell, student.networks(cell, Method(), None))
    for _, rows in found[found.condition == "vision"].groupby("seed"):
        assert sorted(rows.clip_id) == sorted(cell.table.clip_id)


def test_every_network_takes_the_same_steps_at_the_same_rate(taught, imagined, heldout, monkeypatch):
    """The rate of one network fell a hundredfold every five batches: it was practically not trained."""
    steps, step = [], train.adamw
    monkeypatch.setattr(train, "adamw", lambda *own, **more: (steps.append(more["lr"]), step(*own, **more)))
    cell, counts = taught.cell, {}
    for name, run in {
        "teacher": lambda: teacher.fit(cell, silent),
        "tnet": lambda: tnet.fit(cell, taught.said, "mse", silent),
        "spaces": lambda: spaces.fit(cell, taught.said),
        "prevalent_only": lambda: student.fit(cell, Method(), {}, None, silent),
        "pknot": lambda: student.fit(cell, kdot(tnet="mse"), taught.given, imagined, silent),
        "crossfit": lambda: student.fit(cell, kdot(teacher="crossfit"), heldout[0], None, silent),
    }.items():
        steps.clear()
        run()
        counts[name] = len(steps)
        assert set(steps) == {cell.training.rate}, name
    assert set(counts.values()) == {cell.training.epochs * cell.training.steps}


def test_a_signal_is_measured_in_seconds_whatever_its_rate():
    """The sampling rate was a constant, and a wrong one for half of the recordings."""
    found = []
    for rate in (512.0, 1000.0):
        time = np.arange(round(8 * rate)) / rate
        found.append(measured("emg_corrugator", np.sin(2 * np.pi * 80 * time) * (1 + (time > 6)), rate))
    assert found[0]["overall_median_frequency"] == pytest.approx(80, abs=1)
    for name, value in found[0].items():
        assert value == pytest.approx(found[1][name], abs=0.05, rel=0.02), name


@pytest.mark.parametrize(
    "method", [None, Method(), Method(inputs="all"), Method(inputs="all", absent="mean")], ids=range(4)
)
def test_a_network_is_selected_as_it_is_tested(taught, method):
    """The teacher was selected with its privileged input zeroed."""
    cell, condition = taught.cell, "vision" if method else "vision+biosignal"
    fitted = student.fit(cell, method, {}, None, silent) if method else taught.fitted
    networks = student.restore(cell, method, fitted.state, None) if method else taught.teachers
    found = evaluation.predict(replace(cell, test=cell.validation), networks)
    found = found[found.condition == condition]
    for number, replica in enumerate(cell.replicas):
        rows = found[(found.fold == replica.fold) & (found.seed == replica.seed)]
        summed = scores.tables(cell.task, rows).subjects[condition].sum((0, 1))
        assert fitted.score[number] == pytest.approx(stats.score("kappa", "ordinal", summed))


def test_whom_a_clip_is_told_by_is_chosen_for_it_and_held_out(taught, several):
    """One teacher was chosen for a whole batch, by its loss on labels that it had been trained on."""
    cell = taught.cell
    learnt = several | {"prediction": 10 * torch.nn.functional.one_hot(cell.table.target, 3)[None, :, None].float()}
    choice = targets.confidence(cell, several).argmax(-1)
    assert torch.equal(choice, targets.confidence(cell, learnt | {"heldout": several["heldout"]}).argmax(-1))
    assert all(len(choice[number, rows[:32]].unique()) > 1 for number, rows in enumerate(cell.train))


def test_methods_are_wired_as_their_names_say():
    """The centroid constraint was switched off, and what was saved as one method was tested as another."""
    methods = params.load(SHIPPED).methods
    published, released = methods["mt_pknot"], methods["mt_released"]
    assert set(published.terms) == {"kdot", "centroid"} and published.teacher == "confident"
    assert set(released.terms) == {"kdot"} and released.teacher == "batchwise"
    assert released.terms["kdot"]["shift"] == "released" and published.tnet == released.tnet == "mmd"
    assert all(term["weight"] > 0 for method in (published, released) for term in method.terms.values())
    cell = first_fold(small_cell(epochs=2))
    given = teacher.of_training(cell, teach(cell).said)
    with_it, without = (Method(terms={"kdot": {}} | more) for more in ({"centroid": {}}, {}))
    assert not same(*(student.fit(cell, method, given, None).state for method in (with_it, without)))


def test_an_interval_is_over_people_and_not_over_folds():
    """Standard errors were those of five folds, as if their clips, and their training, were independent."""
    rng = np.random.default_rng(0)
    people = np.repeat(np.arange(30), 20)
    right = rng.random(600) < np.clip(0.7 + 0.25 * rng.normal(size=30), 0, 1)[people]
    truth = rng.integers(0, 2, 600)
    clips = stats.confusion(truth, np.where(right, truth, 1 - truth), 2)
    widths, values = [], []
    for who in (people, rng.permutation(people)):
        table = stats.by_subject(clips, who, np.zeros(600, int))
        found = intervals.of_metric("accuracy", "classification", table, confidence=0.95)
        widths.append(found.high - found.low)
        values.append(found.value)
    assert values[0] == pytest.approx(values[1]) == right.mean() and widths[0] > 1.5 * widths[1]


def test_labels_are_those_of_the_tasks_classes():
    """The script that wrote the labels was not the one that was used: the highest level kept its number, 4."""
    task = small_task("classification").model_copy(update={"classes": [0.0, 4.0]})
    clips = pd.DataFrame({"level": [0, 4, 2, 4, 1]})
    kept = clips[inputs.wanted(task, clips)]
    assert inputs.targets(task, kept[["level"]].to_numpy(float)).tolist() == [0, 1, 1]


def test_a_clip_is_the_same_in_training_and_in_the_test():
    """Training read five segments of two frames, the test ten of one."""
    cell = small_cell()
    both = torch.from_numpy(np.intersect1d(cell.test[0], cell.train[2]))
    tested, learnt = cell.view(both, EVERYTHING)["x"], cell.batch(both, EVERYTHING)["x"]
    assert len(both) and all(tested[name].equal(learnt[name]) for name in PREVALENT)
    assert tested["biosignal"].nan_to_num(7.0).equal(learnt["biosignal"].nan_to_num(7.0))


def test_equal_seeds_are_equal_runs_and_another_seed_is_another():
    """No seed was set anywhere."""
    one, two = (everything_trained(first_fold(small_cell(epochs=2))) for _ in range(2))
    for name in one:
        assert same(one[name].state, two[name].state), name
        weights = [values for key, values in one[name].state.items() if key.endswith("weight")]
        assert all(not torch.equal(values[0], values[1]) for values in weights if values[0].std() > 0), name
