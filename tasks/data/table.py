"""CSV files read strictly: every mistake names the file, the row, the column and the fix.

Rows are counted as an editor counts lines: the header is row 1.
"""

from __future__ import annotations

import csv
import hashlib
import io
import math
import unicodedata
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from vtbench.tasks.data.problems import Problem, shown
from vtbench.tasks.errors import DataError, hint

#: What is wrong with a cell, and what to do about it.
Fault = tuple[str, str]


#: What some files have between their cells and none is read with.
_OTHER_MARKS = {"|": "|", " ": "spaces"}


@dataclass(frozen=True, eq=False)
class Table:
    """The cells of a CSV file as text.

    lines: the row number of each entry of `rows`; digest: SHA-256 of the file's bytes.
    separator: what stands between the cells.
    """

    path: Path
    header: tuple[str, ...]
    rows: list[list[str]]
    lines: list[int]
    digest: str
    separator: str = ","

    def where(self, index: int) -> str:
        """The file and row of an entry, for messages."""
        return f"{self.path}, row {self.lines[index]}"

    def without(self, left_out: Collection[int]) -> Table:
        """The table without the entries at these positions."""
        kept = [index for index in range(len(self.rows)) if index not in left_out]
        return replace(
            self,
            rows=[self.rows[index] for index in kept],
            lines=[self.lines[index] for index in kept],
        )

    def cells(self, column: str) -> list[str]:
        """The cells of a column as they are; raises DataError when the column is missing."""
        if column not in self.header:
            self._refuse_one_column()
            near = hint(column, self.header)
            raise DataError(f"{self.path}: the column {column!r} is missing; {near}.")
        position = self.header.index(column)
        return [row[position] for row in self.rows]

    def _refuse_one_column(self) -> None:
        """Raise DataError where the whole header was taken for one name."""
        (first, *others) = self.header
        mark = next((word for sign, word in _OTHER_MARKS.items() if sign in first), None)
        if mark is not None and not others:
            raise DataError(
                f"{self.path}: its header is the one column {first!r}; it seems to be separated "
                f"by {mark}, so save it with commas, semicolons or tabs."
            )

    def texts(self, column: str) -> list[str]:
        """The cells of a column; raises DataError when the column is missing or a cell empty."""
        return self._checked(column, empty)

    def numbers(self, column: str) -> np.ndarray:
        """The cells of a column as finite float64 (N,)."""
        values = [float(cell) for cell in self._checked(column, no_number)]
        return np.array(values, dtype=np.float64)

    def codes(self, column: str, classes: Sequence[str], *, kind: str = "class") -> np.ndarray:
        """The cells of a column as int64 positions (N,) in `classes`."""
        code = {name: position for position, name in enumerate(classes)}
        cells = self._checked(column, lambda cell: empty(cell) or none_of(cell, classes, kind))
        return np.array([code[cell] for cell in cells], dtype=np.int64)

    def _checked(self, column: str, fault_of: Callable[[str], Fault | None]) -> list[str]:
        cells = self.cells(column)
        for index, cell in enumerate(cells):
            fault = fault_of(cell)
            if fault is not None:
                reason, fix = fault
                raise DataError(f"{self.where(index)}, column {column!r}: {reason}; {fix}.")
        return cells


def empty(cell: str) -> Fault | None:
    """The fault of a cell without text."""
    return None if cell.strip() else ("is empty", "fill it in")


def no_number(cell: str) -> Fault | None:
    """The fault of a cell that is no finite number."""
    if not cell.strip():
        return empty(cell)
    try:
        value = float(cell) if "_" not in cell else math.nan
    except ValueError:
        value = math.nan
    if math.isfinite(value):
        plain = cell.strip().isascii()
        return None if plain else (f"{cell!r} has other digits than 0 to 9", "write it with those")
    if "," in cell:
        return f"{cell!r} is not a finite number", "write a point where the comma is"
    return f"{cell!r} is not a finite number", "write one, or remove the row and its image"


def unprintable(cell: str) -> Fault | None:
    """The fault of a cell with line breaks or other control characters."""
    if all(unicodedata.category(letter) != "Cc" for letter in cell):
        return None
    return f"{cell!r} holds a control character", "remove it"


def none_of(cell: str, known: Collection[str], kind: str) -> Fault | None:
    """The fault of a cell that is none of the known words."""
    return None if cell in known else (f"unknown {kind} {cell!r}", hint(cell, known))


def read_table(path: Path, *, problems: list[Problem] | None = None) -> Table:
    """Read a UTF-8 file with a header, separated by commas, or where it has none, by ; or tabs.

    Blank lines are passed over, also those of nothing but commas that spreadsheets leave behind.
    problems: takes the rows whose number of cells is not that of the header; such rows are left
    out of the table. Without it they raise DataError, as do a missing or unreadable file and a
    repeated or empty header cell.
    """
    try:
        raw = path.read_bytes()
        text = raw.decode("utf-8-sig")
        separator = _separator(text)
        lines = io.StringIO(text, newline="")
        reader = csv.reader(lines, strict=True, delimiter=separator)
        numbered = [(row, reader.line_num) for row in reader if any(row)]
    except IsADirectoryError as error:
        raise DataError(f"{path}: is a folder; give the CSV file.") from error
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
    ragged = [_ragged(path, line, row, header) for row, line in body if len(row) != len(header)]
    if ragged and problems is None:
        raise DataError(f"{ragged[0].sentence}; {ragged[0].fix}.")
    body = [(row, line) for row, line in body if len(row) == len(header)]
    if problems is not None:
        problems += ragged
    return Table(
        path=path,
        header=tuple(header),
        rows=[row for row, _ in body],
        lines=[line for _, line in body],
        digest=hashlib.sha256(raw).hexdigest(),
        separator=separator,
    )


def _separator(text: str) -> str:
    """What a header without any comma has instead; spreadsheets of some countries write it."""
    header = text.lstrip("\r\n").partition("\n")[0]
    return next((mark for mark in ",;\t" if mark in header), ",")


def _ragged(path: Path, line: int, row: list[str], header: list[str]) -> Problem:
    return Problem(
        file=shown(path),
        row=line,
        reason=f"has {len(row)} columns, but the header has {len(header)}",
        fix="add what is missing, or quote cells that hold a comma",
    )


def _check_header(header: list[str], path: Path) -> None:
    for position, name in enumerate(header):
        if not name.strip():
            raise DataError(f"{path}, row 1: column {position + 1} has no name; give it one.")
        fault = unprintable(name)
        if fault is not None:
            raise DataError(f"{path}, row 1: the name {fault[0]}; {fault[1]}.")
        if name in header[:position]:
            raise DataError(f"{path}, row 1: the column {name!r} is there twice; rename one.")
