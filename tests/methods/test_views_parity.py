"""Views against torchvision, one operation after the other, on the same drawn parameters."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as tv

from vtbench.methods.draws import Draws, blur_kernel, draw
from vtbench.methods.filters import Interpolation, crop_and_resize
from vtbench.methods.recipe import Augmentation
from vtbench.methods.views import apply_draws, whole_images

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


def reference_crop(image: Tensor, box: list[int], side: int, interpolation: str) -> Tensor:
    """The box (top, left, height, width) of one image (3, H, W) as (3, side, side)."""
    mode = InterpolationMode(interpolation)
    return tv.resized_crop(image, *box, [side, side], interpolation=mode, antialias=True)


def reference_view(
    image: Tensor, draws: Draws, row: int, augmentation: Augmentation, side: int
) -> Tensor:
    """One view (3, side, side) by torchvision, not normalised; image is (3, H, W) in [0, 1]."""
    box = [int(size[row]) for size in (draws.top, draws.left, draws.height, draws.width)]
    kernel = blur_kernel(augmentation, side)
    x = reference_crop(image, box, side, augmentation.crop_filter).clamp(0, 1)
    x = tv.horizontal_flip(x) if draws.flip[row] else x
    x = reference_jitter(x, draws, row) if draws.jitter[row] else x
    x = tv.rgb_to_grayscale(x, num_output_channels=3) if draws.gray[row] else x
    return tv.gaussian_blur(x, [kernel] * 2, [float(draws.sigma[row])]) if draws.blur[row] else x


def reference_jitter(x: Tensor, draws: Draws, row: int) -> Tensor:
    blends = (tv.adjust_brightness, tv.adjust_contrast, tv.adjust_saturation)
    for operation in draws.order[row].tolist():
        if operation == 3:
            x = tv.adjust_hue(x, float(draws.hue[row]))
        else:
            x = blends[operation](x, float(draws.factors[row, operation]))
    return x


def views_and_reference(
    images: Tensor, augmentation: Augmentation, side: int, seed: int = 0
) -> tuple[Tensor, Tensor, Draws]:
    """Our view and torchvision's, before solarisation, both in [0, 1]."""
    count, *source = images.shape[:3]
    draws = draw(
        augmentation, count=count, source=tuple(source), side=side, generator=generator(seed)
    )
    unsolarized = replace(draws, solarize=torch.zeros_like(draws.solarize))
    ours = apply_draws(images / 255, unsolarized, augmentation, side=side)
    planes = images.permute(0, 3, 1, 2) / 255
    rows = [reference_view(planes[i], draws, i, augmentation, side) for i in range(count)]
    return ours * 0.5 + 0.5, torch.stack(rows), draws


SIZES = pytest.mark.parametrize(
    ("height", "width", "side"),
    [(56, 56, 48), (40, 40, 64), (97, 61, 33), (50, 131, 47), (150, 150, 24), (32, 32, 32)],
)

FILTERS = pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])


@FILTERS
@SIZES
def test_crop_and_flip_equal_torchvision(
    height: int, width: int, side: int, interpolation: Interpolation
) -> None:
    augmentation = replace(
        PLAIN, flip_probability=0.5, crop_area=(0.05, 1.0), crop_filter=interpolation
    )
    images = photographs(24, height, width)

    ours, reference, _ = views_and_reference(images, augmentation, side)

    assert (ours - reference).abs().max() < TOLERANCE


#: (top, left, height, width) in images of 37 x 53 pixels: corners, whole sides, all, one pixel.
BORDER_BOXES = [
    (0, 0, 12, 15),
    (25, 0, 12, 15),
    (0, 38, 12, 15),
    (25, 38, 12, 15),
    (0, 20, 37, 9),
    (10, 0, 9, 53),
    (0, 0, 37, 53),
    (36, 52, 1, 1),
]


@FILTERS
@pytest.mark.parametrize("side", [5, 13, 31, 90])
def test_crops_at_the_border_equal_torchvision(side: int, interpolation: Interpolation) -> None:
    """On black and white blocks torchvision's bicubic crops overshoot; ours are clamped."""
    blocks = torch.rand(8, 3, 10, 14, generator=generator()).round()
    images = F.interpolate(blocks, scale_factor=4)[:, :, :37, :53]
    top, left, height, width = torch.tensor(BORDER_BOXES).T

    ours = crop_and_resize(
        images.permute(0, 2, 3, 1).contiguous(),
        top=top,
        left=left,
        height=height,
        width=width,
        flip=torch.zeros(8, dtype=torch.bool),
        side=side,
        interpolation=interpolation,
    )
    crops = zip(images, BORDER_BOXES, strict=True)
    reference = torch.stack([reference_crop(x, list(b), side, interpolation) for x, b in crops])

    overshoots = (reference - 0.5).abs().max() > 0.51
    assert overshoots == (interpolation == "bicubic")
    assert (ours - reference.clamp(0, 1)).abs().max() < TOLERANCE


margin = st.integers(0, 30)


@FILTERS
@settings(max_examples=60, deadline=None)
@given(
    before=margin,
    length=st.integers(1, 60),
    after=margin,
    side=st.integers(1, 60),
    level=st.floats(0, 1, width=32),
)
def test_a_constant_box_stays_constant_whatever_surrounds_it(
    interpolation: Interpolation, before: int, length: int, after: int, side: int, level: float
) -> None:
    pixels = F.pad(torch.full((1, 3, length, length), level), (before, after) * 2, value=1 - level)
    start, size = torch.tensor([before]), torch.tensor([length])

    view = crop_and_resize(
        pixels.permute(0, 2, 3, 1).contiguous(),
        top=start,
        left=start,
        height=size,
        width=size,
        flip=torch.tensor([True]),
        side=side,
        interpolation=interpolation,
    )

    torch.testing.assert_close(view, torch.full_like(view, level), atol=1e-6, rtol=0)


@FILTERS
@SIZES
def test_whole_pipeline_equals_torchvision(
    height: int, width: int, side: int, interpolation: Interpolation
) -> None:
    augmentation = replace(EVERYTHING, crop_filter=interpolation)

    ours, reference, _ = views_and_reference(photographs(48, height, width), augmentation, side)

    assert (ours - reference).abs().max() < TOLERANCE


@pytest.mark.parametrize("position", range(4))
@pytest.mark.parametrize("operation", range(4))
def test_each_jitter_operation_equals_torchvision_alone(operation: int, position: int) -> None:
    strengths = [0.0, 0.0, 0.0, 0.0]
    strengths[operation] = 0.5
    augmentation = replace(PLAIN, jitter=tuple(strengths), jitter_probability=1.0)
    ours, reference, draws = views_and_reference(photographs(40, 30, 30), augmentation, 30)

    at_position = draws.order[:, position] == operation

    assert at_position.any()
    assert (ours - reference)[at_position].abs().max() < TOLERANCE


def test_jitter_reaches_the_clamps_that_it_reproduces() -> None:
    """Strong factors clip many values; leaving out a clamp would show by far more than rounding."""
    augmentation = replace(PLAIN, jitter=(0.9, 0.9, 0.9, 0.5), jitter_probability=1.0)

    ours, reference, _ = views_and_reference(photographs(64, 32, 32), augmentation, 32)

    assert ((reference == 0) | (reference == 1)).float().mean() > 0.1
    assert (ours - reference).abs().max() < TOLERANCE


@pytest.mark.parametrize("sigma", [(0.1, 0.1), (2.0, 2.0), (9.0, 9.0)])
@pytest.mark.parametrize("side", [12, 48, 224])
def test_blur_equals_torchvision(side: int, sigma: tuple[float, float]) -> None:
    augmentation = replace(PLAIN, blur_probability=1.0, blur_sigma=sigma)

    ours, reference, _ = views_and_reference(photographs(2, 40, 40), augmentation, side)

    assert (ours - reference).abs().max() < TOLERANCE


def test_solarize_inverts_what_is_not_below_the_threshold() -> None:
    augmentation = replace(EVERYTHING, solarize_probability=0.5, solarize_threshold=0.6)
    images = photographs(32, 40, 40)
    before, _, draws = views_and_reference(images, augmentation, 32)

    after = apply_draws(images / 255, draws, augmentation, side=32) * 0.5 + 0.5
    expected = before.clone()
    expected[draws.solarize] = tv.solarize(before[draws.solarize], threshold=0.6)

    assert 0 < draws.solarize.sum() < 32
    decided = (before - 0.6).abs() > TOLERANCE
    assert (after - expected)[decided].abs().max() < TOLERANCE


def test_blur_scales_with_the_side_of_the_view() -> None:
    augmentation = Augmentation(blur_kernel=23, blur_sigma=(2.0, 2.0))
    draws = draw(augmentation, count=1, source=(56, 56), side=48, generator=generator())

    assert [blur_kernel(augmentation, side) for side in (224, 96, 48, 32, 8)] == [23, 9, 5, 3, 3]
    assert draws.sigma.item() == pytest.approx(2 * 48 / 224)


def test_a_local_crop_is_blurred_as_stated_in_its_own_pixels() -> None:
    """At the authors' size, SwAV blurs a crop of 96 pixels with the sigma of one of 224."""
    sharp = replace(PLAIN, relative_size=96 / 224)
    local = replace(sharp, blur_probability=1.0, blur_kernel=23, blur_sigma=(2.0, 2.0))
    images = photographs(3, 60, 60)

    before, _, _ = views_and_reference(images, sharp, 96)
    ours, _, _ = views_and_reference(images, local, 96)

    assert (ours - tv.gaussian_blur(before, [23, 23], [2.0, 2.0])).abs().max() < TOLERANCE


@pytest.mark.parametrize("size", [224, 112, 56])
def test_blur_of_a_local_crop_scales_with_the_full_view(size: int) -> None:
    full = Augmentation(blur_sigma=(2.0, 2.0))
    local = replace(full, relative_size=0.5)
    sides = ((full, size), (local, size // 2))

    sigmas = [
        draw(view, count=1, source=(56, 56), side=side, generator=generator()).sigma.item()
        for view, side in sides
    ]

    assert sigmas == pytest.approx([2 * size / 224] * 2)
    assert len({blur_kernel(view, side) for view, side in sides}) == 1


@pytest.mark.parametrize("relative_size", [1.0, 0.4, 0.1, 0.02])
@pytest.mark.parametrize("side", [8, 9, 12, 31])
def test_the_blur_fits_into_tiny_views(side: int, relative_size: float) -> None:
    augmentation = replace(
        PLAIN, blur_probability=1.0, blur_sigma=(2.0, 2.0), relative_size=relative_size
    )

    ours, reference, _ = views_and_reference(photographs(2, 40, 40), augmentation, side)

    assert blur_kernel(augmentation, side) in range(3, 2 * side, 2)
    assert (ours - reference).abs().max() < TOLERANCE


def test_whole_images_equal_torchvision_resize() -> None:
    images = photographs(3, 57, 80)

    expected = tv.resize(images.permute(0, 3, 1, 2) / 255, [48, 48], antialias=True)

    torch.testing.assert_close(whole_images(images, size=48), (expected - 0.5) / 0.5)


@pytest.mark.parametrize("probability", [0.0, 1.0])
def test_probabilities_zero_and_one_mean_never_and_always(probability: float) -> None:
    augmentation = Augmentation(
        flip_probability=probability,
        jitter_probability=probability,
        gray_probability=probability,
        blur_probability=probability,
        solarize_probability=probability,
    )
    draws = draw(augmentation, count=500, source=(40, 40), side=32, generator=generator())
    ours, reference, _ = views_and_reference(photographs(6, 40, 40), augmentation, 32)

    for applied in (draws.flip, draws.jitter, draws.gray, draws.blur, draws.solarize):
        assert applied.float().mean() == probability
    assert (ours - reference).abs().max() < TOLERANCE
    if probability == 1.0:
        assert torch.equal(ours[:, 0], ours[:, 1])
        assert torch.equal(ours[:, 0], ours[:, 2])
