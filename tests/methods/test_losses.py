"""Properties of SARL's map losses, and of what they are made of."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vtbench.methods.base import Views
from vtbench.methods.encoder import Encoder, Features
from vtbench.methods.losses.grids import grid_tokens
from vtbench.methods.losses.overlap import (
    Frame,
    Pair,
    between_frames,
    inside,
    mapped_centres,
    sample,
    stride_frame,
)
from vtbench.methods.losses.precision import full_precision
from vtbench.methods.losses.prototypes import (
    assignments,
    prototype_alignment,
    prototype_shares,
    prototype_usage,
    random_prototypes,
)
from vtbench.methods.losses.regions import (
    affinities,
    holding_regions,
    matched_points,
    region_affinity_matching,
)
from vtbench.methods.losses.saliency import saliency, saliency_alignment
from vtbench.methods.views import correspondence

B = 4
LOSSES = {
    "sal": saliency_alignment,
    "sal, overlap": partial(saliency_alignment, region="overlap", padding="border"),
    "sal, of images": partial(saliency_alignment, average="images", scale="unit_square"),
    "ram": region_affinity_matching,
    "ram, resampled": partial(region_affinity_matching, correspondence="resample", grid=7),
    "ram, few pairs": partial(region_affinity_matching, duplicates="exclude", diagonal="exclude"),
}
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


def composed(outer: Tensor, inner: Tensor) -> Tensor:
    """The affine maps `inner`, followed by `outer`: (B, 2, 3)."""
    A, t = outer[:, :, :2], outer[:, :, 2:]
    return torch.cat([A @ inner[:, :, :2], A @ inner[:, :, 2:] + t], dim=2)


def assigned(*maps: Tensor, prototypes: Tensor, **options: float) -> list[Tensor]:
    return [assignments(each, prototypes, **options) for each in maps]


def test_mapped_centres_are_torchs_affine_grid():
    theta = torch.randn(B, 2, 3)
    expected = F.affine_grid(theta, [B, 1, 5, 7], align_corners=False)

    torch.testing.assert_close(mapped_centres(theta, 5, 7), expected)


def test_inside_reaches_to_the_outer_edge():
    points = torch.tensor([[-1.0, 1.0], [1.0, 0.0], [1.001, 0.0], [0.0, -1.001]])

    assert inside(points).tolist() == [True, True, False, False]
    assert inside(points, far_edge=1 - 2 / 224).tolist() == [False, False, False, False]


@pytest.mark.parametrize("max_pool", [True, False])
@pytest.mark.parametrize(("layer", "stride"), [("layer2", 4), ("layer3", 8), ("layer4", 16)])
def test_cells_of_the_encoder_are_centred_on_multiples_of_the_stride(layer, stride, max_pool):
    """Where the pixels that move a cell lie on average, in a network of equal weights."""
    stride, size = stride * (1 + max_pool), 448 * (1 + max_pool)
    encoder = Encoder(width=1, max_pool=max_pool).double().eval()
    if max_pool:
        encoder.maxpool = nn.AvgPool2d(3, stride=2, padding=1)  # all of its inputs alike
    for convolution in (m for m in encoder.modules() if isinstance(m, nn.Conv2d)):
        nn.init.ones_(convolution.weight)
    pixels = torch.ones(1, 3, size, size, dtype=torch.float64, requires_grad=True)
    maps = encoder(pixels).maps[layer]
    count = maps.shape[-1]
    maps[0, :, count // 2, count // 2 - 1].sum().backward()
    columns = pixels.grad.sum(dim=(0, 1, 2))
    centre = ((columns * torch.arange(size)).sum() / columns.sum()).item()

    assert centre == pytest.approx((count // 2 - 1) * stride)
    scale, offset = stride_frame(size, count)
    u = (2 * (count // 2 - 1) + 1) / count - 1
    assert scale * u + offset == pytest.approx((2 * centre + 1) / size - 1)


@pytest.mark.parametrize(
    ("pixels", "cells", "stride"),
    [(224, 7, 32), (224, 28, 8), (48, 3, 16), (50, 7, 8), (56, 4, 16)],
)
def test_stride_frame_puts_cell_i_on_pixel_i_times_the_stride(pixels, cells, stride):
    scale, offset = stride_frame(pixels, cells)
    i = torch.arange(cells)
    x = scale * ((2 * i + 1) / cells - 1) + offset

    torch.testing.assert_close(((x + 1) * pixels - 1) / 2, i * float(stride))


def test_ways_between_frames_are_inverse_and_a_view_is_itself():
    views = random_views()
    there, back = (correspondence(views, source=i, target=1 - i) for i in (0, 1))
    a, b = stride_frame(224, 7), stride_frame(96, 6)
    round_trip = composed(between_frames(back, b, a), between_frames(there, a, b))

    torch.testing.assert_close(round_trip, affine())
    assert torch.equal(between_frames(affine(), a, a), affine())
    assert torch.equal(between_frames(there, Frame(), Frame()), there)


@pytest.mark.parametrize("centres", ["uniform", "stride"])
@pytest.mark.parametrize(
    ("side", "pixels", "strides"),
    [
        (28, (224, 224), (8, 8)),
        (14, (224, 224), (16, 16)),
        (7, (224, 224), (32, 32)),
        (7, (50, 208), (8, 32)),
    ],
)
def test_coordinates_of_the_source_agree_where_cells_correspond(side, pixels, strides, centres):
    """Maps whose two channels are x and y in a source of 320 pixels: equal within 0.001 of one."""
    views, cells = random_views(64), torch.arange(side)
    features = []
    for view, size, stride in zip(views.geometry, pixels, strides, strict=True):
        pixel = cells * stride if centres == "stride" else (cells + 0.5) * size / side - 0.5
        x = (2 * pixel + 1) / size - 1
        in_view = torch.stack(torch.meshgrid(x, x, indexing="xy"))
        in_source = torch.einsum("bij,jhw->bihw", view[:, :, :2], in_view) + view[:, :, 2:, None]
        features.append(Features(torch.empty(0), {"layer2": 160 * in_source}))
    ways = (correspondence(views, source=i, target=1 - i) for i in (0, 1))
    a, b, theta, _ = Pair(*features, *ways, pixels, centres).at("layer2")
    points = mapped_centres(theta, side, side)
    away_from_border = (points.abs() <= 1 - 1 / side).all(dim=-1)

    assert away_from_border.float().mean() > 0.3
    error = (a - sample(b, points)).abs().amax(dim=1)
    assert error[away_from_border].max() < 1e-3


def test_a_pair_reads_back_from_the_second_view_to_the_first():
    views, online, target = random_views(), random_maps(7), random_maps(14)
    features = [Features(torch.empty(0), {"layer3": maps}) for maps in (online, target)]
    there, back = (correspondence(views, source=i, target=1 - i) for i in (0, 1))
    pair = Pair(*features, there, back, (224, 112), edge="authors")

    for found, expected in zip(
        pair.at("layer3"), (online, target, there, 1 - 2 / 112), strict=True
    ):
        assert found is expected or found == expected
    for found, expected in zip(
        pair.reverse.at("layer3"), (target, online, back, 1 - 2 / 224), strict=True
    ):
        assert found is expected or found == expected


def test_shared_regions_are_those_whose_centre_the_other_view_shows():
    features = Features(torch.empty(0), {"layer3": random_maps(4, count=1)})
    right = affine(shift=0.6, count=1)  # the second view starts 0.6 further left
    pair = Pair(features, features, right, affine(shift=-0.6, count=1), (32, 32))

    assert pair.shared_regions("layer3", 2).tolist() == [[True, False, True, False]]
    assert pair.shared_regions("layer3", 7)[0, :4].tolist() == [True, True, True, False]
    assert pair.reverse.shared_regions("layer3", 7)[0, :4].tolist() == [False, True, True, True]


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


def test_identical_views_match_each_region_with_itself():
    points, visible = matched_points(affine(), 1.0, 6, 6)

    assert visible.all()
    assert holding_regions(points)[0].tolist() == list(range(36))


def test_mirroring_reverses_the_columns_of_regions():
    points, visible = matched_points(affine(flip=True), 1.0, 3, 3)

    assert visible.all()
    assert holding_regions(points)[0].tolist() == [2, 1, 0, 5, 4, 3, 8, 7, 6]


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


def test_saliency_alignment_can_be_a_mean_over_images():
    online, target, theta = random_maps(), random_maps(), random_theta()
    theta[2, 0, 2] += 10  # one image without a shared cell
    alone = [saliency_alignment(online[[i]], target[[i]], theta[[i]]) for i in (0, 1, 3)]

    torch.testing.assert_close(
        saliency_alignment(online, target, theta, average="images"), torch.stack(alone).mean()
    )


def test_unit_square_gives_the_fields_a_mean_square_of_one():
    """Then the loss is that of fields scaled so by hand."""
    online, target, theta = random_maps(), random_maps(), random_theta()
    points = mapped_centres(theta, 14, 14)
    shared = inside(points)
    a, b = saliency(online), saliency(target)
    a, b = (x / x.square().mean(dim=(1, 2), keepdim=True).sqrt() for x in (a, b))
    error = (a - sample(b[:, None], points, "zeros")[:, 0]).square()[shared].mean()

    torch.testing.assert_close(
        saliency_alignment(online, target, theta, scale="unit_square"), error
    )


def test_unit_square_in_the_overlap_counts_the_shared_cells_alone():
    online, target = random_maps(4, count=1), random_maps(4, count=1)
    shift = affine(shift=0.5, count=1)  # by one cell, so that three columns are shared
    options = {"region": "overlap", "scale": "unit_square"}
    a, b = saliency(online)[:, :, :3], saliency(target)[:, :, 1:]
    a, b = (x / x.square().mean().sqrt() for x in (a, b))

    torch.testing.assert_close(
        saliency_alignment(online, target, shift, **options), (a - b).square().mean()
    )


def test_images_that_share_too_few_cells_do_not_count():
    online, target, theta = random_maps(), random_maps(), random_theta()
    theta[0] = affine(shift=13 / 7, count=1)  # one column of 14 cells
    some = saliency_alignment(online, target, theta, min_cells=15)

    torch.testing.assert_close(some, saliency_alignment(online[1:], target[1:], theta[1:]))
    assert some != saliency_alignment(online, target, theta, min_cells=14)
    assert saliency_alignment(online, target, theta, min_cells=197) == 0


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


def test_resampling_keeps_regions_apart_that_fall_into_one():
    online, target, theta = random_maps(12), random_maps(12), 0.1 * affine()
    theta[:, :, 2] = 0.15
    moved = sample(target, mapped_centres(theta, 12, 12))
    expected = affinities(grid_tokens(online, 6)) - affinities(grid_tokens(moved, 6))
    loss = region_affinity_matching(online, target, theta, correspondence="resample")

    assert affinities(grid_tokens(moved, 6))[:, 0, 1:].min() > 0
    torch.testing.assert_close(loss, expected.square().mean())


def test_resampling_reads_between_regions():
    """Half a region to the right lies the mean of two neighbours."""
    online, target = random_maps(4, count=1), random_maps(4, count=1)
    shift = affine(shift=0.25, count=1)
    between = (target + target.roll(-1, dims=-1)) / 2
    between[..., -1] = target[..., -1]  # the outermost centre is on the border
    expected = affinities(grid_tokens(online, 4)) - affinities(grid_tokens(between, 4))

    torch.testing.assert_close(
        region_affinity_matching(online, target, shift, grid=4, correspondence="resample"),
        expected.square().mean(),
    )


@pytest.mark.parametrize("correspondence", ["nearest", "resample"])
def test_picking_and_resampling_are_exact_where_cells_coincide(correspondence):
    """The second view is mirrored and lies one of 14 cells to the side."""
    online, target = random_maps() + 0.1, random_maps() + 0.1
    moved = affine(flip=True, shift=1 / 7)
    loss = region_affinity_matching(online, target, moved, grid=14, correspondence=correspondence)
    shared = online[..., 1:], target.flip(-1)[..., :-1]
    a, b = (affinities(maps.flatten(2).transpose(1, 2)) for maps in shared)

    torch.testing.assert_close(loss, (a - b).square().mean())


def test_identity_correspondence_ignores_where_the_views_lie():
    online, target, theta = random_maps(), random_maps(), random_theta()
    theta[0, 0, 2] = 10  # an image without a shared region
    expected = affinities(grid_tokens(online, 6)) - affinities(grid_tokens(target, 6))

    torch.testing.assert_close(
        region_affinity_matching(online, target, theta, correspondence="identity"),
        expected.square().mean(),
    )


@pytest.mark.parametrize(
    ("outside", "expected", "counted"),
    [
        ("drop", [1, 2, 2], [True, True, False]),
        ("identity", [1, 2, 2], [True, True, True]),
        ("wrap", [1, 2, 0], [True, True, True]),
    ],
)
def test_regions_outside_are_dropped_or_looked_for_elsewhere(outside, expected, counted):
    """The second view is the first, moved one of three regions to the right."""
    points, visible = matched_points(affine(shift=2 / 3, count=1), 1.0, 3, 3, outside)

    assert holding_regions(points)[0, :3].tolist() == expected
    assert visible[0, 0].tolist() == counted


def test_identity_outside_keeps_the_own_place_and_not_the_nearest():
    points, _ = matched_points(affine(shift=5.0, count=1), 1.0, 3, 3, "identity")

    torch.testing.assert_close(points, mapped_centres(affine(count=1), 3, 3))


@pytest.mark.parametrize("correspondence", ["nearest", "resample"])
@pytest.mark.parametrize("outside", ["identity", "wrap"])  # moved by two views: where it was
def test_disjoint_views_count_in_ram_where_nothing_is_dropped(outside, correspondence):
    online, target, apart = random_maps(), random_maps(), affine(shift=4.0)
    expected = affinities(grid_tokens(online, 6)) - affinities(grid_tokens(target, 6))

    loss = region_affinity_matching(
        online, target, apart, outside=outside, correspondence=correspondence
    )
    torch.testing.assert_close(loss, expected.square().mean())


def test_without_the_diagonal_the_mean_is_over_different_regions():
    online, target = random_maps(), random_maps()
    include = region_affinity_matching(online, target, affine())
    exclude = region_affinity_matching(online, target, affine(), diagonal="exclude")

    torch.testing.assert_close(include, exclude * 35 / 36)


def test_images_without_a_pair_to_compare_do_not_count():
    """All regions of the first image fall on one region of its second view."""
    online, target, theta = random_maps(), random_maps(), random_theta()
    theta[0], theta[0, :, 2] = 0.1 * affine(count=1)[0], 0.15
    options = {"duplicates": "exclude", "diagonal": "exclude"}

    torch.testing.assert_close(
        region_affinity_matching(online, target, theta, **options),
        region_affinity_matching(online[1:], target[1:], theta[1:], **options),
    )


def test_affinities_are_cosine_distances():
    tokens = torch.tensor([[[1.0, 0.0], [0.0, 3.0], [2.0, 2.0]]])
    near = 1 - 0.5**0.5

    torch.testing.assert_close(
        affinities(tokens), torch.tensor([[[0, 1, near], [1, 0, near], [near, near, 0]]])
    )


def test_prototype_shares_sum_to_one():
    shares = prototype_shares(assignments(random_maps(), random_prototypes(5, 6)))

    assert shares.shape == (B, 5)
    torch.testing.assert_close(shares.sum(dim=1), torch.ones(B))


def test_prototype_alignment_is_the_kl_divergence_both_ways():
    a, b = assigned(random_maps(), random_maps(), prototypes=random_prototypes(5, 6))
    p, q = prototype_shares(a), prototype_shares(b)
    divergence = F.kl_div(q.log(), p, reduction="batchmean")
    divergence += F.kl_div(p.log(), q, reduction="batchmean")

    torch.testing.assert_close(prototype_alignment(a, b), divergence)


def test_prototype_alignment_is_zero_for_identical_maps_and_ignores_scale():
    online, target, prototypes = random_maps(), random_maps(), random_prototypes(5, 6)
    a, b = assigned(online, target, prototypes=prototypes)

    assert prototype_alignment(a, a).item() == 0
    torch.testing.assert_close(
        prototype_alignment(*assigned(7 * online, 0.2 * target, prototypes=3 * prototypes)),
        prototype_alignment(a, b),
    )


def test_prototype_alignment_counts_the_seen_patches_alone():
    a, b = assigned(random_maps(4), random_maps(4), prototypes=random_prototypes(5, 6))
    seen_a, seen_b = torch.rand(2, B, 16) < 0.5
    seen_a[0], seen_b[1] = False, False  # images that do not count
    alone = [prototype_alignment(a[[i]][:, seen_a[i]], b[[i]][:, seen_b[i]]) for i in (2, 3)]

    torch.testing.assert_close(prototype_alignment(a, b, seen_a, seen_b), torch.stack(alone).mean())


def test_prototype_alignment_without_seen_patches_is_zero_with_zero_gradient():
    maps, prototypes = random_maps().requires_grad_(), random_prototypes(5, 6).requires_grad_()
    a, b = assigned(maps, random_maps(), prototypes=prototypes)
    loss = prototype_alignment(a, b, torch.zeros(B, 49) > 0, torch.ones(B, 49) > 0)
    loss.backward()

    assert loss.item() == 0
    assert torch.equal(maps.grad, torch.zeros_like(maps))
    assert torch.equal(prototypes.grad, torch.zeros_like(prototypes))


def test_prototype_usage_by_hand():
    """Two images of two patches; the third prototype is nobody's."""
    sure, torn = [1.0, 0.0, 0.0], [0.4, 0.6, 0.0]
    usage = prototype_usage(torch.tensor([[sure, sure], [sure, torn]]))
    second = -(0.7 * torch.tensor(0.7).log() + 0.3 * torch.tensor(0.3).log())

    assert usage["prototypes_used"].item() == pytest.approx(2 / 3)
    assert usage["prototype_entropy"].item() == pytest.approx(
        (0 + second.item()) / 2 / torch.tensor(3.0).log().item(), abs=1e-6
    )


def test_prototypes_that_share_alike_have_entropy_one_and_a_single_one_has_none():
    assert prototype_usage(torch.full((2, 4, 8), 1 / 8))["prototype_entropy"] == pytest.approx(1)
    assert prototype_usage(torch.ones(2, 4, 1))["prototype_entropy"] == 0


def test_losses_of_half_precision_features_are_computed_in_float32():
    online, target, theta = random_maps().bfloat16(), random_maps().bfloat16(), random_theta()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = region_affinity_matching(online, target, theta)

    assert mixed.dtype == torch.float32
    assert mixed == region_affinity_matching(online.float(), target.float(), theta)


def test_full_precision_keeps_float64():
    assert full_precision(torch.sum)(torch.ones(3, dtype=torch.float64)).dtype == torch.float64
