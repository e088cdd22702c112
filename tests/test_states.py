"""Courses of latent states: stationary, of unit variance, and split into independent parts."""

import numpy as np
import pytest
from test_params import SHIPPED

from benchmark import params
from benchmark.synthesis import states
from benchmark.synthesis.states import STATES, Course, blocks, constant, parts, row, split, wandering

SHARED = params.load(SHIPPED).populations["shared"]


def test_a_course_is_followed_between_its_times_and_stays_beyond_them():
    course = Course(np.array([1.0, 3.0]), np.array([row(arousal=-1), row(arousal=1)]))
    found = course.at(np.array([0.0, 1.0, 2.0, 2.5, 9.0]))
    assert found.shape == (5, len(STATES))
    np.testing.assert_allclose(found[:, STATES.index("arousal")], [-1, -1, 0, 0.5, 1])
    assert not found[:, :4].any() and not course.still and constant(row(pain=2), 5.5).still


def test_an_unknown_state_is_refused():
    with pytest.raises(ValueError, match="no state anger; there are pain"):
        row(anger=1)


def test_wandering_is_standard_and_forgets_at_its_timescale():
    course = wandering(np.random.default_rng(0), 20_000, ("arousal", "valence"), 10.0)
    arousal, valence = course.of("arousal"), course.of("valence")
    assert course.times[-1] == 20_000 and len(arousal) == 100_001
    assert arousal.std() == pytest.approx(1, abs=0.05) and abs(arousal.mean()) < 0.1
    assert np.corrcoef(arousal[:-50], arousal[50:])[0, 1] == pytest.approx(np.exp(-1), abs=0.06)
    assert abs(np.corrcoef(arousal, valence)[0, 1]) < 0.1
    assert not course.of("pain").any()


def test_wandering_begins_as_it_goes_on():
    starts = [wandering(np.random.default_rng(i), 2.0, ("stress",), 60.0).of("stress")[0] for i in range(500)]
    assert np.std(starts) == pytest.approx(1, abs=0.1)


def test_a_share_of_the_variance_belongs_to_the_subject():
    rng = np.random.default_rng(0)
    means = [wandering(rng, 2000, ("arousal",), 5.0, level, 0.3).of("arousal").mean() for level in rng.normal(size=300)]
    assert np.var(means) == pytest.approx(0.3, abs=0.06)


def test_blocks_hold_and_change_smoothly():
    course = blocks(np.array([row(stress=-1), row(stress=1), row()]), np.array([60.0, 30.0, 10.0]))
    stress = course.of("stress")
    assert course.times[-1] == 100
    assert stress[100] == pytest.approx(-1) and stress[5 * 75] == pytest.approx(1, abs=1e-3)
    assert np.abs(np.diff(stress)).max() < 0.1
    assert abs(stress[300]) < 0.1


@pytest.mark.parametrize("hidden", (0.0, 0.3, 1.0))
def test_shown_and_hidden_parts_are_independent_and_together_what_is_felt(hidden):
    felt, other, chance = np.random.default_rng(0).normal(size=(3, 20_000))
    found = parts(felt, other, chance, hidden)
    for values in found.values():
        assert values.std() == pytest.approx(1, abs=0.03)
    assert np.corrcoef(found["shown"], found["hidden"])[0, 1] == pytest.approx(0, abs=0.03)
    assert np.corrcoef(found["shown"], felt)[0, 1] == pytest.approx(np.sqrt(1 - hidden), abs=0.03)
    np.testing.assert_allclose(np.sqrt(1 - hidden) * found["shown"] + np.sqrt(hidden) * found["hidden"], felt)
    assert np.corrcoef(found["nothing"], felt)[0, 1] == pytest.approx(0, abs=0.03)


def test_every_part_of_a_person_shows_what_the_population_says():
    felt, other, chance = (wandering(np.random.default_rng(i), 60.0, ("arousal",), 5.0) for i in range(3))
    voice = SHARED.voice.model_copy(update={"shows": "felt"})
    body = SHARED.body.model_copy(update={"shows": "nothing"})
    shown = split(felt, other, chance, SHARED.model_copy(update={"hidden": 1.0, "voice": voice, "body": body}))
    np.testing.assert_array_equal(shown.face.states, -other.states)
    np.testing.assert_array_equal(shown.voice.states, felt.states)
    np.testing.assert_array_equal(shown.body.states, chance.states)


def test_a_cut_begins_at_zero():
    felt = wandering(np.random.default_rng(0), 60.0, ("arousal",), 5.0)
    part = split(felt, felt, felt, SHARED).cut(20.0, 30.0)
    assert part.felt.times[0] == 0 and part.felt.times[-1] == 10
    np.testing.assert_allclose(part.felt.states, felt.at(20 + part.felt.times))


def test_noise_is_one_draw_for_a_held_state_and_wanders_otherwise():
    still, moving = constant(row(), 300.0), wandering(np.random.default_rng(0), 300.0, ("pain",), 5.0)
    times = np.arange(3000) / 10
    assert states.disturbed(np.random.default_rng(0), still, times, 4, 3.0).shape == (4,)
    noise = states.disturbed(np.random.default_rng(0), moving, times, 4, 3.0)
    assert noise.shape == (3000, 4) and noise.std(0) == pytest.approx(np.ones(4), abs=0.25)
