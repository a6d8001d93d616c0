"""The protocol cards of a report's tables, those of equal content said once."""

from __future__ import annotations

from collections.abc import Sequence

from vtbench.results.report.model import TableView


def cards(tables: Sequence[TableView]) -> list[tuple[str, Sequence[str]]]:
    """(names of tables, sentences) for every card that differs."""
    found: dict[tuple[str, ...], list[str]] = {}
    for view in tables:
        found.setdefault(tuple(view.card), []).append(view.name)
    return [(", ".join(names), card) for card, names in found.items()]
