"""Tables as text for the terminal, Markdown and CSV. Nothing here prints.

Every rendering names the data (REAL or SIMULATED), and can be read without colour: marks are
characters (see `marks`) and arrows say whether higher or lower is better.
"""

from __future__ import annotations

import csv
import io
import re
import textwrap
from collections.abc import Iterator
from itertools import groupby

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table as RichTable
from rich.text import Text

from vtbench.results import marks
from vtbench.results.cells import Cell, Column, Row
from vtbench.results.tables import Table

_STYLES = {"best": "bold", "tied": "underline"}
_CSV_PARTS = ("_sd", "_low", "_high", "_n", "_rank", "_verdict", "_status")


def to_rich(
    table: Table,
    *,
    stacked: bool = False,
    tight: bool = False,
    start: int = 0,
    stop: int | None = None,
) -> RichTable:
    """Columns `start` to `stop` of a table for a rich console, without caption and notes.

    For narrow terminals, `stacked` sets the spread, the number of seeds and the published number
    below the mean, and `tight` leaves one space between columns. The best is bold, what is tied
    with it is underlined.
    """
    columns = list(enumerate(table.columns))[start:stop]
    grid = RichTable(box=box.HORIZONTALS, padding=(0, 0 if tight else 1, 0, 0), pad_edge=False)
    grid.add_column(table.row_heading, no_wrap=True)
    separator = "\n" if stacked else " "
    widths = {index: _mark_width(table, index) for index, _ in columns}
    for index, column in columns:
        cells = [_plain(row.cells[index], column, separator, widths[index]) for row in table.rows]
        grid.add_column(
            _header(column, cells, first=_opens_task(table, index, start)),
            justify="right",
            no_wrap=True,
        )
    for row, following in zip(table.rows, [*table.rows[1:], None], strict=True):
        grid.add_row(
            Text(row.title),
            *(
                _styled(row.cells[index], column, separator, widths[index])
                for index, column in columns
            ),
            end_section=following is not None and following.role != row.role,
        )
    return grid


def renderable(table: Table, width: int) -> RenderableType:
    """The whole table for a rich console `width` characters wide: title, caption, body, notes.

    What does not fit on one line is stacked, and what is still too wide is continued in further
    blocks, so that no digit is ever cut off.
    """
    head = [Text(table.title, style="bold"), Text(table.facts.sentence)]
    notes = RichTable.grid(padding=(0, 1, 0, 0))
    for note in table.notes:
        notes.add_row("•", Text(note))
    return Group(*head, *_bodies(table, width), notes)


def text(table: Table, width: int = 100) -> str:
    """The whole table as plain text, without colour; lines end in one newline each."""
    console = Console(file=io.StringIO(), width=width, color_system=None, force_jupyter=False)
    with console.capture() as capture:
        console.print(renderable(table, width))
    return "".join(f"{line.rstrip()}\n" for line in capture.get().splitlines())


def to_markdown(table: Table) -> str:
    """The whole table as GitHub Markdown; the best is bold, what is tied with it is underlined."""
    titles = [f"{column.task_title} {marks.header(column)}" for column in table.columns]
    header = [table.row_heading, *map(literal, titles)]
    rows = [[literal(row.title), *_markdown_cells(row, table)] for row in table.rows]
    lines = [
        f"**{literal(table.title)}**",
        "",
        literal(table.facts.sentence),
        "",
        _markdown_line(header),
        _markdown_line(["---", *("---:" for _ in table.columns)]),
        *map(_markdown_line, rows),
        "",
        *(f"- {literal(note)}" for note in table.notes),
    ]
    return "\n".join(lines).rstrip() + "\n"


def to_csv(table: Table) -> str:
    """The table for programs: a line per method, unrounded numbers, the data source on each line.

    A column "shape_top1" (named as in the stored tables of the paper) is followed by its _sd, _low
    and _high (the 95 % interval of the mean), _n, _rank (by the mean as displayed, also where
    nothing is claimed), _verdict (empty there) and _status, and by _paper where the published
    number was asked for.
    """
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    published = any(cell.published is not None for row in table.rows for cell in row.cells)
    parts = ["", *_CSV_PARTS, *(["_paper"] if published else [])]
    names = [column.name + part for column in table.columns for part in parts]
    writer.writerow(["method", "title", "role", *names, *table.facts.group._fields])
    for row in table.rows:
        numbers = [value for cell in row.cells for value in _csv_values(cell)[: len(parts)]]
        writer.writerow([row.spec, row.title, row.role, *numbers, *table.facts.group])
    return file.getvalue()


def _bodies(table: Table, width: int) -> Iterator[RichTable]:
    """One table that fits, or several."""
    for stacked, tight in ((False, False), (True, False), (True, True)):
        whole = to_rich(table, stacked=stacked, tight=tight)
        if _width(whole) <= width:
            yield whole
            return
    start = stop = 0
    for _, columns in groupby(table.columns, lambda column: column.task):
        after = stop + len(list(columns))
        if stop > start and _width(_block(table, start, after)) > width:
            yield _block(table, start, stop)
            start = stop
        stop = after
    yield _block(table, start, stop)


def _block(table: Table, start: int, stop: int) -> RichTable:
    return to_rich(table, stacked=True, start=start, stop=stop)


def _width(grid: RichTable) -> int:
    return Console(file=io.StringIO(), width=10_000).measure(grid).maximum


def _opens_task(table: Table, index: int, start: int) -> bool:
    return index == start or table.columns[index - 1].task != table.columns[index].task


def _header(column: Column, cells: list[str], *, first: bool) -> Text:
    """Task over metric over unit, as narrow as the cells below allow."""
    width = max((len(line) for cell in cells for line in cell.split("\n")), default=0)
    upper = textwrap.wrap(column.task_title, max(width, 7), break_long_words=False) if first else []
    # The no-break space keeps the arrow on the line of the last word.
    metric = f"{column.metric.label}\N{NO-BREAK SPACE}{marks.ARROWS[column.metric.better]}"
    lower = textwrap.wrap(metric, max(width, 7), break_long_words=False)
    unit = [column.metric.unit] if column.metric.unit else []
    return Text("\n".join([*upper, *lower, *unit]).replace("\N{NO-BREAK SPACE}", " "))


def _mark_width(table: Table, index: int) -> int:
    """The place that the marks of a column need; one character is kept free where none has any."""
    return max((len(marks.mark(row.cells[index])) for row in table.rows), default=0) or 1


def _plain(cell: Cell, column: Column, separator: str, width: int) -> str:
    """A cell as text; a number without a mark leaves its place free, so that digits align."""
    marked = f"{marks.number(cell, column)}{marks.mark(cell):{width}}"
    return separator.join([marked, *marks.details(cell, column)])


def _styled(cell: Cell, column: Column, separator: str, width: int) -> Text:
    styled = Text(_plain(cell, column, separator, width))
    if style := _STYLES.get(cell.verdict or ""):
        styled.stylize(style, 0, len(marks.number(cell, column)))
    return styled


def _markdown_cells(row: Row, table: Table) -> Iterator[str]:
    around = {"best": ("**", "**"), "tied": ("<ins>", "</ins>")}
    for cell, column in zip(row.cells, table.columns, strict=True):
        before, after = around.get(cell.verdict or "", ("", ""))
        number = f"{before}{marks.number(cell, column)}{after}{marks.mark(cell)}"
        yield " ".join([number, *marks.details(cell, column)])


def _markdown_line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def literal(words: str) -> str:
    """Words of unknown origin that Markdown shows as they are."""
    return re.sub(r"[\\`*<|]|(?<!\w)_|_(?!\w)", r"\\\g<0>", words)


def _csv_values(cell: Cell) -> list[object]:
    interval = [cell.low, cell.high]
    standing = [cell.rank, cell.verdict, cell.status, cell.published]
    return [cell.mean, cell.sd, *interval, cell.n, *standing]
