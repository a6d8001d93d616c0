"""SAL, saliency alignment: what stands out in one view stands out in the other.

"SARL" (https://arxiv.org/abs/2512.01908); form and constants of its authors' code,
gurmeherr/SARL---Spatially-Aware-Representation-Learning, SARL.py at e8ddf8f.

Shapes: B images; maps (B, C, H, W); saliency fields (B, H, W).
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from vtbench.methods.losses.overlap import inside, mapped_centres
from vtbench.methods.losses.precision import full_precision

SMALLEST_NORM = 1e-8  # a dead map stays zero instead of dividing by zero


@full_precision
def saliency_alignment(
    online: Tensor,
    target: Tensor,
    theta: Tensor,
    *,
    region: Literal["full", "overlap"] = "full",
    padding: Literal["zeros", "border"] = "zeros",
    far_edge: float = 1.0,
) -> Tensor:
    """Mean squared difference of two saliency fields over the cells both views show: a scalar.

    online, target: (B, C, H, W) maps of two views; theta: (B, 2, 3) from the first view to the
    second. No gradient reaches `target`. The mean is over the shared cells of the whole batch;
    without any the loss is 0.

    The fields have unit norm over the `region`: the full map (the authors' form) or the shared
    cells alone. With "full" even perfectly equivariant features leave a remainder, since two crops
    see different surroundings. `padding` is what target cells beyond the border count as.
    """
    points = mapped_centres(theta, *online.shape[-2:])
    shared = inside(points, far_edge)  # (B, H, W)
    a, b = saliency(online), saliency(target.detach())
    if region == "overlap":
        a, b = _unit(a * shared), _unit(_sample(b, points, padding) * shared)
    else:
        a, b = _unit(a), _sample(_unit(b), points, padding)
    return (shared * (a - b).square()).sum() / shared.sum().clamp(min=1)


def saliency(maps: Tensor) -> Tensor:
    """Total activation of each cell: (B, C, H, W) -> (B, H, W)."""
    return maps.abs().sum(dim=1)


def _unit(field: Tensor) -> Tensor:
    """Each image's field (B, H, W) scaled to unit norm."""
    norm = torch.linalg.vector_norm(field, dim=(1, 2), keepdim=True)
    return field / norm.clamp(min=SMALLEST_NORM)


def _sample(field: Tensor, points: Tensor, padding: str) -> Tensor:
    """A field (B, H, W) read at points (B, H', W', 2), bilinearly: (B, H', W')."""
    return F.grid_sample(
        field[:, None], points, mode="bilinear", padding_mode=padding, align_corners=False
    )[:, 0]
