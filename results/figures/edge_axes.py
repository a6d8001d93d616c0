"""The error of each axis of a regression, as the paper's Figure 4 shows it for edge pose."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vtbench.results.cells import Column, Row
from vtbench.results.errors import ResultsError
from vtbench.results.figures import panels
from vtbench.results.figures.style import PAGE, Plate, finish, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from vtbench.results.figures.shown import Shown


def error_by_axis(shown: Shown, task: str = "edge_pose") -> Plate:
    """A panel for each axis, as millimetres and degrees share none; a line for each row."""
    columns = [column for column in shown.of_task(task) if not column.metric.primary]
    if not columns:
        raise ResultsError(f"the records of {task} have no error of single axes to draw")
    rows = shown.drawn(columns)
    heights = panels.places(rows)
    figure = new_figure(PAGE, 0.85 + 0.16 * (max(heights.values()) + 1))
    axes = figure.subplots(1, len(columns), sharey=True, squeeze=False)[0]
    cut = [_panel(ax, shown, column, rows) for ax, column in zip(axes, columns, strict=True)]
    panels.name_rows(axes[0], rows, heights)
    title = columns[0].task_title
    figure.suptitle(f"{title}: error of each axis", fontsize=7.5, fontweight="bold")
    remarks = [panels.POINTS, *([panels.CUT] if any(cut) else [])]
    return finish(figure, "edge_axes" if task == "edge_pose" else f"axes-{task}", shown.facts,
                  *remarks)  # fmt: skip


def _panel(ax: Axes, shown: Shown, column: Column, rows: list[Row]) -> bool:
    """One axis of the task; True if an interval is cut."""
    cells = [shown.cell(row, column) for row in rows]
    seeds = [shown.seeds(row, column) for row in rows]
    filled = [cell for cell in cells if cell.mean is not None]
    if not filled:
        raise ResultsError(f"no method has a finished {column.title} to draw")
    limits = panels.span([value for found in seeds for value in found], filled, column)
    heights = panels.places(rows)
    cut = False
    for row, cell, values in zip(rows, cells, seeds, strict=True):
        if cell.mean is None:
            panels.empty(ax, heights[row.spec], cell.status)
            continue
        cut |= panels.draw_interval(ax, heights[row.spec], cell, limits)
        panels.draw_dots(ax, heights[row.spec], row, cell, values)
    ax.set_xlim(*limits)
    ax.locator_params(axis="x", nbins=5)
    ax.grid(axis="x")
    ax.set_xlabel(panels.axis_label(column))
    ax.set_label(column.name)
    ax.tick_params(axis="y", length=0)
    return cut
