"""Which methods rank differently over many tasks: Friedman's test and critical differences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import sqrt

import numpy as np

from vtbench.results.comparison import ALPHA, Better
from vtbench.results.errors import ResultsError


@dataclass(frozen=True, kw_only=True)
class RankAnalysis:
    """What a critical-difference diagram shows. methods: the best average rank first.

    ranks: their average ranks over `blocks` blocks, 1 = best.  friedman_p: how probable ranks as
    uneven are among equal methods.  critical_difference: average ranks that lie this far apart, or
    farther, differ at `alpha`.  cliques: the largest groups, of two or more neighbours, that are
    not different; all methods are one where Friedman's test finds nothing.
    """

    methods: tuple[str, ...]
    ranks: tuple[float, ...]
    friedman_p: float
    critical_difference: float
    cliques: tuple[tuple[str, ...], ...]
    blocks: int
    alpha: float


def rank_analysis(
    methods: Sequence[str], scores: np.ndarray, *, better: Sequence[Better], alpha: float = ALPHA
) -> RankAnalysis:
    """Friedman's test and Nemenyi's critical difference, after Demšar (JMLR 7, 2006).

    scores: (methods, blocks). A block is a task (of one data set), the score its mean over seeds:
    seeds of one task are not independent of each other, so never blocks of their own. `better` says
    for each block which way is good; units may differ, as only the order counts. Round the scores
    first where methods that are displayed alike should share a rank.

    Nemenyi's test is consulted only where Friedman's rejects at `alpha`. Friedman's p-value is that
    of χ², which is rough and rather too large for few blocks (Demšar's rule of thumb: 10 or fewer),
    so a short table seldom shows anything. Raises `ResultsError` for fewer than 3 methods or 2
    blocks, or gaps.

    >>> scores = np.array([[9, 8, 9, 7, 9, 8, 9], [5, 5, 4, 6, 5, 5, 4], [6, 4, 5, 5, 4, 6, 5.0]])
    >>> found = rank_analysis(["a", "b", "c"], scores, better=["higher"] * 7)
    >>> found.methods, found.cliques, round(found.critical_difference, 2)
    (('a', 'c', 'b'), (('c', 'b'),), 1.25)
    """
    if len(set(methods)) != len(methods):
        raise ResultsError("methods to rank must have different names")
    k, blocks = len(methods), len(better)
    if np.shape(scores) != (k, blocks):
        raise ResultsError(f"{k} methods and {blocks} blocks, but scores of {np.shape(scores)}")
    if k < 3 or blocks < 2:
        raise ResultsError(
            f"ranks are compared over 3 or more methods and 2 or more tasks, not {k} and {blocks}"
        )
    ranks = _ranks(scores, better)
    averages = dict(zip(methods, ranks.mean(axis=1).tolist(), strict=True))
    order = sorted(methods, key=lambda name: (averages[name], name))
    p = _friedman_p(ranks)
    difference = critical_difference(k, blocks, alpha=alpha)
    sorted_ranks = [averages[name] for name in order]
    runs = _cliques(sorted_ranks, difference) if p < alpha else [(0, k)]
    return RankAnalysis(
        methods=tuple(order),
        ranks=tuple(sorted_ranks),
        friedman_p=p,
        critical_difference=difference,
        cliques=tuple(tuple(order[start:end]) for start, end in runs),
        blocks=blocks,
        alpha=alpha,
    )


def average_ranks(scores: np.ndarray, better: Sequence[Better]) -> np.ndarray:
    """The rank of each method, averaged over blocks: 1 = best, equal scores share a mean rank.

    scores: (methods, blocks).  better: which way is good, for each block.

    >>> average_ranks(np.array([[90.0, 0.2], [80.0, 0.1], [80.0, 0.3]]), ["higher", "lower"])
    array([1.5 , 1.75, 2.75])
    """
    return _ranks(scores, better).mean(axis=1)


def _ranks(scores: np.ndarray, better: Sequence[Better]) -> np.ndarray:
    scores = np.asarray(scores, dtype=float)
    if not np.isfinite(scores).all():
        raise ResultsError("ranks need a score of every method on every task: leave out the gaps")
    signs = np.array([-1.0 if way == "higher" else 1.0 for way in better])
    own = scores * signs
    ahead = (own[None] < own[:, None]).sum(axis=1)
    level = (own[None] == own[:, None]).sum(axis=1)
    return ahead + (level + 1) / 2


def _friedman_p(ranks: np.ndarray) -> float:
    """Friedman's test, corrected for ties, of ranks (methods, blocks)."""
    from scipy.stats import friedmanchisquare

    if (ranks == ranks[0]).all():  # every block is one tie, where the correction divides by zero
        return 1.0
    return float(friedmanchisquare(*ranks).pvalue)


def critical_difference(methods: int, blocks: int, *, alpha: float = ALPHA) -> float:
    """Nemenyi's critical difference of average ranks, q √(k (k + 1) / 6N).

    q is the studentised range of k = `methods` and infinitely many degrees of freedom, over √2
    (Demšar 2006, Section 3.2.2 and Table 5).

    >>> round(critical_difference(4, 14), 2), round(critical_difference(4, 14, alpha=0.1), 2)
    (1.25, 1.12)
    """
    from scipy.stats import studentized_range

    q = float(studentized_range.ppf(1 - alpha, methods, np.inf)) / sqrt(2)
    return q * sqrt(methods * (methods + 1) / (6 * blocks))


def _cliques(ranks: Sequence[float], difference: float) -> list[tuple[int, int]]:
    """The longest runs [start, end) of sorted `ranks` closer than `difference`, of two or more."""
    ends = [sum(rank - start < difference for rank in ranks) for start in ranks]
    longest = [ends[0], *(b if b > a else 0 for a, b in pairwise(ends))]
    return [(start, end) for start, end in enumerate(longest) if end - start > 1]
