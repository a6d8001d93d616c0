"""Known movements of an image: two views of it, and exactly where each lies.

A view is a square window of a canvas, the whole image at a size of our choice. Nothing beyond the
image's edge is ever shown, so no measure depends on what a padding would invent. Shifts cut both
windows at whole pixels and so show the very same pixels; the other movements are resampled.

Shapes: B images; views of S x S pixels, canvas of R x R pixels; geometry as in `views`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from vtbench.methods.base import Views
from vtbench.methods.losses.overlap import mapped_centres
from vtbench.methods.views import whole_images

CROP_AREA = (0.5, 0.9)  # share of the image that the second view shows
ANGLE = (5.0, 15.0)  # degrees, to either side


class Warp(NamedTuple):
    """Two views of each of B images: where they lie on a canvas of `canvas` pixels a side.

    geometry: (2, B, 2, 3), affine maps from a view's normalised coordinates to the canvas's; the
    first is the original, the second the one that moved.
    """

    geometry: Tensor
    canvas: int


def draw_warp(
    name: str, *, count: int, pixels: int, strides: Sequence[int], generator: torch.Generator
) -> Warp:
    """Draw one movement of a kind (a key of `WARPS`) for each of `count` images.

    strides: pixels between neighbouring cells of the layers, finest first: a shift is stated in
    cells. What is drawn depends on nothing else, so it is the same for all encoders of a size.
    """
    numbers = torch.rand(5, count, generator=generator, dtype=torch.float64)
    first, second, canvas = WARPS[name](numbers, pixels, tuple(strides))
    return Warp(torch.stack([first, second]).float(), canvas)


@torch.no_grad()
def render(images: Tensor, warp: Warp, *, pixels: int) -> Views:
    """Both views of images uint8 (B, H, W, 3), read from the canvas by a cubic filter."""
    canvas = whole_images(images, size=warp.canvas)
    geometry = warp.geometry.to(canvas.device)
    return Views(tuple(_window(canvas, theta, pixels) for theta in geometry), geometry)


def _window(canvas: Tensor, theta: Tensor, pixels: int) -> Tensor:
    points = mapped_centres(theta, pixels, pixels)
    view = F.grid_sample(canvas, points, mode="bicubic", padding_mode="border", align_corners=False)
    return view.clamp(-1, 1)  # the filter overshoots at edges; images are normalised to [-1, 1]


# ------------------------------------------------------------------------------- the movements


Drawn = tuple[Tensor, Tensor, int]  # both geometries (B, 2, 3), pixels of the canvas


def _identity(numbers: Tensor, pixels: int, strides: Sequence[int]) -> Drawn:
    del strides  # nothing is shifted
    whole = _place(numbers[0] * 0 + pixels / 2, None, pixels, pixels)
    return whole, whole, pixels


def _crop(numbers: Tensor, pixels: int, strides: Sequence[int]) -> Drawn:
    low, high = CROP_AREA
    side = pixels * (low + (high - low) * numbers[0]).sqrt()
    x, y = (side / 2 + number * (pixels - side) for number in numbers[1:3])
    whole, _, _ = _identity(numbers, pixels, strides)
    return whole, _place(x, y, side, pixels), pixels


def _flip(numbers: Tensor, pixels: int, strides: Sequence[int]) -> Drawn:
    whole, _, _ = _identity(numbers, pixels, strides)
    mirrored = whole.clone()
    mirrored[:, :, 0] *= -1
    return whole, mirrored, pixels


def _shift_fraction(numbers: Tensor, pixels: int, strides: Sequence[int]) -> Drawn:
    """By whole pixels, less than a cell of the middle layer, along both axes, either way."""
    most = max(1, strides[len(strides) // 2] - 1)
    steps = (numbers[2:4] * 2 * most).floor()
    return _shifted(steps - most + (steps >= most), numbers[:2], pixels, strides)


def _shift_cells(numbers: Tensor, pixels: int, strides: Sequence[int]) -> Drawn:
    """By one cell of the coarsest layer along one axis: whole cells of every layer."""
    which = (numbers[2] * 4).floor()
    way = strides[-1] * torch.where(which % 2 == 0, 1.0, -1.0)
    moved = torch.stack([way * (which < 2), way * (which >= 2)])
    return _shifted(moved, numbers[:2], pixels, strides)


def _rotation(numbers: Tensor, pixels: int, strides: Sequence[int]) -> Drawn:
    """About the middle of the canvas, of which both views show three quarters."""
    canvas = _larger(pixels, strides)
    drawn = 2 * numbers[0] - 1
    degrees = torch.where(drawn < 0, -1.0, 1.0) * (ANGLE[0] + (ANGLE[1] - ANGLE[0]) * drawn.abs())
    middle = numbers[0] * 0 + canvas / 2
    angle = degrees * math.pi / 180
    return (
        _place(middle, None, pixels, canvas),
        _place(middle, None, pixels, canvas, angle),
        canvas,
    )


#: Kind of movement -> how it is drawn from uniform numbers (5, B); `identity` is a check.
WARPS: dict[str, Callable[[Tensor, int, Sequence[int]], Drawn]] = {
    "identity": _identity,
    "crop": _crop,
    "flip": _flip,
    "shift_fraction": _shift_fraction,
    "shift_cells": _shift_cells,
    "rotation": _rotation,
}


def _larger(pixels: int, strides: Sequence[int]) -> int:
    """A canvas with room for the largest shift, and for a window turned by 15 degrees."""
    return pixels + max(strides[-1], math.ceil(pixels / 3))


def _shifted(moved: Tensor, places: Tensor, pixels: int, strides: Sequence[int]) -> Drawn:
    """Two windows that differ by `moved` (2, B) pixels, at a place where both fit the canvas."""
    canvas = _larger(pixels, strides)
    spare = canvas - pixels - moved.abs()
    start = (places * (spare + 1)).floor() + (-moved).clamp(min=0)
    x, y = start + pixels / 2
    dx, dy = moved
    return _place(x, y, pixels, canvas), _place(x + dx, y + dy, pixels, canvas), canvas


def _place(
    x: Tensor,
    y: Tensor | None,
    side: Tensor | float,
    canvas: int,
    angle: Tensor | None = None,
) -> Tensor:
    """Windows centred on the pixels x, y (B,) of a canvas, turned by `angle` radians: (B, 2, 3)."""
    y = x if y is None else y
    angle = torch.zeros_like(x) if angle is None else angle
    size = side / canvas
    cosine, sine = size * angle.cos(), size * angle.sin()
    rows = [cosine, -sine, 2 * x / canvas - 1, sine, cosine, 2 * y / canvas - 1]
    return torch.stack(rows, dim=1).view(-1, 2, 3)
