"""SARL: BYOL, plus three losses that keep the feature maps of two views aligned.

Khurana, Wei & Zhang, "SARL: Spatially-Aware Self-Supervised Representation Learning for
Visuo-Tactile Perception", 2025, https://arxiv.org/abs/2512.01908
Code: gurmeherr/SARL---Spatially-Aware-Representation-Learning, SARL.py at e8ddf8f ("the code").

Shapes: B images, two views of each; P = projection width; feature maps (B, C, H, W).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from lightly.models.modules.heads import ProjectionHead
from torch import Tensor, nn

from vtbench.methods.base import Method, MethodConfig, Progress, Views, scaled
from vtbench.methods.byol import prediction_error
from vtbench.methods.encoder import Encoder, Features
from vtbench.methods.losses.prototypes import prototype_alignment, random_prototypes
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


@dataclass(frozen=True, kw_only=True)
class SARLConfig(MethodConfig):
    """Settings of SARL; the numbers are the code's, those marked * are in the paper too."""

    hidden_width: int = scaled(2048, "head")  # of the projector
    projection_width: int = scaled(256, "head")  # *
    predictor_width: int = scaled(512, "head")
    ema: float = scaled(0.996, "ema")  # *, constant
    sal_region: Literal["full", "overlap"] = "full"
    sal_padding: Literal["zeros", "border"] = "zeros"
    ppda_prototypes: int = 32  # *
    ppda_grid: int = 7  # *
    ppda_temperature: float = 0.1  # *
    ram_grid: int = 6  # *
    ram_duplicates: Literal["keep", "exclude"] = "keep"


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
    recipes = {"official": OFFICIAL, "sarl_authors": OFFICIAL}
    Config = SARLConfig

    def __init__(
        self, encoder: Encoder, config: SARLConfig, weights: Mapping[str, float] | None = None
    ) -> None:
        super().__init__(encoder, config, weights)
        self.projector = _projector(encoder.embedding_width, config)
        self.predictor = _predictor(config)
        self.target_encoder = TargetNetwork(self.encoder)
        self.target_projector = TargetNetwork(self.projector)
        if self.wants("ppda"):
            prototypes = random_prototypes(config.ppda_prototypes, encoder.channels["layer3"])
            self.prototypes = nn.Parameter(prototypes)

    def losses(self, views: Views, progress: Progress) -> dict[str, Tensor]:
        """global: both directions summed, 0 to 8; sal, ppda and ram: mean of both directions."""
        f1, f2 = (self.encoder(view) for view in views.images)
        t1, t2 = (self.target_encoder(view) for view in views.images)
        theta_12 = correspondence(views, source=0, target=1)
        theta_21 = correspondence(views, source=1, target=0)

        def both(term: Callable[[Features, Features, Tensor], Tensor]) -> Tensor:
            return term(f1, t2, theta_12) + term(f2, t1, theta_21)

        losses = {
            "global": lambda: both(self.global_agreement),
            "sal": lambda: both(self.sal) / 2,
            "ppda": lambda: both(self.ppda) / 2,
            "ram": lambda: both(self.ram) / 2,
        }
        return {term: loss() for term, loss in losses.items() if self.wants(term)}

    def global_agreement(self, online: Features, target: Features, theta: Tensor) -> Tensor:
        """The prediction from one view against the target's projection of the other."""
        predicted = self.predictor(self.projector(online.embedding))  # (B, P)
        return prediction_error(predicted, self.target_projector(target.embedding))

    def sal(self, online: Features, target: Features, theta: Tensor) -> Tensor:
        """Saliency alignment, mean over layer2 to layer4."""
        options = {"region": self.config.sal_region, "padding": self.config.sal_padding}
        layers = [
            saliency_alignment(maps, target.maps[layer], theta, **options)
            for layer, maps in online.maps.items()
        ]
        return torch.stack(layers).mean()

    def ppda(self, online: Features, target: Features, theta: Tensor) -> Tensor:
        """Patch-prototype distribution alignment on layer3; it needs no correspondence."""
        return prototype_alignment(
            online.maps["layer3"],
            target.maps["layer3"],
            self.prototypes,
            grid=self.config.ppda_grid,
            temperature=self.config.ppda_temperature,
        )

    def ram(self, online: Features, target: Features, theta: Tensor) -> Tensor:
        """Region affinity matching on layer3."""
        return region_affinity_matching(
            online.maps["layer3"],
            target.maps["layer3"],
            theta,
            grid=self.config.ram_grid,
            duplicates=self.config.ram_duplicates,
        )

    def after_step(self, progress: Progress) -> None:
        """The target follows the online network at a constant rate."""
        self.target_encoder.update(self.encoder, self.config.ema)
        self.target_projector.update(self.projector, self.config.ema)


def _projector(embedding_width: int, config: SARLConfig) -> ProjectionHead:
    """Two layers; the output is standardised over the batch, without learnt scale and offset."""
    hidden, width = config.hidden_width, config.projection_width
    output_norm = nn.BatchNorm1d(width, affine=False)
    return ProjectionHead(
        [
            (embedding_width, hidden, nn.BatchNorm1d(hidden), nn.ReLU()),
            (hidden, width, output_norm, None),
        ]
    )


def _predictor(config: SARLConfig) -> ProjectionHead:
    """Two layers."""
    hidden, width = config.predictor_width, config.projection_width
    return ProjectionHead(
        [(width, hidden, nn.BatchNorm1d(hidden), nn.ReLU()), (hidden, width, None, None)]
    )
