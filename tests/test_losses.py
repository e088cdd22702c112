"""What every loss term in benchmark/losses must do; a new file is tested without an edit here."""

import pytest
import torch
from torch.func import vmap

from benchmark import plugins
from benchmark.models import Output

KINDS = ("classification", "ordinal", "regression")


def outputs(seed: int, batch: int = 24) -> Output:
    rng = torch.Generator().manual_seed(seed)
    return Output(torch.randn(batch, 5, generator=rng), torch.randn(batch, 32, generator=rng))


@pytest.fixture(params=plugins.names("losses"))
def term(request):
    return plugins.load("losses", request.param)


@pytest.mark.parametrize("kind", KINDS)
def test_term_is_a_finite_scalar_that_reaches_the_student_alone(term, kind):
    teacher = Output(*(value.requires_grad_() for value in outputs(0)))
    student = Output(*(value.requires_grad_() for value in outputs(1)))
    loss = term.loss(student, teacher, term.Options(), kind)
    assert loss.shape == () and loss.isfinite() and loss.item() > 0
    gradients = torch.autograd.grad(loss, list(student), allow_unused=True)
    assert sum(float(g.norm()) for g in gradients if g is not None) > 1e-6


@pytest.mark.parametrize("kind", KINDS)
def test_term_is_smallest_at_the_teacher(term, kind):
    teacher = outputs(0)
    same = float(term.loss(Output(*(v.clone() for v in teacher)), teacher, term.Options(), kind))
    assert same <= float(term.loss(outputs(1), teacher, term.Options(), kind))
    assert same == pytest.approx(0, abs=1e-4)


def test_term_can_be_stacked_over_replicas(term):
    pairs = [(outputs(0), outputs(1)), (outputs(2), outputs(3))]
    teacher, student = (Output(*map(torch.stack, zip(*side, strict=True))) for side in zip(*pairs, strict=True))
    stacked = vmap(lambda s, t: term.loss(s, t, term.Options(), "ordinal"))(student, teacher)
    single = torch.stack([term.loss(s, t, term.Options(), "ordinal") for t, s in pairs])
    torch.testing.assert_close(stacked, single)


def test_term_states_its_paper_and_its_default_weight(term):
    assert "arXiv" in term.__doc__ or "doi" in term.__doc__
    assert term.Options().weight > 0 and term.Options.model_fields["weight"].description


def test_kd_is_the_tempered_divergence():
    kd = plugins.load("losses", "kd")
    teacher, student = outputs(0), outputs(1)
    p, q = ((v.prediction / 2).softmax(-1) for v in (teacher, student))
    expected = 4 * (p * (p / q).log()).sum(-1).mean()
    torch.testing.assert_close(kd.loss(student, teacher, kd.Options(), "ordinal"), expected)
