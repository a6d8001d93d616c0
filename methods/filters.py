"""Linear filters over the pixels of a batch, with own parameters for each image.

Semantics: torchvision's `resized_crop(antialias=True)` and `gaussian_blur` on float images.
Shapes: B images of H x W pixels; a view has S x S pixels.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Interpolation = Literal["bilinear", "bicubic"]


def crop_and_resize(
    pixels: Tensor,
    *,
    top: Tensor,
    left: Tensor,
    height: Tensor,
    width: Tensor,
    flip: Tensor,
    side: int,
    interpolation: Interpolation,
) -> Tensor:
    """Cut one box (B,) out of each image, resize it with antialiasing, mirror it.

    `pixels` (B, H, W, 3) float32 in [0, 1] -> (B, 3, side, side). Equal to torchvision's
    `resized_crop` and `horizontal_flip` within float32 rounding, whether the box is larger or
    smaller than the view. Bicubic results are then clamped to [0, 1]: the filter overshoots at
    edges, which 8-bit images (PIL, torchvision) cannot hold and BYOL's authors clip
    (google-deepmind/deepmind-research, byol/utils/dataset.py at f5de0ed).
    """
    H, W = pixels.shape[1:3]
    rows = taps(top, height, source=H, side=side, interpolation=interpolation)
    columns = taps(left, width, source=W, side=side, interpolation=interpolation, mirror=flip)
    x = _weighted_rows(pixels, *rows)  # (B, side, W, 3)
    x = _weighted_rows(x.permute(0, 2, 3, 1), *columns)  # (B, side, 3, side), columns first
    x = x.permute(0, 2, 3, 1).contiguous()
    return x.clamp_(0, 1) if interpolation == "bicubic" else x


def taps(
    start: Tensor,
    length: Tensor,
    *,
    source: int,
    side: int,
    interpolation: Interpolation,
    mirror: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Which of `source` pixels make up each of `side` pixels, and by how much.

    Returns indices int64 and weights float32, (B, side, T) each, that resample the pixels
    [start, start + length); where `mirror` (B,) is true the output runs backwards. Weights are
    those of torch's `interpolate(antialias=True)`: the filter about the centre of each output
    pixel, stretched by max(1, length / side), cut off at the box and normalised. T follows from
    `source` and `side` alone, so that a GPU need not be asked how long the boxes are.
    """
    position = torch.arange(side, device=length.device) + 0.5
    if mirror is not None:
        position = torch.where(mirror[:, None], side - position, position)
    scale = (length / side)[:, None]
    stretch = scale.clamp(min=1)
    centres = position * scale  # (B, side), in pixels of the box
    reach, weigh = _FILTERS[interpolation]
    first = (centres - 0.5 - reach * stretch).ceil()
    count = math.ceil(2 * reach * max(1, source / side)) + 1
    pixel = first[:, :, None] + torch.arange(count, device=length.device)  # (B, side, T)
    distance = (pixel + 0.5 - centres[:, :, None]).abs_()
    weights = weigh(distance, stretch[:, :, None])
    weights.mul_((pixel >= 0) & (pixel < length[:, None, None]))
    weights.div_(weights.sum(dim=2, keepdim=True))
    return (pixel.long() + start[:, None, None]).clamp_(0, source - 1), weights


def _weighted_rows(images: Tensor, index: Tensor, weights: Tensor) -> Tensor:
    """Sums of T rows for each of `side` rows: (B, H, ...), (B, side, T) -> (B, side, ...)."""
    B, H, *row = images.shape
    first = H * torch.arange(B, device=index.device)[:, None, None]
    summed = F.embedding_bag(
        (index + first).flatten(0, 1),
        images.reshape(B * H, -1),
        per_sample_weights=weights.flatten(0, 1),
        mode="sum",
    )
    return summed.view(B, -1, *row)


def _triangle(distance: Tensor, stretch: Tensor) -> Tensor:
    """1 - x, 0 from x = 1 on, at x = distance / stretch; overwrites `distance`."""
    return distance.div_(-stretch).add_(1).clamp_(min=0)


def _cubic(distance: Tensor, stretch: Tensor) -> Tensor:
    """Keys' cubic at x = distance / stretch, 0 from x = 2 on; overwrites `distance`.

    Keys, Cubic convolution interpolation for digital image processing, 1981, with a = -1/2:
    3/2 x³ - 5/2 x² + 1 up to x = 1, -1/2 x³ + 5/2 x² - 4 x + 2 = (1 - x) (2 - x)² / 2 up to 2.
    """
    x = distance.div_(stretch).clamp_(max=2)
    return torch.where(x < 1, (1.5 * x - 2.5) * x**2 + 1, (1 - x) * (2 - x) ** 2 / 2)


#: How far a filter reaches when it is not stretched, in pixels, and its weights.
_FILTERS: dict[Interpolation, tuple[int, Callable[[Tensor, Tensor], Tensor]]] = {
    "bilinear": (1, _triangle),
    "bicubic": (2, _cubic),
}


def gaussian_blur(images: Tensor, sigma: Tensor, *, kernel: int) -> Tensor:
    """Blur each image (B, C, S, S) with its own `sigma` (B,) in pixels, edges mirrored.

    The Gaussian is cut off at `kernel` (odd) taps and normalised. Taps below 1e-12 are dropped:
    they change nothing in float32, but arithmetic on denormal numbers is several times slower.
    """
    B, C, S, _ = images.shape
    reach = kernel // 2
    offset = torch.arange(-reach, reach + 1, device=sigma.device)
    taps = torch.softmax(-0.5 * (offset / sigma[:, None]) ** 2, dim=1)  # (B, kernel)
    taps = F.hardshrink(taps, 1e-12).repeat_interleave(C, dim=0)
    x = F.pad(images, (reach,) * 4, mode="reflect").view(1, B * C, S + 2 * reach, S + 2 * reach)
    x = F.conv2d(x, taps.view(B * C, 1, 1, kernel), groups=B * C)
    return F.conv2d(x, taps.view(B * C, 1, kernel, 1), groups=B * C).view(B, C, S, S)
