"""Test features as a map: t-SNE (van der Maaten & Hinton, JMLR 9, 2008), coloured by label."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from vtbench.results.errors import ResultsError
from vtbench.results.figures.answers import Answer, axis_names
from vtbench.results.figures.style import PAGE, Facts, Plate, finish, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PERPLEXITY = 30.0
_COLOURS = 8  # classes that have a colour of their own; more repeat them with other markers
_MARKERS = ("o", "^", "s", "D", "v", "P", "X", "<")


def tsne(features: np.ndarray) -> np.ndarray:
    """Features (N, D) as points (N, 2), the same each time. Raises `ResultsError` without sklearn.

    Columns are standardised, as for the probes; the start is the first two principal components.
    """
    try:
        from sklearn.manifold import TSNE
    except ImportError:
        raise ResultsError(
            "t-SNE needs scikit-learn: install it with `pip install 'vtbench[figures]'`"
        ) from None
    spread = features.std(axis=0)
    standard = (features - features.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    if len(standard) < 5 or not spread.any():
        raise ResultsError("fewer than 5 test images, or features that are all alike")
    perplexity = min(PERPLEXITY, (len(standard) - 1) / 3)
    maker = TSNE(perplexity=perplexity, init="pca", random_state=0, n_jobs=1, method="exact")
    return np.asarray(maker.fit_transform(standard.astype(np.float64)))


def feature_maps(
    answers: Sequence[Answer], task: str, title: str, facts: Facts, classes: Sequence[str] = ()
) -> Plate:
    """A map for each method; a line of panels for each axis of a regression."""
    points = [tsne(a.features[a.rows]) for a in answers if a.features is not None]
    labels = _labels(answers[0])
    across = len(answers)
    classed = labels[0][2] == "class"
    beside = 1.7 if classed else 0.6  # inches for a legend or a bar of colours
    side = min(1.9, (PAGE - beside) / max(across, 2))
    figure = new_figure(max(3.5, side * across + beside), 0.85 + len(labels) * side)
    grid = figure.subplots(len(labels), across, squeeze=False)
    for i, (name, values, kind) in enumerate(labels):
        for j, (answer, xy) in enumerate(zip(answers, points, strict=True)):
            ax = grid[i, j]
            drawn = (
                _classes(ax, xy, values, classes) if kind == "class" else _values(ax, xy, values)
            )
            _frame(ax, answer.row.title if i == 0 else "")
            ax.set_label(f"{answer.row.spec}-{name}")
        if kind != "class":
            figure.colorbar(drawn, ax=grid[i, :], label=name, shrink=0.9, aspect=20, pad=0.01)
    if classed:
        handles, names = grid[0, 0].get_legend_handles_labels()
        figure.legend(
            handles, names, loc="outside right upper", ncols=1 if len(names) <= 20 else 2,
            markerscale=1.6, handletextpad=0.2, labelspacing=0.25, fontsize=5,
        )  # fmt: skip
    figure.suptitle(f"{title}: test features", fontsize=7.5, fontweight="bold")
    seeds = tuple(sorted({a.record.seed for a in answers}))
    facts = Facts(facts.source, facts.pack, facts.sensor, facts.profile, seeds)
    remark = (
        f"t-SNE, perplexity {min(PERPLEXITY, (len(points[0]) - 1) / 3):.0f}, of {len(points[0])} "
        "test images and one seed. Near points are near in feature space; sizes of groups, "
        "distances between them and directions mean nothing."
    )
    return finish(figure, f"embedding-{task}", facts, remark)


def _labels(answer: Answer) -> list[tuple[str, np.ndarray, str]]:
    """(name, value of each image, kind) of a class or of each axis."""
    if answer.targets.ndim == 1:
        return [("class", answer.targets, "class")]
    names = axis_names(answer.record)
    if len(names) != answer.targets.shape[1]:
        raise ResultsError("the targets do not fit the axes that the record names")
    return [
        (f"{name} ({unit})" if unit else name, answer.targets[:, i], "value")
        for i, (name, unit, _) in enumerate(names)
    ]


def _classes(ax: Axes, xy: np.ndarray, codes: np.ndarray, classes: Sequence[str]) -> None:
    """Eight colours times eight markers."""
    colours = (
        "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#000000", "#B8A800",
    )  # fmt: skip
    for code in np.unique(codes).astype(int):
        of = codes == code
        name = classes[code] if code < len(classes) else str(code)
        ax.plot(
            xy[of, 0], xy[of, 1], linestyle="none", marker=_MARKERS[code // _COLOURS % 8],
            color=colours[code % _COLOURS], markersize=2.2, markeredgewidth=0, label=name,
        )  # fmt: skip


def _values(ax: Axes, xy: np.ndarray, values: np.ndarray) -> object:
    return ax.scatter(xy[:, 0], xy[:, 1], c=values, s=4, cmap="viridis", linewidths=0)


def _frame(ax: Axes, title: str) -> None:
    ax.set_xticks([])
    ax.set_yticks([])
    ax.set_box_aspect(1)
    ax.set_title(title)
    for spine in ax.spines.values():
        spine.set_visible(True)
        spine.set_color("#AAAAAA")
