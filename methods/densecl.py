"""DenseCL: MoCo for whole images, and for the cells of the feature map that match across views.

Wang, Zhang, Shen, Kong & Li, "Dense Contrastive Learning for Self-Supervised Visual
Pre-Training", CVPR 2021, https://arxiv.org/abs/2011.09157
Code: WXinlong/DenseCL at b64bbb6 ("the code" below).

Shapes: B images; view 1 is the query, view 2 the key; N cells of the last map; P = projection
width; L = keys in the queue.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from lightly.models.modules import DenseCLProjectionHead
from lightly.models.utils import select_most_similar
from torch import Tensor, nn
from torch.nn import functional as F

from vtbench.methods.base import Method, MethodConfig, Progress, Views, bounded, scaled
from vtbench.methods.distributed import gathered
from vtbench.methods.encoder import Encoder, Features
from vtbench.methods.losses.precision import full_precision, unit
from vtbench.methods.queue import FeatureQueue, whole_batches
from vtbench.methods.recipe import Augmentation, Recipe
from vtbench.methods.target import TargetNetwork

VIEW = Augmentation(  # section 4.1: that of MoCo v2; both views alike
    crop_area=(0.2, 1.0),
    jitter=(0.4, 0.4, 0.4, 0.1),
    blur_probability=0.5,
)

OFFICIAL = Recipe(  # the code, configs/selfsup/densecl/densecl_imagenet_200ep.py
    optimizer="sgd",
    lr=0.03,  # at batch 256
    weight_decay=1e-4,
    decay_norm_and_bias=True,
    schedule_interval="epoch",
    views=(VIEW, VIEW),
)


@dataclass(frozen=True, kw_only=True)
class DenseCLConfig(MethodConfig):
    """Settings of DenseCL."""

    hidden_width: int = scaled(512, "head")  # the code: the map's channels, 2048 for its ResNet-50
    projection_width: int = scaled(128, "head")  # section 4.1
    temperature: float = 0.2  # section 4.1
    ema: float = scaled(0.999, "ema", most=1)  # section 4.1, constant
    queue_length: int = scaled(65536, "queue", least=1)  # section 4.1
    queue_share: float = bounded(0.5, most=1)  # ours: most of the images that a queue may hold
    global_only_epochs: float = scaled(0.0, "waiting", least=0)  # the code's optional warm-up hook


class DenseCL(Method):
    """Each image, and each cell of its map, finds its counterpart among keys of other images."""

    title = "DenseCL"
    year = 2021
    family = "dense"
    citation = "Wang et al., CVPR 2021, https://arxiv.org/abs/2011.09157"
    notes = (
        "The queue holds at most half of the training images (65,536 of ImageNet's 1.3 million "
        "in the code), so that few images meet their own older keys. The SARL authors "
        "released no DenseCL; their recipe is the official one here."
    )
    terms = {"global": 0.5, "dense": 0.5}  # 1 - λ and λ: equation 3
    recipes = {"official": OFFICIAL, "sarl_authors": OFFICIAL}
    Config = DenseCLConfig

    def __init__(
        self, encoder: Encoder, config: DenseCLConfig, weights: Mapping[str, float] | None = None
    ) -> None:
        super().__init__(encoder, config, weights)
        sizes = encoder.embedding_width, config.hidden_width, config.projection_width
        self.global_projector = DenseCLProjectionHead(*sizes)
        self.dense_projector = DenseCLProjectionHead(*sizes)  # on cells: its 1x1 convolutions
        for layer in (self.global_projector.layers[0], self.global_projector.layers[2]):
            nn.init.kaiming_normal_(layer.weight)  # the code: the global head alone
            nn.init.zeros_(layer.bias)
        self.target_encoder = TargetNetwork(self.encoder)
        self.target_global_projector = TargetNetwork(self.global_projector)
        self.target_dense_projector = TargetNetwork(self.dense_projector)
        self.global_queue = FeatureQueue(config.queue_length, config.projection_width)
        self.dense_queue = FeatureQueue(config.queue_length, config.projection_width)
        self.fresh_keys: tuple[Tensor, Tensor] | None = None  # of the step in progress

    def losses(self, views: Views, progress: Progress) -> dict[str, Tensor]:
        """Equations 1 and 2: InfoNCE of images and of cells against the keys of other images."""
        query, key = self.encoder(views.images[0]), self.target_encoder(views.images[1])
        query_cells, key_cells = cells(query), cells(key)  # (B, N, C)
        q_global = self.global_projector(query.embedding)  # (B, P)
        q_dense = self.dense_projector(query_cells)  # (B, N, P)
        k_global = self.target_global_projector(key.embedding)
        k_dense = self.target_dense_projector(key_cells)
        matched = most_similar(query_cells, key_cells, k_dense)  # (B, N, P)

        # One key an image: normalised only after the mean over its cells, as in the code.
        self.fresh_keys = gathered(unit(k_global)), gathered(unit(k_dense.mean(dim=1)))
        length = self._queue_length(progress, len(self.fresh_keys[0]))
        T = self.config.temperature
        self.readings = {"queue_length": torch.tensor(float(length))}
        images = contrast(q_global, k_global, self.global_queue.recent(length), T)
        if self._dense_waits(progress):
            whole = sum(self.weights.values()) / (self.weights["global"] or 1)
            return {"global": whole * images, "dense": torch.zeros_like(images)}
        return {
            "global": images,
            "dense": contrast(q_dense, matched, self.dense_queue.recent(length), T),
        }

    def after_step(self, progress: Progress) -> None:
        """The key network follows, and the keys of the step enter the queues.

        The code moves the key network between the forward passes of query and key; as nothing
        happens from the end of a step to there, it is the same.
        """
        self.target_encoder.update(self.encoder, self.config.ema)
        self.target_global_projector.update(self.global_projector, self.config.ema)
        self.target_dense_projector.update(self.dense_projector, self.config.ema)
        for queue, keys in zip((self.global_queue, self.dense_queue), self.fresh_keys, strict=True):
            length = self._queue_length(progress, len(keys))
            queue.push(keys, batches_before=progress.step, length=length)

    def _queue_length(self, progress: Progress, batch: int) -> int:
        """Keys in use: whole batches, or as much of one as the queue takes."""
        images = progress.steps_per_epoch * batch
        most = min(self.config.queue_length, self.config.queue_share * images)
        return whole_batches(most, batch) or min(self.config.queue_length, batch)

    def _dense_waits(self, progress: Progress) -> bool:
        """In the code's warm-up λ is 0: the global term has all the weight."""
        return progress.step < self.config.global_only_epochs * progress.steps_per_epoch


#: For each query cell the value of the key cell whose features are the most similar, by cosine.
most_similar = full_precision(select_most_similar)


def cells(features: Features) -> Tensor:
    """The cells of the last map, row by row: (B, C, H, W) -> (B, N, C)."""
    return features.maps["layer4"].flatten(2).transpose(1, 2)


@full_precision
def contrast(query: Tensor, key: Tensor, queue: Tensor, temperature: float = 0.2) -> Tensor:
    """-ln(exp(q·k/T) / (exp(q·k/T) + Σ exp(q·n/T))), n over the queue, mean over queries: a scalar.

    query and key (..., P) are normalised here; queue (L, P) holds unit vectors. No gradient
    reaches the keys.
    """
    query, key = F.normalize(query, dim=-1), F.normalize(key.detach(), dim=-1)
    positive = (query * key).sum(dim=-1) / temperature  # (...)
    negatives = (query @ queue.T / temperature).logsumexp(dim=-1)  # (...)
    return (torch.logaddexp(positive, negatives) - positive).mean()
