"""How well feature maps follow a known movement of the image: five measures, all near 1 at best.

"SARL" (https://arxiv.org/abs/2512.01908) asks that maps move with the image; its three losses each
ask for a part of that. Here it is measured, on any encoder, whatever it was trained with.

One side is the map of the original view, read bilinearly where the cells of the moved view lie;
the other is the map of the moved view. Only cells are compared whose centre lies between centres
of the original's cells, so that nothing is extrapolated. Cells are taken to be where the strides
of the network put them (`overlap.stride_frame`); to spread them evenly over the view would err by
almost a cell where one view is mirrored.

Every measure is also taken of pairs of different images: its chance value. That is more than 0
where a map says where a cell lies, or what all images share, whatever the image shows.

Shapes: B images; maps (B, C, H, W); N = H x W cells; K parts.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from vtbench.methods.base import Views
from vtbench.methods.encoder import Features
from vtbench.methods.losses.overlap import (
    Frame,
    Pair,
    between_frames,
    mapped_centres,
    sample,
    stride_frame,
)
from vtbench.methods.losses.regions import affinities
from vtbench.methods.losses.saliency import saliency
from vtbench.methods.views import correspondence
from vtbench.methods.warps import Warp

FEWEST_CELLS = 4  # an image that shares fewer does not count: three points correlate by accident
SMALLEST = 1e-6  # relative spread below which a field is constant but for rounding
AFFINITY_IMAGES = 16  # at a time: 784 x 784 affinities each at 224 pixels
WAVELENGTHS = (3.0, 12.0)  # of the ideal field, in cells


class Sides(NamedTuple):
    """What is compared: maps (B, C, H, W) moved by us and by the image; cells (B, H, W) shared."""

    moved: Tensor
    seen: Tensor
    shared: Tensor

    @property
    def of_strangers(self) -> Sides:
        """Each moved map beside the map of the next image."""
        return self._replace(seen=self.seen.roll(1, dims=0))


class Reference(NamedTuple):
    """What is known of a layer from other images: its mean feature (C,) and its parts (K, C)."""

    centre: Tensor
    parts: Tensor


def make_pair(original: Features, moved: Features, warp: Warp, pixels: int) -> Pair:
    """The features of both views of a warp, with the maps from the moved one and back."""
    views = Views((), warp.geometry.to(next(iter(moved.maps.values())).device))
    theta = correspondence(views, source=1, target=0)
    inverse = correspondence(views, source=0, target=1)
    return Pair(moved, original, theta, inverse, (pixels, pixels), centres="stride")


def stride(pixels: int, cells: int) -> int:
    """Pixels between neighbouring cells of a map of `cells` a side, in a view of `pixels`."""
    return round(stride_frame(pixels, cells).scale * pixels / cells)


def sides(pair: Pair, layer: str) -> Sides:
    """The two sides of a layer, and where both are known."""
    seen, original, theta, _ = pair.at(layer)
    points = mapped_centres(theta, *seen.shape[-2:])
    reach = 1 - 1 / original.shape[-1] + 1e-4  # outermost centres; the rest is for rounding
    shared = (points.abs() <= reach).all(dim=-1)
    return Sides(sample(original, points), seen, shared)


def measures(pair: Sides, reference: Reference) -> dict[str, Tensor]:
    """Every measure of every image, each (B,); NaN where too few cells are shared."""
    found = {
        "map": map_consistency(pair, reference.centre),
        "pattern": pattern_consistency(pair),
        "saliency": saliency_consistency(pair),
        "parts": part_agreement(pair, reference),
        "regions": region_consistency(pair),
    }
    enough = pair.shared.flatten(1).sum(dim=1) >= FEWEST_CELLS
    return {name: values.where(enough, torch.nan) for name, values in found.items()}


def map_consistency(pair: Sides, centre: Tensor) -> Tensor:
    """Mean over shared cells of cos(moved - μ, seen - μ), μ the mean feature of other images: (B,).

    1: the same features arrive where the image went. About 0 by chance; more where cells of one
    place look alike in all images. A map that is the same feature in every cell, but another one
    for each image, also gets 1: it says what, not where. For that see `pattern_consistency`.
    """
    moved, seen = (_centred(maps, centre[:, None, None]) for maps in pair[:2])
    return _mean(F.cosine_similarity(moved, seen, dim=1), pair.shared)


def pattern_consistency(pair: Sides) -> Tensor:
    """As `map_consistency`, but μ is the image's own mean over its shared cells, each side's: (B,).

    1: the differences between places follow. 0 for a map that is constant over the image.
    """
    moved, seen = (_centred(maps, _own_mean(maps, pair.shared)) for maps in pair[:2])
    return _mean(F.cosine_similarity(moved, seen, dim=1), pair.shared)


def saliency_consistency(pair: Sides) -> Tensor:
    """Pearson correlation, over shared cells, of Σ_c |moved| and Σ_c |seen|, as SAL has it: (B,).

    1: what stands out moves along. 0 by chance, more where the border or the middle always stands
    out; 0 too for a constant field.
    """
    return correlation(*(saliency(maps).flatten(1) for maps in pair[:2]), pair.shared.flatten(1))


def part_agreement(pair: Sides, reference: Reference) -> Tensor:
    """Share of the shared cells that belong to the same part on both sides: (B,).

    The part of a cell is argmax_k cos(feature - μ, part_k), with parts that were fitted to other
    images by `fit_reference`. 1: all. By chance about 1 / K, more where few parts are in use: all
    of it where only one is.
    """
    moved, seen = (nearest_part(maps, reference) for maps in pair[:2])
    return _mean((moved == seen).to(pair.moved.dtype), pair.shared)


def region_consistency(pair: Sides) -> Tensor:
    """Pearson correlation of the affinities of shared cells i < j on both sides, as in RAM: (B,).

    The affinity of two cells is the cosine of their features, not centred. 1: who resembles whom
    is kept. By chance well above 0, as neighbours resemble each other in every image.
    """
    chunks = zip(*(part.split(AFFINITY_IMAGES) for part in pair), strict=True)
    return torch.cat([_affinity_correlation(Sides(*chunk)) for chunk in chunks])


def correlation(a: Tensor, b: Tensor, counted: Tensor) -> Tensor:
    """Pearson correlation of the counted entries of each row, (B, M) -> (B,); 0 where constant."""
    a, b = (_deviation(values, counted) for values in (a, b))
    return F.cosine_similarity(a, b, dim=1, eps=1e-30)


# ------------------------------------------------------------------------------- parts


def fit_reference(maps: Tensor, *, parts: int, generator: torch.Generator) -> Reference:
    """Mean feature and parts of maps (B, C, H, W), by spherical k-means on the centred cells."""
    centre = maps.mean(dim=(0, 2, 3))
    tokens = _unit(_centred(maps, centre[:, None, None]))  # (B, C, H, W)
    tokens = tokens.permute(0, 2, 3, 1).flatten(0, 2)  # (B N, C)
    return Reference(centre, spherical_kmeans(tokens, parts, generator=generator))


def spherical_kmeans(
    tokens: Tensor, count: int, *, generator: torch.Generator, rounds: int = 20, most: int = 20_000
) -> Tensor:
    """Unit directions (K, C) that unit tokens (M, C) gather around, from random ones of them."""
    order = torch.randperm(len(tokens), generator=generator).to(tokens.device)
    tokens = tokens[order[:most]]
    parts = tokens[:count]
    for _ in range(rounds):
        member = F.one_hot((tokens @ parts.T).argmax(dim=1), len(parts)).to(tokens.dtype)
        sums = member.T @ tokens
        parts = torch.where(member.any(dim=0)[:, None], F.normalize(sums, dim=1), parts)
    return parts


def nearest_part(maps: Tensor, reference: Reference) -> Tensor:
    """Which part each cell belongs to: (B, H, W)."""
    centred = _centred(maps, reference.centre[:, None, None])
    return torch.einsum("bchw,kc->bkhw", centred, reference.parts).argmax(dim=1)


# ------------------------------------------------------------------------------- the ideal


def ideal_features(
    warp: Warp, *, pixels: int, cells: dict[str, int], channels: int, generator: torch.Generator
) -> tuple[Features, Features]:
    """Features of both views by an ideal encoder: at every cell, a field of its image is read.

    What the measures lose on these is due to bilinear reading of a map of so many `cells` a side:
    the most to expect of a field this rough. A smoother one can follow better. The field of a
    layer is a sum of 16 plane waves of 3 to 12 cells, with phases of each image and channel.
    """
    shape = (16, warp.geometry.shape[1], channels)
    waves = {layer: torch.rand(2, shape[0], generator=generator) for layer in cells}
    phases = {layer: torch.rand(shape[1:] + shape[:1], generator=generator) for layer in cells}
    views = []
    for geometry in warp.geometry:
        maps = {
            layer: _field(geometry, warp.canvas, pixels, cells[layer], waves[layer], phases[layer])
            for layer in cells
        }
        views.append(Features(torch.empty(0), maps))
    return views[0], views[1]


def _field(
    geometry: Tensor, canvas: int, pixels: int, cells: int, waves: Tensor, phases: Tensor
) -> Tensor:
    """The field at the cells of a view, without negative values: (B, C, H, W)."""
    frame = stride_frame(pixels, cells)
    theta = between_frames(geometry, frame, Frame())
    points = mapped_centres(theta, cells, cells).flatten(1, 2) * canvas / 2  # (B, N, 2), pixels
    low, high = WAVELENGTHS
    length = (low + (high - low) * waves[0]) * pixels * frame.scale / cells
    turn = 2 * torch.pi * waves[1]
    vectors = 2 * torch.pi / length * torch.stack([turn.cos(), turn.sin()])  # (2, waves)
    angle, phase = points @ vectors, 2 * torch.pi * phases.transpose(1, 2)  # (B, N, w), (B, w, C)
    field = angle.cos() @ phase.cos() - angle.sin() @ phase.sin()
    field = 2 + field * (2 / len(turn)) ** 0.5  # standard deviation 1
    return field.clamp(min=0).transpose(1, 2).unflatten(2, (cells, cells))


# ------------------------------------------------------------------------------- helpers


def _mean(values: Tensor, shared: Tensor) -> Tensor:
    """Mean over the shared cells of each image: (B, H, W) -> (B,)."""
    count = shared.sum(dim=(1, 2)).clamp(min=1)
    return (values * shared).sum(dim=(1, 2)) / count


def _own_mean(maps: Tensor, shared: Tensor) -> Tensor:
    """Mean feature of each image over its shared cells: (B, C, 1, 1)."""
    count = shared.sum(dim=(1, 2)).clamp(min=1)
    return ((maps * shared[:, None]).sum(dim=(2, 3)) / count[:, None])[:, :, None, None]


def _centred(maps: Tensor, centre: Tensor) -> Tensor:
    """Maps minus a centre; zero where nothing but rounding is left."""
    left = maps - centre
    scale = maps.norm(dim=1, keepdim=True) + centre.norm(dim=-3, keepdim=True)
    return left * (left.norm(dim=1, keepdim=True) > SMALLEST * scale)


def _unit(maps: Tensor) -> Tensor:
    return F.normalize(maps, dim=1)


def _deviation(values: Tensor, counted: Tensor) -> Tensor:
    """The counted entries minus their mean, the others 0; all 0 where they are constant."""
    count = counted.sum(dim=1, keepdim=True).clamp(min=1)
    kept = values * counted
    left = (values - kept.sum(dim=1, keepdim=True) / count) * counted
    largest = kept.abs().amax(dim=1, keepdim=True)
    return left * (left.abs().amax(dim=1, keepdim=True) > SMALLEST * largest)


def _affinity_correlation(pair: Sides) -> Tensor:
    # Similarities, not distances: of a constant map these are all 1 but for rounding.
    moved, seen = (1 - affinities(maps.flatten(2).transpose(1, 2)) for maps in pair[:2])
    shared = pair.shared.flatten(1)
    pairs = (shared[:, :, None] & shared[:, None, :]).triu(1)
    return correlation(moved.flatten(1), seen.flatten(1), pairs.flatten(1))
