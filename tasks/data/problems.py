"""What is wrong with rows and files of an import, gathered so that all of it can be named."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vtbench.tasks.data.staging import writing
from vtbench.tasks.errors import DataError

DAMAGED = "repair or remove it"  # what to do about most files that are bad


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One row or file that cannot be imported.

    file: the image, the clip or, where a cell is wrong, the manifest.
    row: the line of the manifest that names it, counted as editors count; None without one.
    manifest: where the row is, when that is not `file` itself.
    reason: what is wrong, to follow the file's name; fix: what to do about it.
    """

    file: str
    reason: str
    fix: str = DAMAGED
    row: int | None = None
    manifest: str = ""
    dataset: str = ""

    @property
    def is_row(self) -> bool:
        """Whether a row of a manifest is wrong, else a file."""
        return self.row is not None and not self.manifest

    @property
    def sentence(self) -> str:
        """File, row and reason, without the fix."""
        row = "" if self.row is None else f", row {self.row}"
        if self.manifest:
            return f"{self.manifest}{row}: {self.file} {self.reason}"
        joint = ", " if self.reason.startswith("column ") else ": " if row else " "
        return f"{self.file}{row}{joint}{self.reason}"


class ImportProblems(DataError):  # noqa: N818 - reads as what it is
    """Rows or files are bad and nobody asked to leave them out; nothing has been written."""

    def __init__(self, problems: Sequence[Problem], *, report: Path | None = None) -> None:
        self.problems = tuple(problems)
        first, others = problems[0], len(problems) - 1
        more = "" if not others else f" (and {others:,} more: {_listed(report)})"
        super().__init__(
            f"{first.sentence}; {first.fix}, or leave what is bad out with --skip-bad{more}."
        )


def _listed(report: Path | None) -> str:
    return "--report FILE lists them" if report is None else f"{report} lists them"


def of_dataset(problems: Sequence[Problem], dataset: str) -> list[Problem]:
    """The problems with the name of the dataset they are in."""
    return [replace(problem, dataset=dataset) for problem in problems]


#: The columns of the table of problems.
HEADER = ("dataset", "file", "row", "reason")


def as_csv(problems: Sequence[Problem]) -> bytes:
    """A CSV table with the columns dataset, file, row and reason, UTF-8."""
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(HEADER)
    for problem in problems:
        row = "" if problem.row is None else problem.row
        table.writerow((problem.dataset, problem.file, row, problem.reason))
    return text.getvalue().encode("utf-8", "replace")


def write_report(path: Path, problems: Sequence[Problem]) -> None:
    """Write the table; raises DataError when the place cannot be written."""
    with writing(path):
        path.write_bytes(as_csv(problems))


def shown(path: Path | str) -> str:
    """A path as text that any terminal and file can take, also where its name is not valid text."""
    text = os.fsencode(path).decode("utf-8", "replace")
    return "".join(
        repr(sign)[1:-1] if ord(sign) < 32 or ord(sign) == 127 else sign for sign in text
    )


def is_special(path: Path) -> bool:
    """Whether a path is a pipe, a socket or a device, at which reading may wait for ever."""
    return path.exists() and not path.is_file() and not path.is_dir()


#: What is wrong with such a path.
SPECIAL = "is a pipe, a socket or a device, not a file"


def is_missing(path: Path) -> tuple[str, str]:
    """Reason and fix of a file that is not there."""
    backslash = "\\" in path.as_posix()
    fix = "write / between folders, not \\" if backslash else "add it, or correct its name"
    return "is missing", fix
