"""A table together with the single records behind it: what most figures are drawn from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

from vtbench.results.cells import Cell, Column, Row
from vtbench.results.errors import ResultsError
from vtbench.results.figures.style import Facts
from vtbench.results.paper import NUMERALS
from vtbench.results.record import Record
from vtbench.results.selection import Runs, select
from vtbench.results.tables import SENSOR_TABLE, Table


@dataclass(frozen=True)
class Shown:
    """A table and its runs by (row, task). Stale records are in neither."""

    table: Table
    runs: Mapping[tuple[str, str], Runs]

    @classmethod
    def of(cls, table: Table, records: Sequence[Record], stale: Set[str]) -> Shown:
        """The table of these records, with the records that stand in its cells."""
        across = table.number == SENSOR_TABLE
        runs = select(
            records,
            stale=stale,
            include_stale=False,
            row_of=lambda record: record.sensor if across else record.method,
        )
        return cls(table, runs)

    @property
    def facts(self) -> Facts:
        """What the figures say they rest on."""
        return Facts.of(self.table.facts)

    def cell(self, row: Row, column: Column) -> Cell:
        """The cell of a row and a column."""
        return row.cells[self.table.columns.index(column)]

    def records(self, row: Row, task: str) -> tuple[Record, ...]:
        """The finished records in the cells of a row and a task, a seed each."""
        return self.runs.get((row.spec, task), Runs()).done

    def seeds(self, row: Row, column: Column) -> list[float]:
        """The score of each seed, whose mean is the cell's."""
        name = column.metric.name
        return [r.scores[name] for r in self.records(row, column.task) if name in r.scores]

    def drawn(self, columns: Sequence[Column]) -> list[Row]:
        """The rows that have a mean in any of these columns."""
        return [row for row in self.table.rows if any(self._mean(row, c) for c in columns)]

    def of_task(self, task: str) -> list[Column]:
        """The columns of a task, or a sentence on why there are none."""
        found = [column for column in self.table.columns if column.task == task]
        if not found or not self.drawn(found):
            raise ResultsError(f"there is no finished result on {task} to draw")
        return found

    def headed(self) -> list[Column]:
        """The columns of the paper's table: without the errors of single axes."""
        return [c for c in self.table.columns if c.metric.primary or c.metric.name == "top5"]

    def primary(self) -> list[Column]:
        """The column that heads each task."""
        return [column for column in self.table.columns if column.metric.primary]

    def gaps(self) -> list[str]:
        """What is not drawn: a sentence for each reason and set of tasks."""
        where: dict[tuple[str, tuple[str, ...]], list[str]] = defaultdict(list)
        for row in self.table.rows:
            for status, reason in _REASONS.items():
                empty = [
                    column.task_title
                    for column, cell in zip(self.table.columns, row.cells, strict=True)
                    if cell.mean is None and cell.status == status
                ]
                if empty:
                    where[reason, tuple(dict.fromkeys(empty))].append(row.title)
        number = f"Table {NUMERALS[self.table.number]}"
        return [
            f"{number}, {', '.join(titles)} on {', '.join(tasks)}: {reason}."
            for (reason, tasks), titles in where.items()
        ]

    def _mean(self, row: Row, column: Column) -> bool:
        return self.cell(row, column).mean is not None


_REASONS = {
    "failed": "failed",
    "stale": "stale, as code, settings or data have changed",
    "missing": "no result yet",
}
