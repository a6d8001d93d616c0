"""Barlow Twins: the channels of two views agree with themselves and with no other channel.

Zbontar, Jing, Misra, LeCun & Deny, "Barlow Twins: Self-Supervised Learning via Redundancy
Reduction", ICML 2021, https://arxiv.org/abs/2103.03230
Code: facebookresearch/barlowtwins, main.py at 8e8d284 ("the code" below).

Shapes: B images, two views of each; P = projection width.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from lightly.models.modules import BarlowTwinsProjectionHead
from torch import Tensor
from torch.nn import functional as F

from vtbench.methods.base import Method, MethodConfig, Progress, Views, scaled
from vtbench.methods.byol import AUTHORS_VIEW, FIRST_VIEW, SECOND_VIEW
from vtbench.methods.distributed import gathered
from vtbench.methods.encoder import Encoder
from vtbench.methods.losses.precision import full_precision
from vtbench.methods.recipe import Recipe

OFFICIAL = Recipe(
    optimizer="lars",
    lr=0.2,  # section 2.2: 0.2 x batch / 256
    lr_norm_and_bias=0.0048,  # section 2.2
    weight_decay=1e-6,  # the code; section 2.2 has 1.5e-6
    warmup_epochs=10,  # section 2.2
    end_factor=0.001,  # section 2.2: a factor of 1000 lower at the end
    views=(FIRST_VIEW, SECOND_VIEW),  # section 2.2: those of BYOL
    zero_init_residual=True,  # the code
)

# gurmeherr/representation-learning-codes, Barlow Twins at c20edc6. Its head has biases that the
# standardisation removes again; its C is (B - 1) / B times the paper's.
SARL_AUTHORS = replace(
    OFFICIAL,
    weight_decay=1.5e-6,
    zero_init_residual=False,
    schedule_interval="epoch",
    views=(replace(FIRST_VIEW, **AUTHORS_VIEW), replace(SECOND_VIEW, **AUTHORS_VIEW)),
    keep="lowest_loss",
    settings={"redundancy": 0.005, "unbiased_std": True},
)


@dataclass(frozen=True, kw_only=True)
class BarlowTwinsConfig(MethodConfig):
    """Settings of Barlow Twins."""

    projection_width: int = scaled(8192, "head")  # section 2.2: of all three layers
    unbiased_std: bool = False  # the code: batch norm, which divides by B


class BarlowTwins(Method):
    """The cross-correlation matrix of two views' projections comes close to the identity."""

    title = "Barlow Twins"
    year = 2021
    family = "information maximisation"
    citation = "Zbontar et al., ICML 2021, https://arxiv.org/abs/2103.03230"
    notes = "λ 0.0051 and weight decay 1e-6 are the code's; the paper prints 0.005 and 1.5e-6."
    terms = {"invariance": 1.0, "redundancy": 0.0051}  # λ: the code
    recipes = {"official": OFFICIAL, "sarl_authors": SARL_AUTHORS}
    Config = BarlowTwinsConfig

    def __init__(
        self,
        encoder: Encoder,
        config: BarlowTwinsConfig,
        weights: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__(encoder, config, weights)
        width = config.projection_width
        self.projector = BarlowTwinsProjectionHead(encoder.embedding_width, width, width)

    def losses(self, views: Views, progress: Progress) -> dict[str, Tensor]:
        """The two sums of equation 1: (1 - C_ii)² over channels, C_ij² over pairs i ≠ j."""
        z1, z2 = (self._project(view) for view in views.images)  # (B, P), standardised
        diagonal = (z1 * z2).mean(dim=0)  # C_ii
        return {
            "invariance": (1 - diagonal).square().sum(),
            "redundancy": correlation_square_sum(z1, z2) - diagonal.square().sum(),
        }

    def _project(self, view: Tensor) -> Tensor:
        z = gathered(self.projector(self.encoder(view).embedding))
        return standardized(z, unbiased=self.config.unbiased_std)


@full_precision
def standardized(z: Tensor, *, unbiased: bool = False) -> Tensor:
    """Channels with mean 0 and variance 1 over the batch (B, P), by the code's batch norm.

    `unbiased` divides by the deviation over B - 1 images; then no correlation exceeds (B - 1) / B.
    """
    shrink = ((len(z) - 1) / len(z)) ** 0.5 if unbiased else 1.0
    return shrink * F.batch_norm(z, running_mean=None, running_var=None, training=True)


@full_precision
def correlation_square_sum(z1: Tensor, z2: Tensor) -> Tensor:
    """Σ C_ij² over all i and j, of the correlations C = z1ᵀ z2 / B (equation 2): a scalar.

    ‖z1ᵀ z2‖² = ⟨z1 z1ᵀ, z2 z2ᵀ⟩, whose matrices are B x B; C itself would be 8192 x 8192.
    """
    return ((z1 @ z1.T) * (z2 @ z2.T)).sum() / len(z1) ** 2
