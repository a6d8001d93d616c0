"""What stands between the camera and the skin, and shows how the skin moves.

Shapes: B contacts, R pixels per side of the fields.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import torch

from vtbench.tasks.simulator.camera import Camera
from vtbench.tasks.simulator.contact import Contact
from vtbench.tasks.simulator.sensors import Color


class Marks(ABC):
    """The marks of K sensor copies, seen by their cameras.

    color: (1, 3, 1, 1) RGB in 0 … 1.
    """

    def __init__(self, color: Color, camera: Camera) -> None:
        self.camera = camera
        self.color = torch.tensor(color, device=camera.ray.device).view(1, 3, 1, 1)

    @abstractmethod
    def coverage(self, contact: Contact, copy: torch.Tensor) -> torch.Tensor:
        """How much of each pixel the marks hide (B or 1, R, R), 0 … 1, seen by the copies (B,)."""


class NoMarks(Marks):
    """A skin without marks."""

    def __init__(self, declared: None, camera: Camera, *, stream: str) -> None:  # noqa: ARG002
        super().__init__((0.0, 0.0, 0.0), camera)
        self._nothing = torch.zeros_like(camera.disc[:1])

    def coverage(self, contact: Contact, copy: torch.Tensor) -> torch.Tensor:  # noqa: ARG002
        """Nothing (1, R, R)."""
        return self._nothing


def rolled(places: np.ndarray, roll: np.ndarray) -> np.ndarray:
    """Places (K, n, 2) of K copies, each turned by its roll (K,) in rad about the axis."""
    cos, sin = np.cos(roll)[:, None], np.sin(roll)[:, None]
    x, y = places[..., 0], places[..., 1]
    return np.stack([x * cos - y * sin, x * sin + y * cos], axis=-1)
