"""MINC, a reconstruction: views agree, and projections avoid directions that are much in use.

Guo, Avila Pires, Khetarpal, Schuurmans & Dai, "Representation Learning via Non-Contrastive Mutual
Information", 2025, https://arxiv.org/abs/2504.16667

This is NOT the authors' code, which is not public, and not checked against the whole text of the
paper. The form below follows from its starting point, the χ² mutual information, whose
contrastive estimate is the spectral contrastive loss (HaoChen et al.,
https://arxiv.org/abs/2106.04156): the pairwise term E (φ(x)·φ(x'))² equals E φ(x)ᵀ Λ φ(x) with the
second moment Λ = E φφᵀ, which a moving average estimates. With the full matrix, Λ exact, target =
online and both directions the gradient is a quarter of that loss's. Numbers and the triangular
matrix are those of gurmeherr/representation-learning-codes, MINC at c20edc6 ("the code" below).

Shapes: B images, two views of each; P = projection width.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import torch
from lightly.models.modules import BarlowTwinsProjectionHead
from torch import Tensor

from vtbench.methods.base import Method, MethodConfig, Progress, Views, bounded, scaled
from vtbench.methods.byol import AUTHORS_VIEW, FIRST_VIEW, SECOND_VIEW
from vtbench.methods.distributed import gathered
from vtbench.methods.encoder import Encoder
from vtbench.methods.losses.precision import full_precision, unit
from vtbench.methods.recipe import Recipe
from vtbench.methods.target import TargetNetwork

Matrix = Literal["tril", "full", "gha"]

OFFICIAL = Recipe(  # the code's, with the solarisation and the saturation that BYOL's authors mean
    optimizer="lars",
    lr=0.3,
    lr_norm_and_bias=0.0048,
    weight_decay=1e-4,
    warmup_epochs=10,
    views=(FIRST_VIEW, SECOND_VIEW),
)

# The code as it is; it trained for 300 epochs, the paper of SARL says 100.
SARL_AUTHORS = replace(
    OFFICIAL,
    schedule_interval="epoch",
    views=(replace(FIRST_VIEW, **AUTHORS_VIEW), replace(SECOND_VIEW, **AUTHORS_VIEW)),
    keep="lowest_loss",
)


@dataclass(frozen=True, kw_only=True)
class MINCConfig(MethodConfig):
    """Settings of MINC; the defaults are the code's."""

    hidden_width: int = scaled(2048, "head")
    projection_width: int = scaled(2048, "head")
    ema: float = scaled(0.996, "ema", most=1)  # of the target, constant
    scale: float = 10.0  # s, of the inner products
    moment_ema: float = bounded(0.8, least=0, most=1)  # β, of Λ
    first_moment: Literal["zeros", "batch"] = "zeros"  # Λ before the first step
    matrix: Matrix = "tril"
    both_directions: bool = False


class MINC(Method):
    """The target's second moment stands in for all pairs of images."""

    title = "MINC"
    year = 2025
    family = "information maximisation"
    citation = "Guo et al., 2025, https://arxiv.org/abs/2504.16667"
    notes = (
        "A reconstruction: the authors' code is not public. Loss derived from the spectral "
        "contrastive loss; numbers from the SARL authors' implementation."
    )
    caveat = "MINC is our reconstruction, not its authors' method as released"
    terms = {"alignment": 1.0, "second_moment": 1.0}
    recipes = {"official": OFFICIAL, "sarl_authors": SARL_AUTHORS}
    Config = MINCConfig

    def __init__(
        self, encoder: Encoder, config: MINCConfig, weights: Mapping[str, float] | None = None
    ) -> None:
        super().__init__(encoder, config, weights)
        hidden, width = config.hidden_width, config.projection_width
        self.projector = BarlowTwinsProjectionHead(encoder.embedding_width, hidden, width)
        self.target_encoder = TargetNetwork(self.encoder)
        self.target_projector = TargetNetwork(self.projector)
        self.register_buffer("moment", torch.zeros(width, width))  # Λ
        self.fresh_targets = torch.empty(0, width)  # of the step in progress

    def losses(self, views: Views, progress: Progress) -> dict[str, Tensor]:
        """alignment: -s z·t, -s to s; second_moment: s²/2 zᵀ Λ z, 0 to s²/2; means over images."""
        x1, x2 = views.images
        directions = [(x1, x2), (x2, x1)] if self.config.both_directions else [(x1, x2)]
        z = torch.cat([self._project(x) for _, x in directions])  # (B, P), or (2B, P)
        t = torch.cat([self._target(x) for x, _ in directions])
        self.fresh_targets = gathered(t)
        if progress.step == 0 and self.config.first_moment == "batch":
            self.moment.copy_(second_moment(self.fresh_targets))
        s = self.config.scale
        return {
            "alignment": -s * alignment(z, t),
            "second_moment": s**2 / 2 * quadratic_form(z, self.moment, self.config.matrix),
        }

    def after_step(self, progress: Progress) -> None:
        """Λ takes in the step's targets, and the target follows the online network."""
        self.moment.lerp_(second_moment(self.fresh_targets), 1 - self.config.moment_ema)
        self.target_encoder.update(self.encoder, self.config.ema)
        self.target_projector.update(self.projector, self.config.ema)

    def _project(self, view: Tensor) -> Tensor:
        return unit(self.projector(self.encoder(view).embedding))

    def _target(self, view: Tensor) -> Tensor:
        embedding = self.target_encoder(view).embedding
        return unit(self.target_projector(embedding))


@full_precision
def alignment(z: Tensor, t: Tensor) -> Tensor:
    """Mean inner product of projections and targets (B, P): a scalar."""
    return (z * t.detach()).sum(dim=1).mean()


@full_precision
def quadratic_form(z: Tensor, moment: Tensor, matrix: Matrix = "tril") -> Tensor:
    """Mean of zᵀ Λ z over z (B, P), with Λ (P, P) a constant: a scalar.

    tril: the lower triangle of Λ, diagonal included. As zᵀ tril(Λ) z = (zᵀ Λ z + Σ Λ_kk z_k²) / 2,
    this only halves the pull between different channels. full: Λ. gha: 2 z·(tril(Λ) z) with the
    bracket a constant, whose gradient is that of the Generalised Hebbian Algorithm, tril(Λ) z
    itself; its value is twice the form's.
    """
    moment = moment.detach()
    product = z @ (moment if matrix == "full" else moment.tril()).T
    if matrix == "gha":
        product = 2 * product.detach()
    return (z * product).sum(dim=1).mean()


@full_precision
def second_moment(t: Tensor) -> Tensor:
    """Mean of t tᵀ over targets (B, P): (P, P)."""
    return t.T @ t / len(t)
