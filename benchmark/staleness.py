"""Which stored results no longer match the code, settings or data they were made with, and why.

A stale result is never reused and never deleted: tables leave it out and say so.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vtbench.benchmark import packs, registry
from vtbench.benchmark.errors import RegistryError, UnknownName, UsageError
from vtbench.benchmark.identity import code_of, settings_of
from vtbench.benchmark.planning import CellMaker, Question
from vtbench.benchmark.registry import Registry
from vtbench.benchmark.rows import CONTROLS, EXTERNAL, Row
from vtbench.benchmark.settings import load_profile, profile_names, profile_parts
from vtbench.benchmark.spec import Spec
from vtbench.tasks.data.schema import SPLITS
from vtbench.tasks.errors import DataError

if TYPE_CHECKING:
    from vtbench.benchmark.session import Session
    from vtbench.benchmark.settings import Settings
    from vtbench.results.record import Record
    from vtbench.results.selection import GroupKey
    from vtbench.tasks.data.pack import Pack


def stale(
    records: Sequence[Record],
    methods: Registry,
    tasks: Registry,
    *,
    settings: Settings | None = None,
    packs: Mapping[str, Pack] | None = None,
) -> dict[str, str]:
    """{record id: why it is stale} for the records of one group that are.

    `settings` are today's of the group's profile, `packs` is the data by name; where they are not
    at hand (a file of the user's, a pack in a folder), those of the newest records stand for them.
    """
    judge = _Judge(records, methods, tasks, settings, packs or {})
    reasons = {record.id: " and ".join(judge.reasons(record)) for record in records}
    return {key: f"{reason} changed" for key, reason in reasons.items() if reason}


def stale_records(
    key: GroupKey,
    records: Sequence[Record],
    selection: Session | None = None,
    *,
    settings: Settings | None = None,
    given: str | None = None,
) -> dict[str, str]:
    """{record id: why it is stale} in a group, judged by the run's or by today's settings.

    settings: of the group's profile, where they are at hand; else as in `profile_settings`.
    """
    methods, tasks = registry.methods(), registry.tasks()
    if selection is not None:
        settings = selection.profile.settings
        return stale(records, methods, tasks, settings=settings, packs=selection.packs)
    settings = settings or profile_settings(key.profile, records, given)
    known = packs_of(records, settings) if settings is not None else {}
    return stale(records, methods, tasks, settings=settings, packs=known)


def profile_settings(
    profile: str, records: Sequence[Record], given: str | None = None
) -> Settings | None:
    """Today's settings of a profile named in records; None for a user's own file.

    `given` is what was asked for; where it is that file, it is read. Raises SettingsError where it
    cannot be.
    """
    name, *overrides = profile_parts(profile)
    if given is not None and Path(given).stem == name and Path(given).is_file():
        load_profile(given)
        name = given
    elif name not in profile_names():
        return None
    used = {r.settings["encoder"]["precision"] for r in records if "encoder" in r.settings}
    try:
        return load_profile(name, overrides).settings.with_precision(min(used, default="32"))
    except UsageError:
        return None  # an override that no longer exists


def uncompared(profiles: Iterable[str], given: str | None = None) -> list[str]:
    """A sentence on the profiles named in records whose settings are not at hand to judge them by.

    given: as in `profile_settings`.
    """
    unknown = sorted({p for p in profiles if profile_settings(p, (), given) is None})
    files = [name for name in unknown if profile_parts(name)[0] not in profile_names()]
    notes = []
    if files:
        names = dict.fromkeys(repr(profile_parts(name)[0]) for name in files)
        notes.append(
            f"The profile file of {' and '.join(names)} is not at hand, so settings were not "
            "compared; --profile FILE compares them."
        )
    return notes + [
        f"The profile {name!r} sets what no setting is any more, so settings were not compared."
        for name in unknown
        if name not in files
    ]


def packs_of(records: Sequence[Record], settings: Settings) -> dict[str, Pack]:
    """The packs of records by name, where they are made on demand and are there."""
    from vtbench.tasks.data.pack import Pack

    known = registry.datasets()
    offered = registry.offers(known)
    names = {r.data["pack"] for r in records} | {(r.trained_on or r.data)["pack"] for r in records}
    found = {}
    for name in sorted(names & offered.keys()):
        with suppress(RegistryError, DataError):  # what it is made from is not here
            source = packs.locate(name, settings, known)
            if source.ready:
                found[source.name] = Pack.open(source.folder)
    return found


class _Judge:
    def __init__(
        self,
        records: Sequence[Record],
        methods: Registry,
        tasks: Registry,
        settings: Settings | None,
        packs: Mapping[str, Pack],
    ) -> None:
        self.methods, self.tasks, self.settings, self.packs = methods, tasks, settings, packs
        self.newest: dict[str, Any] = {}
        self.data: dict[tuple[str, str], str] = {}
        for record in sorted(records, key=lambda record: str(record.provenance.get("finished"))):
            self.newest |= record.settings
            self.data[_asked(record)] = record.data["fingerprint"]

    def reasons(self, record: Record) -> list[str]:
        """What changed since a record was made, in words; nothing when it still holds."""
        row = _row(record)
        found = list(self._components(record, row))
        if not found and self._renamed(record, row):
            found.append("the data, its declaration or what it was trained on")
        return found

    def _components(self, record: Record, row: Row) -> Iterator[str]:
        for part, value in self._code(record, row).items():
            if record.code.get(part) != value:
                yield f"the {part} code"
        if self._wanted(record, row) != record.settings:
            yield "the profile's settings"
        known = record.data["pack"] in self.packs
        newest = self.data[_asked(record)] == record.data["fingerprint"]
        if not known and (not newest or self._counted_otherwise(record)):
            yield "the data"

    def _counted_otherwise(self, record: Record) -> bool:
        """Whether today's settings ask for more or fewer simulated images than a record saw."""
        name = record.data["pack"]
        if self.settings is None or record.data["source"] != "simulated" or name not in self.offers:
            return False
        own = self.offers[name].get("counts", {})
        own = own if isinstance(own, Mapping) else {}
        wanted = {**own, **self.settings.data.simulated.counts}.get(record.task)
        return wanted not in (None, sum(record.data.get(part, 0) for part in SPLITS))

    @cached_property
    def offers(self) -> dict[str, dict[str, Any]]:
        return registry.offers(registry.datasets())

    def _code(self, record: Record, row: Row) -> dict[str, str]:
        """Today's code of a record by component; where its method is not installed, of the rest."""
        if row.route == "pretrain" and row.spec.name not in self.methods:
            row = replace(row, route="untrained")
        try:
            return code_of(row, record.task, self.methods, self.tasks, record.protocol)
        except (RegistryError, UnknownName):
            return {}  # two packages claim a name; its result stands

    def _wanted(self, record: Record, row: Row) -> Any:
        """Today's settings of a record, as they are read back."""
        if self.settings is not None:
            return self._of_row(row, record.protocol)
        return _plain({section: self.newest[section] for section in record.settings})

    @cache  # noqa: B019 - a judge lives for one table, in which a row has many records
    def _of_row(self, row: Row, protocol: str) -> Any:
        assert self.settings is not None
        return _plain(settings_of(row, self.settings, protocol))

    def _renamed(self, record: Record, row: Row) -> bool:
        """Whether the cell would have another identity today; only where all is at hand."""
        home = self.packs.get((record.trained_on or record.data)["pack"])
        pack = self.packs.get(record.data["pack"])
        if home is None or pack is None or self.settings is None or record.task not in pack.tasks:
            return False
        if row.route == "pretrain" and row.spec.name not in self.methods:
            return False
        if record.status == "failed" and not record.code:
            return False
        sensor = record.sensor if pack is home else pack.sensors[0]
        question = Question(record.task, pack, sensor, record.protocol)
        jobs = self._maker(home, record.sensor).jobs(row, [question], record.seed)
        return jobs[0].cells[0].id != record.id

    @cache  # noqa: B019 - a judge lives for one table; the pool is fingerprinted once for it
    def _maker(self, home: Pack, sensor: str) -> CellMaker:
        return CellMaker(home, self.settings, sensor, self.methods, self.tasks)


def _plain(settings: Mapping[str, Any]) -> Any:
    """Settings as they are read back from a record: tuples are lists."""
    return json.loads(json.dumps(settings))


def _asked(record: Record) -> tuple[str, str]:
    return record.data["pack"], record.task


def _row(record: Record) -> Row:
    spec = Spec.parse(record.method)
    row = CONTROLS.get(spec.name)
    route = EXTERNAL if spec.name == EXTERNAL else "pretrain"
    return row or Row(spec, record.method_title, record.role, route)  # type: ignore[arg-type]
