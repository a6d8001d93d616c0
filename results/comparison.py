"""Are two methods different? Paired comparisons on one column.

Scores of one method on one column are an array of (seeds, test samples), whose mean is the
displayed metric: 100 or 0 for a hit or a miss, the absolute error for a regression. Where single
samples are not known they are an array of (seeds,), the displayed metric of each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Literal

import numpy as np

from vtbench.results.errors import ResultsError
from vtbench.results.statistics import LEVEL, holm, t_quantile, t_tails

Better = Literal["higher", "lower"]
Evidence = Literal["samples and seeds", "seeds only"]

ALPHA = 0.05
RESAMPLES = 2000
_CHUNK = 2**20  # drawn samples held at once: about 32 MB
_NOISE = 1e-12  # differences that are this small beside the scores are rounding


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The difference a - b of two methods on one column, in the column's unit.

    low, high: its confidence interval.  p: how probable a difference as large is between methods
    that are equal, not corrected for several comparisons.  method: what the verdict rests on.
    """

    difference: float
    low: float
    high: float
    p: float
    method: Evidence


@dataclass(frozen=True, kw_only=True)
class TieGroup:
    """The best method of a column by mean, and those that are not shown to be worse.

    tied: the best among them.  undecided: those that `compare` gives no verdict on, such as methods
    with one seed.  p: for each other method its p-value against the best, corrected after Holm.
    comparisons: for each of those the best minus it, uncorrected.
    """

    best: str
    tied: frozenset[str]
    undecided: frozenset[str]
    p: Mapping[str, float]
    comparisons: Mapping[str, Comparison]


def compare(
    a: np.ndarray,
    b: np.ndarray,
    *,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Comparison | None:
    """Whether two methods differ, beyond the luck of the test samples and of the seeds.

    a, b: scores of (seeds, N), the same N test samples in the same order, or of (seeds,). None
    where either has one seed, or where all seed means repeat exactly and are all that is known:
    nothing then says how much seeds vary. Raises `ResultsError` for other shapes, numbers that are
    not finite, or a different N.

    Two errors are added in squares. That of the test samples is the standard error of the mean of
    N paired differences, each the mean over seeds, found by `resamples` bootstraps. That of the
    seeds is s² / n of the seed means of a and of b. The difference is divided by the root of the
    sum and judged by Student's t, with degrees of freedom so that 1 / degrees is the mean of
    1 / (N - 1) for samples and 1 / (Welch and Satterthwaite's degrees) for seeds, weighted by the
    shares that the two have in the squared error.

    Satterthwaite would square these shares too, which promises too much for few seeds. Simulated
    with N = 180, 3 or 5 seeds and spreads of many kinds, methods that are equal in truth are called
    different at 5 % in 0.5 to 5.5 % of cases, his way in up to 7.7 %. With 2 seeds it can be 9 %,
    and at 0.5 %, which matters after Holm's correction, 1 % where only one method's seeds vary.

    Assumed: seeds are independent of each other, test samples too (several frames of one press are
    not: the verdict is then too sure). The errors overlap, as the seed means vary also by what each
    seed does on single samples, and seeds that two methods share are taken as unpaired: both make
    the verdict cautious.

    Without samples it is Welch's t-test on the seed means ("seeds only"), which is blind to the
    choice of test samples and so finds more than would hold on others.

    >>> rng = np.random.default_rng(0)
    >>> good = 100.0 * (rng.random((3, 200)) < 0.9)
    >>> poor = 100.0 * (rng.random((3, 200)) < 0.7)
    >>> found = compare(good, poor)
    >>> found.p < 0.01, found.low < 20 < found.high, found.method
    (True, True, 'samples and seeds')
    """
    return compare_all(a, [b], level=level, resamples=resamples, seed=seed)[0]


def compare_all(
    a: np.ndarray,
    others: Sequence[np.ndarray],
    *,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[Comparison | None]:
    """`compare` of `a` with each of `others`; all see the same resamples, drawn once."""
    a, *rest = (_checked(scores) for scores in (a, *others))
    paired = [i for i, b in enumerate(rest) if _are_paired(a, b)]
    errors: dict[int, float] = {}
    if paired:
        differences = np.stack([a.mean(0) - rest[i].mean(0) for i in paired])
        found = bootstrap_errors(differences, resamples=resamples, seed=seed)
        errors = dict(zip(paired, found.tolist(), strict=True))
    return [_judged(a, b, errors.get(i), level) for i, b in enumerate(rest)]


def bootstrap_errors(
    values: np.ndarray, *, resamples: int = RESAMPLES, seed: int = 0
) -> np.ndarray:
    """The standard error of the mean of each row of `values`, (rows, N) with N of 2 or more.

    The spread of the means of `resamples` draws of N columns with replacement, the same draws for
    every row, times √(N / (N - 1)): a bootstrap takes the sample for the population and is too
    small by that. Close to sd / √N, as it should be for a mean.
    """
    n = values.shape[1]
    rng = np.random.default_rng(seed)
    rows = max(1, _CHUNK // n)
    sizes = [min(rows, resamples - start) for start in range(0, resamples, rows)]
    means = np.concatenate([_drawn(rng, size, n) @ values.T for size in sizes]) / n
    return means.std(axis=0, ddof=1) * sqrt(n / (n - 1))


def _drawn(rng: np.random.Generator, rows: int, n: int) -> np.ndarray:
    """How often each of n samples is drawn in each of `rows` resamples: (rows, n)."""
    drawn = rng.integers(0, n, size=(rows, n)) + n * np.arange(rows)[:, None]
    return np.bincount(drawn.ravel(), minlength=rows * n).reshape(rows, n).astype(float)


def _checked(scores: np.ndarray) -> np.ndarray:
    scores = np.asarray(scores, dtype=float)
    if scores.ndim not in {1, 2} or not scores.size:
        raise ResultsError(f"scores are (seeds, samples) or (seeds,), not {scores.shape}")
    if not np.isfinite(scores).all():
        raise ResultsError("scores to compare must be finite: leave failed seeds out")
    return scores


def _are_paired(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether both are known by sample; one sample says nothing of how samples vary."""
    if a.ndim == 1 or b.ndim == 1:
        return False
    if a.shape[1] != b.shape[1]:
        raise ResultsError(
            f"{a.shape[1]} and {b.shape[1]} test samples: methods are compared on the same ones"
        )
    return a.shape[1] > 1


def _judged(
    a: np.ndarray, b: np.ndarray, sample_error: float | None, level: float
) -> Comparison | None:
    """The verdict on a and b; `sample_error` is None where seeds are all that is known."""
    if len(a) < 2 or len(b) < 2:
        return None
    difference = float(a.mean() - b.mean())
    if abs(difference) <= _NOISE * max(np.abs(a).max(), np.abs(b).max()):
        difference = 0.0
    error, degrees = _error(a, b, sample_error)
    if error == 0:
        p = _p_without_spread(difference, 0 if sample_error is None else a.shape[1])
        half = 0.0
    else:
        p = t_tails(difference / error, degrees)
        half = error * t_quantile(0.5 + level / 2, degrees)
    if p is None:
        return None
    return Comparison(
        difference=difference,
        low=difference - half,
        high=difference + half,
        p=p,
        method="seeds only" if sample_error is None else "samples and seeds",
    )


def _p_without_spread(difference: float, samples: int) -> float | None:
    """The p-value where neither samples nor seeds vary.

    Equal methods are equal. Of N samples that all differ by the same, a sign test says 2^(1 - N).
    Seed means that happen to repeat exactly, as coarse accuracies do, say nothing: None.
    """
    if difference == 0:
        return 1.0
    return 2.0 ** (1 - samples) if samples else None


def _error(a: np.ndarray, b: np.ndarray, sample_error: float | None) -> tuple[float, float]:
    """The standard error of a - b and its degrees of freedom, as `compare` describes."""
    parts = [(_seed_variance(scores), len(scores) - 1) for scores in (a, b)]
    seeds = sum(variance for variance, _ in parts)
    samples = 0.0 if sample_error is None else sample_error**2
    squared = seeds + samples
    if squared == 0:
        return 0.0, 1.0
    # Welch: one over the degrees of the seeds is a sum of squared shares in their error
    inverse = samples / squared / (a.shape[-1] - 1) if samples else 0.0
    if seeds:
        inverse += seeds / squared * sum((v / seeds) ** 2 / degrees for v, degrees in parts)
    return sqrt(squared), 1 / inverse


def _seed_variance(scores: np.ndarray) -> float:
    """The squared standard error of the mean over seeds; zero where all seeds are alike."""
    means = scores if scores.ndim == 1 else scores.mean(axis=1)
    alike = np.ptp(means) <= _NOISE * np.abs(means).max()
    return 0.0 if alike else float(means.var(ddof=1)) / len(means)


def tie_group(
    scores: Mapping[str, np.ndarray],
    *,
    better: Better,
    alpha: float = ALPHA,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> TieGroup | None:
    """The best of a column and the methods that are statistically tied with it.

    `scores` holds the competing methods only (see `compare` for the arrays). Tied is whose
    difference from the best by mean has a p-value of `alpha` or more, corrected after Holm for the
    number of methods that could be judged. None, and nothing is claimed, where the best has one
    seed, or no other method could be judged.

    The best is chosen by the scores that it is then tested on. A given method that is in truth as
    good as any is left out with a probability of no more than about `alpha`; that any one of many
    equal methods is left out is more probable than that.

    >>> seeds = {"a": np.array([90.0, 91.0, 92.0]), "b": np.array([89.0, 91.0, 91.0]),
    ...          "c": np.array([60.0, 61.0, 62.0])}
    >>> group = tie_group(seeds, better="higher")
    >>> group.best, sorted(group.tied)
    ('a', ['a', 'b'])
    """
    if not scores:
        return None
    best = _best(scores, better)
    others = sorted(name for name in scores if name != best)
    found = compare_all(
        scores[best], [scores[name] for name in others], resamples=resamples, seed=seed
    )
    comparisons = {name: c for name, c in zip(others, found, strict=True) if c is not None}
    if not comparisons:
        return None
    corrected = holm([c.p for c in comparisons.values()])
    p = dict(zip(comparisons, corrected, strict=True))
    return TieGroup(
        best=best,
        tied=frozenset({best, *(name for name in p if p[name] >= alpha)}),
        undecided=frozenset(others) - comparisons.keys(),
        p=p,
        comparisons=comparisons,
    )


def _best(scores: Mapping[str, np.ndarray], better: Better) -> str:
    sign = -1 if better == "higher" else 1
    return min(scores, key=lambda name: (sign * float(np.mean(scores[name])), name))
