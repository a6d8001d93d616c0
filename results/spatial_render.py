"""Tables of map measures as text, Markdown and CSV. Nothing here prints."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

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
    """The whole table as plain text, no line wider than it needs; notes are wrapped."""
    grid = RichTable(box=box.HORIZONTALS, padding=(0, 2, 0, 0), pad_edge=False)
    for heading in ("Layer", "Method"):
        grid.add_column(heading, no_wrap=True)
    for title, _ in MEASURES.values():
        grid.add_column(title, justify="right", no_wrap=True)
    for layer, row, last in _lines(table):
        cells = [_cell(reading) for reading in _readings(row, layer)]
        first = _layer(table, layer) if row is table.rows[0] else ""
        grid.add_row(first, Text(printable(row.title)), *map(Text, cells), end_section=last)
    notes = RichTable.grid(padding=(0, 1, 0, 0))
    for note in table.notes:
        notes.add_row("•", Text(printable(note)))
    needed = Console(file=io.StringIO(), width=10_000).measure(grid).maximum
    console = Console(file=io.StringIO(), width=max(width, needed), color_system=None)
    with console.capture() as capture:
        console.print(f"{TITLE} {table.source} data", markup=False)
        console.print(Text(printable(table.sentence)))
        console.print(grid)
        console.print(notes)
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


def _cell(reading: Reading) -> str:
    """`0.42 ±0.03 [0.81]`: above chance, half its interval, the value itself."""
    if reading.excess is None or reading.value is None:
        return "–"
    spread = ""
    if reading.low is not None and reading.high is not None:
        spread = f" ±{(reading.high - reading.low) / 2:.2f}"
    return f"{reading.excess:.2f}{spread} [{reading.value:.2f}]"
