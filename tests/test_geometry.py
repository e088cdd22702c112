"""Measures of how alike two geometries are."""

import numpy as np
import pytest
import torch
from conftest import small_cell

from benchmark import geometry, student, teacher
from benchmark.params import Method


@pytest.fixture
def embeddings():
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(60, 8, generator=rng, dtype=torch.float64)
    return x, torch.randn(60, 8, generator=rng, dtype=torch.float64)


def turned(x):
    return x @ torch.linalg.qr(torch.randn(8, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64))[0]


def test_the_same_geometry_is_recognised_however_it_is_turned(embeddings):
    x, _ = embeddings
    y = 3 * turned(x)
    assert float(geometry.cka(x, y)) == pytest.approx(1)
    assert float(geometry.frobenius(x, y)) == pytest.approx(0, abs=1e-7)
    assert float(geometry.true_pairs(x, y)) > 0.5


def test_another_geometry_is_told_apart(embeddings):
    x, y = embeddings
    assert float(geometry.cka(x, y)) < 0.4
    assert float(geometry.frobenius(x, y)) > 0.3
    assert float(geometry.true_pairs(x, y)) < 0.1


def test_cka_is_that_of_the_centred_gram_matrices(embeddings):
    x, y = embeddings[0], embeddings[0] ** 2 + embeddings[1]
    centre = np.eye(60) - 1 / 60
    k, m = (centre @ (v @ v.T).numpy() @ centre for v in (x, y))
    expected = (k * m).sum() / np.sqrt((k * k).sum() * (m * m).sum())
    assert float(geometry.cka(x, y)) == pytest.approx(expected)


def test_constant_embeddings_have_a_defined_geometry(embeddings):
    flat = torch.ones(60, 8, dtype=torch.float64)
    for measure in (geometry.cka, geometry.frobenius, geometry.true_pairs):
        assert np.isfinite(float(measure(embeddings[0], flat)))


def test_students_are_compared_on_their_test_clips_without_privileged_input():
    cell = small_cell(epochs=4)
    fitted = teacher.fit(cell, lambda *_: None)
    joint = teacher.everything(cell, teacher.restore(cell, fitted.state))["z"]
    networks = student.networks(cell, Method(inputs="all"), None)
    before = geometry.compare(cell, networks, joint)
    assert before["chance"] == pytest.approx(1 / 48)
    cell.table.x["biosignal"].add_(5.0)  # the student's privileged input
    joint_of_training = joint.clone()
    for number, rows in enumerate(cell.train):
        joint_of_training[number, rows] = 0
    assert geometry.compare(cell, networks, joint_of_training) == before
