"""From a store to the report that `results.report` writes: its tables, cells, curves and images."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from vtbench.benchmark.again import filling
from vtbench.benchmark.cli_compare import FILLED_BY, compared
from vtbench.benchmark.errors import UsageError
from vtbench.benchmark.protocols import LINEAR, PROBES, PROTOCOLS, TRANSFER
from vtbench.benchmark.report_cells import method_views
from vtbench.benchmark.report_figures import draw_figures
from vtbench.benchmark.report_head import head, sources, title
from vtbench.benchmark.tabling import Tabled, TableRequest, make_table
from vtbench.results.paper import NUMERALS
from vtbench.results.report.model import Lacking, Problem, Report, TableView
from vtbench.results.report.problems import problems
from vtbench.results.store import Store
from vtbench.results.tables import SENSOR_TABLE

if TYPE_CHECKING:
    from vtbench.results.quarantine import Damage
    from vtbench.results.record import Record
    from vtbench.results.tables import TableFacts

#: Tables III and IV say nothing with one row: any run of their method fills that.
FEWEST_ROWS = {1: 1, 2: 1, 3: 2, 4: 2}

#: Those of the paper's Table III.
PAPER_TERMS = ("sal", "ppda", "ram")


@dataclass(frozen=True, kw_only=True)
class ReportRequest:
    """Which part of a store. What is None is taken from the newest results, table by table."""

    profile: str | None = None
    pack: str | None = None
    sensor: str | None = None
    figures: bool = True


def make_report(store: Store, request: ReportRequest) -> Report:
    """All that a store can say. Raises UsageError where it has nothing that fits."""
    store = Snapshot(store.root)
    shown, lacking = _tables(store, request)
    records = _records(tabled for _, tabled in shown)
    stale = {key: why for _, tabled in shown for key, why in tabled.stale.items()}
    figures, undrawn = draw_figures(store, request) if request.figures else ([], [])
    asked = {"profile": request.profile, "pack": request.pack, "sensor": request.sensor}
    return Report(
        title=title(records),
        sources=sources(records),
        facts=head(records, stale),
        tables=[view for view, _ in shown],
        lacking=lacking,
        problems=[problem for view, tabled in shown for problem in _problems(view, tabled)],
        comparison=compared(store, **asked),
        methods=method_views(
            store, records, stale, [view for view, _ in shown], folder=request.pack
        ),
        figures=figures,
        undrawn=undrawn,
        others=_others(shown),
        damaged=[f"{path.name}: {reason}" for path, reason in _damaged(store)],
    )


def _damaged(store: Store) -> list[Damage]:
    return [*store.damaged(), *store.damaged_logs()]


class Snapshot(Store):
    """A store whose records are read once: all tables show one moment of it, also during a run."""

    @cached_property
    def _read(self) -> list[Record]:
        return super().records()

    def records(self) -> list[Record]:
        """The records as they were at the first call."""
        return self._read


# ------------------------------------------------------------------------------- tables


def _tables(
    store: Store, request: ReportRequest
) -> tuple[list[tuple[TableView, Tabled]], list[Lacking]]:
    """The tables that the store can fill, and those of the paper that it cannot."""
    if not store.records():
        raise UsageError("This store holds no results yet; fill it with `bench run`.")
    shown, lacking, reasons = [], [], []
    for number, command in FILLED_BY.items():
        name = f"Table {NUMERALS[number]}"
        wanted = TableRequest(
            number=number, profile=request.profile, pack=request.pack, sensor=request.sensor,
            terms=PAPER_TERMS,
        )  # fmt: skip
        try:
            tabled = make_table(store, wanted)
        except UsageError as error:
            reasons.append(error)
            lacking.append(Lacking(name=name, command=command))
            continue
        if _filled_rows(tabled) < FEWEST_ROWS[number]:
            lacking.append(Lacking(name=name, command=command))
        else:
            shown.append((_view(name, TRANSFER if number == 2 else LINEAR, tabled), tabled))
    shown += _other_protocols(store, request)
    if not shown:
        raise reasons[0]
    return shown, [_as_here(gap, shown[0][1].table.facts) for gap in lacking]


def _as_here(gap: Lacking, known: TableFacts) -> Lacking:
    """What fills a table with the profile, data and seeds of one that is there."""
    return replace(gap, command=filling(gap.command, known.group, known.seeds))


def _other_protocols(store: Store, request: ReportRequest) -> Iterator[tuple[TableView, Tabled]]:
    """Table I asked in other ways, where the store has them."""
    used = {record.protocol for record in store.records()}
    for protocol in PROBES:
        if protocol == LINEAR or protocol not in used:
            continue
        wanted = TableRequest(
            protocol=protocol, profile=request.profile, pack=request.pack, sensor=request.sensor
        )
        with suppress(UsageError):
            tabled = make_table(store, wanted)
            yield _view(f"Table I, {PROTOCOLS[protocol].title}", protocol, tabled), tabled


def _view(name: str, protocol: str, tabled: Tabled) -> TableView:
    by_sensor = tabled.table.number == SENSOR_TABLE
    return TableView(
        name=name,
        table=tabled.table,
        protocol=protocol,
        method=tabled.records[0].method if by_sensor else "",
        card=tabled.protocol,
    )


def _filled_rows(tabled: Tabled) -> int:
    """How many rows have been tried at all."""
    return sum(any(cell.status != "missing" for cell in row.cells) for row in tabled.table.rows)


def _problems(view: TableView, tabled: Tabled) -> list[Problem]:
    by_sensor = tabled.table.number == SENSOR_TABLE
    why: dict[tuple[str, str], str] = {}
    for record in tabled.records:
        if record.id in tabled.stale:
            row = record.sensor if by_sensor else record.method
            why[row, record.task] = tabled.stale[record.id]
    command = FILLED_BY[tabled.table.number]
    if view.protocol not in (LINEAR, TRANSFER):
        command = f"bench run --protocol {view.protocol}"
    facts_of = tabled.table.facts
    fix = filling(command, facts_of.group, facts_of.seeds)
    return problems(tabled.table, view.name, stale=why, fix=fix)


def _records(tables: Iterable[Tabled]) -> list[Record]:
    """The records behind the tables, each once, in the order of the tables' rows."""
    found: dict[str, Record] = {}
    for tabled in tables:
        order = [row.spec for row in tabled.table.rows]
        place = {spec: index for index, spec in enumerate(order)}
        ordered = sorted(tabled.records, key=lambda r: place.get(r.method, len(place)))
        found |= {record.id: record for record in ordered if record.id not in found}
    return list(found.values())


def _others(shown: Sequence[tuple[TableView, Tabled]]) -> list[str]:
    """The groups of the store that no table shows."""
    here = {tabled.table.facts.group for _, tabled in shown}
    rest = {key: None for _, tabled in shown for key in tabled.others if key not in here}
    return [
        f"Also in this store: profile {key.profile} on {key.pack}, sensor {key.sensor}; "
        "see it with --profile, --data and --sensor."
        for key in rest
        if not _within(key.sensor, key.pack, here)
    ]


def _within(sensor: str, pack: str, groups: Iterable[Sequence[str]]) -> bool:
    """Whether a table across sensors shows them."""
    return any(
        sensor in group[3].split(", ") and pack in group[0].split(", ")
        for group in groups
        if ", " in group[3]
    )
