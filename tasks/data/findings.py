"""What a check finds in a pack: one sentence each, and how rows are spoken of in it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

Level = Literal["error", "warning"]


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or looks wrong.

    place: the file, relative to the pack; text: what is the matter and what to do about it.
    """

    level: Level
    place: str
    text: str

    @property
    def sentence(self) -> str:
        """Place and text."""
        return f"{self.place}: {self.text}"


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows of a labels.csv in the order of the images.

    names: the images' original file names; lines: row numbers as an editor counts them;
    splits: "train", "val" or "test" for each, text (N,).
    """

    names: Sequence[str]
    lines: Sequence[int]
    splits: np.ndarray

    def named(self, index: int) -> str:
        """One image: name and row."""
        return f"{self.names[index]} (row {self.lines[index]})"

    def listed(self, indices: Iterable[int], *, most: int = 3) -> str:
        """Some images by name and row, and how many more there are."""
        return listed([self.named(index) for index in indices], most=most)

    def pair(self, index: int, other: int) -> str:
        """Two images with their splits."""
        return " and ".join(
            f"{self.names[i]} (row {self.lines[i]}, {self.splits[i]})" for i in (index, other)
        )


def listed(words: Sequence[str], *, most: int = 5) -> str:
    """`a, b and 3 more`.

    >>> listed(["a", "b", "c", "d"], most=2)
    'a, b and 2 more'
    """
    more = f" and {len(words) - most:,} more" if len(words) > most else ""
    return ", ".join(words[:most]) + more


def counted(count: int, word: str) -> str:
    """`1 image`, `1,200 images`; "class" becomes "classes".

    >>> counted(1, "image"), counted(1200, "image"), counted(2, "class")
    ('1 image', '1,200 images', '2 classes')
    """
    plural = "es" if word.endswith("s") else "s"
    return f"{count:,} {word}{plural if count != 1 else ''}"
