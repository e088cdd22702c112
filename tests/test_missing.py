"""Conditions: their names and rates, and masks that depend on nothing but dataset, draw and clip."""

import numpy as np
import pytest
import torch
from conftest import small_task

from benchmark import missing
from benchmark.params import Missing

OPTIONS = Missing(draws=2, rates=[0.1, 0.3, 0.5, 0.7], unequal=[0.1, 0.5], gaps=[0.1, 0.3])
CLIPS = np.array([f"clip_{number:04d}" for number in range(3000)])
TWO = small_task("ordinal")
EVERY = np.ones((len(CLIPS), 3), bool)
THREE = TWO.model_copy(update={"prevalent": ["vision", "speech"]})


def test_conditions_are_all_subsets_with_readable_aliases():
    found = missing.conditions(("vision", "speech", "biosignal"))
    assert len(found) == 7 and next(iter(found)) == "vision+speech+biosignal"
    roles = ("vision", "speech"), ("biosignal",)
    assert missing.alias(("vision", "speech"), *roles) == "privileged_absent"
    assert missing.alias(("vision", "speech", "biosignal"), *roles) == "all"
    assert missing.alias(("vision", "biosignal"), *roles) == "no_speech"
    assert missing.alias(("speech",), *roles) == "only_speech"


def names(task, protocol: str) -> list[str]:
    return [own.name for own in missing.listed(task, OPTIONS) if own.protocol == protocol]


def test_every_protocol_has_its_conditions_and_no_rate_that_cannot_be_had():
    assert names(TWO, "random") == ["random_10", "random_30", "random_50"], "of two, one is always kept"
    assert names(THREE, "random") == ["random_10", "random_30", "random_50", "random_67"]
    assert names(TWO, "wild") == [] and names(THREE, "wild") == ["wild_10", "wild_30", "wild_50"]
    assert names(TWO, "equal") == ["equal_30"]
    assert names(TWO, "unequal") == ["unequal_10_50", "unequal_50_10"]
    assert len(names(THREE, "unequal")) == 6 and "unequal_50_10_30" in names(THREE, "unequal")
    assert names(TWO, "gap") == ["gap_vision_10", "gap_vision_30", "gap_biosignal_10", "gap_biosignal_30"]
    seen = {own.gap: own.visible for own in missing.listed(TWO, OPTIONS) if own.gap}
    assert seen == {"vision": ("vision",), "biosignal": ("vision", "biosignal")}


@pytest.fixture(scope="module")
def masks() -> dict[str, np.ndarray]:
    return missing.draw(THREE, CLIPS, EVERY, 10, OPTIONS)


def test_random_masks_hide_as_much_as_asked_and_keep_one(masks):
    for rate in (0.1, 0.3, 0.5, 0.67):
        kept = masks[f"random_{missing.percent(rate)}"]
        assert kept.shape == (2, 3000, 3) and kept.any(-1).all()
        assert 1 - kept.mean() == pytest.approx(rate, abs=0.01)
        np.testing.assert_allclose(1 - kept.mean((0, 1)), rate, atol=0.02)


def test_wild_masks_hide_the_privileged_modality_always_and_the_others_as_asked(masks):
    kept = masks["wild_30"]
    assert not kept[..., 2].any() and kept[..., :2].any(-1).all()
    assert 1 - kept[..., :2].mean() == pytest.approx(0.3, abs=0.01)


def test_what_is_hidden_at_one_rate_is_hidden_at_a_higher_one(masks):
    assert not (masks["random_50"] & ~masks["random_30"]).any() and (masks["random_30"] & ~masks["random_50"]).any()


def test_unequal_rates_hide_what_they_say_and_have_the_mean_of_the_equal_one(masks):
    for name, rates in (
        ("equal_30", [0.3] * 3),
        ("unequal_10_30_50", [0.1, 0.3, 0.5]),
        ("unequal_50_10_30", [0.5, 0.1, 0.3]),
    ):
        assert masks[name].any(-1).all(), "no clip loses everything"
        np.testing.assert_allclose(1 - masks[name].mean((0, 1)), rates, atol=0.02)


def test_masks_depend_on_dataset_draw_clip_and_modality_alone(masks):
    some = missing.draw(THREE, CLIPS[::-7], EVERY[::-7], 10, OPTIONS)
    for name, values in some.items():
        np.testing.assert_array_equal(values, masks[name][:, ::-7])
    assert not np.array_equal(masks["random_30"][0], masks["random_30"][1]), "draws differ"
    other = missing.draw(THREE.model_copy(update={"dataset": "another"}), CLIPS, EVERY, 10, OPTIONS)
    assert not np.array_equal(other["random_30"], masks["random_30"])
    reverse = THREE.model_copy(update={"prevalent": ["biosignal", "speech"], "privileged": ["vision"]})
    turned = missing.draw(reverse, CLIPS, EVERY, 10, OPTIONS)
    np.testing.assert_array_equal(turned["random_30"], masks["random_30"][..., ::-1])


def test_what_is_kept_was_recorded():
    present = np.random.default_rng(0).random((len(CLIPS), 3)) < 0.6
    present[~present.any(1)] = True
    for name, kept in missing.draw(THREE, CLIPS, present, 10, OPTIONS).items():
        if not name.startswith("gap"):
            able = present.copy() if not name.startswith("wild") else present & [True, True, False]
            assert ((kept & present).any(-1) | ~able.any(-1)).all(), name


def test_a_gap_is_in_one_piece_somewhere_and_takes_the_clip_level_row_with_it(masks):
    starts = masks["gap_30"][0, :, 1]
    assert set(starts.tolist()) == set(range(8)), "every place is possible"
    packed = np.ones((len(starts), 11, 4), np.float32)
    gone = np.isnan(missing.cut(packed, starts, 0.3)).all(-1)
    assert (gone.sum(1) == 4).all() and gone[:, -1].all()
    first = gone[:, :-1].argmax(1)
    assert np.array_equal(first, starts) and all(row[at : at + 3].all() for row, at in zip(gone, first, strict=True))
    assert missing.gap_length(0.05, 10) == 1 and missing.gap_length(0.99, 10) == 9


def test_hidden_values_are_gone():
    view = {"x": {"a": torch.ones(3, 2, 4), "b": torch.ones(3, 5)},
            "visible": {"a": torch.tensor([True, False, True]), "b": torch.tensor([True, True, True])}}  # fmt: skip
    found = missing.hide(view, ("a",))
    assert found["x"]["b"].isnan().all() and not found["visible"]["b"].any()
    assert found["x"]["a"].isnan().flatten(1).all(1).tolist() == [False, True, False]
    assert not view["x"]["b"].isnan().any(), "the view that was given is as it was"
