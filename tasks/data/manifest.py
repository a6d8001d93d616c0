"""What the columns of a laboratory's own CSV file mean: images, labels, groups and splits.

Every bad row is a `Problem` and left out of what comes back, so that all of them can be named.

Shapes: N rows.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from vtbench.tasks.data.images import ImageFile
from vtbench.tasks.data.labels import refuse_divided
from vtbench.tasks.data.magnitude import LARGEST_LABEL
from vtbench.tasks.data.patterns import filled, leads_out, words_of
from vtbench.tasks.data.problems import Problem, shown
from vtbench.tasks.data.schema import SPLITS, Column
from vtbench.tasks.data.table import Fault, Table, empty, no_number, read_table, unprintable
from vtbench.tasks.errors import DataError


@dataclass(frozen=True)
class Quantity:
    """A number column of a manifest, its unit and the period of what wraps around."""

    column: str
    unit: str = ""
    period: float | None = None


@dataclass(frozen=True)
class Category:
    """A class column of a manifest; classes: their names in order, None to take what is there."""

    column: str
    classes: tuple[str, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class Meaning:
    """Which columns of a manifest are used, and for what.

    images: for each sensor the path of an image, with columns in braces: "{image}".
    number: a column with whole numbers from 0 that names the image too, such as a frame.
    group_column: what must stay in one split; split_column: train, val or test.
    """

    images: Mapping[str, str]
    number: str | None = None
    targets: Mapping[str, Quantity]
    labels: Mapping[str, Category]
    group_column: str | None = None
    split_column: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns that are used, each once."""
        named = [word for pattern in self.images.values() for word in words_of(pattern)]
        asked = [asked.column for asked in (*self.targets.values(), *self.labels.values())]
        others = [self.number, self.group_column, self.split_column]
        return tuple(dict.fromkeys([*named, *asked, *(name for name in others if name)]))


@dataclass(frozen=True)
class Manifest:
    """What a manifest says of its N good rows, and what is wrong with the others.

    names: the paths of the images of each sensor, from the folder they are relative to.
    columns, labels: what each label is, and its values (N,).
    groups, splits: (N,), None without such a column.
    """

    table: Table
    problems: list[Problem]
    names: dict[str, list[str]]
    numbers: list[int] | None
    columns: dict[str, Column]
    labels: dict[str, Any]
    groups: list[str] | None
    splits: list[str] | None

    def notices(self) -> list[str]:
        """What a user should know of how the file was understood, one sentence each."""
        if self.table.separator == ",":
            return []
        mark = {";": "semicolons", "\t": "tabs"}[self.table.separator]
        return [f"{shown(self.table.path)}: is separated by {mark}, and was read so."]

    def place(self, row: int) -> tuple[str, int]:
        """Manifest and line of a row, for messages."""
        return shown(self.table.path), self.table.lines[row]

    def files(self, sensor: str, folder: Path) -> list[ImageFile]:
        """The images of a sensor in a folder, each with its row."""
        names = enumerate(self.names[sensor])
        return [ImageFile(present(folder / name), *self.place(row)) for row, name in names]


def read_manifest(path: Path, meaning: Meaning) -> Manifest:
    """Read a CSV file with one row per image.

    Raises DataError for a file that cannot be read, a missing column, a label without two
    classes, and a group that the split column divides; what is wrong with single rows is returned.
    """
    problems: list[Problem] = []
    table = read_table(path, problems=problems)
    for fault in (_cell_problems(table, meaning), _name_problems(table, meaning)):
        problems += fault.values()
    bad = {problem.row for problem in problems}
    table = table.without({row for row, line in enumerate(table.lines) if line in bad})
    repeated = _repeated(table, meaning)
    problems += repeated.values()
    table = table.without(repeated.keys())
    if not table.rows:
        raise DataError(_nothing_left(table, problems))
    problems.sort(key=lambda problem: problem.row or 0)
    return Manifest(
        table=table,
        problems=problems,
        names={sensor: _names(table, pattern) for sensor, pattern in meaning.images.items()},
        numbers=[int(cell) for cell in table.cells(meaning.number)] if meaning.number else None,
        columns={**_quantities(meaning), **_categories(table, meaning)},
        labels={
            **{name: table.numbers(asked.column) for name, asked in meaning.targets.items()},
            **{name: table.texts(asked.column) for name, asked in meaning.labels.items()},
        },
        groups=table.texts(meaning.group_column) if meaning.group_column else None,
        splits=_given_splits(table, meaning),
    )


def quantity(name: str, asked: str) -> Quantity:
    """A target from "column[:unit[:period]]"; raises DataError for anything else."""
    column, unit, period, *rest = (*asked.split(":"), "", "")
    if any(rest) or (period and not _is_period(period)):
        raise DataError(
            f"Target {name!r}: {asked!r} is not column, column:unit or column:unit:period; "
            "write for instance pose_6:deg:360."
        )
    return Quantity(column, unit, float(period) if period else None)


def present(path: Path) -> Path:
    """The path, or the file of the same name with accents written in the other way.

    macOS splits an é into e and an accent, most other systems do not.
    """
    if path.name.isascii() or path.exists():
        return path
    for form in ("NFC", "NFD"):
        other = path.with_name(unicodedata.normalize(form, path.name))
        if other.exists():
            return other
    return path


def _is_period(text: str) -> bool:
    try:
        return 0 < float(text) < math.inf
    except ValueError:
        return False


def _cell_problems(table: Table, meaning: Meaning) -> dict[int, Problem]:
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
                found[row] = _row_problem(table, row, f"column {column!r}: {fault[0]}", fault[1])
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


def _name_problems(table: Table, meaning: Meaning) -> dict[int, Problem]:
    found: dict[int, Problem] = {}
    for pattern in meaning.images.values():
        where = f"column {words_of(pattern)[0]!r}: " if len(words_of(pattern)) == 1 else ""
        for row, name in enumerate(_names(table, pattern)):
            if name.strip() and leads_out(name):
                reason = f"{where}{name!r} leads out of the image folder"
                found[row] = _row_problem(table, row, reason, "give names relative to it")
    return found


def _repeated(table: Table, meaning: Meaning) -> dict[int, Problem]:
    """Rows whose image an earlier row names; all of them where the rows disagree."""
    pattern = next(iter(meaning.images.values()))
    keys = [PurePosixPath(name) for name in _names(table, pattern)]
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
        return _row_problem(table, row, f"names the same image as row {line}", "remove one of them")
    return _row_problem(
        table,
        row,
        f"names the same image as row {line}, but not the same labels",
        "remove the wrong one",
    )


def _names(table: Table, pattern: str) -> list[str]:
    columns = {word: table.cells(word) for word in words_of(pattern)}
    return [
        filled(pattern, {word: cells[row] for word, cells in columns.items()})
        for row in range(len(table.rows))
    ]


def _quantities(meaning: Meaning) -> dict[str, Column]:
    return {
        name: Column(unit=asked.unit, period=asked.period)
        for name, asked in meaning.targets.items()
    }


def _categories(table: Table, meaning: Meaning) -> dict[str, Column]:
    columns = {}
    for name, asked in meaning.labels.items():
        classes = asked.classes or natural_order(table.texts(asked.column))
        if len(classes) < 2:
            raise DataError(
                f"{table.path}, column {asked.column!r}: every row says {classes[0]!r}, but "
                "classification needs two classes or more; add rows of another one."
            )
        columns[name] = Column(classes=classes)
    return columns


def natural_order(names: Sequence[str] | np.ndarray) -> tuple[str, ...]:
    """The distinct names with their numbers in counting order: 2 before 10."""
    return tuple(sorted({str(name) for name in names}, key=_natural))


def _natural(name: str) -> list[Any]:
    parts = re.split(r"([0-9]+)", name)
    return [int(part) if place % 2 else part for place, part in enumerate(parts)]


def _given_splits(table: Table, meaning: Meaning) -> list[str] | None:
    if meaning.split_column is None:
        return None
    if meaning.group_column is not None:
        refuse_divided(table, meaning.group_column, meaning.split_column)
    return table.texts(meaning.split_column)


def _row_problem(table: Table, row: int, reason: str, fix: str) -> Problem:
    return Problem(file=shown(table.path), row=table.lines[row], reason=reason, fix=fix)


def _nothing_left(table: Table, problems: list[Problem]) -> str:
    if not problems:
        return f"{table.path}: has a header but no rows; add one row per image."
    return f"{problems[0].sentence}; {problems[0].fix}: no row of the manifest can be used."
