"""BYOL: an online network predicts, from one view, a slow copy's projection of the other.

Grill et al., "Bootstrap Your Own Latent", NeurIPS 2020, https://arxiv.org/abs/2006.07733
Code: google-deepmind/deepmind-research, folder byol, at f5de0ed ("the code" below).

Shapes: B images, two views of each; P = projection width.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from lightly.models.modules import BYOLPredictionHead, BYOLProjectionHead
from torch import Tensor
from torch.nn import functional as F

from vtbench.methods.base import Method, MethodConfig, Progress, Views, scaled
from vtbench.methods.encoder import Encoder
from vtbench.methods.losses.precision import full_precision
from vtbench.methods.recipe import Augmentation, Recipe
from vtbench.methods.target import TargetNetwork, cosine_momentum

# Appendix B: the two views differ in blur and solarisation. Saturation 0.2 is table 6's.
FIRST_VIEW = Augmentation(
    crop_area=(0.08, 1.0),
    crop_filter="bicubic",  # the code, utils/dataset.py
    blur_probability=1.0,
)
SECOND_VIEW = replace(FIRST_VIEW, blur_probability=0.1, solarize_probability=0.2)

OFFICIAL = Recipe(
    optimizer="lars",
    lr=0.45,  # the code's preset for 100 epochs, configs/byol.py
    weight_decay=1e-6,  # same preset
    warmup_epochs=10,  # section 3.3
    views=(FIRST_VIEW, SECOND_VIEW),
    by_epochs={  # the presets of configs/byol.py
        40: {"settings": {"ema": 0.97}},
        100: {},
        300: {"lr": 0.3},
        1000: {"lr": 0.2, "weight_decay": 1.5e-6, "settings": {"ema": 0.996}},
    },
)

# gurmeherr/representation-learning-codes, BYOL at c20edc6: the settings for 1000 epochs at 100.
# Solarising 8-bit images at 0.5 inverts every value but 0, which is 0.5/255 of the range.
AUTHORS_VIEW = {
    "crop_filter": "bilinear",
    "jitter": (0.4, 0.4, 0.4, 0.1),
    "solarize_threshold": 0.5 / 255,
}
SARL_AUTHORS = replace(
    OFFICIAL,
    lr=0.2,
    weight_decay=1.5e-6,
    schedule_interval="epoch",
    views=(replace(FIRST_VIEW, **AUTHORS_VIEW), replace(SECOND_VIEW, **AUTHORS_VIEW)),
    settings={"ema": 0.996},
    by_epochs={},
    keep="lowest_loss",
)


@dataclass(frozen=True, kw_only=True)
class BYOLConfig(MethodConfig):
    """Settings of BYOL."""

    hidden_width: int = scaled(4096, "head")  # section 3.3
    projection_width: int = scaled(256, "head")  # section 3.3
    ema: float = scaled(0.99, "ema", most=1)  # first rate, the code's preset for 100 epochs


class BYOL(Method):
    """Two networks that learn from each other's view of an image, without negatives."""

    title = "BYOL"
    year = 2020
    family = "distillation"
    citation = "Grill et al., NeurIPS 2020, https://arxiv.org/abs/2006.07733"
    notes = (
        "Official recipe: the released preset nearest to the length of training; at 100 epochs "
        "learning rate 0.45 and EMA from 0.99."
    )
    terms = {"prediction": 1.0}
    recipes = {"official": OFFICIAL, "sarl_authors": SARL_AUTHORS}
    Config = BYOLConfig

    def __init__(
        self, encoder: Encoder, config: BYOLConfig, weights: Mapping[str, float] | None = None
    ) -> None:
        super().__init__(encoder, config, weights)
        hidden, width = config.hidden_width, config.projection_width
        self.projector = BYOLProjectionHead(encoder.embedding_width, hidden, width)
        self.predictor = BYOLPredictionHead(width, hidden, width)
        self.target_encoder = TargetNetwork(self.encoder)
        self.target_projector = TargetNetwork(self.projector)

    def losses(self, views: Views, progress: Progress) -> dict[str, Tensor]:
        """prediction: squared distance of unit vectors, both directions summed, 0 to 8."""
        p1, p2 = (self._predict(view) for view in views.images)  # (B, P)
        t1, t2 = (self._target(view) for view in views.images)  # (B, P)
        return {"prediction": prediction_error(p1, t2) + prediction_error(p2, t1)}

    def after_step(self, progress: Progress) -> None:
        """The target follows the online network, ever more slowly."""
        momentum = cosine_momentum(self.config.ema, progress.fraction)
        self.target_encoder.update(self.encoder, momentum)
        self.target_projector.update(self.projector, momentum)

    def _predict(self, view: Tensor) -> Tensor:
        return self.predictor(self.projector(self.encoder(view).embedding))

    def _target(self, view: Tensor) -> Tensor:
        return self.target_projector(self.target_encoder(view).embedding)


@full_precision
def prediction_error(predicted: Tensor, target: Tensor) -> Tensor:
    """Squared distance of unit vectors (B, P), 2 - 2 cos, mean over images (equation 2): 0 to 4."""
    return (2 - 2 * F.cosine_similarity(predicted, target.detach())).mean()
