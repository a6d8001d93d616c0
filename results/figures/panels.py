"""What the figures of rows and scores have in common: a line for each row, intervals, names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from vtbench.results.cells import Cell, Column, Row
from vtbench.results.figures.style import GREY, PALE, SMALL, look_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: How far beyond means and seeds an axis follows an interval, in their own spread. Two seeds give
#: intervals nine times as wide as the two lie apart; whatever is cut ends in an arrow.
FOLLOWED = 0.6

CUT = "An arrow: the interval goes on beyond the axis."
POINTS = (
    "Marker and line: mean and its 95 % interval over seeds (Student's t); dots: single seeds; "
    "pale, without an interval: one seed, which says nothing of differences. Axes need not start "
    "at zero."
)


def places(rows: Sequence[Row]) -> dict[str, float]:
    """A height for every row from the top down, with a gap where the role changes."""
    heights, y = {}, 0.0
    for index, row in enumerate(rows):
        if index and row.role != rows[index - 1].role:
            y += 0.6
        heights[row.spec] = y
        y += 1
    return heights


def name_rows(ax: Axes, rows: Sequence[Row], heights: dict[str, float]) -> None:
    """The titles of the rows at the left, best names in ink and the others in grey."""
    ax.set_yticks([heights[row.spec] for row in rows], [row.title for row in rows])
    for label, row in zip(ax.get_yticklabels(), rows, strict=True):
        label.set_color("black" if row.role == "method" else "#666666")
        label.set_fontstyle("normal" if row.role == "method" else "italic")
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(max(heights.values()) + 0.6, -0.6)


def axis_label(column: Column) -> str:
    """A metric with its unit and what is better."""
    unit = f" ({column.metric.unit})" if column.metric.unit else ""
    return f"{column.metric.label}{unit}, {column.metric.better} is better"


def is_share(column: Column) -> bool:
    """Whether the metric lies between 0 and 100 %."""
    return column.metric.unit == "%"


def span(values: Iterable[float], cells: Iterable[Cell], column: Column) -> tuple[float, float]:
    """The part of an axis that shows all values, and intervals as far as `FOLLOWED`."""
    values = list(values)
    low, high = min(values), max(values)
    reach = (high - low) or abs(high) * 0.1 or 1.0
    ends = [(c.low, c.high) for c in cells if c.low is not None and c.high is not None]
    lowest = min([low, *(a for a, _ in ends)])
    highest = max([high, *(b for _, b in ends)])
    low = max(lowest, low - FOLLOWED * reach) - 0.08 * reach
    high = min(highest, high + FOLLOWED * reach) + 0.08 * reach
    return max(0.0, low), min(100.0, high) if is_share(column) else high


def draw_interval(ax: Axes, y: float, cell: Cell, limits: tuple[float, float]) -> bool:
    """The interval of a cell within the axis, with an arrow where it is cut; True if it is."""
    if cell.low is None or cell.high is None:
        return False
    low, high = max(cell.low, limits[0]), min(cell.high, limits[1])
    ax.plot([low, high], [y, y], color="#222222", linewidth=0.8, zorder=3, gid="interval")
    ends = ((cell.low < limits[0], low, "<"), (cell.high > limits[1], high, ">"))
    for cut, x, marker in ends:
        size = {"marker": marker, "markersize": 2.6} if cut else {"marker": "|", "markersize": 3.0}
        ax.plot([x], [y], color="#222222", clip_on=False, markeredgewidth=0.7, zorder=3, **size)
    return any(cut for cut, _, _ in ends)


def draw_dots(ax: Axes, y: float, row: Row, cell: Cell, seeds: Sequence[float]) -> None:
    """Mean as the method's marker, and the seeds as dots just below it."""
    look = look_of(row.spec, row.role)
    if len(seeds) > 1:
        level = [y + 0.28] * len(seeds)
        ax.plot(seeds, level, ".", color=GREY, markersize=2.2, zorder=2, gid="seeds")
    ax.plot(
        [cell.mean], [y], marker=look.marker, markersize=6.5 if look.marker == "*" else 4.2,
        color=look.colour, markerfacecolor="white" if cell.single else look.face,
        markeredgecolor=look.colour if look.hollow or cell.single else "black",
        markeredgewidth=0.7 if cell.single else 0.4, alpha=0.75 if cell.single else 1.0,
        zorder=4, gid="mean", clip_on=False,
    )  # fmt: skip


def empty(ax: Axes, y: float, word: str) -> None:
    """A word where a row has no number."""
    ax.text(
        0.02, y, word, transform=ax.get_yaxis_transform(), fontsize=SMALL, color=PALE, va="center"
    )
