"""Where the cells of one view's feature map lie in another view of the same image.

Shapes: B images; maps (B, C, H, W); N = G x G regions of a map (see `grids`). Coordinates are
(x, y), normalised so that -1 and 1 are the outer edges of a view, or of the cells of a map
(torch's `align_corners=False`).
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from vtbench.methods.encoder import Features
from vtbench.methods.losses.grids import grid_side


class Pair(NamedTuple):
    """Two views of B images, one through the online network, the other through the target network.

    theta, inverse: (B, 2, 3), affine maps from the first view to the second and back.
    pixels: the sides of the two views.
    centres: whether the cells of a map fill its view evenly ("uniform", as the authors assume) or
    are centred where the strides of the network put them ("stride", see `stride_frame`).
    edge: whether a view reaches to its "outer" edge or to the "authors" (see `inside`).
    """

    online: Features
    target: Features
    theta: Tensor
    inverse: Tensor
    pixels: tuple[int, int]
    centres: Literal["uniform", "stride"] = "uniform"
    edge: Literal["outer", "authors"] = "outer"

    def at(self, layer: str) -> tuple[Tensor, Tensor, Tensor, float]:
        """What a map loss compares: both maps of a layer, theta between their cells, far edge."""
        a, b, theta = self.online.maps[layer], self.target.maps[layer], self.theta
        if self.centres == "stride":
            frames = map(stride_frame, self.pixels, (a.shape[-1], b.shape[-1]))
            theta = between_frames(theta, *frames)
        far_edge = 1.0 if self.edge == "outer" else 1 - 2 / self.pixels[1]
        return a, b, theta, far_edge

    def shared_regions(self, layer: str, grid: int) -> Tensor:
        """Which regions of the first view's map have a centre that the second shows: (B, N)."""
        a, _, theta, far_edge = self.at(layer)
        side = grid_side(a, grid)
        return inside(mapped_centres(theta, side, side), far_edge).flatten(1)

    @property
    def reverse(self) -> Pair:
        """The same views, from the second to the first."""
        return self._replace(
            online=self.target,
            target=self.online,
            theta=self.inverse,
            inverse=self.theta,
            pixels=self.pixels[::-1],
        )


class Frame(NamedTuple):
    """Where a map lies in its view: what is at u in the map is at x = scale u + offset."""

    scale: float = 1.0
    offset: float = 0.0


def stride_frame(pixels: int, cells: int) -> Frame:
    """The frame of a ResNet's map of `cells` x `cells` in a view of `pixels` x `pixels`.

    The map does not fill the view evenly: odd kernels, padded by half, centre cell i of a map of
    stride s on pixel i s, (s - 1) / 2 pixels before the middle of its share. So
    x = (2 i s + 1) / S - 1 where u = (2 i + 1) / W - 1; where s W = S, x = u + 1 / S - 1 / W.
    """
    stride = 2 ** math.ceil(math.log2(pixels / cells))  # every stage halves, rounding cells up
    return Frame(stride * cells / pixels, (stride * (cells - 1) + 1) / pixels - 1)


def between_frames(theta: Tensor, source: Frame, target: Frame) -> Tensor:
    """The affine maps (B, 2, 3) between two views as maps between the frames in them."""
    A, t = theta[:, :, :2], theta[:, :, 2:]
    shift = source.offset * A.sum(dim=2, keepdim=True) + t - target.offset
    return torch.cat([source.scale * A, shift], dim=2) / target.scale


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


def sample(maps: Tensor, points: Tensor, padding: str = "border") -> Tensor:
    """Maps (B, C, H, W) read at points (B, H', W', 2), bilinearly: (B, C, H', W').

    `padding` is what cells beyond the border count as: zeros, or the nearest cell of the border.
    """
    return F.grid_sample(maps, points, mode="bilinear", padding_mode=padding, align_corners=False)


def _centres(count: int, like: Tensor) -> Tensor:
    """Centres of `count` equal cells that fill [-1, 1]: (count,)."""
    return (2 * torch.arange(count, dtype=like.dtype, device=like.device) + 1) / count - 1


def _row(row: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """One row (B, 3) of the affine maps applied to the points x, y (H, W): (B, H, W)."""
    a, b, c = row[:, :, None, None].unbind(dim=1)
    return a * x + b * y + c
