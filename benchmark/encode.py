"""Images in, features out: read once, encoded once, kept under the hash of what made them.

Shapes: N images, stored S x S pixels; D features.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from vtbench.benchmark.environment import cache_root
from vtbench.benchmark.errors import VTBenchError
from vtbench.benchmark.memory import free_ram
from vtbench.benchmark.pool import ImagePool, images_of_size
from vtbench.methods.views import whole_images

if TYPE_CHECKING:
    from vtbench.benchmark.pool import Images
    from vtbench.tasks.data.pack import Dataset

CHUNK = 256  # images per forward pass; features of an image do not depend on it

#: Of the RAM that is free, maps of layer 3 take at most this share; larger ones go to a file.
MAPS_SHARE = 0.25


def stored_images(dataset: Dataset, size: int) -> ImagePool:
    """uint8 (N, S, S, 3): grey expanded, antialiased resize where the pack's size differs."""
    return ImagePool([(images_of_size(dataset, size), np.arange(len(dataset.images)))])


def pool_images(pool: Sequence[tuple[Dataset, np.ndarray]], size: int) -> ImagePool:
    """The pre-training images of all data sets, uint8 (N, S, S, 3)."""
    return ImagePool([(images_of_size(data, size), rows) for data, rows in pool])


@torch.inference_mode()
def encoder_features(
    encoder: nn.Module, images: Images, *, image_size: int, device: str
) -> np.ndarray:
    """Embeddings (N, D) float32 of a frozen encoder in eval mode, in float32 arithmetic."""
    encoder = encoder.to(device).eval()
    return _in_chunks(
        images, device, lambda batch: encoder(whole_images(batch, size=image_size)).embedding
    )


@torch.inference_mode()
def layer3_maps(encoder: nn.Module, images: Images, *, image_size: int, device: str) -> np.ndarray:
    """Maps (N, C, h, w) float32 of stage 3 of a frozen encoder in eval mode: what layer 4 is fed.

    They take 200 kB for each image of 224 pixels at width 64. Where that is more than a quarter of
    the free RAM they are a memory map of a file without a name in the cache folder, which is gone
    with the array. Raises VTBenchError where the disk has no room for it.
    """
    encoder = encoder.to(device).eval()
    return _in_chunks(
        images,
        device,
        lambda batch: encoder(whole_images(batch, size=image_size)).maps["layer3"],
        at_most=MAPS_SHARE * free_ram(),
    )


@torch.inference_mode()
def pixel_features(images: Images, *, pixel_size: int, device: str) -> np.ndarray:
    """The images themselves as features, (N, 3 * pixel_size²) float32."""
    return _in_chunks(images, device, lambda batch: whole_images(batch, size=pixel_size).flatten(1))


def _in_chunks(
    images: Images, device: str, encode: Callable[[Tensor], Tensor], at_most: float = np.inf
) -> np.ndarray:
    """What `encode` makes of all images, float32; in a file where it takes more than `at_most`."""
    starts = range(0, len(images), CHUNK)
    parts = (
        encode(images[start : start + CHUNK].to(device)).float().cpu().numpy() for start in starts
    )
    first = next(parts)
    shape = (len(images), *first.shape[1:])
    if first[:1].nbytes * len(images) > at_most:
        return _mapped(first, parts, shape)
    result = np.empty(shape, dtype=np.float32)
    result[: len(first)] = first
    for start, part in zip(starts[1:], parts, strict=True):
        result[start : start + len(part)] = part
    return result


def _mapped(first: np.ndarray, rest: Iterable[np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    """The parts, one after the other, as a read-only memory map of a file without a name."""
    folder = cache_root()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        for part in chain([first], rest):
            try:
                file.write(np.ascontiguousarray(part).data)
            except OSError as error:
                raise VTBenchError(
                    f"The maps of layer 3 ({4 * np.prod(shape) / 1e9:.1f} GB) cannot be written to "
                    f"{folder} ({error.strerror}); let VTBENCH_CACHE name a folder with room, or "
                    "choose a smaller --set encoder.image_size=..."
                ) from error
        file.flush()
        return np.memmap(file, np.float32, mode="r", shape=shape)
