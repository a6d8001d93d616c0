"""Where the cells of one view's feature map lie in another view of the same image.

Shapes: B images, maps of H x W cells. Coordinates are (x, y), normalised so that -1 and 1 are the
outer edges of a view (torch's `align_corners=False`).
"""

from __future__ import annotations

import torch
from torch import Tensor


def mapped_centres(theta: Tensor, height: int, width: int) -> Tensor:
    """Centres of H x W cells of a view, in the coordinates of the other view: (B, H, W, 2).

    theta: (B, 2, 3), affine map from the view to the other. Equal to `F.affine_grid`, but free of
    matrix products, which GPUs may round to ten bits: enough to move a point by a cell.
    """
    x = _centres(width, theta).expand(height, width)
    y = _centres(height, theta)[:, None].expand(height, width)
    return torch.stack([_row(theta[:, 0], x, y), _row(theta[:, 1], x, y)], dim=-1)


def inside(points: Tensor, far_edge: float = 1.0) -> Tensor:
    """Which points (..., 2) lie in the view, in [-1, far_edge] on both axes: (...), boolean.

    The default is the whole view, which treats mirrored views alike. The code of SARL's authors
    stops one of S pixels short on the right and below, `far_edge = 1 - 2 / S`: 0.3 % of the cells.
    """
    return ((points >= -1) & (points <= far_edge)).all(dim=-1)


def _centres(count: int, like: Tensor) -> Tensor:
    """Centres of `count` equal cells that fill [-1, 1]: (count,)."""
    return (2 * torch.arange(count, dtype=like.dtype, device=like.device) + 1) / count - 1


def _row(row: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """One row (B, 3) of the affine maps applied to the points x, y (H, W): (B, H, W)."""
    a, b, c = row[:, :, None, None].unbind(dim=1)
    return a * x + b * y + c
