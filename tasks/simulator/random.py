"""Random numbers without state: each is a pure function of (seed, stream, index, column).

A sample therefore looks the same whatever the batch, the order, the worker or the device it is
made in, and adding a column never shifts another one.

The mixing function is the finaliser of SplitMix64 (Steele, Lea and Flood, "Fast splittable
pseudorandom number generators", OOPSLA 2014); the Gaussian is Box and Muller's (1958).
"""

from __future__ import annotations

import hashlib

import numpy as np

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # SplitMix64's increment, 2^64 / golden ratio


class Draws:
    """Random numbers of the samples `indices` of one stream, read by column name.

    >>> draws = Draws(0, "edge_pose", np.arange(3))
    >>> bool((draws.uniform("x") == Draws(0, "edge_pose", np.arange(9)).uniform("x")[:3]).all())
    True
    """

    def __init__(self, seed: int, stream: str, indices: np.ndarray) -> None:
        self.seed = seed
        self.stream = stream
        self.indices = np.asarray(indices, dtype=np.uint64)

    def __len__(self) -> int:
        return len(self.indices)

    def table(self, column: str, width: int) -> np.ndarray:
        """Uniform numbers in [0, 1), float64 (N, width)."""
        key = _key(self.seed, self.stream, column)
        cells = np.arange(width, dtype=np.uint64)
        with np.errstate(over="ignore"):  # arithmetic modulo 2^64 is the point
            rows = _mix(key + (self.indices + np.uint64(1)) * _GOLDEN)
            bits = _mix(rows[:, None] + (cells + np.uint64(1)) * _GOLDEN)
        return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53

    def uniform(self, column: str, low: float = 0.0, high: float = 1.0) -> np.ndarray:
        """Uniform numbers in [low, high), float64 (N,)."""
        return low + (high - low) * self.table(column, 1)[:, 0]

    def normal(self, column: str, *, width: int = 1, limit: float = 8.0) -> np.ndarray:
        """Standard normal numbers clipped at ±limit, float64 (N, width)."""
        radius = np.sqrt(-2.0 * np.log1p(-self.table(f"{column}/radius", width)))
        angle = 2.0 * np.pi * self.table(f"{column}/angle", width)
        return np.clip(radius * np.cos(angle), -limit, limit)

    def integer(self, column: str, count: int) -> np.ndarray:
        """Integers in 0 … count - 1, int64 (N,)."""
        return (self.table(column, 1)[:, 0] * count).astype(np.int64)


def balanced_codes(
    seed: int, stream: str, splits: dict[str, tuple[int, int]], classes: int
) -> np.ndarray:
    """Class codes int64 (N,) that occur equally often, within one, in every split.

    `splits` maps a name to the range [start, stop) of its indices; the ranges cover 0 … N - 1.
    The indices of a split are shuffled by seeded keys, then numbered through the classes.
    """
    total = max(stop for _, stop in splits.values())
    codes = np.empty(total, dtype=np.int64)
    for start, stop in splits.values():
        places = np.arange(start, stop)
        order = np.argsort(Draws(seed, stream, places).uniform("class order"), kind="stable")
        codes[places[order]] = places % classes
    return codes


def _key(seed: int, stream: str, column: str) -> np.uint64:
    text = f"{seed}/{stream}/{column}".encode()
    return np.uint64(int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little"))


def _mix(bits: np.ndarray) -> np.ndarray:
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))
