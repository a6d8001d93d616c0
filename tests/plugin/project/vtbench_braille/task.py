"""Braille: which letter is felt, and how many of its dots are misread.

Shapes: N samples, C letters.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from vtbench.tasks.base import Classification
from vtbench.tasks.data.schema import Column
from vtbench.tasks.errors import TaskError
from vtbench.tasks.metrics import Metric
from vtbench_braille.letters import DOTS

if TYPE_CHECKING:
    from vtbench.tasks.data.schema import TaskDeclaration


class Braille(Classification):
    """Classification of the letter; a wrong letter that shares dots is a smaller mistake."""

    title = "Braille"
    kind = "classification"
    example: ClassVar = {"letter": Column(classes=tuple(DOTS))}

    @classmethod
    def for_declaration(
        cls, name: str, declaration: TaskDeclaration, columns: Mapping[str, Column]
    ) -> Self:
        """The task on a column of letters; TaskError for a class that is no letter from a to j."""
        task = super().for_declaration(name, declaration, columns)
        unknown = [letter for letter in task.classes if letter not in DOTS]
        if unknown:
            raise TaskError(
                f"Task {name!r} reads the letters a to j, and {task.label!r} has the class "
                f"{unknown[0]!r}; rename it, or give the task another name."
            )
        return task

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Top-1 and Top-5, and the mean number of dots misread."""
        dots = Metric(name="dots", label="Wrong dots", unit="dots", better="lower")
        return (*super().metrics, dots)

    def scores(self, predictions: np.ndarray, targets: np.ndarray) -> dict[str, float]:
        """One number for every metric of logits (N, C)."""
        found = super().scores(predictions, targets)
        patterns = np.array([[dot in DOTS[c] for dot in range(1, 7)] for c in self.classes])
        wrong = patterns[predictions.argmax(axis=1)] != patterns[targets]  # (N, 6)
        return {**found, "dots": float(wrong.sum(axis=1).mean())}
