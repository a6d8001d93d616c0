"""Pins on the inner side of the skin: where they stand, how they move, what they cover.

Shapes: K sensor copies, n pins, B contacts, S pixels per side.
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F

from vtbench.tasks.simulator.camera import Camera, sag
from vtbench.tasks.simulator.contact import (
    DEFLECTION,
    SHIFT_X,
    SHIFT_Y,
    SLOPE_X,
    SLOPE_Y,
    Contact,
    ContactModel,
)
from vtbench.tasks.simulator.random import Draws
from vtbench.tasks.simulator.sensors import Pins

_JITTER = 0.05  # mm, placement of the pins of one copy: chosen
_RADIUS_SPREAD = 0.05  # relative, of pin radii: chosen


class PinField:
    """The pins of K sensor copies, seen by their cameras."""

    def __init__(self, pins: Pins, camera: Camera, *, stream: str, device: torch.device) -> None:
        self.pins = pins
        self.camera = camera
        roots, scale = self._place(stream)
        heights = sag(np.linalg.norm(roots, axis=-1), camera.dome)
        self.roots = torch.tensor(roots, dtype=torch.float32, device=device)  # (K, n, 2) mm
        self.scale = torch.tensor(scale, dtype=torch.float32, device=device)  # (K, n)
        self._sag = torch.tensor(heights, dtype=torch.float32, device=device)  # (K, n) mm
        reach = pins.radius * (1 + 3 * _RADIUS_SPREAD) * float(camera.focal.max())
        nearest = camera.dome.pupil_to_apex - 5.0  # mm; no press brings a tip nearer
        self._window = math.ceil(reach / nearest)  # pixels on each side of a tip

    def _place(self, stream: str) -> tuple[np.ndarray, np.ndarray]:
        layout = ring_layout(self.pins)
        count = len(layout)
        roll = self.camera.roll
        draws = Draws(0, stream, np.arange(len(roll)))
        jitter = draws.normal("pin place", width=2 * count, limit=3.0).reshape(-1, count, 2)
        placed = layout + _JITTER * jitter
        cos, sin = np.cos(roll)[:, None], np.sin(roll)[:, None]
        x, y = placed[..., 0], placed[..., 1]
        roots = np.stack([x * cos - y * sin, x * sin + y * cos], axis=-1)
        return roots, 1.0 + _RADIUS_SPREAD * draws.normal("pin radius", width=count, limit=3.0)

    def displacement(self, contact: Contact, copy: torch.Tensor) -> torch.Tensor:
        """Deflection, its slopes and lateral displacement at the pin roots, (B, 5, n)."""
        places = self.roots[copy][:, None] / ContactModel.half_width  # (B, 1, n, 2)
        return F.grid_sample(contact.fields, places, align_corners=False)[:, :, 0]

    def positions(
        self, contact: Contact, copy: torch.Tensor
    ) -> tuple[tuple[torch.Tensor, ...], tuple[torch.Tensor, ...]]:
        """Tips and roots of the moved pins, each as x, y, z (B, n) in mm.

        A pin stands on the normal of the deformed inner surface.
        """
        moved = self.displacement(contact, copy)
        dome = self.camera.dome
        roots, heights = self.roots[copy], self._sag[copy]
        to_centre = dome.curvature_radius - heights
        slope_x = -roots[..., 0] / to_centre - moved[:, SLOPE_X]
        slope_y = -roots[..., 1] / to_centre - moved[:, SLOPE_Y]
        length = self.pins.length * torch.rsqrt(1.0 + slope_x**2 + slope_y**2)
        x = roots[..., 0] + moved[:, SHIFT_X]
        y = roots[..., 1] + moved[:, SHIFT_Y]
        z = dome.pupil_to_apex - dome.thickness - heights - moved[:, DEFLECTION]
        tip = (x + length * slope_x, y + length * slope_y, z - length)
        return tip, (x, y, z + 0.5 * dome.thickness)

    def coverage(self, contact: Contact, copy: torch.Tensor) -> torch.Tensor:
        """How much of each pixel the pins hide (B, S, S), 0 … 1."""
        tip, root = self.positions(contact, copy)
        size = self.pins.radius * self.camera.focal[copy, None] * self.scale[copy]
        columns, rows = [], []
        for point in (tip, root):
            column, row = self.camera.project(*point, copy)
            columns.append(column)
            rows.append(row)
        radius = size / torch.sqrt(tip[0] ** 2 + tip[1] ** 2 + tip[2] ** 2)
        opacity = torch.full_like(radius, self.pins.opacity)
        return self._draw_discs(
            torch.cat(columns, 1),
            torch.cat(rows, 1),
            torch.cat([radius, 0.9 * radius], 1),
            torch.cat([opacity, opacity * (self.pins.stem_opacity / self.pins.opacity)], 1),
        )

    def _draw_discs(
        self, column: torch.Tensor, row: torch.Tensor, radius: torch.Tensor, opacity: torch.Tensor
    ) -> torch.Tensor:
        """Antialiased discs (B, n) with centres and radii in pixels; the darkest one shows.

        Taking the maximum makes the result independent of the order of the pins.
        """
        size = self.camera.size
        span = torch.arange(-self._window, self._window + 1, device=column.device)
        across = column.floor().long()[..., None] + span  # (B, n, window)
        down = row.floor().long()[..., None] + span
        away_x = _squared_distance(across, column, size)[:, :, None, :]
        away_y = _squared_distance(down, row, size)[:, :, :, None]
        # ∫ clamp(r - ρ + ½, 0, 1) dA = π (r² + 1/12): rescaled to the disc's own area.
        radius = radius[..., None, None]
        alpha = torch.sqrt(away_x + away_y).neg_().add_(radius + 0.5).clamp_(0.0, 1.0)
        alpha *= opacity[..., None, None] * radius**2 / (radius**2 + 1.0 / 12.0)
        pixel = down.clamp_(0, size - 1)[..., None] * size + across.clamp_(0, size - 1)[:, :, None]
        image = torch.zeros(len(column), size * size, device=column.device)
        image.scatter_reduce_(1, pixel.flatten(1), alpha.flatten(1), "amax")
        return image.view(-1, size, size)


def _squared_distance(pixel: torch.Tensor, centre: torch.Tensor, size: int) -> torch.Tensor:
    """(pixel centre - centre)² along one axis; out of any disc's reach beyond the image."""
    square = (pixel + 0.5 - centre[..., None]).square_()
    return square.masked_fill_((pixel < 0) | (pixel >= size), 1e6)


def ring_layout(pins: Pins) -> np.ndarray:
    """Pin roots (n, 2) in mm: one at the apex, the others on concentric rings."""
    points = [(0.0, 0.0)]
    for ring, count in enumerate(pins.rings, start=1):
        angles = 2.0 * np.pi * (np.arange(count) + 0.25) / count
        radius = ring * pins.pitch
        points += zip(radius * np.cos(angles), radius * np.sin(angles), strict=True)
    return np.array(points)
