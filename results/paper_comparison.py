"""Our Tables I to IV beside the paper's: each cell, and how far the orders of methods agree."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import cached_property
from math import isnan

from vtbench.results.cells import Cell, Column, Status, displayed, ranks
from vtbench.results.matches import Agreement, ColumnMatch, Match, TableMatch, Verdict
from vtbench.results.notes import PAPER_PACK, PAPER_SENSOR
from vtbench.results.paper import ROWS, ColumnKey, published
from vtbench.results.record import MetricFacts, Record
from vtbench.results.selection import Runs, select
from vtbench.results.statistics import Summary, summarise, within
from vtbench.results.tables import SENSOR_TABLE, Table

#: The row that the paper shows "as a reference only (not ranked)", Table I.
REFERENCE = "supervised"

#: Fewer methods have no order worth a coefficient: of two, one is always first.
FEWEST_TO_CORRELATE = 3

#: How the paper prints its metrics.
_PRINTED = {
    "top1": MetricFacts(
        name="top1", label="Top-1", unit="%", better="higher", decimals=2, primary=True
    ),
    "top5": MetricFacts(
        name="top5", label="Top-5", unit="%", better="higher", decimals=2, primary=False
    ),
    "mae": MetricFacts(
        name="mae", label="Avg. MAE", unit="", better="lower", decimals=4, primary=True
    ),
}
_TASK_TITLES = {
    "magictac_t": "MagicTac-T",
    "magictac_d": "MagicTac-D",
    "gelsight": "GelSight",
    "pnutac": "PnuTac",
}


@dataclass(frozen=True)
class Ours:
    """One of our tables, with the records that its cells rest on, by (row, task)."""

    table: Table
    runs: Mapping[tuple[str, str], Runs]

    @classmethod
    def of(cls, table: Table, records: Iterable[Record], stale: Set[str] = frozenset()) -> Ours:
        """A table of `tabulate` and what was given to it; stale records are left out."""
        by_sensor = table.number == SENSOR_TABLE
        runs = select(
            records,
            stale=stale,
            include_stale=False,
            row_of=lambda record: record.sensor if by_sensor else record.method,
        )
        return cls(table, runs)

    @cached_property
    def columns(self) -> Mapping[ColumnKey, Column]:
        """The table's columns by task and metric."""
        return {(column.task, column.metric.name): column for column in self.table.columns}

    @cached_property
    def _cells(self) -> Mapping[tuple[str, ColumnKey], Cell]:
        return {
            (row.spec, key): cell
            for row in self.table.rows
            for key, cell in zip(self.columns, row.cells, strict=True)
        }

    def status(self, row: str, key: ColumnKey) -> Status:
        """What became of a cell; "missing" too where the table has no such row or column."""
        if (row, key) in self._cells:
            return self._cells[row, key].status
        failed = self.runs.get((row, key[0]), Runs()).failed
        return "failed" if failed else "missing"

    def records(self, row: str, key: ColumnKey) -> tuple[Record, ...]:
        """The records with a score in this cell, one for each seed."""
        task, metric = key
        done = self.runs.get((row, task), Runs()).done
        return tuple(record for record in done if metric in record.scores)

    @property
    def comparable(self) -> bool:
        """Whether the values, and not the order alone, may be held against the paper's."""
        group = self.table.facts.group
        used = [record for runs in self.runs.values() for record in runs.done]
        real = group.source == "real" and all(r.data["source"] == "real" for r in used)
        same = (group.pack, group.sensor) == (PAPER_PACK, PAPER_SENSOR)
        return real and (same or self.table.number == SENSOR_TABLE)


def match_table(ours: Ours) -> TableMatch:
    """Every cell of the paper's table beside ours; rows and columns in the paper's order."""
    number, known = ours.table.number, published(ours.table.number)
    comparable = ours.comparable
    keys = list(next(iter(known.values())))
    return TableMatch(
        number=number,
        title=ours.table.title,
        caption=ours.table.facts.sentence,
        comparable=comparable,
        standing=_standing(ours, comparable),
        columns=tuple(_match_column(ours, key, comparable) for key in keys),
    )


def row_titles(number: int) -> dict[str, str]:
    """The paper's names of the rows of one of its tables, by our names.

    >>> row_titles(1)["sarl"], row_titles(3)["sarl"]
    ('SARL', '+ SAL + PPDA + RAM')
    """
    names = {
        spec: name.removesuffix(" (ours)")
        for name, spec in ROWS.items()
        if name.startswith("+") == (number == 3)
    }
    return {spec: names[spec] for spec in published(number)}


def printed_column(key: ColumnKey) -> Column:
    """A column as the paper prints it.

    >>> printed_column(("edge_pose", "mae")).title, printed_column(("edge_pose", "mae_x")).title
    ('Edge pose Avg. MAE', 'Edge pose MAE x')
    """
    task, name = key
    family, _, axis = name.partition("_")
    metric = _PRINTED[family]
    if axis:
        metric = replace(metric, name=name, label=f"MAE {axis}", primary=False)
    title = _TASK_TITLES.get(task, task.replace("_", " ").capitalize())
    return Column(task=task, task_title=title, metric=metric)


def agreement(ours: Sequence[float], theirs: Sequence[float]) -> Agreement | None:
    """How far two lists of scores order the same methods alike; None where there is no order.

    >>> round(agreement([1, 2, 3, 4], [10, 20, 40, 30]).tau, 2)
    0.67
    >>> agreement([1, 1, 1], [1, 2, 3]) is None
    True
    """
    if len(ours) < FEWEST_TO_CORRELATE or len({*ours}) == 1 or len({*theirs}) == 1:
        return None
    from scipy.stats import kendalltau

    found = kendalltau(ours, theirs)
    tau, p = float(found.statistic), float(found.pvalue)
    return None if isnan(tau) else Agreement(tau, p, len(ours))


def _match_column(ours: Ours, key: ColumnKey, comparable: bool) -> ColumnMatch:
    number = ours.table.number
    known, titles = published(number), row_titles(number)
    cells = [
        _match(ours, row, titles[row], key, known[row][key], comparable=comparable) for row in known
    ]
    column = ours.columns.get(key, printed_column(key))
    both = [cell for cell in cells if cell.ours is not None and cell.row != REFERENCE]
    means = [displayed(cell.ours.mean, column.metric) for cell in both if cell.ours is not None]
    theirs = [cell.published for cell in both]
    ranked = {
        cell.row: (own, other)
        for cell, own, other in zip(
            both,
            ranks(means, column.metric),
            ranks(theirs, printed_column(key).metric),
            strict=True,
        )
    }
    return ColumnMatch(
        column=column,
        cells=tuple(_with_ranks(cell, ranked) for cell in cells),
        agreement=agreement(means, theirs),
    )


def _with_ranks(cell: Match, ranked: Mapping[str, tuple[int, int]]) -> Match:
    own, other = ranked.get(cell.row, (None, None))
    return replace(cell, rank=own, published_rank=other)


def _match(
    ours: Ours, row: str, title: str, key: ColumnKey, number: float, *, comparable: bool
) -> Match:
    scores = [record.scores[key[1]] for record in ours.records(row, key)]
    summary = summarise(scores) if scores else None
    status = ours.status(row, key)
    return Match(
        row=row,
        title=title,
        status=status,
        published=number,
        ours=summary,
        verdict=_verdict(status, summary, number, key, comparable=comparable),
    )


def _verdict(
    status: Status, summary: Summary | None, number: float, key: ColumnKey, *, comparable: bool
) -> Verdict:
    if summary is None:
        return status if status in ("failed", "stale") else "missing"
    if not comparable:
        return "not comparable"
    rounding = 0.5 * 10.0 ** -printed_column(key).metric.decimals
    inside = within(number, summary, rounding=rounding)
    if inside is None:
        return "no interval"
    return "within" if inside else "outside"


def _standing(ours: Ours, comparable: bool) -> str:
    """What may be compared with the paper, and why no more than that."""
    group = ours.table.facts.group
    if comparable:
        return (
            f"Same kind of data as the paper's. Protocol: profile {group.profile}; only `paper` "
            "follows the paper's, where the paper states it. An interval covers the luck of our "
            f"seeds alone.{_force_unit(ours)}"
        )
    if group.source == "simulated":
        what = "Ours is SIMULATED data, the paper's is real"
    elif (group.pack, group.sensor) != (PAPER_PACK, PAPER_SENSOR):
        what = f"Ours is pack {group.pack}, sensor {group.sensor}, not the paper's ViTacTip data"
    else:
        what = "Ours was asked about simulated data, the paper's about real data"
    return f"{what}: only the ORDER of methods is compared, not the values."


def _force_unit(ours: Ours) -> str:
    """Section IV-B of the paper measures forces in millimetres, and its Table I names no unit."""
    column = ours.columns.get(("force", "mae"))
    if ours.table.number != 1 or column is None or column.metric.unit in ("", "mm"):
        return ""
    return f" The paper says its force error is in mm; ours is in {column.metric.unit}."
