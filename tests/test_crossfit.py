"""Cross-fitting: nobody is told by a teacher who learnt from him."""

import numpy as np
import pytest
import torch
from conftest import first_fold, silent, small_cell, teach, with_table

from benchmark import crossfit, student
from benchmark.params import Method


def test_parts_share_no_subject_and_cover_the_training_clips(taught):
    cell = taught.cell
    parts, people = crossfit.parts(cell), cell.table.subject_id
    for number, rows in enumerate(cell.train):
        told = [part.test[number] for part in parts]
        assert sorted(np.concatenate(told)) == sorted(rows) and all(len(own) for own in told)
        for part in parts:
            learnt, own = part.train[number], part.test[number]
            assert not set(people[learnt]) & set(people[own]) and sorted([*learnt, *own]) == sorted(rows)
            np.testing.assert_array_equal(part.validation[number], cell.validation[number])


def test_parts_are_the_same_for_all_seeds_of_a_fold(taught):
    for part in crossfit.parts(taught.cell):
        for first, second in zip(part.test[::2], part.test[1::2], strict=True):
            np.testing.assert_array_equal(first, second)


def test_targets_are_known_of_training_clips_alone(taught, heldout):
    found, _, spoken = heldout
    for number, rows in enumerate(taught.cell.train):
        others = np.setdiff1d(np.arange(len(taught.cell.table.clip_id)), rows)
        for values in (found["z"], found["prediction"], spoken):
            assert values[number, rows].isfinite().all() and values[number, others].isnan().all()


def test_what_is_said_of_a_subject_does_not_depend_on_his_labels():
    cell = first_fold(small_cell(seeds=(0,), epochs=2))
    who = cell.table.subject_id == cell.table.subject_id[cell.train[0][0]]
    wrong = torch.where(torch.from_numpy(who), 2 - cell.table.target, cell.table.target)
    before, after = (
        crossfit.fit(own, teach(own).said)[0]["prediction"][0] for own in (cell, with_table(cell, target=wrong))
    )
    other_part = np.setdiff1d(cell.train[0], next(p.test[0] for p in crossfit.parts(cell) if who[p.test[0]].any()))
    assert torch.equal(before[who], after[who])
    assert not torch.isclose(before[other_part], after[other_part], atol=1e-3).any(1).all()


def test_z_is_turned_into_the_space_of_the_teacher(taught, heldout, monkeypatch):
    """Another teacher's z has other axes; two hundred random ones would be at right angles."""

    def agreement(z) -> float:
        rows = taught.cell.train[0]
        return float(torch.cosine_similarity(z[0, rows], taught.said["z"][0, rows], dim=-1).mean())

    monkeypatch.setattr(crossfit, "rotation", lambda source, goal: torch.eye(goal.shape[-1]))
    assert agreement(heldout[0]["z"]) > 0.5 > 0.2 > abs(agreement(crossfit.fit(taught.cell, taught.said)[0]["z"]))


def test_rotation_undoes_a_rotation_and_keeps_lengths():
    rng = torch.Generator().manual_seed(0)
    z = torch.randn(50, 8, generator=rng)
    turn = torch.linalg.qr(torch.randn(8, 8, generator=rng)).Q
    torch.testing.assert_close(crossfit.rotation(z, z @ turn), turn, atol=1e-5, rtol=0)
    found = crossfit.rotation(z, torch.randn(50, 8, generator=rng))
    torch.testing.assert_close(found @ found.T, torch.eye(8), atol=1e-5, rtol=0)


def test_held_out_targets_repeat_less_of_the_label_noise():
    cell = small_cell(noise=1.0, epochs=8)
    taught = teach(cell)
    held = crossfit.fit(cell, taught.said)[0]

    def agreement(said: dict, labels) -> np.ndarray:
        pairs = enumerate(cell.train)
        return np.array([float((said["prediction"][n, r].argmax(-1) == labels[r]).float().mean()) for n, r in pairs])

    assert (agreement(held, cell.table.target) < agreement(taught.said, cell.table.target) - 0.15).all()
    assert agreement(held, cell.table.clean).mean() > agreement(held, cell.table.target).mean()


def test_values_are_told_in_the_units_of_the_cell():
    """Part and cell standardise by different training clips."""
    cell = small_cell("regression", epochs=4)
    part = crossfit.parts(cell)[0]
    assert not torch.allclose(part.scale[0], cell.scale[0], atol=1e-3)

    def standardised(own):
        mean, deviation = (values[:, None] for values in own.scale)
        return (cell.table.target[None] - mean) / deviation

    torch.testing.assert_close(crossfit.rescaled(standardised(part), part, cell), standardised(cell))
    several = crossfit.rescaled(standardised(part)[:, :, None].expand(-1, -1, 3, -1), part, cell)
    torch.testing.assert_close(several[:, :, 1], standardised(cell))
    found = crossfit.fit(cell, teach(cell).said)[0]["prediction"]
    for number, rows in enumerate(cell.train):
        pairs = torch.stack([found[number, rows].flatten(), standardised(cell)[number, rows].flatten()])
        assert torch.corrcoef(pairs)[0, 1] > 0.5


def test_of_a_single_training_subject_nobody_can_tell():
    cell = small_cell(subjects=3, epochs=1)
    said = teach(cell).said
    found, agreed, spoken = crossfit.fit(cell, said)
    assert found["z"].isnan().all() and found["prediction"].isnan().all() and spoken.isnan().all()
    assert spoken.shape == (6, 36, 3, 3)
    rows = cell.train[0]
    torch.testing.assert_close(cosines(agreed["z"][0, rows]), cosines(centred(said["z"][0, rows])))
    two = small_cell(subjects=5, epochs=1)
    assert min(len(set(two.table.subject_id[rows])) for rows in two.train) < crossfit.PARTS
    held = crossfit.fit(two, teach(two).said)[0]
    assert all(held["z"][number, rows].isfinite().all() for number, rows in enumerate(two.train))


def centred(z: torch.Tensor) -> torch.Tensor:
    return z - z.mean(0)


def cosines(z: torch.Tensor) -> torch.Tensor:
    unit = torch.nn.functional.normalize(z, dim=-1)
    return unit @ unit.T


def test_an_ensemble_says_the_mean_and_keeps_the_mean_geometry(taught, heldout):
    """But for what 32 axes cannot hold; a member that diverged is none."""
    rng, rows = torch.Generator().manual_seed(0), taught.cell.train[0]
    members = [taught.said | {"z": taught.said["z"] + 0.2 * torch.randn(taught.said["z"].shape, generator=rng)}]
    members.append(taught.said | {"prediction": taught.said["prediction"].flip(-1)})
    lost = taught.said | {name: torch.full_like(taught.said[name], torch.nan) for name in ("z", "prediction")}
    found = crossfit.consensus(taught.cell, [members[0], lost, members[1]])
    wanted = torch.stack([member["prediction"][0, rows].softmax(-1) for member in members]).mean(0)
    torch.testing.assert_close(found["prediction"][0, rows].softmax(-1), wanted)
    geometry = torch.stack([cosines(centred(member["z"][0, rows])) for member in members]).mean(0)
    z = found["z"][0, rows]
    assert (z @ z.T - geometry).norm() < 0.1 * geometry.norm()
    others = np.setdiff1d(np.arange(len(taught.cell.table.clip_id)), rows)
    assert found["z"][0, others].isnan().all() and heldout[1]["z"][0, rows].isfinite().all()


def test_a_part_that_diverged_leaves_targets_that_nobody_can_learn_from(taught, heldout, monkeypatch):
    """It is not an error of the stage, and no student passes for taught."""
    assert crossfit.rotation(torch.full((5, 3), torch.nan), torch.ones(5, 3)).isnan().all()
    lost = {name: values.clone() for name, values in heldout[0].items()}
    lost["z"][1, taught.cell.train[1][:40]] = torch.nan
    found = student.fit(taught.cell, Method(terms={"kdot": {"k": 8}}, teacher="crossfit"), lost, None, silent)
    assert found.diverged.tolist() == [0, 1, 0, 0, 0, 0]


@pytest.mark.parametrize("terms", [{"kd": {}}, {"kdot": {"k": 8}}])
def test_a_student_learns_from_held_out_targets(taught, heldout, terms):
    given = {name: values.clone() for name, values in heldout[0].items()}
    found = student.fit(taught.cell, Method(terms=terms, teacher="crossfit"), given, None, silent)
    assert (found.score > 0.3).all() and not found.diverged.any()


def test_the_geometry_of_an_ensemble_is_the_mean_of_geometries_however_they_are_turned(taught):
    turn = torch.linalg.qr(torch.randn(32, 32, generator=torch.Generator().manual_seed(0)))[0]
    turned = taught.said | {"z": taught.said["z"] @ turn}
    found = crossfit.consensus(taught.cell, [taught.said, turned])
    for number, rows in enumerate(taught.cell.train):
        own = crossfit.centred(taught.said["z"][number, rows])
        torch.testing.assert_close(
            found["z"][number, rows] @ found["z"][number, rows].T, own @ own.T, atol=1e-4, rtol=0
        )
