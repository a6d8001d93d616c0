"""What the data looks like: images of every task with their labels (the paper's Figure 3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vtbench.results.figures.style import PAGE, TINY, Facts, Plate, blank, finish, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ACROSS = 6


@dataclass(frozen=True)
class Strip:
    """Some images of one task, uint8 (n, H, W, 1 or 3), and a line of words for each."""

    title: str
    images: np.ndarray
    words: Sequence[str]


def strips(found: Sequence[Strip], facts: Facts, *, name: str = "samples") -> Plate:
    """A line of images for each task."""
    side = (PAGE - 0.5) / ACROSS
    figure = new_figure(PAGE, 0.5 + len(found) * (side + 0.2))
    grid = figure.subplots(len(found), ACROSS, squeeze=False)
    for line, strip in zip(grid, found, strict=True):
        for ax in line:
            blank(ax)
        for ax, image, words in zip(line, strip.images, strip.words, strict=False):
            _image(ax, image, words)
        line[0].set_ylabel(strip.title, fontsize=7, fontweight="bold")
    return finish(figure, name, facts, "Images of the training split, as they are stored.")


def spread_out(values: np.ndarray, count: int = ACROSS) -> np.ndarray:
    """Indices of `count` values, evenly spread between the smallest and the largest.

    >>> spread_out(np.array([5.0, 1.0, 3.0, 2.0, 4.0]), 3)
    array([1, 2, 0])
    """
    order = np.argsort(values, kind="stable")
    places = np.linspace(0, len(order) - 1, min(count, len(order))).round().astype(int)
    return order[places]


def one_of_each(codes: np.ndarray, count: int = ACROSS) -> np.ndarray:
    """The first index of `count` classes, evenly spread over the classes that occur.

    >>> one_of_each(np.array([2, 0, 0, 1]), 2)
    array([1, 0])
    """
    present, first = np.unique(codes, return_index=True)
    places = np.linspace(0, len(present) - 1, min(count, len(present))).round().astype(int)
    return first[places]


def _image(ax: Axes, image: np.ndarray, words: str) -> None:
    if image.shape[2] == 1:
        ax.imshow(image[:, :, 0], cmap="gray", vmin=0, vmax=255)
    else:
        ax.imshow(image)
    ax.set_xlabel(words, fontsize=TINY, labelpad=1.5)
