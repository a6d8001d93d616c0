"""SAL, saliency alignment: what stands out in one view stands out in the other.

"SARL" (https://arxiv.org/abs/2512.01908); form and constants of its authors' code,
gurmeherr/SARL---Spatially-Aware-Representation-Learning, SARL.py at e8ddf8f.

Shapes: B images; maps (B, C, H, W); saliency fields (B, H, W).
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from vtbench.methods.distributed import total
from vtbench.methods.losses.overlap import inside, mapped_centres, sample
from vtbench.methods.losses.precision import full_precision

SMALLEST_NORM = 1e-8  # a dead map stays zero instead of dividing by zero


@full_precision
def saliency_alignment(
    online: Tensor,
    target: Tensor,
    theta: Tensor,
    far_edge: float = 1.0,
    *,
    region: Literal["full", "overlap"] = "full",
    padding: Literal["zeros", "border"] = "zeros",
    average: Literal["cells", "images"] = "cells",
    scale: Literal["mean", "unit_square"] = "mean",
    min_cells: int = 1,
) -> Tensor:
    """Mean squared difference of two saliency fields over the cells both views show: a scalar.

    online, target: (B, C, H, W) maps of two views; theta: (B, 2, 3) from the first view to the
    second, which ends at `far_edge` (see `overlap.inside`). No gradient reaches `target`. Images
    that share fewer than `min_cells` cells do not count; without any the loss is 0.

    The fields have unit norm over the `region`: the full map (the authors' form) or the shared
    cells alone. With "full" even perfectly equivariant features leave a remainder, since two crops
    see different surroundings. `scale="unit_square"` gives them a mean square of 1 there instead,
    so that maps of any size weigh the same. `padding` is what target cells beyond the border count
    as. The mean is over the shared cells of the whole batch, or over images of their own means.
    """
    points = mapped_centres(theta, *online.shape[-2:])
    shared = _enough(inside(points, far_edge), min_cells)  # (B, H, W)
    a, b = saliency(online), saliency(target.detach())
    if region == "overlap":
        a, b = _unit(a * shared), _unit(_read(b, points, padding) * shared)
    else:
        a, b = _unit(a), _read(_unit(b), points, padding)
    error = shared * (a - b).square()
    if scale == "unit_square":
        error = error * (_cells(shared) if region == "overlap" else shared[0].numel())
    return _mean_over_images(error, shared) if average == "images" else _mean(error, shared)


def saliency(maps: Tensor) -> Tensor:
    """Total activation of each cell: (B, C, H, W) -> (B, H, W)."""
    return maps.abs().sum(dim=1)


def _enough(shared: Tensor, min_cells: int) -> Tensor:
    """The shared cells (B, H, W), none of them where an image has fewer than `min_cells`."""
    return shared & (_cells(shared) >= min_cells)


def _cells(shared: Tensor) -> Tensor:
    """How many cells are shared: (B, H, W) -> (B, 1, 1)."""
    return shared.sum(dim=(1, 2), keepdim=True)


def _mean(error: Tensor, shared: Tensor) -> Tensor:
    """Mean over the shared cells of the batch."""
    return total(error.sum()) / total(shared.sum()).clamp(min=1)


def _mean_over_images(error: Tensor, shared: Tensor) -> Tensor:
    """Mean over the images that share cells of each image's own mean."""
    cells = _cells(shared)
    means = (error / cells.clamp(min=1)).sum()
    return total(means) / total((cells > 0).sum()).clamp(min=1)


def _unit(field: Tensor) -> Tensor:
    """Each image's field (B, H, W) scaled to unit norm."""
    norm = torch.linalg.vector_norm(field, dim=(1, 2), keepdim=True)
    return field / norm.clamp(min=SMALLEST_NORM)


def _read(field: Tensor, points: Tensor, padding: str) -> Tensor:
    """A field (B, H, W) at points (B, H', W', 2): (B, H', W')."""
    return sample(field[:, None], points, padding)[:, 0]
