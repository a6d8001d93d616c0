"""SimCLR: two views of one image agree, views of different images do not.

Chen, Kornblith, Norouzi & Hinton, "A Simple Framework for Contrastive Learning of Visual
Representations", ICML 2020, https://arxiv.org/abs/2002.05709
Code: google-research/simclr at 383d414 ("the code" below).

Shapes: B images, two views of each; P = projection width.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from lightly.models.modules import SimCLRProjectionHead
from torch import Tensor
from torch.nn import functional as F

from vtbench.methods.base import Method, MethodConfig, Progress, Views, scaled
from vtbench.methods.distributed import gathered
from vtbench.methods.encoder import Encoder
from vtbench.methods.losses.precision import full_precision
from vtbench.methods.recipe import Augmentation, Recipe

VIEW = Augmentation(  # appendix A; both views alike
    crop_area=(0.08, 1.0),
    crop_filter="bicubic",  # the code, data_util.py
    jitter=(0.8, 0.8, 0.8, 0.2),  # strength s = 1
    blur_probability=0.5,
)

OFFICIAL = Recipe(
    optimizer="lars",
    lr=0.3,  # section 2.3: 0.3 x batch / 256; appendix B.1 advises 0.075 √batch for few epochs
    weight_decay=1e-6,  # section 2.3; an example command of the code has 1e-4
    warmup_epochs=10,  # section 2.3
    views=(VIEW, VIEW),
)

# gurmeherr/representation-learning-codes, SimCLR at c20edc6.
SARL_AUTHORS = replace(
    OFFICIAL,
    schedule_interval="epoch",
    views=(replace(VIEW, crop_filter="bilinear"),) * 2,
    keep="lowest_loss",
    settings={"head_norm": False},
)


@dataclass(frozen=True, kw_only=True)
class SimCLRConfig(MethodConfig):
    """Settings of SimCLR."""

    temperature: float = 0.1  # table 5: the best of 0.05 to 1
    hidden_width: int = scaled(512, "head")  # the code: the width of the embedding
    projection_width: int = scaled(128, "head")  # section 2.3
    head_norm: bool = True  # the code, model_util.py: batch norm after every linear layer


class SimCLR(Method):
    """Each view has to find the other view of its image among all views of the batch."""

    title = "SimCLR"
    year = 2020
    family = "contrastive"
    citation = "Chen et al., ICML 2020, https://arxiv.org/abs/2002.05709"
    notes = (
        "The projector has one hidden layer (first version of the paper). For short trainings its "
        "appendix advises the square-root rule: simclr:lr=1.2:lr_scaling=sqrt."
    )
    terms = {"ntxent": 1.0}
    recipes = {"official": OFFICIAL, "sarl_authors": SARL_AUTHORS}
    Config = SimCLRConfig

    def __init__(
        self, encoder: Encoder, config: SimCLRConfig, weights: Mapping[str, float] | None = None
    ) -> None:
        super().__init__(encoder, config, weights)
        self.projector = SimCLRProjectionHead(
            encoder.embedding_width,
            config.hidden_width,
            config.projection_width,
            num_layers=2,
            batch_norm=config.head_norm,
        )

    def losses(self, views: Views, progress: Progress) -> dict[str, Tensor]:
        """ntxent: cross-entropy of finding the other view, mean over 2B views (half the code's)."""
        both = torch.cat(views.images)  # (2B, 3, H, W): batch norm sees both views, as in the code
        z1, z2 = self.projector(self.encoder(both).embedding).chunk(2)  # (B, P)
        return {"ntxent": self.contrast(gathered(z1), gathered(z2))}

    def contrast(self, z1: Tensor, z2: Tensor) -> Tensor:
        """`ntxent` at the config's temperature."""
        return ntxent(z1, z2, self.config.temperature)


@full_precision
def ntxent(z1: Tensor, z2: Tensor, temperature: float) -> Tensor:
    """-ln(exp(a·b/T) / Σ_k≠a exp(a·k/T)), mean over the 2B views a (B, P each): a scalar.

    b is the other view of a's image, k runs over all other views (equation 1). lightly's form takes
    a view's similarity to itself out by a boolean index, for which a GPU must be waited for.
    """
    z = F.normalize(torch.cat([z1, z2]), dim=1)
    logits = (z @ z.T / temperature).fill_diagonal_(-torch.inf)  # (2B, 2B)
    return F.cross_entropy(logits, torch.arange(len(z), device=z.device).roll(len(z1)))
