"""Antialiased discs, drawn into images.

Shapes: B images of S pixels per side, n discs.
"""

from __future__ import annotations

import torch
from torch import Tensor


def draw_discs(column: Tensor, row: Tensor, radius: Tensor, *, size: int, window: int) -> Tensor:
    """How much of each pixel the discs cover (B, S, S), 0 … 1.

    Centres and radii (B, n) are in pixels; a disc reaches at most `window` pixels from its centre.
    Where discs overlap the one that covers more counts, so that their order never matters.
    """
    span = torch.arange(-window, window + 1, device=column.device)
    across = column.floor().long()[..., None] + span  # (B, n, window)
    down = row.floor().long()[..., None] + span
    away_x = _squared_distance(across, column, size)[:, :, None, :]
    away_y = _squared_distance(down, row, size)[:, :, :, None]
    # ∫ clamp(r - ρ + ½, 0, 1) dA = π (r² + 1/12): rescaled to the disc's own area.
    radius = radius[..., None, None]
    covered = torch.sqrt(away_x + away_y).neg_().add_(radius + 0.5).clamp_(0.0, 1.0)
    covered *= radius**2 / (radius**2 + 1.0 / 12.0)
    pixel = down.clamp_(0, size - 1)[..., None] * size + across.clamp_(0, size - 1)[:, :, None]
    image = torch.zeros(len(column), size * size, device=column.device)
    image.scatter_reduce_(1, pixel.flatten(1), covered.flatten(1), "amax")
    return image.view(-1, size, size)


def _squared_distance(pixel: Tensor, centre: Tensor, size: int) -> Tensor:
    """(pixel centre - centre)² along one axis; out of any disc's reach beyond the image."""
    square = (pixel + 0.5 - centre[..., None]).square_()
    return square.masked_fill_((pixel < 0) | (pixel >= size), 1e6)
