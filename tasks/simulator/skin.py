"""The untouched skin: what it looks like without lamp, object and marks, per sensor copy.

Colours along the radius are measured (`sensors.ClearSkin`, `BlackSkin`); stains, print rings,
glints and smudges are chosen to resemble the frames of sirine-b/MultiDiffSense_ICRA. Everything is
laid out in units of the skin, so that a copy looks the same at any image size; sensors of one build
share glints and tube, as in those frames.

Shapes: K sensor copies, S pixels per side.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from vtbench.tasks.simulator.camera import Camera
from vtbench.tasks.simulator.random import Draws
from vtbench.tasks.simulator.sensors import BlackSkin, ClearBlock, ClearSkin, Color

_GLINTS = 20
_SMUDGES = 12
_GLINT_COLOR = (0.90, 0.97, 1.0)


def clear_dome(skin: ClearSkin, camera: Camera, *, stream: str) -> torch.Tensor:
    """Colour (K, 3, S, S) in 0 … 1 of a see-through skin and the tube around it."""
    draws = Draws(0, stream, np.arange(len(camera.roll)))
    disc, radius = camera.disc[:, None].cpu(), camera.radius.cpu()
    picture = disc * _painted_skin(skin, radius, draws) + (1.0 - disc) * _tube(skin, radius)
    places = camera.skin.cpu() / camera.body.skin_radius
    picture += _glints(places, draws) * _rgb(_GLINT_COLOR)
    picture += _smudges(places, draws)
    return picture.clamp_(0.0, 1.0).to(camera.disc.device)


def black_dome(skin: BlackSkin, camera: Camera, *, stream: str) -> torch.Tensor:
    """Colour (K, 3, S, S) in 0 … 1 of a black skin: faint print rings, a faint rim, glints."""
    draws = Draws(0, stream, np.arange(len(camera.roll)))
    disc, radius = camera.disc[:, None].cpu(), camera.radius[:, None].cpu()
    stains = clouds(draws, "stains", 7, 1, camera.size)
    outer = ((radius - 0.55) / 0.3).clamp(0.0, 1.0)  # beyond the pins the layers of the print show
    rings = 0.006 * outer * torch.sin(160.0 * radius) * (1.0 + 0.5 * stains)
    rim = skin.rim * torch.exp(-(((radius - 0.98) / 0.05) ** 2)) * (1.0 + 0.6 * stains)
    inside = _rgb(skin.color) * (1.0 + 0.2 * stains) + rings
    outside = 0.6 * _rgb(skin.color) * torch.exp(-9.0 * (radius - 1.2).clamp(0.0, 1.0))
    picture = disc * inside + (1.0 - disc) * (outside + 0.004) + rim
    places = camera.skin.cpu() / camera.body.skin_radius
    picture += 0.6 * _glints(places, draws) * _rgb(_GLINT_COLOR)
    return picture.clamp_(0.0, 1.0).to(camera.disc.device)


def side_lit_block(skin: ClearBlock, camera: Camera, *, stream: str) -> torch.Tensor:
    """Colour (K, 3, S, S) in 0 … 1 of a clear block that LEDs light from three sides."""
    draws = Draws(0, stream, np.arange(len(camera.roll)))
    half_width = camera.body.pupil_to_apex / (2.0 * camera.body.focal)  # mm
    x, y = (camera.skin.cpu() / half_width).unbind(1)  # -1 … 1 across the image
    picture = _rgb(skin.ambient).expand(len(x), -1, *x.shape[1:]).clone()
    brightness = 1.0 + 0.10 * (draws.table("LED brightness", 3) * 2.0 - 1.0)
    for led, (color, away) in enumerate(zip(skin.lights, (1.0 + x, 1.0 - x, 1.0 + y), strict=True)):
        strength = torch.from_numpy(brightness[:, led]).float().view(-1, 1, 1)
        light = strength * torch.exp(-away / skin.reach)
        picture += _rgb(color) * light[:, None]
    stains = 0.04 * clouds(draws, "stains", 7, 1, camera.size)
    colored = 0.015 * clouds(draws, "colored stains", 9, 3, camera.size)
    grain = 0.008 * clouds(draws, "grain", 96, 1, camera.size)
    return (picture * (1.0 + stains + colored + grain)).clamp_(0.0, 1.0).to(camera.disc.device)


def _rgb(color: Color) -> torch.Tensor:
    return torch.tensor(color).view(1, 3, 1, 1)


def _painted_skin(skin: ClearSkin, radius: torch.Tensor, draws: Draws) -> torch.Tensor:
    channels = [np.interp(radius.numpy(), skin.radii, c) for c in (skin.red, skin.green, skin.blue)]
    color = torch.from_numpy(np.stack(channels, axis=1)).float()  # (K, 3, S, S)
    tint = 1.0 + 0.02 * (2.0 * draws.table("skin tint", 3) - 1.0)
    tint *= draws.uniform("skin brightness", 0.95, 1.05)[:, None]
    size = radius.shape[-1]
    stains = 0.05 * clouds(draws, "stains", 7, 1, size)
    stains = stains + 0.008 * clouds(draws, "colored stains", 12, 3, size)
    rings = 0.012 * torch.sin(160.0 * radius)[:, None]  # layers of the printed mould
    grain = 0.010 * clouds(draws, "grain", 96, 1, size)
    color *= torch.from_numpy(tint).float()[:, :, None, None] * (1.0 + stains + rings + grain)
    # Where the skin has aged it is browner, in patches outside the pins.
    patches = clouds(draws, "brown patches", 6, 1, size).clamp(0.0, 2.0)
    patches *= torch.exp(-(((radius - 0.68) / 0.16) ** 2))[:, None]
    return color * (1.0 - patches * _rgb((0.03, 0.07, 0.12)))


def _tube(skin: ClearSkin, radius: torch.Tensor) -> torch.Tensor:
    """The tube: a dark gap beside the skin, printed layers, then nothing."""
    radius = radius[:, None]
    fade = torch.exp(-9.0 * (radius - 1.2).clamp(0.0, 1.0))
    gap = 1.0 - 0.7 * torch.exp(-(((radius - 1.02) / 0.025) ** 2))
    layers = 1.0 + 0.12 * torch.sin(110.0 * radius)
    return _rgb(skin.tube) * fade * gap * layers + 0.010


def clouds(draws: Draws, column: str, cells: int, channels: int, size: int) -> torch.Tensor:
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
        angle, radius = 2.0 * np.pi * u[0], 0.35 + 0.5 * u[1]
        offset = places - torch.stack([radius * angle.cos(), radius * angle.sin()], dim=1)
        length, width = 0.02 + 0.07 * u[3], 0.006 + 0.015 * u[4]
        image += (0.03 + 0.09 * u[5])[:, None] * _stroke(offset, np.pi * u[2], length, width)
    return image


def _stroke(
    offset: torch.Tensor, angle: torch.Tensor, length: torch.Tensor, width: torch.Tensor
) -> torch.Tensor:
    """A Gaussian stroke (K, 1, S, S) around the points where `offset` (K, 2, S, S) is 0."""
    dx, dy = offset.unbind(1)
    along = (dx * angle.cos() + dy * angle.sin()) / length
    across = (dy * angle.cos() - dx * angle.sin()) / width
    return torch.exp((-0.5 * (along**2 + across**2)).clamp_(min=-40.0))[:, None]
