"""What the store and a plan look like, in words and tables for the terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from math import isnan
from typing import TYPE_CHECKING

from vtbench.benchmark import slurm
from vtbench.benchmark.console import bytes_text, duration_text
from vtbench.benchmark.errors import UsageError
from vtbench.benchmark.packs import images_to_make
from vtbench.benchmark.protocols import TRANSFER
from vtbench.benchmark.same_settings import profile_name
from vtbench.benchmark.settings import load_profile, profile_parts
from vtbench.benchmark.staleness import stale_records, uncompared
from vtbench.results.contradiction import contradictions
from vtbench.results.selection import GroupKey, group_key, groups
from vtbench.results.store import UNREADABLE

if TYPE_CHECKING:
    from vtbench.benchmark.planning import RunPlan
    from vtbench.benchmark.session import Session
    from vtbench.results.quarantine import Damage
    from vtbench.results.record import Record
    from vtbench.results.store import Store


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
        _work_line(plan),
        f"On {workers.device}: {workers.jobs} at a time, {workers.threads} thread(s) each. "
        f"About {duration_text(cost.seconds)} ({basis}) and {bytes_text(cost.bytes)} of disk.",
        _image_line(session),
    ]
    if jobs_too:
        lines += [f"  {job.title}: {', '.join(cell.task for cell in job.cells)}" for job in missing]
    return lines


def plan_without_data(session: Session) -> str:
    """What can be said of a plan whose simulated data is not rendered yet."""
    images = images_to_make(session.profile.settings, session.to_make)
    names = " and ".join(source.name for source in session.to_make)
    rows, seeds = len(session.rows), session.seeds
    tasks = len(session.tasks) * len(session.protocols) + len(session.transfer)
    cells = sum(len(job.cells) for job in session.rough_jobs())
    cost = session.rough_estimate()
    return (
        f"{names}: not on this machine yet; {images} would be "
        f"rendered first, then all {cells} cells ({rows} rows, {tasks} questions, "
        f"{seeds} seeds) would run.\n"
        f"About {duration_text(cost.seconds)} (a rough guess) and {bytes_text(cost.bytes)} of disk."
    )


def _cell_line(session: Session, plan: RunPlan, records: Sequence[Record]) -> str:
    planned = {cell.id for cell in plan.cells}
    mine = GroupKey(session.pack.name, session.pack.source, session.profile.name, session.sensor)
    same = [r for r in records if r.id not in planned and group_key(r) == mine]
    asked = {
        (str(job.row.spec), job.seed, cell.protocol, cell.task)
        for job in plan.jobs
        for cell in job.cells
    }
    outdated = sum((r.method, r.seed, r.protocol, r.task) in asked for r in same)
    again = f", {len(plan.failed)} failed before and are tried again" if plan.failed else ""
    old = f"; {outdated} stale results stay aside" if outdated else ""
    left = len(plan.cells) - len(plan.done)
    return f"{len(plan.cells)} cells: {len(plan.done)} cached, {left} to do{again}{old}"


def _image_line(session: Session) -> str:
    """Where the images of a training are kept, the limit of that, and what is resized."""
    place, side = session.images, session.profile.settings.data.stored_size
    device = "in RAM" if session.workers.device == "cpu" else "on the GPU"
    limit = "" if isnan(place.limit) else f" (resident up to {bytes_text(place.limit)})"
    where = {
        "resident": f"resident {device}{limit}",
        "streamed": f"streamed from disk{limit}",
        "auto": "resident where they fit, else streamed from disk",
    }[place.choice]
    found = (session.pack.dataset(name, session.sensor) for name in session.pack.datasets)
    resized = any(dataset.images.shape[1:3] != (side, side) for dataset in found)
    once = f"; resized to {side} pixels once, into the cache folder" if resized else ""
    return f"Images of a training: {bytes_text(place.size)}, {where}{once}."


def _work_line(plan: RunPlan) -> str:
    """What is trained and what is asked, and how much of that of encoders that are there."""
    jobs = plan.missing
    trained = Counter(job.row.route for job in jobs if job.id not in plan.kept)
    asked = Counter(
        ("transfers" if cell.protocol == TRANSFER else "probes", job.id in plan.kept)
        for job in jobs
        if job.row.route != "supervised"
        for cell in job.cells
    )
    parts = [
        f"{trained['pretrain']} pre-trainings",
        f"{trained['supervised']} supervised trainings",
        f"{asked['probes', False]} probes",
        *(
            f"{asked[what, kept]} {what}{' of stored encoders' if kept else ''}"
            for what, kept in (("probes", True), ("transfers", False), ("transfers", True))
            if asked[what, kept]
        ),
    ]
    return f"To do: {', '.join(parts)}"


# ------------------------------------------------------------------------------------ status


def overview(store: Store, given: str | None = None) -> str:
    """The store in numbers, a paragraph for each group of results.

    given: the file of a user's own profile, which its results are compared with. Raises UsageError
    where the store has none of it.
    """
    records, damaged = store.survey()
    found_groups = groups(records)
    profiles = [key.profile for key in found_groups]
    if given is not None:
        _check_given(given, profiles)
    old: dict[str, str] = {}
    paragraphs = []
    for key, found in found_groups.items():
        old |= stale_records(key, found, given=given)
        paragraphs.append(_group_lines(key, found, old))
    rest = [*_in_progress(store), *_failures(records, old), *_set_aside(store, damaged)]
    rest += [*_doubted(store, records), *uncompared(profiles, given)]
    return "\n".join([f"Store {store.root}", *paragraphs, *rest])


def _check_given(given: str, profiles: Sequence[str]) -> None:
    """Raise UsageError for a profile that is unreadable, or that nothing here was made with."""
    load_profile(given)
    known = {profile_parts(profile)[0] for profile in profiles}
    if profile_name(given) not in known:
        raise UsageError(
            f"This store holds no results of the profile {profile_name(given)!r}; it has those of "
            f"{', '.join(sorted(known)) or 'none'}."
        )


def _group_lines(key: GroupKey, records: Sequence[Record], old: Mapping[str, str]) -> str:
    status = Counter(record.status for record in records if record.id not in old)
    rows, tasks, seeds = (len({getattr(r, n) for r in records}) for n in ("method", "task", "seed"))
    return (
        f"  {key.source} data {key.pack}, sensor {key.sensor}, profile {key.profile}\n"
        f"    {rows} rows, {tasks} tasks, {seeds} seeds: {status['done']} cells done, "
        f"{status['failed']} failed, {sum(r.id in old for r in records)} stale"
    )


def _in_progress(store: Store) -> list[str]:
    found = (store.root / "encoders").glob("*/checkpoint.pt")
    count = sum(UNREADABLE not in path.parent.name for path in found)
    begun = f"{count} trainings have begun and will be continued by `bench run`."
    return [*([begun] if count else []), *slurm.in_progress(store.root)]


def _failures(records: Sequence[Record], old: Mapping[str, str]) -> list[str]:
    """What fails as things are, in full; how much failed of what was replaced since."""
    failed = [record for record in records if record.status == "failed"]
    gone = sum(record.id in old for record in failed)
    stale = f"stale: {gone} failed of code, settings or data that have been changed since"
    return [
        f"failed: {r.method_title} on {r.task}, seed {r.seed}: {r.error}"
        for r in failed
        if r.id not in old
    ] + ([stale] if gone else [])


def _set_aside(store: Store, damaged: Sequence[Damage]) -> list[str]:
    aside = [*damaged, *store.unreadable()]
    lines = [f"{damage.fate}: {damage.path} ({damage.why})" for damage in aside]
    return lines + [f"damaged: {damage.path} ({damage.why})" for damage in store.damaged_logs()]


def _doubted(store: Store, records: Sequence[Record]) -> list[str]:
    return [
        f"not believed: {sentence}"
        for sentence in contradictions(records, store.sample_scores).values()
    ]
