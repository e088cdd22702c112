"""What went wrong with distillation terms in released code, and cannot here. Each test states what it would notice."""

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
import torch
from conftest import first_fold, small_cell, small_task

from benchmark import objectives, ot, plugins, student, targets, teacher, tnet
from benchmark.models import Lesson, Output
from benchmark.params import Method
from benchmark.validation import terms


def embeddings(batch: int = 32, width: int = 32) -> list[torch.Tensor]:
    """Of a teacher who tells two classes apart, and of a student who does not."""
    rng = torch.Generator().manual_seed(0)
    teacher, student = (torch.randn(batch, width, generator=rng) for _ in range(2))
    teacher[: batch // 2] += 1.0
    return [teacher, student]


def others(field) -> list:
    """Values that an option may have beside its default."""
    if isinstance(field.default, str):
        return [value for value in get_args(field.annotation) if value != field.default]
    if isinstance(field.default, bool):
        return [not field.default]
    return [2 if field.default == 1 else 1] if isinstance(field.default, int) else [2 * field.default or 0.5]


@pytest.mark.parametrize(
    "name, option, other",
    [
        (name, option, other)
        for name in plugins.names("losses")
        for option, field in plugins.load("losses", name).Options.model_fields.items()
        for other in others(field)
        if option != "weight"
    ],
)
def test_no_option_of_a_term_is_ignored(name, option, other):
    """The number of layers was an argument that nothing read."""
    student, teacher = (terms.outputs(seed, "ordinal", 40) for seed in (1, 0))
    target = terms.targets("ordinal", 40)
    usual, asked = (terms.Term(name, "ordinal", **own)(student, teacher, target) for own in ({}, {option: other}))
    assert usual.item() != asked.item()


LESSON = Lesson("ordinal", torch.zeros(32, dtype=torch.long), 1)


def said(z: torch.Tensor) -> Output:
    return Output(z[:, :3], z, z[:, None].repeat(1, 2, 1), torch.ones(len(z), 2, dtype=torch.bool))


@pytest.mark.parametrize(
    "term, kind",
    [
        (term, kind)
        for term in plugins.names("losses")
        for kind in ("ordinal", "classification", "regression")
        if not objectives.unfit({term: {}}, small_task(kind))
    ],
)
def test_every_term_moves_the_student(term, kind):
    """A baseline was computed on detached numbers: it had no gradient, and was the task loss alone."""
    cell, method = first_fold(small_cell(kind, seeds=(0,))), Method(terms={term: {}}, tnet="own")
    given = teacher.everything(cell, teacher.networks(cell))
    rows = cell.orders()[:, 0]
    batch = cell.batch(rows, ("vision",))
    batch["teacher"] = targets.batch(cell, method, given, rows, batch["target"])
    alone = {name: first(values) for name, values in batch.items()}
    adapters = {name: build() for name, build in objectives.adapters(method.terms).items()}
    pupil = student.Pupil(student.networks(cell, method, tnet.untrained(cell))[0], adapters)
    objectives.build(method, cell.task)[0](pupil, alone)[term].backward()
    reached = [own.grad for name, own in pupil.student.named_parameters() if "encoders." in name]
    assert sum(float(gradient.norm()) for gradient in reached if gradient is not None) > 1e-6


def test_what_is_logged_of_a_term_is_its_value_without_weight():
    """The loss was halved before it was logged; at other places it was logged with its weight."""
    cell = first_fold(small_cell("ordinal", seeds=(0,)))
    cell = replace(cell, training=cell.training.model_copy(update={"epochs": 1, "steps": 1}))
    method, rows = Method(task_weight=0.3, terms={"kd": {"weight": 7.0}}), cell.orders()[:, 0]
    given = teacher.everything(cell, teacher.networks(cell))
    found = student.fit(cell, method, given, None).raw
    batch = cell.batch(rows, ("vision",))
    output = student.networks(cell, method, None)[0](first(batch["x"]), first(batch["visible"]))
    told = Output(**{name: own[0] for name, own in targets.batch(cell, method, given, rows, batch["target"]).items()})
    kd = plugins.load("losses", "kd")
    expected = kd.loss(output, told, kd.Options(), LESSON), objectives.task_loss(output, batch["target"][0], "ordinal")
    assert found["kd"].shape == (1, 1) and expected[0] > 0
    np.testing.assert_allclose([found["kd"].item(), found["task"].item()], torch.stack(expected).detach(), rtol=1e-5)


def first(values):
    return {name: own[0] for name, own in values.items()} if isinstance(values, dict) else values[0]


def test_an_anchor_has_the_same_meaning_in_every_row():
    """Anchors came in no order: coordinate j was another anchor for every clip."""
    structure = ot.cosine_structure(embeddings()[0])
    chosen = ot.choose_anchors(structure, 8, "dissimilar")
    order = torch.randperm(32, generator=torch.Generator().manual_seed(1))
    shuffled = ot.choose_anchors(structure[order][:, order], 8, "dissimilar")
    assert torch.equal(order[shuffled], chosen[order])
    assert (structure.gather(1, chosen).diff(dim=1) >= 0).all()


@pytest.mark.parametrize("coupling", ot.COUPLINGS)
def test_a_student_who_takes_one_clip_for_another_is_noticed(coupling):
    """Rows were transported whatever clip they came from: a permuted teacher had no loss."""
    z, _ = embeddings()
    halves = torch.cat([torch.arange(16, 32), torch.arange(16)])  # each class takes the place of the other
    ways = {"coupling": coupling, "iterations": 100}
    same, permuted = (float(ot.structure_loss(z, other, 8, **ways)) for other in (z, z[halves]))
    assert permuted > 0.5 > 0.01 > same


def test_the_gradient_of_the_default_loss_is_spread_over_the_clips():
    """Similarities were shifted by their own minimum: the pair it came from received the sum of all gradients."""
    z, guess = embeddings()
    concentration = {}
    for rule in ("affine", "released"):
        own = guess.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(ot.structure_loss(z, own, shift_rule=rule), own)
        concentration[rule] = float(gradient.norm(dim=1).max() / gradient.norm(dim=1).median())
    default = plugins.load("losses", "kdot").Options().shift
    assert default == "affine" and concentration["affine"] < 3 and concentration["released"] > 6
