"""Views against torchvision, one operation after the other, on the same drawn parameters."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.transforms.v2 import functional as tv

from vtbench.methods.draws import Draws, blur_kernel, draw
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


def reference_view(image: Tensor, draws: Draws, row: int, kernel: int, side: int) -> Tensor:
    """One view (3, side, side) by torchvision, not normalised; image is (3, H, W) in [0, 1]."""
    box = [int(size[row]) for size in (draws.top, draws.left, draws.height, draws.width)]
    x = tv.resized_crop(image, *box, [side, side], antialias=True)
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
    kernel = blur_kernel(augmentation, side)
    planes = images.permute(0, 3, 1, 2) / 255
    rows = [reference_view(planes[i], draws, i, kernel, side) for i in range(count)]
    return ours * 0.5 + 0.5, torch.stack(rows), draws


SIZES = pytest.mark.parametrize(
    ("height", "width", "side"),
    [(56, 56, 48), (40, 40, 64), (97, 61, 33), (50, 131, 47), (150, 150, 24), (32, 32, 32)],
)


@SIZES
def test_crop_and_flip_equal_torchvision(height: int, width: int, side: int) -> None:
    augmentation = replace(PLAIN, flip_probability=0.5, crop_area=(0.05, 1.0))
    images = photographs(24, height, width)

    ours, reference, _ = views_and_reference(images, augmentation, side)

    assert (ours - reference).abs().max() < TOLERANCE


@SIZES
def test_whole_pipeline_equals_torchvision(height: int, width: int, side: int) -> None:
    ours, reference, _ = views_and_reference(photographs(48, height, width), EVERYTHING, side)

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
