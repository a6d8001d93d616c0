"""The 21 printed indenters of the shape set, as height functions.

The list of names is that of the objects Gomes et al. printed for their GelSight simulation (RA-L
2021), which MultiDiffSense (sirine-b/MultiDiffSense_ICRA) presses on ViTacTip. The dimensions are
not published for ViTacTip; those here are chosen so that each object fits the skin.

Each function gives the depth in mm of the surface below the object's top plane.

Legend: s = `size` (B, 1, 1), a factor on the lateral dimensions.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from vtbench.tasks.simulator.contact import Points

RELIEF = 6.0  # mm from the top plane to the base plate; deeper than any press

Height = Callable[[Points, Tensor], Tensor]


def wall(distance: Tensor, soft: Tensor) -> Tensor:
    """0 inside (distance < 0), 1 outside, a ramp of half-width `soft` between."""
    return (distance / (2.0 * soft)).add_(0.5).clamp_(0.0, 1.0)


def block(distance: Tensor, soft: Tensor) -> Tensor:
    """A flat-topped body with vertical walls where `distance` is 0."""
    return wall(distance, soft).mul_(RELIEF)


def box(x: Tensor, y: Tensor, half_x: Tensor | float, half_y: Tensor | float) -> Tensor:
    """Distance-like field of an axis-aligned rectangle."""
    return torch.maximum(x.abs() - half_x, y.abs() - half_y)


def rounded(distance: Tensor, radius: Tensor) -> Tensor:
    """Height loss of a circular arc at `distance` from its highest line; `radius` beyond it."""
    inside = torch.clamp(radius * radius - distance * distance, min=0.0)
    return (radius - torch.sqrt(inside)).clamp_(max=RELIEF)


def _polygon(x: Tensor, y: Tensor, corners: int, inner: Tensor) -> Tensor:
    sides = [
        x * math.cos(angle) + y * math.sin(angle)
        for angle in (2.0 * math.pi * k / corners + math.pi / 2.0 for k in range(corners))
    ]
    return torch.stack(sides).amax(0) - inner


def _nearest_of_three(value: Tensor, pitch: Tensor) -> Tensor:
    """Offset from the nearest of three lines at -pitch, 0, pitch."""
    return value - pitch * torch.round((value / pitch).clamp_(-1.0, 1.0))


def _edge_bar(at: Points, s: Tensor) -> Tensor:
    return block(box(at.x, at.y, 8.0 * s, 1.0 * s), at.soft)  # as in the published frames


def _flat_slab(at: Points, s: Tensor) -> Tensor:
    return block(box(at.x, at.y, 9.0 * s, 9.0 * s), at.soft)


def _pacman(at: Points, s: Tensor) -> Tensor:
    up, along = math.cos(math.radians(40.0)), math.sin(math.radians(40.0))  # mouth of ±40°
    mouth = along * at.x - up * at.y.abs()  # > 0 inside the mouth
    return block(torch.maximum(at.radius - 6.0 * s, mouth), at.soft)


def _dot(at: Points, s: Tensor) -> Tensor:
    return block(at.radius - 1.5 * s, at.soft)


def _cylinder(at: Points, s: Tensor) -> Tensor:
    return block(at.radius - 5.0 * s, at.soft)


def _hollow_cylinder(at: Points, s: Tensor) -> Tensor:
    return block((at.radius - 4.6 * s).abs() - 1.0 * s, at.soft)


def _ring(at: Points, s: Tensor) -> Tensor:
    away = (at.radius - 4.5 * s).abs()  # a torus: round on top
    tube = 1.8 * s
    return rounded(away, tube) + (RELIEF - tube) * wall(away - tube, at.soft)


def _sphere(at: Points, s: Tensor) -> Tensor:
    return rounded(at.radius, 5.0 * s)


def _moon(at: Points, s: Tensor) -> Tensor:
    bite = torch.hypot(at.x - 3.0 * s, at.y) - 4.6 * s
    return block(torch.maximum(at.radius - 6.0 * s, -bite), at.soft)


def _dot_in(at: Points, s: Tensor) -> Tensor:
    hole = at.radius - 2.5 * s
    return block(torch.maximum(box(at.x, at.y, 7.0 * s, 7.0 * s), -hole), at.soft)


def _curved_surface(at: Points, s: Tensor) -> Tensor:
    return rounded(at.x, 18.0 * s) + block(box(at.x, at.y, 9.0 * s, 8.0 * s), at.soft)


def _wave(at: Points, s: Tensor) -> Tensor:
    relief = 0.9 * (1.0 + torch.cos(2.0 * math.pi * at.x / (5.0 * s)))
    return relief + block(box(at.x, at.y, 8.0 * s, 8.0 * s), at.soft)


def _dots(at: Points, s: Tensor) -> Tensor:
    pitch = 4.0 * s
    away = torch.hypot(_nearest_of_three(at.x, pitch), _nearest_of_three(at.y, pitch))
    return block(away - 1.0 * s, at.soft)


def _cross_lines(at: Points, s: Tensor) -> Tensor:
    arms = torch.minimum(box(at.x, at.y, 8.0 * s, 0.9 * s), box(at.x, at.y, 0.9 * s, 8.0 * s))
    return block(arms, at.soft)


def _parallel_lines(at: Points, s: Tensor) -> Tensor:
    return block(box(at.x, _nearest_of_three(at.y, 4.0 * s), 8.0 * s, 0.9 * s), at.soft)


def _cone(at: Points, s: Tensor) -> Tensor:
    return (0.9 * at.radius / s).clamp_(max=RELIEF)


def _cylinder_side(at: Points, s: Tensor) -> Tensor:
    return rounded(at.y, 4.0 * s) + block(at.x.abs() - 8.0 * s, at.soft)


def _cuboid(at: Points, s: Tensor) -> Tensor:
    return block(box(at.x, at.y, 4.5 * s, 4.5 * s), at.soft)


def _hexagon(at: Points, s: Tensor) -> Tensor:
    return block(_polygon(at.x, at.y, 6, 4.6 * s), at.soft)


def _triangle(at: Points, s: Tensor) -> Tensor:
    return block(_polygon(at.x, at.y, 3, 3.4 * s), at.soft)


def _random(at: Points, s: Tensor) -> Tensor:
    u, v = at.x / s, at.y / s
    bumps = (  # three waves without a common period: one rigid, irregular relief
        torch.sin(0.9 * u + 1.3) * torch.cos(0.7 * v)
        + 0.6 * torch.sin(0.55 * u - 1.1 * v + 2.0)
        + 0.4 * torch.cos(1.6 * v + 0.4 * u)
    )
    relief = (1.0 - 0.8 * bumps).clamp_(0.0, 3.5)
    return relief + block(box(at.x, at.y, 8.0 * s, 8.0 * s), at.soft)


SHAPES: dict[str, Height] = {
    "edge_bar": _edge_bar,
    "flat_slab": _flat_slab,
    "pacman": _pacman,
    "dot": _dot,
    "cylinder": _cylinder,
    "hollow_cylinder": _hollow_cylinder,
    "ring": _ring,
    "sphere": _sphere,
    "moon": _moon,
    "dot_in": _dot_in,
    "curved_surface": _curved_surface,
    "wave": _wave,
    "dots": _dots,
    "cross_lines": _cross_lines,
    "parallel_lines": _parallel_lines,
    "cone": _cone,
    "cylinder_side": _cylinder_side,
    "cuboid": _cuboid,
    "hexagon": _hexagon,
    "triangle": _triangle,
    "random": _random,
}
