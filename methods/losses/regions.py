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

from vtbench.methods.distributed import total
from vtbench.methods.losses.grids import grid_side, grid_tokens
from vtbench.methods.losses.overlap import inside, mapped_centres, sample
from vtbench.methods.losses.precision import full_precision


@full_precision
def region_affinity_matching(
    online: Tensor,
    target: Tensor,
    theta: Tensor,
    far_edge: float = 1.0,
    *,
    grid: int = 6,
    correspondence: Literal["nearest", "resample", "identity"] = "nearest",
    outside: Literal["drop", "identity", "wrap"] = "drop",
    duplicates: Literal["keep", "exclude"] = "keep",
    diagonal: Literal["include", "exclude"] = "include",
) -> Tensor:
    """Mean squared difference of the affinities of region pairs that both views show: a scalar.

    online, target: (B, C, H, W) maps of two views; theta: (B, 2, 3) from the first view to the
    second, which ends at `far_edge` (see `overlap.inside`). No gradient reaches `target`. Images
    with fewer than two shared regions do not count; without any the loss is 0.

    correspondence: a region is compared with the one of the other view that holds its centre
    ("nearest", the authors' form), with the same region of the other view's map after its cells
    are moved to where the first view has them ("resample": exact for mirrored views, and no two
    regions become one), or with the one of the same index ("identity", no geometry at all).
    outside: what becomes of a region that the other view does not show, see `matched_points`.
    duplicates: "exclude" leaves out pairs of different regions that fall on one region of the
    other view, which "nearest" asks to look the same. diagonal: "exclude" leaves out the pairs of
    a region with itself, which always agree.
    """
    if correspondence == "identity":
        theta = _identity(theta)
    side = grid_side(online, grid)
    points, visible = matched_points(theta, far_edge, side, side, outside)
    match = holding_regions(points)
    a, b = grid_tokens(online, grid), target.detach()
    if correspondence == "resample":
        cells, _ = matched_points(theta, far_edge, *online.shape[-2:], outside)
        b = grid_tokens(sample(b, cells), grid)
    else:
        b = grid_tokens(b, grid).take_along_dim(match[:, :, None], dim=1)
    pairs = _pairs(visible.flatten(1), match, duplicates, diagonal)
    return _mean_over_images((affinities(a) - affinities(b)).square(), pairs, visible)


def affinities(tokens: Tensor) -> Tensor:
    """Cosine distances between the regions of each image: (B, N, C) -> (B, N, N)."""
    unit = F.normalize(tokens, dim=2)
    return 1 - unit @ unit.transpose(1, 2)


def matched_points(
    theta: Tensor, far_edge: float, height: int, width: int, outside: str = "drop"
) -> tuple[Tensor, Tensor]:
    """Where in the other view to look for each of H x W regions, and which of them count.

    Returns the points (B, H, W, 2) and whether they count (B, H, W). A region counts if the other
    view shows its centre. Unless those outside are dropped, all count, and they are looked for at
    their own place ("identity") or as if the other view were repeated without end ("wrap").
    """
    points = mapped_centres(theta, height, width)
    visible = inside(points, far_edge)
    if outside == "drop":
        return points, visible
    own = mapped_centres(_identity(theta), height, width)
    elsewhere = own if outside == "identity" else (points + 1).remainder(2) - 1
    return torch.where(visible[..., None], points, elsewhere), torch.ones_like(visible)


def holding_regions(points: Tensor) -> Tensor:
    """Which of G x G regions hold the points (B, G, G, 2), row by row: indices (B, N).

    A point outside is given to the nearest region.
    """
    side = points.shape[1]
    cells = ((points.flatten(1, 2) + 1) / 2 * side).floor().long().clamp(0, side - 1)
    column, row = cells.unbind(dim=-1)
    return row * side + column


def _identity(theta: Tensor) -> Tensor:
    return torch.eye(2, 3, dtype=theta.dtype, device=theta.device).expand_as(theta)


def _pairs(visible: Tensor, match: Tensor, duplicates: str, diagonal: str) -> Tensor:
    """The pairs of regions that count: (B, N), (B, N) -> (B, N, N)."""
    pairs = visible[:, :, None] & visible[:, None, :]
    same = torch.eye(match.shape[1], dtype=torch.bool, device=match.device)
    if duplicates == "exclude":
        pairs = pairs & (same | (match[:, :, None] != match[:, None, :]))
    return pairs & ~same if diagonal == "exclude" else pairs


def _mean_over_images(error: Tensor, pairs: Tensor, visible: Tensor) -> Tensor:
    """Mean over images of the means over pairs (B, N, N); visible: (B, G, G)."""
    count = pairs.sum(dim=(1, 2))
    counted = (visible.sum(dim=(1, 2)) >= 2) & (count > 0)
    per_image = (pairs * error).sum(dim=(1, 2)) / count.clamp(min=1)
    return total((counted * per_image).sum()) / total(counted.sum()).clamp(min=1)
