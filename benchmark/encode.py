"""Images in, features out: read once, encoded once, kept under the hash of what made them.

Shapes: N images, stored S x S pixels; D features.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from vtbench.methods.views import whole_images
from vtbench.tasks.data.resize import resized

if TYPE_CHECKING:
    from vtbench.tasks.data.pack import Dataset

CHUNK = 256  # images per forward pass; features of an image do not depend on it


#: Images that are resident in this process, by content and size.
_RESIDENT: dict[tuple[str, int], Tensor] = {}


def stored_images(dataset: Dataset, size: int) -> Tensor:
    """uint8 (N, S, S, 3): grey expanded, antialiased resize where the pack's size differs."""
    key = (dataset.fingerprint, size)
    if key not in _RESIDENT:
        _RESIDENT[key] = torch.from_numpy(np.require(resized(dataset.images, size), None, "W"))
    return _RESIDENT[key]


def pool_images(pool: Sequence[tuple[Dataset, np.ndarray]], size: int) -> Tensor:
    """The pre-training images of all data sets, uint8 (N, S, S, 3)."""
    return torch.cat([stored_images(data, size)[torch.from_numpy(rows)] for data, rows in pool])


@torch.inference_mode()
def encoder_features(
    encoder: nn.Module, images: Tensor, *, image_size: int, device: str
) -> np.ndarray:
    """Embeddings (N, D) float32 of a frozen encoder in eval mode, in float32 arithmetic."""
    encoder = encoder.to(device).eval()
    return _in_chunks(
        images, device, lambda batch: encoder(whole_images(batch, size=image_size)).embedding
    )


@torch.inference_mode()
def layer3_maps(encoder: nn.Module, images: Tensor, *, image_size: int, device: str) -> np.ndarray:
    """Maps (N, C, h, w) float32 of stage 3 of a frozen encoder in eval mode: what layer 4 is fed.

    They stay in memory: 200 kB for each image of 224 pixels at width 64.
    """
    encoder = encoder.to(device).eval()
    return _in_chunks(
        images,
        device,
        lambda batch: encoder(whole_images(batch, size=image_size)).maps["layer3"],
    )


@torch.inference_mode()
def pixel_features(images: Tensor, *, pixel_size: int, device: str) -> np.ndarray:
    """The images themselves as features, (N, 3 * pixel_size²) float32."""
    return _in_chunks(images, device, lambda batch: whole_images(batch, size=pixel_size).flatten(1))


def _in_chunks(images: Tensor, device: str, encode: Callable[[Tensor], Tensor]) -> np.ndarray:
    parts = [encode(chunk.to(device)).float().cpu() for chunk in images.split(CHUNK)]
    return torch.cat(parts).numpy()
