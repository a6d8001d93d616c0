"""What the columns of a laboratory's own CSV file mean: images, labels, groups and splits.

Shapes: N rows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from vtbench.tasks.data.images import ImageFile
from vtbench.tasks.data.ingest import GROUP, natural_order
from vtbench.tasks.data.labels import refuse_leak
from vtbench.tasks.data.schema import SPLITS, Column, declared
from vtbench.tasks.data.table import Table
from vtbench.tasks.errors import DataError


def number_columns(
    table: Table, targets: Mapping[str, str]
) -> tuple[dict[str, Column], dict[str, Any]]:
    """Descriptions and float64 values (N,) for "column[:unit[:period]]"."""
    columns: dict[str, Column] = {}
    values: dict[str, Any] = {}
    for name, asked in targets.items():
        column, unit, period, *rest = (*asked.split(":"), "", "")
        if any(rest) or (period and not _is_period(period)):
            raise DataError(
                f"Target {name!r}: {asked!r} is not column, column:unit or column:unit:period; "
                "write for instance pose_6:deg:360."
            )
        columns[name] = Column(unit=unit, period=float(period) if period else None)
        values[name] = table.numbers(column)
    return columns, values


def class_columns(
    table: Table, labels: Mapping[str, str]
) -> tuple[dict[str, Column], dict[str, Any]]:
    """Descriptions and class names (N,) of the label columns."""
    values: dict[str, Any] = {name: table.texts(column) for name, column in labels.items()}
    columns = {
        name: declared(
            Column,
            f"{table.path}, column {labels[name]!r}",
            classes=tuple(natural_order(values[name])),
        )
        for name in labels
    }
    return columns, values


def groups_of(
    table: Table, group_column: str | None, *, taken: Mapping[str, Column]
) -> list[str] | None:
    """The values of the column that says what belongs together (N,), None without one."""
    if group_column is None:
        return None
    if GROUP in taken:
        raise DataError(f"The column {GROUP!r} keeps the groups; name your label otherwise.")
    return table.texts(group_column)


def _is_period(text: str) -> bool:
    try:
        return 0 < float(text) < math.inf
    except ValueError:
        return False


def image_names(table: Table, column: str) -> list[str]:
    """The names of the images, none of them leading out of their folder or given twice."""
    names = table.texts(column)
    first: dict[PurePosixPath, int] = {}
    for row, name in enumerate(names):
        windows, posix = PureWindowsPath(name), PurePosixPath(name)
        if windows.anchor or posix.is_absolute() or ".." in windows.parts:
            raise DataError(
                f"{table.where(row)}, column {column!r}: {name!r} leads out of the image folder; "
                "give names relative to it."
            )
        other = first.setdefault(posix, row)
        if other != row:
            raise DataError(
                f"{table.where(row)}, column {column!r}: {name!r} is on row {table.lines[other]} "
                "already; remove one, or it may be in two splits."
            )
    return names


def image_files(table: Table, names: Sequence[str], folder: Path) -> list[ImageFile]:
    """The named images in a folder, each with its row for messages."""
    return [ImageFile(folder / name, table.where(row)) for row, name in enumerate(names)]


def given_splits(
    table: Table, split_column: str | None, group_column: str | None
) -> list[str] | None:
    """The given splits (N,), None without a column; raises DataError when a group leaks."""
    if split_column is None:
        return None
    splits = [SPLITS[code] for code in table.codes(split_column, SPLITS, kind="split")]
    if group_column is not None:
        refuse_leak(table, splits, group_column)
    return splits
