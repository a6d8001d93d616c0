"""SARL: BYOL, plus three losses that keep the feature maps of two views aligned.

Khurana, Wei & Zhang, "SARL: Spatially-Aware Self-Supervised Representation Learning for
Visuo-Tactile Perception", 2025, https://arxiv.org/abs/2512.01908
Code: gurmeherr/SARL---Spatially-Aware-Representation-Learning, SARL.py at e8ddf8f ("the code").

Shapes: B images, two views of each; P = projection width; feature maps (B, C, H, W).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from lightly.models.modules.heads import ProjectionHead
from torch import Tensor, nn

from vtbench.methods.base import Method, MethodConfig, Progress, Views, bounded, scaled
from vtbench.methods.byol import prediction_error
from vtbench.methods.distributed import gathered
from vtbench.methods.encoder import Encoder
from vtbench.methods.errors import MethodError
from vtbench.methods.losses.overlap import Pair
from vtbench.methods.losses.prototypes import (
    assignments,
    prototype_alignment,
    prototype_usage,
    random_prototypes,
)
from vtbench.methods.losses.regions import region_affinity_matching
from vtbench.methods.losses.saliency import saliency_alignment
from vtbench.methods.recipe import Recipe
from vtbench.methods.target import TargetNetwork
from vtbench.methods.views import correspondence

# All numbers are the code's; the augmentation is the default of `Augmentation`.
OFFICIAL = Recipe(
    optimizer="adamw",
    lr=1e-3,
    lr_scaling="none",  # the authors trained at batch size 256 alone and state no rule
    weight_decay=1e-4,
    decay_norm_and_bias=True,  # one parameter group: batch norms, biases and prototypes as well
    schedule="constant",
    warmup_epochs=0,
)

# The code keeps the epoch with the lowest loss, and stops one pixel short of a view's far edges.
SARL_AUTHORS = replace(OFFICIAL, keep="lowest_loss", settings={"shared_edge": "authors"})

Layer = Literal["layer2", "layer3", "layer4"]
Region = Literal["full", "overlap"]


@dataclass(frozen=True, kw_only=True)
class SARLConfig(MethodConfig):
    """Settings of SARL; the defaults are the code's, those marked * are in the paper too.

    Words are explained where they act, in `losses`. A grid finer than its map is the map's cells.
    """

    hidden_width: int = scaled(2048, "head")  # of the projector
    projection_width: int = scaled(256, "head")  # *
    predictor_width: int = scaled(512, "head")
    ema: float = scaled(0.996, "ema", most=1)  # *, constant
    cell_centres: Literal["uniform", "stride"] = "uniform"  # see `overlap.stride_frame`
    shared_edge: Literal["outer", "authors"] = "outer"  # see `overlap.inside`
    sal_region: Region = "full"
    sal_padding: Literal["zeros", "border"] = "zeros"
    sal_average: Literal["cells", "images"] = "cells"
    sal_scale: Literal["mean", "unit_square"] = "mean"
    sal_min_cells: int = 1
    sal_layer2: float = bounded(1.0, least=0)  # *, relative weights in the mean over layers
    sal_layer3: float = bounded(1.0, least=0)  # *
    sal_layer4: float = bounded(1.0, least=0)  # *
    ppda_layer: Layer = "layer3"  # *
    ppda_prototypes: int = 32  # *
    ppda_grid: int = 7  # *
    ppda_temperature: float = 0.1  # *
    ppda_region: Region = "full"  # *, overlap: only patches whose centre the other view shows
    ppda_target_prototypes: Literal["moving", "detached"] = "moving"  # by the target's shares too?
    ram_layer: Layer = "layer3"  # *
    ram_grid: int = 6  # *
    ram_correspondence: Literal["nearest", "resample", "identity"] = "nearest"
    ram_outside: Literal["drop", "identity", "wrap"] = "drop"
    ram_duplicates: Literal["keep", "exclude"] = "keep"
    ram_diagonal: Literal["include", "exclude"] = "include"

    def __post_init__(self) -> None:
        if not (self.sal_layer2 or self.sal_layer3 or self.sal_layer4):
            raise MethodError(
                "sal_layer2, sal_layer3 and sal_layer4 are all 0; set one, or sal=0 instead."
            )


class SARL(Method):
    """The global agreement of BYOL and alignment of saliency, parts and regions."""

    title = "SARL"
    year = 2025
    family = "dense"
    citation = "Khurana, Wei & Zhang, 2025, https://arxiv.org/abs/2512.01908"
    notes = (
        "Loss weights, learning rate, weight decay and head widths are those of the authors' "
        "released code; the text of the paper does not give them all. Cells count as shared up to "
        "the outer edge of a view; the code stops one pixel short of it (0.3 % of the cells)."
    )
    terms = {"global": 1.0, "sal": 0.10, "ppda": 0.05, "ram": 0.02}
    recipes = {"official": OFFICIAL, "sarl_authors": SARL_AUTHORS}
    Config = SARLConfig

    def __init__(
        self, encoder: Encoder, config: SARLConfig, weights: Mapping[str, float] | None = None
    ) -> None:
        super().__init__(encoder, config, weights)
        width = config.projection_width
        norm = nn.BatchNorm1d(width, affine=False)  # standardises; no learnt scale and offset
        self.projector = _head(encoder.embedding_width, config.hidden_width, width, norm)
        self.predictor = _head(width, config.predictor_width, width, None)
        self.target_encoder = TargetNetwork(self.encoder)
        self.target_projector = TargetNetwork(self.projector)
        if self.wants("ppda"):
            channels = encoder.channels[config.ppda_layer]
            self.prototypes = nn.Parameter(random_prototypes(config.ppda_prototypes, channels))

    def losses(self, views: Views, progress: Progress) -> dict[str, Tensor]:
        """global: both directions summed, 0 to 8; sal, ppda and ram: mean of both directions."""
        f1, f2 = (self.encoder(view) for view in views.images)
        t1, t2 = (self.target_encoder(view) for view in views.images)
        theta_12 = correspondence(views, source=0, target=1)
        theta_21 = correspondence(views, source=1, target=0)
        s1, s2 = (view.shape[-1] for view in views.images)
        words = {"centres": self.config.cell_centres, "edge": self.config.shared_edge}
        pair_12 = Pair(f1, t2, theta_12, theta_21, (s1, s2), **words)
        pair_21 = Pair(f2, t1, theta_21, theta_12, (s2, s1), **words)
        self.readings = {}

        def both(term: Callable[[Pair], Tensor]) -> Tensor:
            return term(pair_12) + term(pair_21)

        losses = {
            "global": lambda: both(self.global_agreement),
            "sal": lambda: both(self.sal) / 2,
            "ppda": lambda: both(self.ppda) / 2,
            "ram": lambda: both(self.ram) / 2,
        }
        return {term: loss() for term, loss in losses.items() if self.wants(term)}

    def global_agreement(self, pair: Pair) -> Tensor:
        """The prediction from one view against the target's projection of the other."""
        predicted = self.predictor(self.projector(pair.online.embedding))  # (B, P)
        return prediction_error(predicted, self.target_projector(pair.target.embedding))

    def sal(self, pair: Pair) -> Tensor:
        """Saliency alignment, weighted mean over the layers."""
        weights = {layer: getattr(self.config, f"sal_{layer}") for layer in pair.online.maps}
        options = self._options("sal", "region", "padding", "average", "scale", "min_cells")
        layers = [
            weight * saliency_alignment(*pair.at(layer), **options)
            for layer, weight in weights.items()
            if weight
        ]
        return torch.stack(layers).sum() / sum(weights.values())

    def ppda(self, pair: Pair) -> Tensor:
        """Patch-prototype distribution alignment."""
        layer, grid = self.config.ppda_layer, self.config.ppda_grid
        moving = self.config.ppda_target_prototypes == "moving"
        fixed = self.prototypes if moving else self.prototypes.detach()
        options = self._options("ppda", "grid", "temperature")
        a = assignments(pair.online.maps[layer], self.prototypes, **options)  # (B, N, K)
        b = assignments(pair.target.maps[layer], fixed, **options)
        self.readings = self.readings or prototype_usage(gathered(a.detach()))  # of the first view
        if self.config.ppda_region == "full":
            return prototype_alignment(a, b)
        seen_a, seen_b = pair.shared_regions(layer, grid), pair.reverse.shared_regions(layer, grid)
        return prototype_alignment(a, b, seen_a, seen_b)

    def ram(self, pair: Pair) -> Tensor:
        """Region affinity matching."""
        words = ("correspondence", "outside", "duplicates", "diagonal")
        options = self._options("ram", "grid", *words)
        return region_affinity_matching(*pair.at(self.config.ram_layer), **options)

    def after_step(self, progress: Progress) -> None:
        """The target follows the online network at a constant rate."""
        self.target_encoder.update(self.encoder, self.config.ema)
        self.target_projector.update(self.projector, self.config.ema)

    def _options(self, term: str, *names: str) -> dict[str, Any]:
        """Settings by the names that the term's loss gives them: `ram_grid` is its `grid`."""
        return {name: getattr(self.config, f"{term}_{name}") for name in names}


def _head(inputs: int, hidden: int, outputs: int, norm: nn.Module | None) -> ProjectionHead:
    """Two layers; `norm` comes last."""
    first = (inputs, hidden, nn.BatchNorm1d(hidden), nn.ReLU())
    return ProjectionHead([first, (hidden, outputs, norm, None)])
