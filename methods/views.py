"""Augmented views of a batch of images, with the place of each view in its source image.

The order of the operations is that of BYOL's authors (google-deepmind/deepmind-research,
byol/utils/dataset.py and augmentations.py at f5de0ed): crop, flip, colour jitter, grey, blur,
solarise. Every operation equals torchvision's on float images within rounding; see `draws` for
the distributions.

Shapes: B images of H x W pixels, V views; view v has S_v x S_v pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from vtbench.methods.base import Views
from vtbench.methods.colour import colour_jitter, on_rows, solarize, to_gray
from vtbench.methods.distributed import own_rows, processes
from vtbench.methods.draws import Draws, blur_kernel, draw, onto, view_side
from vtbench.methods.errors import MethodError
from vtbench.methods.filters import crop_and_resize, gaussian_blur
from vtbench.methods.recipe import Augmentation

#: Mean and standard deviation of the normalisation, for every channel and every method
#: (gurmeherr/SARL---Spatially-Aware-Representation-Learning, SARL.py at e8ddf8f).
MEAN = STD = 0.5

#: Pixels of the views that a CPU works on at once, 2 MB of float32 colours. With whole batches of
#: 32 images of 224 pixels hue, for one, took 1.6 times as long (server CPU, 1 MB of cache a core).
CACHED_PIXELS = 4 * 224**2


@torch.no_grad()
def make_views(
    images: Tensor,
    augmentations: Sequence[Augmentation],
    *,
    size: int,
    generator: torch.Generator,
) -> Views:
    """One view of every image per augmentation, on the device of the images.

    `images` is uint8 (B, H, W, 3); a view's side is `size` times the augmentation's relative
    size. `generator` lives on the CPU, so that the views do not depend on the device. Raises
    MethodError for images of another type or shape, and for an empty batch.

    Where a batch is split over processes each draws for the joint batch and keeps its own rows.
    """
    source = _source_size(images)
    if len(images) == 0:
        raise MethodError("There is no image in this batch to make views of; leave it out.")
    joint = len(images) * processes()
    own = own_rows(joint)
    sides = [view_side(augmentation, size) for augmentation in augmentations]
    drawn = [
        draw(augmentation, count=joint, source=source, side=side, generator=generator).rows(own)
        for augmentation, side in zip(augmentations, sides, strict=True)
    ]
    views: dict[int, Tensor] = {}
    with torch.autocast(images.device.type, enabled=False):
        for augmentation in dict.fromkeys(augmentations):
            alike = [v for v, own in enumerate(augmentations) if own == augmentation]
            draws = Draws.joined([drawn[v] for v in alike])
            made = _in_parts(images, draws, augmentation, side=sides[alike[0]])
            views.update(zip(alike, made.chunk(len(alike)), strict=True))
    geometry = torch.stack([view_geometry(draws, source) for draws in drawn])
    ordered = tuple(views[v] for v in range(len(augmentations)))
    return Views(images=ordered, geometry=onto(images.device, geometry))


def _in_parts(images: Tensor, draws: Draws, augmentation: Augmentation, *, side: int) -> Tensor:
    """Views (V B, 3, side, side) of images uint8 (B, H, W, 3); row v B + b is a view of image b.

    A CPU works on as many at once as its caches hold, a GPU on all: no pixel depends on it.
    """
    rows = torch.arange(len(draws.top))
    at_once = len(rows) if images.is_cuda else max(1, CACHED_PIXELS // side**2)
    parts = []
    for part in rows.split(at_once):
        pixels = images.index_select(0, onto(images.device, part % len(images))) / 255
        own = draws.rows(slice(int(part[0]), int(part[-1]) + 1))
        parts.append(apply_draws(pixels, own, augmentation, side=side))
    return torch.cat(parts)


def apply_draws(pixels: Tensor, draws: Draws, augmentation: Augmentation, *, side: int) -> Tensor:
    """One normalised view (B, 3, side, side) of `pixels` (B, H, W, 3), float32 in [0, 1]."""
    box = (draws.top, draws.left, draws.height, draws.width, draws.flip)
    top, left, height, width, flip = onto(pixels.device, torch.stack(box))
    x = crop_and_resize(
        pixels,
        top=top,
        left=left,
        height=height,
        width=width,
        flip=flip.bool(),
        side=side,
        interpolation=augmentation.crop_filter,
    )
    x = colour_jitter(x, draws)
    x = on_rows(x, draws.gray, to_gray)
    blur = partial(gaussian_blur, kernel=blur_kernel(augmentation, side))
    x = on_rows(x, draws.blur, blur, draws.sigma)
    x = on_rows(x, draws.solarize, partial(solarize, threshold=augmentation.solarize_threshold))
    return _normalize(x)


@torch.no_grad()
def whole_images(images: Tensor, *, size: int) -> Tensor:
    """Images uint8 (B, H, W, 3) without augmentation: (B, 3, size, size), float32, normalised.

    Resized with antialiasing. Raises MethodError for images of another type or shape.
    """
    _source_size(images)
    pixels = (images / 255).permute(0, 3, 1, 2).contiguous()
    return _normalize(F.interpolate(pixels, size=(size, size), mode="bilinear", antialias=True))


def view_geometry(draws: Draws, source: tuple[int, int]) -> Tensor:
    """Affine maps (B, 2, 3) from the normalised coordinates of a view to those of its source.

    A point x of the view lies at left + width * (1 ± x) / 2 source pixels (minus if mirrored).
    """
    H, W = source
    theta = torch.zeros(len(draws.top), 2, 3, dtype=torch.float64)
    theta[:, 0, 0] = torch.where(draws.flip, -1.0, 1.0) * draws.width / W
    theta[:, 0, 2] = (2 * draws.left + draws.width) / W - 1
    theta[:, 1, 1] = draws.height / H
    theta[:, 1, 2] = (2 * draws.top + draws.height) / H - 1
    return theta.float()


def correspondence(views: Views, *, source: int, target: int) -> Tensor:
    """Affine maps (B, 2, 3) that take a point of view `source` to the same point of `target`.

    theta = inverse(M_target) @ M_source with M the maps to the source image, in normalised
    coordinates (`align_corners=False`), so the result holds for feature maps of any size.
    """
    outer, inner = views.geometry[target], views.geometry[source]
    shift = inner[:, :, 2:] - outer[:, :, 2:]
    right = torch.cat([inner[:, :, :2], shift], dim=2)
    # solve_ex does not wait for the GPU to report a singular matrix; a crop never makes one.
    return torch.linalg.solve_ex(outer[:, :, :2], right)[0]


def _source_size(images: Tensor) -> tuple[int, int]:
    if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[3] != 3:
        raise MethodError(
            f"Views are made from uint8 images (B, H, W, 3), not from {images.dtype} "
            f"{tuple(images.shape)}; convert them first."
        )
    return images.shape[1], images.shape[2]


def _normalize(images: Tensor) -> Tensor:
    return images.sub_(MEAN).div_(STD)
