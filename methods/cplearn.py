"""CPLearn: two views choose the same codes of a fixed random dictionary, and all codes are used.

Sansone, Lebailly & Tuytelaars, "Collapse-Proof Non-Contrastive Self-Supervised Learning", ICML
2025, https://arxiv.org/abs/2410.04959
Code: emsansone/CPLearn at 6e0bd3b ("the code" below).

Shapes: B images, two views of each; P = projection width, K codes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import torch
from lightly.models.modules.heads import ProjectionHead
from torch import Tensor, nn
from torch.nn import functional as F

from vtbench.methods.base import Method, MethodConfig, Progress, Views, scaled
from vtbench.methods.byol import AUTHORS_VIEW, FIRST_VIEW, SECOND_VIEW
from vtbench.methods.distributed import gathered
from vtbench.methods.encoder import Encoder
from vtbench.methods.errors import MethodError
from vtbench.methods.losses.precision import full_precision
from vtbench.methods.recipe import Recipe

OFFICIAL = Recipe(  # the code, scripts/pretrain/cifar/cplearn.yaml
    optimizer="adam",
    lr=1e-3,  # x batch / 256
    weight_decay=1e-4,
    decay_norm_and_bias=True,
    warmup_epochs=10,
    warmup_start_factor=0.03,  # from 3e-5
    views=(FIRST_VIEW, SECOND_VIEW),  # asymmetric; its 32-pixel images are not blurred
)

# gurmeherr/representation-learning-codes, CPLearn at c20edc6.
SARL_AUTHORS = replace(
    OFFICIAL,
    optimizer="lars",
    lr=0.2,
    weight_decay=1.5e-6,
    decay_norm_and_bias=False,
    schedule_interval="epoch",
    warmup_start_factor=0.0,
    views=(replace(FIRST_VIEW, **AUTHORS_VIEW),) * 2,  # alike, always blurred, never solarised
    keep="lowest_loss",
    settings={
        "projection_width": 256,
        "codes": 8192,
        "invariance": 0.5,
        "projection_norm": "l2",
        "directions": "first",
    },
)


@dataclass(frozen=True, kw_only=True)
class CPLearnConfig(MethodConfig):
    """Settings of CPLearn."""

    projection_width: int = scaled(2048, "head")  # the yaml
    codes: int = scaled(16384, "codes", least=2)  # the yaml
    projection_norm: Literal["tanh", "l2"] = "tanh"  # the code; l2 √(P / B) is the paper's
    temperature_rows: int | None = None  # n of the temperature; None: B, as in the code
    smallest_share: float = 1e-8  # ε, the code: of a code that an image does not choose
    directions: Literal["both", "first"] = "both"

    def __post_init__(self) -> None:
        if self.smallest_share * self.codes >= 1:
            raise MethodError(
                f"smallest_share={self.smallest_share:g} times {self.codes} codes must be less "
                "than 1; lower one of them."
            )


class CPLearn(Method):
    """Distributions over codes: equal for two views, uniform over a batch."""

    title = "CPLearn"
    year = 2025
    family = "clustering"
    citation = "Sansone et al., ICML 2025, https://arxiv.org/abs/2410.04959"
    notes = (
        "Projections are squashed by tanh and the prior is the reverse divergence, as in the code; "
        "the paper scales unit vectors. β = 1 is its ResNet-18 configuration's. Shares of codes "
        "are averaged in log space, where the code itself can give NaN."
    )
    terms = {"prior": 1.0, "invariance": 1.0}  # β of the yaml
    recipes = {"official": OFFICIAL, "sarl_authors": SARL_AUTHORS}
    Config = CPLearnConfig

    def __init__(
        self, encoder: Encoder, config: CPLearnConfig, weights: Mapping[str, float] | None = None
    ) -> None:
        super().__init__(encoder, config, weights)
        width = config.projection_width
        self.projector = ProjectionHead(
            [(encoder.embedding_width, width, nn.BatchNorm1d(width), None, True)]
        )
        self.register_buffer("dictionary", random_signs(width, config.codes))  # W, never trained

    def losses(self, views: Views, progress: Progress) -> dict[str, Tensor]:
        """prior: KL of the batch's code shares from uniform; invariance: cross-entropy of views."""
        log_p1, log_p2 = (self._log_codes(view) for view in views.images)  # (B, K)
        prior, invariance = divergence_from_uniform(log_p1), cross_entropy(log_p1, log_p2)
        self.readings = {"code_entropy": 1 - prior.detach() / math.log(self.config.codes)}
        if self.config.directions == "both":
            prior = (prior + divergence_from_uniform(log_p2)) / 2
            invariance = (invariance + cross_entropy(log_p2, log_p1)) / 2
        return {"prior": prior, "invariance": invariance}

    def _log_codes(self, view: Tensor) -> Tensor:
        h = gathered(self.projector(self.encoder(view).embedding))
        rows = self.config.temperature_rows or len(h)
        return log_codes(
            h,
            self.dictionary,
            rows=rows,
            smallest_share=self.config.smallest_share,
            norm=self.config.projection_norm,
        )


@full_precision
def log_codes(
    h: Tensor,
    dictionary: Tensor,
    *,
    rows: int,
    smallest_share: float = 1e-8,
    norm: Literal["tanh", "l2"] = "tanh",
) -> Tensor:
    """Logarithm of each image's distribution over the codes: h (B, P), W (P, K) -> (B, K)."""
    P, K = dictionary.shape
    squashed = h.tanh() if norm == "tanh" else math.sqrt(P / rows) * F.normalize(h, dim=1)
    scores = squashed @ dictionary.to(h.dtype)
    return (scores / temperature(P, K, rows, smallest_share)).log_softmax(dim=1)


def temperature(width: int, codes: int, rows: int, smallest_share: float) -> float:
    """P / (√n ln((1 - ε (K - 1)) / ε)): at it, a projection equal to a code, of length √(P / n),
    leaves every orthogonal code the share ε.
    """
    odds = (1 - smallest_share * (codes - 1)) / smallest_share
    return width / (math.sqrt(rows) * math.log(odds))


@full_precision
def divergence_from_uniform(log_p: Tensor) -> Tensor:
    """KL(p̄ ‖ uniform) = Σ p̄_j ln(K p̄_j), with p̄ the mean of exp(log_p) (B, K): a scalar."""
    B, K = log_p.shape
    log_mean = log_p.logsumexp(dim=0) - math.log(B)
    return (log_mean.exp() * (log_mean + math.log(K))).sum()


@full_precision
def cross_entropy(log_p: Tensor, log_q: Tensor) -> Tensor:
    """-Σ_j p_j ln q_j, mean over images (B, K); gradients flow through both sides: a scalar."""
    return -(log_p.exp() * log_q).sum(dim=1).mean()


def random_signs(width: int, codes: int) -> Tensor:
    """W, entries -1 or 1 with equal odds: int8 (P, K)."""
    return torch.randint(0, 2, (width, codes), dtype=torch.int8) * 2 - 1
