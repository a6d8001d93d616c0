"""What a score costs: each primary column against the seconds of pre-training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from statistics import fmean
from typing import TYPE_CHECKING

from vtbench.results.cells import Cell, Column, Row, is_better
from vtbench.results.errors import ResultsError
from vtbench.results.figures import panels
from vtbench.results.figures.style import PAGE, Plate, finish, legend_above, look_of, new_figure
from vtbench.results.names import title_slug
from vtbench.results.record import MetricFacts

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from vtbench.results.figures.shown import Shown

_ACROSS = 3


@dataclass(frozen=True)
class Spent:
    """A row under a column: its cell, and the mean of its training seconds over seeds."""

    row: Row
    cell: Cell
    seconds: float

    @property
    def mean(self) -> float:
        """The cell's mean, which it has."""
        return float(self.cell.mean or 0.0)


def scores_by_time(shown: Shown) -> tuple[list[Plate], list[str]]:
    """A figure for each device, as their seconds do not compare, and what is left out."""
    devices = sorted({str(r.provenance.get("device", "")) for r in _timed(shown)})
    if not devices:
        raise ResultsError("no finished record says how long its pre-training took")
    plates = [_plate(shown, device, alone=len(devices) == 1) for device in devices]
    without = [
        row.title for row in shown.table.rows
        if row in shown.drawn(shown.primary()) and not any(
            spent(shown, row, column, device) for column in shown.primary() for device in devices)
    ]  # fmt: skip
    words = f"cost: {', '.join(without)} had no pre-training, or its time is not known."
    return plates, [words] if without else []


def spent(shown: Shown, row: Row, column: Column, device: str) -> Spent | None:
    """The row's seconds, where all its seeds were trained on `device`."""
    cell = shown.cell(row, column)
    records = shown.records(row, column.task)
    seconds = [r.provenance.get("training_seconds") for r in records]
    if cell.mean is None or not all(seconds) or not seconds:
        return None
    if {str(r.provenance.get("device", "")) for r in records} != {device}:
        return None
    return Spent(row, cell, fmean(float(s) for s in seconds if s))


def pareto_front(points: Sequence[tuple[float, float]], metric: MetricFacts) -> list[int]:
    """Which (seconds, score) no other one beats in one and equals in the other, the fastest first.

    >>> top1 = MetricFacts(name="top1", label="Top-1", unit="%", better="higher", decimals=1,
    ...                    primary=True)
    >>> pareto_front([(10, 80.0), (20, 70.0), (30, 90.0)], top1)
    [0, 2]
    """
    front: list[int] = []
    sign = -1 if metric.better == "higher" else 1
    for index in sorted(range(len(points)), key=lambda i: (points[i][0], sign * points[i][1])):
        if not front or is_better(points[index][1], points[front[-1]][1], metric):
            front.append(index)
    return front


def _timed(shown: Shown) -> list:
    return [
        r for runs in shown.runs.values() for r in runs.done if r.provenance.get("training_seconds")
    ]


def _plate(shown: Shown, device: str, *, alone: bool) -> Plate:
    columns = [
        column for column in shown.primary()
        if any(spent(shown, row, column, device) for row in shown.table.rows)
    ]  # fmt: skip
    down = ceil(len(columns) / _ACROSS)
    figure = new_figure(PAGE, 1.0 + 1.55 * down)
    axes = figure.subplots(down, min(_ACROSS, len(columns)), squeeze=False)
    cut = [_panel(ax, shown, c, device) for ax, c in zip(axes.flat, columns, strict=False)]
    for ax in axes.flat[len(columns) :]:
        ax.remove()
    handles = {
        handle.get_label(): handle
        for ax in figure.axes for handle in ax.get_lines() if handle.get_gid() == "mean"
    }  # fmt: skip
    legend_above(figure, handles)
    remarks = (
        f"Trained on: {device or 'device not known'}. Seconds are wall-clock time of the "
        "pre-training, a mean over seeds, and count whatever else the machine did. Dotted steps: "
        "no other method shown is both faster and better (Pareto front of the means). Lines: 95 % "
        "intervals; pale: one seed." + (f" {panels.CUT}" if any(cut) else "")
    )
    name = "cost" if alone else f"cost-{title_slug(device)}"
    return finish(figure, name, shown.facts, remarks)


def _panel(ax: Axes, shown: Shown, column: Column, device: str) -> bool:
    found = [s for row in shown.table.rows if (s := spent(shown, row, column, device))]
    limits = panels.span([s.mean for s in found], [s.cell for s in found], column)
    unit, size = _unit(max(s.seconds for s in found))
    front = pareto_front([(s.seconds, s.mean) for s in found], column.metric)
    ax.step(
        [found[i].seconds / size for i in front], [found[i].mean for i in front], where="post",
        color="#999999", linewidth=0.8, linestyle=":", zorder=1, gid="front",
    )  # fmt: skip
    cut = [_point(ax, item, item.seconds / size, limits) for item in found]
    ax.set_ylim(*limits)
    ax.set_xlim(0, 1.08 * max(s.seconds for s in found) / size)
    ax.grid()
    ax.set_title(column.task_title)
    ax.set_xlabel(f"pre-training ({unit})", labelpad=1.5)
    of = f" ({column.metric.unit})" if column.metric.unit else ""
    ax.set_ylabel(f"{column.metric.label}{of}\n{column.metric.better} is better", labelpad=2)
    ax.set_label(column.name)
    return any(cut)


def _unit(longest: float) -> tuple[str, int]:
    """Minutes from two minutes on, hours from two hours on."""
    return ("h", 3600) if longest > 7200 else ("min", 60) if longest > 120 else ("s", 1)


def _point(ax: Axes, item: Spent, x: float, limits: tuple[float, float]) -> bool:
    """A method with its interval; True if the interval is cut."""
    cell, look = item.cell, look_of(item.row.spec, item.row.role)
    cut = False
    if cell.low is not None and cell.high is not None:
        low, high = max(cell.low, limits[0]), min(cell.high, limits[1])
        ax.plot([x, x], [low, high], color=look.colour, linewidth=0.6, zorder=2, gid="interval")
        for beyond, y, marker in ((cell.low < low, low, "v"), (cell.high > high, high, "^")):
            if beyond:
                cut = True
                ax.plot([x], [y], marker=marker, color=look.colour, markersize=2.0, clip_on=False)
    ax.plot(
        [x], [item.mean], marker=look.marker, linestyle="none", color=look.colour,
        markerfacecolor="white" if cell.single else look.face,
        markeredgecolor=look.colour if cell.single else "black",
        markeredgewidth=0.7 if cell.single else 0.4, markersize=7 if look.marker == "*" else 4.5,
        zorder=3, gid="mean", clip_on=False, label=item.row.title,
    )  # fmt: skip
    return cut
