"""Mixtures of clips: what they are made of, and who speaks of them."""

import numpy as np
import pytest
import torch
from conftest import silent, small_cell

from benchmark import mixing, student, teacher, train
from benchmark.params import Method
from benchmark.train import replica_state


@pytest.fixture(scope="module")
def lesson():
    """A cell, its trained teachers' weights and what they say of training clips."""
    cell = small_cell(epochs=3)
    fitted = teacher.fit(cell, silent)
    said = teacher.of_training(cell, teacher.everything(cell, teacher.restore(cell, fitted.state)))
    return cell, fitted.state, said


def mixed(lesson, rule="random", step=0):
    cell, state, said = lesson
    rows = cell.orders()[:, step]
    target = cell.batch(rows, ())["target"]
    return rows, target, mixing.mixer(cell, rule, state, said["z"])(step, rows, target)


def partners(cell, rows: torch.Tensor, found: dict, step: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Of replica 0: who was mixed in, how far the nearest clip is from what was, and where rounding leaves it seen."""
    share, own = mixing.drawn(cell)[0][0, step], cell.table.x["vision"][rows[0]]
    other = (found["x"]["vision"][0] - share[:, None] * own) / (1 - share[:, None])
    apart = torch.cdist(other, own)
    return apart.argmin(1), apart.min(1).values, share < 0.9


def test_a_mixture_lies_between_a_clip_and_another_of_its_batch(lesson):
    rows, _, found = mixed(lesson)
    partner, apart, seen = partners(lesson[0], rows, found)
    assert (apart[seen] < 0.01).all() and (partner != torch.arange(len(partner)))[seen].all() and seen.sum() > 20


def test_the_teacher_says_of_a_mixture_what_it_would_say_of_a_clip(lesson):
    cell, state, _ = lesson
    _, _, found = mixed(lesson)
    for number, network in enumerate(teacher.networks(cell)):
        network.load_state_dict(replica_state(state, number))
        inputs = ({name: values[number] for name, values in found[part].items()} for part in ("x", "visible"))
        torch.testing.assert_close(found["teacher"]["prediction"][number], network(*inputs).prediction)


def test_missing_values_and_modalities_stay_out_of_mixtures(lesson):
    rows, _, found = mixed(lesson)
    cell = lesson[0]
    assert all(values.isfinite().all() for values in found["x"].values())
    there = cell.table.visible["biosignal"][rows]
    assert not (found["visible"]["biosignal"] & ~there).any() and found["visible"]["vision"].all()
    assert all(values.isfinite().all() for name, values in found["teacher"].items() if name != "seen")


def test_dissimilar_partners_are_less_alike_than_similar_ones(lesson, monkeypatch):
    monkeypatch.setattr(mixing, "ANCHORS", 5)
    alike = {}
    for rule in ("dissimilar", "random", "similar"):
        rows, _, found = mixed(lesson, rule)
        partner, _, seen = partners(lesson[0], rows, found)
        z = lesson[2]["z"][0, rows[0]]
        z = torch.nn.functional.normalize(z - z.mean(0), dim=-1)
        alike[rule] = float((z * z[partner]).sum(-1)[seen].mean())
    assert alike["dissimilar"] + 0.2 < alike["random"] < alike["similar"] - 0.2


def test_shares_and_partners_come_from_identities(lesson):
    cell = lesson[0]
    more = small_cell(seeds=(0, 5), epochs=3)
    for one, two in zip(mixing.drawn(cell), mixing.drawn(more), strict=True):
        assert torch.equal(one[::2], two[::2]) and not torch.equal(one[1::2], two[1::2])


def test_labels_of_mixtures(lesson):
    _, target, found = mixed(lesson)
    share = mixing.drawn(lesson[0])[0][:, 0]
    assert torch.equal(found["target"][share >= 0.5], target[share >= 0.5])
    own = torch.arange(1)[:, None]
    values = torch.tensor([[[0.0], [4.0]]])
    found = mixing.of_mixture(values, torch.tensor([[0.25, 1.0]]), torch.tensor([[1, 0]]), own)
    assert found.flatten().tolist() == [3.0, 4.0]


def test_a_student_learns_from_mixtures_and_never_from_their_privileged_part(lesson, monkeypatch):
    cell, state, said = lesson
    method = Method(terms={"kd": {}}, mix="random")
    plain = student.fit(cell, Method(terms={"kd": {}}), said, None, silent)
    found = student.fit(cell, method, said, None, silent, teachers=state)
    assert not torch.allclose(found.state["head.weight"], plain.state["head.weight"], atol=1e-4)
    seen = []
    fit = train.fit
    monkeypatch.setattr(train, "fit", lambda modules, draw, *more: seen.append(draw(0)) or fit(modules, draw, *more))
    student.fit(cell, method, said, None, silent, teachers=state)
    assert set(seen[0]["mixed"]["x"]) == set(seen[0]["x"]) == {"vision"}
    np.testing.assert_array_equal(seen[0]["target"], cell.batch(cell.orders()[:, 0], ())["target"])
