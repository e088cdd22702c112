"""Simulated people with known effects: what two models say of each, as statistics by subject.

A crowd is large and finite, and samples are drawn from it with replacement, so its pooled score is the truth that an
interval should cover, without any error of its own.
"""

import numpy as np

CLIPS, CLASSES = 20, 5


def graded(rng: np.random.Generator, people: int, seeds: int, easy: float = 1.0, lead: float = 0.0, retrained=0.0):
    """Confusions of two models on five ordered levels, 20 clips a person: (2, people, seeds, 5, 5).

    People show a level more or less, and shifted; both models see the same people, each with errors of its own. easy
    divides the errors, lead takes from those of the first; retrained is how much seeds differ in what they see.
    """
    level = np.tile(np.arange(CLASSES), CLIPS // CLASSES)
    felt = level - 2 + 0.5 * rng.normal(size=(people, 1, CLIPS))
    shown = felt * np.exp(rng.normal(scale=0.5 / easy, size=(people, 1, 1)))
    shift = rng.normal(scale=0.6 / easy, size=(people, 1, 1))
    cell = level * CLASSES + CLASSES**2 * np.arange(people)[:, None]
    found = np.zeros((2, people, seeds, CLASSES, CLASSES), np.float32)
    for model, error in enumerate((1.6 - lead, 1.6)):
        gain = 0.8 * np.exp(rng.normal(scale=0.2, size=(people, 1, 1)))
        own = shift + rng.normal(scale=0.3 / easy, size=(people, 1, 1))
        for seed, luck in enumerate(np.exp(rng.normal(scale=retrained, size=seeds))):
            noise = rng.normal(scale=error / easy, size=(people, CLIPS))
            said = np.clip(np.rint((shown * gain * luck + own)[:, 0] + noise + 2), 0, CLASSES - 1).astype(int)
            counts = np.bincount((cell + said).ravel(), minlength=people * CLASSES**2)
            found[model, :, seed] = counts.reshape(people, CLASSES, CLASSES)
    return found


def valued(rng: np.random.Generator, people: int, seeds: int, uneven: float = 0.5, noise: float = 0.8):
    """Moments of two models on a continuous label, 20 windows a person: (2, people, seeds, 1, 6).

    uneven: how much people differ in the spread of their labels; at .8 a few of them decide the pooled score.
    """
    scale = np.exp(rng.normal(scale=uneven, size=(people, 1, 1)))
    truth = 0.5 * rng.normal(size=(people, 1, 1)) + scale * rng.normal(size=(people, 1, CLIPS))
    found = []
    for _ in range(2):
        gain = 0.6 * np.exp(rng.normal(scale=0.3, size=(people, 1, 1)))
        said = gain * truth + 0.4 * rng.normal(size=(people, 1, 1)) + noise * rng.normal(size=(people, seeds, CLIPS))
        label = np.broadcast_to(truth, said.shape)
        parts = np.ones_like(said), label, said, label**2, said**2, label * said
        found.append(np.stack(parts, axis=-1).sum(2)[:, :, None])
    return np.stack(found)


def samples(rng: np.random.Generator, crowd: np.ndarray, draws: int, people: int) -> np.ndarray:
    """Random people of a crowd (2, crowd, ...), once for both models: (2, draws, people, ...) in double precision."""
    return crowd[:, rng.integers(0, crowd.shape[1], (draws, people))].astype(float)
