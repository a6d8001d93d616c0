"""What holds for every batch of views, whatever was drawn."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from vtbench.methods.base import Views
from vtbench.methods.errors import MethodError
from vtbench.methods.recipe import Augmentation
from vtbench.methods.views import correspondence, make_views, whole_images

#: Float32 rounding through the whole pipeline; one step of an 8-bit image is 4e-3.
TOLERANCE = 1e-5

PLAIN = Augmentation(
    flip_probability=0.0, jitter_probability=0.0, gray_probability=0.0, blur_probability=0.0
)
EVERYTHING = Augmentation(
    jitter_probability=1.0, gray_probability=0.3, blur_probability=0.6, solarize_probability=0.4
)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def photographs(count: int, height: int, width: int, seed: int = 0) -> Tensor:
    """Smooth colourful uint8 images (B, H, W, 3) that reach black, white and full saturation."""
    noise = torch.randn(count, 3, 6, 6, generator=generator(seed))
    smooth = F.interpolate(noise, size=(height, width), mode="bicubic", align_corners=False)
    return (127 + 110 * smooth).clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def test_a_view_of_the_whole_image_is_the_whole_image() -> None:
    images = photographs(4, 60, 60)
    whole = replace(PLAIN, crop_area=(1.0, 1.0), crop_ratio=(1.0, 1.0))

    views = make_views(images, [whole], size=48, generator=generator())

    torch.testing.assert_close(
        views.images[0], whole_images(images, size=48), atol=TOLERANCE, rtol=0
    )
    identity = torch.eye(2, 3).expand(4, 2, 3)
    torch.testing.assert_close(views.geometry[0], identity)


def test_the_same_generator_state_gives_the_same_views() -> None:
    images = photographs(8, 56, 56)
    pair = (EVERYTHING, Augmentation())

    first = make_views(images, pair, size=48, generator=generator(3))
    again = make_views(images, pair, size=48, generator=generator(3))
    other = make_views(images, pair, size=48, generator=generator(4))

    for a, b, c in zip(first.images, again.images, other.images, strict=True):
        assert torch.equal(a, b)
        assert not torch.equal(a, c)
    assert torch.equal(first.geometry, again.geometry)


def test_global_random_state_is_neither_used_nor_moved() -> None:
    torch.manual_seed(0)
    state = torch.get_rng_state()

    make_views(photographs(4, 40, 40), [EVERYTHING], size=32, generator=generator())

    assert torch.equal(torch.get_rng_state(), state)


def test_the_source_images_are_not_changed() -> None:
    images = photographs(4, 32, 32)
    copy = images.clone()

    make_views(images, [EVERYTHING, PLAIN], size=32, generator=generator())
    whole_images(images, size=32)

    assert torch.equal(images, copy)


def test_autocast_does_not_coarsen_the_views() -> None:
    images = photographs(4, 40, 40)
    expected = make_views(images, [EVERYTHING], size=32, generator=generator())

    with torch.autocast("cpu", dtype=torch.bfloat16):
        views = make_views(images, [EVERYTHING], size=32, generator=generator())

    assert torch.equal(views.images[0], expected.images[0])


@pytest.mark.parametrize(("size", "local_side"), [(224, 96), (48, 21), (20, 9)])
def test_multi_crop_gives_full_and_local_views(size: int, local_side: int) -> None:
    local = replace(EVERYTHING, relative_size=96 / 224, crop_area=(0.05, 0.14))
    augmentations = [EVERYTHING] * 2 + [local] * 6

    views = make_views(photographs(5, 56, 64), augmentations, size=size, generator=generator())

    sides = [size] * 2 + [local_side] * 6
    assert [tuple(view.shape) for view in views.images] == [(5, 3, side, side) for side in sides]
    assert views.geometry.shape == (8, 5, 2, 3)
    assert {view.dtype for view in (*views.images, views.geometry)} == {torch.float32}
    assert all(view.isfinite().all() for view in (*views.images, views.geometry))
    assert max(view.abs().max() for view in views.images) <= 1 + TOLERANCE


def test_local_views_show_smaller_parts_of_the_image() -> None:
    full = replace(PLAIN, crop_area=(0.14, 1.0))
    local = replace(PLAIN, crop_area=(0.05, 0.14), relative_size=96 / 224)

    views = make_views(photographs(50, 200, 200), [full, local], size=32, generator=generator())

    area = views.geometry[..., :2].det().abs()  # share of the image
    assert area[0].min() > 0.13
    assert area[0].max() > 0.9
    assert area[1].min() > 0.045
    assert area[1].max() < 0.145


def test_grey_images_stay_grey_under_jitter() -> None:
    grey = photographs(16, 40, 40)[..., :1].repeat(1, 1, 1, 3)
    augmentation = replace(PLAIN, jitter=(0.4, 0.4, 0.4, 0.1), jitter_probability=1.0)

    (view,) = make_views(grey, [augmentation], size=40, generator=generator()).images

    spread = view.amax(dim=1) - view.amin(dim=1)
    assert spread.max() < TOLERANCE


def test_jitter_of_zero_strength_is_the_identity() -> None:
    images = photographs(8, 40, 40)
    powerless = replace(PLAIN, jitter=(0.0, 0.0, 0.0, 0.0), jitter_probability=1.0)

    (jittered,) = make_views(images, [powerless], size=32, generator=generator()).images
    (plain,) = make_views(images, [PLAIN], size=32, generator=generator()).images

    assert torch.equal(jittered, plain)


def test_a_single_image_of_32_pixels_works() -> None:
    views = make_views(photographs(1, 32, 32), [EVERYTHING] * 2, size=32, generator=generator())

    assert all(torch.isfinite(view).all() for view in views.images)
    assert all(view.shape == (1, 3, 32, 32) and view.abs().max() <= 1 for view in views.images)


def test_extreme_pixels_stay_in_range() -> None:
    """Black, white and pure colours have undefined hue or no chroma; nothing may become NaN."""
    corners = torch.cartesian_prod(*[torch.tensor([0, 255], dtype=torch.uint8)] * 3)
    images = corners.view(8, 1, 1, 3).expand(8, 16, 16, 3)
    augmentation = replace(EVERYTHING, jitter=(0.8, 0.8, 0.8, 0.5))

    (view,) = make_views(images, [augmentation], size=16, generator=generator()).images

    assert torch.isfinite(view).all()
    assert view.abs().max() <= 1 + TOLERANCE


@pytest.mark.parametrize(
    "images",
    [
        torch.zeros(2, 32, 32, 3),
        torch.zeros(2, 3, 32, 32, dtype=torch.uint8),
        torch.zeros(32, 32, 3, dtype=torch.uint8),
    ],
)
def test_other_images_are_refused(images: Tensor) -> None:
    with pytest.raises(MethodError, match="uint8 images"):
        make_views(images, [PLAIN], size=32, generator=generator())
    with pytest.raises(MethodError, match="uint8 images"):
        whole_images(images, size=32)


def test_an_empty_batch_is_refused() -> None:
    images = torch.zeros(0, 32, 32, 3, dtype=torch.uint8)

    with pytest.raises(MethodError, match="no image in this batch"):
        make_views(images, [Augmentation()], size=32, generator=torch.Generator())


@pytest.mark.parametrize("sigma", [(0, 0), (0, 2), (2, 1), (-1, 1), (0.1, math.nan)])
def test_a_blur_without_width_is_refused(sigma: tuple[float, float]) -> None:
    with pytest.raises(MethodError, match=r"blur_sigma is .* blur_probability=0 leaves the blur"):
        Augmentation(blur_sigma=sigma)


def test_views_do_not_depend_on_the_memory_layout_of_the_images() -> None:
    images = photographs(4, 40, 40)
    strided = images.permute(0, 3, 1, 2).contiguous().permute(0, 2, 3, 1)

    views: list[Views] = [
        make_views(layout, [EVERYTHING], size=32, generator=generator())
        for layout in (images, strided)
    ]

    torch.testing.assert_close(views[0].images[0], views[1].images[0], atol=TOLERANCE, rtol=0)


def test_views_carry_no_gradient() -> None:
    views = make_views(photographs(2, 32, 32), [PLAIN], size=32, generator=generator())

    assert not views.images[0].requires_grad
    assert torch.equal(correspondence(views, source=0, target=0), torch.eye(2, 3).expand(2, 2, 3))
