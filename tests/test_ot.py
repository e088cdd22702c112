"""Optimal transport against closed forms, POT and geomloss."""

import math

import numpy as np
import ot as pot
import pytest
import torch
from torch.func import vmap

from benchmark import ot


@pytest.fixture
def clouds():
    rng = torch.Generator().manual_seed(0)
    x = torch.rand(40, 5, generator=rng, dtype=torch.float64)
    y = torch.rand(40, 5, generator=rng, dtype=torch.float64) + 0.3
    return x, y


@pytest.fixture
def embeddings():
    rng = torch.Generator().manual_seed(1)
    teacher = torch.randn(48, 16, generator=rng, dtype=torch.float64)
    teacher[:24] += 0.8
    return teacher, torch.randn(48, 8, generator=rng, dtype=torch.float64)


def test_two_points_have_the_closed_form_plan():
    cost = torch.tensor([[0.0, 1.0], [1.0, 0.0]], dtype=torch.float64)
    _, _, plan = ot.potentials(cost, epsilon=1.0, largest=1.0)
    diagonal = 0.5 / (1 + math.exp(-1))
    expected = torch.tensor([[diagonal, 0.5 - diagonal], [0.5 - diagonal, diagonal]], dtype=torch.float64)
    torch.testing.assert_close(plan, expected)


@pytest.mark.parametrize("epsilon", [1.0, 0.1, 0.01])
def test_plan_and_value_agree_with_pot(clouds, epsilon):
    cost = ot.half_squared_distances(*clouds)
    mass = np.full(40, 1 / 40)
    expected = pot.sinkhorn(mass, mass, cost.numpy(), epsilon, "sinkhorn_log", numItermax=200_000, stopThr=1e-13)
    _, _, plan = ot.potentials(cost, epsilon, largest=5.0, iterations=20_000)
    np.testing.assert_allclose(plan.numpy(), expected, rtol=1e-6, atol=1e-12)
    entropy = (expected * np.log(expected * 1600 + 1e-300)).sum()
    value = ot.transport(cost, epsilon, largest=5.0, iterations=20_000)
    np.testing.assert_allclose(float(value), (expected * cost.numpy()).sum() + epsilon * entropy, rtol=1e-6)


def test_divergence_agrees_with_geomloss(clouds):
    geomloss = pytest.importorskip("geomloss", reason="geomloss is not installed")
    x, y = clouds
    costs = [ot.half_squared_distances(a, b) for a, b in ((x, y), (x, x), (y, y))]
    ours = ot.divergence(*costs, epsilon=0.01, largest=5.0, iterations=500)
    theirs = geomloss.SamplesLoss("sinkhorn", p=2, blur=0.1, scaling=0.99)(x, y)
    np.testing.assert_allclose(float(ours), float(theirs), rtol=1e-3)


def test_a_permutation_is_transported_onto_itself(clouds):
    x, _ = clouds
    order = torch.randperm(40, generator=torch.Generator().manual_seed(2))
    _, _, plan = ot.potentials(ot.half_squared_distances(x, x[order]), epsilon=1e-4, largest=5.0, iterations=200)
    assert (plan.argmax(1) == order.argsort()).all()


def test_one_dimension_is_sorted():
    x, y = (
        torch.linspace(0, 1, 20, dtype=torch.float64)[:, None],
        torch.linspace(2, 5, 20, dtype=torch.float64)[:, None],
    )
    value = ot.transport(ot.half_squared_distances(x, y.flip(0)), epsilon=1e-3, largest=15.0, iterations=20_000)
    assert float(value) == pytest.approx(float((x - y).square().mean() / 2), abs=1e-3 * math.log(20))


def test_large_epsilon_leaves_half_the_squared_distance_of_means(clouds):
    x, y = clouds
    costs = [ot.half_squared_distances(a, b) for a, b in ((x, y), (x, x), (y, y))]
    value = ot.divergence(*costs, epsilon=1e4, largest=5.0, iterations=50)
    assert float(value) == pytest.approx(float((x.mean(0) - y.mean(0)).square().sum() / 2), rel=1e-3)


def test_marginals_become_uniform(embeddings):
    teacher, student = (1 + ot.cosine_structure(z) for z in embeddings)
    cost = ot.half_squared_distances(teacher, student)
    _, _, plan = ot.potentials(cost, epsilon=0.01, largest=96.0, iterations=500)
    uniform = torch.full((48,), 1 / 48, dtype=torch.float64)
    torch.testing.assert_close(plan.sum(0), uniform)
    torch.testing.assert_close(plan.sum(1), uniform, rtol=0.01, atol=0)


@pytest.mark.parametrize("coupling", ot.COUPLINGS)
@pytest.mark.parametrize("anchors", ot.ANCHORS)
def test_every_option_is_zero_at_identity_and_moves_the_student(embeddings, coupling, anchors):
    teacher, student = embeddings
    ways = {"coupling": coupling, "anchors": anchors, "k": 10, "iterations": 300}
    assert float(ot.structure_loss(teacher, 3 * teacher, **ways)) == pytest.approx(0, abs=1e-4)
    student = student.requires_grad_()
    loss = ot.structure_loss(teacher, student, **ways)
    (gradient,) = torch.autograd.grad(loss, student)
    assert loss.item() > 0.01 and float(gradient.norm()) > 1e-3 and gradient.isfinite().all()


@pytest.mark.parametrize("shift", ["affine", "released"])  # a detached minimum makes gradient and slope differ
@pytest.mark.parametrize("coupling", ["ot", "identity"])
def test_gradient_is_that_of_finite_differences(embeddings, shift, coupling):
    teacher, student = embeddings[0][:12], embeddings[1][:12]

    def loss(z):
        return ot.structure_loss(teacher, z, k=5, epsilon=0.1, shift_rule=shift, coupling=coupling, iterations=3000)

    z = student.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(loss(z), z)
    direction = torch.randn(student.shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    step = 1e-5
    numeric = (loss(student + step * direction) - loss(student - step * direction)) / (2 * step)
    assert float((gradient * direction).sum()) == pytest.approx(float(numeric), rel=1e-3)


def test_default_gradient_is_within_one_percent_of_the_converged_one(embeddings):
    teacher, student = embeddings
    z = student.float().requires_grad_()
    (quick,) = torch.autograd.grad(ot.structure_loss(teacher.float(), z), z)
    z = student.clone().requires_grad_()
    (exact,) = torch.autograd.grad(ot.structure_loss(teacher, z, iterations=5000), z)
    assert float((quick - exact).norm() / exact.norm()) < 0.01


@pytest.mark.parametrize("epsilon", [1e-3, 1e-4])
def test_small_epsilon_stays_finite_in_single_precision(embeddings, epsilon):
    teacher, student = (z.float() for z in embeddings)
    student = student.requires_grad_()
    loss = ot.structure_loss(teacher, student, epsilon=epsilon)
    (gradient,) = torch.autograd.grad(loss, student)
    assert loss.isfinite() and gradient.isfinite().all()


def test_a_far_target_is_reached_by_rebuilding_the_kernel():
    """With one kernel for all steps of the last level, what it cuts off caps the costs: 7.31 instead of 7.51."""
    rng = np.random.default_rng(0)
    x, y = torch.from_numpy(rng.standard_normal((40, 1))), torch.from_numpy(2 + 3 * rng.standard_normal((40, 1)))
    cost = ot.half_squared_distances(x, y)
    value = ot.transport(cost, epsilon=0.01, largest=float(cost.max()), iterations=5000)
    exact = pot.wasserstein_1d(x[:, 0].numpy(), y[:, 0].numpy(), p=2) / 2
    assert exact - 1e-3 <= float(value) <= exact + 0.01 * math.log(40)


@pytest.mark.parametrize("steps", [8, 20])
def test_rebuilding_the_kernel_changes_no_converged_value(clouds, monkeypatch, steps):
    cost = ot.half_squared_distances(*clouds)
    often = ot.transport(cost, epsilon=0.1, largest=5.0, iterations=steps)
    monkeypatch.setattr(ot, "STEPS", 100)
    torch.testing.assert_close(often, ot.transport(cost, epsilon=0.1, largest=5.0, iterations=steps), rtol=1e-5, atol=0)


@pytest.mark.parametrize("coupling", ot.COUPLINGS)
@pytest.mark.parametrize("anchors", ot.ANCHORS)
def test_one_clip_has_no_anchors_and_moves_nothing(coupling, anchors):
    student = torch.ones(1, 4, requires_grad=True)
    loss = ot.structure_loss(torch.ones(1, 4), student, coupling=coupling, anchors=anchors)
    loss.backward()
    assert loss.item() == 0 and not student.grad.any()


@pytest.mark.parametrize("batch", [2, 3])
def test_degenerate_batches_are_defined(batch):
    same = torch.ones(batch, 4, requires_grad=True)
    loss = ot.structure_loss(torch.ones(batch, 4), same)
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-5) and same.grad.isfinite().all()


def test_anchors_follow_the_rule(embeddings):
    structure = ot.cosine_structure(embeddings[0])
    itself = torch.arange(48)[:, None]
    far, near = (ot.choose_anchors(structure, 5, rule) for rule in ("dissimilar", "similar"))
    assert (structure.gather(1, far).max(1).values <= structure.gather(1, near).min(1).values).all()
    assert not (near == itself).any() and not (far == itself).any()
    assert structure.gather(1, far).diff(dim=1).ge(0).all()
    assert ot.choose_anchors(structure, 5, "all").shape == (48, 47)
    assert (ot.choose_anchors(structure, 5, "shared") == torch.arange(5)).all()
    drawn = ot.choose_anchors(structure, 5, "random")
    assert not (drawn == itself).any() and len(drawn.unique(dim=0)) > 40


def test_released_shift_sends_a_gradient_through_one_pair(embeddings):
    """The defect this suite repairs: the minimum receives the sum of all gradients."""
    teacher, student = embeddings
    largest = {}
    for rule in ("released", "min_detached"):
        z = student.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(ot.structure_loss(teacher, z, shift_rule=rule), z)
        largest[rule] = float(gradient.norm(dim=1).max() / gradient.norm(dim=1).median())
    assert largest["released"] > 3 * largest["min_detached"]


def test_stacked_batches_equal_single_ones(embeddings):
    teacher, student = (torch.stack([z, z.flip(0)]) for z in embeddings)
    stacked = vmap(ot.structure_loss)(teacher, student)
    single = torch.stack([ot.structure_loss(t, s) for t, s in zip(teacher, student, strict=True)])
    torch.testing.assert_close(stacked, single)


def test_an_unknown_rule_is_named(embeddings):
    with pytest.raises(ValueError, match="'nearest' is not one of dissimilar"):
        ot.structure_loss(*embeddings, anchors="nearest")
