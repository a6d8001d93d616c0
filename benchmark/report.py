"""From a store to the report that `results.report` writes: its tables, cells, curves and images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from vtbench.benchmark.again import command_for, filling
from vtbench.benchmark.cli_compare import FILLED_BY, compared
from vtbench.benchmark.environment import now
from vtbench.benchmark.errors import UsageError
from vtbench.benchmark.protocols import LINEAR, PROBES, PROTOCOLS, TRANSFER
from vtbench.benchmark.report_figures import draw_figures
from vtbench.benchmark.tabling import Tabled, TableRequest, make_table
from vtbench.benchmark.worst_images import WorstImages
from vtbench.results.notes import PAPER_SENSOR
from vtbench.results.paper_comparison import NUMERALS
from vtbench.results.report import facts
from vtbench.results.report.curves import read_curves
from vtbench.results.report.model import (
    CellView,
    EncoderView,
    Facts,
    Lacking,
    MethodView,
    Problem,
    Report,
    Standing,
    TableView,
)
from vtbench.results.report.problems import problems
from vtbench.results.store import Store
from vtbench.results.tables import SENSOR_TABLE

if TYPE_CHECKING:
    from vtbench.results.record import Record
    from vtbench.results.tables import TableFacts

#: Tables III and IV say nothing with one row: any run of their method fills that.
FEWEST_ROWS = {1: 1, 2: 1, 3: 2, 4: 2}


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
        title=_title(records),
        sources=sorted({source for record in records for source in _sources(record)}),
        facts=_header(records, stale),
        tables=[view for view, _ in shown],
        lacking=lacking,
        problems=[problem for view, tabled in shown for problem in _problems(view, tabled)],
        comparison=compared(store, **asked),
        methods=_methods(store, records, stale, [view for view, _ in shown], request),
        figures=figures,
        undrawn=undrawn,
        others=_others(shown),
        damaged=[f"{path.name}: {reason}" for path, reason in store.damaged()],
    )


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
            number=number, profile=request.profile, pack=request.pack, sensor=request.sensor
        )
        try:
            tabled = _preferred(store, wanted)
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


def _preferred(store: Store, request: TableRequest) -> Tabled:
    """As in `bench compare`: of the paper's sensor if there is one, else of the newest."""
    if request.sensor is None and request.number != SENSOR_TABLE:
        with suppress(UsageError):
            return make_table(store, replace(request, sensor=PAPER_SENSOR))
    return make_table(store, request)


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
            tabled = _preferred(store, wanted)
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


# ------------------------------------------------------------------------------- the head


def _records(tables: Iterable[Tabled]) -> list[Record]:
    """The records behind the tables, each once, in the order of the tables' rows."""
    found: dict[str, Record] = {}
    for tabled in tables:
        order = [row.spec for row in tabled.table.rows]
        place = {spec: index for index, spec in enumerate(order)}
        ordered = sorted(tabled.records, key=lambda r: place.get(r.method, len(place)))
        found |= {record.id: record for record in ordered if record.id not in found}
    return list(found.values())


def _sources(record: Record) -> set[str]:
    return {record.data["source"], (record.trained_on or record.data)["source"]}


def _title(records: Sequence[Record]) -> str:
    titles = dict.fromkeys((r.trained_on or r.data)["title"] for r in records)
    return f"Self-supervised learning on {', '.join(titles)}"


def _header(records: Sequence[Record], stale: Mapping[str, str]) -> Facts:
    # A stale cell may be a failed one, and is counted once.
    counts = Counter("stale" if record.id in stale else record.status for record in records)
    cells = ", ".join(f"{count} {word}" for word, count in sorted(counts.items()))
    found = {
        "Encoders trained on": _distinct(_origin(record) for record in records),
        "Asked about": _distinct(record.data["pack"] for record in records),
        "Sensors": _distinct(record.sensor for record in records),
        "Profile": _distinct((record.profile for record in records), "; "),
        "Seeds": ", ".join(map(str, sorted({record.seed for record in records}))),
        "Cells": f"{len(records)} ({cells})",
        "Results finished": _span([str(r.provenance.get("finished", "")) for r in records]),
        "Versions": _versions(records),
        "Devices": _distinct((str(r.provenance.get("device", "")) for r in records), "; "),
        "Commits": _distinct(str(r.provenance.get("git") or "") for r in records),
        "Page made": _minute(now()),
    }
    return [(name, value) for name, value in found.items() if value]


def _origin(record: Record) -> str:
    origin = record.trained_on or record.data
    return f"{origin['title']} ({origin['pack']}), {origin['source'].upper()}"


def _distinct(values: Iterable[str], separator: str = ", ") -> str:
    return separator.join(dict.fromkeys(value for value in values if value))


def _span(times: Sequence[str]) -> str:
    known = sorted(_minute(time) for time in times if time)
    if not known:
        return ""
    return known[0] if known[0] == known[-1] else f"{known[0]} to {known[-1]}"


def _minute(time: str) -> str:
    """A time of ISO 8601 to the minute.

    >>> _minute("2025-01-09T10:00:05+00:00")
    '2025-01-09 10:00 UTC'
    """
    return f"{time[:10]} {time[11:16]} UTC" if time.endswith("+00:00") else time


def _versions(records: Sequence[Record]) -> str:
    """Every version that the results were made with, a package once."""
    found: dict[str, dict[str, None]] = {}
    for record in records:
        versions = record.provenance.get("versions")
        for name, value in versions.items() if isinstance(versions, Mapping) else ():
            found.setdefault(str(name), {})[str(value)] = None
    return ", ".join(f"{name} {' and '.join(values)}" for name, values in found.items())


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


# ------------------------------------------------------------------------------- every cell


def _methods(
    store: Store,
    records: Sequence[Record],
    stale: Mapping[str, str],
    tables: Sequence[TableView],
    request: ReportRequest,
) -> list[MethodView]:
    images = WorstImages(store, records, folder=request.pack)
    columns = _columns_of(tables)
    by_method: dict[str, dict[tuple[int, str, str], list[Record]]] = {}
    for record in records:
        by_method.setdefault(record.method, {}).setdefault(_encoder_key(record), []).append(record)
    return [
        MethodView(
            title=next(iter(encoders.values()))[0].method_title,
            spec=spec,
            encoders=[
                _encoder(store, found, stale, columns, images)
                for _, found in sorted(encoders.items())
            ],
        )
        for spec, encoders in by_method.items()
    ]


def _columns_of(tables: Sequence[TableView]) -> dict[str, list[str]]:
    """The names of the tables' columns, by task."""
    found: dict[str, dict[str, None]] = {}
    for view in tables:
        for column in view.table.columns:
            found.setdefault(column.task, {})[column.name] = None
    return {task: list(names) for task, names in found.items()}


def _encoder_key(record: Record) -> tuple[int, str, str]:
    trained = str((record.training or {}).get("id", ""))
    return record.seed, record.sensor, trained


def _encoder(
    store: Store,
    records: Sequence[Record],
    stale: Mapping[str, str],
    columns: Mapping[str, Sequence[str]],
    images: WorstImages,
) -> EncoderView:
    first = records[0]
    identity = (first.training or {}).get("id")
    curves = read_curves(store.encoder_dir(str(identity))) if identity else []
    return EncoderView(
        title=f"Seed {first.seed}, sensor {first.sensor}, profile {first.profile}",
        facts=facts.training(first) if identity else [],
        curves=curves,
        curves_note=_curves_note(has_encoder=bool(identity), has_curves=bool(curves)),
        cells=[
            _cell(record, stale.get(record.id), columns.get(record.task, ()), images)
            for record in records
        ],
    )


def _curves_note(*, has_encoder: bool, has_curves: bool) -> str:
    if has_curves:
        return ""
    if has_encoder:
        return "The log of this training is no longer in the store."
    return "Nothing is pre-trained here, or no encoder is known: there is no training log."


def _cell(record: Record, why: str | None, columns: Sequence[str], images: WorstImages) -> CellView:
    standing: Standing = "stale" if why else "current" if record.done else "failed"
    samples, note = images.of(record)
    return CellView(
        id=record.id,
        method=record.method,
        task_title=record.task_title,
        protocol=record.protocol,
        sensor=record.sensor,
        seed=record.seed,
        score=facts.headline(record),
        standing=standing,
        reason=why or record.error or "",
        columns=columns,
        groups=[*facts.groups(record), ("Stored", _stored(record))],
        notes=record.notes,
        command=command_for(record, again=standing == "current"),
        samples=samples,
        samples_note=note,
    )


def _stored(record: Record) -> Facts:
    best = (record.training or {}).get("best_epoch")
    return [
        ("cell", record.id),
        ("seed", str(record.seed)),
        ("predictions", record.predictions or "none"),
        *([("best epoch", str(best))] if best is not None else []),
    ]
