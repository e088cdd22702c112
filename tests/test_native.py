"""The compiled versions say what the plain ones say."""

import pytest
import torch
from torch.func import vmap

from benchmark import ot, sinkhorn


def clouds(size: int, k: int, apart: float, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Two clouds of anchored similarities between 0 and 2; the second is the first moved by a share."""
    rng = torch.Generator().manual_seed(seed)
    x, other = (2 * torch.rand(size, k, generator=rng) for _ in range(2))
    return x, (1 - apart) * x + apart * other


def said(function, x, y, **more):
    """Value and gradient to y."""
    y = y.clone().requires_grad_()
    value = function(x, y, largest=2.0 * x.shape[-1], **more)
    return value.detach(), torch.autograd.grad(value, y)[0]


@pytest.mark.parametrize("debias", [True, False])
@pytest.mark.parametrize("epsilon", [0.25, 0.01, 1e-3])
@pytest.mark.parametrize(
    ("size", "k", "apart"), [(1, 1, 1.0), (2, 1, 0.5), (17, 5, 1.0), (128, 30, 0.05), (96, 30, 1.0)]
)
def test_divergence_and_gradient_are_those_of_the_plain_version(size, k, apart, epsilon, debias):
    x, y = clouds(size, k, apart)
    value, slope = said(ot.between_points, x, y, epsilon=epsilon, debias=debias)
    expected, plain = said(ot.plain_divergence, x, y, epsilon=epsilon, debias=debias)
    torch.testing.assert_close(value, expected, rtol=1e-3, atol=2e-5)
    assert (slope - plain).norm() <= 5e-3 * plain.norm() + 1e-6


@pytest.mark.parametrize("noise", [0.1, 0.5, 2.0])
@pytest.mark.parametrize("size", [32, 128])
def test_gradient_is_within_a_hundredth_of_the_converged_one(size, noise):
    """Of embeddings that form two classes, of which the student's are noisier."""
    rng = torch.Generator().manual_seed(0)
    teacher = torch.randn(size, 32, generator=rng)
    teacher[: size // 2] += 0.8
    student = (teacher + noise * torch.randn(size, 32, generator=rng)).requires_grad_()
    slope = torch.autograd.grad(ot.structure_loss(teacher, student), student)[0]
    kept = ot.choose_anchors(ot.cosine_structure(teacher), 30, "dissimilar")
    x, y = (1 + ot.cosine_structure(z.double()).gather(-1, kept) for z in (teacher, student))
    exact = torch.autograd.grad(ot.plain_divergence(x, y, 0.01, 60.0, iterations=20_000), student)[0]
    assert (slope - exact).norm() < 0.01 * exact.norm()


def test_many_at_once_are_bit_for_bit_each_alone_on_any_number_of_threads():
    pairs = [clouds(40, 8, 0.5, seed) for seed in range(5)]
    x, y = (torch.stack(parts) for parts in zip(*pairs, strict=True))

    def loss(own, other):
        return ot.between_points(own, other, 0.01, 16.0)

    before = torch.get_num_threads()
    found = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        moved = y.clone().requires_grad_()
        values = vmap(loss)(x, moved)
        found.append((values.detach(), torch.autograd.grad(values.sum(), moved)[0]))
    torch.set_num_threads(before)
    assert all(torch.equal(one, two) for one, two in zip(*found, strict=True))
    for number, (own, other) in enumerate(pairs):
        other = other.requires_grad_()
        value = loss(own, other)
        assert value == found[0][0][number]
        assert torch.equal(torch.autograd.grad(value, other)[0], found[0][1][number])


@pytest.mark.parametrize("rule", ["dissimilar", "similar", "all"])
def test_anchors_are_those_of_the_plain_version_also_where_similarities_are_equal(rule):
    rng = torch.Generator().manual_seed(3)
    structure = torch.randint(-3, 4, (6, 20, 20), generator=rng).float() / 3
    found = vmap(lambda own: ot.choose_anchors(own, 7, rule))(structure)
    k = 19 if rule == "all" else 7
    assert torch.equal(found, torch.stack([ot.plain_anchors(own, k, rule == "similar") for own in structure]))
    assert torch.equal(found, torch.stack([ot.choose_anchors(own, 7, rule) for own in structure]))


def test_what_is_not_a_number_does_not_come_out_as_one():
    x, y = clouds(12, 4, 1.0)
    y[3, 2] = torch.nan
    value, slope = said(ot.between_points, x, y, epsilon=0.01)
    assert value.isnan() and slope.isnan().any()


def test_the_exponential_is_exact_to_seven_digits():
    import numpy as np
    from numba import njit

    @njit
    def of_all(values, found):
        for number in range(len(values)):
            found[number] = sinkhorn.exponential(values[number])

    values = np.linspace(-59, 20, 20_001, dtype=np.float32)
    found = np.empty_like(values)
    of_all(values, found)
    np.testing.assert_allclose(found, np.exp(values.astype(float)), rtol=5e-6)
