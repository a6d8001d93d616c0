"""The letters a to j, which take the upper four of the six dots of a Braille cell."""

from __future__ import annotations

#: The dots of a cell by number: 1, 2, 3 down the left column, 4, 5, 6 down the right one.
DOTS = {
    "a": (1,), "b": (1, 2), "c": (1, 4), "d": (1, 4, 5), "e": (1, 5), "f": (1, 2, 4),
    "g": (1, 2, 4, 5), "h": (1, 2, 5), "i": (2, 4), "j": (2, 4, 5),
}  # fmt: skip
