"""Which class is taken for which, in percent of the images of the true class."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING

import numpy as np

from vtbench.results.errors import ResultsError
from vtbench.results.figures.answers import Answer
from vtbench.results.figures.style import PAGE, Facts, Plate, finish, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NUMBERS_UP_TO = 8  # classes whose percentages are printed
_NAMES_UP_TO = 24  # classes that are named


def confusion_matrices(
    groups: Sequence[Sequence[Answer]],
    task: str,
    title: str,
    facts: Facts,
    classes: Sequence[str] = (),
) -> Plate:
    """A matrix for each method, over all its seeds. groups: the seeds of each method."""
    count = groups[0][0].predictions.shape[1]
    names = list(classes) if len(classes) == count else [str(i) for i in range(count)]
    across = min(len(groups), 2 if count > _NUMBERS_UP_TO else 4)
    down = ceil(len(groups) / across)
    side = (PAGE - 0.9) / across - (0.0 if count <= _NUMBERS_UP_TO else 0.1)
    side = min(side, 3.0)
    figure = new_figure(PAGE, 0.85 + down * (side + 0.25))
    axes = figure.subplots(down, across, squeeze=False, sharex=True, sharey=True)
    for ax, found in zip(axes.flat, groups, strict=False):
        _matrix(ax, percentages(found), found, names)
    for ax in axes.flat[len(groups) :]:
        ax.set_visible(False)
    for ax in axes[-1]:
        ax.set_xlabel("predicted")
    for ax in axes[:, 0]:
        ax.set_ylabel("true")
    figure.colorbar(axes[0, 0].images[0], ax=axes, shrink=0.5, aspect=30, pad=0.01,
                    label="% of the true class")  # fmt: skip
    figure.suptitle(f"{title}: confusions", fontsize=7.5, fontweight="bold")
    seeds = tuple(sorted({a.record.seed for found in groups for a in found}))
    facts = Facts(facts.source, facts.pack, facts.sensor, facts.profile, seeds)
    sizes = np.unique(groups[0][0].targets, return_counts=True)[1]
    remark = (
        "Each row is a true class and sums to 100 %; test images of all seeds together, "
        f"{sizes.min()} to {sizes.max()} of each class and seed."
    )
    if names == [str(i) for i in range(count)]:
        remark += " Classes are numbered, as their names are not at hand."
    return finish(figure, f"confusion-{task}", facts, remark)


def percentages(found: Sequence[Answer]) -> np.ndarray:
    """(C, C): of the images of each true class, the percentage taken for each class.

    A class without test images is a row of NaN.
    """
    count = found[0].predictions.shape[1]
    matrix = np.zeros((count, count))
    for answer in found:
        if answer.targets.ndim != 1 or answer.predictions.shape[1] != count:
            raise ResultsError(f"{answer.row.title}: its predictions do not fit its classes")
        np.add.at(matrix, (answer.targets.astype(int), answer.predictions.argmax(axis=1)), 1)
    total = matrix.sum(axis=1, keepdims=True)
    return 100 * np.divide(matrix, total, out=np.full_like(matrix, np.nan), where=total > 0)


def _matrix(ax: Axes, matrix: np.ndarray, found: Sequence[Answer], names: list[str]) -> None:
    ax.imshow(matrix, vmin=0, vmax=100, cmap="Blues", aspect="equal")
    row = found[0].row
    hits = np.mean([a.record.scores.get("top1", np.nan) for a in found])
    seeds = f"n = {len(found)}"
    ax.set_title(f"{row.title}: {hits:.1f} % ({seeds})")
    ax.set_label(row.spec)
    if len(names) <= _NAMES_UP_TO:
        ax.set_xticks(range(len(names)), names, rotation=90, fontsize=5)
        ax.set_yticks(range(len(names)), names, fontsize=5)
    for spine in ax.spines.values():
        spine.set_visible(True)
    if len(names) <= _NUMBERS_UP_TO:
        for (i, j), value in np.ndenumerate(matrix):
            if np.isfinite(value) and value >= 0.5:
                colour = "white" if value > 55 else "black"
                ax.text(j, i, f"{value:.0f}", ha="center", va="center", fontsize=5, color=colour)
