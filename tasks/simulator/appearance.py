"""How a press looks: light, haze, colour and camera noise, none of which carries a label.

All ranges are chosen; colours imitate printed parts, mostly light, some dark or tinted.

Shapes: B samples.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vtbench.tasks.simulator.materials import SPECIMENS
from vtbench.tasks.simulator.random import Draws

NOISE_FIELDS = 24
ILLUMINATION_CELLS = 5


@dataclass(frozen=True, kw_only=True)
class Look:
    """Appearance of B presses; (B,) unless noted.

    Attributes:
        bright, dark: (B, 3) the object's two colours.
        gain: exposure; glare: strength of the LED ring's reflection in the skin.
        haze: mm of gap over which an object behind the skin fades to 1 / e.
        lamp_x, lamp_y: slope of the skin that reflects the LED ring best.
        relief_x, relief_y: brightness per slope of the object, from light off the axis.
        illumination: (B, 5, 5) relative brightness across the skin.
        noise_field, noise_scale: which noise, and its signed strength.
        copy: which physical copy of the sensor looks.
    """

    bright: Tensor
    dark: Tensor
    gain: Tensor
    glare: Tensor
    haze: Tensor
    lamp_x: Tensor
    lamp_y: Tensor
    relief_x: Tensor
    relief_y: Tensor
    illumination: Tensor
    noise_field: Tensor
    noise_scale: Tensor
    copy: Tensor


def draw_look(
    draws: Draws,
    colors: tuple[np.ndarray, np.ndarray],
    *,
    copy: np.ndarray,
    device: torch.device,
    variety: float = 1.0,
) -> Look:
    """The appearance of the samples of `draws`, whose objects have two `colors` (B, 3).

    `copy` (B,) is which physical copy of the sensor sees each.

    `variety` shrinks the ranges of light and haze around their centres: at 0 every press is
    seen under the same light.
    """

    def around(column: str, low: float, high: float) -> np.ndarray:
        centre, reach = (low + high) / 2, variety * (high - low) / 2
        return draws.uniform(column, centre - reach, centre + reach)

    sign = np.where(draws.uniform("noise sign") < 0.5, -1.0, 1.0)
    cells = draws.table("illumination", ILLUMINATION_CELLS**2) * 2.0 - 1.0
    numbers = {
        "bright": colors[0],
        "dark": colors[1],
        "gain": np.exp(0.10 * variety * draws.normal("gain")[:, 0]),
        "glare": around("glare", 0.18, 0.40),
        "haze": around("haze", 2.2, 4.0),
        "lamp_x": around("lamp x", -0.10, 0.10),
        "lamp_y": around("lamp y", -0.10, 0.10),
        "relief_x": around("relief x", -0.024, 0.024),
        "relief_y": around("relief y", -0.024, 0.024),
        "illumination": 0.10 * variety * cells.reshape(-1, ILLUMINATION_CELLS, ILLUMINATION_CELLS),
        "noise_scale": sign * draws.uniform("noise scale", 0.7, 2.0),
    }
    codes = {
        "noise_field": draws.integer("noise field", NOISE_FIELDS),
        "copy": copy,
    }
    tensors = {name: tensor(values, device) for name, values in numbers.items()}
    return Look(**tensors, **{name: torch.from_numpy(v).to(device) for name, v in codes.items()})


def printed_part_colors(draws: Draws, variety: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Colours (B, 3) of a plastic part and of what may be printed on it.

    At `variety` 0 every part is light grey, at 1 some are dark or tinted.
    """
    saturation = variety * 0.30 * draws.uniform("saturation") ** 3
    value = 0.95 - variety * 0.55 * (1.0 - draws.uniform("value") ** 0.6)
    sector = draws.uniform("hue", 0.0, 6.0)[:, None] + np.array([0.0, 4.0, 2.0])
    pure = np.clip(np.abs(sector % 6.0 - 3.0) - 1.0, 0.0, 1.0)  # hue to RGB
    light = value[:, None] * (1.0 - saturation[:, None] * (1.0 - pure))
    return light, light * draws.uniform("ink", 0.45, 0.85)[:, None]


def specimen_colors(draws: Draws, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Colours (B, 3) of material specimens, spread from batch to batch of the material.

    Brightness varies by a factor exp(0.28 z) and each channel by ±22 %, so that colour alone does
    not give the material away.
    """
    brightness = np.exp(0.28 * draws.normal("brightness", limit=2.0))
    spread = brightness * (1.0 + 0.22 * (draws.table("tint", 3) * 2.0 - 1.0))
    light, dark = np.array([specimen.colors for specimen in SPECIMENS]).swapaxes(0, 1)
    return (light[codes] * spread).clip(0.05, 0.97), (dark[codes] * spread).clip(0.04, 0.90)


def tensor(values: np.ndarray, device: torch.device) -> Tensor:
    """Drawn float64 numbers as the float32 tensor that physics and optics compute with."""
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32)).to(device)
