"""Flat dots painted on a skin: where they are, how they move, what they cover.

Shapes: K sensor copies, n dots, B contacts, S pixels per side.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from vtbench.tasks.simulator.camera import Camera, sag
from vtbench.tasks.simulator.contact import DEFLECTION, SHIFT_X, SHIFT_Y, Contact
from vtbench.tasks.simulator.discs import draw_discs
from vtbench.tasks.simulator.marks import Marks, rolled
from vtbench.tasks.simulator.random import Draws
from vtbench.tasks.simulator.sensors import Dots

_JITTER = 0.07  # mm, placement of the dots of one copy: chosen
_RADIUS_SPREAD = 0.06  # relative, of the radii: chosen


class DotField(Marks):
    """The dots of K sensor copies, seen by their cameras."""

    def __init__(self, dots: Dots, camera: Camera, *, stream: str) -> None:
        super().__init__(dots.color, camera)
        self.dots = dots
        layout = lattice(dots)
        draws = Draws(0, stream, np.arange(len(camera.roll)))
        jitter = draws.normal("dot place", width=layout.size, limit=3.0)
        placed = layout + _JITTER * jitter.reshape(-1, *layout.shape)
        roots = rolled(placed, camera.roll)
        spread = _RADIUS_SPREAD * draws.normal("dot radius", width=len(layout), limit=3.0)
        depth = camera.body.pupil_to_apex - sag(np.linalg.norm(roots, axis=-1), camera.body)

        def table(values: np.ndarray) -> Tensor:
            return torch.tensor(values, dtype=torch.float32, device=camera.ray.device)

        self.roots = table(roots)  # (K, n, 2) mm
        self._radius = table(dots.radius * (1.0 + spread))  # (K, n) mm
        self._depth = table(depth - camera.body.thickness)  # (K, n) mm from the pupil
        largest = dots.radius * (1.0 + 3.0 * _RADIUS_SPREAD) * float(camera.focal.max())
        self._window = math.ceil(largest / (0.75 * float(depth.min())))  # pixels about a centre

    def positions(self, contact: Contact, copy: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """x, y, z (B, n) in mm of the moved dots."""
        roots = self.roots[copy]
        moved = contact.at(roots[:, None])[:, :, 0]
        x = roots[..., 0] + moved[:, SHIFT_X]
        y = roots[..., 1] + moved[:, SHIFT_Y]
        return x, y, self._depth[copy] - moved[:, DEFLECTION]

    def coverage(self, contact: Contact, copy: Tensor) -> Tensor:
        """How much of each pixel the dots cover (B, S, S), 0 … 1."""
        x, y, z = self.positions(contact, copy)
        column, row = self.camera.project(x, y, z, copy)
        radius = self._radius[copy] * self.camera.focal[copy, None] / z
        covered = draw_discs(column, row, radius, size=self.camera.size, window=self._window)
        return covered.mul_(self.dots.opacity)


def lattice(dots: Dots) -> np.ndarray:
    """Places (n, 2) in mm of dots in staggered rows, centred on the apex."""
    steps = np.arange(dots.across) - (dots.across - 1) / 2.0
    rows, columns = np.meshgrid(steps, steps, indexing="ij")
    stagger = np.where(np.arange(dots.across) % 2, 0.25, -0.25)[:, None]
    x, y = columns + stagger, rows * math.sqrt(0.75)  # equal distances to all six neighbours
    return dots.pitch * np.stack([x.ravel(), y.ravel()], axis=-1)
