"""Spectral contrastive loss: views of one image agree, views of others are orthogonal.

HaoChen, Wei, Gaidon & Ma, "Provable Guarantees for Self-Supervised Deep Learning with Spectral
Contrastive Loss", NeurIPS 2021, https://arxiv.org/abs/2106.04156

Shapes: B images, two views of each; P = projection width.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vtbench.methods.base import Method, MethodConfig, Progress, Views, scaled
from vtbench.methods.encoder import Encoder
from vtbench.methods.recipe import Augmentation, Recipe

OFFICIAL = Recipe(optimizer="sgd", lr=0.05, weight_decay=1e-4, views=(Augmentation(),) * 2)


@dataclass(frozen=True, kw_only=True)
class SpectralConfig(MethodConfig):
    """Settings of the spectral contrastive loss."""

    squared_radius: float = 3.0  # μ; projections lie on the sphere of radius √μ
    projection_width: int = scaled(128, "head")


class Spectral(Method):
    """A low-rank factorisation of the graph that joins views of one image."""

    title = "Spectral contrastive"
    year = 2021
    family = "contrastive"
    citation = "HaoChen et al., NeurIPS 2021, https://arxiv.org/abs/2106.04156"
    terms = {"attract": 1.0, "repel": 1.0}
    recipes = {"official": OFFICIAL}
    Config = SpectralConfig

    def __init__(
        self, encoder: Encoder, config: SpectralConfig, weights: Mapping[str, float] | None = None
    ) -> None:
        super().__init__(encoder, config, weights)
        self.projector = nn.Linear(encoder.embedding_width, config.projection_width)

    def losses(self, views: Views, progress: Progress) -> dict[str, Tensor]:
        """attract: -2 z1·z2 of one image; repel: (z1·z2)² of two images."""
        z = self.projector(self.encoder(torch.cat(views.images)).embedding)
        z1, z2 = (self.config.squared_radius**0.5 * F.normalize(z.float(), dim=1)).chunk(2)
        with torch.autocast(z1.device.type, enabled=False):
            similarity = z1 @ z2.T  # (B, B)
        other = ~torch.eye(len(z1), dtype=torch.bool, device=z1.device)
        return {
            "attract": -2 * similarity.diagonal().mean(),
            "repel": similarity[other].square().mean(),
        }
