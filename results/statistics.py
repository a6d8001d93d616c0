"""Mean and spread over seeds: small pure functions of plain numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import sqrt
from statistics import fmean, stdev

LEVEL = 0.95
"""How sure an interval is, unless said otherwise."""


@dataclass(frozen=True)
class Summary:
    """n values: their mean, and their sample standard deviation (None when n = 1).

    low, high: the interval of Student's t around the mean, None when n = 1. All are in the unit of
    the values.
    """

    mean: float
    sd: float | None
    n: int
    low: float | None = None
    high: float | None = None


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


def summarise(values: Sequence[float], *, level: float = LEVEL) -> Summary:
    """Mean, sample standard deviation, number and interval of one or more values.

    The interval, mean ± t · sd / √n with n - 1 degrees of freedom, says where the mean of very many
    seeds would lie. It knows one pre-training set and one test set only, and takes the values for
    a sample of a normal distribution.

    >>> three = summarise([90.0, 91.0, 92.0])
    >>> round(three.low, 2), round(three.high, 2)
    (88.52, 93.48)
    """
    centre, sd, n = mean(values), sample_sd(values), len(values)
    if sd is None:
        return Summary(centre, None, n)
    half = t_quantile(0.5 + level / 2, n - 1) * sd / sqrt(n)
    return Summary(centre, sd, n, centre - half, centre + half)


def within(number: float, ours: Summary, *, rounding: float = 0.0) -> bool | None:
    """Whether a published `number` lies in our interval, its ends included; None without one.

    `rounding` widens the interval on both sides by what printing took away: 0.05 for a number
    printed with one decimal. True is no proof of agreement, as few seeds make wide intervals; what
    the published number varies by is not known and not counted.

    >>> within(91.9, summarise([90.0, 91.0, 92.0])), within(91.9, summarise([91.0]))
    (True, None)
    """
    if ours.low is None or ours.high is None:
        return None
    return ours.low - rounding <= number <= ours.high + rounding


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values corrected for being several (Holm 1979), in the order given.

    The i-th smallest of m is multiplied by m - i + 1, never falls below a smaller one's and never
    exceeds 1. Whatever is then below 0.05 may be called different: the chance that any of the equal
    pairs is among those is at most 5 %, however the tests depend on each other.

    >>> [round(p, 3) for p in holm([0.01, 0.04, 0.03, 0.005])]
    [0.03, 0.06, 0.06, 0.02]
    """
    corrected = [0.0] * len(p_values)
    largest = 0.0
    for place, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, p_values[index] * (len(p_values) - place)))
        corrected[index] = largest
    return corrected


@lru_cache(maxsize=256)
def t_quantile(probability: float, degrees: float) -> float:
    """Where Student's t with `degrees` of freedom, a positive number, reaches `probability`.

    >>> round(t_quantile(0.975, 2), 3)
    4.303
    """
    from scipy.special import stdtrit  # a third of the time that scipy.stats takes to import

    return float(stdtrit(degrees, probability))


def t_tails(t: float, degrees: float) -> float:
    """How probable a value as far from 0 as `t`, on either side, is under Student's t.

    >>> round(t_tails(4.303, 2), 3)
    0.05
    """
    from scipy.special import stdtr

    return float(2 * stdtr(degrees, -abs(t)))
