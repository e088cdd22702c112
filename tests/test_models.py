"""Networks: what is hidden stays hidden, and no clip depends on another."""

import pytest
import torch

from benchmark.models import Hallucinator, Network, Standardise

SHAPES = {"vision": (12,), "speech": (7,), "biosignal": (9,)}
PREVALENT = ("vision", "speech")
KINDS = ("teacher", "teacher_hallucinated", "student", "pknot", "zeros", "mean")
every_kind = pytest.mark.parametrize(
    "kind, encoder", [(kind, encoder) for kind in KINDS for encoder in ("pooled", "temporal")]
)


def view(batch: int, seed: int = 0, shapes=SHAPES) -> dict:
    rng = torch.Generator().manual_seed(seed)
    x = {name: torch.randn(batch, *shape, generator=rng) for name, shape in shapes.items()}
    return {"x": x, "visible": {name: torch.ones(batch, dtype=torch.bool) for name in shapes}}


def network(kind: str, encoder: str = "pooled") -> tuple[Network, dict]:
    """An untrained network of a kind that the suite builds, and the shapes of what it sees."""
    torch.manual_seed(0)
    shapes = SHAPES if encoder == "pooled" else {name: (10, *shape) for name, shape in SHAPES.items()}
    prevalent = {name: shapes[name] for name in PREVALENT}
    own = prevalent if kind in ("student", "pknot") else shapes
    imagined = Hallucinator(prevalent, ("biosignal",), encoder) if kind in ("pknot", "teacher_hallucinated") else None
    torch.manual_seed(1)
    made = Network(own, 5, encoder, imagined, absent=kind if kind in ("zeros", "mean") else "mask")
    for name, module in made.encoders.items():
        module.standardise.fit(3 + 2 * torch.randn(50, *own[name]))
    return made, own


@every_kind
def test_predictions_do_not_depend_on_the_batch(kind, encoder):
    made, shapes = network(kind, encoder)
    whole = view(512, shapes=shapes)
    whole["visible"][list(shapes)[-1]][::3] = False
    together = made(**whole).prediction
    for row in (0, 100, 511):
        alone = {part: {key: value[row : row + 1] for key, value in held.items()} for part, held in whole.items()}
        torch.testing.assert_close(made(**alone).prediction, together[row : row + 1], atol=1e-5, rtol=0)


@every_kind
@pytest.mark.parametrize("rubbish", [1e6, float("nan"), float("inf")])
def test_hidden_values_change_nothing(kind, encoder, rubbish):
    made, shapes = network(kind, encoder)
    shown = view(8, shapes=shapes)
    shown["visible"]["vision"][:4] = False
    expected = made(**shown)
    shown["x"]["vision"][:4] = rubbish
    torch.testing.assert_close(made(**shown).z, expected.z)


@pytest.mark.parametrize("encoder", ["pooled", "temporal"])
@pytest.mark.parametrize("absent", ["zeros", "mean"])
def test_an_absent_modality_is_filled_in_as_if_it_were_there(absent, encoder):
    made, shapes = network(absent, encoder)
    shown = view(8, shapes=shapes)
    shown["visible"]["biosignal"][:4] = False
    found = made(**shown)
    mean = made.encoders["biosignal"].standardise.mean
    explicit = view(8, shapes=shapes)
    explicit["x"]["biosignal"][:4] = 0.0 if absent == "zeros" else mean
    expected = made(**explicit)
    torch.testing.assert_close(found.prediction, expected.prediction)
    assert torch.equal(found.seen, expected.seen) and mean.abs().min() > 1


@pytest.mark.parametrize("absent", ["zeros", "mean"])
def test_a_clip_with_nothing_visible_is_not_filled_in(absent):
    made, shapes = network(absent)
    nothing = {name: torch.zeros(3, dtype=torch.bool) for name in shapes}
    found = made(view(3, shapes=shapes)["x"], nothing)
    assert not found.seen.any() and torch.equal(found.prediction[0], found.prediction[1])


def test_a_visible_modality_matters():
    made, _ = network("teacher")
    shown = view(8)
    hidden = {"x": shown["x"], "visible": shown["visible"] | {"biosignal": torch.zeros(8, dtype=torch.bool)}}
    assert (made(**shown).z - made(**hidden).z).abs().max() > 1e-3


def test_hallucination_fills_only_what_is_hidden():
    teacher, _ = network("teacher")
    imagining, _ = network("teacher_hallucinated")
    imagining.load_state_dict(teacher.state_dict(), strict=False)
    shown = view(8)
    torch.testing.assert_close(imagining(**shown).z, teacher(**shown).z)
    shown["visible"]["biosignal"][:4] = False
    change = (imagining(**shown).z - teacher(**shown).z).abs().amax(1)
    assert (change[:4] > 1e-3).all() and (change[4:] == 0).all()


def test_hallucination_never_reads_the_privileged_input():
    imagining, _ = network("teacher_hallucinated")
    shown = view(8)
    shown["visible"]["biosignal"][:] = False
    expected = imagining(**shown).z
    shown["x"]["biosignal"] += 5
    torch.testing.assert_close(imagining(**shown).z, expected)


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
