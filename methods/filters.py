"""Linear filters over the pixels of a batch, with own parameters for each image.

Semantics: torchvision's `resized_crop(antialias=True)` and `gaussian_blur` on float images.
Shapes: B images of H x W pixels; a view has S x S pixels.
"""

from __future__ import annotations

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
    B, H, W, channels = pixels.shape
    rows = resize_matrix(top, height, source=H, side=side, interpolation=interpolation)
    columns = resize_matrix(
        left, width, source=W, side=side, interpolation=interpolation, mirror=flip
    )
    x = torch.bmm(rows, pixels.reshape(B, H, W * channels)).view(B, side, W, channels)
    x = x.permute(0, 3, 1, 2).reshape(B, channels * side, W)
    x = torch.bmm(x, columns.transpose(1, 2)).view(B, channels, side, side)
    return x.clamp_(0, 1) if interpolation == "bicubic" else x


def resize_matrix(
    start: Tensor,
    length: Tensor,
    *,
    source: int,
    side: int,
    interpolation: Interpolation,
    mirror: Tensor | None = None,
) -> Tensor:
    """Weights (B, side, source) that resample the pixels [start, start + length) to `side`.

    Where `mirror` (B,) is true the output runs backwards.

    The filter about the centre of each output pixel, stretched by max(1, length / side), cut off
    at the box and normalised: torch's `interpolate(antialias=True)`.
    """
    scale = (length / side).view(-1, 1, 1)
    position = torch.arange(side, device=length.device).view(1, -1, 1) + 0.5
    if mirror is not None:
        position = torch.where(mirror.view(-1, 1, 1), side - position, position)
    centres = position * scale  # (B, side, 1), in pixels of the box
    pixel = torch.arange(source, device=length.device).view(1, 1, -1) - start.view(-1, 1, 1)
    distance = (pixel + 0.5 - centres).abs_()
    weights = _FILTERS[interpolation](distance, scale.clamp(min=1))
    weights.mul_((pixel >= 0) & (pixel < length.view(-1, 1, 1)))
    return weights.div_(weights.sum(dim=2, keepdim=True))


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


_FILTERS: dict[Interpolation, Callable[[Tensor, Tensor], Tensor]] = {
    "bilinear": _triangle,
    "bicubic": _cubic,
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
