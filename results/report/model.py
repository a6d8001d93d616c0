"""What a report holds, as data: texts that are yet to be escaped, tables, images as data URIs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from vtbench.results.compare_text import Comparison
from vtbench.results.tables import Table

#: (name, value) pairs to read.
Facts = Sequence[tuple[str, str]]

Standing = Literal["current", "stale", "failed"]


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A picture with words. image: the bytes of a PNG, or the text of an SVG.

    alt: what it shows, for those who do not see it.
    """

    title: str
    caption: str
    alt: str
    image: bytes | str


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A test image that went wrong. image: a data URI.  row: its place in the data set."""

    image: str
    row: int
    truth: str
    predicted: str


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One loss term over the steps. points: of an SVG polyline in a box of `curves.BOX`."""

    term: str
    points: str
    first: str
    last: str
    steps: int

    @property
    def sentence(self) -> str:
        """What the curve shows."""
        return f"{self.term} from {self.first} to {self.last} in {self.steps:,} steps"


@dataclass(frozen=True, kw_only=True)
class CellView:
    """One stored cell. columns: the table columns that it fills.  command: makes it again.

    samples_note: why there are no images, or what those shown are.
    """

    id: str
    method: str
    task_title: str
    protocol: str
    sensor: str
    seed: int
    score: str
    standing: Standing
    reason: str
    columns: Sequence[str]
    groups: Sequence[tuple[str, Facts]]
    notes: Sequence[str]
    command: str
    samples: Sequence[Sample] = ()
    samples_note: str = ""


@dataclass(frozen=True, kw_only=True)
class EncoderView:
    """One encoder, or one seed of a row that has none, with the cells that rest on it."""

    title: str
    facts: Facts
    curves: Sequence[Curve]
    curves_note: str
    cells: Sequence[CellView]


@dataclass(frozen=True, kw_only=True)
class MethodView:
    """A row of the tables with all its encoders."""

    title: str
    spec: str
    encoders: Sequence[EncoderView]

    @property
    def odd(self) -> str:
        """How many of its cells are stale or failed, in words; "" where none is."""
        cells = [cell for encoder in self.encoders for cell in encoder.cells]
        counts = {
            word: sum(cell.standing == word for cell in cells) for word in ("stale", "failed")
        }
        return ", ".join(f"{count} {word}" for word, count in counts.items() if count)


@dataclass(frozen=True, kw_only=True)
class TableView:
    """A table with the protocol it was asked by. name: how the page calls it.

    method: that of a table whose rows are sensors, else "".
    """

    name: str
    table: Table
    protocol: str
    method: str
    card: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Why some cells are no good numbers. kind: missing, failed, stale, partial or single.

    where: the table.  cells: which of its cells, in words.  fix: a command, or "".
    """

    kind: str
    where: str
    cells: str
    reason: str
    fix: str = ""


@dataclass(frozen=True, kw_only=True)
class Lacking:
    """A table that the store cannot fill, and the command that does."""

    name: str
    command: str


@dataclass(frozen=True, kw_only=True)
class Report:
    """The whole page.

    sources: "real", "simulated", or both.  others: what is not shown, and how to see it.
    undrawn: why figures are not there.  damaged: files of the store that cannot be read.
    """

    title: str
    sources: Sequence[str]
    facts: Facts
    tables: Sequence[TableView]
    lacking: Sequence[Lacking]
    problems: Sequence[Problem]
    comparison: Comparison
    methods: Sequence[MethodView]
    figures: Sequence[Figure] = ()
    undrawn: Sequence[str] = ()
    others: Sequence[str] = ()
    damaged: Sequence[str] = ()
