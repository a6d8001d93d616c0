"""The critical-difference diagram of Demšar (JMLR 7, 2006): average ranks, and who is not apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from vtbench.results.cells import Column, Row, displayed, is_ranked
from vtbench.results.errors import ResultsError
from vtbench.results.figures.style import PAGE, SMALL, Plate, finish, look_of, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from vtbench.results.figures.shown import Shown
    from vtbench.results.rank_analysis import RankAnalysis

#: Demšar's rule of thumb: with fewer blocks Friedman's p-value is rough.
FEW_BLOCKS = 11


def critical_differences(shown: Shown) -> tuple[Plate, list[str]]:
    """The diagram over the primary columns, and a sentence for each method left out for a gap."""
    columns = [column for column in shown.primary() if _competing(shown, column)]
    rows = [row for row in shown.table.rows if _everywhere(shown, row, columns)]
    known = {row.spec for column in columns for row in _competing(shown, column)}
    left = [r.title for r in shown.table.rows if r.spec in known and r not in rows]
    found = analysed(shown, rows, columns)
    figure = new_figure(
        PAGE * 0.75, 1.35 + 0.17 * ((len(rows) + 1) // 2) + 0.1 * len(found.cliques)
    )
    ax = figure.subplots()
    _draw(ax, found, {row.title: row.spec for row in rows})
    plate = finish(figure, "ranks", shown.facts, *_remarks(found, columns, shown))
    sentences = [f"ranks: {title} is left out, as it lacks a task." for title in left]
    return plate, sentences


def analysed(shown: Shown, rows: Sequence[Row], columns: Sequence[Column]) -> RankAnalysis:
    """Friedman and Nemenyi on means as displayed; raises `ResultsError` where too few."""
    import numpy as np

    from vtbench.results.rank_analysis import rank_analysis

    if len(rows) < 3 or len(columns) < 2:
        raise ResultsError(
            f"a diagram of ranks needs 3 methods that share 2 tasks, and there are {len(rows)} "
            f"and {len(columns)}"
        )
    scores = np.array(
        [[displayed(shown.cell(row, c).mean or 0.0, c.metric) for c in columns] for row in rows]
    )
    better = ["higher" if c.metric.better == "higher" else "lower" for c in columns]
    return rank_analysis([row.title for row in rows], scores, better=better)  # type: ignore[arg-type]


def _competing(shown: Shown, column: Column) -> list[Row]:
    index = shown.table.columns.index(column)
    return [row for row in shown.table.rows if is_ranked(row, index)]


def _everywhere(shown: Shown, row: Row, columns: Sequence[Column]) -> bool:
    return bool(columns) and all(row in _competing(shown, column) for column in columns)


def _draw(ax: Axes, found: RankAnalysis, specs: dict[str, str]) -> None:
    """Ranks on a line, names below at the nearer side, cliques as bars, the difference above."""
    k = len(found.methods)
    half = (k + 1) // 2
    bars = 0.5 + 0.42 * len(found.cliques)
    reach = 0.38 * (k - 1)
    ax.set_xlim(1 - reach, k + reach)
    ax.set_ylim(bars + half + 0.3, -2.3)
    ax.axis("off")
    ax.plot([1, k], [0, 0], color="black", linewidth=0.9)
    for rank in range(1, k + 1):
        ax.plot([rank, rank], [0, -0.25], color="black", linewidth=0.7)
        ax.text(rank, -0.42, str(rank), ha="center", va="bottom", fontsize=SMALL)
    for index, (title, rank) in enumerate(zip(found.methods, found.ranks, strict=True)):
        left = index < half
        y = bars + (index if left else k - 1 - index) + 0.5
        x, end = (1 - 0.04 * reach, "right") if left else (k + 0.04 * reach, "left")
        ax.plot([rank, rank, x], [0, y, y], color="#555555", linewidth=0.6)
        look = look_of(specs[title])
        ax.plot(
            [rank], [0], marker=look.marker, color=look.colour, markerfacecolor=look.face,
            markeredgecolor="black", markeredgewidth=0.4, clip_on=False, zorder=4,
            markersize=6.5 if look.marker == "*" else 4.2, gid="rank",
        )  # fmt: skip
        words = f"{title}  {rank:.2f}" if left else f"{rank:.2f}  {title}"
        ax.text(x, y, f" {words} ", ha=end, va="center", fontsize=SMALL)
    _cliques(ax, found)
    width = min(found.critical_difference, k - 1)
    ax.plot([1, 1 + width], [-1.6, -1.6], color="black", linewidth=0.9, marker="|", markersize=4)
    more = "" if width == found.critical_difference else ", longer than the axis"
    words = f"critical difference {found.critical_difference:.2f}{more}"
    ax.text(1, -1.8, words, ha="left", va="bottom", fontsize=SMALL)


def _cliques(ax: Axes, found: RankAnalysis) -> None:
    ranks = dict(zip(found.methods, found.ranks, strict=True))
    for index, clique in enumerate(found.cliques):
        ends = [ranks[clique[0]] - 0.06, ranks[clique[-1]] + 0.06]
        level = [0.5 + 0.42 * index] * 2
        ax.plot(ends, level, color="black", linewidth=2.4, solid_capstyle="butt", gid="clique")


def _remarks(found: RankAnalysis, columns: Sequence[Column], shown: Shown) -> list[str]:
    tasks = ", ".join(column.title for column in columns)
    p = f"{found.friedman_p:.3f}" if found.friedman_p >= 0.001 else "< 0.001"
    remarks = [f"Average rank (1 is best) over {found.blocks} tasks: {tasks}. Friedman's p = {p}."]
    if found.friedman_p >= found.alpha:
        remarks.append(
            "Not decidable: Friedman's test finds no difference, so one bar joins all methods."
        )
    else:
        remarks.append("Methods that a bar joins are not shown to differ (Nemenyi, 5 %).")
    if found.blocks < FEW_BLOCKS:
        remarks.append(f"With {found.blocks} tasks the test is rough and seldom finds anything.")
    if len(shown.facts.seeds) < 2:
        remarks.append("Ranks rest on one seed, and another may order the methods otherwise.")
    return [" ".join(remarks)]
