"""The measures: 1 for maps that follow, chance for those that do not, and nothing for free."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from vtbench.methods import equivariance as eq
from vtbench.methods.encoder import Features
from vtbench.methods.equivariance import Reference, Sides
from vtbench.methods.warps import WARPS, Warp, draw_warp, render

PIXELS, CELLS = 48, {"layer2": 12, "layer3": 6}
MOVES = [name for name in WARPS if name != "identity"]


def warp(name: str, count: int = 48) -> Warp:
    draws = torch.Generator().manual_seed(0)
    return draw_warp(name, count=count, pixels=PIXELS, strides=(4, 8, 16), generator=draws)


def ideal(name: str, seed: int = 0) -> tuple[Features, Features]:
    draws = torch.Generator().manual_seed(seed)
    return eq.ideal_features(warp(name), pixels=PIXELS, cells=CELLS, channels=16, generator=draws)


def reference(layer: str) -> Reference:
    fitted, _ = ideal("identity", seed=1)
    draws = torch.Generator().manual_seed(0)
    return eq.fit_reference(fitted.maps[layer], parts=8, generator=draws)


def measured(name: str, layer: str, *, strangers: bool = False) -> dict[str, float]:
    original, moved = ideal(name)
    sides = eq.sides(eq.make_pair(original, moved, warp(name), PIXELS), layer)
    found = eq.measures(sides.of_strangers if strangers else sides, reference(layer))
    return {measure: float(values.nanmean()) for measure, values in found.items()}


@pytest.mark.parametrize("layer", CELLS)
@pytest.mark.parametrize("name", MOVES)
def test_an_ideal_field_scores_near_one(name: str, layer: str) -> None:
    found = measured(name, layer)

    assert min(found[measure] for measure in ("map", "pattern", "saliency", "regions")) > 0.97
    assert found["parts"] > 0.85


@pytest.mark.parametrize("name", MOVES)
def test_unrelated_fields_score_near_chance(name: str) -> None:
    found = measured(name, "layer2", strangers=True)

    assert max(abs(found[measure]) for measure in ("map", "pattern", "saliency")) < 0.12
    assert found["parts"] < 0.3  # eight parts


@pytest.mark.parametrize("layer", CELLS)
def test_without_movement_everything_is_one(layer: str) -> None:
    assert measured("identity", layer) == pytest.approx(dict.fromkeys(eq_names(), 1.0), abs=1e-4)


def eq_names() -> list[str]:
    from vtbench.results.spatial import MEASURES

    return list(MEASURES)


def read_at_strides(view: Tensor, stride: int) -> Tensor:
    """A network whose cell i is exactly the smoothed image at pixel i * stride."""
    smooth = F.avg_pool2d(F.pad(view, (2,) * 4, mode="replicate"), 5, stride=1)
    return 1 + smooth[..., ::stride, ::stride]


@pytest.mark.parametrize("name", MOVES)
def test_cells_are_where_the_strides_put_them(name: str) -> None:
    noise = torch.rand(48, 3, 9, 9, generator=torch.Generator().manual_seed(0))
    images = F.interpolate(noise, size=(64, 64), mode="bicubic").clamp(0, 1)
    images = (images * 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()
    moved = warp(name)
    views = render(images, moved, pixels=PIXELS)
    maps = [Features(torch.empty(0), {"layer2": read_at_strides(v, 4)}) for v in views.images]
    sides = eq.sides(eq.make_pair(maps[0], maps[1], moved, PIXELS), "layer2")
    right = float(eq.pattern_consistency(sides).mean())
    offset = Sides(sides.moved.roll(1, dims=3), sides.seen, sides.shared)

    assert right > 0.95
    assert float(eq.pattern_consistency(offset).mean()) < right - 0.15


def test_a_map_that_is_constant_says_what_but_not_where() -> None:
    features = torch.rand(8, 16, 1, 1, generator=torch.Generator().manual_seed(0))
    maps = features.expand(-1, -1, 6, 6).contiguous()
    known = eq.fit_reference(maps, parts=4, generator=torch.Generator().manual_seed(0))
    found = eq.measures(Sides(maps, maps.clone(), torch.ones(8, 6, 6, dtype=torch.bool)), known)

    assert found["map"].min() > 0.999
    for measure in ("pattern", "saliency", "regions"):
        assert found[measure].abs().max() == 0, measure


def test_a_collapsed_map_is_no_better_than_chance() -> None:
    maps = torch.full((8, 16, 6, 6), 0.3)
    known = eq.fit_reference(maps, parts=4, generator=torch.Generator().manual_seed(0))
    sides = Sides(maps, maps, torch.ones(8, 6, 6, dtype=torch.bool))
    own, chance = (eq.measures(s, known) for s in (sides, sides.of_strangers))

    for measure, values in own.items():
        torch.testing.assert_close(values, chance[measure])


def test_images_that_share_too_few_cells_do_not_count() -> None:
    maps = torch.rand(2, 8, 4, 4, generator=torch.Generator().manual_seed(0))
    shared = torch.zeros(2, 4, 4, dtype=torch.bool)
    shared[0, 0, :3] = True
    shared[1, 0, :] = True
    known = Reference(maps.mean(dim=(0, 2, 3)), F.normalize(torch.rand(3, 8), dim=1))

    for values in eq.measures(Sides(maps, maps, shared), known).values():
        assert values.isnan().tolist() == [True, False]


def test_correlation_is_pearsons_over_what_counts() -> None:
    draws = torch.Generator().manual_seed(0)
    a, b = torch.rand(2, 5, 30, generator=draws)
    counted = torch.rand(5, 30, generator=draws) < 0.6
    expected = [
        np.corrcoef(x[kept].numpy(), y[kept].numpy())[0, 1]
        for x, y, kept in zip(a, b, counted, strict=True)
    ]

    np.testing.assert_allclose(eq.correlation(a, b, counted).numpy(), expected, atol=1e-5)


def test_regions_compare_each_pair_of_shared_cells_once() -> None:
    draws = torch.Generator().manual_seed(0)
    a, b = torch.rand(2, 20, 5, 3, 3, generator=draws)
    shared = torch.rand(20, 3, 3, generator=draws) < 0.8
    found = eq.region_consistency(Sides(a, b, shared))

    for image in range(20):
        kept = shared[image].flatten().nonzero().flatten().tolist()
        cosines = [
            [
                float(F.cosine_similarity(m[image].flatten(1)[:, i], m[image].flatten(1)[:, j], 0))
                for i in kept
                for j in kept
                if i < j
            ]
            for m in (a, b)
        ]
        assert float(found[image]) == pytest.approx(np.corrcoef(*cosines)[0, 1], abs=1e-4)


def test_kmeans_finds_directions_that_are_there() -> None:
    draws = torch.Generator().manual_seed(0)
    true = F.normalize(torch.randn(4, 32, generator=draws), dim=1)
    tokens = true.repeat(50, 1) + 0.05 * torch.randn(200, 32, generator=draws)
    found = eq.spherical_kmeans(F.normalize(tokens, dim=1), 12, generator=draws)

    assert (true @ found.T).amax(dim=1).min() > 0.98
