"""Pictures keep the published geometry, are alike at every size, and show what is there."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from vtbench.tasks.errors import DataError
from vtbench.tasks.simulator.camera import Camera
from vtbench.tasks.simulator.contact import Points
from vtbench.tasks.simulator.discs import draw_discs
from vtbench.tasks.simulator.generator import Generator
from vtbench.tasks.simulator.pins import ring_layout
from vtbench.tasks.simulator.scenes import Scene
from vtbench.tasks.simulator.sensors import VITACTIP
from vtbench.tasks.simulator.sets import SETS
from vtbench.tasks.simulator.textures import TextureAtlas


@pytest.fixture(scope="module")
def generator() -> Generator:
    return Generator(VITACTIP, size=112, seed=0)


@pytest.fixture(scope="module")
def camera() -> Camera:
    return Camera(VITACTIP.body, size=256, copies=3, stream="test", device=torch.device("cpu"))


def scene_of(generator: Generator, name: str, count: int) -> Scene:
    scenes = SETS[name]
    codes = np.arange(count) % scenes.objects
    return scenes.scene(generator.samples(scenes, np.arange(count), codes))


def without_noise(scene: Scene) -> Scene:
    silent = torch.zeros_like(scene.look.noise_scale)
    return dataclasses.replace(scene, look=dataclasses.replace(scene.look, noise_scale=silent))


def render(generator: Generator, scene: Scene) -> torch.Tensor:
    return generator.renderer.render(scene, generator.renderer.contact(scene))


def test_a_point_on_the_skin_is_seen_at_the_pixel_that_looks_at_it(camera: Camera) -> None:
    copy = torch.arange(3)
    inside = camera.radius < 1.0
    x, y = camera.skin.flatten(2).unbind(1)
    z = VITACTIP.body.pupil_to_apex - camera.sag.flatten(1)
    column, row = camera.project(x, y, z, copy)
    centres = torch.arange(256) + 0.5
    expected_row, expected_column = torch.meshgrid(centres, centres, indexing="ij")

    for found, expected in ((column, expected_column), (row, expected_row)):
        assert (found.view(3, 256, 256) - expected)[inside].abs().max() < 0.01


def test_skin_and_pin_rings_have_the_published_size(camera: Camera) -> None:
    """Radii measured on frames of sirine-b/MultiDiffSense_ICRA, in pixels of 512.

    All of those show a pressed skin, whose pins stand a few pixels farther out than at rest.
    """
    scale = 512 / (camera.focal[0].item() / VITACTIP.body.focal)  # removes the copy's own focus
    roots = torch.tensor(ring_layout(VITACTIP.marks)[[1, 9, 25, 41, 73, 105]]).float()[None]
    distance = roots.norm(dim=-1)
    curvature = VITACTIP.body.curvature_radius
    height = curvature - (curvature**2 - distance**2).sqrt()
    slope = distance / (curvature - height)
    length = VITACTIP.marks.length / (1 + slope**2).sqrt()
    depth = VITACTIP.body.pupil_to_apex - VITACTIP.body.thickness - height - length
    tip = roots * (1 - length * slope / distance)[..., None]
    column, row = camera.project(tip[..., 0], tip[..., 1], depth, torch.tensor([0]))
    radius = torch.hypot(column - camera.centre[0, 0], row - camera.centre[0, 1])[0] * scale
    disc = (camera.disc[0].sum() / torch.pi).sqrt() * scale

    torch.testing.assert_close(
        radius, torch.tensor([28.0, 54.0, 78.0, 102.0, 126.0, 151.0]), rtol=0, atol=4.5
    )
    assert disc.item() == pytest.approx(250.0, abs=6.0)


def test_mean_color_is_that_of_the_real_sensor(generator: Generator) -> None:
    """Mean of ten frames of sirine-b/MultiDiffSense_ICRA: .340, .335, .308."""
    means = [render(generator, scene_of(generator, name, 21)).mean((0, 2, 3)) for name in SETS]
    mean = torch.stack(means).mean(0)

    torch.testing.assert_close(mean, torch.tensor([0.340, 0.335, 0.308]), rtol=0, atol=0.05)


@pytest.mark.parametrize("name", list(SETS))
def test_samples_differ_from_each_other_and_are_not_flat(generator: Generator, name: str) -> None:
    images = render(generator, scene_of(generator, name, 6))

    assert images.shape == (6, 3, 112, 112)
    assert images.min() >= 0
    assert images.max() <= 1
    assert (images.std((2, 3)) > 0.03).all()
    assert ((images[1:] - images[:1]).abs().mean((1, 2, 3)) > 0.01).all()


def test_a_smaller_picture_is_the_larger_one_averaged(generator: Generator) -> None:
    small = Generator(VITACTIP, size=56, seed=0)
    for name in SETS:
        fine, coarse = (render(g, without_noise(scene_of(g, name, 6))) for g in (generator, small))

        assert (F.avg_pool2d(fine, 2) - coarse).abs().mean() < 0.001


@pytest.mark.parametrize("size", [32, 34, 64, 128])
def test_any_even_size_can_be_rendered(size: int) -> None:
    generator = Generator(VITACTIP, size=size, seed=0)
    images = generator.images(SETS["shape"], np.arange(3), np.array([0, 5, 9]))

    assert images.shape == (3, size, size, 3)
    assert images.std() > 20


@pytest.mark.parametrize("size", [30, 57, 258])
def test_other_sizes_are_refused_with_the_sizes_that_are_possible(size: int) -> None:
    with pytest.raises(DataError, match="even size from 32 to 256"):
        Generator(VITACTIP, size=size, seed=0)


def test_pins_are_dark_and_move_with_the_skin(generator: Generator) -> None:
    scene = scene_of(generator, "contact_point", 8)
    contact = generator.renderer.contact(scene)
    pins = generator.renderer.marks
    covered = pins.coverage(contact, scene.look.copy)
    images = render(generator, scene).mean(1)
    free = scene.press.depth.new_full((8,), -5.0)
    resting = generator.renderer.contact(
        dataclasses.replace(scene, press=dataclasses.replace(scene.press, depth=free))
    )

    assert images[covered > 0.8].mean() < 0.2 < images[:, 40:72, 40:72].mean()
    assert (covered - pins.coverage(resting, scene.look.copy)).abs().amax((1, 2)).min() > 0.1


def test_discs_keep_their_area_however_small() -> None:
    radius = torch.tensor([[0.6, 1.0, 1.9]])
    column, row = torch.tensor([[20.3, 50.8, 80.5]]), torch.tensor([[30.1, 30.9, 31.5]])
    image = draw_discs(column, row, radius, size=112, window=3)
    area = torch.stack([part.sum() for part in image[0].split([35, 30, 47], dim=1)])

    torch.testing.assert_close(area, torch.pi * radius[0] ** 2, rtol=0.08, atol=0)


def test_discs_beyond_the_border_leave_no_mark() -> None:
    outside = torch.tensor([[-9.0, 300.0]])
    inside = torch.tensor([[50.0, 50.0]])
    image = draw_discs(outside, inside, torch.ones(1, 2), size=112, window=3)

    assert image.eq(0).all()


def test_an_object_far_behind_the_skin_is_invisible(generator: Generator) -> None:
    scene = scene_of(generator, "shape", 4)
    far = dataclasses.replace(scene.press, depth=torch.full((4,), -100.0))
    look = dataclasses.replace(scene.look, bright=1.0 - scene.look.bright)
    seen = render(generator, dataclasses.replace(scene, press=far))
    recolored = render(generator, dataclasses.replace(scene, press=far, look=look))

    torch.testing.assert_close(recolored, seen, rtol=0, atol=1e-5)


def test_contact_does_not_depend_on_the_looks_of_the_object(generator: Generator) -> None:
    scene = scene_of(generator, "shape", 21)
    plain = dataclasses.replace(scene, surface=scene.surface.body)

    assert torch.equal(
        generator.renderer.contact(scene).fields, generator.renderer.contact(plain).fields
    )
    assert (scene.surface.strength > 0).any()
    assert (scene.surface.strength == 0).any()


def test_textures_repeat_and_blur_as_they_shrink() -> None:
    atlas = TextureAtlas(device=torch.device("cpu"))
    tile = torch.arange(24)
    line = torch.linspace(0.0, 9.9, 100)
    y, x = (field.expand(24, -1, -1) for field in torch.meshgrid(line, line, indexing="ij"))
    period = torch.full((24,), 10.0)

    def sample(shift: float, spacing: float) -> torch.Tensor:
        points = Points(x=x + shift, y=y - shift, soft=torch.tensor(0.1), spacing=spacing)
        return atlas.sample(tile, points, period=period)

    torch.testing.assert_close(sample(30.0, 0.05), sample(0.0, 0.05), rtol=0, atol=2e-3)
    roughness = [sample(0.0, spacing).std((1, 2)) for spacing in (0.05, 0.2, 0.8)]
    assert (roughness[1] < roughness[0]).all()
    assert (roughness[2] < roughness[1]).all()
    torch.testing.assert_close(
        sample(0.0, 0.05).mean((1, 2)), sample(0.0, 0.8).mean((1, 2)), rtol=0, atol=0.03
    )
