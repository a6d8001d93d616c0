"""Our tables beside the paper's as data: cells, columns and how far their orders agree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from vtbench.results.cells import Column, Status
from vtbench.results.statistics import Summary

Verdict = Literal[
    "within", "outside", "no interval", "not comparable", "missing", "failed", "stale"
]


@dataclass(frozen=True, kw_only=True)
class Match:
    """One cell of the paper with ours beside it.

    ours: mean, interval and n, or None.  verdict: whether the paper's number lies in our interval,
    or why that is not said.  rank, published_rank: 1 = best among the methods that both have.
    """

    row: str
    title: str
    status: Status
    published: float
    verdict: Verdict
    ours: Summary | None = None
    rank: int | None = None
    published_rank: int | None = None

    @property
    def difference(self) -> float | None:
        """Ours minus the paper's, where the two may be compared."""
        if self.ours is None or self.verdict == "not comparable":
            return None
        return self.ours.mean - self.published


@dataclass(frozen=True)
class Agreement:
    """Kendall's tau-b of two orders of `methods` methods: 1 is the same order, -1 its reverse.

    p: how probable a tau as far from 0 is between orders that have nothing to do with each other.
    """

    tau: float
    p: float
    methods: int


@dataclass(frozen=True, kw_only=True)
class ColumnMatch:
    """A column of the paper: its cells, and how far our order of the methods is the paper's."""

    column: Column
    cells: tuple[Match, ...]
    agreement: Agreement | None

    @property
    def first(self) -> tuple[str, ...]:
        """Who is first in ours among the methods that both have."""
        return tuple(cell.title for cell in self.cells if cell.rank == 1)

    @property
    def published_first(self) -> tuple[str, ...]:
        """Who of those is first in the paper."""
        return tuple(cell.title for cell in self.cells if cell.published_rank == 1)


@dataclass(frozen=True, kw_only=True)
class TableMatch:
    """One of our tables beside the paper's. standing: what may be compared, in a sentence."""

    number: int
    title: str
    caption: str
    comparable: bool
    standing: str
    columns: tuple[ColumnMatch, ...]

    @property
    def missing(self) -> tuple[int, int]:
        """How many of the paper's cells have no number of ours, and how many there are."""
        cells = [cell for column in self.columns for cell in column.cells]
        return sum(cell.ours is None for cell in cells), len(cells)
