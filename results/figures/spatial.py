"""How well maps follow the image: a panel for each layer and measure, a line for each method."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vtbench.results.figures.style import GREY, PAGE, Facts, Plate, finish, look_of, new_figure
from vtbench.results.spatial import MEASURES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from vtbench.results.spatial_table import SpatialRow, SpatialTable


def layers_and_measures(table: SpatialTable) -> Plate:
    """From chance to value for every method; the value of the ideal field is a dashed line."""
    rows = table.rows
    figure = new_figure(PAGE, 0.9 + len(table.layers) * (0.45 + 0.13 * len(rows)))
    axes = figure.subplots(len(table.layers), len(MEASURES), sharex=True, squeeze=False)
    for line, (layer, cells) in zip(axes, table.layers.items(), strict=True):
        for ax, (measure, (title, _)) in zip(line, MEASURES.items(), strict=True):
            _panel(ax, table, layer, measure)
            ax.set_title(f"{title}, {layer} ({cells} × {cells})")
        _name(line[0], rows)
    for ax in axes[-1]:
        ax.set_xlabel("chance to value", labelpad=1.5)
    figure.suptitle(
        f"Do the maps follow the image? {table.source} data", fontsize=7.5, fontweight="bold"
    )
    return finish(figure, "equivariance", _facts(table), _remark(rows))


def _panel(ax: Axes, table: SpatialTable, layer: str, measure: str) -> None:
    ideal = table.ideal.readings[layer, measure, "all"].value
    if ideal is not None:
        ax.axvline(ideal, color=GREY, linewidth=0.7, linestyle="--", gid="ideal")
    for y, row in enumerate(table.rows):
        _point(ax, y, row, layer, measure)
    ax.set_ylim(len(table.rows) - 0.4, -0.6)
    ax.set_yticks([])
    ax.grid(axis="x")
    ax.set_label(f"{layer}-{measure}")


def _point(ax: Axes, y: int, row: SpatialRow, layer: str, measure: str) -> None:
    """A bar from chance to the value, with the interval of its length; hollow for one seed."""
    reading, look = row.readings[layer, measure, "all"], look_of(row.spec, row.role)
    value, chance = reading.value, reading.chance
    if value is None or chance is None:
        return
    ax.plot([chance, value], [y, y], color=look.colour, linewidth=2.2, alpha=0.45, gid="excess")
    ax.plot([chance], [y], marker="|", color=GREY, markersize=5, zorder=3, gid="chance")
    if reading.low is not None and reading.high is not None:
        ends = [chance + reading.low, chance + reading.high]
        ax.plot(
            ends, [y, y], color="#222222", linewidth=0.8, marker="|", markersize=3, zorder=3,
            gid="interval",
        )  # fmt: skip
    single = len(row.seeds) == 1
    ax.plot(
        [value], [y], marker=look.marker, markersize=4.2, color=look.colour,
        markerfacecolor="white" if single else look.face, markeredgewidth=0.7, zorder=4,
        gid="mean",
    )  # fmt: skip


def _name(ax: Axes, rows: tuple[SpatialRow, ...]) -> None:
    ax.set_yticks(range(len(rows)), [row.title for row in rows])
    ax.tick_params(axis="y", length=0)
    for label, row in zip(ax.get_yticklabels(), rows, strict=True):
        label.set_color("black" if row.role == "method" else "#666666")


def _facts(table: SpatialTable) -> Facts:
    seeds = tuple(sorted({seed for row in table.rows for seed in row.seeds}))
    return Facts(table.source, table.pack, table.sensor, table.profile, seeds)


def _remark(rows: tuple[SpatialRow, ...]) -> str:
    words = (
        "Marker: the value, mean over crop, flip, shifts and rotation. Tick: chance, the same "
        "between different images. What counts is the bar between them; its 95 % interval is over "
        "test images and, from two seeds on, seeds. Dashed: the value of an ideal field on the "
        "same grid, a guide and no bound."
    )
    if any(len(row.seeds) == 1 for row in rows):
        words += " Hollow: one seed, of which nothing is claimed."
    return words
