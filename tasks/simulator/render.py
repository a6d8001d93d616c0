"""What all renderers share: camera, mechanics, camera noise; the optics are the subclasses'.

Fields with fine structure are computed at twice the image size below 112 pixels and averaged, for
a marker would be smaller than a pixel.

Shapes: B samples, S pixels per side of the image, R = S or 2 S of the fields.
"""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod

import numpy as np
import torch

from vtbench.tasks.errors import DataError
from vtbench.tasks.simulator.appearance import NOISE_FIELDS, Look
from vtbench.tasks.simulator.camera import Camera, sag
from vtbench.tasks.simulator.contact import Contact, ContactModel, grid_centres
from vtbench.tasks.simulator.random import Draws
from vtbench.tasks.simulator.resampling import halved
from vtbench.tasks.simulator.scenes import Scene
from vtbench.tasks.simulator.sensors import Body, Sensor

SMALLEST, LARGEST = 32, 256
_SUPERSAMPLED_BELOW = 112  # pixels; a marker is then at least 2 pixels wide in the fields
_OUTSIDE = 50.0  # mm per mm; beyond the skin's rim nothing can be touched


class Renderer(ABC):
    """Physics and optics of `copies` physical copies of one sensor at one image size.

    Raises DataError for a size that is odd or not within 32 … 256.
    """

    def __init__(
        self, sensor: Sensor, *, size: int, copies: int = 1, device: torch.device | str = "cpu"
    ) -> None:
        check_size(size)
        device = torch.device(device)
        self.sensor, self.size = sensor, size
        self.factor = 2 if size < _SUPERSAMPLED_BELOW else 1
        self.stream = f"copies of {sensor.build}"
        body = sensor.body
        self.camera = Camera(
            body, size=size * self.factor, copies=copies, stream=self.stream, device=device
        )
        self.mechanics = ContactModel(
            sensor.elastomer, _rest_shape(body), reach=body.reach, device=device
        )
        self._noise = _noise_fields(self.size).to(device)

    def contact(self, scene: Scene) -> Contact:
        """What the presses of `scene` do to the skin."""
        return self.mechanics.press(scene.surface, scene.press)

    @abstractmethod
    def render(self, scene: Scene, contact: Contact) -> torch.Tensor:
        """Images (B, 3, S, S) in 0 … 1."""

    def _pool(self, field: torch.Tensor) -> torch.Tensor:
        """Means over the `factor` × `factor` fine pixels of each pixel: (B, R, R) to (B, S, S)."""
        return field if self.factor == 1 else halved(field)

    def _noisy(self, image: torch.Tensor, look: Look) -> torch.Tensor:
        """The image (B, 3, S, S) with camera noise, within 0 … 1; works in place."""
        # Noise measured on dark and bright parts of the published frames: 0.005 … 0.011.
        sigma = (0.005 + 0.006 * image[:, 1:2]) * look.noise_scale.view(-1, 1, 1, 1)
        noise = self._noise.index_select(0, look.noise_field)
        return image.addcmul_(noise, sigma).clamp_(0.0, 1.0)


def check_size(size: int) -> None:
    """Raise DataError for a size that is odd or not within 32 … 256."""
    if size % 2 or not SMALLEST <= size <= LARGEST:
        raise DataError(
            f"The simulator cannot render {size} pixels; choose an even size from {SMALLEST} "
            f"to {LARGEST}."
        )


def _rest_shape(body: Body) -> np.ndarray:
    """Sag in mm of the undeformed skin on the contact grid (n, n)."""
    centres = grid_centres(body.reach)
    rho = np.hypot(centres[:, None], centres[None])
    return sag(rho, body) + _OUTSIDE * np.maximum(rho - body.skin_radius, 0.0)


@functools.lru_cache(maxsize=2)  # nine tenths of the time that a renderer takes to make
def _noise_fields(size: int) -> torch.Tensor:
    """Standard noise (F, 3, S, S), correlated along rows as by demosaicing; not to be changed."""
    draws = Draws(0, "camera noise", np.arange(NOISE_FIELDS))
    noise = draws.normal(f"{size} pixels", width=3 * size**2).reshape(-1, 3, size, size)
    noise += 0.5 * np.roll(noise, 1, axis=-1)
    return torch.from_numpy((noise / noise.std()).astype(np.float32))
