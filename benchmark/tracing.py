"""`bench show`: all that the number of one cell rests on, as text."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vtbench.benchmark.absent import absent_methods
from vtbench.benchmark.again import command_for
from vtbench.benchmark.same_settings import profile_name
from vtbench.benchmark.staleness import profile_settings, stale_records, uncompared
from vtbench.results.folder import file_name
from vtbench.results.marks import printable
from vtbench.results.report import facts
from vtbench.results.report.curves import LOG
from vtbench.results.selection import group_key

if TYPE_CHECKING:
    from vtbench.results.record import Record
    from vtbench.results.report.model import Facts
    from vtbench.results.store import Store


def trace(
    store: Store,
    record: Record,
    records: Sequence[Record],
    *,
    given: str | None = None,
    width: int = 80,
) -> str:
    """All that is known of a record, in groups; `records` are all those of the store.

    given: the profile by which it was asked for; where it is a file, the record is held against it.
    """
    key = group_key(record)
    group = [r for r in records if group_key(r) == key]
    asked = profile_name(given) if given is not None else record.profile
    settings = profile_settings(asked, group, given)
    stale = stale_records(key, group, settings=settings).get(record.id)
    unsure = [] if settings is not None else uncompared([record.profile])
    title = f"{record.method_title} on {record.task_title}, seed {record.seed}"
    parts = [
        f"{printable(title)}: {facts.headline(record)}",
        " ".join([_standing(record, stale, compared=not unsure), *unsure]),
        *(printable(note) for note in record.notes),
        *(_block(name, pairs, width) for name, pairs in _groups(store, record)),
        f"Make it again:\n  {command_for(record, again=stale is None and record.done)}",
    ]
    if record.provenance.get("traceback"):
        parts.append(f"What went wrong:\n{textwrap.indent(_traceback(record), '  ')}")
    return "\n\n".join(parts)


def _standing(record: Record, stale: str | None, *, compared: bool) -> str:
    if stale:
        return f"STALE: {stale}. Tables leave it out."
    if not record.done:
        return "FAILED; `bench run` tries it again."
    for name in absent_methods([record.method]):
        return (
            f"The method {name} is not installed here: all but its code is still what it was made "
            "with."
        )
    what = "code, settings and data" if compared else "code and data"
    return f"Current: {what} are still those it was made with."


def _groups(store: Store, record: Record) -> list[tuple[str, Facts]]:
    cell = [
        ("id", record.id),
        ("method", f"{record.method} ({record.role})"),
        ("task", f"{record.task} ({record.task_kind}), protocol {record.protocol}"),
        ("profile", record.profile),
    ]
    command = record.provenance.get("command")
    made = [("command", str(command))] if command else []
    return [
        ("Cell", cell),
        *facts.groups(record),
        *([("Made by", made)] if made else []),
        ("Pre-training", facts.training(record)),
        ("Files", _files(store, record)),
    ]


def _files(store: Store, record: Record) -> Facts:
    """Where everything lies, and what is no longer there."""
    places = [("record", store.root / "cells" / file_name(record))]
    if record.predictions is not None:
        places.append(("predictions", store.root / record.predictions))
    if record.training and (identity := record.training.get("id")):
        folder = store.encoder_dir(str(identity))
        places.append(("encoder", folder / "encoder.safetensors"))
        if "steps" in record.training:  # trained here
            places.append(("training log", folder / LOG))
    return [(name, _place(path)) for name, path in places]


def _place(path: Path) -> str:
    return str(path) if path.exists() else f"{path} (not there)"


def _traceback(record: Record) -> str:
    lines = str(record.provenance["traceback"]).splitlines()
    return "\n".join("".join(c if c.isprintable() else " " for c in line) for line in lines)


def _block(title: str, pairs: Facts, width: int) -> str:
    """A group as lines `name  value`, values below each other."""
    if not pairs:
        return f"{title}:\n  nothing"
    edge = min(max(len(name) for name, _ in pairs), 30)
    lines = [title + ":"]
    for name, value in pairs:
        lines += textwrap.wrap(
            f"{printable(name):{edge}}  {printable(value)}",
            max(width, edge + 30),
            initial_indent="  ",
            subsequent_indent=" " * (edge + 4),
            break_long_words=False,
            break_on_hyphens=False,
        )
    return "\n".join(lines)
