"""Measured quantities as columns that a linear head can be trained on, and back.

A quantity is centred and scaled by its training statistics; a periodic one is first turned
into a point on the unit circle, so that values on both sides of the wrap lie together.

Shapes: N samples, T targets, K columns (one per target, two for a periodic one).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Target:
    """One quantity that a regression predicts; a period P means that y and y + P are equal."""

    name: str
    unit: str = ""
    period: float | None = None

    @property
    def width(self) -> int:
        """Columns it takes: sine and cosine when periodic, else the value."""
        return 1 if self.period is None else 2


@dataclass(frozen=True)
class TargetStatistics:
    """Centre and scale of the columns of the training targets, (K,) each."""

    mean: np.ndarray
    scale: np.ndarray


def expand(values: np.ndarray, axes: Sequence[Target]) -> np.ndarray:
    """(N, T) -> float64 (N, K): a periodic y becomes sin and cos of 2πy/P."""
    columns: list[np.ndarray] = []
    for axis, column in zip(axes, np.asarray(values, np.float64).T, strict=True):
        if axis.period is None:
            columns.append(column)
        else:
            angle = 2 * np.pi * column / axis.period
            columns += [np.sin(angle), np.cos(angle)]
    return np.stack(columns, axis=1)


def collapse(columns: np.ndarray, axes: Sequence[Target]) -> np.ndarray:
    """(N, K) -> (N, T), the inverse of `expand`; periodic values lie in (-P/2, P/2]."""
    values, start = [], 0
    for axis in axes:
        if axis.period is None:
            values.append(columns[:, start])
        else:
            values.append(_angle(columns[:, start], columns[:, start + 1], axis.period))
        start += axis.width
    return np.stack(values, axis=1)


def target_statistics(columns: np.ndarray, axes: Sequence[Target]) -> TargetStatistics:
    """Mean and standard deviation of the training columns (N, K).

    Sine and cosine share one scale, the root of their mean variance: the circle keeps its
    shape, and the cosine of a narrow range of angles is not blown up. A column that does not
    vary gets a scale of 1e-6 of its size, so predictions stay at its mean.
    """
    scale, start = columns.std(axis=0), 0
    for axis in axes:
        span = slice(start, start + axis.width)
        scale[span] = math.sqrt(np.mean(scale[span] ** 2))
        start = span.stop
    floor = np.maximum(1e-6 * np.abs(columns).max(axis=0), 1e-12)
    return TargetStatistics(columns.mean(axis=0), np.maximum(scale, floor))


def _angle(sine: np.ndarray, cosine: np.ndarray, period: float) -> np.ndarray:
    value = np.arctan2(sine, cosine) * (period / (2 * np.pi))
    return np.where(value <= -period / 2, period / 2, value)
