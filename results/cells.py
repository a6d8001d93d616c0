"""The cells of a table: what the seeds of one method on one task say, and who is best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from vtbench.results.paper import published
from vtbench.results.record import MetricFacts
from vtbench.results.selection import Runs
from vtbench.results.statistics import summarise

Status = Literal["done", "partial", "stale", "failed", "missing"]
Verdict = Literal["best", "tied", "worse", "undecided"]
Evidence = Literal["samples and seeds", "seeds only"]


@dataclass(frozen=True, kw_only=True)
class Column:
    """One metric of one task.  evidence: what its verdicts rest on; None where it has none."""

    task: str
    task_title: str
    metric: MetricFacts
    evidence: Evidence | None = None

    @property
    def name(self) -> str:
        """The column's name in files, e.g. "shape_top1"."""
        return f"{self.task}_{self.metric.name}"

    @property
    def title(self) -> str:
        """The column's name in sentences, e.g. "Shape Top-1"."""
        return f"{self.task_title} {self.metric.label}"


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One method under one column, over its seeds.

    status: "done"; "partial" (fewer seeds than other cells); "stale" (rests on stale records, or
    has only such and no mean); "failed" or "missing" (no mean).
    mean, sd: in the metric's unit; sd is the sample standard deviation, None when n = 1.
    low, high: the 95 % interval of the mean over seeds (Student's t), None when n = 1.
    rank: 1 is best among the methods of the column; None for what is not ranked.
    verdict: "best"; "tied" with it statistically; "worse"; "undecided", as with one seed.  None
    for what is not ranked and where nothing is claimed about the column.
    published: the paper's number, where asked for and known.  reason: why a seed failed.
    """

    status: Status
    mean: float | None = None
    sd: float | None = None
    low: float | None = None
    high: float | None = None
    seeds: tuple[int, ...] = ()
    rank: int | None = None
    verdict: Verdict | None = None
    published: float | None = None
    reason: str | None = None

    @property
    def n(self) -> int:
        """The number of seeds in the mean."""
        return len(self.seeds)

    @property
    def single(self) -> bool:
        """Whether the mean is that of one seed, which says nothing of differences."""
        return self.n == 1


@dataclass(frozen=True, kw_only=True)
class Row:
    """One method of the table, with a cell per column."""

    spec: str
    title: str
    role: str
    cells: tuple[Cell, ...]


def make_cell(runs: Runs, metric: str, *, expected: int) -> Cell:
    """The cell of `metric`; `expected` seeds make it complete."""
    scored = [record for record in runs.done if metric in record.scores]
    reason = next((record.error for record in runs.failed), None)
    if not scored:
        return Cell(status=_without_scores(runs), reason=reason)
    summary = summarise([record.scores[metric] for record in scored])
    status: Status = "partial" if summary.n < expected else "done"
    return Cell(
        status="stale" if runs.uses_stale else status,
        mean=summary.mean,
        sd=summary.sd,
        low=summary.low,
        high=summary.high,
        seeds=tuple(sorted(record.seed for record in scored)),
        reason=reason,
    )


def _without_scores(runs: Runs) -> Status:
    if runs.failed:
        return "failed"
    return "stale" if runs.left_out else "missing"


def ranks(values: Sequence[float], metric: MetricFacts) -> list[int]:
    """The rank of each value, 1 = best; values that are displayed alike share a rank.

    >>> accuracy = MetricFacts(name="top1", label="Top-1", unit="%", better="higher",
    ...                        decimals=1, primary=True)
    >>> ranks([80.0, 91.24, 91.21, 70.0], accuracy)
    [3, 1, 1, 4]
    """
    shown = [displayed(value, metric) for value in values]
    return [1 + sum(is_better(other, own, metric) for other in shown) for own in shown]


def displayed(value: float, metric: MetricFacts) -> float:
    """`value` as the table shows it."""
    return float(f"{value:.{metric.decimals}f}")


def is_better(a: float, b: float, metric: MetricFacts) -> bool:
    """Whether the score `a` beats `b`."""
    return a > b if metric.better == "higher" else a < b


def is_ranked(row: Row, index: int) -> bool:
    """Whether a cell competes: methods do, the reference and controls do not, stale cells neither.

    Stale cells have a mean only where the caller asked for stale results.
    """
    cell = row.cells[index]
    return row.role == "method" and cell.mean is not None and cell.status != "stale"


def with_ranks(rows: Sequence[Row], columns: Sequence[Column]) -> list[Row]:
    """The rows with the ranks of every column that at least two methods compete in."""
    by_column = [_column_ranks(rows, i, column.metric) for i, column in enumerate(columns)]
    return [
        replace(
            row,
            cells=tuple(
                replace(cell, rank=by_column[i].get(row.spec)) for i, cell in enumerate(row.cells)
            ),
        )
        for row in rows
    ]


def _column_ranks(rows: Sequence[Row], index: int, metric: MetricFacts) -> dict[str, int]:
    means = {row.spec: row.cells[index].mean for row in rows if is_ranked(row, index)}
    if len(means) < 2:
        return {}
    return dict(zip(means, ranks([*means.values()], metric), strict=True))


def with_published(rows: Sequence[Row], columns: Sequence[Column], number: int) -> list[Row]:
    """The rows with the numbers of the paper's table `number` beside ours."""
    known = published(number)
    keys = [(column.task, column.metric.name) for column in columns]
    return [
        replace(
            row,
            cells=tuple(
                replace(cell, published=known.get(row.spec, {}).get(key))
                for cell, key in zip(row.cells, keys, strict=True)
            ),
        )
        for row in rows
    ]
