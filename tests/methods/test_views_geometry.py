"""Where views lie: the distributions of the draws, and the maps between views."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.transforms.v2 import RandomResizedCrop

from vtbench.methods.base import Views
from vtbench.methods.draws import Draws, draw
from vtbench.methods.filters import Interpolation
from vtbench.methods.recipe import Augmentation
from vtbench.methods.views import apply_draws, correspondence, make_views, view_geometry

GEOMETRIC = Augmentation(jitter_probability=0.0, gray_probability=0.0, blur_probability=0.0)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def many(augmentation: Augmentation, source: tuple[int, int], count: int = 20000) -> Draws:
    return draw(augmentation, count=count, source=source, side=48, generator=generator())


def test_boxes_lie_in_the_image_with_area_and_ratio_in_range() -> None:
    draws = many(Augmentation(crop_area=(0.2, 1.0)), (400, 400))

    area = draws.height * draws.width / 400**2
    ratio = draws.width / draws.height

    assert (draws.top >= 0).all()
    assert (draws.left >= 0).all()
    assert (draws.top + draws.height).max() <= 400
    assert (draws.left + draws.width).max() <= 400
    assert area.min() > 0.195
    assert area.max() > 0.98
    assert ratio.min() > 0.74
    assert ratio.max() < 1.35


def test_area_is_uniform_and_ratio_log_uniform_where_every_box_fits() -> None:
    draws = many(Augmentation(crop_area=(0.1, 0.5)), (1000, 1000))

    area = draws.height * draws.width / 1000**2
    log_ratio = (draws.width / draws.height).log() / torch.tensor(4 / 3).log()

    assert area.mean().item() == pytest.approx(0.3, abs=0.004)
    assert area.std().item() == pytest.approx(0.4 / 12**0.5, abs=0.004)
    assert log_ratio.mean().item() == pytest.approx(0, abs=0.02)
    assert log_ratio.std().item() == pytest.approx(1 / 3**0.5, abs=0.02)


def test_boxes_have_the_distribution_of_torchvision() -> None:
    source = (60, 90)
    torch.manual_seed(0)
    transform = RandomResizedCrop(48, scale=(0.2, 1.0))
    image = torch.zeros(3, *source)
    boxes = [transform.make_params([image]) for _ in range(4000)]
    draws = many(Augmentation(crop_area=(0.2, 1.0)), source)

    for name in ("top", "left", "height", "width"):
        theirs = (
            torch.tensor([box[name] for box in boxes])
            .double()
            .quantile(torch.linspace(0.1, 0.9, 9).double())
        )
        ours = getattr(draws, name).double().quantile(torch.linspace(0.1, 0.9, 9).double())
        assert (ours - theirs).abs().max() <= 2, name


@pytest.mark.parametrize(
    ("source", "box"),
    [((40, 200), (0, 73, 40, 53)), ((200, 40), (73, 0, 53, 40)), ((64, 64), (0, 0, 64, 64))],
)
def test_impossible_boxes_fall_back_to_the_central_crop(
    source: tuple[int, int], box: tuple[int, int, int, int]
) -> None:
    draws = many(Augmentation(crop_area=(1.5, 2.0)), source, count=3)

    for field, expected in zip(("top", "left", "height", "width"), box, strict=True):
        assert getattr(draws, field).tolist() == [expected] * 3


def test_corners_are_reached_from_edge_to_edge() -> None:
    draws = many(Augmentation(crop_area=(0.25, 0.25), crop_ratio=(1.0, 1.0)), (8, 8))

    assert draws.height.unique().tolist() == [4]
    assert torch.bincount(draws.top).tolist() == pytest.approx([4000] * 5, rel=0.06)


def test_rates_of_the_random_operations() -> None:
    draws = many(Augmentation(blur_probability=0.3, solarize_probability=0.1), (56, 56))

    rates = [
        applied.float().mean().item()
        for applied in (draws.flip, draws.jitter, draws.gray, draws.blur, draws.solarize)
    ]

    assert rates == pytest.approx([0.5, 0.8, 0.2, 0.3, 0.1], abs=0.012)


def test_jitter_strengths_and_orders() -> None:
    augmentation = Augmentation(jitter=(0.4, 1.5, 0.2, 0.1), jitter_probability=1.0)
    draws = many(augmentation, (56, 56))

    low, high = draws.factors.amin(dim=0), draws.factors.amax(dim=0)
    _, uses = draws.order.unique(dim=0, return_counts=True)

    torch.testing.assert_close(low, torch.tensor([0.6, 0.0, 0.8]), atol=2e-3, rtol=0)
    torch.testing.assert_close(high, torch.tensor([1.4, 2.5, 1.2]), atol=2e-3, rtol=0)
    assert draws.hue.amin().item() == pytest.approx(-0.1, abs=1e-3)
    assert draws.hue.amax().item() == pytest.approx(0.1, abs=1e-3)
    assert len(uses) == 24
    assert uses.tolist() == pytest.approx([20000 / 24] * 24, rel=0.15)


def test_images_without_jitter_have_neutral_parameters() -> None:
    draws = many(Augmentation(jitter_probability=0.5), (56, 56))

    assert (draws.factors[~draws.jitter] == 1).all()
    assert (draws.hue[~draws.jitter] == 0).all()


def test_changing_one_operation_leaves_the_other_draws_alone() -> None:
    first = many(Augmentation(), (56, 56))
    second = many(replace(Augmentation(), jitter_probability=0.0, blur_probability=0.2), (56, 56))

    for name in ("top", "left", "height", "width", "flip", "gray", "sigma"):
        assert torch.equal(getattr(first, name), getattr(second, name))


def coordinates(height: int, width: int) -> Tensor:
    """An image (H, W, 3) whose first channels are the normalised x and y of the pixel centres."""
    y = (2 * torch.arange(height) + 1) / height - 1
    x = (2 * torch.arange(width) + 1) / width - 1
    planes = [x.expand(height, width), y[:, None].expand(height, width)]
    return torch.stack([*planes, torch.zeros(height, width)], dim=2)


@pytest.mark.parametrize(
    ("side", "pixels"),
    [
        (160, 1e-3),  # boxes are enlarged: bilinear interpolation is exact on a linear image
        (40, 0.1),  # and reduced: the sampled triangle filter is not quite centred
    ],
)
@pytest.mark.parametrize(("height", "width"), [(56, 56), (75, 120), (150, 40)])
def test_geometry_says_where_the_pixels_of_a_view_come_from(
    height: int, width: int, side: int, pixels: float
) -> None:
    source, count = (height, width), 16
    augmentation = replace(GEOMETRIC, crop_area=(0.3, 1.0))
    draws = draw(augmentation, count=count, source=source, side=side, generator=generator())
    image = coordinates(height, width) * 0.5 + 0.5

    view = apply_draws(image.expand(count, -1, -1, -1), draws, augmentation, side=side)
    theta = view_geometry(draws, source)
    grid = F.affine_grid(theta, [count, 1, side, side], align_corners=False)

    error = (view[:, :2].permute(0, 2, 3, 1) - grid) * torch.tensor([width, height]) / 2
    edge = side // 8  # where the filter is cut off by the box
    assert draws.flip.any()
    assert error[:, edge:-edge, edge:-edge].abs().max() < pixels


def two_views(count: int = 12) -> Views:
    images = torch.zeros(count, 50, 70, 3, dtype=torch.uint8)
    return make_views(images, [GEOMETRIC] * 3, size=32, generator=generator(1))


def homogeneous(theta: Tensor) -> Tensor:
    last = torch.tensor([0.0, 0.0, 1.0]).expand(len(theta), 1, 3)
    return torch.cat([theta, last], dim=1)


def test_correspondence_of_a_view_with_itself_is_the_identity() -> None:
    theta = correspondence(two_views(), source=1, target=1)

    torch.testing.assert_close(theta, torch.eye(2, 3).expand(12, 2, 3))


def test_correspondence_back_is_the_inverse() -> None:
    views = two_views()
    there = homogeneous(correspondence(views, source=0, target=1))
    back = homogeneous(correspondence(views, source=1, target=0))

    torch.testing.assert_close(back @ there, torch.eye(3).expand(12, 3, 3), atol=1e-5, rtol=0)


def test_correspondences_compose() -> None:
    views = two_views()
    first = homogeneous(correspondence(views, source=0, target=1))
    second = homogeneous(correspondence(views, source=1, target=2))
    direct = homogeneous(correspondence(views, source=0, target=2))

    torch.testing.assert_close(second @ first, direct, atol=1e-4, rtol=1e-4)


def test_correspondence_holds_for_general_affine_maps() -> None:
    random = torch.randn(2, 5, 2, 3, generator=generator()) * 0.2
    geometry = random + torch.eye(2, 3)
    theta = correspondence(Views(images=(), geometry=geometry), source=0, target=1)

    expected = homogeneous(geometry[1]).inverse() @ homogeneous(geometry[0])

    torch.testing.assert_close(homogeneous(theta), expected, atol=1e-5, rtol=1e-5)


def test_correspondence_of_boxes_follows_the_closed_form() -> None:
    """x_b = s_a s_b (w_a / w_b) x_a + 2 s_b (c_a - c_b) / w_b with centre c, mirrored s = -1."""
    draws = many(Augmentation(), (50, 70), count=16)
    other = draw(Augmentation(), count=16, source=(50, 70), side=48, generator=generator(9))
    geometry = torch.stack([view_geometry(view, (50, 70)) for view in (draws, other)])
    theta = correspondence(Views(images=(), geometry=geometry), source=0, target=1)

    sign_a, sign_b = (1 - 2 * view.flip.float() for view in (draws, other))
    centre_a, centre_b = (view.left + view.width / 2 for view in (draws, other))
    scale = sign_a * sign_b * draws.width / other.width
    shift = 2 * sign_b * (centre_a - centre_b) / other.width

    torch.testing.assert_close(theta[:, 0, 0], scale, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(theta[:, 0, 2], shift, atol=1e-5, rtol=1e-5)
    assert (theta[:, 0, 1] == 0).all()
    assert (theta[:, 1, 0] == 0).all()


def test_a_view_warped_by_the_correspondence_lies_on_the_other_view() -> None:
    """Sampling view 1 where the map sends view 0's pixels gives view 0's source coordinates."""
    views = two_views()
    theta = correspondence(views, source=0, target=1)
    maps = [
        F.affine_grid(theta_v, [12, 1, 32, 32], align_corners=False).permute(0, 3, 1, 2)
        for theta_v in views.geometry[:2]
    ]
    grid = F.affine_grid(theta, [12, 1, 32, 32], align_corners=False)
    warped = F.grid_sample(maps[1], grid, align_corners=False)

    inside = (grid.abs() < 1 - 1 / 32).all(dim=3)[:, None].expand_as(warped)

    assert inside.float().mean() > 0.3
    assert (warped - maps[0])[inside].abs().max() < 1e-5


def eight_bit_coordinates() -> Tensor:
    """An image (52, 52, 3) uint8 whose pixel in row i and column j has the values 5 j, 5 i, 0."""
    steps = (5 * torch.arange(52)).expand(52, 52)
    return torch.stack([steps, steps.T, torch.zeros(52, 52)], dim=2).to(torch.uint8)


@pytest.mark.parametrize("crop_filter", ["bilinear", "bicubic"])
def test_local_views_lie_where_the_correspondence_says(crop_filter: Interpolation) -> None:
    """Pixels of a local view, looked up in a full view, show the same place of the source.

    Both are enlarged, where both filters are exact on a linear image, but for 1.5 source pixels
    at the edges of a box.
    """
    full = replace(GEOMETRIC, crop_area=(0.14, 1.0), crop_filter=crop_filter)
    local = replace(full, crop_area=(0.05, 0.14), relative_size=96 / 224)
    images = eight_bit_coordinates().expand(20, -1, -1, -1)
    views = make_views(images, [full] * 2 + [local] * 6, size=128, generator=generator())
    side, edge = 55, 10

    for target in (0, 1):
        for source in range(2, 8):
            theta = correspondence(views, source=source, target=target)
            grid = F.affine_grid(theta, [20, 1, side, side], align_corners=False)
            warped = F.grid_sample(views.images[target], grid, align_corners=False)
            error = (warped - views.images[source])[:, :2] * 255 / 10  # in source pixels
            inside = (grid.abs() < 0.8).all(dim=3)[:, edge:-edge, edge:-edge]
            assert inside.float().mean() > 0.1
            assert error[..., edge:-edge, edge:-edge].abs().amax(dim=1)[inside].max() < 1e-3
