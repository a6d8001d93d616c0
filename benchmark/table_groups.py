"""Which of a store's groups of results a table shows, where more than one fits the request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vtbench.benchmark.errors import UsageError
from vtbench.benchmark.protocols import LINEAR
from vtbench.benchmark.same_settings import profile_name, under
from vtbench.results.notes import PAPER_SENSOR
from vtbench.results.selection import GroupKey, groups

if TYPE_CHECKING:
    from vtbench.benchmark.session import Session
    from vtbench.benchmark.tabling import TableRequest
    from vtbench.results.record import Record


def grouped(
    records: Sequence[Record], request: TableRequest, selection: Session | None = None
) -> tuple[dict[GroupKey, list[Record]], dict[str, str]]:
    """The records by group, and by id the former profile of those that another one shares.

    The profile is that of the run, or the one asked for, or the one that `choose` would take.
    """
    found = groups(records)
    if selection is not None:
        profile = selection.profile
        renamed = under(records, profile.name, profile.settings, packs=selection.packs)
    elif request.profile is not None:
        name = profile_name(request.profile)
        renamed = under(records, name, request.settings, given=request.profile)
    elif found:
        renamed = under(records, choose(found, request).profile, None)
    else:
        return found, {}
    return groups(renamed.records), renamed.former


def choose(found: Mapping[GroupKey, list[Record]], request: TableRequest) -> GroupKey:
    """The group asked for; of several that fit, one of the newest profile.

    Of those the paper's sensor is preferred, then the group with most methods: after an ablation of
    sensors the newest results are of another sensor, and of one method.
    """
    profile = profile_name(request.profile) if request.profile else None
    pack = _pack_name(request.pack) if request.pack else None
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
            key=lambda key: _preference(key, found[key]),
        )
    if not found:
        raise UsageError(f"This store holds no results for {_what(request)}.")
    there = "; ".join(f"--profile {k.profile!r} --data {k.pack} --sensor {k.sensor}" for k in found)
    raise UsageError(f"This store holds no such results; it has: {there}.")


def _preference(key: GroupKey, records: Sequence[Record]) -> tuple[bool, int, str]:
    """What is larger for the group that stands for a store."""
    return key.sensor == PAPER_SENSOR, len({r.method for r in records}), _latest(records)


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
