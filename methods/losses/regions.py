"""RAM, region affinity matching: regions keep their mutual similarities across views.

"SARL" (https://arxiv.org/abs/2512.01908); form and constants of its authors' code,
gurmeherr/SARL---Spatially-Aware-Representation-Learning, SARL.py at e8ddf8f.

Shapes: B images; maps (B, C, H, W); N = G x G regions of a map (see `grids`).
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from vtbench.methods.losses.grids import grid_side, grid_tokens
from vtbench.methods.losses.overlap import inside, mapped_centres
from vtbench.methods.losses.precision import full_precision


@full_precision
def region_affinity_matching(
    online: Tensor,
    target: Tensor,
    theta: Tensor,
    *,
    grid: int = 6,
    duplicates: Literal["keep", "exclude"] = "keep",
    far_edge: float = 1.0,
) -> Tensor:
    """Mean squared difference of the affinities of region pairs that both views show: a scalar.

    online, target: (B, C, H, W) maps of two views; theta: (B, 2, 3) from the first view to the
    second. No gradient reaches `target`. Images with fewer than two shared regions do not count;
    without any the loss is 0. `duplicates="exclude"` leaves out pairs of different regions that
    fall on one region of the other view, which "keep" asks to look the same.
    """
    match, visible = matching_regions(theta, grid_side(online, grid), far_edge)
    a = affinities(grid_tokens(online, grid))
    b = affinities(grid_tokens(target.detach(), grid).take_along_dim(match[:, :, None], dim=1))
    pairs = visible[:, :, None] & visible[:, None, :]  # (B, N, N)
    if duplicates == "exclude":
        pairs = pairs & ~_duplicates(match)
    counted = (visible.sum(dim=1) >= 2).to(a.dtype)  # (B,)
    per_image = (pairs * (a - b).square()).sum(dim=(1, 2)) / pairs.sum(dim=(1, 2)).clamp(min=1)
    return (counted * per_image).sum() / counted.sum().clamp(min=1)


def affinities(tokens: Tensor) -> Tensor:
    """Cosine distances between the regions of each image: (B, N, C) -> (B, N, N)."""
    unit = F.normalize(tokens, dim=2)
    return 1 - unit @ unit.transpose(1, 2)


def matching_regions(theta: Tensor, regions: int, far_edge: float = 1.0) -> tuple[Tensor, Tensor]:
    """For each region of a view, the region of the other view that holds its centre.

    Returns its index (B, N), row by row, and whether the centre is inside the other view (B, N);
    an index outside is the nearest region's.
    """
    points = mapped_centres(theta, regions, regions).flatten(1, 2)  # (B, N, 2)
    column, row = ((points + 1) / 2 * regions).floor().long().clamp(0, regions - 1).unbind(dim=-1)
    return row * regions + column, inside(points, far_edge)


def _duplicates(match: Tensor) -> Tensor:
    """Pairs of different regions with one match: (B, N) -> (B, N, N)."""
    same = match[:, :, None] == match[:, None, :]
    return same & ~torch.eye(match.shape[1], dtype=torch.bool, device=match.device)
