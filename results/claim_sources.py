"""Where the paper's claims are checked: the cells of our tables, and the numbers in print."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from vtbench.results.cells import Column, displayed, is_better
from vtbench.results.contradiction import Samples
from vtbench.results.paper import ColumnKey, published
from vtbench.results.paper_claims import NONE
from vtbench.results.paper_comparison import Ours, printed_column, row_titles
from vtbench.results.record import Record
from vtbench.results.statistics import mean

#: Section V-A1 (Figure 4): errors per axis that no table repeats.
_FIGURE_4 = {
    "sarl": {("edge_pose", "mae_x"): 0.0596, ("edge_pose", "mae_z"): 0.0444},
    "supervised": {("edge_pose", "mae_x"): 0.0621, ("edge_pose", "mae_z"): 0.0539},
}


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One cell: its mean and, of ours, the scores of each seed, and of each sample where known.

    content: what the test samples are; those of two cells are paired only where it is the same.
    """

    title: str
    column: Column
    mean: float | None = None
    seeds: np.ndarray | None = None
    samples: np.ndarray | None = None
    content: str = ""

    @property
    def n(self) -> int:
        """How many seeds there are; 0 for a printed number."""
        return 0 if self.seeds is None else len(self.seeds)

    @property
    def shown(self) -> float:
        """The mean as displayed."""
        return float("nan") if self.mean is None else displayed(self.mean, self.column.metric)

    @property
    def text(self) -> str:
        """Title and mean."""
        return f"{self.title} {self.shown:.{self.column.metric.decimals}f}"

    def beats(self, other: Reading) -> bool:
        """Whether it is better, as displayed."""
        return is_better(self.shown, other.shown, self.column.metric)


class Source(Protocol):
    """Where cells are read."""

    @property
    def tested(self) -> bool:
        """Whether seeds are known, so that differences can be tested."""

    def read(self, number: int, row: str, key: ColumnKey) -> Reading:
        """The cell of a row and column of table `number`; without a mean where there is none."""

    def comparable(self, number: int) -> bool:
        """Whether the values of a table, and not the order alone, may be held to the paper's."""


class Printed:
    """The paper's own numbers."""

    tested = False

    def read(self, number: int, row: str, key: ColumnKey) -> Reading:
        """The printed number."""
        value = _print(number, row, key)
        return Reading(title=row_title(number, row), column=printed_column(key), mean=value)

    def comparable(self, number: int) -> bool:  # noqa: ARG002 - the protocol of both sources
        """The paper is itself."""
        return True


@dataclass(frozen=True)
class Measured:
    """Our tables by number; `samples` gives the per-sample scores of a record, where stored."""

    tables: Mapping[int, Ours]
    samples: Samples | None = None
    tested: bool = True

    @cached_property
    def _read(self) -> dict[tuple[int, str, ColumnKey], Reading]:
        return {}

    def read(self, number: int, row: str, key: ColumnKey) -> Reading:
        """What our records say."""
        place = (number, row, key)
        if place not in self._read:
            self._read[place] = self._reading(*place)
        return self._read[place]

    def comparable(self, number: int) -> bool:
        """Whether our data is of the paper's kind."""
        return number in self.tables and self.tables[number].comparable

    def _reading(self, number: int, row: str, key: ColumnKey) -> Reading:
        ours = self.tables.get(number)
        records = ours.records(row, key) if ours else ()
        column = ours.columns.get(key) if ours else None
        title = row_title(number, row)
        if not records or column is None:
            return Reading(title=title, column=column or printed_column(key))
        seeds = np.array([record.scores[key[1]] for record in records])
        return Reading(
            title=title,
            column=column,
            mean=mean(seeds.tolist()),
            seeds=seeds,
            samples=self._samples(records, seeds) if column.metric.primary else None,
            content=" ".join(sorted({record.data["fingerprint"] for record in records})),
        )

    def _samples(self, records: Sequence[Record], seeds: np.ndarray) -> np.ndarray | None:
        """Scores of (seeds, samples), where all seeds have them and their means are the scores."""
        if self.samples is None:
            return None
        found = [self.samples(record) for record in records]
        known = [np.asarray(scores, dtype=float) for scores in found if scores is not None]
        if len(known) < len(records) or len({scores.shape for scores in known}) != 1:
            return None
        stacked = np.stack(known)
        alike = stacked.ndim == 2 and np.allclose(stacked.mean(axis=1), seeds, rtol=1e-4)
        return stacked if alike else None


def row_title(number: int, row: str) -> str:
    """What a row of table `number` is called."""
    return "no map loss" if row == NONE else row_titles(number)[row]


def _print(number: int, row: str, key: ColumnKey) -> float | None:
    if number == 3 and row == NONE:
        return published(1)["byol"].get(key)
    extra = _FIGURE_4.get(row, {}) if number == 1 else {}
    return {**published(number)[row], **extra}.get(key)
