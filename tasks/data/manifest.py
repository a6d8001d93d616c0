"""What the columns of a laboratory's own CSV file mean: images, labels, groups and splits.

Every bad row is a `Problem` and left out of what comes back, so that all of them can be named.

Shapes: N rows.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vtbench.tasks.data.images import ImageFile
from vtbench.tasks.data.labels import refuse_divided
from vtbench.tasks.data.meaning import Meaning
from vtbench.tasks.data.problems import Problem, shown
from vtbench.tasks.data.row_checks import cell_problems, image_names, name_problems, repeated
from vtbench.tasks.data.schema import Column
from vtbench.tasks.data.table import Table, read_table
from vtbench.tasks.errors import DataError


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
    for fault in (cell_problems(table, meaning), name_problems(table, meaning)):
        problems += fault.values()
    bad = {problem.row for problem in problems}
    table = table.without({row for row, line in enumerate(table.lines) if line in bad})
    again = repeated(table, meaning)
    problems += again.values()
    table = table.without(again.keys())
    if not table.rows:
        raise DataError(_nothing_left(table, problems))
    problems.sort(key=lambda problem: problem.row or 0)
    return Manifest(
        table=table,
        problems=problems,
        names={sensor: image_names(table, pattern) for sensor, pattern in meaning.images.items()},
        numbers=[int(cell) for cell in table.cells(meaning.number)] if meaning.number else None,
        columns={**_quantities(meaning), **_categories(table, meaning)},
        labels={
            **{name: table.numbers(asked.column) for name, asked in meaning.targets.items()},
            **{name: table.texts(asked.column) for name, asked in meaning.labels.items()},
        },
        groups=table.texts(meaning.group_column) if meaning.group_column else None,
        splits=_given_splits(table, meaning),
    )


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


def _nothing_left(table: Table, problems: list[Problem]) -> str:
    if not problems:
        return f"{table.path}: has a header but no rows; add one row per image."
    return f"{problems[0].sentence}; {problems[0].fix}: no row of the manifest can be used."
