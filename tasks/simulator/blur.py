"""Gaussian blur of images by adding shifted copies: the same bits in any batch, and fast on CPUs.

Shapes: B images of h × w.
"""

from __future__ import annotations

import math

import torch.nn.functional as F
from torch import Tensor

from vtbench.tasks.simulator.resampling import doubled

_WIDEST = 2.2  # pixels; a wider Gaussian is applied to a smaller image
_REACH = 2.5  # widths at which a Gaussian is cut off


def blur(images: Tensor, sigma: float) -> Tensor:
    """Images (B, h, w) under a Gaussian of `sigma` pixels; beyond the border they are constant."""
    if sigma > _WIDEST and min(images.shape[1:]) >= 8:
        return _blur_halved(images, sigma)
    taps = _taps(sigma)
    return _along(_along(images, taps, dim=2), taps, dim=1)


def _blur_halved(images: Tensor, sigma: float) -> Tensor:
    """The blur of the image at half its size, enlarged again.

    Both steps weigh two neighbours 3 : 1 along each axis, which moves no centre of mass. Each has
    a variance of 3/4 of a squared pixel, taken off. Enlarging twice by two is smoother than once
    by four.
    """
    height, width = images.shape[1:]
    small = _thinned(_thinned(images, dim=1), dim=2)
    return doubled(blur(small, math.sqrt(sigma**2 - 1.5) / 2.0))[:, :height, :width]


def _thinned(images: Tensor, *, dim: int) -> Tensor:
    """Half of the rows (`dim` 1) or columns (2), rounded up; the converse of doubling."""
    size = images.shape[dim]
    last = 1 + size % 2
    margin = (1, last, 0, 0) if dim == 2 else (0, 0, 1, last)
    padded = F.pad(images[:, None], margin, mode="replicate")[:, 0]
    far, near, near_too, far_too = (
        padded[:, start : start + size : 2] if dim == 1 else padded[..., start : start + size : 2]
        for start in range(4)
    )
    return (near + near_too).mul_(0.375).add_(far, alpha=0.125).add_(far_too, alpha=0.125)


def _taps(sigma: float) -> list[float]:
    """One half of the kernel, from its centre outwards."""
    reach = math.ceil(_REACH * sigma)
    half = [math.exp(-0.5 * (step / sigma) ** 2) for step in range(reach + 1)]
    total = half[0] + 2.0 * sum(half[1:])
    return [weight / total for weight in half]


def _along(images: Tensor, taps: list[float], *, dim: int) -> Tensor:
    reach, size = len(taps) - 1, images.shape[dim]
    margin = (reach, reach, 0, 0) if dim == 2 else (0, 0, reach, reach)
    padded = F.pad(images[:, None], margin, mode="replicate")[:, 0]
    blurred = padded.narrow(dim, reach, size) * taps[0]
    for step in range(1, reach + 1):
        for start in (reach - step, reach + step):
            blurred.add_(padded.narrow(dim, start, size), alpha=taps[step])
    return blurred
