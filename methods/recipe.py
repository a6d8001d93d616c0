"""How a method is trained: optimiser, schedule and augmentation, as its authors chose them.

A recipe is data. The training loop reads it; no method file holds an optimiser.
Pixel quantities (blur kernel and sigma) are stated for a full view of 224 pixels, the size all
source papers use, and scale with the full view: at 48 pixels a 23-pixel kernel covers 5 pixels.
Smaller views of a multi-crop get the same blur in their own pixels, as SwAV's authors do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from vtbench.methods.errors import MethodError

REFERENCE_SIZE = 224
REFERENCE_BATCH = 256


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """The random operations that make one view, applied in the order of the fields.

    The defaults are SARL's (SARL.py at e8ddf8f, see `sarl`). Probabilities are per image. `jitter`
    strengths are torchvision's ColorJitter arguments: brightness, contrast and saturation factors
    are drawn from [1 - s, 1 + s], the hue shift from [-h, h] turns; the four are applied in random
    order. `crop_filter` resizes the crop, always with antialiasing.

    Raises MethodError for a `blur_sigma` that is no range of standard deviations.
    """

    crop_area: tuple[float, float] = (0.2, 1.0)
    crop_ratio: tuple[float, float] = (3 / 4, 4 / 3)
    crop_filter: Literal["bilinear", "bicubic"] = "bilinear"
    flip_probability: float = 0.5
    jitter_probability: float = 0.8
    jitter: tuple[float, float, float, float] = (0.4, 0.4, 0.2, 0.1)
    gray_probability: float = 0.2
    blur_probability: float = 1.0
    blur_kernel: int = 23
    blur_sigma: tuple[float, float] = (0.1, 2.0)
    solarize_probability: float = 0.0
    solarize_threshold: float = 0.5
    relative_size: float = 1.0  # side of this view / side of the full view (multi-crop: 96 / 224)

    def __post_init__(self) -> None:
        low, high = self.blur_sigma
        if not 0 < low <= high:
            raise MethodError(
                f"blur_sigma is ({low}, {high}), but a Gaussian needs 0 < lowest <= highest; "
                "blur_probability=0 leaves the blur out."
            )


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Optimiser, schedule and views of one method.

    `lr` is the rate at batch size 256; `lr_scaling` says how it follows the batch size:
    linear lr·B/256, sqrt lr·√(B/256), none lr. `settings` holds fields of the method's Config and
    term weights that differ from their defaults under this recipe. `by_epochs` holds what the
    authors chose for trainings of other lengths: fields of the recipe, or `settings`, by number of
    epochs; the entry nearest to the length of the training (as a ratio) replaces them.
    `keep` says which weights are the result: the last, or those after the epoch with the lowest
    mean training loss.
    """

    optimizer: Literal["lars", "sgd", "adam", "adamw"]
    lr: float
    lr_scaling: Literal["linear", "sqrt", "none"] = "linear"
    lr_norm_and_bias: float | None = None  # own base rate of 1-D parameters; None: the same
    weight_decay: float = 0.0
    decay_norm_and_bias: bool = False  # False: 1-D parameters get no decay and no LARS scaling
    optimizer_momentum: float = 0.9
    schedule: Literal["cosine", "constant"] = "cosine"
    schedule_interval: Literal["step", "epoch"] = "step"
    warmup_epochs: float = 0.0
    warmup_start_factor: float = 0.0
    end_factor: float = 0.0  # last rate / highest rate
    constant_lr_modules: tuple[str, ...] = ()  # children of the method that keep their first rate
    views: tuple[Augmentation, ...] = (Augmentation(), Augmentation())
    settings: Mapping[str, object] = field(default_factory=dict)
    by_epochs: Mapping[int, Mapping[str, object]] = field(default_factory=dict)
    keep: Literal["last", "lowest_loss"] = "last"
    zero_init_residual: bool = False  # residual branches start at zero (arXiv 1706.02677, 5.1)
