"""Training logs as small curves, one for each loss term."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from vtbench.results.report.model import Curve

LOG = "losses.jsonl"
TOTAL = "total"  # in every line of losses; the other lines are readings
BOX = (160, 36)  # width and height of a curve's box
MOST_POINTS = 80
_MARGIN = 2


def read_curves(folder: Path) -> list[Curve]:
    """A curve for each loss term in an encoder's log, the total last; none where there is no log.

    Lines that cannot be read, as after a full disk, are left out.
    """
    series: dict[str, list[float]] = {}
    losses = (entry for entry in _entries(folder / LOG) if TOTAL in entry)
    for entry in losses:
        for term, value in entry.items():
            if term != "step" and _is_finite(value):
                series.setdefault(term, []).append(float(value))
    terms = sorted(series, key=lambda term: (term == TOTAL, term))
    if len(terms) == 2:
        terms = [term for term in terms if term != TOTAL]  # the total of one term is that term
    return [curve(term, series[term]) for term in terms]


def curve(term: str, values: Sequence[float]) -> Curve:
    """A term's values as a polyline over the steps; long ones are averaged in pieces.

    >>> curve("sal", [2.0, 1.0, 0.0]).points
    '0.0,2.0 80.0,18.0 160.0,34.0'
    """
    means = _thinned(values)
    low, high = min(means), max(means)
    width, height = BOX
    across = width / max(len(means) - 1, 1)
    span = (high - low) or 1.0
    flat = 0.5 if high == low else 0.0
    room = height - 2 * _MARGIN
    points = [
        (index * across, _MARGIN + room * (flat or (high - mean) / span))
        for index, mean in enumerate(means)
    ]
    if len(points) == 1:
        points.append((width, points[0][1]))
    return Curve(
        term=term,
        points=" ".join(f"{x:.1f},{y:.1f}" for x, y in points),
        first=f"{values[0]:.3g}",
        last=f"{values[-1]:.3g}",
        steps=len(values),
    )


def _thinned(values: Sequence[float]) -> list[float]:
    size = math.ceil(len(values) / MOST_POINTS)
    pieces = [values[start : start + size] for start in range(0, len(values), size)]
    return [sum(piece) / len(piece) for piece in pieces]


def _entries(path: Path) -> Iterator[dict[str, Any]]:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(entry, dict):
            yield entry


def _is_finite(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value)
