"""The labels.csv of a dataset: label columns, splits, and the check that no recording leaks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vtbench.tasks.data.schema import SPLITS, DatasetDeclaration
from vtbench.tasks.data.table import Table, read_table
from vtbench.tasks.errors import DataError


@dataclass(frozen=True, eq=False)
class Labels:
    """What labels.csv holds: N rows in the order of the images.

    columns: float64 (N,) for numbers, int64 codes (N,) for classes.
    splits: train, val and test, each sorted int64 row indices, together a partition of the rows.
    digest: SHA-256 of the file.
    """

    columns: dict[str, np.ndarray]
    splits: dict[str, np.ndarray]
    digest: str


def read_labels(path: Path, declaration: DatasetDeclaration) -> Labels:
    """Read labels.csv against its declaration.

    Raises DataError, naming file, row and fix, for anything that is missing, undeclared, not a
    number, an unknown class or split, an empty split, or a recording in two splits.
    """
    table = read_table(path)
    _check_columns(table, declaration)
    columns = {
        name: table.numbers(name) if info.classes is None else table.codes(name, info.classes)
        for name, info in declaration.columns.items()
    }
    splits = _splits(table, table.codes("split", SPLITS, kind="split"))
    if declaration.group is not None:
        refuse_divided(table, declaration.group, "split")
    return Labels(columns=columns, splits=splits, digest=table.digest)


def _check_columns(table: Table, declaration: DatasetDeclaration) -> None:
    for name in declaration.header:
        table.texts(name)
    for name in table.header:
        if name not in declaration.header:
            raise DataError(
                f"{table.path}: the column {name!r} is not declared in pack.yaml; "
                "declare it under `columns`, or remove it."
            )
    if len(table.rows) != declaration.count:
        raise DataError(
            f"{table.path}: has {len(table.rows)} rows, but pack.yaml says "
            f"count: {declaration.count}; there must be one row per image, in their order."
        )


def _splits(table: Table, codes: np.ndarray) -> dict[str, np.ndarray]:
    splits = {split: np.flatnonzero(codes == code) for code, split in enumerate(SPLITS)}
    for split, indices in splits.items():
        if not len(indices):
            raise DataError(
                f"{table.path}, column 'split': no row is in {split!r}; "
                "train, val and test each need at least one."
            )
    return {split: indices.astype(np.int64) for split, indices in splits.items()}


def refuse_divided(table: Table, whole: str, by: str) -> None:
    """Raise DataError when rows with the same value in the column `whole` differ in `by`."""
    first: dict[str, int] = {}
    values = table.texts(by)
    for row, name in enumerate(table.texts(whole)):
        other = first.setdefault(name, row)
        if values[other] != values[row]:
            raise DataError(
                f"{table.where(row)}: the {whole} {name!r} is in {values[row]!r}, but in "
                f"{values[other]!r} on row {table.lines[other]}; give all its rows one {by}."
            )
