"""Images that look exactly the same: found, counted, and left out where that is asked for.

Shapes: N images in the order of a dataset; "copies" are all but the first of those that agree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vtbench.tasks.data.findings import counted
from vtbench.tasks.data.images import Facts
from vtbench.tasks.data.splits import connected


@dataclass(frozen=True)
class Copies:
    """Which images look exactly like another one.

    identical: codes (N,), equal for images of which some sensor sees exactly the same.
    first: the position (N,) of the first image of each one's kind.
    torn: True (N,) for images whose kind bears different labels.
    """

    identical: np.ndarray
    first: np.ndarray
    torn: np.ndarray

    @property
    def count(self) -> int:
        """How many images are copies."""
        return int((self.first != np.arange(len(self.first))).sum())

    def superfluous(self) -> np.ndarray:
        """True (N,) for images without which no two agree, where the labels contradict for all."""
        return (self.first != np.arange(len(self.first))) | self.torn

    def across(self, splits: np.ndarray) -> int:
        """How many test images have a twin in train or val."""
        test = splits == "test"
        return int((test & np.isin(self.identical, self.identical[~test])).sum())

    def sentence(self, dataset: str, across: int) -> str:
        """What a user should know of them."""
        look = "looks" if self.count == 1 else "look"
        text = f"{dataset}: {counted(self.count, 'image')} {look} exactly like an earlier one"
        if self.torn.any():
            text += f" (labels differ among {int(self.torn.sum()):,} such images)"
        if across:
            return (
                f"{text}; {counted(across, 'test image')} with such a twin in train or val. The "
                "splits were given and are kept, but scores will be too good; --drop-copies leaves "
                "copies out."
            )
        return f"{text}; they stay together in one split (--drop-copies leaves copies out)."


def copies_among(
    facts: Mapping[str, Sequence[Facts]], labels: Mapping[str, Sequence[Any] | np.ndarray]
) -> Copies:
    """Find the copies among N images that each sensor has facts of; labels: values (N,) each."""
    seen = [np.array([fact.content for fact in each]) for each in facts.values()]
    identical = connected(*seen)
    _, starts = np.unique(identical, return_index=True)
    first = starts[identical]
    torn = np.zeros(len(first), dtype=bool)
    for values in labels.values():
        known = np.asarray(values)
        torn |= known != known[first]
    return Copies(identical, first, np.isin(identical, identical[torn]))
