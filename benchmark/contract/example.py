"""A labelled set in memory, and the declaration by which a pack asks a task of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from vtbench.tasks.base import Task
from vtbench.tasks.data.pack import Dataset
from vtbench.tasks.data.schema import Column, TaskDeclaration

COUNT = 70
CLASSES = tuple(f"class {letter}" for letter in "abcdefg")


def example_columns(task: type[Task]) -> Mapping[str, Column]:
    """Columns that fit a task: its `example`, those of its `units`, or seven classes."""
    if getattr(task, "example", None):
        return task.example  # type: ignore[attr-defined]
    if task.kind == "classification":
        return {"label": Column(classes=CLASSES)}
    units = getattr(task, "units", None) or {"value": "mm"}
    return {name: Column(unit=unit) for name, unit in units.items()}


def class_columns(columns: Mapping[str, Column]) -> list[str]:
    """The columns that hold classes."""
    return [name for name, column in columns.items() if column.classes]


def example_declaration(task: type[Task], columns: Mapping[str, Column]) -> TaskDeclaration:
    """The declaration that asks a task of columns."""
    asked: dict[str, Any]
    if task.kind == "classification":
        asked = {"label": class_columns(columns)[0]}
    else:
        asked = {"targets": tuple(name for name, info in columns.items() if not info.classes)}
    return TaskDeclaration(dataset="example", title="Example", **asked)


def example_dataset(columns: Mapping[str, Column]) -> Dataset:
    """Black images with labels that are random and the same every time."""
    draws = np.random.default_rng(0)
    values = {name: _values(column, draws) for name, column in columns.items()}
    train, val, test = np.split(np.arange(COUNT), [42, 56])
    return Dataset(
        pack="example",
        name="example",
        sensor="camera",
        source="simulated",
        images=np.zeros((COUNT, 32, 32, 3), np.uint8),
        columns=values,
        info=dict(columns),
        splits={"train": train, "val": val, "test": test},
        fingerprint="",
    )


def _values(column: Column, draws: np.random.Generator) -> np.ndarray:
    """Classes of nearly equal size, or numbers from 0 to 10 (a periodic one within its period)."""
    if column.classes:
        return draws.permutation(np.arange(COUNT) % len(column.classes)).astype(np.int64)
    return draws.uniform(0, column.period or 10.0, COUNT)
