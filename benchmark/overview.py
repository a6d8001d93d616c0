"""What the store and a plan look like, in words and tables for the terminal."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from vtbench.benchmark import packs, registry
from vtbench.benchmark.card import card
from vtbench.benchmark.console import bytes_text, duration_text
from vtbench.benchmark.errors import UsageError
from vtbench.benchmark.rows import all_names
from vtbench.benchmark.settings import load_profile, profile_names
from vtbench.benchmark.spec import Spec
from vtbench.benchmark.staleness import stale
from vtbench.methods import PRESETS
from vtbench.results import render
from vtbench.results.tables import RowSpec, Table, TaskColumns, groups, table_one

if TYPE_CHECKING:
    from vtbench.benchmark.plan import RunPlan
    from vtbench.benchmark.session import Session
    from vtbench.benchmark.settings import Settings
    from vtbench.results.record import Record
    from vtbench.results.selection import GroupKey
    from vtbench.results.store import Store
    from vtbench.tasks.data.pack import Pack


# ------------------------------------------------------------------------------------ plans


def plan_lines(
    session: Session, plan: RunPlan, records: Sequence[Record], *, jobs_too: bool = False
) -> list[str]:
    """What would run, what is there, what is stale, and what it will cost."""
    workers, pack = session.workers, session.pack
    source = f"{pack.source} data {pack.name}, sensor {session.sensor}"
    cost = session.estimate(plan, records)
    missing = plan.missing
    basis = "from earlier runs here" if cost.measured else "a rough guess"
    lines = [
        f"Profile {session.profile.name} ({session.profile.settings.title}) on {source}",
        _cell_line(session, plan, records),
        _work_line(missing),
        f"On {workers.device}: {workers.jobs} at a time, {workers.threads} thread(s) each. "
        f"About {duration_text(cost.seconds)} ({basis}) and {bytes_text(cost.bytes)} of disk.",
    ]
    if jobs_too:
        lines += [f"  {job.title}: {', '.join(cell.task for cell in job.cells)}" for job in missing]
    return lines


def plan_without_data(session: Session) -> str:
    """What can be said of a plan whose simulated data is not rendered yet."""
    count = packs.simulated_images(session.profile.settings, session.source.tasks)
    rows, tasks, seeds = len(session.rows), len(session.tasks), session.seeds
    cost = session.rough_estimate()
    return (
        f"{session.source.name} is not on this machine yet: {count:,} simulated images would be "
        f"rendered first, then all {rows * tasks * seeds} cells ({rows} rows x {tasks} tasks x "
        f"{seeds} seeds) would run.\n"
        f"About {duration_text(cost.seconds)} (a rough guess) and {bytes_text(cost.bytes)} of disk."
    )


def _cell_line(session: Session, plan: RunPlan, records: Sequence[Record]) -> str:
    planned = {cell.id for cell in plan.cells}
    same = [
        r
        for r in records
        if r.id not in planned
        and (r.data["pack"], r.profile, r.sensor)
        == (session.pack.name, session.profile.name, session.sensor)
    ]
    asked = {(str(job.row.spec), job.seed, c.task) for job in plan.jobs for c in job.cells}
    outdated = sum((r.method, r.seed, r.task) in asked for r in same)
    again = f", {len(plan.failed)} failed before and are tried again" if plan.failed else ""
    old = f"; {outdated} stale results stay aside" if outdated else ""
    left = len(plan.cells) - len(plan.done)
    return f"{len(plan.cells)} cells: {len(plan.done)} cached, {left} to do{again}{old}"


def _work_line(missing: Sequence[Any]) -> str:
    routes = Counter(job.row.route for job in missing)
    probes = sum(len(job.cells) for job in missing if job.row.route != "supervised")
    return (
        f"To do: {routes['pretrain']} pre-trainings, {routes['supervised']} supervised trainings, "
        f"{probes} probes"
    )


# ------------------------------------------------------------------------------------ tables


def rendered_table(
    store: Store,
    *,
    profile: str | None,
    pack: str | None,
    sensor: str | None,
    form: Literal["text", "markdown", "csv"],
    width: int,
    published: bool = False,
    per_axis: bool = False,
    include_stale: bool = False,
    selection: Session | None = None,
) -> str:
    """Table I of one group of the store's records: the one asked for, or the newest.

    With `selection`, rows and tasks are those of a run. Raises UsageError where no group fits.
    """
    found = groups(store.records())
    key = _choose(found, profile=profile, pack=pack, sensor=sensor)
    records = found[key]
    old = _stale(key, records, selection)
    table = table_one(
        records,
        rows=_rows(records, selection),
        tasks=_tasks(records, selection),
        stale=frozenset(old),
        published=published,
        per_axis=per_axis,
        include_stale=include_stale,
    )
    others = "".join(
        f"\nAlso in this store: profile {other.profile} on {other.pack}, sensor {other.sensor}."
        for other in found
        if other != key and selection is None and form == "text"
    )
    shown = records if include_stale else [r for r in records if r.id not in old] or records
    protocol = "" if form == "csv" else _protocol(shown, width)
    return _render(table, form, width) + protocol + others


def _protocol(records: Sequence[Record], width: int) -> str:
    """The protocol card of a group of records, from the settings that they carry."""
    used: dict[str, Any] = {}
    for record in records:
        used |= record.settings
    lines = [
        textwrap.fill(line, max(40, width - 1), initial_indent="- ", subsequent_indent="  ")
        for line in card(used)
    ]
    return "\nProtocol:\n\n" + "\n".join(lines) + "\n"


def _render(table: Table, form: str, width: int) -> str:
    if form == "markdown":
        return render.to_markdown(table)
    return render.to_csv(table) if form == "csv" else render.text(table, width)


def _choose(
    found: dict[GroupKey, list[Record]],
    *,
    profile: str | None,
    pack: str | None,
    sensor: str | None,
) -> GroupKey:
    profile = Path(profile).stem if profile and profile.endswith((".yaml", ".yml")) else profile
    pack = _pack_name(pack) if pack else None
    fitting = [
        key
        for key in found
        if (profile is None or key.profile == profile)
        and (pack is None or key.pack == pack)
        and (sensor is None or key.sensor == sensor)
    ]
    if fitting:
        return max(fitting, key=lambda key: _latest(found[key]))
    if not found:
        raise UsageError("This store holds no results yet; fill it with `bench run`.")
    there = "; ".join(f"--profile {k.profile!r} --data {k.pack} --sensor {k.sensor}" for k in found)
    raise UsageError(f"This store holds no such results; it has: {there}.")


def _pack_name(pack: str) -> str:
    """The name of a pack that is given by name or by folder."""
    if not (Path(pack) / "pack.yaml").exists():
        return pack
    from vtbench.tasks.data.pack import Pack

    return Pack.open(pack).name


def _latest(records: Sequence[Record]) -> str:
    return max(str(record.provenance.get("finished", "")) for record in records)


def _stale(key: GroupKey, records: Sequence[Record], selection: Session | None) -> dict[str, str]:
    """Why records are stale, by id, judged by the run's or by today's settings and data."""
    methods, tasks = registry.methods(), registry.tasks()
    if selection is not None:
        settings = selection.profile.settings
        return stale(records, methods, tasks, settings=settings, pack=selection.pack)
    settings = _settings_of(key.profile, records)
    pack = _pack_of(key, settings) if settings is not None else None
    return stale(records, methods, tasks, settings=settings, pack=pack)


def _settings_of(profile: str, records: Sequence[Record]) -> Settings | None:
    """Today's settings of a profile named in records; None for a user's own file."""
    name, *overrides = profile.split(", ")
    if name not in profile_names():
        return None
    used = {r.settings["encoder"]["precision"] for r in records if "encoder" in r.settings}
    try:
        return load_profile(name, overrides).settings.with_precision(min(used, default="32"))
    except UsageError:
        return None  # an override that no longer exists


def _pack_of(key: GroupKey, settings: Settings) -> Pack | None:
    """The pack of a group, where it is one made on demand and is there."""
    from vtbench.tasks.data.pack import Pack

    known = registry.datasets()
    if key.pack not in known:
        return None
    source = packs.locate(key.pack, settings, known)
    return Pack.open(source.folder) if source.ready else None


def _rows(records: Sequence[Record], selection: Session | None) -> list[RowSpec]:
    """The rows of a run, or all rows of the records, in the order of `--methods all`."""
    if selection is not None:
        return [RowSpec(str(row.spec), row.title, row.role) for row in selection.rows]
    presets = {name: str(Spec.parse(spec)) for name, (spec, _) in PRESETS.items()}
    order = [presets.get(name, name) for name in all_names(registry.methods())]
    rows = {r.method: RowSpec(r.method, r.method_title, r.role) for r in records}
    return sorted(rows.values(), key=lambda row: _rank(order, row.spec))


def _rank(order: Sequence[str], spec: str) -> tuple[float, str]:
    """A spec with settings follows its method."""
    name = spec if spec in order else spec.partition(":")[0]
    return (order.index(name) if name in order else len(order), spec)


def _tasks(records: Sequence[Record], selection: Session | None) -> list[TaskColumns]:
    titles = {record.task: record.task_title for record in records}
    order = [*registry.tasks()]
    names = selection.tasks if selection is not None else sorted(
        titles, key=lambda name: _rank(order, name)
    )  # fmt: skip
    return [TaskColumns(name, titles.get(name, name)) for name in names]


# ------------------------------------------------------------------------------------ status


def overview(store: Store) -> str:
    """The store in numbers, a paragraph for each group of results."""
    records = store.records()
    paragraphs = [_group_lines(key, found) for key, found in groups(records).items()]
    rest = [*_in_progress(store), *_failures(records), *_damaged(store)]
    return "\n".join([f"Store {store.root}", *paragraphs, *rest])


def _group_lines(key: GroupKey, records: Sequence[Record]) -> str:
    old = _stale(key, records, None)
    status = Counter(record.status for record in records if record.id not in old)
    rows, tasks, seeds = (len({getattr(r, n) for r in records}) for n in ("method", "task", "seed"))
    return (
        f"  {key.source} data {key.pack}, sensor {key.sensor}, profile {key.profile}\n"
        f"    {rows} rows, {tasks} tasks, {seeds} seeds: {status['done']} cells done, "
        f"{status['failed']} failed, {len(old)} stale"
    )


def _in_progress(store: Store) -> list[str]:
    folders = (store.root / "encoders").glob("*/checkpoint.pt")
    count = sum(1 for _ in folders)
    return [f"{count} trainings have begun and will be continued by `bench run`."] if count else []


def _failures(records: Sequence[Record]) -> list[str]:
    return [
        f"failed: {r.method_title} on {r.task}, seed {r.seed}: {r.error}"
        for r in records
        if r.status == "failed"
    ]


def _damaged(store: Store) -> list[str]:
    return [f"set aside: {path} ({reason})" for path, reason in store.damaged()]
