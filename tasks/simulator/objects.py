"""Objects that can be pressed into a sensor: shape, texture and print, in their own frame.

Shapes: B objects at points (B, h, w). `gap` is the depth below the top plane in mm, `tone`
the mixing factor between an object's two colours, 0 … 1.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from vtbench.tasks.simulator.contact import Points
from vtbench.tasks.simulator.shapes import RELIEF, SHAPES, Height, rounded, wall
from vtbench.tasks.simulator.textures import TextureAtlas

RIDGE_WIDTH = 1.0  # mm, of the gratings: chosen


class Surface(ABC):
    """A batch of objects."""

    @abstractmethod
    def gap(self, at: Points) -> Tensor:
        """Depth below the top plane; mm (B, h, w)."""

    def gap_and_tone(self, at: Points) -> tuple[Tensor, Tensor | None]:
        """Depth, and what the surface is coloured like; None where it is of one colour."""
        return self.gap(at), None


@dataclass(frozen=True, kw_only=True)
class Shapes(Surface):
    """Objects of a catalogue: `codes` (B,) are positions in it, `size` (B, 1, 1) a factor."""

    codes: np.ndarray
    size: Tensor
    catalogue: Mapping[str, Height] = field(default_factory=lambda: SHAPES)

    def gap(self, at: Points) -> Tensor:
        heights = list(self.catalogue.values())
        present = np.unique(self.codes)
        if len(present) == 1:
            return heights[present[0]](at, self.size)
        gap = torch.empty_like(at.x)
        for code in present:
            rows = torch.from_numpy(np.flatnonzero(self.codes == code)).to(gap.device)
            gap[rows] = heights[code](at[rows], self.size[rows])
        return gap


@dataclass(frozen=True, kw_only=True)
class Grating(Surface):
    """Ridges along y with a square profile: `pitch` and `relief` (B, 1, 1) in mm."""

    pitch: Tensor
    relief: Tensor

    def gap(self, at: Points) -> Tensor:
        # The exact mean of the profile over ±soft, so that fine gratings fade and never alias.
        groove = self._groove_up_to(at.x + at.soft) - self._groove_up_to(at.x - at.soft)
        return groove.div_(2.0 * at.soft).mul_(self.relief)

    def _groove_up_to(self, x: Tensor) -> Tensor:
        """Length of groove between 0 and x; a period is half a ridge, a groove, half a ridge."""
        periods = torch.floor(x / self.pitch)
        within = x - periods * self.pitch - RIDGE_WIDTH / 2.0
        width = self.pitch - RIDGE_WIDTH
        return torch.minimum(within.clamp_(min=0.0), width) + periods * width


@dataclass(frozen=True, kw_only=True)
class Plate(Surface):
    """A wide plate with one straight edge, solid where x < 0; `relief` (B, 1, 1) mm thick."""

    relief: Tensor

    def gap(self, at: Points) -> Tensor:
        return wall(at.x, at.soft).mul_(self.relief)


@dataclass(frozen=True, kw_only=True)
class Ball(Surface):
    """A spherical tip of `radius` (B, 1, 1) mm on a thin stem."""

    radius: Tensor

    def gap(self, at: Points) -> Tensor:
        away = at.radius
        below = (away - self.radius).mul_(2.0).clamp_(0.0, RELIEF)  # out of sight beyond the ball
        return rounded(away, self.radius).add_(below)


@dataclass(frozen=True, kw_only=True)
class Sheet(Surface):
    """A flat specimen with a textured relief: `amplitude` (B, 1, 1), `period` (B,) in mm."""

    atlas: TextureAtlas
    tile: Tensor
    amplitude: Tensor
    period: Tensor

    def gap(self, at: Points) -> Tensor:
        return self._valley(at).mul_(self.amplitude)

    def gap_and_tone(self, at: Points) -> tuple[Tensor, Tensor]:
        valley = self._valley(at)  # valleys have the darker colour
        return valley * self.amplitude, valley

    def _valley(self, at: Points) -> Tensor:
        return 1.0 - self.atlas.sample(self.tile, at, period=self.period)


@dataclass(frozen=True, kw_only=True)
class Printed(Surface):
    """Another surface with a flat print on some of its objects: seen, never felt.

    `strength` (B,) is 0 for objects without a print.
    """

    body: Surface
    atlas: TextureAtlas
    tile: Tensor
    period: Tensor
    strength: Tensor

    def gap(self, at: Points) -> Tensor:
        return self.body.gap(at)

    def gap_and_tone(self, at: Points) -> tuple[Tensor, Tensor]:
        tone = torch.zeros_like(at.x)
        rows = torch.nonzero(self.strength)[:, 0]
        if len(rows):
            pattern = self.atlas.sample(self.tile[rows], at[rows], period=self.period[rows])
            tone[rows] = pattern.mul_(self.strength[rows].view(-1, 1, 1))
        return self.gap(at), tone
