"""Every column of a table as bars: what is tied with the best is hatched, one seed is pale."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from vtbench.results import marks
from vtbench.results.cells import Cell, Column, Row
from vtbench.results.errors import ResultsError
from vtbench.results.figures import panels
from vtbench.results.figures.style import GREY, PAGE, TINY, Plate, finish, look_of, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from vtbench.results.figures.shown import Shown

_ACROSS = 3


def columns_as_bars(shown: Shown) -> Plate:
    """A panel for each column that has a number, a bar for each row."""
    columns = [column for column in shown.headed() if shown.drawn([column])]
    rows = shown.drawn(columns)
    if len(rows) < 2:
        raise ResultsError(f"{shown.table.title} has fewer than two rows to set beside each other")
    heights = panels.places(rows)
    down = ceil(len(columns) / _ACROSS)
    figure = new_figure(PAGE, 0.75 + down * (0.5 + 0.135 * (max(heights.values()) + 1)))
    axes = figure.subplots(down, _ACROSS, sharey=True, squeeze=False)
    cut = [_panel(ax, shown, c, rows) for ax, c in zip(axes.flat, columns, strict=False)]
    for ax in axes[:, 0]:
        panels.name_rows(ax, rows, heights)
    for ax in axes.flat[len(columns) :]:
        ax.remove()
    figure.suptitle(shown.table.title, fontsize=7.5, fontweight="bold")
    number = shown.table.number
    return finish(figure, f"bars-table{number}", shown.facts, *_remarks(shown, any(cut)))


def _panel(ax: Axes, shown: Shown, column: Column, rows: list[Row]) -> bool:
    """One column, its numbers at the right; True if an interval is cut."""
    cells = [shown.cell(row, column) for row in rows]
    limits = _limits([cell for cell in cells if cell.mean is not None], column)
    heights = panels.places(rows)
    cut = False
    for row, cell in zip(rows, cells, strict=True):
        y = heights[row.spec]
        if cell.mean is not None:
            _bar(ax, y, row, cell)
            cut |= panels.draw_interval(ax, y, cell, limits)
        words = marks.number(cell, column) + marks.mark(cell)
        ax.text(
            1.05, y, words, transform=ax.get_yaxis_transform(), fontsize=TINY, va="center",
            fontweight="bold" if cell.verdict == "best" else "normal",
            color="black" if row.role == "method" else "#666666",
        )  # fmt: skip
    ax.set_xlim(*limits)
    ax.locator_params(axis="x", nbins=5)
    ax.grid(axis="x")
    ax.set_title(column.task_title)
    ax.set_xlabel(panels.axis_label(column), labelpad=1.5)
    ax.set_label(column.name)
    ax.tick_params(axis="y", length=0)
    return cut


def _bar(ax: Axes, y: float, row: Row, cell: Cell) -> None:
    look = look_of(row.spec, row.role)
    colour = look.colour if row.role == "method" else GREY
    ax.barh(
        y, cell.mean, height=0.72, color=colour, alpha=0.35 if cell.single else 0.9,
        hatch="////" if cell.verdict == "tied" else None, edgecolor="white", linewidth=0,
        zorder=2, gid="bar",
    )  # fmt: skip
    ax.barh(
        y, cell.mean, height=0.72, fill=False, edgecolor="black" if row.role == "method" else GREY,
        linewidth=0.5, linestyle="--" if cell.single else "-", zorder=2.5,
    )  # fmt: skip


def _limits(cells: list[Cell], column: Column) -> tuple[float, float]:
    """Bars start at zero, always: their lengths are what is compared."""
    if panels.is_share(column):
        return 0.0, 100.0
    highest = max(cell.mean for cell in cells if cell.mean is not None)
    ends = [cell.high for cell in cells if cell.high is not None]
    return 0.0, 1.05 * min(max([highest, *ends]), 1.5 * highest) or 1.0


def _remarks(shown: Shown, cut: bool) -> list[str]:
    cells = [cell for row in shown.table.rows for cell in row.cells]
    found = ["Bars: means; lines: 95 % intervals of the mean over seeds (Student's t)."]
    if any(cell.verdict == "tied" for cell in cells):
        found.append(
            "¹ best by mean; hatched and ≈: not shown to differ from the best at 95 % "
            "(tested with test images and seeds where known, after Holm)."
        )
    elif any(cell.verdict == "best" for cell in cells):
        found.append("¹ best by mean.")
    if any(cell.single for cell in cells):
        found.append("Pale, dashed and °: one seed, of which nothing is claimed.")
    roles = {row.role for row in shown.table.rows} - {"method"}
    if roles:
        found.append(f"Grey and set apart: what does not compete ({', '.join(sorted(roles))}).")
    return [" ".join([*found, *([panels.CUT] if cut else [])])]
