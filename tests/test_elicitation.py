"""What is felt in each kind of recording: what is asked of a population holds before anything is rendered."""

import numpy as np
import pytest
from test_params import SHIPPED

from benchmark import params
from benchmark.synthesis.elicitation import (
    EMOTIONS,
    Block,
    acted,
    clean_label,
    clean_rating,
    conditions,
    conversation,
    draw,
    pain,
    raters,
)
from benchmark.synthesis.face import UNITS
from benchmark.synthesis.population import LOADINGS, VOICE
from benchmark.synthesis.states import STATES, wandering

POPULATIONS = params.load(SHIPPED).populations
SHARED = POPULATIONS["shared"]


# --- pain


def latent(name):
    clips = [clip for own in draw(name, POPULATIONS[name].model_copy(update={"subjects": 87})) for clip in own]
    return {
        "level": np.array([clip.level for clip in clips]),
        "felt": np.array([clip.felt for clip in clips]),
        "shown": np.array([clip.shown.face.of("pain")[0] for clip in clips]),
        "body": np.array([clip.shown.body.of("pain")[0] for clip in clips]),
        "subject": np.array([clip.subject for clip in clips]),
    }


@pytest.mark.parametrize("name", ("shared", "small", "unshared", "noise"))
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
    few = draw("shared", SHARED.model_copy(update={"subjects": 3}))
    many = draw("shared", SHARED.model_copy(update={"subjects": 9}))
    assert [clip.felt for own in few for clip in own] == [clip.felt for own in many[:3] for clip in own]


@pytest.mark.parametrize("clips", (1, 4, 5, 13))
def test_levels_come_as_equally_often_as_the_number_of_clips_allows(clips):
    population = SHARED.model_copy(update={"clips": clips})
    counts = np.array([
        np.bincount([clip.level for clip in pain("shared", population, subject)], minlength=5) for subject in range(200)
    ])  # fmt: skip
    assert (counts.sum(1) == clips).all() and np.ptp(counts, axis=1).max() <= 1
    assert counts.mean(0) == pytest.approx(np.full(5, clips / 5), abs=0.12)  # none is preferred


# --- conversations


def test_in_conversations_affect_wanders_around_a_mean_of_the_subject():
    found = np.array([
        [conversation("c", SHARED, subject, key, 120.0).shown.felt.of("arousal") for key in range(2)]
        for subject in range(150)
    ])  # fmt: skip
    assert found.std() == pytest.approx(1, abs=0.06) and abs(found.mean()) < 0.1
    one, other = found.mean(axis=2).T
    assert 0.2 < np.corrcoef(one, other)[0, 1] < 0.7  # icc of .15, against means over two minutes


def test_turns_fill_about_half_of_a_conversation_and_move_the_mouth():
    shares, faces = [], []
    for subject in range(20):
        told = conversation("c", SHARED, subject, 0, 60.0)
        times = told.shown.face.times
        now = np.any([(times >= start) & (times < end) for start, end in told.talking], axis=0)
        assert all(0 <= start < end <= 60 for start, end in told.talking)
        assert all(end < start for (_, end), (start, _) in zip(told.talking[:-1], told.talking[1:], strict=True))
        shares.append(now.mean())
        faces.append(np.corrcoef(now, told.shown.face.of("talk"))[0, 1])
    assert 0.35 < np.mean(shares) < 0.65 and np.min(faces) > 0.7


def test_in_conversations_the_controls_hold_too():
    for name, low, high in (("shared", 0.99, 1.0), ("unshared", -0.1, 0.1), ("noise", -0.1, 0.1)):
        shown = [conversation(name, POPULATIONS[name], subject, 0, 120.0).shown for subject in range(60)]
        face, body = (np.concatenate([getattr(s, part).of("valence") for s in shown]) for part in ("face", "body"))
        assert low - 1e-9 <= np.corrcoef(face, body)[0, 1] <= high + 1e-9


# --- conditions

PLAN = [Block(60, {"stress": -1.2, "arousal": -0.5}), Block(90, {"stress": 1.4, "talk": 1}), Block(60, {"stress": 0.1})]


def test_conditions_bring_about_what_they_are_to_on_average():
    sessions = [conditions("w", SHARED, subject, PLAN) for subject in range(300)]
    felt = np.array([session.felt for session in sessions])[:, :, STATES.index("stress")]
    assert felt.mean(0) == pytest.approx(np.array([-1.2, 1.4, 0.1]) / np.sqrt(2), abs=0.12)
    assert felt.var(0) == pytest.approx(np.full(3, 0.5), abs=0.12)
    assert np.corrcoef(felt.T)[0, 1] == pytest.approx(0.15 / 0.5, abs=0.15)
    reported = np.array([session.reported for session in sessions])[:, :, STATES.index("stress")]
    assert (reported - felt).std() == pytest.approx(0.5, abs=0.05)


def test_a_session_follows_its_blocks():
    session = conditions("w", SHARED, 0, PLAN)
    assert session.shown.felt.times[-1] == 210
    for (start, end), felt in zip(((0, 60), (60, 150), (150, 210)), session.felt, strict=True):
        part = session.shown.cut(start + 10, end - 10).felt.states
        np.testing.assert_allclose(part.mean(0), felt, atol=0.45)
    assert not session.felt[:, STATES.index("pain")].any() and not session.shown.face.of("pain").any()


# --- acted emotions


def test_actors_hit_their_emotion_on_average_and_each_misses_it_by_itself():
    for emotion, prototype in EMOTIONS.items():
        felt = np.array([
            [acted("a", SHARED, actor, f"{emotion}-{take}", emotion, 1.0, 3.5).felt.states[0] for take in range(4)]
            for actor in range(60)
        ])  # fmt: skip
        np.testing.assert_allclose(felt.mean((0, 1)), prototype / np.sqrt(2), atol=0.2)
        assert felt.var(axis=(0, 1)).mean() == pytest.approx(0.5, abs=0.1)
    strong = [acted("a", SHARED, i, 0, "happy", 1.6, 3.5).felt.of("valence")[0] for i in range(200)]
    assert np.mean(strong) == pytest.approx(1.6 * EMOTIONS["happy"][STATES.index("valence")] / np.sqrt(2), abs=0.2)


def test_emotions_differ_in_face_and_voice():
    points = np.array(list(EMOTIONS.values()))
    for table in (LOADINGS, VOICE):
        seen = points @ np.array(list(table.values())).T
        apart = np.linalg.norm(seen[:, None] - seen[None], axis=-1) + 9 * np.eye(len(seen))
        assert apart.min() > 0.7
    smile = points @ LOADINGS["smile"]
    assert list(EMOTIONS)[int(np.argmax(smile))] == "happy" and set(LOADINGS) == set(UNITS)


def test_an_unknown_emotion_is_refused():
    with pytest.raises(ValueError, match="no emotion bored; there are neutral"):
        acted("a", SHARED, 0, 0, "bored", 1.0, 3.5)


# --- annotators


def ratings(noise, n=6, lag=2.0):
    trace = wandering(np.random.default_rng(1), 600.0, ("arousal",), 15.0).of("arousal")
    return trace, raters(np.random.default_rng(2), trace, 0.2, n, lag, noise)


def test_ratings_stay_in_range_and_agree_more_the_less_noise_there_is():
    agreement = []
    for noise in (0.0, 1.0, 3.0):
        trace, found = ratings(noise)
        assert found.shape == (len(trace), 6) and np.abs(found).max() <= 1
        agreement.append(np.corrcoef(found.T)[np.triu_indices(6, 1)].mean())
    assert agreement[0] > 0.95 and agreement[0] > agreement[1] > agreement[2]


def test_ratings_are_late():
    trace, found = ratings(0.3, lag=4.0)
    likeness = [np.corrcoef(found.mean(1)[lag:], trace[: len(trace) - lag])[0, 1] for lag in range(40)]
    assert np.argmax(likeness) * 0.2 == pytest.approx(4.0 + 0.7, abs=1.0)


def test_without_noise_a_slow_rating_is_the_state():
    trace = np.linspace(-2, 2, 3000)
    found = raters(np.random.default_rng(2), trace, 0.2, 40, 0.2, 0.0)
    np.testing.assert_allclose(found.mean(1), clean_rating(trace), atol=0.08)
