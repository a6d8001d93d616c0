"""Reports that a command writes where the user says: they never replace a file of his own."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from vtbench.tasks.errors import DataError


def check_report(path: Path, header: Sequence[str], *, beside: Path | None = None) -> None:
    """Raise DataError where a report must not be written; nothing is written.

    header: the columns of the report; only an earlier one with the same, or an empty file, may
    be replaced. beside: a folder that the report may not lie in, or a file that it may not be.
    """
    place = path.resolve()
    if beside is not None and place.is_relative_to(beside.resolve()):
        where = f"lies inside {beside}" if beside.is_dir() else "is what is to be read"
        raise DataError(f"{path}: {where}; choose another file for --report.")
    if place.is_dir():
        raise DataError(f"{path}: is a folder; give --report a file in it.")
    if not place.parent.is_dir():
        raise DataError(f"{path}: its folder is missing; make {path.parent} first.")
    if place.exists() and not _is_report(place, header):
        raise DataError(
            f"{path}: holds something else than an earlier report; choose another file for "
            "--report, or move this one away."
        )


def _is_report(path: Path, header: Sequence[str]) -> bool:
    """Whether a file is empty or begins with this header."""
    if not path.is_file():
        return False
    try:
        with path.open(encoding="utf-8", newline="") as file:
            first = file.readline(4096)
        return not first or next(csv.reader([first])) == list(header)
    except (OSError, ValueError, csv.Error):
        return False
