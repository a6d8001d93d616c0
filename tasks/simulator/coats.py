"""The untouched inner side of an opaque skin, one picture per sensor copy, and its lights.

Colours are in `sensors.CoatedGel` and `sensors.Membrane`. All other numbers are chosen: how much
copies differ, clouds, grain and specks.
Everything is laid out in units of the skin, so that a copy looks the same at any image size.

Shapes: K sensor copies, S pixels per side.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from vtbench.tasks.simulator.camera import Camera
from vtbench.tasks.simulator.random import Draws
from vtbench.tasks.simulator.sensors import CoatedGel, Color, Membrane
from vtbench.tasks.simulator.skin import clouds

_SPECKS = 7  # of dust on one copy: chosen
_SIDE = 0.86  # half widths from the middle, where `CoatedGel.side` was measured: gel frames


def gel_pictures(skin: CoatedGel, camera: Camera, draws: Draws) -> Tensor:
    """Colour (K, 3, S, S) in 0 … 1 of the untouched gel."""
    half = camera.size * camera.spacing / 2.0
    x, y = (camera.skin.cpu().double().numpy() / half).swapaxes(0, 1)  # (K, S, S) in half widths
    y += draws.uniform("lights up", -0.06, 0.06)[:, None, None]
    middle, side = (_smooth_rows(colors, y) for colors in (skin.centre, skin.side))
    picture = middle + (side - middle) * (x**2 / _SIDE**2)[:, None]
    tint = 1.0 + 0.06 * (2.0 * draws.table("tint", 3) - 1.0)
    picture *= tint[:, :, None, None] * _unevenness(draws, camera.size, 0.010)
    return _finished(picture, camera, draws)


def _smooth_rows(colors: Sequence[Color], y: np.ndarray) -> np.ndarray:
    """Colour (K, 3, S, S) at heights y (K, S, S) of rows evenly spaced from -1 to 1.

    The quartics are fitted to the seven rows of the gel frames.
    """
    rows = (np.arange(len(colors)) + 0.5) * 2.0 / len(colors) - 1.0
    curves = np.polyfit(rows, np.array(colors), 4).T  # (3, 5): no kinks between the rows
    inside = np.clip(y, -1.0, 1.0)
    return np.stack([np.polyval(curve, inside) for curve in curves], axis=1)


def membrane_pictures(skin: Membrane, camera: Camera, draws: Draws) -> Tensor:
    """Colour (K, 3, S, S) in 0 … 1 of a membrane of which every part faces the camera.

    Chosen: 30 % darker at the rim, which is 2 % of the radius wide, and 7 % of the light beyond.
    """
    radius = np.hypot(*camera.skin.cpu().numpy().swapaxes(0, 1)) / skin.rim  # (K, S, S)
    fall = 1.0 - 0.30 * np.minimum(radius, 1.2) ** 2
    edge = 1.0 / (1.0 + np.exp(np.clip((radius - 1.0) / 0.02, -40.0, 40.0)))
    light = (0.07 + 0.93 * edge) * fall
    tint = 1.0 + 0.03 * (2.0 * draws.table("tint", 3) - 1.0)
    color = np.array(skin.color) * tint
    picture = color[:, :, None, None] * light[:, None] * _unevenness(draws, camera.size, 0.025)
    return _finished(picture, camera, draws)


def light_directions(
    azimuths: Sequence[float], colors: Sequence[Color], camera: Camera, draws: Draws
) -> Tensor:
    """Colour (K, 2, 3) per component along x and y of the surface normal, of all lights together.

    The lights of a copy stand within ±8° of their place and their colours within ±6 %: chosen.
    """
    turned = np.radians(
        np.array(azimuths) + 8.0 * (2.0 * draws.table("azimuths", len(azimuths)) - 1)
    )
    turned += camera.roll[:, None]
    spread = 1.0 + 0.06 * (2.0 * draws.table("light colors", 3 * len(colors)) - 1.0)
    shining = np.array(colors) * spread.reshape(-1, len(colors), 3)  # (K, lights, 3)
    towards = np.stack([np.cos(turned), np.sin(turned)], axis=1)  # (K, 2, lights)
    return torch.tensor(towards @ shining, dtype=torch.float32, device=camera.ray.device)


def _finished(picture: np.ndarray, camera: Camera, draws: Draws) -> Tensor:
    shown = torch.from_numpy(picture).float() * (1.0 - _specks(camera, draws))
    return shown.clamp_(0.0, 1.0).to(camera.ray.device)


def _unevenness(draws: Draws, size: int, strength: float) -> np.ndarray:
    """Brightness (K, 1, S, S) about 1: an uneven coat, and the grain of its pigment: chosen."""
    coat = strength * clouds(draws, "clouds", 6, 1, size).numpy()
    return 1.0 + coat + 0.008 * clouds(draws, "grain", 120, 1, size).numpy()


def _specks(camera: Camera, draws: Draws) -> Tensor:
    """Shade (K, 1, S, S), 0 … 1, of dust under the coat: sizes and strengths are chosen."""
    shade = torch.zeros_like(camera.sag.cpu())
    width = camera.size * camera.spacing
    for speck in range(_SPECKS):
        u = torch.from_numpy(draws.table(f"speck {speck}", 4)).float()[:, :, None, None].unbind(1)
        x, y = (camera.skin.cpu() - width * (torch.stack(u[:2], 1) - 0.5)).unbind(1)
        radius = width * (0.002 + 0.006 * u[2])
        away = ((x**2 + y**2) / radius**2).clamp_(max=40.0)
        shade += (0.05 + 0.20 * u[3]) * torch.exp(-away)
    return shade.clamp_(max=0.5)[:, None]
