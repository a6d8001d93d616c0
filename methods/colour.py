"""Colour operations on a batch of images, with own parameters for each image.

Semantics: torchvision's ColorJitter, `rgb_to_grayscale` and `solarize` on float images in
[0, 1], its clamps after every step included.
Shapes: B images of S x S pixels, channels red, green, blue.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from vtbench.methods.draws import CONTRAST, HUE, SATURATION, Draws, onto

#: Weights of red, green and blue in the luma of ITU-R BT.601, with torchvision's digits.
LUMA = (0.2989, 0.587, 0.114)


def on_rows(
    images: Tensor, rows: Tensor, operation: Callable[..., Tensor], *parameters: Tensor
) -> Tensor:
    """Replace the images that `rows` (B,) bool, on the CPU, selects by operation(them, ...).

    The per-image `parameters` (B, ...) are narrowed to the same rows and device. The result may
    share memory with `images`.
    """
    index = rows.nonzero()[:, 0]
    if len(index) == 0:
        return images
    own = [onto(images.device, parameter[index]) for parameter in parameters]
    if len(index) == len(images):
        return operation(images, *own)
    index = onto(images.device, index)
    return images.index_copy_(0, index, operation(images.index_select(0, index), *own))


def colour_jitter(images: Tensor, draws: Draws) -> Tensor:
    """Brightness, contrast, saturation and hue (B, 3, S, S), each image in its drawn order.

    The three blends keep their relative order as three rounds over all jittered images; before
    each round, and after the last, the images whose turn it is get their hue shift. The images
    are sorted by that turn, so that both work on slices. Images without jitter stay untouched.

    Fusing the blends on either side of the hue into one affine map, without torchvision's clamp
    after each, saves no time here and errs by 1e-3 on average, up to 0.17 where a clamp acts.
    """
    if not (draws.hue.any() or (draws.factors != 1).any()):
        return images
    turn = torch.where(draws.jitter, (draws.order == HUE).int().argmax(dim=1), 4)
    sorting = turn.argsort()
    bounds = [0, *turn.bincount(minlength=5).cumsum(0).tolist()]
    blends = draws.order[draws.order != HUE].view(-1, 3)[sorting]  # one HUE per row
    factors = draws.factors[sorting].gather(1, blends)
    hue = draws.hue[sorting]
    images = images.index_select(0, onto(images.device, sorting))
    for index in range(4):
        _hue_turn(images, hue, start=bounds[index], end=bounds[index + 1])
        if index < 3:
            _blend_round(images[: bounds[4]], blends[:, index], factors[:, index])
    return images.index_select(0, onto(images.device, sorting.argsort()))


def _hue_turn(images: Tensor, hue: Tensor, *, start: int, end: int) -> None:
    turns = hue[start:end]
    if turns.any():
        shift_hue_(images[start:end], onto(images.device, turns))


def _blend_round(images: Tensor, operation: Tensor, factor: Tensor) -> None:
    operation, factor = operation[: len(images)], factor[: len(images)]
    if (factor != 1).any():
        blend_(images, onto(images.device, operation), onto(images.device, factor))


def blend_(images: Tensor, operation: Tensor, factor: Tensor) -> Tensor:
    """factor * image + (1 - factor) * other, clamped to [0, 1], in place.

    `operation` (B,) chooses what the other image is: black for brightness, the mean luma for
    contrast, the luma of the pixel for saturation.
    """
    other = luma(images)  # (B, 1, S, S)
    factor = factor.view(-1, 1, 1, 1)
    operation = operation.view(-1, 1, 1, 1)
    mean = other.mean(dim=(2, 3), keepdim=True) * ((1 - factor) * (operation == CONTRAST))
    other = other.mul_((1 - factor) * (operation == SATURATION)).add_(mean)
    return torch.addcmul(other, images, factor, out=images).clamp_(0, 1)


def luma(images: Tensor) -> Tensor:
    """Brightness (B, 1, S, S) of each pixel, the grey of `to_gray`."""
    red, green, blue = images.split(1, dim=1)
    return (red * LUMA[0]).add_(green, alpha=LUMA[1]).add_(blue, alpha=LUMA[2])


def to_gray(images: Tensor) -> Tensor:
    """The luma in all three channels, (B, 3, S, S)."""
    return luma(images).repeat(1, 3, 1, 1)


def shift_hue_(images: Tensor, turns: Tensor) -> Tensor:
    """Turn the HSV hue of each image by `turns` (B,) in [-0.5, 0.5]; saturation and value stay.

    Works in place and returns `images`.

    With chroma c = max - min and the hue h in sixths of a turn from red, in [-3, 3],
    |h| = 1 + (g + b - r - min) / c and h has the sign of g - b, which holds in all six sectors.
    A channel centred on hue m (red 0, green 2, blue -2) is min + c * clamp(2 - d, 0, 1) with d
    the distance of h from m on the circle; as |h - m| < 6, 2 - d = ||h - m| - 3| - 1.
    """
    red, green, blue = images.split(1, dim=1)
    low = torch.minimum(torch.minimum(red, green), blue)
    chroma = torch.maximum(torch.maximum(red, green), blue).sub_(low)
    hue = (green + blue).sub_(red).sub_(low).div_(chroma.clamp(min=1e-12)).add_(1)
    hue = hue.copysign_(green - blue).add_(6 * turns.view(-1, 1, 1, 1))
    hue = hue.sub_((hue / 6).round_(), alpha=6)
    ramp = hue - hue.new_tensor([0.0, 2.0, -2.0]).view(1, 3, 1, 1)
    ramp = ramp.abs_().sub_(3).abs_().clamp_(1, 2)
    return torch.addcmul(low.sub_(chroma), ramp, chroma, out=images)


def solarize(images: Tensor, *, threshold: float) -> Tensor:
    """Invert the values that are not below `threshold`."""
    return torch.where(images >= threshold, 1 - images, images)
