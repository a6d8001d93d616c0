"""Tables III and IV as heat maps: what each row changes against one of them."""

from __future__ import annotations

from math import isclose
from typing import TYPE_CHECKING

import numpy as np

from vtbench.results import marks
from vtbench.results.cells import Cell, Column, Row
from vtbench.results.errors import ResultsError
from vtbench.results.figures.style import PAGE, TINY, Plate, finish, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable

    from vtbench.results.figures.shown import Shown

_SCALE = 50.0  # percent at which the colours end
_PALENESS = 0.75  # share of white in the colour of a change that rests on one seed


def heat_map(shown: Shown, base: str) -> Plate:
    """The table with its numbers; colours are the change of the error against the row `base`."""
    columns = [column for column in shown.table.columns if shown.drawn([column])]
    rows = shown.drawn(columns)
    reference = next((row for row in rows if row.spec == base), None)
    if len(rows) < 2:
        raise ResultsError(f"{shown.table.title} has fewer than two rows to set beside each other")
    if reference is None:
        raise ResultsError(f"the row that others are held against ({base}) has no result yet")
    rows = [reference, *(row for row in rows if row is not reference)]
    changes = np.array(
        [[change(shown.cell(row, c), shown.cell(reference, c), c) for c in columns] for row in rows]
    )
    figure = new_figure(PAGE, 1.25 + 0.34 * len(rows))
    ax = figure.subplots()
    single = _singles(shown, rows, columns, reference)
    image = _colours(ax, changes, single)
    _numbers(ax, shown, rows, columns, changes, single, reference)
    _names(ax, rows, columns, reference)
    bar = figure.colorbar(image, ax=ax, pad=0.01, aspect=18, extend="both")
    bar.set_label(f"error against {reference.title} (%)\nless is better")
    figure.suptitle(shown.table.title, fontsize=7.5, fontweight="bold")
    number = shown.table.number
    return finish(figure, f"ablation-table{number}", shown.facts, _remark(shown, reference))


def _singles(shown: Shown, rows: list[Row], columns: list[Column], reference: Row) -> np.ndarray:
    """Where either side of a change is one seed: bool (rows, columns)."""
    return np.array(
        [[shown.cell(row, c).single or shown.cell(reference, c).single for c in columns]
         for row in rows]
    )  # fmt: skip


def _colours(ax: Axes, changes: np.ndarray, single: np.ndarray) -> ScalarMappable:
    """The changes as colours, pale and hatched where one seed is all there is; their scale."""
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize
    from matplotlib.patches import Rectangle

    scale = ScalarMappable(Normalize(-_SCALE, _SCALE), colormaps["PuOr_r"])
    shades = scale.to_rgba(np.ma.masked_invalid(changes))
    pale = single & np.isfinite(changes)
    shades[pale, :3] += _PALENESS * (1 - shades[pale, :3])
    ax.imshow(shades, aspect="auto")
    for i, j in np.argwhere(pale):
        ax.add_patch(Rectangle(
            (j - 0.5, i - 0.5), 1, 1, fill=False, hatch="///", edgecolor="#DDDDDD", linewidth=0,
            gid=f"single-{i}-{j}",
        ))  # fmt: skip
    return scale


def change(cell: Cell, base: Cell, column: Column) -> float:
    """How much larger the error is than the base's, in percent of the base's; NaN if unknown.

    The error of an accuracy is what is missing to 100 %.
    """
    if cell.mean is None or base.mean is None:
        return np.nan
    own, other = (_error(mean, column) for mean in (cell.mean, base.mean))
    if isclose(other, 0.0, abs_tol=1e-12):
        return 0.0 if isclose(own, 0.0, abs_tol=1e-12) else np.nan
    return 100 * (own - other) / other


def _error(mean: float, column: Column) -> float:
    if column.metric.better == "lower":
        return mean
    return 100.0 - mean if column.metric.unit == "%" else -mean


def _numbers(
    ax: Axes,
    shown: Shown,
    rows: list[Row],
    columns: list[Column],
    changes: np.ndarray,
    single: np.ndarray,
    reference: Row,
) -> None:
    for (i, j), value in np.ndenumerate(changes):
        cell, column = shown.cell(rows[i], columns[j]), columns[j]
        words = marks.number(cell, column) + marks.mark(cell)
        spread = marks.spread(cell, column)
        second = [spread] if spread else []
        if rows[i] is not reference and np.isfinite(value):
            one = " (n = 1)" if single[i, j] else ""
            second.append(f"{value:+.0f} %{one}".replace("-", "−"))
        dark = np.isfinite(value) and abs(value) > 0.7 * _SCALE and not single[i, j]
        ax.text(
            j, i, "\n".join([words, "  ".join(second)]).rstrip(), ha="center", va="center",
            fontsize=TINY, color="white" if dark else "black", linespacing=1.15,
            fontweight="bold" if cell.verdict == "best" else "normal", gid=f"cell-{i}-{j}",
        )  # fmt: skip


def _names(ax: Axes, rows: list[Row], columns: list[Column], reference: Row) -> None:
    titles = [f"{c.task_title}\n{c.metric.label}" for c in columns]
    ax.set_xticks(range(len(columns)), titles)
    ax.xaxis.tick_top()
    ax.set_yticks(range(len(rows)), [row.title for row in rows])
    ax.get_yticklabels()[rows.index(reference)].set_fontweight("bold")
    ax.tick_params(length=0)
    ax.set_xticks([x - 0.5 for x in range(1, len(columns))], minor=True)
    ax.set_yticks([y - 0.5 for y in range(1, len(rows))], minor=True)
    ax.grid(which="minor", color="white", linewidth=1.2)
    ax.tick_params(which="minor", length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)


def _remark(shown: Shown, reference: Row) -> str:
    cells = [cell for row in shown.table.rows for cell in row.cells]
    words = (
        f"Mean, ± standard deviation over seeds, and the change of the error against "
        f"{reference.title} (bold); the error of an accuracy is what it lacks to 100 %. Orange: "
        "more error; violet: less. A change is no verdict: "
    )
    said = []
    if any(cell.verdict for cell in cells):
        said.append("¹ best by mean, ≈ not shown to differ from it at 95 %")
    if any(cell.single for cell in cells):
        said.append("pale, hatched and °: one seed (n = 1), of which nothing is claimed")
    return f"{words}{'; '.join(said) or 'nothing is claimed here'}."
