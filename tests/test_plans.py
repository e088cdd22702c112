"""Exact plans of outside solvers: what they cost, and that replicas are solved one by one."""

import numpy as np
import ot as pot
import pytest
import torch
from scipy.optimize import linear_sum_assignment
from torch.func import vmap

from benchmark import ot, plans


@pytest.fixture
def costs():
    return torch.rand(3, 20, 20, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def geometries():
    rng = torch.Generator().manual_seed(0)
    return tuple(1 - ot.cosine_structure(torch.randn(3, 20, 6, generator=rng, dtype=torch.float64)) for _ in range(2))


def test_an_assignment_is_the_cheapest_permutation(costs):
    plan = plans.assignment(costs[0])
    rows, columns = linear_sum_assignment(costs[0].numpy())
    assert plan.dtype == torch.float32 and (plan > 0).sum() == 20
    assert (plan * costs[0]).sum().item() == pytest.approx(costs[0][rows, columns].mean().item(), rel=1e-6)
    assert (plan * costs[0]).sum().item() == pytest.approx(pot.emd2([], [], costs[0].double().numpy()), rel=1e-6)


def test_a_permuted_geometry_is_recognised(geometries):
    order = torch.randperm(20, generator=torch.Generator().manual_seed(1))
    plan = plans.gromov(geometries[0][0], geometries[0][0][order][:, order])
    assert (plan.argmax(1) == order.argsort()).all()


def test_the_more_is_known_of_a_plan_the_more_clips_go_to_themselves(geometries):
    kept = [plans.gromov(geometries[0][0], geometries[1][0], prior).trace().item() for prior in (0, 0.03, 0.1, 1)]
    assert kept[0] < 0.3 and kept == sorted(kept) and kept[-1] == pytest.approx(1)


def test_replicas_are_solved_one_by_one(costs, geometries):
    assert torch.equal(vmap(plans.assignment)(costs), torch.stack([plans.assignment(one) for one in costs]))
    single = torch.stack([plans.gromov(*pair) for pair in zip(*geometries, strict=True)])
    assert torch.equal(vmap(plans.gromov)(*geometries), single)
    shared = vmap(plans.gromov, in_dims=(0, None))(geometries[0], geometries[1][0])
    assert torch.equal(shared[0], single[0])


def test_a_diverged_replica_stops_no_other(costs):
    broken = costs.clone()
    broken[1] = torch.nan
    broken[2, 0] = torch.inf
    found = vmap(plans.assignment)(broken)
    assert torch.equal(found[0], plans.assignment(costs[0])) and found.isfinite().all()
    assert vmap(plans.gromov)(broken, broken).isfinite().all()


def test_a_plan_has_no_gradient(costs):
    moving = costs.clone().requires_grad_()
    for plan in (vmap(plans.assignment)(moving), vmap(plans.gromov)(moving, moving)):
        assert not plan.requires_grad
        (gradient,) = torch.autograd.grad((plan * moving).sum(), moving)
        np.testing.assert_array_equal(gradient, plan)
