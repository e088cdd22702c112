"""What every loss term in benchmark/losses must do; a new file is tested without an edit here."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.func import stack_module_state, vmap

from benchmark import objectives, plugins
from benchmark.models import WIDTH, Output
from benchmark.params import Training
from benchmark.train import AdamW
from benchmark.validation import terms
from benchmark.validation.terms import (
    KINDS,
    MOVES,
    Term,
    moves,
    outputs,
    requiring,
    slopes,
    steepness,
    targets,
    unchanged,
)  # fmt: skip

NAMES = plugins.names("losses")
CASES = [(name, kind) for name in NAMES for kind in KINDS if not objectives.reason(name, kind, KINDS[kind])]


@pytest.mark.parametrize("name, kind", CASES)
def test_term_is_a_finite_scalar_that_reaches_the_student_alone(name, kind):
    term, teacher, student = Term(name, kind), requiring(outputs(0, kind)), requiring(outputs(1, kind))
    value = term(student, teacher, targets(kind))
    assert value.shape == () and value.isfinite() and value.dtype == torch.float64
    told = torch.autograd.grad(value, [*student[:3], *teacher[:3]], allow_unused=True)
    assert sum(float(g.norm()) for g in told[:3] if g is not None) > 1e-9
    assert all(g is None or not g.any() for g in told[3:]), "a teacher is never given a gradient"


@pytest.mark.parametrize("name, kind", CASES)
def test_term_is_at_the_teacher_what_it_declares(name, kind):
    term, teacher, target = Term(name, kind), outputs(0, kind), targets(kind)
    same, level = steepness(term, teacher, teacher, target)
    others, slopes = zip(*(steepness(term, outputs(s, kind), teacher, target) for s in range(1, 5)), strict=True)
    if {"zero", "minimal"} & term.module.PROPERTIES:
        assert same < min(others) and level < 1e-2 * min(slopes)
    else:
        assert level > 1e-2 * min(slopes)
    assert ("zero" in term.module.PROPERTIES) == (abs(same) < 1e-4)


@pytest.mark.parametrize("name, kind", CASES)
def test_term_is_unchanged_by_what_it_declares_and_by_nothing_else(name, kind):
    term = Term(name, kind)
    assert {move for move in moves(term) if unchanged(term, move)} == term.module.PROPERTIES & set(moves(term))


def test_the_page_judges_every_term_and_would_notice_a_wrong_claim(monkeypatch):
    rows = {row["term"]: row for row in terms.section().rows}
    assert list(rows) == NAMES and {row["verdict"] for row in rows.values()} == {"inside"}
    monkeypatch.setattr(plugins.load("losses", "kd"), "PROPERTIES", frozenset({"zero", "scale", "order"}))
    assert terms.row("kd")["verdict"] == "outside"


@pytest.mark.parametrize("name, kind", CASES)
def test_gradient_is_that_of_finite_differences(name, kind):
    slope, numeric = slopes(name, kind)
    assert slope == pytest.approx(numeric, rel=1e-4, abs=1e-8)


def degenerate(output: Output, way: str) -> Output:
    if way == "constant":
        return Output(*(values[:1].expand_as(values).clone() for values in output))
    if way == "zero":
        return Output(*(torch.zeros_like(values) for values in output))
    return output


@pytest.mark.parametrize("name, kind", CASES)
@pytest.mark.parametrize("batch", [1, 2, 3, 12])
def test_degenerate_batches_are_defined(name, kind, batch):
    term = Term(name, kind, torch.float32)
    target = targets(kind, batch)
    target = target.float() if kind == "regression" else torch.zeros_like(target)  # one class in the batch
    for mine in ("varied", "constant", "zero"):
        for theirs in ("varied", "constant", "zero"):
            student = requiring(degenerate(outputs(1, kind, batch, torch.float32), mine))
            value = term(student, degenerate(outputs(0, kind, batch, torch.float32), theirs), target)
            gradients = torch.autograd.grad(value, student[:3], allow_unused=True)
            assert value.isfinite(), (mine, theirs)
            assert all(g is None or g.norm() < 1e4 for g in gradients), (mine, theirs)


def replicas(name: str, kind: str) -> list[tuple[Term, Output, Output, Tensor]]:
    """Two replicas of a term, each with its own adapter, student, teacher and targets."""
    dtype = torch.float32
    wanted = [targets(kind, seed=seed).to(dtype if kind == "regression" else torch.long) for seed in (0, 1)]
    return [
        (Term(name, kind, dtype, n), outputs(2 + n, kind, dtype=dtype), outputs(n, kind, dtype=dtype), wanted[n])
        for n in (0, 1)
    ]


def stacked(found: list[tuple[Term, Output, Output, Tensor]]) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Values (replicas,) and gradients of the students of all replicas at once, as the training loop computes them."""
    terms, students, teachers, wanted = zip(*found, strict=True)
    student, teacher = (Output(*map(torch.stack, zip(*side, strict=True))) for side in (students, teachers))
    student, own = requiring(student), stack_module_state([t.adapter for t in terms])[0] if terms[0].adapter else {}
    values = vmap(lambda *given: terms[0](*given))(student, teacher, torch.stack(wanted), own)
    return values, torch.autograd.grad(values.sum(), student[:3], allow_unused=True)


@pytest.mark.parametrize("name, kind", CASES)
def test_term_can_be_stacked_over_replicas(name, kind):
    found = replicas(name, kind)
    values, gradients = stacked(found)
    for number, (term, student, teacher, wanted) in enumerate(found):
        alone = requiring(student)
        value = term(alone, teacher, wanted)
        torch.testing.assert_close(values[number], value, rtol=1e-4, atol=1e-6)
        for one, all_of_them in zip(torch.autograd.grad(value, alone[:3], allow_unused=True), gradients, strict=True):
            if one is not None:
                torch.testing.assert_close(all_of_them[number], one, rtol=1e-3, atol=1e-5)


def test_no_term_loads_a_symbolic_algebra_package():
    """Some functions of torch do under vmap, which costs every cell 2 s: cross_entropy, for one."""
    code = """if True:
        import sys; sys.path[:0] = [".", "tests"]
        import test_losses as tests
        for name in tests.NAMES:
            tests.stacked(tests.replicas(name, "ordinal"))
            assert "sympy" not in sys.modules, name"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[1])


@pytest.mark.parametrize("name", [name for name in NAMES if hasattr(plugins.load("losses", name), "Adapter")])
def test_an_adapter_alone_learns_what_the_student_already_knows(name):
    term, student, target = Term(name, "ordinal"), outputs(1, "ordinal", 64), targets("ordinal", 64)
    turn = torch.linalg.qr(torch.randn(WIDTH, WIDTH, generator=torch.Generator().manual_seed(3), dtype=torch.float64)).Q
    teacher = student._replace(z=(student.z @ turn).relu())
    learnt = list(term.adapter.parameters())
    before = term(student, teacher, target)
    assert all(g.norm() > 0 for g in torch.autograd.grad(before, learnt))
    training = Training(seeds=[0], encoder="pooled", batch=64, epochs=1, steps=200, rate=0.01, decay=0)
    optimiser = AdamW(learnt, training)
    for _ in range(training.steps):
        value = term(student, teacher, target)
        for weight, gradient in zip(learnt, torch.autograd.grad(value, learnt), strict=True):
            weight.grad = gradient
        optimiser.step()
    assert term(student, teacher, target).item() < before.item() - 0.1 * abs(before.item())


@pytest.mark.parametrize("name", NAMES)
def test_term_states_its_paper_its_default_weight_and_its_claims(name):
    module, file = plugins.load("losses", name), Path(plugins.__file__).parent / "losses" / f"{name}.py"
    assert "arXiv" in module.__doc__ or "doi" in module.__doc__
    assert next(iter(module.Options.model_fields)) == "weight" and module.Options().weight > 0
    assert all(field.description for field in module.Options.model_fields.values()) and module.Options.__doc__
    assert not module.PROPERTIES - {"zero", "minimal", *MOVES} and not {"zero", "minimal"} <= module.PROPERTIES
    assert len(file.read_text().splitlines()) < 60


@pytest.mark.parametrize("name", ["dkd", "dist", "wkd_logits"])
def test_what_needs_three_classes_refuses_two_with_a_reason(name):
    unfit = plugins.load("losses", name).unfit
    assert "classes" in unfit("classification", 2) and unfit("classification", 3) == ""


@pytest.mark.parametrize("name", [name for name in NAMES if hasattr(plugins.load("losses", name), "unfit")])
def test_what_a_term_is_unfit_for_is_told_in_words(name):
    reasons = [plugins.load("losses", name).unfit(kind, n) for kind, n in KINDS.items()]
    reasons += [plugins.load("losses", name).unfit("classification", n) for n in (2, 3)]
    assert "" in reasons and any(reasons)
    for reason in filter(None, reasons):  # it follows the name of the term
        assert len(reason.split()) > 4 and reason[0].islower() and reason[-1] not in ".\n"
