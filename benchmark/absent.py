"""Results of plugins that are not installed here: they are shown, and it is said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from vtbench.benchmark import registry
from vtbench.benchmark.registry import CONTROL_NAMES
from vtbench.benchmark.spec import Spec

if TYPE_CHECKING:
    from vtbench.results.record import Record
    from vtbench.results.tables import RowSpec


def absent_methods(specs: Iterable[str]) -> list[str]:
    """The names of the methods of specs that are not installed here, in order."""
    known = registry.methods()
    names = {Spec.parse(spec).name for spec in specs}
    return sorted(name for name in names if name not in known and name not in CONTROL_NAMES)


def absent_notes(
    records: Sequence[Record], rows: Sequence[RowSpec] | None, stale: Mapping[str, str]
) -> list[str]:
    """One sentence for the methods and one for the tasks of a table that nobody offers here.

    rows: those of the table; None where all records have one. stale: {record id: why}. A pack may
    ask a task that no class stands for; one that a class stood for is known by its code.
    """
    tasks = registry.tasks()
    shown = {record.method for record in records}
    if rows is not None:
        shown &= {row.spec for row in rows}
    gone = absent_methods(shown)
    asked = {r.task for r in records if r.task not in tasks and "task code" in stale.get(r.id, "")}
    notes = []
    if gone:
        notes.append(
            f"Not installed here: the method {', '.join(gone)}; what is shown was found "
            "when it was, and cannot be held against its code."
        )
    if asked:
        notes.append(
            f"No class here stands for the task {', '.join(sorted(asked))}, or another one than "
            "before; if a plugin offered it, install that again to see its results."
        )
    return notes
