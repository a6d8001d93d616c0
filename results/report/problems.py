"""Which cells of a table are no good numbers, and why: missing, failed, stale, partial, single."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vtbench.results.cells import Cell
from vtbench.results.report.model import Problem
from vtbench.results.tables import Table

#: What the words mean, for the legend of a page.
KINDS = {
    "failed": "the cell ended with an error",
    "stale": "made by other code, settings or data than today's; left out of every mean",
    "missing": "never run",
    "partial": "fewer seeds than elsewhere in the table",
    "single": "one seed: it says nothing of how much seeds vary",
}


def problems(
    table: Table, name: str, *, stale: Mapping[tuple[str, str], str], fix: str
) -> list[Problem]:
    """What is wrong in a table, cells of one kind and reason together.

    `stale` says why, by (row, task); `fix` is the command that fills what is missing.
    """
    found: dict[tuple[str, str], dict[str, list[str]]] = {}
    for row in table.rows:
        for cell, column in zip(row.cells, table.columns, strict=True):
            for kind, reason in _kinds(cell, stale.get((row.spec, column.task), "")):
                tasks = found.setdefault((kind, reason), {}).setdefault(row.title, [])
                if column.task_title not in tasks:
                    tasks.append(column.task_title)
    order = [*KINDS]
    return [
        Problem(
            kind=kind,
            where=name,
            cells=_named(rows, table),
            reason=reason,
            fix="" if kind == "single" else fix,
        )
        for (kind, reason), rows in sorted(found.items(), key=lambda item: order.index(item[0][0]))
    ]


def _kinds(cell: Cell, why: str) -> list[tuple[str, str]]:
    kinds = []
    if cell.status == "failed" or cell.reason:
        kinds.append(("failed", cell.reason or ""))
    if cell.status == "stale":
        kinds.append(("stale", why))
    if cell.status == "missing":
        kinds.append(("missing", ""))
    if cell.status == "partial":
        word = "seed" if cell.single else "seeds"
        kinds.append(("partial", f"{word} {', '.join(map(str, cell.seeds))} alone"))
    elif cell.single:
        kinds.append(("single", f"seed {cell.seeds[0]}"))
    return kinds


def _named(rows: Mapping[str, Sequence[str]], table: Table) -> str:
    """Rows and tasks in words; what is true of all rows or of all tasks is said once."""
    every = list(dict.fromkeys(column.task_title for column in table.columns))
    if len(rows) == len(table.rows) and all(len(tasks) == len(every) for tasks in rows.values()):
        return "every cell"
    alike: dict[tuple[str, ...], list[str]] = {}
    for title, tasks in rows.items():
        alike.setdefault(tuple(tasks), []).append(title)
    return "; ".join(
        f"{', '.join(titles)} on {'every task' if len(tasks) == len(every) else ', '.join(tasks)}"
        for tasks, titles in alike.items()
    )
