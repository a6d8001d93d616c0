"""What a score is called, which way is better, and the formulas behind the scores.

Shapes: N samples, C classes, T targets. Everything is float64 numpy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from vtbench.tasks.errors import TaskError


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One score of a task, with all that a table needs to print it.

    name: key in the scores, as `top1`; label: column header, as `Top-1`; unit: of the number,
    several units joined by commas where an average mixes them, empty where there is none;
    primary: the score that chooses the epoch and stands in the main table.
    """

    name: str
    label: str
    unit: str = ""
    better: Literal["higher", "lower"]
    decimals: int = 2
    primary: bool = False

    def improves(self, score: float, best: float | None) -> bool:
        """Whether `score` is strictly better than `best`; anything is better than None."""
        if best is None:
            return True
        return score > best if self.better == "higher" else score < best


def top_k(logits: np.ndarray, classes: np.ndarray, k: int) -> float:
    """Percentage of samples whose class is among the k highest of its row; see `top_k_hits`.

    With C <= k it is 100 whatever the logits are.
    """
    return float(100 * np.mean(top_k_hits(logits, classes, k)))


def top_k_hits(logits: np.ndarray, classes: np.ndarray, k: int) -> np.ndarray:
    """Whether the class of each sample is among the k highest of its row, bool (N,).

    logits (N, C); classes (N,) integer codes.
    Of classes with equal logits the one with the lower code counts as higher, so a constant
    prediction scores the share of the first k classes.
    """
    _require_finite(logits)
    rows = np.arange(len(logits))
    own = logits[rows, classes][:, None]  # (N, 1)
    earlier = np.arange(logits.shape[1])[None] < classes[:, None]  # (N, C)
    rank = ((logits > own) | ((logits == own) & earlier)).sum(axis=1)  # (N,)
    return rank < k


def absolute_error(
    predicted: np.ndarray, true: np.ndarray, period: float | None = None
) -> np.ndarray:
    """|predicted - true| of one target, (N,), the shorter way round when it has a period P.

    The wrapped form is |((p - t + P/2) mod P) - P/2|, in [0, P/2].
    """
    _require_finite(predicted)
    difference = np.asarray(predicted, np.float64) - true
    if period is not None:
        difference = (difference + period / 2) % period - period / 2
    return np.abs(difference)


def _require_finite(predictions: np.ndarray) -> None:
    """A comparison with NaN is false, which would count a broken prediction as a hit."""
    if not np.isfinite(predictions).all():
        raise TaskError(
            "The predictions hold NaN or infinite values; train with a lower learning rate."
        )
