"""The paper's Tables I to IV as data: rows, tasks across, and what must be said of the numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass

from vtbench.results.cells import Cell, Column, Row, make_cell, with_published, with_ranks
from vtbench.results.contradiction import Samples
from vtbench.results.errors import ResultsError
from vtbench.results.notes import all_notes
from vtbench.results.record import Record
from vtbench.results.selection import GroupKey, Runs, groups, only_group, select
from vtbench.results.table_axes import (
    RowSpec,
    TaskColumns,
    columns_of,
    distinct_tasks,
    method_row,
    ordered,
    rows_of,
    sensor_row,
    tasks_of,
)
from vtbench.results.verdicts import with_verdicts

__all__ = [
    "Cell",
    "Column",
    "GroupKey",
    "Row",
    "RowSpec",
    "Table",
    "TableFacts",
    "TaskColumns",
    "groups",
    "tabulate",
]


@dataclass(frozen=True)
class TableFacts:
    """On what a table rests. images: task title -> (train, val, test) counts."""

    group: GroupKey
    pack_title: str
    seeds: tuple[int, ...]
    images: Mapping[str, tuple[int, int, int]]

    @property
    def source(self) -> str:
        """REAL or SIMULATED."""
        return self.group.source.upper()

    @property
    def sentence(self) -> str:
        """The caption: source, pack, sensor, profile, seeds and counts."""
        pack, _, profile, sensor = self.group
        return (
            f"{self.source} data: {self.pack_title} ({pack}), sensor {sensor}. "
            f"Profile {profile}. {self._seeds}. {self._images}."
        )

    @property
    def _seeds(self) -> str:
        if not self.seeds:
            return "No finished seed"
        word = "Seed" if len(self.seeds) == 1 else "Seeds"
        return f"{word} {', '.join(map(str, self.seeds))}"

    @property
    def _images(self) -> str:
        if not self.images:
            return "No finished cell"
        counts = {task: " / ".join(map(str, sizes)) for task, sizes in self.images.items()}
        if len(set(counts.values())) == 1:
            return f"Images (train / val / test): {next(iter(counts.values()))} for each task"
        listed = ", ".join(f"{task} {sizes}" for task, sizes in counts.items())
        return f"Images (train / val / test): {listed}"


@dataclass(frozen=True)
class Table:
    """A table as data. Rows: the reference, the methods, the controls; a cell per column.

    number: of the paper's table that it is the counterpart of; 0 for one that the paper lacks.
    """

    number: int
    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]
    facts: TableFacts

    @property
    def row_heading(self) -> str:
        """What the rows are."""
        return "Sensor" if self.number == SENSOR_TABLE else "Method"


#: Table number -> its title, for linear probes; other protocols say themselves what they are.
TITLES = {
    1: "Table I: linear probes on frozen encoders",
    2: "Table II: transfer to other sensors, layer 4 fine-tuned",
    3: "Table III: loss ablation, linear probes on frozen encoders",
    4: "Table IV: sensors, linear probes on frozen encoders",
}

#: In Table IV the rows are sensors; in the others they are methods.
SENSOR_TABLE = 4


def tabulate(
    records: Iterable[Record],
    *,
    number: int = 1,
    title: str | None = None,
    rows: Sequence[RowSpec] | None = None,
    tasks: Sequence[TaskColumns] | None = None,
    stale: Set[str] = frozenset(),
    published: bool = False,
    per_axis: bool = False,
    include_stale: bool = False,
    samples: Samples | None = None,
    notes: Sequence[str] = (),
) -> Table:
    """The paper's table `number` made of `records`, of one group (see `groups`) and one protocol.

    In Table IV rows are sensors instead of methods: its records may differ in pack and sensor, but
    not in method. `title` replaces the table's own. Columns are the primary metrics of each task
    and its "top5"; `per_axis` adds every other metric, such as the error of each target. `stale`
    holds the ids of records whose code, settings or data have changed. `published` sets the paper's
    numbers beside ours. `samples` gives the score of each test image of a record, for the verdicts
    (see `with_verdicts`). `notes` stand above those that the table itself gives rise to. Rows and
    tasks that are not given are those of the records, in the order of the paper's table.
    Raises `ResultsError` for no records, mixed groups, protocols (in Table IV: methods), or one
    metric with two units.
    """
    records = list(records)
    across = number == SENSOR_TABLE
    group = only_group(records, across_sensors=across)
    _check_alike(records, "protocol")
    if across:
        _check_alike(records, "method")
    row_of = sensor_row if across else method_row
    wanted = ordered(rows_of(records, row_of, number) if rows is None else rows)
    tasks = distinct_tasks(tasks_of(records, number) if tasks is None else tasks)
    runs = select(
        records,
        stale=stale,
        include_stale=include_stale,
        row_of=lambda record: row_of(record).spec,
    )
    known = _by_use(records, runs)
    columns = [column for task in tasks for column in columns_of(task, known, per_axis=per_axis)]
    filled = with_ranks(_fill(wanted, columns, runs), columns)
    filled, columns = with_verdicts(filled, columns, runs, samples)
    if published:
        filled = with_published(filled, columns, number)
    shown = _shown_runs(wanted, tasks, runs)
    without = [task.title for task in tasks if task.name not in {c.task for c in columns}]
    gaps = [f"No column yet for {title}: none of its cells is finished." for title in without]
    return Table(
        number=number,
        title=f"{title or TITLES[number]}, {group.source.upper()} data",
        columns=tuple(columns),
        rows=tuple(filled),
        notes=(*notes, *all_notes(number, group, columns, filled, shown), *gaps),
        facts=_facts(group, _pack_titles(records), known, tasks, shown),
    )


def _fill(
    wanted: Sequence[RowSpec], columns: Sequence[Column], runs: Mapping[tuple[str, str], Runs]
) -> list[Row]:
    def found(row: RowSpec, column: Column) -> Runs:
        return runs.get((row.spec, column.task), Runs())

    expected = max(
        (len(found(row, column).done) for row in wanted for column in columns), default=0
    )
    return [
        Row(
            spec=row.spec,
            title=row.title,
            role=row.role,
            cells=tuple(
                make_cell(found(row, column), column.metric.name, expected=expected)
                for column in columns
            ),
        )
        for row in wanted
    ]


def _shown_runs(
    wanted: Sequence[RowSpec], tasks: Sequence[TaskColumns], runs: Mapping[tuple[str, str], Runs]
) -> dict[tuple[str, str], Runs]:
    return {
        (row.title, task.title): runs[row.spec, task.name]
        for row in wanted
        for task in tasks
        if (row.spec, task.name) in runs
    }


def _check_alike(records: Sequence[Record], field: str) -> None:
    values = sorted({getattr(record, field) for record in records})
    if len(values) > 1:
        raise ResultsError(f"one table cannot mix {field}s: {', '.join(values)}")


def _pack_titles(records: Sequence[Record]) -> str:
    return ", ".join(dict.fromkeys((r.trained_on or r.data)["title"] for r in records))


def _by_use(records: Sequence[Record], runs: Mapping[tuple[str, str], Runs]) -> list[Record]:
    """The records whose scores are used; for tasks that have none, the other finished ones."""
    used = [record for found in runs.values() for record in found.done]
    tasks = {record.task for record in used}
    return [*used, *(record for record in records if record.done and record.task not in tasks)]


def _facts(
    group: GroupKey,
    pack_title: str,
    records: Sequence[Record],
    tasks: Sequence[TaskColumns],
    shown: Mapping[tuple[str, str], Runs],
) -> TableFacts:
    counts: dict[str, tuple[int, int, int]] = {}
    for record in records:
        data = record.data
        counts.setdefault(record.task, (data["train"], data["val"], data["test"]))
    seeds = {record.seed for runs in shown.values() for record in runs.done}
    return TableFacts(
        group=group,
        pack_title=pack_title,
        seeds=tuple(sorted(seeds)),
        images={task.title: counts[task.name] for task in tasks if task.name in counts},
    )
