"""What can be wrong with single rows of a manifest: each check gives a problem per bad row.

Rows are named by their position in the table.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePosixPath

from vtbench.tasks.data.magnitude import LARGEST_LABEL
from vtbench.tasks.data.meaning import Meaning
from vtbench.tasks.data.patterns import filled, leads_out, words_of
from vtbench.tasks.data.problems import Problem, shown
from vtbench.tasks.data.schema import SPLITS
from vtbench.tasks.data.table import Fault, Table, empty, no_number, unprintable


def cell_problems(table: Table, meaning: Meaning) -> dict[int, Problem]:
    """The first bad cell of each row that has one."""
    checks: dict[str, Callable[[str], Fault | None]] = dict.fromkeys(meaning.columns, _no_text)
    checks |= {asked.column: _no_target for asked in meaning.targets.values()}
    for asked in meaning.labels.values():
        checks[asked.column] = _no_class(asked.classes)
    if meaning.number:
        checks[meaning.number] = _no_count
    if meaning.split_column:
        checks[meaning.split_column] = _no_split
    found: dict[int, Problem] = {}
    for column, fault_of in checks.items():
        for row, cell in enumerate(table.cells(column)):
            fault = None if row in found else fault_of(cell)
            if fault is not None:
                found[row] = _problem(table, row, f"column {column!r}: {fault[0]}", fault[1])
    return found


def _no_text(cell: str) -> Fault | None:
    return empty(cell) or unprintable(cell)


def _no_target(cell: str) -> Fault | None:
    fault = no_number(cell)
    if fault is None and abs(float(cell)) > LARGEST_LABEL:
        return f"{cell!r} is beyond {LARGEST_LABEL:g}", "give it in another unit, or correct it"
    return fault


def _no_class(classes: tuple[str, ...] | None) -> Callable[[str], Fault | None]:
    def fault_of(cell: str) -> Fault | None:
        if cell.strip().lower() == "nan":
            return f"{cell!r} is no class", "write one, or remove the row and its image"
        if classes is not None and cell.strip() and cell not in classes:
            return f"unknown class {cell!r}", f"write one of {', '.join(classes)}"
        return _no_text(cell)

    return fault_of


def _no_split(cell: str) -> Fault | None:
    known = None if cell in SPLITS else (f"unknown split {cell!r}", "write train, val or test")
    return empty(cell) or known


def _no_count(cell: str) -> Fault | None:
    if not cell.strip() or (cell.strip().isascii() and cell.strip().isdigit()):
        return empty(cell)
    return f"{cell!r} is not a frame number", "write a whole number from 0"


def name_problems(table: Table, meaning: Meaning) -> dict[int, Problem]:
    """Rows whose image would lie outside its folder."""
    found: dict[int, Problem] = {}
    for pattern in meaning.images.values():
        where = f"column {words_of(pattern)[0]!r}: " if len(words_of(pattern)) == 1 else ""
        for row, name in enumerate(image_names(table, pattern)):
            if name.strip() and leads_out(name):
                reason = f"{where}{name!r} leads out of the image folder"
                found[row] = _problem(table, row, reason, "give names relative to it")
    return found


def repeated(table: Table, meaning: Meaning) -> dict[int, Problem]:
    """Rows whose image an earlier row names; all of them where the rows disagree."""
    pattern = next(iter(meaning.images.values()))
    keys = [PurePosixPath(name) for name in image_names(table, pattern)]
    if meaning.number:
        numbers = table.cells(meaning.number)
        keys = [key / str(int(cell)) for key, cell in zip(keys, numbers, strict=True)]
    rows_of: dict[PurePosixPath, list[int]] = {}
    for row, key in enumerate(keys):
        rows_of.setdefault(key, []).append(row)
    naming = (*words_of(pattern), meaning.number)
    used = [table.cells(column) for column in meaning.columns if column not in naming]
    found: dict[int, Problem] = {}
    for first, *others in rows_of.values():
        same = all(cells[first] == cells[row] for row in others for cells in used)
        for row in others if same else [first, *others]:
            found[row] = _repeat(table, row, others[0] if row == first else first, same=same)
    return found


def _repeat(table: Table, row: int, other: int, *, same: bool) -> Problem:
    line = table.lines[other]
    if same:
        return _problem(table, row, f"names the same image as row {line}", "remove one of them")
    return _problem(
        table,
        row,
        f"names the same image as row {line}, but not the same labels",
        "remove the wrong one",
    )


def image_names(table: Table, pattern: str) -> list[str]:
    """The paths that a pattern with columns in braces gives, one per row."""
    columns = {word: table.cells(word) for word in words_of(pattern)}
    return [
        filled(pattern, {word: cells[row] for word, cells in columns.items()})
        for row in range(len(table.rows))
    ]


def _problem(table: Table, row: int, reason: str, fix: str) -> Problem:
    return Problem(file=shown(table.path), row=table.lines[row], reason=reason, fix=fix)
