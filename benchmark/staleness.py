"""Which stored results no longer match the code, settings or data they were made with, and why.

A stale result is never reused and never deleted: tables leave it out and say so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vtbench.benchmark.errors import RegistryError, UsageError
from vtbench.benchmark.identity import code_of, settings_of
from vtbench.benchmark.registry import Registry
from vtbench.benchmark.rows import CONTROLS, Row
from vtbench.benchmark.settings import load_profile, profile_names
from vtbench.benchmark.spec import Spec

if TYPE_CHECKING:
    from vtbench.results.record import Record

#: From (dataset, sensor) to the fingerprint of today's images and labels; None: no longer there.
DataFingerprint = Callable[[str, str], str | None]


def stale(
    records: Sequence[Record],
    methods: Registry,
    tasks: Registry,
    data: DataFingerprint | None = None,
) -> dict[str, str]:
    """{record id: why it is stale} for the records that are.

    `data` is given when the pack the records were made with can be looked at.
    """
    found = {}
    for record in records:
        reasons = list(_reasons(record, methods, tasks, data))
        if reasons:
            found[record.id] = " and ".join(reasons) + " changed"
    return found


def _reasons(
    record: Record, methods: Registry, tasks: Registry, data: DataFingerprint | None
) -> Sequence[str]:
    row = _row(record)
    reasons = []
    try:
        code = code_of(row, record.task, methods, tasks)
    except RegistryError:
        code = {}  # the method is not installed here; its result stands
    reasons += [
        f"the {part} code" for part, value in code.items() if record.code.get(part) != value
    ]
    settings = _current_settings(record.profile, row)
    if settings is not None and settings != record.settings:
        reasons.append("the profile's settings")
    if data is not None:
        fingerprint = data(record.data["dataset"], record.sensor)
        if fingerprint is not None and fingerprint != record.data["fingerprint"]:
            reasons.append("the data")
    return reasons


def _row(record: Record) -> Row:
    spec = Spec.parse(record.method)
    return CONTROLS.get(spec.name) or Row(spec, record.method_title, record.role, "pretrain")  # type: ignore[arg-type]


def _current_settings(profile: str, row: Row) -> Mapping[str, Any] | None:
    """Today's settings of a profile named in a record; None for a user's own file."""
    name, *overrides = profile.split(", ")
    if name not in profile_names():
        return None
    try:
        return settings_of(row, load_profile(name, overrides).settings)
    except UsageError:
        return {}  # an override that no longer exists


def data_fingerprint(folder: Path) -> DataFingerprint:
    """Today's fingerprints of the pack in a folder."""
    from vtbench.tasks.data.pack import Pack

    pack = Pack.open(folder)

    def fingerprint(dataset: str, sensor: str) -> str | None:
        if dataset not in pack.datasets or sensor not in pack.sensors:
            return None
        return pack.fingerprint(dataset, sensor)

    return fingerprint
