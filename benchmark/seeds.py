"""Random numbers from identities: a seed depends on what is drawn, never on the order of drawing."""

import hashlib

import numpy as np


def seed(*identity: str | int) -> int:
    """A 63-bit seed for an identity such as ("weights", task, fold, seed)."""
    text = "\x1f".join(str(part) for part in identity)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def generator(*identity: str | int) -> np.random.Generator:
    """A numpy generator of its own for an identity."""
    return np.random.default_rng(seed(*identity))
