"""Known movements: the geometry says where each pixel is from, and nothing is made up."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from vtbench.methods.losses.overlap import mapped_centres
from vtbench.methods.warps import WARPS, Warp, draw_warp, render

PIXELS, STRIDES, COUNT = 48, (4, 8, 16), 12


def warp(name: str, seed: int = 0, count: int = COUNT) -> Warp:
    draws = torch.Generator().manual_seed(seed)
    return draw_warp(name, count=count, pixels=PIXELS, strides=STRIDES, generator=draws)


def ramps() -> Tensor:
    """Images whose red is the column and whose green is the row, uint8 (B, 224, 224, 3)."""
    ramp = torch.arange(224, dtype=torch.uint8)
    red, green = ramp.expand(224, 224), ramp[:, None].expand(224, 224)
    return torch.stack([red, green, red * 0], dim=-1).expand(COUNT, -1, -1, -1).contiguous()


@pytest.mark.parametrize("name", WARPS)
def test_every_pixel_is_from_where_the_geometry_says(name: str) -> None:
    moved = warp(name)
    views = render(ramps(), moved, pixels=PIXELS)

    for view, theta in zip(views.images, moved.geometry, strict=True):
        places = mapped_centres(theta, PIXELS, PIXELS)  # (x, y) on the canvas
        shown = (view[:, :2] + 1) / 2 * 255  # grey values: columns and rows of the image
        expected = ((places + 1) / 2 * 224 - 0.5).permute(0, 3, 1, 2)
        inner = ((places.abs() < 0.97).all(dim=-1))[:, None].expand_as(shown)
        assert (shown - expected)[inner].abs().max() < 1.5
        assert inner.float().mean() > 0.8


@pytest.mark.parametrize("name", WARPS)
@pytest.mark.parametrize(
    ("pixels", "strides"), [(32, (4, 8, 16)), (48, STRIDES), (224, (8, 16, 32))]
)
def test_no_view_reaches_beyond_the_image(name: str, pixels: int, strides: tuple[int, ...]) -> None:
    moved = draw_warp(
        name, count=200, pixels=pixels, strides=strides, generator=torch.Generator().manual_seed(1)
    )
    corners = torch.tensor([[x, y, 1.0] for x in (-1, 1) for y in (-1, 1)])

    assert (moved.geometry @ corners.T).abs().max() <= 1 + 1e-5


def test_draws_depend_on_the_seed_alone() -> None:
    for name in WARPS:
        assert torch.equal(warp(name).geometry, warp(name).geometry)
    assert not torch.equal(warp("crop").geometry, warp("crop", seed=1).geometry)


def test_a_shift_by_cells_shows_the_very_same_pixels() -> None:
    images = torch.randint(0, 256, (COUNT, 64, 64, 3), generator=torch.manual_seed(0))
    moved = warp("shift_cells")
    first, second = render(images.to(torch.uint8), moved, pixels=PIXELS).images
    steps = (moved.geometry[1] - moved.geometry[0])[:, :, 2] * moved.canvas / 2

    for a, b, step in zip(first, second, steps.round().int().tolist(), strict=True):
        x, y = step
        assert sorted(map(abs, (x, y))) == [0, STRIDES[-1]]
        rolled = a.roll((-y, -x), dims=(1, 2))
        kept = rolled[:, max(0, -y) : PIXELS - max(0, y), max(0, -x) : PIXELS - max(0, x)]
        there = b[:, max(0, -y) : PIXELS - max(0, y), max(0, -x) : PIXELS - max(0, x)]
        torch.testing.assert_close(kept, there, atol=1e-3, rtol=0)


def test_a_shift_by_a_fraction_is_less_than_a_cell_of_the_middle_layer() -> None:
    moved = warp("shift_fraction", count=500)
    steps = (moved.geometry[1] - moved.geometry[0])[:, :, 2] * moved.canvas / 2
    found = steps.round()

    torch.testing.assert_close(steps, found, atol=1e-3, rtol=0)
    assert set(found.flatten().tolist()) == {*range(-7, 0), *range(1, 8)}


def test_movements_are_what_their_names_say() -> None:
    for name in WARPS:
        linear = warp(name).geometry[:, :, :, :2]
        size = linear.det().abs()
        square = linear @ linear.transpose(2, 3)
        torch.testing.assert_close(square, size[..., None, None] * torch.eye(2).expand_as(square))
        assert ((linear[1].det() < 0) == (name == "flip")).all()
    turned = warp("rotation", count=300).geometry[1]
    angles = torch.atan2(turned[:, 1, 0], turned[:, 0, 0]).rad2deg()
    areas = warp("crop", count=300).geometry[1, :, :, :2].det()

    assert angles.abs().min() >= 5
    assert angles.abs().max() <= 15
    assert angles.min() < -10 < 10 < angles.max()
    assert 0.5 <= areas.min() < 0.55
    assert 0.85 < areas.max() <= 0.9


def test_a_flipped_view_is_the_image_mirrored() -> None:
    first, second = render(ramps(), warp("flip"), pixels=PIXELS).images

    torch.testing.assert_close(second, first.flip(3), atol=1e-4, rtol=0)
