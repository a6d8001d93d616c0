"""Results as rows: dictionaries, or a pandas DataFrame of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from vtbench.results.record import Record

    #: A DataFrame, or with `frame=False` the same rows as dictionaries.
    Rows = pd.DataFrame | list[dict[str, Any]]


def scores(record: Record) -> Iterator[dict[str, Any]]:
    """A row for each score of a record, or one with the reason why it has none."""
    origin = record.trained_on or record.data
    head = {
        "method": record.method,
        "title": record.method_title,
        "role": record.role,
        "task": record.task,
        "protocol": record.protocol,
        "seed": record.seed,
    }
    tail = {
        "status": record.status,
        "error": record.error,
        "source": record.data["source"],
        "pack": record.data["pack"],
        "trained_on": origin["pack"],
        "sensor": record.sensor,
        "profile": record.profile,
        "id": record.id,
    }
    scored = [metric for metric in record.metrics if metric.name in record.scores]
    for metric in scored:
        yield head | {
            "metric": metric.name,
            "unit": metric.unit,
            "better": metric.better,
            "primary": metric.primary,
            "value": record.scores[metric.name],
            "validation": record.val_scores.get(metric.name),
        } | tail  # fmt: skip
    if not scored:
        empty = dict.fromkeys(("metric", "unit", "better", "primary", "value", "validation"))
        yield head | empty | tail


def as_rows(rows: list[dict[str, Any]], frame: bool, **attributes: Any) -> Rows:
    """The rows, with `frame` as a DataFrame whose `attrs` are the attributes."""
    if not frame:
        return rows
    import pandas as pd

    made = pd.DataFrame(rows)
    made.attrs |= attributes
    return made


def as_number(text: str) -> Any:
    """A cell of a CSV file: a number where it is one, None where it is empty."""
    try:
        return float(text) if text else None
    except ValueError:
        return text
