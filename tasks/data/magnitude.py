"""Arithmetic with label values of any size, up to the largest that a float64 holds.

Shapes: N values.
"""

from __future__ import annotations

import numpy as np

#: The largest label that can be trained on: its square is still a float32.
LARGEST_LABEL = 1e18
_LARGE, _SMALL = 1e100, 1e-100  # sums of squares of values between them neither overflow nor vanish


def shrunk(values: np.ndarray) -> tuple[np.ndarray, int]:
    """The values (N,) divided by a power of two, and its exponent, where they are of extreme size.

    Then differences, sums and squares of them are finite. Nothing is rounded. Ordinary values
    stay as they are, with the exponent 0.

    >>> shrunk(np.array([8.0])), shrunk(np.array([2.0**1000]))
    ((array([8.]), 0), (array([0.5]), 1001))
    """
    largest = float(np.abs(values).max())
    if largest == 0 or _SMALL <= largest <= _LARGE:
        return values, 0
    exponent = int(np.frexp(largest)[1])
    return np.ldexp(values, -exponent), exponent


def span(values: np.ndarray) -> float:
    """Largest less smallest value, at most the largest number that there is.

    >>> span(np.array([-1.5e308, 1.5e308])) > 1.7e308
    True
    """
    half = float(np.ptp(np.asarray(values, float) / 2))
    return min(half, float(np.finfo(float).max) / 2) * 2
