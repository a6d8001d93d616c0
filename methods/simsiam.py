"""SimSiam: a network predicts its own view of another crop; only a stop-gradient keeps it honest.

Chen & He, "Exploring Simple Siamese Representation Learning", CVPR 2021,
https://arxiv.org/abs/2011.10566
Code: facebookresearch/simsiam at a7bc177 ("the code" below).

Shapes: B images, two views of each; P = projection width.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from lightly.loss import NegativeCosineSimilarity
from lightly.models.modules import SimSiamPredictionHead, SimSiamProjectionHead
from torch import Tensor
from torch.nn import functional as F

from vtbench.methods.base import Method, MethodConfig, Progress, Views, scaled
from vtbench.methods.distributed import gathered
from vtbench.methods.encoder import Encoder
from vtbench.methods.losses.precision import full_precision
from vtbench.methods.recipe import Augmentation, Recipe

VIEW = Augmentation(  # the code, main_simsiam.py, after MoCo v2; both views alike
    crop_area=(0.2, 1.0),
    jitter=(0.4, 0.4, 0.4, 0.1),
    blur_probability=0.5,
)

OFFICIAL = Recipe(
    optimizer="sgd",
    lr=0.05,  # section 3: 0.05 x batch / 256
    weight_decay=1e-4,  # section 3
    decay_norm_and_bias=True,  # the code, main_simsiam.py: one rule for all parameters
    schedule_interval="epoch",  # the code, adjust_learning_rate
    constant_lr_modules=("predictor",),  # section 4.2; the code's --fix-pred-lr
    views=(VIEW, VIEW),
    zero_init_residual=True,  # the code, main_simsiam.py
)

# gurmeherr/representation-learning-codes, SimSiam at c20edc6.
SARL_AUTHORS = replace(
    OFFICIAL,
    warmup_epochs=10,
    constant_lr_modules=(),
    zero_init_residual=False,
    keep="lowest_loss",
    settings={"hidden_width": 2048},
)


@dataclass(frozen=True, kw_only=True)
class SimSiamConfig(MethodConfig):
    """Settings of SimSiam."""

    hidden_width: int = scaled(512, "head")  # the code: the embedding's, 2048 for its ResNet-50
    projection_width: int = scaled(2048, "head")  # section 3
    predictor_width: int = scaled(512, "head")  # section 3: a bottleneck


class SimSiam(Method):
    """BYOL without the slow copy: the target is the network itself, taken as a constant."""

    title = "SimSiam"
    year = 2021
    family = "distillation"
    citation = "Chen & He, CVPR 2021, https://arxiv.org/abs/2011.10566"
    notes = (
        "The projector's hidden layers are as wide as the embedding, as in the code: 512 with "
        "ResNet-18. The predictor's learning rate stays constant."
    )
    terms = {"similarity": 1.0}
    recipes = {"official": OFFICIAL, "sarl_authors": SARL_AUTHORS}
    Config = SimSiamConfig

    def __init__(
        self, encoder: Encoder, config: SimSiamConfig, weights: Mapping[str, float] | None = None
    ) -> None:
        super().__init__(encoder, config, weights)
        hidden, width = config.hidden_width, config.projection_width
        self.projector = SimSiamProjectionHead(encoder.embedding_width, hidden, width)
        self.predictor = SimSiamPredictionHead(width, config.predictor_width, width)
        self.agreement = full_precision(NegativeCosineSimilarity())

    def losses(self, views: Views, progress: Progress) -> dict[str, Tensor]:
        """similarity: negative cosine, mean of both directions (equation 4), -1 to 1."""
        z1, z2 = (self.projector(self.encoder(view).embedding) for view in views.images)  # (B, P)
        p1, p2 = self.predictor(z1), self.predictor(z2)
        self.readings = {"projection_std": projection_std(gathered(z1.detach()))}
        D = self.agreement
        return {"similarity": D(p1, z2.detach()) / 2 + D(p2, z1.detach()) / 2}


def projection_std(z: Tensor) -> Tensor:
    """Spread of unit projections (B, P), mean over channels, times √P (section 4.1): a scalar.

    1 where they fill the sphere, 0 where they have collapsed.
    """
    unit = F.normalize(z.float(), dim=1)
    return unit.std(dim=0).mean() * unit.shape[1] ** 0.5
