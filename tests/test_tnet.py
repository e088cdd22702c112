"""T-Nets: trained by their criterion, saved, and the saved one used."""

import numpy as np
import pytest
import torch

from benchmark import cell as cells
from benchmark import checkpoints, tnet
from benchmark.models import Hallucinator


def errors(taught, state: dict, criterion: str) -> list[float]:
    """Each replica's error on its test clips."""
    cell, known = taught.cell, taught.said["tokens"][:, :, 1:]
    found = []
    for number, module in enumerate(tnet.hallucinators(cell, taught.fitted.state, state)):
        rows = torch.from_numpy(cell.test[number])
        view = cell.view(rows, ("vision",))
        said = module(view["x"], view["visible"]["vision"][:, None])
        there = cell.table.visible["biosignal"][rows][:, None]
        found.append(float(tnet.error(said, known[number, rows], there, criterion)))
    return found


@pytest.mark.parametrize("variant", tnet.TRAINED)
def test_every_variant_is_better_than_an_untrained_one_at_its_own_criterion(taught, tnets, variant):
    untrained = cells.stack(tnet.networks(taught.cell))
    trained = errors(taught, tnets[variant].state, variant)
    assert (np.array(trained) < 0.8 * np.array(errors(taught, untrained, variant))).all()


def test_variants_are_kept_at_their_smallest_error_on_the_validation_clips(taught, tnets):
    for variant, found in tnets.items():
        module = tnet.hallucinators(taught.cell, taught.fitted.state, found.state)[0]
        cell, rows = taught.cell, torch.from_numpy(taught.cell.validation[0])
        view = cell.view(rows, ("vision",))
        said = module(view["x"], view["visible"]["vision"][:, None])
        goal = taught.said["tokens"][0, rows, 1:]
        error = tnet.error(said, goal, cell.table.visible["biosignal"][rows][:, None], variant)
        assert float(error) == pytest.approx(-found.score[0], abs=1e-5)


@pytest.mark.parametrize("criterion", tnet.TRAINED)
def test_clips_without_the_privileged_modality_do_not_count(criterion):
    rng = torch.Generator().manual_seed(0)
    guess, goal = (torch.randn(20, 2, 32, generator=rng) for _ in range(2))
    there = torch.rand(20, 2, generator=rng) > 0.3
    expected = tnet.error(guess, goal, there, criterion)
    rubbish = torch.where(there[..., None], goal, 100.0)
    torch.testing.assert_close(tnet.error(guess, rubbish, there, criterion), expected)
    assert float(expected) > 0 == float(tnet.error(goal, goal, there, criterion).clamp_min(0).round(decimals=5))


def test_saved_hallucinators_are_the_ones_used(tmp_path, taught, tnets):
    cell = taught.cell
    checkpoints.save(tmp_path / "teacher", taught.fitted.state, {})
    for variant, found in tnets.items():
        checkpoints.save(tmp_path / f"tnet_{variant}", found.state, {})
    for variant, found in tnets.items():
        for number, module in enumerate(tnet.load_hallucinators(cell, tmp_path, variant)):
            own, network = module.state_dict(), taught.teachers[number].state_dict()
            assert all(torch.equal(own[f"tnet.{name}"], values[number]) for name, values in found.state.items())
            encoders = [name for name in own if name.startswith("encoders.")]
            assert encoders and all(torch.equal(own[name], network[name]) for name in encoders)
            assert not any(parameter.requires_grad for parameter in module.parameters())


def test_without_a_tnet_there_is_no_hallucinator_and_an_own_one_starts_untrained(tmp_path, taught):
    assert tnet.load_hallucinators(taught.cell, tmp_path, "none") is None
    one, two = (tnet.load_hallucinators(taught.cell, tmp_path, "own") for _ in range(2))
    for a, b in zip(one, two, strict=True):
        assert isinstance(a, Hallucinator) and all(parameter.requires_grad for parameter in a.parameters())
        assert all(torch.equal(x, y) for x, y in zip(a.parameters(), b.parameters(), strict=True))
    assert not torch.equal(one[0].tnet.layers[0].weight, one[1].tnet.layers[0].weight)


def test_embeddings_are_those_that_the_teacher_fuses(taught):
    for slot, name in enumerate(("vision", "biosignal")):
        known = torch.stack([network.encoders[name](taught.cell.table.x[name]) for network in taught.teachers])
        torch.testing.assert_close(known, taught.said["tokens"][:, :, slot])
