"""Teachers: they use what is privileged, and hand on nothing but training clips."""

import numpy as np
import torch
from conftest import kdot, silent

from benchmark import crossfit, evaluation, spaces, student, teacher, tnet
from benchmark.params import Method


def test_targets_exist_for_training_clips_alone(taught):
    for name, values in taught.given.items():
        for number, rows in enumerate(taught.cell.train):
            known = values[number].any(-1) if name == "seen" else values[number].flatten(1).isfinite().all(1)
            assert set(np.flatnonzero(known.numpy())) == set(rows), name


def test_a_teacher_is_worse_without_its_privileged_modality(taught):
    found = evaluation.predict(taught.cell, taught.teachers)
    right = found.truth.eq(found.prediction).groupby(found.condition, observed=True).mean()
    assert right["vision+biosignal"] > right["vision"] + 0.03


def test_what_a_teacher_says_is_what_it_would_say_of_the_clip_alone(taught):
    cell = taught.cell
    for number, network in enumerate(taught.teachers[:2]):
        alone = network(**cell.view(slice(5, 6), teacher.modalities(cell)))
        for name, values in alone._asdict().items():
            np.testing.assert_allclose(taught.said[name][number, 5:6], values.detach(), atol=1e-5)


def test_a_student_does_not_start_where_its_teacher_started(taught):
    one = student.networks(taught.cell, Method(), None)[0]
    two = teacher.networks(taught.cell)[0]
    assert not one.encoders["vision"].layers[0].weight.equal(two.encoders["vision"].layers[0].weight)


def test_nothing_that_is_built_on_a_teacher_that_diverged_passes_for_trained(taught):
    """The second of its replicas has no weights; the others are as if nothing had happened."""
    cell, lost = taught.cell, [0, 1, 0, 0, 0, 0]
    state = {name: values.clone() for name, values in taught.fitted.state.items()}
    for values in state.values():
        values[1] = torch.nan
    teachers = teacher.restore(cell, state)
    said = teacher.everything(cell, teachers)
    assert said["z"].isnan().flatten(1).all(1).tolist() == said["z"].isnan().flatten(1).any(1).tolist() == lost
    for variant in tnet.TRAINED:
        found = tnet.fit(cell, said, variant, silent)
        assert found.diverged.tolist() == lost
    imagined = tnet.hallucinators(cell, state, found.state)
    assert spaces.fit(cell, said).diverged.tolist() == lost
    held, agreed, _ = crossfit.fit(cell, said)
    for method, given, modules in (
        (kdot(), said, None), (kdot(teacher="crossfit"), held, None),
        (kdot(teacher="ensemble"), agreed, None), (Method(tnet="cosine"), said, imagined),
    ):  # fmt: skip
        found = student.fit(cell, method, given, modules, silent)
        assert found.diverged.tolist() == lost and (found.epoch > 0).tolist() == [not one for one in lost]
