"""Results that the store holds under another profile's name.

No identity has a profile's name in it: a control that no setting of the pre-training touches, or a
copy of a profile under another name, has its cells in the store already. `bench run` takes them for
done, and so must whatever shows a profile's results.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from vtbench.benchmark.staleness import profile_settings

if TYPE_CHECKING:
    from vtbench.benchmark.settings import Settings
    from vtbench.results.record import Record

#: Those of `Settings` that records carry; of `data` they carry one field.
SECTIONS = ("encoder", "pretrain", "probe", "tuned", "knn", "transfer", "supervised")


class Renamed(NamedTuple):
    """Records under the name of one profile, and the names that those of others had, by id."""

    records: list[Record]
    former: dict[str, str]


def under(
    records: Sequence[Record], name: str, settings: Settings | None, given: str | None = None
) -> Renamed:
    """All records; those of other profiles that `name` would make likewise are called by it.

    settings: of that profile; where None they are read from its file (`given` may be one), and
    else taken from its newest records.
    """
    used = _sections(records, name, settings, given)
    former = {r.id: r.profile for r in records if r.profile != name and _made_by(r, used)}
    shown = [replace(r, profile=name) if r.id in former else r for r in records]
    return Renamed(shown, former)


def profile_name(given: str) -> str:
    """The name that records bear of a profile given by name or by file."""
    return Path(given).stem if given.endswith((".yaml", ".yml")) else given


def renamed_note(records: Sequence[Record], former: Mapping[str, str]) -> list[str]:
    """A sentence on the rows of a table that were stored under another profile's name."""
    found: dict[str, set[str]] = {}
    for record in records:
        if record.id in former:
            found.setdefault(former[record.id], set()).add(record.method_title)
    return [
        f"Stored under the profile {profile!r}, whose settings are the same for it: "
        f"{', '.join(sorted(titles))}."
        for profile, titles in sorted(found.items())
    ]


def _sections(
    records: Sequence[Record], name: str, settings: Settings | None, given: str | None
) -> dict[str, Any]:
    own = [record for record in records if record.profile == name]
    settings = settings or profile_settings(name, own or records, given)
    if settings is not None:
        stored_size = {"data": {"stored_size": settings.data.stored_size}}
        return json.loads(json.dumps(stored_size | settings.identity(*SECTIONS)))
    used: dict[str, Any] = {}
    for record in sorted(own, key=lambda record: str(record.provenance.get("finished"))):
        used |= record.settings
    return used


def _made_by(record: Record, used: Mapping[str, Any]) -> bool:
    return all(used.get(section) == values for section, values in record.settings.items())
