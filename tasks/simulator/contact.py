"""Contact mechanics of an object pressed into an elastic skin; no optics.

The object is a height function: `gap(x, y)` is the depth of its surface below its top plane, in
the object's own frame. At press depth d the top plane has moved d past first touch of the apex.

1. Overlap p = max(0, d - gap - sag): what the two bodies would share if both were rigid.
2. Share of the skin β = E_o / (E_o + E*_s), two springs in series; a soft object gives way itself.
3. Deflection towards the camera w = Σ_k m_k G(σ_k) ∗ (β p): a sum of two Gaussian responses, the
   smoothing used for gel sensors by Gomes et al. (RA-L 2021, GelSight simulation) and Taxim.
4. Lateral motion u = -b ∇(G(σ_2) ∗ β p) + W (e + ψ ẑ × (X - o)): dilation, shear and twist of
   markers as in FOTS (RA-L 2024). Its sum of dilations over all contact points, with Gaussian
   weights, is exactly the gradient of one Gaussian-filtered indentation. W = 1 - exp(-w_2 / w_0)
   is how firmly the object holds the skin.
5. Normal force F = ∫ 2 E* a(h) dh with a = sqrt(A / 2π): the stiffness of an axisymmetric punch
   (Johnson, Contact Mechanics, 1985, section 5), A the geometric overlap area, which is twice the
   true contact area of a sphere; this gives Hertz' 4/3 E* sqrt(R) d^1.5, with E* = β E*_s.
6. Shear |F_t| = μ F_n tanh(k_t |s| / μ F_n): stick that saturates at sliding, after Mindlin (1949).

Shapes: B contacts; n × n cells of the contact grid; m × m cells of the elastic grid.
Units: mm, N, MPa, rad.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F

from vtbench.tasks.simulator.sensors import Elastomer

_CELLS = 96  # contact grid; 0.31 mm per cell of a dome
_POOL = 2  # the elastic grid is coarser: on domes its responses are wider than 1.8 mm
_LEVELS = 16  # quadrature levels of the force integral

DEFLECTION, SLOPE_X, SLOPE_Y, SHIFT_X, SHIFT_Y = range(5)


@dataclass(frozen=True, kw_only=True)
class Points:
    """Points of an object's frame at which its surface is wanted.

    Attributes:
        x, y: (B, h, w) mm.
        soft: half-width in mm over which steps are blurred, broadcastable to x.
        spacing: mm between neighbouring points, below which nothing can be resolved.
    """

    x: torch.Tensor
    y: torch.Tensor
    soft: torch.Tensor
    spacing: float

    @property
    def radius(self) -> torch.Tensor:
        """Distance from the object's axis, mm (B, h, w)."""
        return torch.sqrt(self.x * self.x + self.y * self.y)  # a fourth of the time of hypot

    def __getitem__(self, rows: torch.Tensor) -> Points:
        """The points of some of the objects."""
        soft = self.soft.index_select(0, rows) if self.soft.dim() else self.soft
        x, y = self.x.index_select(0, rows), self.y.index_select(0, rows)
        return Points(x=x, y=y, soft=soft, spacing=self.spacing)


class HeightFunction(Protocol):
    """An object's surface."""

    def gap(self, at: Points) -> torch.Tensor:
        """Depth in mm (B, h, w) below the object's top plane."""
        ...


@dataclass(frozen=True, kw_only=True)
class Press:
    """How B objects touch the sensor: pose, depth, stiffness and unlabelled motion, each (B,)."""

    x: torch.Tensor
    y: torch.Tensor
    yaw: torch.Tensor
    depth: torch.Tensor
    modulus: torch.Tensor
    shear_x: torch.Tensor
    shear_y: torch.Tensor
    twist: torch.Tensor

    def to_object(
        self, x: torch.Tensor, y: torch.Tensor, *, stretch: torch.Tensor | float = 1.0
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Points (B or 1, h, w) of the sensor frame, times `stretch` (B, 1, 1), in the object's.

        In mm; tangents of rays become the points where they meet a plane `stretch` mm away.
        """
        cos, sin = column(torch.cos(self.yaw)), column(torch.sin(self.yaw))
        centre_x, centre_y = column(self.x), column(self.y)
        along, across = cos * stretch, sin * stretch
        return (
            (x * along).add_(y * across).sub_(centre_x * cos + centre_y * sin),
            (y * along).sub_(x * across).sub_(centre_y * cos - centre_x * sin),
        )


@dataclass(frozen=True, kw_only=True)
class Contact:
    """What a press does: forces (B,) in N and fields in mm.

    `overlap` (B, n, n) is the rigid overlap; `fields` (B, 5, m, m) holds the deflection, its two
    slopes and the two lateral displacements on the elastic grid, whose half side is `reach` mm.
    """

    overlap: torch.Tensor
    normal_force: torch.Tensor
    shear_force_x: torch.Tensor
    shear_force_y: torch.Tensor
    fields: torch.Tensor
    reach: float

    def at(self, places: torch.Tensor, *kinds: int) -> torch.Tensor:
        """Fields (B, kinds, h, w) at places (B or 1, h, w, 2) in mm; all five without `kinds`."""
        fields = self.fields[:, list(kinds)] if kinds else self.fields
        grid = (places / self.reach).expand(len(fields), -1, -1, -1)
        return F.grid_sample(fields, grid, mode="bilinear", align_corners=False)


class ContactModel:
    """Presses height functions into one elastic skin whose rest shape is `sag` (n, n).

    reach: half the side in mm of the square in which contact is computed.
    """

    def __init__(
        self, elastomer: Elastomer, sag: np.ndarray, *, reach: float, device: torch.device
    ) -> None:
        self.elastomer, self.reach = elastomer, reach
        self.sag = torch.tensor(sag, dtype=torch.float32, device=device)
        centres = torch.tensor(grid_centres(reach), dtype=torch.float32, device=device)
        self.grid_y, self.grid_x = torch.meshgrid(centres, centres, indexing="ij")
        self.cell = 2.0 * reach / _CELLS
        coarse = centres.view(-1, _POOL).mean(1)
        self.coarse_y, self.coarse_x = torch.meshgrid(coarse, coarse, indexing="ij")
        self._soft = torch.tensor(self.cell / 2.0, device=device)
        self._build_responses(device)

    def _build_responses(self, device: torch.device) -> None:
        # Doubles: the order of the sums inside a matrix product then never shows in a pixel.
        near, far = (_gaussian(sigma, self.reach) for sigma in self.elastomer.spread)
        near_weight, far_weight = self.elastomer.spread_weight

        def matrix(*blocks: np.ndarray) -> torch.Tensor:
            return torch.tensor(np.concatenate(blocks, axis=1).T, device=device).contiguous()

        self._rows = matrix(near[0].T, far[0].T, near[1].T, far[1].T)  # (4m, m)
        self._mixed = matrix(near_weight * near[0], far_weight * far[0])  # (2m, m)
        self._mixed_slope = matrix(near_weight * near[1], far_weight * far[1])
        self._far, self._far_slope = matrix(far[0]), matrix(far[1])

    def press(self, surface: HeightFunction, press: Press) -> Contact:
        """The contact of B objects `surface` under `press`."""
        overlap = self.overlap(surface, press)  # (B, n, n)
        share = self.elastomer.share(press.modulus)
        normal = self._normal_force(overlap, share)
        slip, force_x, force_y = self._shear(press, normal)
        indentation = F.avg_pool2d(overlap[:, None], _POOL)[:, 0] * column(share)  # (B, m, m)
        return Contact(
            overlap=overlap,
            normal_force=normal,
            shear_force_x=force_x,
            shear_force_y=force_y,
            fields=self._fields(indentation, press, slip),
            reach=self.reach,
        )

    def overlap(self, surface: HeightFunction, press: Press) -> torch.Tensor:
        """Rigid overlap p (B, n, n) in mm."""
        x, y = press.to_object(self.grid_x, self.grid_y)
        gap = surface.gap(Points(x=x, y=y, soft=self._soft, spacing=self.cell))
        return torch.relu(column(press.depth) - gap - self.sag)

    def _normal_force(self, overlap: torch.Tensor, share: torch.Tensor) -> torch.Tensor:
        flat = overlap.flatten(1)
        deepest = flat.amax(1)
        # Cells above each of the evenly spaced thresholds, counted in whole numbers: exact.
        level = (flat * (_LEVELS / deepest.clamp(min=1e-9))[:, None] + 0.5).long()
        level += torch.arange(len(flat), device=flat.device)[:, None] * (_LEVELS + 1)
        cells = torch.bincount(level.flatten(), minlength=len(flat) * (_LEVELS + 1))
        above = cells.view(-1, _LEVELS + 1)[:, 1:].flip(1).cumsum(1)
        area = above * self.cell**2
        contact_radius = torch.sqrt(area / (2.0 * math.pi)).mean(1)  # midpoint rule
        return 2.0 * self.elastomer.plane_strain_modulus * share * contact_radius * deepest

    def _shear(
        self, press: Press, normal: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Share of the shear that the skin follows (B,), and the tangential force along x and y."""
        limit = self.elastomer.friction * normal
        wanted = self.elastomer.tangential_stiffness * torch.hypot(press.shear_x, press.shear_y)
        force = limit * torch.tanh(wanted / limit.clamp(min=1e-9))
        share = torch.where(wanted > 0, force / wanted.clamp(min=1e-9), torch.zeros_like(force))
        stiffness = self.elastomer.tangential_stiffness
        return share, share * stiffness * press.shear_x, share * stiffness * press.shear_y

    def _fields(self, indentation: torch.Tensor, press: Press, slip: torch.Tensor) -> torch.Tensor:
        cells = indentation.shape[1]
        rows = torch.matmul(self._rows, indentation.double())  # (B, 4m, m)
        near, far, near_y, far_y = rows.split(cells, dim=1)
        smooth, steep = torch.cat([near, far], 2), torch.cat([near_y, far_y], 2)  # (B, m, 2m)
        held = 1.0 - torch.exp(-torch.matmul(far, self._far).float() / self.elastomer.grip_depth)
        shift_x = column(press.shear_x * slip) - column(press.twist) * (
            self.coarse_y - column(press.y)
        )
        shift_y = column(press.shear_y * slip) + column(press.twist) * (
            self.coarse_x - column(press.x)
        )
        squeeze = self.elastomer.squeeze
        return torch.stack(
            [
                torch.matmul(smooth, self._mixed).float(),
                torch.matmul(smooth, self._mixed_slope).float(),
                torch.matmul(steep, self._mixed).float(),
                held * shift_x - squeeze * torch.matmul(far, self._far_slope).float(),
                held * shift_y - squeeze * torch.matmul(far_y, self._far).float(),
            ],
            dim=1,
        )


def column(values: torch.Tensor) -> torch.Tensor:
    """(B,) as (B, 1, 1), to act on images."""
    return values.view(-1, 1, 1)


def grid_centres(reach: float) -> np.ndarray:
    """Cell centres of the contact grid along one axis, mm (n,)."""
    return ((np.arange(_CELLS) + 0.5) / _CELLS * 2.0 - 1.0) * reach


def _gaussian(sigma: float, reach: float) -> tuple[np.ndarray, np.ndarray]:
    """Convolution with a Gaussian of width `sigma` mm, and its derivative, as (m, m) matrices.

    Integrated over each cell, so that a response narrower than a cell keeps its volume.
    """
    centres = grid_centres(reach).reshape(-1, _POOL).mean(1)
    away = centres[:, None] - centres[None]
    half = (centres[1] - centres[0]) / 2.0
    below, above = (away - half) / sigma, (away + half) / sigma
    density = lambda z: np.exp(-0.5 * z**2) / (sigma * math.sqrt(2.0 * math.pi))  # noqa: E731
    integral = np.vectorize(lambda z: 0.5 * math.erf(z / math.sqrt(2.0)))
    return integral(above) - integral(below), density(above) - density(below)
