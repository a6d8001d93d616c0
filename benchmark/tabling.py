"""From the store to a table: which records, which of them are stale, which rows in which order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from vtbench.benchmark import registry
from vtbench.benchmark.ablation import ablated_terms, subsets
from vtbench.benchmark.absent import absent_notes
from vtbench.benchmark.card import protocol_card
from vtbench.benchmark.errors import UnknownName, UsageError
from vtbench.benchmark.protocols import LINEAR, PROBES, PROTOCOLS, TRANSFER
from vtbench.benchmark.rows import all_names
from vtbench.benchmark.same_settings import renamed_note
from vtbench.benchmark.spec import Spec
from vtbench.benchmark.staleness import stale_records, uncompared
from vtbench.benchmark.table_groups import choose, grouped
from vtbench.methods import PRESETS
from vtbench.results.contradiction import contradictions, once
from vtbench.results.selection import GroupKey
from vtbench.results.tables import SENSOR_TABLE, RowSpec, Table, TaskColumns, tabulate

if TYPE_CHECKING:
    from vtbench.benchmark.registry import Registry
    from vtbench.benchmark.session import Session
    from vtbench.benchmark.settings import Settings
    from vtbench.results.record import Record
    from vtbench.results.store import Store

#: The sensors of the paper's Table IV.
PAPER_SENSORS = ("tactip", "vitac", "vitactip")


@dataclass(frozen=True, kw_only=True)
class TableRequest:
    """Which table, of which part of a store. What is None is taken from the newest results.

    settings: of the profile, where they are at hand. method: that of Tables III and IV. terms:
    those of Table III, by default all that the method can be trained without. sensors: those of
    Table IV.
    """

    number: int = 1
    protocol: str | None = None
    profile: str | None = None
    settings: Settings | None = None
    pack: str | None = None
    sensor: str | None = None
    method: str = "sarl"
    terms: Sequence[str] = ()
    sensors: Sequence[str] = ()
    published: bool = False
    per_axis: bool = False
    include_stale: bool = False


@dataclass(frozen=True)
class Tabled:
    """A table, the records behind it, its protocol card, and the other groups of the store."""

    table: Table
    records: tuple[Record, ...]
    stale: Mapping[str, str]
    protocol: tuple[str, ...]
    others: tuple[GroupKey, ...]


def make_table(store: Store, request: TableRequest, selection: Session | None = None) -> Tabled:
    """A table of the store's records; with `selection`, rows and tasks are those of a run.

    Raises UsageError where the store has nothing that fits.
    """
    check_number(request.number)
    protocol = request.protocol or (TRANSFER if request.number == 2 else LINEAR)
    if protocol not in PROTOCOLS:
        raise UnknownName("protocol", protocol, PROBES)
    records = [record for record in store.records() if record.protocol == protocol]
    maker = {3: _terms_table, 4: _sensor_table}.get(request.number, _plain_table)
    return maker(store, records, request, protocol, selection)


def check_number(number: int) -> None:
    """Raises UsageError for a table that the paper lacks."""
    if number not in (1, 2, 3, 4):
        raise UsageError(f"The paper has tables 1 to 4; there is no table {number}.")


# ------------------------------------------------------------------------------- kinds of tables


def _plain_table(
    store: Store,
    records: Sequence[Record],
    request: TableRequest,
    protocol: str,
    selection: Session | None,
) -> Tabled:
    found, former = grouped(records, request, selection)
    key = choose(found, request)
    rows = _rows(found[key], selection, protocol)
    return _tabled(
        store, found[key], request, protocol, selection, rows=rows, found=found, keys=[key],
        former=former,
    )  # fmt: skip


def _terms_table(
    store: Store,
    records: Sequence[Record],
    request: TableRequest,
    protocol: str,
    selection: Session | None,
) -> Tabled:
    known = registry.methods()
    terms = list(request.terms) or stored_terms(records, request.method, known)
    rows = [
        RowSpec(subset.spec, subset.title, "method" if subset.kept else "control")
        for subset in subsets(request.method, terms, known)
    ]
    wanted = {row.spec for row in rows}
    of_rows = [record for record in records if record.method in wanted]
    found, former = grouped(of_rows, request)
    key = choose(found, request)
    title = str(known.declarations(request.method).get("title", request.method))
    return _tabled(
        store, found[key], request, protocol, selection, rows=rows, found=found, keys=[key],
        title=f"Table III: loss ablation of {title}", former=former,
    )  # fmt: skip


def stored_terms(records: Sequence[Record], method: str, methods: Registry) -> list[str]:
    """The terms whose ablation the records hold; without any, all that can be ablated."""
    known = ablated_terms(method, methods)
    specs = [Spec.parse(record.method) for record in records]
    off = [{k for k, v in spec.settings if v == 0} for spec in specs if spec.name == method]
    found = {term for terms in off if terms <= {*known} for term in terms}
    return [term for term in known if term in found] or known


def _sensor_table(
    store: Store,
    records: Sequence[Record],
    request: TableRequest,
    protocol: str,
    selection: Session | None,
) -> Tabled:
    del selection  # each sensor has a run of its own
    method = str(Spec.parse(request.method))
    of_method = [record for record in records if record.method == method]
    wanted = set(request.sensors) or {*PAPER_SENSORS} & {r.sensor for r in of_method}
    of_sensors = [r for r in of_method if not wanted or r.sensor in wanted]
    found, former = grouped(of_sensors, request)
    newest = choose(found, request)
    keys = [k for k in found if (k.source, k.profile) == (newest.source, newest.profile)]
    shown = [record for key in keys for record in found[key]]
    return _tabled(
        store, shown, request, protocol, None, rows=None, found=found, keys=keys,
        title=f"Table IV: {shown[0].method_title} with each sensor", former=former,
    )  # fmt: skip


def _tabled(
    store: Store,
    records: Sequence[Record],
    request: TableRequest,
    protocol: str,
    selection: Session | None,
    *,
    rows: Sequence[RowSpec] | None,
    found: Mapping[GroupKey, list[Record]],
    keys: Sequence[GroupKey],
    former: Mapping[str, str],
    title: str | None = None,
) -> Tabled:
    samples = once(store.sample_scores)
    doubted = contradictions(records, samples)
    records = _believed(records, doubted)
    old: dict[str, str] = {}
    for key in keys:
        old |= stale_records(
            key, found[key], selection, settings=request.settings, given=request.profile
        )
    if title is not None:
        title = f"{title}, {PROTOCOLS[protocol].title}"
    elif protocol not in (LINEAR, TRANSFER):
        title = f"Tasks of Table I: {PROTOCOLS[protocol].title}"
    asked = records if request.number in (1, 2) else _compared(records, request.number)
    table = tabulate(
        records,
        number=request.number,
        title=title,
        rows=rows,
        tasks=_tasks(asked, selection, protocol),
        stale=frozenset(old),
        published=request.published,
        per_axis=request.per_axis,
        include_stale=request.include_stale,
        samples=samples,
        notes=[
            *doubted.values(), *_set_aside(store), *absent_notes(records, rows, old),
            *renamed_note(asked, former), *_uncompared(keys, request, selection),
        ],
    )  # fmt: skip
    shown = [r for r in records if request.include_stale or r.id not in old] or records
    others = tuple(key for key in found if key not in keys)
    return Tabled(table, tuple(records), old, protocol_card(shown), others)


def _believed(records: Sequence[Record], doubted: Mapping[str, str]) -> list[Record]:
    """The records that are not doubted; raises UsageError where none is left."""
    left = [record for record in records if record.id not in doubted]
    if not left:
        raise UsageError(" ".join(doubted.values()))
    return left


def _uncompared(
    keys: Sequence[GroupKey], request: TableRequest, selection: Session | None
) -> list[str]:
    """A sentence where the settings of a table's profile are not at hand."""
    at_hand = selection is not None or request.settings is not None
    return [] if at_hand else uncompared((key.profile for key in keys), request.profile)


def _set_aside(store: Store) -> list[str]:
    """A sentence on each record file that was found damaged, of whatever table it was."""
    return [
        f"Damaged and left out: {damage.reason}"
        for damage in store.set_aside()
        if damage.path.suffix == ".json"
    ]


# ------------------------------------------------------------------------------- rows and columns


def _rows(records: Sequence[Record], selection: Session | None, protocol: str) -> list[RowSpec]:
    """The rows of a run, or all rows of the records, in the order of `--methods all`."""
    if selection is not None:
        return [
            RowSpec(str(row.spec), row.title, row.role)
            for row in selection.rows
            if row.route in PROTOCOLS[protocol].routes
        ]
    presets = {name: str(Spec.parse(spec)) for name, (spec, _) in PRESETS.items()}
    order = [presets.get(name, name) for name in all_names(registry.methods())]
    rows = {r.method: RowSpec(r.method, r.method_title, r.role) for r in records}
    return sorted(
        (_without_rivals(row, rows) for row in rows.values()),
        key=lambda row: _rank(order, row.spec),
    )


def _without_rivals(row: RowSpec, rows: Mapping[str, RowSpec]) -> RowSpec:
    """A row that does not compete with its own method: an ablation or a trial of a sweep.

    Chosen among many, such a row could be called best of a column by luck.
    """
    name, settings = row.spec.partition(":")[::2]
    return replace(row, role="control") if settings and name in rows else row


def _compared(records: Sequence[Record], number: int) -> Sequence[Record]:
    """The records on tasks that at least half as many rows were asked as on any task.

    The full method and the one without all terms are often asked more than what is between.
    """
    rows: dict[str, set[str]] = {}
    for record in records:
        row = record.sensor if number == SENSOR_TABLE else record.method
        rows.setdefault(record.task, set()).add(row)
    most = max(map(len, rows.values()), default=0)
    return [record for record in records if 2 * len(rows[record.task]) >= most]


def _rank(order: Sequence[str], spec: str) -> tuple[float, str]:
    """A spec with settings follows its method."""
    name = spec if spec in order else spec.partition(":")[0]
    return (order.index(name) if name in order else len(order), spec)


def _tasks(
    records: Sequence[Record], selection: Session | None, protocol: str
) -> list[TaskColumns]:
    titles = {record.task: record.task_title for record in records}
    if selection is None:
        order = [*registry.tasks(), *_transfer_order()]
        names = sorted(titles, key=lambda name: _rank(order, name))
    else:
        names = list(selection.transfer) if protocol == TRANSFER else selection.tasks
    return [TaskColumns(name, titles.get(name, name)) for name in names]


def _transfer_order() -> list[str]:
    from vtbench.tasks import TRANSFER_DATASETS

    known = registry.datasets()
    return [task for name in TRANSFER_DATASETS for task in known.declarations(name)["tasks"]]
