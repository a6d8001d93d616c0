"""Feature maps as grids of regions.

Shapes: B images; maps (B, C, H, W); N = G x G regions.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def grid_side(maps: Tensor, grid: int) -> int:
    """G, the regions along a side: `grid`, or the map's shorter side where that is smaller.

    A grid is never finer than the map, so on small images the regions are the cells themselves.
    """
    return min(grid, *maps.shape[-2:])


def grid_tokens(maps: Tensor, grid: int) -> Tensor:
    """Averages over the regions of maps (B, C, H, W), row by row: (B, N, C).

    The regions are those of `F.adaptive_avg_pool2d`. They are applied as a matrix, the pooling of
    the identity, because the gradient of that operation is not reproducible on GPUs.
    """
    B, C, height, width = maps.shape
    tokens = maps.permute(0, 2, 3, 1).reshape(B, height * width, C)  # no copy if channels last
    side = grid_side(maps, grid)
    if side == height == width:
        return tokens
    cells = torch.eye(height * width, dtype=maps.dtype, device=maps.device)
    regions = F.adaptive_avg_pool2d(cells.view(-1, 1, height, width), side)
    return regions.flatten(1).T @ tokens
