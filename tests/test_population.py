"""How states show: faces, voices and organs follow what they show, within their habits and noise."""

import numpy as np
import pytest
from test_params import SHIPPED

from benchmark import params
from benchmark.synthesis.elicitation import conversation, draw
from benchmark.synthesis.face import UNITS
from benchmark.synthesis.physiology import MUSCLES, Drive
from benchmark.synthesis.population import LOADINGS, ORGANS, VOICE, delivery, drive, units
from benchmark.synthesis.states import STATES, constant, row, wandering
from benchmark.synthesis.voice import Delivery

POPULATIONS = params.load(SHIPPED).populations
SHARED = POPULATIONS["shared"]
ONSET = (0.1, 0.9)


def test_every_part_listens_to_every_state():
    for table, names in ((LOADINGS, UNITS), (ORGANS, Drive._fields[:-1]), (VOICE, Delivery._fields[:-1])):
        assert set(table) == set(names)
        assert {len(loadings) for loadings in table.values()} == {len(STATES)}
    assert set(MUSCLES) < set(ORGANS)


RECORDED = {  # (subject, clip): mean intensities and drives, recorded when faces could only hold one state
    (0, 7): (
        (0.42326353606189965, 0.024843952535577515, 0.1512297216179111, 0.14292924865872167,
         0.10808255389342103, 0.07076756002950294, 0.22310177746041934, 0.4766551206184479),
        (-1.8023611983018077, -1.0199911059912943, -1.6489107208177762, -1.6073518369824733, -1.506017465311996),
    ),
    (2, 19): (
        (0.22827052524035624, 0.5208475437289102, 0.41304959538493813, 0.42491346790187234,
         0.3989561776412657, 0.47135141270776004, 0.2589642162062564, 0.2556297247508794),
        (1.2172875658611215, 1.2214142243361852, 0.8217072772199496, 1.5169891756295308, 0.8949367628255901),
    ),
}  # fmt: skip


@pytest.mark.parametrize("who", RECORDED)
def test_a_held_state_looks_as_it_always_did(who):
    clip = draw("shared", SHARED.model_copy(update={"subjects": 3}))[who[0]][who[1]]
    shown, driven = RECORDED[who]
    intensities = units("shared", SHARED, who, clip.shown.face, 138, 25, ONSET)
    np.testing.assert_allclose(intensities.mean(0), shown, atol=1e-12)
    np.testing.assert_allclose(drive("shared", SHARED, who, clip.shown.body)[:5], driven, atol=1e-12)


def test_units_stay_in_range_and_follow_pain_without_sitting_at_the_ends():
    clips = [clip for own in draw("shared", SHARED) for clip in own]
    shown = np.array([units("shared", SHARED, (c.subject, c.number), c.shown.face, 138, 25, ONSET) for c in clips])
    assert shown.shape[1:] == (138, len(UNITS)) and shown.min() >= 0 and shown.max() <= 1
    assert ((shown == 0) | (shown == 1)).mean() < 0.1
    felt = [clip.felt for clip in clips]
    assert np.corrcoef(shown[:, :, UNITS.index("brow_lower")].mean(1), felt)[0, 1] > 0.3


def test_drives_of_the_body_are_about_standard_and_follow_what_it_shows():
    clips = [clip for own in draw("shared", SHARED) for clip in own]
    driven = np.array([drive("shared", SHARED, (c.subject, c.number), c.shown.body)[:-1] for c in clips])
    assert driven.std(0) == pytest.approx(np.ones(len(ORGANS)), abs=0.25)
    assert np.corrcoef(driven[:, 0], [clip.shown.body.of("pain")[0] for clip in clips])[0, 1] > 0.7


def follows(response, state):
    """Correlation over people and time of (people, M) each, without what is constant in a person."""
    deviations = [np.asarray(values) - np.mean(values, axis=1, keepdims=True) for values in (response, state)]
    return np.corrcoef(deviations[0].ravel(), deviations[1].ravel())[0, 1]


@pytest.fixture(scope="module")
def wanderers():
    return [wandering(np.random.default_rng(i), 120.0, ("arousal", "valence"), 15.0) for i in range(30)]


def test_a_face_follows_its_states_in_time(wanderers):
    shown = np.array([units("any", SHARED, (i, "r"), course, 600, 5) for i, course in enumerate(wanderers)])
    assert shown.min() >= 0 and shown.max() <= 1
    valence, arousal = ([course.of(name)[:600] for course in wanderers] for name in ("valence", "arousal"))
    assert follows(shown[:, :, UNITS.index("smile")], valence) > 0.4
    assert follows(shown[:, :, UNITS.index("mouth_open")], arousal) > 0.25
    assert follows(shown[:, :, UNITS.index("nose_wrinkle")], valence) < -0.25


def test_a_mouth_moves_while_its_owner_talks():
    course, mouth = constant(row(), 20.0), UNITS.index("mouth_open")
    quiet, talks = (units("any", SHARED, (0, 0), course, 500, 25, talking=t) for t in (None, [(4.0, 12.0)]))
    moved = talks - quiet
    assert moved[110:290, mouth].std() > 0.05
    moved[100:300, mouth] = 0
    assert not moved.any()


def test_body_and_voice_follow_their_states_in_time(wanderers):
    drives = [drive("any", SHARED, (i, "r"), course) for i, course in enumerate(wanderers)]
    voices = [delivery("any", SHARED, (i, "r"), course) for i, course in enumerate(wanderers)]
    valence, arousal = ([course.of(name) for course in wanderers] for name in ("valence", "arousal"))
    assert all((d.times == course.times).all() for d, course in zip(drives, wanderers, strict=True))
    for organ in ("sweat", "heart", "breathing"):
        assert follows([getattr(d, organ) for d in drives], arousal) > 0.7
    assert (
        follows([d.corrugator for d in drives], valence)
        < -0.7
        < 0.7
        < follows([d.zygomaticus for d in drives], valence)
    )
    assert follows([v.level for v in voices], arousal) > 0.7
    assert follows([v.smile for v in voices], valence) > 0.7


def test_a_held_state_drives_by_numbers():
    driven = drive("any", SHARED, (0, 0), constant(row(arousal=1), 60.0))
    spoken = delivery("any", SHARED, (0, 0), constant(row(arousal=1), 60.0))
    assert all(isinstance(value, float) for value in (*driven[:-1], *spoken[:-1]))


def test_what_shows_depends_on_subject_and_recording_alone():
    course = conversation("any", SHARED, 3, 0, 20.0).shown
    for show in (drive, delivery):
        first, again = (show("any", SHARED, (3, 0), course.body) for _ in range(2))
        other = show("any", SHARED, (3, 1), course.body)
        np.testing.assert_array_equal(first, again)
        assert not np.array_equal(first, other)
