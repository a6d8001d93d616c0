"""Mean and spread over seeds: small pure functions of plain numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev


@dataclass(frozen=True)
class Summary:
    """n values: their mean, and their sample standard deviation (None when n = 1)."""

    mean: float
    sd: float | None
    n: int


def mean(values: Sequence[float]) -> float:
    """The arithmetic mean of one or more values, independent of their order.

    Raises `statistics.StatisticsError`, a `ValueError`, for no values.

    >>> mean([1.0, 2.0, 6.0])
    3.0
    """
    return fmean(values)


def sample_sd(values: Sequence[float]) -> float | None:
    """The sample standard deviation (divisor n - 1), or None for a single value.

    >>> sample_sd([1.0, 2.0, 6.0])
    2.6457513110645907
    """
    return stdev(values) if len(values) > 1 else None


def summarise(values: Sequence[float]) -> Summary:
    """Mean, sample standard deviation and number of one or more values."""
    return Summary(mean(values), sample_sd(values), len(values))
