"""VICReg: views of an image are near, channels keep their variance and do not repeat each other.

Bardes, Ponce & LeCun, "VICReg: Variance-Invariance-Covariance Regularization for Self-Supervised
Learning", ICLR 2022, https://arxiv.org/abs/2105.04906
Code: facebookresearch/vicreg at 4e12602 ("the code" below).

Shapes: B images, two views of each; P = projection width.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from lightly.loss import vicreg_loss
from lightly.models.modules.heads import VICRegProjectionHead
from torch import Tensor

from vtbench.methods.base import Method, MethodConfig, Progress, Views, scaled
from vtbench.methods.byol import FIRST_VIEW, SECOND_VIEW
from vtbench.methods.distributed import gathered
from vtbench.methods.encoder import Encoder
from vtbench.methods.losses.precision import full_precision
from vtbench.methods.recipe import Augmentation, Recipe

OFFICIAL = Recipe(
    optimizer="lars",
    lr=0.3,  # the code's command for 100 epochs: 0.3 x batch / 256
    weight_decay=1e-6,  # section 4.2
    warmup_epochs=10,  # section 4.2
    end_factor=0.001,  # the code
    views=(FIRST_VIEW, SECOND_VIEW),  # the code, augmentations.py; see `notes`
    zero_init_residual=True,  # the code, resnet.py
)

# gurmeherr/representation-learning-codes, VICReg at c20edc6. The variance term is not halved
# there. Its variances are over B instead of B - 1 images: 0.4 % at batch 256, not imitated here.
AUTHORS_VIEW = Augmentation(
    crop_area=(0.08, 1.0),
    blur_probability=0.5,
    solarize_probability=0.1,
    solarize_threshold=0.5 / 255,  # solarises 8-bit images at 0.5, see BYOL
)
SARL_AUTHORS = replace(
    OFFICIAL,
    lr=0.2,
    end_factor=0.01,
    zero_init_residual=False,
    schedule_interval="epoch",
    views=(AUTHORS_VIEW, AUTHORS_VIEW),
    keep="lowest_loss",
    settings={"variance": 50.0},
)


@dataclass(frozen=True, kw_only=True)
class VICRegConfig(MethodConfig):
    """Settings of VICReg."""

    projection_width: int = scaled(8192, "head")  # section 4.2: of all three layers


class VICReg(Method):
    """Three terms that act on each view's projections; no batch norm or negatives are needed."""

    title = "VICReg"
    year = 2022
    family = "information maximisation"
    citation = "Bardes et al., ICLR 2022, https://arxiv.org/abs/2105.04906"
    notes = (
        "The two views differ in blur and solarisation as in the code; the paper describes one "
        "pipeline for both. Learning rate 0.3 is the code's for 100 epochs; for 1000 it is 0.2."
    )
    terms = {"invariance": 25.0, "variance": 25.0, "covariance": 1.0}  # λ, μ, ν: section 4.2
    recipes = {"official": OFFICIAL, "sarl_authors": SARL_AUTHORS}
    Config = VICRegConfig

    def __init__(
        self, encoder: Encoder, config: VICRegConfig, weights: Mapping[str, float] | None = None
    ) -> None:
        super().__init__(encoder, config, weights)
        width = config.projection_width
        self.projector = VICRegProjectionHead(encoder.embedding_width, width, width, num_layers=3)

    def losses(self, views: Views, progress: Progress) -> dict[str, Tensor]:
        """Equation 6; the code halves the variance term, the mean of both views."""
        z1, z2 = (self._project(view) for view in views.images)  # (B, P)
        return {
            "invariance": distance(z1, z2),
            "variance": (lost_variance(z1) + lost_variance(z2)) / 2,
            "covariance": covariance(z1) + covariance(z2),
        }

    def _project(self, view: Tensor) -> Tensor:
        return gathered(self.projector(self.encoder(view).embedding))


#: s(Z, Z') of equation 5: mean squared difference of projections (B, P).
distance = full_precision(vicreg_loss.invariance_loss)

#: v(Z) of equations 1 and 2: mean over channels of max(0, 1 - √(Var + 1e-4)).
lost_variance = full_precision(vicreg_loss.variance_loss)


@full_precision
def covariance(z: Tensor) -> Tensor:
    """c(Z) of equations 3 and 4: sum of squared covariances of different channels, over P.

    lightly's value without the P x P matrix: ‖zᵀ z‖² = ‖z zᵀ‖², which is B x B, less the diagonal.
    """
    B, P = z.shape
    z = z - z.mean(dim=0)
    both = (z @ z.T / (B - 1)).square().sum()
    variances = z.square().sum(dim=0) / (B - 1)
    return (both - variances.square().sum()) / P
