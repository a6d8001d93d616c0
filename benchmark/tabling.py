"""From the store to a table: which records, which of them are stale, which rows in which order."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vtbench.benchmark import packs, registry
from vtbench.benchmark.ablation import ablated_terms, subsets
from vtbench.benchmark.card import card
from vtbench.benchmark.errors import UnknownName, UsageError
from vtbench.benchmark.protocols import LINEAR, PROBES, PROTOCOLS, TRANSFER
from vtbench.benchmark.rows import all_names
from vtbench.benchmark.settings import load_profile, profile_names
from vtbench.benchmark.spec import Spec
from vtbench.benchmark.staleness import stale
from vtbench.methods import PRESETS
from vtbench.results.selection import GroupKey, groups
from vtbench.results.tables import SENSOR_TABLE, RowSpec, Table, TaskColumns, tabulate

if TYPE_CHECKING:
    from vtbench.benchmark.registry import Registry
    from vtbench.benchmark.session import Session
    from vtbench.benchmark.settings import Settings
    from vtbench.results.record import Record
    from vtbench.results.store import Store
    from vtbench.tasks.data.pack import Pack

#: The sensors of the paper's Table IV.
PAPER_SENSORS = ("tactip", "vitac", "vitactip")


@dataclass(frozen=True, kw_only=True)
class TableRequest:
    """Which table, of which part of a store. What is None is taken from the newest results.

    method: that of Tables III and IV. terms: those of Table III, by default all that the method
    can be trained without. sensors: those of Table IV.
    """

    number: int = 1
    protocol: str | None = None
    profile: str | None = None
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
    found = groups(records)
    key = _choose(found, request)
    records = found[key]
    rows = _rows(records, selection, protocol)
    return _tabled(store, records, request, protocol, selection, rows=rows, found=found, keys=[key])


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
    found = groups([record for record in records if record.method in wanted])
    key = _choose(found, request)
    title = str(known.declarations(request.method).get("title", request.method))
    return _tabled(
        store, found[key], request, protocol, selection, rows=rows, found=found, keys=[key],
        title=f"Table III: loss ablation of {title}",
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
    found = groups([r for r in of_method if not wanted or r.sensor in wanted])
    newest = _choose(found, request)
    keys = [k for k in found if (k.source, k.profile) == (newest.source, newest.profile)]
    shown = [record for key in keys for record in found[key]]
    return _tabled(
        store, shown, request, protocol, None, rows=None, found=found, keys=keys,
        title=f"Table IV: {shown[0].method_title} with each sensor",
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
    title: str | None = None,
) -> Tabled:
    old: dict[str, str] = {}
    for key in keys:
        old |= stale_records(key, found[key], selection)
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
        samples=store.sample_scores,
    )
    shown = [r for r in records if request.include_stale or r.id not in old] or records
    others = tuple(key for key in found if key not in keys)
    return Tabled(table, tuple(records), old, protocol_card(shown), others)


def protocol_card(records: Sequence[Record]) -> tuple[str, ...]:
    """The protocol of a group of records in sentences, from the settings that they carry."""
    used: dict[str, Any] = {}
    for record in records:
        used |= record.settings
    return tuple(card(used))


def card_text(lines: Sequence[str], width: int) -> str:
    """A protocol card as text below a table."""
    filled = [
        textwrap.fill(line, max(40, width - 1), initial_indent="- ", subsequent_indent="  ")
        for line in lines
    ]
    return "\nProtocol:\n\n" + "\n".join(filled) + "\n"


# ------------------------------------------------------------------------------- which records


def _choose(found: Mapping[GroupKey, list[Record]], request: TableRequest) -> GroupKey:
    """The group asked for; of several that fit, of the newest profile, the one with most methods.

    After an ablation of sensors the newest results are of a sensor with one method.
    """
    profile, pack = request.profile, request.pack
    if profile and profile.endswith((".yaml", ".yml")):
        profile = Path(profile).stem
    pack = _pack_name(pack) if pack else None
    fitting = [
        key
        for key in found
        if (profile is None or key.profile == profile)
        and (pack is None or key.pack == pack)
        and (request.sensor is None or key.sensor == request.sensor)
    ]
    if fitting:
        newest = max(fitting, key=lambda key: _latest(found[key])).profile
        return max(
            (key for key in fitting if key.profile == newest),
            key=lambda key: (len({r.method for r in found[key]}), _latest(found[key])),
        )
    if not found:
        raise UsageError(f"This store holds no results for {_what(request)}.")
    there = "; ".join(f"--profile {k.profile!r} --data {k.pack} --sensor {k.sensor}" for k in found)
    raise UsageError(f"This store holds no such results; it has: {there}.")


def _what(request: TableRequest) -> str:
    """A table in words, with the command that fills it."""
    if request.protocol and request.protocol != LINEAR:
        return f"the protocol {request.protocol}; `bench run --protocol {request.protocol}`"
    return {
        1: "Table I yet; fill it with `bench run`",
        2: "Table II yet; fill it with `bench run --tasks transfer`",
        3: f"Table III yet; fill it with `bench ablate {request.method} --terms …`",
        4: f"Table IV yet; fill it with `bench ablate {request.method} --sensors …`",
    }[request.number]


def _pack_name(pack: str) -> str:
    """The name of a pack that is given by name or by folder."""
    if not (Path(pack) / "pack.yaml").exists():
        return pack
    from vtbench.tasks.data.pack import Pack

    return Pack.open(pack).name


def _latest(records: Sequence[Record]) -> str:
    return max(str(record.provenance.get("finished", "")) for record in records)


def stale_records(
    key: GroupKey, records: Sequence[Record], selection: Session | None = None
) -> dict[str, str]:
    """{record id: why it is stale} in a group, judged by the run's or by today's settings."""
    methods, tasks = registry.methods(), registry.tasks()
    if selection is not None:
        settings = selection.profile.settings
        return stale(records, methods, tasks, settings=settings, packs=selection.packs)
    settings = profile_settings(key.profile, records)
    known = _packs_of(records, settings) if settings is not None else {}
    return stale(records, methods, tasks, settings=settings, packs=known)


def profile_settings(
    profile: str, records: Sequence[Record], given: str | None = None
) -> Settings | None:
    """Today's settings of a profile named in records; None for a user's own file.

    `given` is what was asked for; where it is that file, it is read.
    """
    name, *overrides = profile.split(", ")
    if given is not None and Path(given).stem == name and Path(given).is_file():
        name = given
    elif name not in profile_names():
        return None
    used = {r.settings["encoder"]["precision"] for r in records if "encoder" in r.settings}
    try:
        return load_profile(name, overrides).settings.with_precision(min(used, default="32"))
    except UsageError:
        return None  # an override that no longer exists


def _packs_of(records: Sequence[Record], settings: Settings) -> dict[str, Pack]:
    """The packs of records by name, where they are made on demand and are there."""
    from vtbench.tasks.data.pack import Pack

    known = registry.datasets()
    names = {r.data["pack"] for r in records} | {(r.trained_on or r.data)["pack"] for r in records}
    sources = [packs.locate(name, settings, known) for name in sorted(names) if name in known]
    return {source.name: Pack.open(source.folder) for source in sources if source.ready}


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
