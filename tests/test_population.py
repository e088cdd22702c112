"""The latent population: what is asked of it holds before anything is rendered."""

import numpy as np
import pytest
from test_params import SHIPPED

from benchmark import params
from benchmark.synthesis.face import UNITS
from benchmark.synthesis.population import clean_label, draw, drive, units

POPULATIONS = params.load(SHIPPED).populations


def latent(name):
    clips = [clip for own in draw(name, POPULATIONS[name].model_copy(update={"subjects": 87})) for clip in own]
    return {
        "level": np.array([clip.level for clip in clips]),
        "felt": np.array([clip.felt for clip in clips]),
        "shown": np.array([clip.states[0] for clip in clips]),
        "body": np.array([clip.body for clip in clips]),
        "subject": np.array([clip.subject for clip in clips]),
    }


@pytest.mark.parametrize("name", POPULATIONS)
def test_felt_pain_is_standard_and_the_level_is_noisy(name):
    found = latent(name)
    assert abs(found["felt"].mean()) < 0.12 and found["felt"].std() == pytest.approx(1, abs=0.08)
    assert (np.bincount(found["level"]) == len(found["level"]) / 5).all()
    assert np.corrcoef(found["level"], found["felt"])[0, 1] == pytest.approx(0.68, abs=0.06)
    people = [found["felt"][found["subject"] == person].mean() for person in range(87)]
    assert np.var(people) == pytest.approx(0.15 + 0.35 / 20, abs=0.08)


def test_in_the_shared_population_face_and_body_show_what_is_felt():
    found = latent("shared")
    np.testing.assert_allclose(found["shown"], found["felt"])
    np.testing.assert_allclose(found["body"], found["felt"])


def test_in_the_unshared_population_the_body_shows_what_the_face_does_not():
    found = latent("unshared")
    assert np.corrcoef(found["shown"], found["body"])[0, 1] == pytest.approx(0, abs=0.08)
    for part in ("shown", "body"):
        assert np.corrcoef(found[part], found["felt"])[0, 1] == pytest.approx(0.71, abs=0.06)


def test_in_the_noise_population_the_body_shows_nothing():
    found = latent("noise")
    assert np.corrcoef(found["body"], found["felt"])[0, 1] == pytest.approx(0, abs=0.08)


def test_clean_labels_rise_with_what_is_felt():
    assert clean_label(-9) == 0 and clean_label(9) == 4 and clean_label(0) == pytest.approx(2)


def test_more_subjects_change_none_of_the_others():
    few = draw("shared", POPULATIONS["shared"].model_copy(update={"subjects": 3}))
    many = draw("shared", POPULATIONS["shared"].model_copy(update={"subjects": 9}))
    assert [clip.felt for own in few for clip in own] == [clip.felt for own in many[:3] for clip in own]


def test_units_stay_in_range_and_follow_pain_without_sitting_at_the_ends():
    population = POPULATIONS["shared"]
    clips = [clip for own in draw("shared", population) for clip in own]
    shown = np.array([units("shared", population, clip, 138, 25) for clip in clips])
    assert shown.shape[1:] == (138, len(UNITS)) and shown.min() >= 0 and shown.max() <= 1
    assert ((shown == 0) | (shown == 1)).mean() < 0.1
    felt = [clip.felt for clip in clips]
    assert np.corrcoef(shown[:, :, UNITS.index("brow_lower")].mean(1), felt)[0, 1] > 0.3


def test_drives_of_the_body_are_about_standard_and_follow_what_it_shows():
    population = POPULATIONS["shared"]
    clips = [clip for own in draw("shared", population) for clip in own]
    driven = np.array([drive("shared", population, clip) for clip in clips])
    assert driven.std(0) == pytest.approx(np.ones(5), abs=0.25)
    assert np.corrcoef(driven[:, 0], [clip.body for clip in clips])[0, 1] > 0.7
