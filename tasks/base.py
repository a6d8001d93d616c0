"""What a frozen encoder is asked: a label column or some measured quantities of each image.

A task turns labels into what a linear head is trained on, and outputs of the head back into
predictions and scores. It knows neither images nor how the head is trained.

Shapes: N samples, C classes, T targets, K outputs of the head.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vtbench.tasks.declared import class_names, prettified, target_columns
from vtbench.tasks.encoding import (
    Target,
    TargetStatistics,
    collapse,
    expand,
    target_statistics,
)
from vtbench.tasks.errors import TaskError
from vtbench.tasks.metrics import Metric, absolute_error, top_k, top_k_hits

if TYPE_CHECKING:
    from vtbench.tasks.data.pack import Dataset
    from vtbench.tasks.data.schema import Column, TaskDeclaration

__all__ = ["Classification", "Metric", "Regression", "Target", "TargetStatistics", "Task"]


class Task(ABC):
    """A question about images, answered by a linear head.

    Built-in tasks declare `title` and `kind` as plain literals: `bench list` reads them from
    the source without running it. Scores are plain numpy, in the units of the labels.
    """

    title: str = ""
    kind: ClassVar[str]
    name: str

    @classmethod
    @abstractmethod
    def for_declaration(
        cls, name: str, declaration: TaskDeclaration, columns: Mapping[str, Column]
    ) -> Self:
        """The task as a pack declares it; TaskError when the pack's columns do not fit."""

    @property
    @abstractmethod
    def metrics(self) -> tuple[Metric, ...]:
        """All scores in the order of the table; exactly one is primary."""

    @property
    def primary(self) -> Metric:
        """The score that chooses the epoch."""
        return next(metric for metric in self.metrics if metric.primary)

    @abstractmethod
    def outputs(self) -> int:
        """Width K of the head."""

    def head(self, width: int, *, generator: torch.Generator | None = None) -> nn.Linear:
        """A new linear head for embeddings of `width`; its weights come from the generator.

        Weights and bias are uniform in ±1/√width, which is `nn.Linear`'s own initialisation,
        but drawing them leaves the global generator alone when one is given.
        """
        head = nn.utils.skip_init(nn.Linear, width, self.outputs())
        bound = 1 / math.sqrt(width)
        nn.init.uniform_(head.weight, -bound, bound, generator=generator)
        nn.init.uniform_(head.bias, -bound, bound, generator=generator)
        return head

    @abstractmethod
    def targets(self, dataset: Dataset) -> np.ndarray:
        """The labels of all N images; TaskError when one is missing."""

    @abstractmethod
    def statistics(self, targets: np.ndarray) -> TargetStatistics:
        """What `encode` and `decode` need to know about the training targets."""

    @abstractmethod
    def encode(self, targets: np.ndarray, statistics: TargetStatistics) -> np.ndarray:
        """Labels as the head is trained on them."""

    @abstractmethod
    def decode(self, outputs: np.ndarray, statistics: TargetStatistics) -> np.ndarray:
        """Outputs (N, K) of the head as predictions."""

    @abstractmethod
    def loss(self, predicted: Tensor, target: Tensor) -> Tensor:
        """Scalar training loss of outputs (B, K) against encoded targets."""

    @abstractmethod
    def scores(self, predictions: np.ndarray, targets: np.ndarray) -> dict[str, float]:
        """One number for every metric; TaskError when a prediction is not finite."""

    @abstractmethod
    def sample_scores(self, predictions: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """float64 (N,): what each image adds to the primary score, which is their mean."""


class Classification(Task):
    """Which of C classes an image shows. Predictions are logits (N, C), without softmax.

    Top-5 is left out where it says nothing: of five classes or fewer it is always 100.
    """

    kind = "classification"

    def __init__(
        self, *, name: str, label: str, classes: tuple[str, ...], title: str | None = None
    ) -> None:
        self.name = name
        self.label = label
        self.classes = classes
        self.title = title or self.title or prettified(name)

    @classmethod
    def for_declaration(
        cls, name: str, declaration: TaskDeclaration, columns: Mapping[str, Column]
    ) -> Self:
        """The classification of the declared label column, which may have any name."""
        label, classes = class_names(name, declaration, columns)
        return cls(name=name, label=label, classes=classes, title=cls.title or declaration.title)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Top-1 (primary) and, of more than five classes, Top-5 accuracy in percent."""
        top1 = Metric(name="top1", label="Top-1", unit="%", better="higher", primary=True)
        if len(self.classes) <= 5:
            return (top1,)
        return (top1, Metric(name="top5", label="Top-5", unit="%", better="higher"))

    def outputs(self) -> int:
        """One logit per class."""
        return len(self.classes)

    def targets(self, dataset: Dataset) -> np.ndarray:
        """Class codes, int64 (N,), in the order of `classes`."""
        codes = np.asarray(dataset.columns[self.label], dtype=np.int64)
        if len(codes) and not (codes.min() >= 0 and codes.max() < len(self.classes)):
            raise TaskError(
                f"Column {self.label!r} of dataset {dataset.name!r} has class codes outside "
                f"0..{len(self.classes) - 1}; list all its classes in pack.yaml."
            )
        return codes

    def statistics(self, targets: np.ndarray) -> TargetStatistics:
        """Nothing to know: logits are neither centred nor scaled."""
        del targets
        return TargetStatistics(np.zeros(self.outputs()), np.ones(self.outputs()))

    def encode(self, targets: np.ndarray, statistics: TargetStatistics) -> np.ndarray:
        """The class codes themselves."""
        del statistics
        return targets

    def decode(self, outputs: np.ndarray, statistics: TargetStatistics) -> np.ndarray:
        """The logits themselves, float32 (N, C)."""
        del statistics
        return np.asarray(outputs, dtype=np.float32)

    def loss(self, predicted: Tensor, target: Tensor) -> Tensor:
        """Cross-entropy, mean over the batch."""
        return F.cross_entropy(predicted, target)

    def scores(self, predictions: np.ndarray, targets: np.ndarray) -> dict[str, float]:
        """The metrics in percent, 0..100."""
        asked = {metric.name for metric in self.metrics}
        return {
            name: top_k(predictions, targets, k)
            for name, k in (("top1", 1), ("top5", 5))
            if name in asked
        }

    def sample_scores(self, predictions: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """100 where the class is right, else 0."""
        return 100.0 * top_k_hits(predictions, targets, 1)


class Regression(Task):
    """How large T quantities are. Predictions are (N, T) in the units of the targets.

    Built-in regressions declare `units`, the name and unit of each target they need.
    Predictions of a periodic target lie in (-period/2, period/2].
    """

    kind = "regression"
    units: ClassVar[Mapping[str, str]] = {}

    def __init__(self, *, name: str, targets: tuple[Target, ...], title: str | None = None) -> None:
        self.name = name
        self.axes = targets
        self.title = title or self.title or prettified(name)

    @classmethod
    def for_declaration(
        cls, name: str, declaration: TaskDeclaration, columns: Mapping[str, Column]
    ) -> Self:
        """The regression of the declared targets, in the order of `units` where there is one."""
        found = target_columns(name, declaration, columns, needed=cls.units)
        axes = tuple(Target(key, column.unit, column.period) for key, column in found.items())
        return cls(name=name, targets=axes, title=cls.title or declaration.title)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Mean of the per-target errors (primary), then the error of each target."""
        units = dict.fromkeys(axis.unit for axis in self.axes if axis.unit)
        average = Metric(
            name="mae",
            label="Avg. MAE",
            unit=", ".join(units),
            better="lower",
            decimals=4,
            primary=True,
        )
        return (average, *(_axis_metric(axis) for axis in self.axes))

    def outputs(self) -> int:
        """One output per target, two for a periodic one."""
        return sum(axis.width for axis in self.axes)

    def targets(self, dataset: Dataset) -> np.ndarray:
        """The measured values, float64 (N, T)."""
        columns = [np.asarray(dataset.columns[axis.name], np.float64) for axis in self.axes]
        for axis, column in zip(self.axes, columns, strict=True):
            if not np.isfinite(column).all():
                row = int(np.flatnonzero(~np.isfinite(column))[0])
                raise TaskError(
                    f"Column {axis.name!r} of dataset {dataset.name!r} has no finite value in "
                    f"row {row}; fill it in or leave the image out."
                )
        return np.stack(columns, axis=1)

    def statistics(self, targets: np.ndarray) -> TargetStatistics:
        """Mean and scale of the columns that the training targets (N, T) become."""
        return target_statistics(expand(targets, self.axes), self.axes)

    def encode(self, targets: np.ndarray, statistics: TargetStatistics) -> np.ndarray:
        """Standardised columns, float64 (N, K); a periodic y becomes sin and cos of 2πy/P."""
        return (expand(targets, self.axes) - statistics.mean) / statistics.scale

    def decode(self, outputs: np.ndarray, statistics: TargetStatistics) -> np.ndarray:
        """The inverse of `encode`, float64 (N, T)."""
        columns = np.asarray(outputs, np.float64) * statistics.scale + statistics.mean
        return collapse(columns, self.axes)

    def loss(self, predicted: Tensor, target: Tensor) -> Tensor:
        """Mean squared error over batch and outputs."""
        return F.mse_loss(predicted, target)

    def scores(self, predictions: np.ndarray, targets: np.ndarray) -> dict[str, float]:
        """`mae_<target>` for each target in its unit, and `mae`, their plain mean.

        The mean adds millimetres and degrees where a task has both, as the average of
        SARL (arXiv 2512.01908), Table I does.
        """
        errors = {
            f"mae_{axis.name}": float(
                absolute_error(predictions[:, i], targets[:, i], axis.period).mean()
            )
            for i, axis in enumerate(self.axes)
        }
        return {"mae": sum(errors.values()) / len(errors), **errors}

    def sample_scores(self, predictions: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """The absolute error of each image, averaged over the targets."""
        errors = [
            absolute_error(predictions[:, i], targets[:, i], axis.period)
            for i, axis in enumerate(self.axes)
        ]
        return np.mean(errors, axis=0)


def _axis_metric(axis: Target) -> Metric:
    return Metric(
        name=f"mae_{axis.name}",
        label=f"MAE {axis.name}",
        unit=axis.unit,
        better="lower",
        decimals=4,
    )
