"""Properties of SARL's map losses, and of what they are made of."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from vtbench.methods.base import Views
from vtbench.methods.losses.grids import grid_tokens
from vtbench.methods.losses.overlap import inside, mapped_centres
from vtbench.methods.losses.precision import full_precision
from vtbench.methods.losses.prototypes import (
    prototype_alignment,
    prototype_shares,
    random_prototypes,
)
from vtbench.methods.losses.regions import (
    affinities,
    matching_regions,
    region_affinity_matching,
)
from vtbench.methods.losses.saliency import saliency_alignment
from vtbench.methods.views import correspondence

B = 4
LOSSES = {"sal": saliency_alignment, "ram": region_affinity_matching}
both_losses = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)


def affine(*, flip: bool = False, shift: float = 0.0, count: int = B) -> Tensor:
    """The map of a mirrored or shifted view: (count, 2, 3)."""
    theta = torch.tensor([[-1.0 if flip else 1.0, 0.0, shift], [0.0, 1.0, 0.0]])
    return theta.expand(count, 2, 3)


def random_maps(side: int = 14, *, channels: int = 6, count: int = B) -> Tensor:
    return torch.randn(count, channels, side, side).relu()


def random_views(count: int = B) -> Views:
    """Two random crops of each image, some mirrored."""
    low, high = torch.rand(2, 2, count, 2) * torch.tensor([[[[0.5]]], [[[0.4]]]])
    size, start = 1 - low, (2 * high - 0.4) * low
    sign = torch.where(torch.rand(2, count) < 0.5, -1.0, 1.0)
    geometry = torch.zeros(2, count, 2, 3)
    geometry[..., 0, 0], geometry[..., 1, 1] = sign * size[..., 0], size[..., 1]
    geometry[..., 2] = start
    return Views(images=(), geometry=geometry)


def random_theta(count: int = B) -> Tensor:
    return correspondence(random_views(count), source=0, target=1)


def test_mapped_centres_are_torchs_affine_grid():
    theta = torch.randn(B, 2, 3)
    expected = F.affine_grid(theta, [B, 1, 5, 7], align_corners=False)

    torch.testing.assert_close(mapped_centres(theta, 5, 7), expected)


def test_inside_reaches_to_the_outer_edge():
    points = torch.tensor([[-1.0, 1.0], [1.0, 0.0], [1.001, 0.0], [0.0, -1.001]])

    assert inside(points).tolist() == [True, True, False, False]
    assert inside(points, far_edge=1 - 2 / 224).tolist() == [False, False, False, False]


@pytest.mark.parametrize("grid", [1, 6, 7, 14])
def test_grid_tokens_are_adaptive_averages(grid):
    maps = random_maps(14)

    torch.testing.assert_close(
        grid_tokens(maps, grid), F.adaptive_avg_pool2d(maps, grid).flatten(2).transpose(1, 2)
    )


def test_grid_is_never_finer_than_the_map():
    maps = random_maps(4)

    torch.testing.assert_close(grid_tokens(maps, 7), maps.flatten(2).transpose(1, 2))


@both_losses
def test_identical_views_of_identical_features_have_no_loss(loss):
    maps = random_maps()

    assert loss(maps, maps, affine()).item() < 1e-12


@both_losses
def test_mirrored_view_of_mirrored_features_has_no_loss(loss):
    maps = random_maps()

    assert loss(maps, maps.flip(-1), affine(flip=True)).item() < 1e-12
    assert loss(maps, maps, affine(flip=True)).item() > 1e-6


def test_mirroring_reverses_the_columns_of_regions():
    match, visible = matching_regions(affine(flip=True), 3)

    assert visible.all()
    assert match[0].tolist() == [2, 1, 0, 5, 4, 3, 8, 7, 6]


@both_losses
def test_disjoint_views_give_zero_loss_and_zero_gradient(loss):
    online = random_maps().requires_grad_()
    value = loss(online, random_maps(), affine(shift=3.0))
    value.backward()

    assert value.item() == 0
    assert torch.equal(online.grad, torch.zeros_like(online))


@both_losses
def test_dead_features_give_finite_gradients(loss):
    online = torch.zeros(B, 6, 14, 14, requires_grad=True)
    loss(online, random_maps(), random_theta()).backward()

    assert online.grad.isfinite().all()


@both_losses
def test_gradient_flows_to_the_online_maps_only(loss):
    online, target = random_maps().requires_grad_(), random_maps().requires_grad_()
    loss(online, target, random_theta()).backward()

    assert online.grad.abs().sum() > 0
    assert target.grad is None


@both_losses
def test_order_of_the_batch_does_not_matter(loss):
    online, target, theta = random_maps(), random_maps(), random_theta()
    order = torch.tensor([2, 0, 3, 1])

    torch.testing.assert_close(
        loss(online[order], target[order], theta[order]), loss(online, target, theta)
    )


def test_saliency_alignment_by_hand():
    online = torch.tensor([[[[3.0, 4.0], [0.0, 0.0]]]])  # unit field .6 .8 / 0 0
    target = torch.tensor([[[[0.0, 0.0], [8.0, 6.0]]]])  # unit field 0 0 / .8 .6

    loss = saliency_alignment(online, target, affine(count=1))

    assert loss.item() == pytest.approx((0.36 + 0.64 + 0.64 + 0.36) / 4)


def test_saliency_alignment_is_a_mean_over_the_shared_cells_of_the_batch():
    online, target, theta = random_maps(), random_maps(), random_theta()
    cells = inside(mapped_centres(theta, 14, 14)).sum(dim=(1, 2))
    alone = torch.stack(
        [saliency_alignment(online[[i]], target[[i]], theta[[i]]) for i in range(B)]
    )

    torch.testing.assert_close(
        saliency_alignment(online, target, theta), (alone * cells).sum() / cells.sum()
    )


def test_equivariant_saliency_leaves_a_remainder_only_in_the_full_form():
    views = random_views(16)
    theta = correspondence(views, source=0, target=1)

    def field(view: int) -> Tensor:
        x, y = mapped_centres(views.geometry[view], 28, 28).unbind(dim=-1)
        return torch.exp(-2 * (x - 0.2) ** 2 - 3 * y**2)[:, None]

    full = saliency_alignment(field(0), field(1), theta)
    overlap = saliency_alignment(field(0), field(1), theta, region="overlap", padding="border")

    assert overlap < 0.02 * full


def ram_reference(online: Tensor, target: Tensor, theta: Tensor, *, exclude: bool) -> float:
    """RAM as nested loops over images and pairs of regions, on a 6 x 6 grid."""
    losses = []
    for f, g, ((a, _, c), (_, e, d)) in zip(online, target, theta.tolist(), strict=True):
        tokens = [F.adaptive_avg_pool2d(maps, 6).flatten(1).T for maps in (f, g)]
        mine, theirs = (1 - F.cosine_similarity(t[:, None], t[None], dim=-1) for t in tokens)
        match = {}
        for row in range(6):
            for column in range(6):
                x, y = a * ((2 * column + 1) / 6 - 1) + c, e * ((2 * row + 1) / 6 - 1) + d
                if max(abs(x), abs(y)) <= 1:
                    there = int((y + 1) * 3) * 6 + int((x + 1) * 3)
                    match[6 * row + column] = there
        pairs = [
            (i, j)
            for i in match
            for j in match
            if not (exclude and i != j and match[i] == match[j])
        ]
        if len(match) >= 2:
            errors = [(mine[i, j] - theirs[match[i], match[j]]) ** 2 for i, j in pairs]
            losses.append(sum(errors) / len(errors))
    return float(sum(losses) / len(losses))


@pytest.mark.parametrize("duplicates", ["keep", "exclude"])
def test_region_affinity_matching_equals_loops(duplicates):
    online, target, theta = random_maps(), random_maps(), random_theta()
    theta[1, 0, 2] += 10  # one image without a shared region
    loss = region_affinity_matching(online, target, theta, duplicates=duplicates)
    expected = ram_reference(online, target, theta, exclude=duplicates == "exclude")

    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_duplicates_ask_regions_to_look_the_same_unless_excluded():
    """The whole first view shows one region of the second."""
    online, target, theta = random_maps(), random_maps(), 0.1 * affine()
    theta[:, :, 2] = 0.15  # all centres lie within [0, 1/3], one of 6 x 6 regions
    keep = region_affinity_matching(online, target, theta)
    exclude = region_affinity_matching(online, target, theta, duplicates="exclude")

    torch.testing.assert_close(keep, affinities(grid_tokens(online, 6)).square().mean())
    assert exclude < 1e-12


def test_affinities_are_cosine_distances():
    tokens = torch.tensor([[[1.0, 0.0], [0.0, 3.0], [2.0, 2.0]]])
    near = 1 - 0.5**0.5

    torch.testing.assert_close(
        affinities(tokens), torch.tensor([[[0, 1, near], [1, 0, near], [near, near, 0]]])
    )


def test_prototype_shares_sum_to_one():
    shares = prototype_shares(random_maps(), random_prototypes(5, 6), grid=7, temperature=0.1)

    assert shares.shape == (B, 5)
    torch.testing.assert_close(shares.sum(dim=1), torch.ones(B))


def test_prototype_alignment_is_the_kl_divergence_both_ways():
    online, target, prototypes = random_maps(), random_maps(), random_prototypes(5, 6)
    a, b = (prototype_shares(m, prototypes, grid=7, temperature=0.1) for m in (online, target))
    divergence = F.kl_div(b.log(), a, reduction="batchmean")
    divergence += F.kl_div(a.log(), b, reduction="batchmean")

    torch.testing.assert_close(prototype_alignment(online, target, prototypes), divergence)


def test_prototype_alignment_is_zero_for_identical_maps_and_ignores_scale():
    online, target, prototypes = random_maps(), random_maps(), random_prototypes(5, 6)

    assert prototype_alignment(online, online, prototypes).item() == 0
    torch.testing.assert_close(
        prototype_alignment(7 * online, 0.2 * target, 3 * prototypes),
        prototype_alignment(online, target, prototypes),
    )


def test_prototype_alignment_moves_maps_and_prototypes_but_not_the_target():
    online, target = random_maps().requires_grad_(), random_maps().requires_grad_()
    prototypes = random_prototypes(5, 6).requires_grad_()
    prototype_alignment(online, target, prototypes).backward()

    assert online.grad.abs().sum() > 0
    assert prototypes.grad.abs().sum() > 0
    assert target.grad is None


def test_prototypes_move_with_the_targets_shares_too():
    online, target, prototypes = random_maps(), random_maps(), random_prototypes(5, 6)
    one_sided = prototypes.clone().requires_grad_()
    both_sided = prototypes.clone().requires_grad_()
    a = prototype_shares(online, one_sided, grid=7, temperature=0.1)
    b = prototype_shares(target, prototypes, grid=7, temperature=0.1)
    ((a - b) * (a.log() - b.log())).sum(dim=1).mean().backward()
    prototype_alignment(online, target, both_sided).backward()

    assert (one_sided.grad - both_sided.grad).abs().max() > 1e-4


def test_losses_of_half_precision_features_are_computed_in_float32():
    online, target, theta = random_maps().bfloat16(), random_maps().bfloat16(), random_theta()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = region_affinity_matching(online, target, theta)

    assert mixed.dtype == torch.float32
    assert mixed == region_affinity_matching(online.float(), target.float(), theta)


def test_full_precision_keeps_float64():
    assert full_precision(torch.sum)(torch.ones(3, dtype=torch.float64)).dtype == torch.float64
