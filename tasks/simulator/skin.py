"""The untouched skin: its colour, marks and rim, one picture per sensor copy.

Colours along the radius are measured (`sensors.Skin`); stains, print rings, glints and smudges are
chosen to resemble the frames of sirine-b/MultiDiffSense_ICRA. Everything is laid out in units of
the skin, so that a copy looks the same at any image size.

Shapes: K sensor copies, S pixels per side.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from vtbench.tasks.simulator.camera import Camera
from vtbench.tasks.simulator.random import Draws
from vtbench.tasks.simulator.sensors import Skin

_GLINTS = 20
_SMUDGES = 5


def skin_pictures(skin: Skin, camera: Camera, *, stream: str) -> torch.Tensor:
    """Colour (K, 3, S, S) in 0 … 1 of the skin and the tube around it, without lamp and object."""
    draws = Draws(0, stream, np.arange(len(camera.roll)))
    disc = camera.disc[:, None].cpu()
    radius = camera.radius.cpu()
    picture = disc * _painted_skin(skin, radius, draws) + (1.0 - disc) * _tube(skin, radius)
    places = camera.skin.cpu() / camera.dome.skin_radius
    picture += _glints(places, draws) * torch.tensor([0.90, 0.97, 1.0]).view(1, 3, 1, 1)
    picture += _smudges(places, draws)
    return picture.clamp_(0.0, 1.0).to(camera.disc.device)


def _painted_skin(skin: Skin, radius: torch.Tensor, draws: Draws) -> torch.Tensor:
    channels = [np.interp(radius.numpy(), skin.radii, c) for c in (skin.red, skin.green, skin.blue)]
    color = torch.from_numpy(np.stack(channels, axis=1)).float()  # (K, 3, S, S)
    tint = (1.0 + 0.08 * (draws.table("skin tint", 3) - 0.5)) * draws.uniform(
        "skin brightness", 0.93, 1.07
    )[:, None]
    size = radius.shape[-1]
    stains = 0.05 * _clouds(draws, "stains", 7, 1, size) + 0.02 * _clouds(
        draws, "colored stains", 12, 3, size
    )
    rings = 0.012 * torch.sin(160.0 * radius)[:, None]  # layers of the printed mould
    grain = 0.010 * _clouds(draws, "grain", 96, 1, size)
    return color * torch.from_numpy(tint).float()[:, :, None, None] * (1 + stains + rings + grain)


def _tube(skin: Skin, radius: torch.Tensor) -> torch.Tensor:
    fade = torch.exp(-9.0 * (radius - 1.2).clamp(0.0, 1.0))[:, None]
    return torch.tensor(skin.tube).view(1, 3, 1, 1) * fade + 0.010


def _clouds(draws: Draws, column: str, cells: int, channels: int, size: int) -> torch.Tensor:
    """Smooth noise of unit strength (K, channels, S, S) with `cells` cells per side."""
    values = draws.normal(column, width=channels * cells**2).reshape(-1, channels, cells, cells)
    shape = (size, size)
    return F.interpolate(torch.from_numpy(values).float(), shape, mode="bicubic", antialias=True)


def _glints(places: torch.Tensor, draws: Draws) -> torch.Tensor:
    """Short bright strokes on the rim, (K, 1, S, S); `places` (K, 2, S, S) in skin radii."""
    image = torch.zeros_like(places[:, :1])
    for glint in range(_GLINTS):
        u = torch.from_numpy(draws.table(f"glint {glint}", 6)).float()[:, :, None, None].unbind(1)
        angle, radius = 2.0 * np.pi * u[0], 0.93 + 0.29 * u[1]
        along = angle + np.pi / 2.0 + 1.2 * (u[2] - 0.5)
        offset = places - torch.stack([radius * angle.cos(), radius * angle.sin()], dim=1)
        length, width = 0.004 + 0.022 * u[3], 0.003 + 0.004 * u[4]
        image += (0.15 + 0.55 * u[5])[:, None] * _stroke(offset, along, length, width)
    return image


def _smudges(places: torch.Tensor, draws: Draws) -> torch.Tensor:
    """Faint scratches on the dome, (K, 1, S, S)."""
    image = torch.zeros_like(places[:, :1])
    for smudge in range(_SMUDGES):
        u = torch.from_numpy(draws.table(f"smudge {smudge}", 6)).float()[:, :, None, None].unbind(1)
        offset = places - 1.4 * (torch.stack(u[:2], dim=1) - 0.5)
        length, width = 0.01 + 0.05 * u[3], 0.01 + 0.02 * u[4]
        image += 0.10 * u[5][:, None] * _stroke(offset, np.pi * u[2], length, width)
    return image


def _stroke(
    offset: torch.Tensor, angle: torch.Tensor, length: torch.Tensor, width: torch.Tensor
) -> torch.Tensor:
    """A Gaussian stroke (K, 1, S, S) around the points where `offset` (K, 2, S, S) is 0."""
    dx, dy = offset.unbind(1)
    along = (dx * angle.cos() + dy * angle.sin()) / length
    across = (dy * angle.cos() - dx * angle.sin()) / width
    return torch.exp((-0.5 * (along**2 + across**2)).clamp_(min=-40.0))[:, None]
