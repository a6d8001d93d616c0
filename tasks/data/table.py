"""CSV files read strictly: every mistake names the file, the row, the column and the fix.

Rows are counted as an editor counts lines: the header is row 1.
"""

from __future__ import annotations

import csv
import hashlib
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vtbench.tasks.data.schema import suggestion
from vtbench.tasks.errors import DataError


@dataclass(frozen=True, eq=False)
class Table:
    """The cells of a CSV file as text.

    lines: the row number of each entry of `rows`; digest: SHA-256 of the file's bytes.
    """

    path: Path
    header: tuple[str, ...]
    rows: list[list[str]]
    lines: list[int]
    digest: str

    def where(self, index: int) -> str:
        """The file and row of an entry, for messages."""
        return f"{self.path}, row {self.lines[index]}"

    def texts(self, column: str) -> list[str]:
        """The cells of a column; raises DataError when the column is missing or a cell empty."""
        if column not in self.header:
            hint = suggestion(column, self.header)
            raise DataError(f"{self.path}: the column {column!r} is missing; {hint}")
        position = self.header.index(column)
        cells = [row[position] for row in self.rows]
        for index, cell in enumerate(cells):
            if not cell.strip():
                raise DataError(f"{self.where(index)}, column {column!r}: is empty; fill it in.")
        return cells

    def numbers(self, column: str) -> np.ndarray:
        """The cells of a column as finite float64 (N,)."""
        values = [
            self._number(cell, index, column) for index, cell in enumerate(self.texts(column))
        ]
        return np.array(values, dtype=np.float64)

    def codes(self, column: str, classes: Sequence[str], *, kind: str = "class") -> np.ndarray:
        """The cells of a column as int64 positions (N,) in `classes`."""
        code = {name: position for position, name in enumerate(classes)}
        cells = self.texts(column)
        for index, cell in enumerate(cells):
            if cell not in code:
                raise DataError(
                    f"{self.where(index)}, column {column!r}: unknown {kind} {cell!r}; "
                    f"{suggestion(cell, classes)}"
                )
        return np.array([code[cell] for cell in cells], dtype=np.int64)

    def _number(self, cell: str, index: int, column: str) -> float:
        try:
            value = float(cell) if "_" not in cell else math.nan
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise DataError(
                f"{self.where(index)}, column {column!r}: {cell!r} is not a finite number; "
                "write one, or remove the row and its image."
            )
        return value


def read_table(path: Path) -> Table:
    """Read a UTF-8, comma-separated file with a header.

    Raises DataError for a missing or unreadable file, a repeated or empty header cell, and a row
    whose number of cells is not that of the header. Blank lines are passed over.
    """
    try:
        raw = path.read_bytes()
        reader = csv.reader(io.StringIO(raw.decode("utf-8-sig"), newline=""), strict=True)
        numbered = [(row, reader.line_num) for row in reader if row]
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read ({error.strerror}); check that it is there."
        ) from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is not UTF-8 text; save it as UTF-8 CSV.") from error
    except csv.Error as error:
        raise DataError(f"{path}, row {reader.line_num}: is not CSV ({error}).") from error
    if not numbered:
        raise DataError(f"{path}: is empty; it needs a header and one row per image.")
    (header, _), *body = numbered
    _check_header(header, path)
    for row, line in body:
        if len(row) != len(header):
            raise DataError(
                f"{path}, row {line}: has {len(row)} columns, but the header has {len(header)}; "
                "add what is missing, or quote cells that hold a comma."
            )
    return Table(
        path=path,
        header=tuple(header),
        rows=[row for row, _ in body],
        lines=[line for _, line in body],
        digest=hashlib.sha256(raw).hexdigest(),
    )


def _check_header(header: list[str], path: Path) -> None:
    for position, name in enumerate(header):
        if not name.strip():
            raise DataError(f"{path}, row 1: column {position + 1} has no name; give it one.")
        if name in header[:position]:
            raise DataError(f"{path}, row 1: the column {name!r} is there twice; rename one.")
