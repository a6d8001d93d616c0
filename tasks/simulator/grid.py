"""A printed grid inside a clear elastomer: where its walls are seen, and how they move.

A layer lies on the sphere `depth` mm inside the skin. Where a ray meets it, the walls it sees are
those that stood, before the skin was pressed, at

    place at rest - follows · (u + w · lean)

with u the skin's lateral motion and w its deflection at that place. `lean` is how far along the
layer a ray's hit moves when the layer comes 1 mm nearer to the camera: t / (1 + m · t) for a ray of
tangent t on a layer of slope m, the first step of Newton's method on the moved sphere.

Shapes: K sensor copies, B contacts, R pixels per side of the fields, H = R / 2.
"""

from __future__ import annotations

import numpy as np
import torch

from vtbench.tasks.simulator.camera import Camera, depth_of_skin, of_copy
from vtbench.tasks.simulator.contact import DEFLECTION, SHIFT_X, SHIFT_Y, Contact
from vtbench.tasks.simulator.marks import Marks
from vtbench.tasks.simulator.random import Draws
from vtbench.tasks.simulator.resampling import doubled, halved
from vtbench.tasks.simulator.sensors import Grid


class GridLayers(Marks):
    """The grid of K sensor copies, seen by their cameras."""

    def __init__(self, grid: Grid, camera: Camera, *, stream: str) -> None:
        super().__init__(grid.color, camera)
        self.grid = grid
        draws = Draws(0, stream, np.arange(len(camera.roll)))
        offset = grid.misplacement * draws.normal("grid place", width=2, limit=3.0)  # (K, 2) mm
        self.layers = [
            _Layer(camera, grid.pitch, offset, depth=depth, width=width, follows=follows)
            for depth, width, follows in zip(grid.depths, grid.widths, grid.follows, strict=True)
        ]

    def coverage(self, contact: Contact, copy: torch.Tensor) -> torch.Tensor:
        """How much of each pixel the walls hide (B, R, R), 0 … 1; what one lets through adds up."""
        through = torch.ones_like(self.camera.disc[:1])
        for layer in self.layers:
            through = through * layer.coverage(contact, copy).mul_(-self.grid.opacity).add_(1.0)
        return through.neg_().add_(1.0).mul_(of_copy(self.camera.disc, copy))


class _Layer:
    """One layer of walls along both axes of K sensor copies, its middle `offset` (K, 2) mm away.

    Attributes:
        rest: (K, 2, R, R) where each ray meets the layer at rest, along the grid's own axes, in
            units of its pitch.
        per_mm: (K, R, R) pixels per mm there, the mean of all directions.
    """

    def __init__(
        self,
        camera: Camera,
        pitch: float,
        offset: np.ndarray,
        *,
        depth: float,
        width: float,
        follows: float,
    ) -> None:
        self.width, self.pitch, self._share = width, pitch, follows / pitch
        ray = camera.ray.double().cpu()
        tangent = torch.linalg.norm(ray, dim=1, keepdim=True).numpy()
        place = ray * torch.from_numpy(depth_of_skin(tangent, camera.body, below=depth))
        roll = torch.from_numpy(camera.roll).view(-1, 1, 1)
        self._cos, self._sin = torch.cos(roll), torch.sin(roll)
        own = torch.stack(self._turned(*place.unbind(1), slice(None)), dim=1)

        def table(values: torch.Tensor) -> torch.Tensor:
            return values.float().contiguous().to(camera.ray.device)

        self.rest = table((own - torch.from_numpy(offset)[:, :, None, None]) / pitch)
        self.per_mm = table(1.0 / _footprint(place))
        place, ray = halved(place), halved(ray)
        self._places = table(place.permute(0, 2, 3, 1))  # (K, H, H, 2) mm
        self._lean = table(_lean(ray, place, camera.body.curvature_radius - depth))  # (K, 2, H, H)
        self._cos, self._sin = table(self._cos), table(self._sin)  # (K, 1, 1)

    def coverage(self, contact: Contact, copy: torch.Tensor) -> torch.Tensor:
        """How much of each pixel the layer's walls cover (B, R, R), 0 … 1."""
        away = None  # from the nearest wall, in pitches
        axes = of_copy(self.rest, copy).unbind(1)
        for rest, motion in zip(axes, self.motion(contact, copy), strict=True):
            phase = rest - doubled(motion)
            phase.sub_(phase.round()).abs_()
            away = phase if away is None else torch.minimum(away, phase)
        # The share of a pixel's width that lies within a wall, which may be the narrower one.
        per_mm = of_copy(self.per_mm, copy)
        covered = away.mul_(-self.pitch).add_(self.width / 2.0).mul_(per_mm).add_(0.5)
        return torch.minimum(covered.clamp_(0.0, 1.0), per_mm * self.width)

    def motion(self, contact: Contact, copy: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """How far the walls that the rays see have moved along the grid's axes, in pitches."""
        places = of_copy(self._places, copy)
        fields = contact.at(places, DEFLECTION, SHIFT_X, SHIFT_Y)
        nearer, lean = fields[:, 0], of_copy(self._lean, copy)
        x = torch.addcmul(fields[:, 1], nearer, lean[:, 0]).mul_(self._share)
        y = torch.addcmul(fields[:, 2], nearer, lean[:, 1]).mul_(self._share)
        return self._turned(x, y, copy)

    def _turned(
        self, x: torch.Tensor, y: torch.Tensor, copy: torch.Tensor | slice
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Vectors (B, h, w) of the sensor's frame along the axes of the grid, which has rolled."""
        cos, sin = self._cos[copy], self._sin[copy]
        return x * cos + y * sin, y * cos - x * sin


def _footprint(place: torch.Tensor) -> torch.Tensor:
    """mm per pixel (K, R, R) where the rays of neighbouring pixels hit: places (K, 2, R, R)."""
    steps = torch.gradient(place, dim=(2, 3))
    square = sum(step.square().sum(1) for step in steps) / 2.0
    return torch.sqrt(square)


def _lean(ray: torch.Tensor, place: torch.Tensor, radius: float) -> torch.Tensor:
    """How far a hit moves per mm of approach (K, 2, H, H): `ray` are tangents, `place` is in mm."""
    to_centre = torch.sqrt((radius**2 - place.square().sum(1)).clamp(min=1.0))
    slope = place / to_centre[:, None]
    return ray / (1.0 + (slope * ray).sum(1, keepdim=True))
