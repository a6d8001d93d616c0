"""Pins on the inner side of the skin: where they stand, how they move, what they cover.

Shapes: K sensor copies, n pins, B contacts, R pixels per side of the fields.
"""

from __future__ import annotations

import math

import numpy as np
import torch

from vtbench.tasks.simulator.camera import Camera, sag
from vtbench.tasks.simulator.contact import (
    DEFLECTION,
    SHIFT_X,
    SHIFT_Y,
    SLOPE_X,
    SLOPE_Y,
    Contact,
)
from vtbench.tasks.simulator.discs import draw_discs
from vtbench.tasks.simulator.marks import Marks, rolled
from vtbench.tasks.simulator.random import Draws
from vtbench.tasks.simulator.sensors import Pins

_HIGHEST = 5.0  # mm; no press brings a tip nearer to the camera


class PinField(Marks):
    """The pins of K sensor copies, seen by their cameras."""

    def __init__(self, pins: Pins, camera: Camera, *, stream: str) -> None:
        super().__init__(pins.color, camera)
        self.pins = pins
        roots, scale = self._place(stream)
        heights = sag(np.linalg.norm(roots, axis=-1), camera.body)

        def table(values: np.ndarray) -> torch.Tensor:
            return torch.tensor(values, dtype=torch.float32, device=camera.ray.device)

        self.roots = table(roots)  # (K, n, 2) mm
        self.scale = table(scale)  # (K, n)
        self._sag = table(heights)  # (K, n) mm
        largest = pins.radius * (1.0 + 3.0 * pins.radius_spread) * float(camera.focal.max())
        nearest = camera.body.pupil_to_apex - _HIGHEST
        self._window = math.ceil(largest / nearest)  # pixels on each side of a tip

    def _place(self, stream: str) -> tuple[np.ndarray, np.ndarray]:
        layout = ring_layout(self.pins)
        count = len(layout)
        roll = self.camera.roll
        draws = Draws(0, stream, np.arange(len(roll)))
        jitter = draws.normal("pin place", width=2 * count, limit=3.0).reshape(-1, count, 2)
        placed = layout + self.pins.misplacement * jitter
        roots = rolled(placed, roll)
        spread = draws.normal("pin radius", width=count, limit=3.0)
        return roots, 1.0 + self.pins.radius_spread * spread

    def displacement(self, contact: Contact, copy: torch.Tensor) -> torch.Tensor:
        """Deflection, its slopes and lateral displacement at the pin roots, (B, 5, n)."""
        return contact.at(self.roots[copy][:, None])[:, :, 0]

    def positions(
        self, contact: Contact, copy: torch.Tensor
    ) -> tuple[tuple[torch.Tensor, ...], tuple[torch.Tensor, ...]]:
        """Tips and roots of the moved pins, each as x, y, z (B, n) in mm.

        A pin stands on the normal of the deformed inner surface.
        """
        moved = self.displacement(contact, copy)
        body = self.camera.body
        roots, heights = self.roots[copy], self._sag[copy]
        to_centre = body.curvature_radius - heights
        slope_x = -roots[..., 0] / to_centre - moved[:, SLOPE_X]
        slope_y = -roots[..., 1] / to_centre - moved[:, SLOPE_Y]
        length = self.pins.length * torch.rsqrt(1.0 + slope_x**2 + slope_y**2)
        x = roots[..., 0] + moved[:, SHIFT_X]
        y = roots[..., 1] + moved[:, SHIFT_Y]
        z = body.pupil_to_apex - body.thickness - heights - moved[:, DEFLECTION]
        tip = (x + length * slope_x, y + length * slope_y, z - length)
        return tip, (x, y, z + 0.5 * body.thickness)

    def coverage(self, contact: Contact, copy: torch.Tensor) -> torch.Tensor:
        """How much of each pixel the pins hide (B, R, R), 0 … 1."""
        tip, root = self.positions(contact, copy)
        size = self.pins.radius * self.camera.focal[copy, None] * self.scale[copy]
        radius = size / torch.sqrt(tip[0] ** 2 + tip[1] ** 2 + tip[2] ** 2)
        covered = self._discs(tip, radius, copy).mul_(self.pins.opacity)
        if self.pins.stem_opacity == 0.0:
            return covered
        stems = self._discs(root, 0.9 * radius, copy).mul_(self.pins.stem_opacity)
        return torch.maximum(covered, stems)

    def _discs(
        self, place: tuple[torch.Tensor, ...], radius: torch.Tensor, copy: torch.Tensor
    ) -> torch.Tensor:
        column, row = self.camera.project(*place, copy)
        return draw_discs(column, row, radius, size=self.camera.size, window=self._window)


def ring_layout(pins: Pins) -> np.ndarray:
    """Pin roots (n, 2) in mm: one at the apex, the others on concentric rings."""
    points = [(0.0, 0.0)]
    for ring, count in enumerate(pins.rings, start=1):
        angles = 2.0 * np.pi * (np.arange(count) + 0.25) / count
        radius = ring * pins.pitch
        points += zip(radius * np.cos(angles), radius * np.sin(angles), strict=True)
    return np.array(points)
