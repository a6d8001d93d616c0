"""Records whose score is not what the stored scores of their test images say: never believed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import isclose
from typing import TYPE_CHECKING

from vtbench.results.folder import file_name
from vtbench.results.record import Record

if TYPE_CHECKING:
    import numpy as np

#: The score of each test image of a record, whose mean is its primary score; None if not known.
Samples = Callable[[Record], "np.ndarray | None"]


def fits(scores: np.ndarray, mean: float) -> bool:
    """Whether these are the samples of a score, and not those of another metric or run."""
    if scores.ndim != 1 or not scores.size:
        return False
    return isclose(float(scores.mean()), mean, rel_tol=1e-6, abs_tol=1e-9)


def contradictions(records: Iterable[Record], samples: Samples) -> dict[str, str]:
    """{record id: a sentence on it} for those whose primary score is not the mean of its images.

    Which of the two was damaged or edited cannot be known. A record whose images are not stored is
    taken at its word.
    """
    found = {record.id: _contradiction(record, samples) for record in records if record.done}
    return {identity: sentence for identity, sentence in found.items() if sentence}


def _contradiction(record: Record, samples: Samples) -> str:
    scores = samples(record)
    primary = [metric for metric in record.metrics if metric.primary]
    if scores is None or any(fits(scores, record.scores[metric.name]) for metric in primary):
        return ""
    metric = primary[0]
    stated = f"{record.scores[metric.name]:.{metric.decimals}f}"
    stored = f"{float(scores.mean()):.{metric.decimals}f}" if scores.size else "none"
    return (
        f"{record.method_title} on {record.task_title} (seed {record.seed}) is damaged and left "
        f"out: {metric.label} {stated} in its record, {stored} by the stored scores of its test "
        f"images. Remove cells/{file_name(record)} and run it again."
    )


def once(samples: Samples) -> Samples:
    """`samples` that reads each record's file once."""
    known: dict[str, np.ndarray | None] = {}

    def read(record: Record) -> np.ndarray | None:
        if record.id not in known:
            known[record.id] = samples(record)
        return known[record.id]

    return read
