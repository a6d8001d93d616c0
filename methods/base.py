"""What every method shares: the data it is given, and the contract it fulfils.

Shapes: B images, V views of each; view v is H_v x W_v pixels.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from vtbench.methods.encoder import Encoder
from vtbench.methods.errors import MethodError
from vtbench.methods.recipe import Recipe


@dataclass(frozen=True)
class Views:
    """V augmented views of B images, and where each view lies in its source image.

    images: V tensors (B, 3, H_v, W_v), normalised.
    geometry: (V, B, 2, 3), the affine map from a view's normalised coordinates to those of the
    source image ([-1, 1] are the outer pixel edges, torch's `align_corners=False`).
    """

    images: tuple[Tensor, ...]
    geometry: Tensor


@dataclass(frozen=True)
class Progress:
    """Where in the training a step stands; all that schedules inside a method may depend on."""

    step: int
    total_steps: int
    steps_per_epoch: int

    @property
    def fraction(self) -> float:
        """Share of the training that is done before this step, in [0, 1)."""
        return self.step / self.total_steps


@dataclass(frozen=True, kw_only=True)
class MethodConfig:
    """Base of every method's settings; the fields' defaults are those of the source paper.

    A field made by `scaled(...)` names the rule by which small profiles shrink it. Numbers are
    positive unless `bounded(...)` says otherwise.
    """


Rule = Literal["head", "codes", "queue", "ema", "waiting"]


def scaled(
    default: Any, rule: Rule, *, least: float | None = None, most: float | None = None
) -> Any:
    """A config field that small profiles shrink by a rule; its bounds as in `bounded`.

    head: hidden and output widths of projectors and predictors, times `scale.head` within
    `scale.narrowest` and `scale.widest`. codes: numbers of prototypes and codes, times
    `scale.codes`. queue: entries of a queue, times `scale.queue`. ema: the distance of an EMA rate
    from 1, times `scale.ema` (0.996 with factor 2 is 0.992). waiting: epochs in a training of 100
    before something begins, fewer in a shorter one, or times `scale.waiting`.
    """
    return field(default=default, metadata={"scale": rule, "least": least, "most": most})


def bounded(default: Any, *, least: float | None = None, most: float | None = None) -> Any:
    """A numeric config field from `least` (if not stated: more than 0) to `most`."""
    return field(default=default, metadata={"least": least, "most": most})


class Method(nn.Module, ABC):
    """An SSL objective over an encoder.

    Subclasses declare `title`, `year`, `family`, `citation`, `terms` (name -> default weight)
    and `recipes` (at least `official`) as class attributes, keep the trained encoder in
    `self.encoder`, and write `losses`. `title`, `year`, `family`, `citation`, `terms`, `notes`
    and `caveat` must be plain literals: `bench list` reads them from the source without running
    it. `notes` says how the method relates to its source; a `caveat` is repeated under every
    table with a number of the method.

    The total loss is the sum of weight x term over the terms with a weight other than zero.
    A term of weight zero need not be computed (`self.wants(name)`), so an ablation is a setting.
    """

    title: ClassVar[str]
    year: ClassVar[int]
    family: ClassVar[str]
    citation: ClassVar[str]
    notes: ClassVar[str] = ""
    caveat: ClassVar[str] = ""
    terms: ClassVar[dict[str, float]]
    recipes: ClassVar[dict[str, Recipe]]
    Config: ClassVar[type[MethodConfig]] = MethodConfig

    def __init__(
        self, encoder: Encoder, config: MethodConfig, weights: Mapping[str, float] | None = None
    ) -> None:
        """`weights` replaces default term weights; an unknown term raises MethodError."""
        super().__init__()
        unknown = set(weights or {}) - set(self.terms)
        if unknown:
            raise MethodError(
                f"{self.title} has no loss term {sorted(unknown)[0]!r}; "
                f"its terms are {', '.join(self.terms)}."
            )
        self.encoder = encoder
        self.config = config
        self.weights = {**self.terms, **(weights or {})}
        #: Scalars of the last `losses` that are worth a look and no loss, such as the share of
        #: prototypes in use; they are logged, and nothing depends on them.
        self.readings: dict[str, Tensor] = {}

    def wants(self, term: str) -> bool:
        """Whether a term takes part in the total loss."""
        return self.weights[term] != 0

    @abstractmethod
    def losses(self, views: Views, progress: Progress) -> dict[str, Tensor]:
        """The unweighted loss terms, one float32 scalar for every term that `wants` names."""

    def total(self, losses: Mapping[str, Tensor]) -> Tensor:
        """Sum of weight x term over the wanted terms, a float32 scalar."""
        return torch.stack(
            [self.weights[name] * losses[name] for name in self.terms if self.wants(name)]
        ).sum()

    def after_step(self, progress: Progress) -> None:
        """Called after each optimiser step: target networks, moving averages and queues move here.

        `progress` is that of the step; `losses` was called once since the last call.
        """
