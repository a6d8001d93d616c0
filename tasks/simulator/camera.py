"""Camera geometry: where each pixel looks, and where each point of the sensor is seen.

Sensor frame: pupil at the origin, x to the right, y down in the image, z away from the camera,
millimetres. Projection: equidistant fisheye, r = f · atan(ρ / z), as that of the ViTacTip's public
finite-element model, or pinhole, r = f · ρ / z (`sensors.Body`).

Shapes: K sensor copies, S pixels per side, n points.
"""

from __future__ import annotations

import numpy as np
import torch

from vtbench.tasks.simulator.random import Draws
from vtbench.tasks.simulator.sensors import Body

_WIDEST = 1.25  # rad; rays beyond it only meet the tube


class Camera:
    """Pixel tables of K copies of one sensor, each mounted a little differently.

    Attributes:
        ray: (K, 2, S, S) tangent of the viewing direction along x and y.
        skin: (K, 2, S, S) mm, where the ray meets the undeformed outer skin.
        sag: (K, S, S) mm, how far that point lies behind the apex, towards the camera.
        disc: (K, S, S) 1 on the visible skin, 0 on the tube, soft between.
        radius: (K, S, S) distance from the axis on the skin in units of the skin's radius.
        spacing: mm per pixel at the apex.
    """

    def __init__(
        self, body: Body, *, size: int, copies: int, stream: str, device: torch.device
    ) -> None:
        self.body = body
        self.size = size
        draws = Draws(0, stream, np.arange(copies))
        play = body.mounting
        focal = body.focal * size * draws.uniform("focal", 1.0 - play.focal, 1.0 + play.focal)
        centre = size * (0.5 + play.centre * (2.0 * draws.table("centre", 2) - 1.0))
        self.roll = draws.uniform("roll", -play.roll, play.roll) * np.pi / 180.0
        self.focal = torch.tensor(focal, dtype=torch.float32, device=device)
        self.centre = torch.tensor(centre, dtype=torch.float32, device=device)
        self.spacing = body.pupil_to_apex / (body.focal * size)
        self._build_tables(focal, centre, device)

    def _build_tables(self, focal: np.ndarray, centre: np.ndarray, device: torch.device) -> None:
        offset = self._pixel_offsets(centre)  # (K, 2, S, S)
        length = np.maximum(np.hypot(offset[:, 0], offset[:, 1]), 1e-6)
        tangent = length / focal[:, None, None]
        if self.body.lens == "fisheye":
            tangent = np.tan(np.minimum(tangent, _WIDEST))
        direction = offset / length[:, None]
        rho = tangent * depth_of_skin(tangent, self.body)
        edge = np.clip((rho - self.body.skin_radius) / max(0.10, self.spacing / 2), -40.0, 40.0)

        def table(values: np.ndarray) -> torch.Tensor:
            return torch.tensor(np.ascontiguousarray(values), dtype=torch.float32, device=device)

        self.ray = table(direction * tangent[:, None])
        self.skin = table(direction * rho[:, None])
        self.sag = table(sag(np.minimum(rho, self.body.skin_radius + 3.0), self.body))
        self.disc = table(1.0 / (1.0 + np.exp(edge)))
        self.radius = table(rho / self.body.skin_radius)

    def _pixel_offsets(self, centre: np.ndarray) -> np.ndarray:
        pixel = np.arange(self.size) + 0.5
        columns, rows = np.meshgrid(pixel, pixel)
        return np.stack([columns, rows])[None] - centre[:, :, None, None]

    def project(
        self, x: torch.Tensor, y: torch.Tensor, z: torch.Tensor, copy: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Pixel columns and rows (B, n) of points (B, n) in mm, seen by the copies (B,)."""
        rho = torch.sqrt(x * x + y * y).clamp_(min=1e-6)
        tangent = rho / z
        away = torch.atan(tangent) if self.body.lens == "fisheye" else tangent
        scale = self.focal[copy, None] * away / rho
        return self.centre[copy, 0:1] + x * scale, self.centre[copy, 1:2] + y * scale


def of_copy(table: torch.Tensor, copy: torch.Tensor) -> torch.Tensor:
    """The rows (B, …) of a table (K, …) for the copies (B,); not repeated for a single copy."""
    return table if len(table) == 1 else table.index_select(0, copy)


def sag(rho: np.ndarray, body: Body) -> np.ndarray:
    """Depth in mm of the spherical skin at distance `rho` from the axis, 0 at the apex."""
    return body.curvature_radius - np.sqrt(np.maximum(body.curvature_radius**2 - rho**2, 0.0))


def depth_of_skin(tangent: np.ndarray, body: Body, *, below: float = 0.0) -> np.ndarray:
    """z in mm where a ray from the pupil meets the sphere `below` mm inside the outer skin."""
    centre = body.pupil_to_apex - body.curvature_radius
    square = 1.0 + tangent**2
    root = centre**2 - square * (centre**2 - (body.curvature_radius - below) ** 2)
    return (centre + np.sqrt(root)) / square
