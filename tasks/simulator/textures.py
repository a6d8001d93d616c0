"""Tileable surface reliefs and prints, filtered so that they never alias.

Six kinds of texture in four variants each, all synthesised: band-limited noise (random phases
under a power-law spectrum) and simple weaves, ribs and studs, warped a little. They stand for the
surface of a specimen (relief) or for something printed on it (colour only).

Shapes: T = 24 tiles; levels of a pyramid in which each level halves the resolution.
"""

from __future__ import annotations

import functools

import numpy as np
import torch
import torch.nn.functional as F

from vtbench.tasks.simulator.contact import Points
from vtbench.tasks.simulator.materials import TEXTURES
from vtbench.tasks.simulator.random import Draws

VARIANTS = 4
_CELLS = 192  # texels per period at the finest level
_LEVELS = 5


class TextureAtlas:
    """All tiles at all levels in one column image, so that one look-up serves a whole batch."""

    def __init__(self, *, device: torch.device) -> None:
        tiles, rows = [], []
        level = torch.from_numpy(_tiles())[:, None]  # (T, 1, cells, cells)
        for _ in range(_LEVELS):
            rows.append(sum(tile.shape[0] for tile in tiles))
            tiles.append(_column(level))
            level = F.avg_pool2d(level, 2)
        self.image = torch.cat(tiles)[None, None].to(device)  # (1, 1, rows, cells + 2)
        self._first_row = torch.tensor(rows, device=device)

    def sample(self, tile: torch.Tensor, at: Points, *, period: torch.Tensor) -> torch.Tensor:
        """Texture values in 0 … 1 (B, h, w) of the tiles (B,) at some points.

        `period` (B,) in mm is the size of one tile. The level is the one whose texels are nearest
        in size to the spacing of the points.
        """
        level = torch.log2(at.spacing * _CELLS / period).round().clamp(0, _LEVELS - 1).long()
        cells = _CELLS // 2**level
        top = self._first_row[level] + tile * (cells + 2)
        column = _wrapped(at.x, period, cells)
        row = _wrapped(at.y, period, cells) + top.view(-1, 1, 1)
        height, width = self.image.shape[2:]
        grid = torch.stack([column * (2.0 / width) - 1.0, row * (2.0 / height) - 1.0], dim=-1)
        image = self.image.expand(len(tile), -1, -1, -1)
        return F.grid_sample(image, grid, mode="bilinear", align_corners=False)[:, 0]


def tile_index(texture: np.ndarray, variant: np.ndarray) -> np.ndarray:
    """Tile numbers of texture kinds (positions in TEXTURES) and variants, int64 (B,)."""
    return texture * VARIANTS + variant


def _wrapped(position: torch.Tensor, period: torch.Tensor, cells: torch.Tensor) -> torch.Tensor:
    phase = position / period.view(-1, 1, 1)
    return (phase - torch.floor(phase)) * cells.view(-1, 1, 1) + 1.0  # 1: the wrapped border


def _column(level: torch.Tensor) -> torch.Tensor:
    """Tiles (T, 1, n, n) below each other, each with a wrapped border, padded to full width."""
    bordered = F.pad(level, (1, 1, 1, 1), mode="circular")[:, 0]
    column = bordered.reshape(-1, bordered.shape[-1])
    return F.pad(column, (0, _CELLS + 2 - column.shape[-1]))


@functools.cache
def _tiles() -> np.ndarray:
    """Float32 (T, cells, cells) in 0 … 1."""
    makers = (_smooth, _grain, _coarse, _woven, _ribbed, _dotted)
    tiles = np.empty((len(TEXTURES) * VARIANTS, _CELLS, _CELLS), dtype=np.float32)
    for kind, make in enumerate(makers):
        for variant in range(VARIANTS):
            tiles[kind * VARIANTS + variant] = _unit(make(_Noise(kind, variant)))
    return tiles


class _Noise:
    """Tileable band-limited noise, standardised; each call draws new phases."""

    def __init__(self, kind: int, variant: int) -> None:
        self._draws = Draws(0, f"texture {TEXTURES[kind]}", np.array([variant]))
        self._calls = 0
        self.variant = variant
        self.x, self.y = np.meshgrid(*[np.arange(_CELLS) / _CELLS] * 2)

    def __call__(self, slope: float, low: float, high: float, stretch: float = 1.0) -> np.ndarray:
        """Amplitude falls as frequency^-slope between `low` and `high` cycles per tile."""
        self._calls += 1
        frequency = np.fft.fftfreq(_CELLS, 1.0 / _CELLS)
        radius = np.sqrt(frequency[None] ** 2 * stretch + frequency[:, None] ** 2 / stretch)
        band = (radius >= low) & (radius <= high)
        amplitude = np.where(band, np.maximum(radius, 1.0) ** -slope, 0.0)
        phases = self._draws.table(f"phases {self._calls}", _CELLS**2).reshape(_CELLS, _CELLS)
        waves = np.fft.ifft2(amplitude * np.exp(2j * np.pi * phases)).real
        return waves / waves.std()


def _unit(relief: np.ndarray) -> np.ndarray:
    low, high = np.quantile(relief, [0.01, 0.99])
    return np.clip((relief - low) / (high - low), 0.0, 1.0)


def _smooth(noise: _Noise) -> np.ndarray:
    return noise(1.6, 2, 40)


def _grain(noise: _Noise) -> np.ndarray:
    return noise(0.9, 4, 70, stretch=(6.0, 1.0, 8.0, 1.0)[noise.variant])


def _coarse(noise: _Noise) -> np.ndarray:
    cells = np.maximum(noise(1.2, 3, 20), noise(1.2, 3, 20))
    return np.tanh(1.5 * cells) + 0.15 * noise(0.5, 20, 70)


def _woven(noise: _Noise) -> np.ndarray:
    threads = (6, 8, 7, 9)[noise.variant]
    warp = np.sin(2 * np.pi * threads * (noise.x + 0.010 * noise(2.0, 1, 8)))
    weft = np.sin(2 * np.pi * threads * (noise.y + 0.010 * noise(2.0, 1, 8)))
    above = np.cos(2 * np.pi * threads * noise.x) * np.cos(2 * np.pi * threads * noise.y) > 0
    return np.where(above, np.abs(warp), np.abs(weft)) + 0.12 * noise(0.6, 10, 70)


def _ribbed(noise: _Noise) -> np.ndarray:
    ribs = (5, 6, 8, 7)[noise.variant]
    wave = np.sin(np.pi * ribs * (noise.y + 0.004 * noise(2.0, 1, 8)))
    return np.abs(wave) ** 0.8 + 0.08 * noise(0.6, 8, 70)


def _dotted(noise: _Noise) -> np.ndarray:
    studs = (5, 6, 4, 7)[noise.variant]
    stagger = 0.5 * (np.floor(noise.y * studs) % 2) if studs % 2 == 0 else 0.0
    away = np.hypot((noise.x * studs + stagger) % 1 - 0.5, (noise.y * studs) % 1 - 0.5)
    return np.clip(1 - away / 0.34, 0, 1) ** 0.6 + 0.05 * noise(0.6, 8, 70)
