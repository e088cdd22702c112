"""Networks: what is hidden stays hidden, and no clip depends on another."""

import pytest
import torch

from benchmark.models import Hallucinator, Network, Standardise

SHAPES = {"vision": (12,), "speech": (7,), "biosignal": (9,)}


def view(batch: int, seed: int = 0, shapes=SHAPES) -> dict:
    rng = torch.Generator().manual_seed(seed)
    x = {name: torch.randn(batch, *shape, generator=rng) for name, shape in shapes.items()}
    return {"x": x, "visible": {name: torch.ones(batch, dtype=torch.bool) for name in shapes}}


def networks():
    torch.manual_seed(0)
    prevalent = {name: SHAPES[name] for name in ("vision", "speech")}
    imagined = Hallucinator(prevalent, ("biosignal",), "pooled")
    temporal = {name: (10, *shape) for name, shape in SHAPES.items()}
    return {
        "teacher": (Network(SHAPES, 5, "pooled"), SHAPES),
        "temporal": (Network(temporal, 5, "temporal"), temporal),
        "student": (Network(prevalent, 5, "pooled"), prevalent),
        "pknot": (Network(prevalent, 5, "pooled", imagined), prevalent),
        "teacher_hallucinated": (Network(SHAPES, 5, "pooled", imagined), SHAPES),
    }


@pytest.mark.parametrize("name", networks())
def test_predictions_do_not_depend_on_the_batch(name):
    network, shapes = networks()[name]
    whole = view(512, shapes=shapes)
    together = network(**whole).prediction
    for row in (0, 100, 511):
        alone = {part: {key: value[row : row + 1] for key, value in held.items()} for part, held in whole.items()}
        torch.testing.assert_close(network(**alone).prediction, together[row : row + 1], atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", networks())
@pytest.mark.parametrize("rubbish", [1e6, float("nan"), float("inf")])
def test_hidden_values_change_nothing(name, rubbish):
    network, shapes = networks()[name]
    shown = view(8, shapes=shapes)
    shown["visible"]["vision"][:4] = False
    expected = network(**shown)
    shown["x"]["vision"][:4] = rubbish
    torch.testing.assert_close(network(**shown).z, expected.z)


def test_a_visible_modality_matters():
    network, _ = networks()["teacher"]
    shown = view(8)
    hidden = {"x": shown["x"], "visible": shown["visible"] | {"biosignal": torch.zeros(8, dtype=torch.bool)}}
    assert (network(**shown).z - network(**hidden).z).abs().max() > 1e-3


def test_hallucination_fills_only_what_is_hidden():
    teacher, _ = networks()["teacher"]
    imagining, _ = networks()["teacher_hallucinated"]
    imagining.load_state_dict(teacher.state_dict(), strict=False)
    shown = view(8)
    torch.testing.assert_close(imagining(**shown).z, teacher(**shown).z)
    shown["visible"]["biosignal"][:4] = False
    change = (imagining(**shown).z - teacher(**shown).z).abs().amax(1)
    assert (change[:4] > 1e-3).all() and (change[4:] == 0).all()


def test_hallucination_never_reads_the_privileged_input():
    imagining, _ = networks()["teacher_hallucinated"]
    shown = view(8)
    shown["visible"]["biosignal"][:] = False
    expected = imagining(**shown).z
    shown["x"]["biosignal"] += 5
    torch.testing.assert_close(imagining(**shown).z, expected)


def test_a_hallucinator_is_frozen():
    student, _ = networks()["pknot"]
    trained = {name for name, parameter in student.named_parameters() if parameter.requires_grad}
    assert trained and not any(name.startswith("hallucinator") for name in trained)


def test_missing_values_become_the_training_mean():
    layer = Standardise((3,))
    training = torch.tensor([[1.0, 5.0, 2.0], [3.0, float("nan"), 2.0]])
    layer.fit(training)
    out = layer(torch.tensor([[2.0, float("nan"), 7.0]]))
    torch.testing.assert_close(out, torch.tensor([[0.0, 0.0, 5.0]]))


def test_a_feature_that_was_never_measured_is_ignored():
    layer = Standardise((1,))
    layer.fit(torch.full((4, 1), float("nan")))
    assert layer(torch.tensor([[3.0]])).isfinite().all()
