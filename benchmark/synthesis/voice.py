"""Speech of a synthetic person: syllables in phrases and pauses, spoken as a delivery has it. No words, no language."""

from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.signal import resample_poly

from benchmark.seeds import generator
from benchmark.synthesis.states import along, ornstein_uhlenbeck
from benchmark.synthesis.tract import CONTROL_HZ, RATE_HZ, Score, sound

# First three formants of an average woman's vowels, Hz (after Peterson and Barney 1952).
VOWELS = (
    (310, 2790, 3310), (430, 2480, 3070), (610, 2330, 2990), (860, 2050, 2850), (850, 1220, 2810),
    (590, 920, 2710), (470, 1160, 2680), (370, 950, 2670), (760, 1400, 2780), (500, 1640, 1960),
)  # fmt: skip
UPPER_HZ = (4000.0, 5000.0)  # fourth and fifth formant
LEVEL_DB = -21.5  # root mean square of speech, re full scale
ROOM_DB = -57.0


class Consonant(NamedTuple):
    """How a syllable begins."""

    voicing: float  # amplitude of the pulses, the vowel having 1
    hiss: tuple[float, float, float]  # amplitude in each band
    burst: bool  # the hiss comes only at the end, after a closure
    formants: tuple[float, float, float]  # Hz


CONSONANTS = (
    Consonant(1.0, (0.0, 0.0, 0.0), False, (500, 1700, 2800)),  # none
    Consonant(0.0, (0.30, 0.1, 0.0), True, (250, 900, 2500)),  # p
    Consonant(0.0, (0.0, 0.15, 0.35), True, (250, 1900, 2900)),  # t
    Consonant(0.0, (0.1, 0.35, 0.0), True, (250, 2000, 2500)),  # k
    Consonant(0.15, (0.12, 0.0, 0.0), True, (220, 900, 2500)),  # b
    Consonant(0.15, (0.0, 0.1, 0.15), True, (220, 1900, 2900)),  # d
    Consonant(0.3, (0.0, 0.0, 0.0), False, (270, 1100, 2300)),  # m
    Consonant(0.3, (0.0, 0.0, 0.0), False, (270, 1700, 2700)),  # n
    Consonant(0.0, (0.0, 0.02, 0.30), False, (300, 1800, 2800)),  # s
    Consonant(0.0, (0.02, 0.30, 0.05), False, (300, 1900, 2600)),  # sh
    Consonant(0.0, (0.06, 0.04, 0.05), False, (300, 1100, 2500)),  # f
    Consonant(0.2, (0.0, 0.02, 0.15), False, (250, 1800, 2800)),  # z
    Consonant(0.6, (0.0, 0.0, 0.0), False, (380, 1300, 2900)),  # l
    Consonant(0.6, (0.0, 0.0, 0.0), False, (320, 800, 2500)),  # w
)


class Person(NamedTuple):
    """What does not change within a voice."""

    pitch: float  # Hz, median
    tract: float  # formants, 1 = an average woman's
    melody: float  # size of pitch movements, 1 = average
    tempo: float  # syllables a second
    loudness: float  # dB re average
    brightness: float  # logit
    breath: float  # noise of the glottis, relative to the pulses
    roughness: float  # deviation of a cycle's length, relative


class Delivery(NamedTuple):
    """How someone speaks over a recording, each roughly N(0, 1): one number, or one for each of times."""

    pitch: np.ndarray | float
    range: np.ndarray | float
    level: np.ndarray | float
    rate: np.ndarray | float
    brightness: np.ndarray | float
    fluency: np.ndarray | float  # how soon a pause ends
    smile: np.ndarray | float
    roughness: np.ndarray | float
    times: np.ndarray = np.zeros(1)  # s from the start of the recording


class Syllable(NamedTuple):
    start_s: float
    length_s: float
    consonant: int
    vowel: int
    accent: float  # about standard normal
    place: float  # in its phrase, 0 to 1


def person(rng: np.random.Generator, deep: bool | None = None) -> Person:
    """A random adult voice; deep as most men's or not as most women's, None = by chance."""
    chance = rng.random() < 0.5
    deep = chance if deep is None else deep
    return Person(
        pitch=float(np.clip((118 if deep else 200) * np.exp(rng.normal(0, 0.13)), 85, 255)),
        tract=float((0.86 if deep else 1.0) * np.exp(rng.normal(0, 0.035))),
        melody=float(np.exp(rng.normal(0, 0.2))),
        tempo=float(4.4 * np.exp(rng.normal(0, 0.1))),
        loudness=float(rng.normal(0, 1.5)),
        brightness=float(rng.normal(0, 0.4)),
        breath=float((0.05 if deep else 0.08) * np.exp(rng.normal(0, 0.4))),
        roughness=float(0.006 * np.exp(rng.normal(0, 0.3))),
    )


def speak(
    person: Person,
    delivery: Delivery,
    duration_s: float,
    rate_hz: int,
    rng: np.random.Generator,
    talking: list[tuple[float, float]] | None = None,
    sentence: int | None = None,
) -> np.ndarray:
    """A recording in a room, (round(duration * rate_hz),) float32 in -1 to 1.

    talking: spans, s, in which this person speaks; None = throughout, with pauses. sentence: syllables that are the
    same for everybody, said once; None = chosen at random.
    """
    syllables = _syllables(person, delivery, duration_s, rng, talking, sentence)
    score, times = compose(person, delivery, duration_s, syllables, rng)
    voice = sound(score, rng)
    speaking = np.interp(np.arange(len(voice)) / RATE_HZ, times, score.voicing) > 0.3
    level = LEVEL_DB + person.loudness + 3.5 * along(delivery, "level", times)
    gain = 10 ** (np.interp(np.arange(len(voice)) / RATE_HZ, times, level) / 20)
    if speaking.any():
        voice *= gain / np.sqrt(np.mean(voice[speaking] ** 2))
    samples = 0.9 * np.tanh(voice / 0.9) + _room(len(voice), rng)
    common = np.gcd(rate_hz, RATE_HZ)
    samples = resample_poly(samples, rate_hz // common, RATE_HZ // common)
    return np.clip(samples[: round(duration_s * rate_hz)], -1, 1).astype(np.float32)


def _room(samples: int, rng: np.random.Generator) -> np.ndarray:
    """Noise of a room and its microphone, more of it at low frequencies."""
    white = rng.normal(size=(2, samples))
    noise = white[0] + 4 * gaussian_filter1d(white[1], 12)
    return noise / noise.std() * 10 ** ((ROOM_DB + rng.normal(0, 1.5)) / 20)


def _syllables(
    person: Person,
    delivery: Delivery,
    duration_s: float,
    rng: np.random.Generator,
    talking: list[tuple[float, float]] | None,
    sentence: int | None,
) -> list[Syllable]:
    """What is said when."""
    if sentence is not None:
        script = generator("sentence", sentence)
        return _phrase(person, delivery, rng.uniform(0.3, 0.6), int(script.integers(6, 10)), duration_s, script, rng)
    found = []
    for start, end in [(rng.exponential(0.4), duration_s)] if talking is None else talking:
        now = start
        while now < end:
            phrase = _phrase(person, delivery, now, int(rng.integers(3, 13)), end, rng, rng)
            if not phrase:
                break
            found += phrase
            fluency = np.interp(now, delivery.times, np.atleast_1d(delivery.fluency))
            short = 0.75 if talking is None else 0.35  # within a turn the other person would take over
            now = phrase[-1].start_s + phrase[-1].length_s + short * np.exp(-0.6 * fluency + rng.normal(0, 0.4))
    return found


def _phrase(
    person: Person,
    delivery: Delivery,
    start: float,
    count: int,
    end: float,
    script: np.random.Generator,
    rng: np.random.Generator,
) -> list[Syllable]:
    """Syllables in a row, as many of count as end in time."""
    sounds = [
        (int(script.integers(len(CONSONANTS))), int(script.integers(len(VOWELS))), float(script.normal()))
        for _ in range(count)
    ]
    found = []
    for i, (consonant, vowel, accent) in enumerate(sounds):
        rate = np.interp(start, delivery.times, np.atleast_1d(delivery.rate))
        length = np.exp(-0.13 * rate + 0.1 * accent + rng.normal(0, 0.12)) / person.tempo
        length *= 1.5 if i == count - 1 else 1.0
        if start + length > end:
            break
        found.append(Syllable(start, length, consonant, vowel, accent, i / max(1, count - 1)))
        start += length
    return found


def compose(
    person: Person, delivery: Delivery, duration_s: float, syllables: list[Syllable], rng: np.random.Generator
) -> tuple[Score, np.ndarray]:
    """The score of the syllables, and its times in s."""
    times = np.arange(int(np.ceil(duration_s * CONTROL_HZ)) + 1) / CONTROL_HZ
    how = {part: along(delivery, part, times) for part in Delivery._fields[:-1]}
    voicing, hiss = np.zeros(len(times)), np.zeros((len(times), 3))
    formants, melody = np.tile(np.array(VOWELS[-1], float), (len(times), 1)), np.zeros(len(times))
    for syllable in syllables:
        _place(syllable, times, voicing, hiss, formants, melody)
    smooth = gaussian_filter1d
    formants = np.column_stack([smooth(formants, 4, axis=0), np.tile(UPPER_HZ, (len(times), 1))])
    formants *= person.tract * np.exp(0.035 * how["smile"])[:, None]
    flutter = 0.15 * ornstein_uhlenbeck(rng, len(times), 1, 0.05 * CONTROL_HZ)[:, 0]
    moves = person.melody * np.exp(0.3 * how["range"]) * smooth(melody, 6) + smooth(flutter, 2)
    pitch = person.pitch * 2 ** ((2.0 * how["pitch"] + moves) / 12)
    score = Score(
        pitch=np.clip(pitch, 60, 480),
        voicing=smooth(voicing, 2),
        hiss=smooth(hiss, 1, axis=0),
        formants=np.minimum(formants, 7500),
        brightness=1 / (1 + np.exp(-person.brightness - 0.8 * how["brightness"])),
        breath=np.full(len(times), person.breath),
        roughness=person.roughness * np.exp(0.4 * how["roughness"]),
    )
    return score, times


def _place(
    syllable: Syllable,
    times: np.ndarray,
    voicing: np.ndarray,
    hiss: np.ndarray,
    formants: np.ndarray,
    melody: np.ndarray,
) -> None:
    """Write one syllable into the controls."""
    consonant = CONSONANTS[syllable.consonant]
    onset = 0.0 if syllable.consonant == 0 else min(0.1, 0.4 * syllable.length_s)
    start, vowel, end = np.searchsorted(
        times, (syllable.start_s, syllable.start_s + onset, syllable.start_s + syllable.length_s)
    )
    loud = np.exp(0.15 * syllable.accent) * (1.0 - 0.35 * syllable.place)
    voicing[start:vowel], voicing[vowel:end] = loud * consonant.voicing, loud
    hiss[(vowel - 3 if consonant.burst else start) : vowel] = loud * np.array(consonant.hiss)
    formants[start:vowel], formants[vowel:end] = consonant.formants, VOWELS[syllable.vowel]
    melody[start:end] = 2.0 - 4.0 * syllable.place + 1.5 * syllable.accent
