"""True against predicted values of the test images, a panel for each axis and method."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from vtbench.results.errors import ResultsError
from vtbench.results.figures.answers import Answer, axis_names
from vtbench.results.figures.style import PAGE, SMALL, Facts, Plate, finish, look_of, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def true_and_predicted(answers: Sequence[Answer], task: str, title: str, facts: Facts) -> Plate:
    """Rows are axes of the task, columns methods; one seed of each, which the last line names."""
    axes_of = axis_names(answers[0].record)
    if not axes_of or any(a.targets.ndim != 2 for a in answers):
        raise ResultsError(f"the records of {task} have no axes to draw")
    across = len(answers)
    width = min(PAGE, 0.45 + 1.65 * across)
    figure = new_figure(width, 0.75 + len(axes_of) * (width - 0.4) / max(across, 2) * 0.92)
    grid = figure.subplots(len(axes_of), across, squeeze=False)
    for i, (name, unit, metric) in enumerate(axes_of):
        limits = _limits([a.targets[:, i] for a in answers])
        for j, answer in enumerate(answers):
            ax = grid[i, j]
            outside = _panel(ax, answer, i, limits)
            error = answer.record.scores.get(metric)
            _corner(ax, error, unit, outside)
            ax.set_label(f"{answer.row.spec}-{metric}")
            if i == 0:
                ax.set_title(answer.row.title)
            if j == 0:
                ax.set_ylabel(f"predicted {name}" + (f" ({unit})" if unit else ""))
            ax.set_xlabel(f"true {name}" + (f" ({unit})" if unit else ""), labelpad=1)
    figure.suptitle(f"{title}: true and predicted", fontsize=7.5, fontweight="bold")
    seeds = tuple(sorted({a.record.seed for a in answers}))
    facts = Facts(facts.source, facts.pack, facts.sensor, facts.profile, seeds)
    remark = (
        f"Each dot is one of {len(answers[0].targets)} test images, of one seed; line: predicted "
        "equals true; MAE is that seed's. Predictions beyond the frame are drawn on its edge."
    )
    return finish(figure, f"scatter-{task}", facts, remark)


def _limits(columns: Sequence[np.ndarray]) -> tuple[float, float]:
    low, high = min(c.min() for c in columns), max(c.max() for c in columns)
    margin = 0.15 * ((high - low) or 1.0)
    return float(low - margin), float(high + margin)


def _panel(ax: Axes, answer: Answer, index: int, limits: tuple[float, float]) -> int:
    """The dots of one axis; returns how many predictions lie beyond the frame."""
    true, predicted = answer.targets[:, index], answer.predictions[:, index]
    look = look_of(answer.row.spec, answer.row.role)
    ax.plot(limits, limits, color="#888888", linewidth=0.6, zorder=1)
    ax.plot(
        true, np.clip(predicted, *limits), linestyle="none", marker="o", markersize=1.8,
        color=look.colour, markeredgewidth=0, alpha=0.65, zorder=2, gid="images", clip_on=False,
    )  # fmt: skip
    ax.set_xlim(*limits)
    ax.set_ylim(*limits)
    ax.set_aspect("equal")
    ax.grid()
    return int(((predicted < limits[0]) | (predicted > limits[1])).sum())


def _corner(ax: Axes, error: float | None, unit: str, outside: int) -> None:
    words = [] if error is None else [f"MAE {error:.3g} {unit}".strip()]
    words += [f"{outside} beyond"] if outside else []
    ax.text(
        0.04, 0.97, "\n".join(words), transform=ax.transAxes, va="top", fontsize=SMALL,
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.8}, gid="error",
    )  # fmt: skip
