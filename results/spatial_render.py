"""Tables of map measures as text, Markdown and CSV. Nothing here prints."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from vtbench.results.marks import printable
from vtbench.results.render import literal
from vtbench.results.spatial import MEASURES
from vtbench.results.spatial_table import Reading, SpatialRow, SpatialTable

TITLE = "Do the maps follow the image?"


def text(table: SpatialTable, width: int = 100) -> str:
    """The whole table as plain text; notes are wrapped.

    What does not fit on one line is stacked, and what is still too wide is continued in further
    blocks, so that no digit is ever cut off.
    """
    notes = RichTable.grid(padding=(0, 1, 0, 0))
    for note in table.notes:
        notes.add_row("•", Text(printable(note)))
    grids = _grids(table, width)
    needed = max(map(_width, grids))
    console = Console(file=io.StringIO(), width=max(width, needed), color_system=None)
    with console.capture() as capture:
        for part in (f"{TITLE} {table.source} data", printable(table.sentence)):
            console.print(Text(part))
        for part in (*grids, notes):
            console.print(part)
    return "".join(f"{line.rstrip()}\n" for line in capture.get().splitlines())


def to_markdown(table: SpatialTable) -> str:
    """The whole table as GitHub Markdown."""
    titles = ["Layer", "Method", *(title for title, _ in MEASURES.values())]
    lines = [
        f"**{TITLE} {table.source} data**",
        "",
        literal(table.sentence),
        "",
        f"| {' | '.join(titles)} |",
        f"| --- | --- | {' | '.join('---:' for _ in MEASURES)} |",
    ]
    for layer, row, _ in _lines(table):
        cells = [_cell(reading) for reading in _readings(row, layer)]
        words = [_layer(table, layer), literal(printable(row.title)), *cells]
        lines.append(f"| {' | '.join(words)} |")
    notes = [f"- {literal(printable(note))}" for note in table.notes]
    return "\n".join([*lines, "", *notes]) + "\n"


_COLUMNS = (
    "method", "title", "role", "layer", "cells", "measure", "warp", "value", "chance", "excess",
    "low", "high", "images", "seeds", "source",
)  # fmt: skip


def to_csv(table: SpatialTable) -> str:
    """For programs: a line for each method, layer, measure and warp; "all" is the mean of warps."""
    file = io.StringIO()
    writer = csv.DictWriter(file, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in (*table.rows, table.ideal):
        for reading in row.readings.values():
            numbers = {name: getattr(reading, name) for name in _COLUMNS if hasattr(reading, name)}
            writer.writerow(
                numbers
                | {"method": row.spec, "title": row.title, "role": row.role}
                | {"cells": table.layers[reading.layer], "source": table.source}
                | {"seeds": len(row.seeds)}
            )
    return file.getvalue()


def _grids(table: SpatialTable, width: int) -> list[RichTable]:
    """One grid that fits, or several of as many measures as fit."""
    whole = list(MEASURES)
    for separator, space in ((" ", 2), ("\n", 2), ("\n", 1)):
        grid = _grid(table, whole, separator, space)
        if _width(grid) <= width:
            return [grid]
    blocks: list[list[str]] = [[]]
    for measure in whole:
        longer = [*blocks[-1], measure]
        if blocks[-1] and _width(_grid(table, longer)) > width:
            blocks.append([measure])
        else:
            blocks[-1] = longer
    return [_grid(table, measures) for measures in blocks]


def _grid(
    table: SpatialTable, measures: Sequence[str], separator: str = "\n", space: int = 1
) -> RichTable:
    """Some measures of every layer and method. separator: before the value itself."""
    grid = RichTable(box=box.HORIZONTALS, padding=(0, space, 0, 0), pad_edge=False)
    for heading in ("Layer", "Method"):
        grid.add_column(heading, no_wrap=True)
    for measure in measures:
        grid.add_column(MEASURES[measure][0], justify="right", no_wrap=True)
    for layer, row, last in _lines(table):
        cells = [_cell(row.readings[layer, name, "all"], separator) for name in measures]
        first = _layer(table, layer) if row is table.rows[0] else ""
        grid.add_row(first, Text(printable(row.title)), *map(Text, cells), end_section=last)
    return grid


def _width(grid: RichTable) -> int:
    return Console(file=io.StringIO(), width=10_000).measure(grid).maximum


def _lines(table: SpatialTable) -> Iterator[tuple[str, SpatialRow, bool]]:
    """(layer, row, whether the layer ends here), the ideal field last in each layer."""
    for layer in table.layers:
        for row in (*table.rows, table.ideal):
            yield layer, row, row is table.ideal


def _layer(table: SpatialTable, layer: str) -> str:
    cells = table.layers[layer]
    return f"{layer} {cells}×{cells}"


def _readings(row: SpatialRow, layer: str) -> list[Reading]:
    return [row.readings[layer, measure, "all"] for measure in MEASURES]


def _cell(reading: Reading, separator: str = " ") -> str:
    """`0.42 ±0.03 [0.81]`: above chance, half its interval, the value itself."""
    if reading.excess is None or reading.value is None:
        return "–"
    spread = ""
    if reading.low is not None and reading.high is not None:
        spread = f" ±{(reading.high - reading.low) / 2:.2f}"
    return f"{reading.excess:.2f}{spread}{separator}[{reading.value:.2f}]"
