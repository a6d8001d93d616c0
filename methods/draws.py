"""The random parameters of one view of each image of a batch, drawn before any pixel is touched.

The distributions are those of torchvision's RandomResizedCrop, RandomHorizontalFlip, ColorJitter,
RandomGrayscale, GaussianBlur and RandomSolarize. Drawing is separate from applying, so that the
CPU and the GPU see the same draws and a test can hand them to another implementation.

Shapes: B images of H x W pixels; one view is `side` pixels wide and high.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from vtbench.methods.recipe import REFERENCE_SIZE, Augmentation

#: The operations of the colour jitter, numbered as in torchvision's ColorJitter.
BRIGHTNESS, CONTRAST, SATURATION, HUE = range(4)

_TRIES = 10  # of torchvision's RandomResizedCrop before it falls back to a central crop
_OTHERS = 12  # uniform numbers of an image beside the crop's tries and the order of the jitter


def onto(device: torch.device, x: Tensor) -> Tensor:
    """`x` on the device, without waiting for it: CUDA keeps a copy of what is not yet there."""
    return x.to(device, non_blocking=True)


@dataclass(frozen=True, kw_only=True)
class Draws:
    """What happens to each of B images on the way to one view; every tensor lies on the CPU.

    top, left, height, width: (B,) int64, the crop box in source pixels.
    flip, jitter, gray, blur, solarize: (B,) bool, whether the operation is applied.
    factors: (B, 3) float32, brightness, contrast and saturation; 1 where there is no jitter.
    hue: (B,) float32, the hue shift in turns; 0 where there is no jitter.
    order: (B, 4) int64, the jitter operation (`BRIGHTNESS` ... `HUE`) at each position.
    sigma: (B,) float32, standard deviation of the blur in pixels of the view.
    """

    top: Tensor
    left: Tensor
    height: Tensor
    width: Tensor
    flip: Tensor
    jitter: Tensor
    factors: Tensor
    hue: Tensor
    order: Tensor
    gray: Tensor
    blur: Tensor
    sigma: Tensor
    solarize: Tensor

    @classmethod
    def joined(cls, draws: Sequence[Draws]) -> Draws:
        """The draws of several batches as those of one."""
        names = [field.name for field in fields(cls)]
        return cls(**{name: torch.cat([getattr(own, name) for own in draws]) for name in names})

    def rows(self, chosen: slice) -> Draws:
        """The draws of some of the views."""
        return Draws(**{field.name: getattr(self, field.name)[chosen] for field in fields(self)})


def draw(
    augmentation: Augmentation,
    *,
    count: int,
    source: tuple[int, int],
    side: int,
    generator: torch.Generator,
) -> Draws:
    """Draw the parameters of `count` views from images of `source` = (H, W) pixels.

    The same quantity of random numbers is consumed whatever the augmentation, so two settings
    that differ in one operation still share every other draw.
    """
    numbers = torch.rand(2 * _TRIES + _OTHERS + 4, count, generator=generator).double()
    tries, others, ranks = numbers.split([2 * _TRIES, _OTHERS, 4])
    corner, strengths = others[:2], others[2:5]
    flip, jitter, hue, gray, blur, sigma, solarize = others[5:]
    jittered = jitter < augmentation.jitter_probability
    factors, shift = _jitter(augmentation, strengths.T, hue)
    low, high = augmentation.blur_sigma
    return Draws(
        **_boxes(augmentation, tries, corner, source),
        flip=flip < augmentation.flip_probability,
        jitter=jittered,
        factors=torch.where(jittered[:, None], factors, 1.0).float(),
        hue=torch.where(jittered, shift, 0.0).float(),
        order=ranks.argsort(dim=0).T.contiguous(),
        gray=gray < augmentation.gray_probability,
        blur=blur < augmentation.blur_probability,
        sigma=((low + (high - low) * sigma) * side / _stated_side(augmentation)).float(),
        solarize=solarize < augmentation.solarize_probability,
    )


def view_side(augmentation: Augmentation, size: int) -> int:
    """Side in pixels of a view when the full view has `size` pixels."""
    return round(size * augmentation.relative_size)


def blur_kernel(augmentation: Augmentation, side: int) -> int:
    """Taps of the blur for views of `side` pixels: the odd number >= 3 nearest to scale.

    At most 2 * side - 1, since a mirrored edge reaches side - 1 pixels.
    """
    scaled = augmentation.blur_kernel * side / _stated_side(augmentation)
    return min(max(3, 2 * round((scaled - 1) / 2) + 1), 2 * side - 1)


def _stated_side(augmentation: Augmentation) -> float:
    """Side of the view for which kernel and sigma are stated: 224 for a full view.

    A local crop of 96 pixels gets the blur of its full view of 224, in its own pixels
    (facebookresearch/swav, src/multicropdataset.py at 06b1b7c).
    """
    return REFERENCE_SIZE * augmentation.relative_size


def _boxes(
    augmentation: Augmentation, tries: Tensor, corner: Tensor, source: tuple[int, int]
) -> dict[str, Tensor]:
    """The box fields of `Draws`: the first tried size that fits at a uniform place (`corner`,
    (2, B) numbers from [0, 1)), else the central crop."""
    sizes = _tried_sizes(augmentation, tries, source)  # (2, tries, B)
    room = torch.tensor(source)[:, None]
    fits = ((sizes > 0) & (sizes <= room[..., None])).all(dim=0)
    first = fits.int().argmax(dim=0)
    tried = sizes[:, first, torch.arange(len(first))]  # (2, B)
    central = torch.tensor(_central_crop(augmentation, source))[:, None]
    found = fits.any(dim=0)
    size = torch.where(found, tried, central)
    spare = room - size
    place = torch.where(found, (corner * (spare + 1)).long(), spare // 2)
    return {"top": place[0], "left": place[1], "height": size[0], "width": size[1]}


def _tried_sizes(augmentation: Augmentation, tries: Tensor, source: tuple[int, int]) -> Tensor:
    """Heights and widths (2, tries, B): area uniform, ratio log-uniform, whole pixels."""
    low, high = augmentation.crop_area
    tall, wide = (math.log(ratio) for ratio in augmentation.crop_ratio)
    areas, ratios = tries.split(_TRIES)
    area = math.prod(source) * (low + (high - low) * areas)
    ratio = torch.exp(tall + (wide - tall) * ratios)
    return torch.stack([area / ratio, area * ratio]).sqrt().round().long()


def _central_crop(augmentation: Augmentation, source: tuple[int, int]) -> tuple[int, int]:
    """Height and width of the largest box of the nearest allowed width / height ratio."""
    H, W = source
    low, high = augmentation.crop_ratio
    if low > W / H:
        return round(W / low), W
    if high < W / H:
        return H, round(H * high)
    return H, W


def _jitter(augmentation: Augmentation, strengths: Tensor, hue: Tensor) -> tuple[Tensor, Tensor]:
    """Factors (B, 3) from [max(0, 1 - s), 1 + s] and hue shifts (B,) from [-h, h]."""
    *affine, turns = augmentation.jitter
    strength = torch.tensor(affine, dtype=strengths.dtype)
    low = (1 - strength).clamp(min=0)
    return low + (1 + strength - low) * strengths, turns * (2 * hue - 1)
