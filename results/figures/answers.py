"""What single test images were taken for: the arrays that lie beside a record."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from vtbench.results.cells import Row
from vtbench.results.errors import ResultsError
from vtbench.results.record import Record

if TYPE_CHECKING:
    import numpy as np

    from vtbench.results.figures.shown import Shown
    from vtbench.results.store import Store


@dataclass(frozen=True)
class Answer:
    """One record's test images. predictions: (N, C) logits or (N, T); targets: (N,) or (N, T).

    rows: which images of the data set they are, or None where that is not stored.
    """

    row: Row
    record: Record
    predictions: np.ndarray
    targets: np.ndarray
    rows: np.ndarray | None = None
    features: np.ndarray | None = field(default=None)


def read_answer(store: Store, row: Row, record: Record) -> Answer:
    """The stored arrays; raises `ResultsError` where they are missing or do not fit each other."""
    words = f"{row.title} on {record.task}, seed {record.seed}"
    if record.predictions is None:
        raise ResultsError(f"{words}: no predictions are stored")
    path = store.root / record.predictions
    predictions = store.read_array(path)
    targets = store.read_array(store.beside(path, "targets"))
    rows = store.read_array(store.beside(path, "rows"))
    if predictions is None or targets is None:
        raise ResultsError(f"{words}: no predictions are stored")
    if predictions.ndim != 2 or len(predictions) != len(targets):
        raise ResultsError(f"{words}: its predictions do not fit its targets")
    return Answer(row, record, predictions, targets, rows)


def answers(store: Store, shown: Shown, row: Row, task: str) -> list[Answer]:
    """Those of all finished seeds of a row on a task."""
    return [read_answer(store, row, record) for record in shown.records(row, task)]


def axis_names(record: Record) -> list[tuple[str, str, str]]:
    """(name, unit, metric), such as ("x", "mm", "mae_x"), of each target of a regression.

    They are in the order of the arrays.
    """
    return [
        (metric.name.removeprefix("mae_"), metric.unit, metric.name)
        for metric in record.metrics
        if metric.name.startswith("mae_")
    ]
