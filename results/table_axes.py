"""The rows and columns of a table: those asked for, and what records offer where none are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from vtbench.results.cells import Column
from vtbench.results.errors import ResultsError
from vtbench.results.paper import published as published_table
from vtbench.results.record import MetricFacts, Record

_ROLES = ("reference", "method", "control")


@dataclass(frozen=True)
class RowSpec:
    """A row that is wanted: canonical method spec, title, and role (see `Record`)."""

    spec: str
    title: str
    role: str

    def __post_init__(self) -> None:
        if self.role not in _ROLES:
            raise ResultsError(f"the role of {self.spec} must be one of {', '.join(_ROLES)}")


@dataclass(frozen=True)
class TaskColumns:
    """A task that is wanted; its metrics are taken from the records where none are given."""

    name: str
    title: str
    metrics: Sequence[MetricFacts] = ()


def ordered(rows: Sequence[RowSpec]) -> list[RowSpec]:
    """Reference, methods, controls; rows that share a title are told apart by their specs."""
    titles = _distinct([(row.title, row.spec) for row in rows])
    named = [replace(row, title=title) for row, title in zip(rows, titles, strict=True)]
    return sorted(named, key=lambda row: _ROLES.index(row.role))


def distinct_tasks(tasks: Sequence[TaskColumns]) -> list[TaskColumns]:
    """The tasks; those that share a title are told apart by their names."""
    titles = _distinct([(task.title, task.name) for task in tasks])
    return [replace(task, title=title) for task, title in zip(tasks, titles, strict=True)]


def _distinct(named: Sequence[tuple[str, str]]) -> list[str]:
    """The titles of (title, name) pairs; those that are not unique are followed by the name."""
    uses = Counter(title for title, _ in named)
    return [f"{title} ({name})" if uses[title] > 1 else title for title, name in named]


def method_row(record: Record) -> RowSpec:
    """The row of a record where rows are methods."""
    return RowSpec(record.method, record.method_title, record.role)


def sensor_row(record: Record) -> RowSpec:
    """The row of a record where rows are sensors, as in Table IV."""
    return RowSpec(record.sensor, record.sensor, "method")


def rows_of(
    records: Sequence[Record], row_of: Callable[[Record], RowSpec], number: int
) -> list[RowSpec]:
    """The rows of records, those of the paper's table first and in its order."""
    order = list(published_table(number))
    rows = {row.spec: row for row in map(row_of, records)}
    return sorted(rows.values(), key=lambda row: _position(row.spec, order))


def tasks_of(records: Sequence[Record], number: int) -> list[TaskColumns]:
    """The tasks of records, those of the paper's table first and in its order."""
    order = list(dict.fromkeys(task for task, _ in next(iter(published_table(number).values()))))
    tasks = {r.task: TaskColumns(r.task, r.task_title) for r in records}
    return sorted(tasks.values(), key=lambda task: _position(task.name, order))


def _position(name: str, order: Sequence[str]) -> int:
    return order.index(name) if name in order else len(order)


def columns_of(task: TaskColumns, records: Sequence[Record], *, per_axis: bool) -> list[Column]:
    """The columns of a task; raises ResultsError where records disagree on a metric."""
    described = [record.metrics for record in records if record.task == task.name]
    facts: dict[str, MetricFacts] = {}
    for metric in chain(task.metrics, *described):
        first = facts.setdefault(metric.name, metric)
        if (first.unit, first.better) != (metric.unit, metric.better):
            raise ResultsError(
                f"{task.title} {metric.label} is in {first.unit} ({first.better} is better) in one "
                f"record and in {metric.unit} ({metric.better}) in another: tabulate them apart"
            )
    return [
        Column(task=task.name, task_title=task.title, metric=metric)
        for metric in facts.values()
        if per_axis or metric.primary or metric.name == "top5"
    ]
