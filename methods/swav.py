"""SwAV: the codes of one view are predicted from another; codes spread evenly over prototypes.

Caron, Misra, Mairal, Goyal, Bojanowski & Joulin, "Unsupervised Learning of Visual Features by
Contrasting Cluster Assignments", NeurIPS 2020, https://arxiv.org/abs/2006.09882
Code: facebookresearch/swav at 06b1b7c ("the code" below).

Shapes: B images, V views of each, the first two of full size; P = projection width, K prototypes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import groupby

import torch
from lightly.loss import SwaVLoss
from lightly.models.modules import SwaVProjectionHead
from torch import Tensor, nn
from torch.nn import functional as F

from vtbench.methods.base import Method, MethodConfig, Progress, Views, scaled
from vtbench.methods.distributed import gathered
from vtbench.methods.encoder import Encoder
from vtbench.methods.losses.precision import full_precision, unit
from vtbench.methods.queue import FeatureQueue, whole_batches
from vtbench.methods.recipe import Augmentation, Recipe

ASSIGNED = 2  # views whose codes are computed; the code's --crops_for_assign 0 1

# Section 3.3 and appendix A.1: two full views and six small ones, 224 and 96 pixels.
FULL_VIEW = Augmentation(crop_area=(0.14, 1.0), jitter=(0.8, 0.8, 0.8, 0.2), blur_probability=0.5)
SMALL_VIEW = replace(FULL_VIEW, crop_area=(0.05, 0.14), relative_size=96 / 224)

OFFICIAL = Recipe(  # the code, scripts/swav_200ep_bs256_pretrain.sh
    optimizer="lars",
    lr=0.6,  # at batch 256; the code's script for 4096 has 4.8, half of the linear rule's
    weight_decay=1e-6,
    decay_norm_and_bias=True,  # LARC over one group that holds all parameters
    end_factor=0.001,
    views=(FULL_VIEW,) * 2 + (SMALL_VIEW,) * 6,
)

# gurmeherr/representation-learning-codes, SwAV at c20edc6: no queue, and a freeze of the
# prototypes that has no effect, since the gradients are dropped before they are computed. There
# batch norm sees each view alone, which is not imitated.
AUTHORS_VIEW = {"jitter": (0.4, 0.4, 0.4, 0.1), "blur_probability": 1.0}
AUTHORS_SMALL_VIEW = AUTHORS_VIEW | {"blur_kernel": 9}
SARL_AUTHORS = replace(
    OFFICIAL,
    lr=0.3,
    decay_norm_and_bias=False,
    schedule_interval="epoch",
    warmup_epochs=10,
    end_factor=0.0,
    views=(replace(FULL_VIEW, **AUTHORS_VIEW),) * 2
    + (replace(SMALL_VIEW, **AUTHORS_SMALL_VIEW),) * 6,
    keep="lowest_loss",
    settings={"queue_length": 0, "frozen_epochs": 0.0},
)


@dataclass(frozen=True, kw_only=True)
class SwAVConfig(MethodConfig):
    """Settings of SwAV; the numbers are those of the code's script for batch size 256."""

    hidden_width: int = scaled(2048, "head")
    projection_width: int = scaled(128, "head")
    prototypes: int = scaled(3000, "codes", least=2)
    temperature: float = 0.1
    sinkhorn_epsilon: float = 0.05
    sinkhorn_iterations: int = 3
    queue_length: int = scaled(3840, "queue", least=0)  # features of each full view; 0: no queue
    queue_from_epoch: float = scaled(15.0, "waiting", least=0)
    frozen_epochs: float = scaled(1.0, "waiting", least=0)  # 5005 steps, one epoch of ImageNet


class SwAV(Method):
    """Online clustering: views of one image are assigned to the same prototypes."""

    title = "SwAV"
    year = 2020
    family = "clustering"
    citation = "Caron et al., NeurIPS 2020, https://arxiv.org/abs/2006.09882"
    notes = (
        "Recipe of the released script for batch size 256: multi-crop 2 x 224 + 6 x 96, queue of "
        "3,840 features from epoch 15, prototypes frozen for the first epoch."
    )
    terms = {"swapped": 1.0}
    recipes = {"official": OFFICIAL, "sarl_authors": SARL_AUTHORS}
    Config = SwAVConfig

    def __init__(
        self, encoder: Encoder, config: SwAVConfig, weights: Mapping[str, float] | None = None
    ) -> None:
        super().__init__(encoder, config, weights)
        self.projector = SwaVProjectionHead(
            encoder.embedding_width, config.hidden_width, config.projection_width
        )
        self.prototypes = nn.Linear(config.projection_width, config.prototypes, bias=False)
        length, width = config.queue_length, config.projection_width
        self.queues = nn.ModuleList(FeatureQueue(length, width) for _ in range(ASSIGNED))
        self.fresh_features: tuple[Tensor, ...] = ()  # of the step in progress
        self.swap = SwaVLoss(
            config.temperature, config.sinkhorn_iterations, config.sinkhorn_epsilon
        )

    def losses(self, views: Views, progress: Progress) -> dict[str, Tensor]:
        """swapped: cross-entropy between a full view's codes and the other views' predictions."""
        self._normalize_prototypes()
        z = self._project(views.images)  # V tensors (B, P)
        C = self._prototypes(progress)  # (K, P)
        scores = [scores_of(features, C) for features in z]  # V tensors (B, K)
        codes_too = [scores_of(features, C) for features in self._queued(progress, len(z[0]))]
        self.fresh_features = tuple(features.detach() for features in z[:ASSIGNED])
        self.readings = {
            "prototype_entropy": entropy(scores[0] / self.config.temperature),
            "queue_length": torch.tensor(float(sum(map(len, codes_too)) / ASSIGNED)),
        }
        loss = self.swap(scores[:ASSIGNED], scores[ASSIGNED:], codes_too or None)
        return {"swapped": loss.squeeze()}

    def after_step(self, progress: Progress) -> None:
        """From the queue's first epoch on, the features of the full views enter it."""
        before = self._batches_queued(progress)
        length = whole_batches(self.config.queue_length, len(self.fresh_features[0]))
        if before >= 0 and length:
            for queue, features in zip(self.queues, self.fresh_features, strict=True):
                queue.push(features, batches_before=before, length=length)

    @torch.no_grad()
    def _normalize_prototypes(self) -> None:
        """Unit prototypes before every forward pass, as in the code."""
        self.prototypes.weight.copy_(F.normalize(self.prototypes.weight, dim=1))

    def _project(self, images: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Unit projections of all views; batch norm sees views of one size together, the
        projector's sees all, as in the code."""
        sizes = [torch.cat(list(same)) for _, same in groupby(images, lambda view: view.shape[-1])]
        embeddings = torch.cat([self.encoder(views).embedding for views in sizes])
        z = unit(self.projector(embeddings))
        return tuple(gathered(view) for view in z.chunk(len(images)))

    def _prototypes(self, progress: Progress) -> Tensor:
        """The prototypes, which no gradient reaches while they are frozen."""
        frozen = progress.step < self.config.frozen_epochs * progress.steps_per_epoch
        return self.prototypes.weight.detach() if frozen else self.prototypes.weight

    def _queued(self, progress: Progress, batch: int) -> list[Tensor]:
        """For each assigned view the queued features (L, P); nothing until the queue is full."""
        length = whole_batches(self.config.queue_length, batch)
        if length == 0 or self._batches_queued(progress) * batch < length:
            return []
        return [queue.recent(length) for queue in self.queues]

    def _batches_queued(self, progress: Progress) -> int:
        """Batches that were queued before this step; negative before the queue's first epoch."""
        first = self.config.queue_from_epoch * progress.steps_per_epoch
        return progress.step - math.ceil(first)


@full_precision
def scores_of(features: Tensor, prototypes: Tensor) -> Tensor:
    """Inner products of features (B, P) and prototypes (K, P): (B, K), float32."""
    return features @ prototypes.T


def entropy(logits: Tensor) -> Tensor:
    """Entropy of the mean over images of softmax(logits) (B, K), as a share of ln K: a scalar."""
    mean = logits.detach().softmax(dim=1).mean(dim=0)
    return -torch.special.xlogy(mean, mean).sum() / math.log(len(mean))
