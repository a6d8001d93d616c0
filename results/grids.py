"""Rows under a header as lines of text, of Markdown and of CSV."""

from __future__ import annotations

import csv
import io
import textwrap
from collections.abc import Sequence

#: Columns of a grid that are words; the others are numbers and stand on the right.
_LEFT = (
    "Method", "Column", "Verdict", "First: ours", "First: paper", "Note", "Claim", "Where",
    "Evidence", "In print",
)  # fmt: skip


def grid(header: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """Columns under their names; where they do not fit, a line of `name value` for each row."""
    sizes = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    for gap in (2, 1):
        if sum(sizes) + gap * (len(sizes) - 1) <= width:
            return [_line(cells, header, sizes, gap) for cells in (header, *rows)]
    return [line for row in rows for line in filled(_spelt(header, row), width)]


def _line(cells: Sequence[str], header: Sequence[str], sizes: Sequence[int], gap: int) -> str:
    set_apart = [
        cell.ljust(size) if name in _LEFT else cell.rjust(size)
        for cell, name, size in zip(cells, header, sizes, strict=True)
    ]
    return (" " * gap).join(set_apart).rstrip()


def _spelt(header: Sequence[str], row: Sequence[str]) -> str:
    told = [f"{name} {cell}" for name, cell in zip(header[1:], row[1:], strict=True) if cell]
    return f"{row[0]}: {', '.join(told)}"


def filled(text: str, width: int, indent: str = "") -> list[str]:
    """Lines of a paragraph; all but the first are indented."""
    return textwrap.wrap(
        text, max(width, 30), initial_indent=indent, subsequent_indent=indent or "    "
    )


def bullet(text: str, width: int) -> list[str]:
    """Lines of a point in a list."""
    return textwrap.wrap(text, max(width, 30), initial_indent="- ", subsequent_indent="  ")


def markdown_grid(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a Markdown table."""
    rules = ["---" if name in _LEFT else "---:" for name in header]
    return [_piped(header), _piped(rules), *map(_piped, rows)]


def _piped(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def csv_text(header: Sequence[str], lines: Sequence[Sequence[object]]) -> str:
    """The content of a CSV file."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(lines)
    return file.getvalue()
