"""How pre-training went: every loss term, the shares of the gradients, and signs of collapse.

Shapes: T logged steps, R readings of the monitor.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vtbench.results.errors import ResultsError
from vtbench.results.figures.style import (
    GREY,
    PAGE,
    Facts,
    Plate,
    finish,
    legend_above,
    look_of,
    new_figure,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ACROSS = 4
_SMOOTHED_OVER = 40  # the running mean spans this share of a training

#: The monitor's numbers in words.
SIGNS = {
    "spread": "spread of directions",
    "effective_rank": "effective rank",
    "distinct": "images with a place of their own",
}


#: Readings that lie between 0 and 1.
_SHARES = ("distinct", "prototype_entropy", "prototypes_used")


@dataclass(frozen=True)
class Log:
    """One training: (step, value) of all it wrote, by name, losses apart from the rest."""

    spec: str
    title: str
    seed: int
    losses: Mapping[str, Sequence[tuple[int, float]]]
    shares: Mapping[str, Sequence[tuple[int, float]]]
    readings: Mapping[str, Sequence[tuple[int, float]]]

    @property
    def last_step(self) -> int:
        """The last step that is logged."""
        return max((step for found in self.losses.values() for step, _ in found), default=0)


def read_log(path: Path, spec: str, title: str, seed: int) -> Log:
    """The log of a training; raises `ResultsError` where it is missing or holds no step."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise ResultsError(f"the log of {title}, seed {seed}, cannot be read") from error
    kinds: dict[str, dict[str, list[tuple[int, float]]]] = {"losses": {}, "shares": {}, "signs": {}}
    for line in lines:
        kind, step, values = _parsed(line)
        for name, value in values.items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                kinds[kind].setdefault(name, []).append((step, float(value)))
    if not kinds["losses"]:
        raise ResultsError(f"the log of {title}, seed {seed}, holds no step")
    return Log(spec, title, seed, kinds["losses"], kinds["shares"], kinds["signs"])


def _parsed(line: str) -> tuple[str, int, dict[str, Any]]:
    """Kind, step and numbers of a line; no numbers where it is torn."""
    try:
        entry = json.loads(line)
        step = int(entry.pop("step"))
    except (ValueError, TypeError, KeyError, AttributeError):
        return "losses", 0, {}
    if "gradient_shares" in entry:
        return "shares", step, entry["gradient_shares"]
    if "spread" in entry:
        entry.pop("images", None)
        return "signs", step, {**entry.pop("readings", {}), **entry}
    return "losses", step, entry


def training(logs: Sequence[Log], facts: Facts, limits: Mapping[str, float]) -> Plate:
    """One method: a panel for each of its terms and readings, a line for each seed."""
    first = logs[0]
    terms = [name for name in first.losses if name != "total"]
    names = [("losses", name) for name in (["total"] if len(terms) > 1 else []) + terms]
    names += [("shares", "")] if first.shares else []
    names += [("readings", name) for name in _readings(first)]
    down = ceil(len(names) / _ACROSS)
    figure = new_figure(PAGE, 0.75 + 1.3 * down)
    axes = figure.subplots(down, min(_ACROSS, len(names)), squeeze=False)
    for ax, (kind, name) in zip(axes.flat, names, strict=False):
        if kind == "shares":
            _shares(ax, logs)
        else:
            _lines(ax, kind, name, logs, limits)
        ax.set_xlabel("step", labelpad=1)
    for ax in axes.flat[len(names) :]:
        ax.remove()
    figure.suptitle(f"{first.title}: pre-training", fontsize=7.5, fontweight="bold")
    seeds = tuple(log.seed for log in logs)
    remark = (
        "Losses before their weights: faint, every step; full, running mean; a line for each seed."
        + (" Dotted: below it an encoder is called collapsed." if first.readings else "")
    )
    facts = Facts(facts.source, facts.pack, facts.sensor, facts.profile, seeds)
    return finish(figure, f"curves-{first.spec}", facts, remark)


def monitors(logs: Sequence[Log], facts: Facts, limits: Mapping[str, float]) -> Plate:
    """All methods beside each other: the three signs of collapse."""
    read = [log for log in logs if log.readings]
    if not read:
        raise ResultsError("no log holds a reading of the collapse monitors")
    figure = new_figure(PAGE, 2.6)
    axes = figure.subplots(1, len(SIGNS))
    for ax, (name, words) in zip(axes, SIGNS.items(), strict=True):
        for log in read:
            _sign(ax, log, name, legend=name == "spread")
        _limit(ax, name, limits)
        ax.set_title(words)
        ax.set_xlabel("share of the training", labelpad=1)
        ax.set_xlim(0, 1.04)
        ax.grid()
    handles, titles = axes[0].get_legend_handles_labels()
    unique = dict(zip(titles, handles, strict=True))
    legend_above(figure, unique)
    seeds = tuple(sorted({log.seed for log in read}))
    facts = Facts(facts.source, facts.pack, facts.sensor, facts.profile, seeds)
    remark = (
        "Read after each epoch from embeddings of the same images, a line for each seed. Dotted: "
        "below it an encoder is called collapsed."
    )
    return finish(figure, "curves-monitors", facts, remark)


def running_mean(values: Sequence[float], window: int) -> list[float]:
    """The mean of each value and those before it, `window` at most.

    >>> running_mean([1.0, 3.0, 5.0], 2)
    [1.0, 2.0, 4.0]
    """
    sums = [0.0]
    for value in values:
        sums.append(sums[-1] + value)
    return [
        (sums[i + 1] - sums[max(0, i + 1 - window)]) / min(window, i + 1)
        for i in range(len(values))
    ]


def _readings(log: Log) -> list[str]:
    return [*(n for n in SIGNS if n in log.readings), *(n for n in log.readings if n not in SIGNS)]


def _lines(
    ax: Axes, kind: str, name: str, logs: Sequence[Log], limits: Mapping[str, float]
) -> None:
    """A loss or a reading of every seed."""
    for log in logs:
        found = getattr(log, kind).get(name, ())
        steps, values = [s for s, _ in found], [v for _, v in found]
        colour = look_of(log.spec).colour
        if kind == "readings":
            ax.plot(steps, values, color=colour, marker="o", markersize=2.5, gid=name)
            continue
        window = max(1, len(values) // _SMOOTHED_OVER)
        ax.plot(steps, values, color=colour, linewidth=0.4, alpha=0.3, gid=f"{name}-raw")
        ax.plot(steps, running_mean(values, window), color=colour, linewidth=0.9, gid=name)
    if kind == "readings":
        ax.set_ylim(0, 1.05 if name in _SHARES else max(1e-9, 1.1 * ax.get_ylim()[1]))
        _limit(ax, name, limits)
    ax.set_title(SIGNS.get(name, name.replace("_", " ")) + (" loss" if kind == "losses" else ""))
    ax.set_xlim(left=0)
    ax.grid()


def _shares(ax: Axes, logs: Sequence[Log]) -> None:
    """Which part of the gradient's norm each term has, dashes telling the terms apart."""
    styles = ("-", "--", ":", "-.")
    for log in logs:
        for index, (name, found) in enumerate(log.shares.items()):
            ax.plot(
                [s for s, _ in found], [100 * v for _, v in found], color=GREY,
                linestyle=styles[index % len(styles)], marker=("o", "s", "^", "D")[index % 4],
                markersize=2, gid=f"share-{name}",
            )  # fmt: skip
    ax.set_yscale("symlog", linthresh=0.1)
    ax.set_ylim(0, 150)
    ax.set_yticks([0, 0.1, 1, 10, 100], ["0", "0.1", "1", "10", "100"])
    ax.set_title("share of the gradient (%)")
    ax.set_xlim(0, 1.35 * max(1, ax.dataLim.x1))
    _name_ends(ax, {name: found[-1] for name, found in logs[0].shares.items()})
    ax.grid()


def _name_ends(ax: Axes, ends: Mapping[str, tuple[int, float]]) -> None:
    """Names beside the ends of lines, moved apart where the lines end close together."""
    into = ax.transData + ax.transAxes.inverted()
    places = {name: into.transform((step, 100 * share)) for name, (step, share) in ends.items()}
    below = -1.0
    for name, (x, y) in sorted(places.items(), key=lambda item: item[1][1]):
        below = max(y, below + 0.1)
        ax.text(x + 0.04, below, name, transform=ax.transAxes, fontsize=5, va="center")


def _sign(ax: Axes, log: Log, name: str, *, legend: bool) -> None:
    found = log.readings.get(name, ())
    last = max(1, log.last_step)
    look = look_of(log.spec)
    ax.plot(
        [step / last for step, _ in found], [value for _, value in found], color=look.colour,
        marker=look.marker, markerfacecolor=look.face, markersize=4, markeredgewidth=0.4,
        markeredgecolor="black", label=log.title if legend else None, gid=name,
    )  # fmt: skip


def _limit(ax: Axes, name: str, limits: Mapping[str, float]) -> None:
    """The threshold of collapse, on an axis that starts at zero."""
    if name not in limits:
        return
    ax.axhline(limits[name], color="black", linewidth=0.8, linestyle=":")
    ax.set_ylim(0, max(ax.get_ylim()[1], 1.15 * limits[name]))
