"""`bench show`: finding one cell, and all that its number rests on, as text."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vtbench.benchmark.again import command_for
from vtbench.benchmark.errors import UsageError, suggestion
from vtbench.benchmark.spec import Spec
from vtbench.benchmark.tabling import stale_records
from vtbench.methods import PRESETS
from vtbench.results.folder import file_name
from vtbench.results.marks import printable
from vtbench.results.report import facts
from vtbench.results.report.curves import LOG
from vtbench.results.selection import group_key

if TYPE_CHECKING:
    from vtbench.results.record import Record
    from vtbench.results.report.model import Facts
    from vtbench.results.store import Store

MOST_CANDIDATES = 20


# ------------------------------------------------------------------------------- which cell


def find(records: Sequence[Record], words: Sequence[str]) -> Record:
    """The one record meant by an id's first letters, or by a method, a task and maybe a seed.

    Raises UsageError that lists the candidates where there are several, and the nearest where
    there is none.
    """
    if not records:
        raise UsageError("This store holds no cells yet; fill it with `bench run`.")
    if len(words) > 3:
        raise UsageError("Name one cell: the start of its id, or METHOD TASK and maybe SEED.")
    found = [r for r in records if r.id.startswith(words[0].lower())] if len(words) == 1 else []
    found = found or _named(records, words)
    if len(found) == 1:
        return found[0]
    shown = [f"  {_line(record)}" for record in found[:MOST_CANDIDATES]]
    left = len(found) - len(shown)
    more = [f"  and {left} more"] if left else []
    listed = "\n".join([*shown, *more])
    raise UsageError(
        f"{' '.join(words)} may be one of {len(found)} cells; name one by its id:\n{listed}"
    )


def _named(records: Sequence[Record], words: Sequence[str]) -> list[Record]:
    method = _canonical(words[0])
    found = [r for r in records if method in (r.method, r.method_title.casefold())]
    if not found:
        names = {r.method for r in records} | (
            {r.id for r in records} if len(words) == 1 else set()
        )
        raise UsageError(
            f"There is no cell or method {words[0]!r} in this store"
            f"{suggestion(words[0], sorted(names))}."
        )
    for word, of in zip(words[1:], (_task, _seed), strict=False):
        known = {of(record) for record in found}
        found = [record for record in found if of(record) == word]
        if not found:
            kind = "task" if of is _task else "seed"
            raise UsageError(
                f"{words[0]} has no {kind} {word!r} in this store{suggestion(word, sorted(known))}."
            )
    return found


def _canonical(word: str) -> str:
    """A spec as records spell it; what is none stays as it is, and may be a title."""
    try:
        return str(Spec.parse(PRESETS[word][0] if word in PRESETS else word))
    except UsageError:
        return word.casefold()


def _task(record: Record) -> str:
    return record.task


def _seed(record: Record) -> str:
    return str(record.seed)


def _line(record: Record) -> str:
    return printable(
        f"{record.id}  {record.method} on {record.task}, seed {record.seed}, {record.protocol}, "
        f"{record.sensor}, profile {record.profile}: {facts.headline(record)}"
    )


# ------------------------------------------------------------------------------- what it rests on


def trace(store: Store, record: Record, records: Sequence[Record], *, width: int = 80) -> str:
    """All that is known of a record, in groups; `records` are all those of the store."""
    key = group_key(record)
    stale = stale_records(key, [r for r in records if group_key(r) == key]).get(record.id)
    title = f"{record.method_title} on {record.task_title}, seed {record.seed}"
    parts = [
        f"{printable(title)}: {facts.headline(record)}",
        _standing(record, stale),
        *(printable(note) for note in record.notes),
        *(_block(name, pairs, width) for name, pairs in _groups(store, record)),
        f"Make it again:\n  {command_for(record, again=stale is None and record.done)}",
    ]
    if record.provenance.get("traceback"):
        parts.append(f"What went wrong:\n{textwrap.indent(_traceback(record), '  ')}")
    return "\n\n".join(parts)


def _standing(record: Record, stale: str | None) -> str:
    if stale:
        return f"STALE: {stale}. Tables leave it out."
    if not record.done:
        return "FAILED; `bench run` tries it again."
    return "Current: code, settings and data are still those it was made with."


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
    identity = (record.training or {}).get("id")
    if identity:
        folder = store.encoder_dir(str(identity))
        places += [("encoder", folder / "encoder.safetensors"), ("training log", folder / LOG)]
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
