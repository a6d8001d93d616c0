"""What a spatial method looks at in two views of an image: saliency, parts, and what both show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vtbench.results.figures.style import PAGE, TINY, Facts, Plate, blank, finish, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class ViewPair:
    """Two views of one image, each with its maps; the two of a pair are in the same order.

    pixels: (S, S, 3) in 0..1.  saliency: (h, w).  parts: (g, g) codes from 0.
    outlines: (5, 2), the border of the other view, in the view's coordinates from -1 to 1 (x, y).
    agreement: the correlation of the two saliencies over the cells that both views show, or NaN.
    """

    words: str
    pixels: tuple[np.ndarray, np.ndarray]
    saliency: tuple[np.ndarray, np.ndarray]
    parts: tuple[np.ndarray, np.ndarray]
    outlines: tuple[np.ndarray, np.ndarray]
    agreement: float


BORDER = "#00E5FF"
_TITLES = ("view", "saliency", "parts")


def view_pairs(
    pairs: Sequence[ViewPair], facts: Facts, *, name: str, title: str, parts: int, remark: str
) -> Plate:
    """A line for each image: views, saliency and parts, first and second view side by side."""
    side = (PAGE - 0.55) / 6
    figure = new_figure(PAGE, 0.85 + len(pairs) * (side + 0.12))
    grid = figure.subplots(len(pairs), 6, squeeze=False)
    for line, pair in zip(grid, pairs, strict=True):
        highest = max(float(field.max()) for field in pair.saliency)
        for which in (0, 1):
            outline = pair.outlines[which]
            _show(line[which], pair.pixels[which], outline)
            _show(line[2 + which], pair.saliency[which], outline, cmap="magma", vmin=0,
                  vmax=highest)  # fmt: skip
            _show(line[4 + which], pair.parts[which], outline, cmap="viridis", vmin=0,
                  vmax=max(1, parts - 1))  # fmt: skip
        line[0].set_ylabel(pair.words, fontsize=TINY)
        agreement = "–" if np.isnan(pair.agreement) else f"{pair.agreement:.2f}"
        line[2].set_xlabel(f"r = {agreement} where shared", fontsize=TINY, labelpad=1)
    for column, ax in enumerate(grid[0]):
        ax.set_title(f"{_TITLES[column // 2]} {column % 2 + 1}")
    figure.suptitle(title, fontsize=7.5, fontweight="bold")
    return finish(figure, name, facts, remark)


def _shade_outside(ax: Axes, outline: np.ndarray) -> None:
    """Darken what the other view does not show: a square with the outline as a hole."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    square = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1], [-1, -1]], float)
    hole = outline if _turn(outline) * _turn(square) < 0 else outline[::-1]
    codes = [Path.MOVETO, *[Path.LINETO] * 3, Path.CLOSEPOLY]
    path = Path(np.concatenate([5 * square, hole]), codes * 2)
    ax.add_patch(PathPatch(path, facecolor="black", alpha=0.45, linewidth=0))


def _turn(corners: np.ndarray) -> float:
    """Positive for one sense of rotation, negative for the other: twice the signed area."""
    x, y = corners[:-1].T
    return float((x * np.roll(y, -1) - y * np.roll(x, -1)).sum())


def _show(ax: Axes, image: np.ndarray, outline: np.ndarray, **options: object) -> None:
    """An image over the square from -1 to 1, with the border of the other view on it."""
    ax.imshow(image, extent=(-1, 1, 1, -1), **options)
    _shade_outside(ax, outline)
    ax.plot(outline[:, 0], outline[:, 1], color="black", linewidth=1.8, gid="under")
    ax.plot(outline[:, 0], outline[:, 1], color=BORDER, linewidth=0.9, gid="overlap")
    ax.set_xlim(-1, 1)
    ax.set_ylim(1, -1)
    blank(ax)
