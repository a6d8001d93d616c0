"""Which records a table may hold together, and which of them stand for each cell."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set
from dataclasses import dataclass
from typing import NamedTuple

from vtbench.results.errors import ResultsError
from vtbench.results.record import Record


class GroupKey(NamedTuple):
    """What all records of one table share: what the encoders were trained on, and how.

    `source` is "real" or "simulated".
    """

    pack: str
    source: str
    profile: str
    sensor: str


@dataclass(frozen=True, kw_only=True)
class Runs:
    """The records of one method on one task, at most one per seed.

    left_out: stale records that were not used.  superseded: older ones of the same seeds.
    """

    done: tuple[Record, ...] = ()
    failed: tuple[Record, ...] = ()
    uses_stale: bool = False
    left_out: int = 0
    superseded: int = 0


def group_key(record: Record) -> GroupKey:
    """The group that `record` belongs to."""
    origin = record.trained_on or record.data
    return GroupKey(origin["pack"], origin["source"], record.profile, record.sensor)


def groups(records: Iterable[Record]) -> dict[GroupKey, list[Record]]:
    """The records that may share a table, by group, groups in alphabetical order."""
    found: dict[GroupKey, list[Record]] = {}
    for record in records:
        found.setdefault(group_key(record), []).append(record)
    return dict(sorted(found.items()))


def only_group(records: Iterable[Record], *, across_sensors: bool = False) -> GroupKey:
    """The one group of all records; raises `ResultsError` if there are several or none.

    With `across_sensors` the groups may differ in pack and sensor; all of them are then named.
    """
    keys = sorted({group_key(record) for record in records})
    if not keys:
        raise ResultsError("there are no records to tabulate: run `bench run` first")
    if across_sensors and len({(key.source, key.profile) for key in keys}) == 1:
        packs, sensors = ({key.pack: 0 for key in keys}, {key.sensor: 0 for key in keys})
        return keys[0]._replace(pack=", ".join(packs), sensor=", ".join(sensors))
    if len(keys) > 1:
        listed = "; ".join(", ".join(key) for key in keys)
        raise ResultsError(
            f"one table cannot mix data, profiles or sensors; make one table for each of: {listed}"
        )
    return keys[0]


def select(
    records: Iterable[Record],
    *,
    stale: Set[str],
    include_stale: bool,
    row_of: Callable[[Record], str],
) -> dict[tuple[str, str], Runs]:
    """The runs of every (row, task); `row_of` is the row that a record belongs to.

    Of several records of one seed the one finished last stands; a stale record stands only where
    `include_stale` asks for it and the seed has no other.
    """
    cells: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        cells.setdefault((row_of(record), record.task), []).append(record)
    return {key: _runs(found, stale, include_stale) for key, found in cells.items()}


def _runs(records: list[Record], stale: Set[str], include_stale: bool) -> Runs:
    current = [record for record in records if record.id not in stale]
    old = [record for record in records if record.id in stale]
    newest = _newest(current)
    fallback = _newest(old) if include_stale else {}
    used = [record for _, record in sorted({**fallback, **newest}.items())]
    return Runs(
        done=tuple(record for record in used if record.done),
        failed=tuple(record for record in used if not record.done),
        uses_stale=any(record.id in stale for record in used),
        left_out=sum(record not in used for record in old),
        superseded=len(current) - len(newest),
    )


def _newest(records: list[Record]) -> dict[int, Record]:
    """The record of each seed that was finished last; ids decide where the time is not known."""
    order = sorted(records, key=lambda r: (str(r.provenance.get("finished", "")), r.id))
    return {record.seed: record for record in order}
