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

from vtbench.benchmark import registry
from vtbench.benchmark.staleness import packs_of, profile_settings, stale

if TYPE_CHECKING:
    from vtbench.benchmark.settings import Settings
    from vtbench.results.record import Record
    from vtbench.tasks.data.pack import Pack

#: Those of `Settings` that records carry; of `data` they carry one field.
SECTIONS = ("encoder", "pretrain", "probe", "tuned", "knn", "transfer", "supervised")


class Renamed(NamedTuple):
    """Records under the name of one profile, and the names that those of others had, by id."""

    records: list[Record]
    former: dict[str, str]


def under(
    records: Sequence[Record],
    name: str,
    settings: Settings | None,
    *,
    given: str | None = None,
    packs: Mapping[str, Pack] | None = None,
) -> Renamed:
    """All records; those of other profiles that `name` would make likewise are called by it.

    settings: of that profile; where None they are read from its file (`given` may be one), and
    else taken from its newest records. packs: the data by name, where it is at hand. Where data and
    settings are, a record is taken only if its cell would have the same identity; else its images
    must be those of the profile's own records.
    """
    own = [record for record in records if record.profile == name]
    settings = settings or profile_settings(name, own or records, given)
    used = _sections(own, settings)
    others = [r for r in records if r.profile != name and _made_by(r, used)]
    if settings is None:
        same = [record for record in others if _on_images_of(record, own, sure=False)]
    else:
        same = _identical(others, own, settings, packs)
    former = {record.id: record.profile for record in same}
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


def _sections(own: Sequence[Record], settings: Settings | None) -> dict[str, Any]:
    """The settings of a profile as records carry them: today's, or those of its newest records."""
    if settings is not None:
        stored_size = {"data": {"stored_size": settings.data.stored_size}}
        return json.loads(json.dumps(stored_size | settings.identity(*SECTIONS)))
    used: dict[str, Any] = {}
    for record in sorted(own, key=lambda record: str(record.provenance.get("finished"))):
        used |= record.settings
    return used


def _made_by(record: Record, used: Mapping[str, Any]) -> bool:
    return all(used.get(section) == values for section, values in record.settings.items())


def _identical(
    others: Sequence[Record],
    own: Sequence[Record],
    settings: Settings,
    packs: Mapping[str, Pack] | None,
) -> list[Record]:
    """Those of others that today's code, settings and data would make, under the same identity."""
    known = registry.datasets()
    at_hand = packs_of(others, settings) if packs is None else packs
    old = stale(others, registry.methods(), registry.tasks(), settings=settings, packs=at_hand)
    return [
        record
        for record in others
        if record.id not in old
        and (
            all(name in at_hand for name in _packs_behind(record))
            or (
                known.keys().isdisjoint(_packs_behind(record))
                and _on_images_of(record, own, sure=True)
            )
        )
    ]


def _on_images_of(record: Record, own: Sequence[Record], *, sure: bool) -> bool:
    """Whether a record was asked about, and trained on, the images of a profile's own records.

    sure: the answer where those tell nothing of a task or of a training.
    """
    asked = {r.data["fingerprint"] for r in own if _asked(r) == _asked(record)}
    if record.data["fingerprint"] not in asked and (asked or not sure):
        return False
    trained = {images for r in own if (images := _trained_on(r)) is not None}
    images = _trained_on(record)
    return images is None or images in trained or (sure and not trained)


def _asked(record: Record) -> tuple[str, str]:
    return record.data["pack"], record.task


def _trained_on(record: Record) -> int | None:
    """How many images an encoder was trained on; None where it was not trained here."""
    return (record.training or {}).get("images")


def _packs_behind(record: Record) -> set[str]:
    """The names of the packs that a record was asked about and trained on."""
    return {record.data["pack"], (record.trained_on or record.data)["pack"]}
