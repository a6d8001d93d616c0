"""Two views of every image: the batched views against pipelines that take one image at a time.

All candidates start from uint8 in memory. torchvision's two draw from the same distributions
(`recipe.Augmentation`) and do the same operations in the same order; lightly's are its own: one
ratio of crops, and a blur that is PIL's approximation by boxes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from lightly.transforms.simclr_transform import SimCLRViewTransform
from torch import Tensor
from torchvision.transforms import v2
from torchvision.transforms.functional import to_pil_image

from vtbench.benchmark.speed.measuring import Work, waiting
from vtbench.methods.draws import blur_kernel, view_side
from vtbench.methods.recipe import REFERENCE_SIZE, Augmentation
from vtbench.methods.views import MEAN, STD, make_views

#: The pipelines of which the faster one is what others are compared with.
TORCHVISION = ("torchvision v2, uint8 tensors", "torchvision, PIL")

#: One image as the pipeline wants it -> one normalised view (3, S, S).
OneView = Callable[[object], Tensor]


def stored_side(size: int) -> int:
    """Side of the images that views of `size` pixels are cut from: an eighth larger."""
    return size + size // 8


def synthetic_images(count: int, side: int) -> Tensor:
    """Smooth colourful noise, uint8 (count, side, side, 3): no image makes a view cheaper."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(count, 3, 8, 8, generator=generator)
    fine = torch.nn.functional.interpolate(coarse, size=(side, side), mode="bicubic")
    return (fine.clamp(0, 1) * 255).byte().permute(0, 2, 3, 1).contiguous()


def two_views(*, size: int, batch: int, device: str = "cpu") -> Iterator[tuple[str, Work]]:
    """The candidates; each makes two views of `batch` images and says how many images it was."""
    images = synthetic_images(batch, stored_side(size))
    augmentation = Augmentation()
    resident, generator = images.to(device), torch.Generator().manual_seed(0)

    def batched() -> int:
        views = (augmentation, augmentation)
        waiting(device, lambda: make_views(resident, views, size=size, generator=generator))
        return batch

    yield "vtbench, batched", batched
    planes = list(images.permute(0, 3, 1, 2).contiguous())
    pictures = [to_pil_image(image) for image in planes]
    for name, inputs in zip(TORCHVISION, (planes, pictures), strict=True):
        yield name, _each(inputs, torchvision_view(augmentation, size))
    yield "lightly, PIL", _each(pictures, lightly_view(augmentation, size))


def _each(images: list, view: OneView) -> Work:
    def work() -> int:
        for image in images:
            view(image)
            view(image)
        return len(images)

    return work


def torchvision_view(augmentation: Augmentation, size: int) -> OneView:
    """The operations of `methods.views` as torchvision has them, for PIL images and tensors."""
    side = view_side(augmentation, size)
    sigma = tuple(s * side / REFERENCE_SIZE for s in augmentation.blur_sigma)
    blur = v2.GaussianBlur(blur_kernel(augmentation, side), sigma)
    return v2.Compose(
        [
            v2.RandomResizedCrop(
                side, augmentation.crop_area, augmentation.crop_ratio, antialias=True
            ),
            v2.RandomHorizontalFlip(augmentation.flip_probability),
            v2.RandomApply([v2.ColorJitter(*augmentation.jitter)], augmentation.jitter_probability),
            v2.RandomGrayscale(augmentation.gray_probability),
            v2.RandomApply([blur], augmentation.blur_probability),
            v2.ToImage(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize([MEAN] * 3, [STD] * 3),
        ]
    )


def lightly_view(augmentation: Augmentation, size: int) -> OneView:
    """lightly's SimCLR view with the same strengths and probabilities, for PIL images.

    It has no solarisation and one ratio of crops.
    """
    side = view_side(augmentation, size)
    brightness, contrast, saturation, hue = augmentation.jitter
    return SimCLRViewTransform(
        input_size=side,
        cj_prob=augmentation.jitter_probability,
        cj_bright=brightness,
        cj_contrast=contrast,
        cj_sat=saturation,
        cj_hue=hue,
        min_scale=augmentation.crop_area[0],
        random_gray_scale=augmentation.gray_probability,
        gaussian_blur=augmentation.blur_probability,
        sigmas=tuple(s * side / REFERENCE_SIZE for s in augmentation.blur_sigma),
        hf_prob=augmentation.flip_probability,
        normalize={"mean": [MEAN] * 3, "std": [STD] * 3},
    )
