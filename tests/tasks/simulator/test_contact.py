"""The mechanics obey the laws they are taken from, and hold what the labels ask for."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch

from vtbench.tasks.simulator.contact import Contact, ContactModel, Points, Press, grid_centres
from vtbench.tasks.simulator.generator import Generator
from vtbench.tasks.simulator.materials import HARDNESS_MODULUS
from vtbench.tasks.simulator.objects import RIDGE_WIDTH, Ball, Plate, Shapes, Surface
from vtbench.tasks.simulator.scenes import Scene
from vtbench.tasks.simulator.sensors import VITACTIP
from vtbench.tasks.simulator.sets import GRATING_GAPS, SETS
from vtbench.tasks.simulator.shapes import SHAPES

RADIUS = 36.33  # mm, curvature of the skin
RIGID = 1e6  # MPa


@pytest.fixture(scope="module")
def generator() -> Generator:
    return Generator(VITACTIP, size=32, seed=0)


@pytest.fixture(scope="module")
def skin(generator: Generator) -> ContactModel:
    return generator.renderer.mechanics


def scene_of(generator: Generator, name: str, count: int) -> tuple[Scene, dict[str, np.ndarray]]:
    scenes = SETS[name]
    codes = np.arange(count) % scenes.objects
    samples = generator.samples(scenes, np.arange(count), codes)
    return scenes.scene(samples), scenes.drawn_labels(samples)


def press_at(count: int, **values: object) -> Press:
    rest = {field.name: 0.0 for field in dataclasses.fields(Press)} | {"modulus": RIGID} | values
    numbers = {name: torch.as_tensor(value, dtype=torch.float32) for name, value in rest.items()}
    return Press(**{name: value.expand(count) for name, value in numbers.items()})


def ball(radius: float, count: int) -> Ball:
    return Ball(radius=torch.full((count, 1, 1), radius))


def all_shapes() -> Shapes:
    return Shapes(codes=np.arange(len(SHAPES)), size=torch.ones(len(SHAPES), 1, 1))


def plate(count: int) -> Plate:
    return Plate(relief=torch.full((count, 1, 1), 6.0))


def tangential(contact: Contact) -> torch.Tensor:
    return torch.hypot(contact.shear_force_x, contact.shear_force_y)


@pytest.mark.parametrize("name", list(SETS))
def test_an_object_that_does_not_touch_moves_nothing(generator: Generator, name: str) -> None:
    scene, _ = scene_of(generator, name, 8)
    shear = torch.full((8,), 2.0)
    press = dataclasses.replace(
        scene.press, depth=torch.full((8,), -0.5), shear_x=shear, twist=shear
    )
    contact = generator.renderer.mechanics.press(scene.surface, press)
    moved = generator.renderer.marks.displacement(contact, scene.look.copy)

    assert contact.normal_force.eq(0).all()
    assert tangential(contact).eq(0).all()
    assert moved.eq(0).all()


def test_force_grows_strictly_with_depth_for_every_shape(skin: ContactModel) -> None:
    depths = np.linspace(0.1, 3.0, 12)
    count = len(SHAPES)
    forces = torch.stack(
        [skin.press(all_shapes(), press_at(count, depth=d)).normal_force for d in depths]
    )

    growth, touching = forces.diff(dim=0), forces[:-1] > 0  # a ring's hole touches later

    assert (forces[-1] > 1.0).all()
    assert (growth >= 0).all()
    assert (growth[touching] > 0).all()


def test_a_ball_presses_back_as_hertz_says(skin: ContactModel) -> None:
    depth = torch.linspace(0.4, 2.4, 9)
    force = skin.press(ball(4.0, 9), press_at(9, depth=depth)).normal_force
    effective_radius = 1.0 / (1.0 / 4.0 + 1.0 / RADIUS)
    modulus = skin.elastomer.modulus / (1.0 - skin.elastomer.poisson**2)
    hertz = 4.0 / 3.0 * modulus * math.sqrt(effective_radius) * depth**1.5

    torch.testing.assert_close(force, hertz, rtol=0.10, atol=0.0)


def test_harder_objects_deform_the_skin_more_and_press_harder(skin: ContactModel) -> None:
    modulus = torch.tensor(list(HARDNESS_MODULUS.values()))
    for surface in (ball(4.0, 4), plate(4)):
        contact = skin.press(surface, press_at(4, depth=1.5, modulus=modulus))

        assert (contact.normal_force.diff() > 0).all()
        assert (contact.fields[:, 0].amax((1, 2)).diff() > 0).all()


def test_tangential_force_stays_within_the_friction_cone(generator: Generator) -> None:
    scene, _ = scene_of(generator, "force", 128)
    contact = generator.renderer.contact(scene)
    limit = generator.renderer.mechanics.elastomer.friction * contact.normal_force

    assert (tangential(contact) <= limit + 1e-6).all()
    assert (tangential(contact) > 0.95 * limit).any()  # some of them slide


def test_small_shear_sticks_and_large_shear_slides(skin: ContactModel) -> None:
    shear = torch.tensor([0.01, 100.0])
    contact = skin.press(ball(4.0, 2), press_at(2, depth=2.0, shear_x=shear))
    stuck = skin.elastomer.tangential_stiffness * 0.01
    sliding = skin.elastomer.friction * contact.normal_force[1]

    assert contact.shear_force_x[0] == pytest.approx(stuck, rel=1e-3)
    assert contact.shear_force_x[1] == pytest.approx(float(sliding), rel=1e-3)
    assert contact.shear_force_y.eq(0).all()


def test_normal_press_pushes_the_pins_apart_without_turning_them(generator: Generator) -> None:
    renderer = generator.renderer
    contact = renderer.mechanics.press(ball(3.0, 1), press_at(1, depth=1.5))
    copy = torch.zeros(1, dtype=torch.long)
    shift = renderer.marks.displacement(contact, copy)[0, 3:].T  # (n, 2) mm
    root = renderer.marks.roots[0]
    outward = (shift * root).sum()
    turning = (root[:, 0] * shift[:, 1] - root[:, 1] * shift[:, 0]).sum()

    assert outward > 0
    assert turning.abs() < 0.01 * outward


def test_shear_carries_the_held_skin_along(skin: ContactModel) -> None:
    contact = skin.press(plate(1), press_at(1, x=30.0, depth=2.5, shear_x=0.2, shear_y=-0.1))
    middle = contact.fields.shape[-1] // 2
    shift = contact.fields[0, 3:, middle - 1 : middle + 1, middle - 1 : middle + 1].mean((1, 2))

    assert shift.tolist() == pytest.approx([0.2, -0.1], rel=0.05)


def test_a_mirrored_press_gives_the_mirrored_contact(skin: ContactModel) -> None:
    pose = {"x": 1.2, "depth": 1.4, "shear_x": 0.3}
    upper = skin.press(plate(1), press_at(1, y=0.7, yaw=0.4, shear_y=0.2, twist=0.05, **pose))
    lower = skin.press(plate(1), press_at(1, y=-0.7, yaw=-0.4, shear_y=-0.2, twist=-0.05, **pose))
    signs = torch.tensor([1.0, 1.0, -1.0, 1.0, -1.0]).view(1, 5, 1, 1)  # y components turn over

    torch.testing.assert_close(lower.overlap.flip(1), upper.overlap, rtol=0, atol=1e-5)
    torch.testing.assert_close(lower.fields.flip(2) * signs, upper.fields, rtol=0, atol=1e-5)
    assert lower.normal_force.item() == pytest.approx(upper.normal_force.item(), rel=1e-3)
    assert lower.shear_force_y.item() == pytest.approx(-upper.shear_force_y.item(), rel=1e-3)


@pytest.mark.parametrize("surface", [all_shapes(), plate(21)], ids=["shapes", "plate"])
def test_a_quarter_turn_of_the_object_turns_the_contact(
    skin: ContactModel, surface: Surface
) -> None:
    straight = skin.overlap(surface, press_at(21, x=1.0, y=0.5, yaw=0.2, depth=1.5))
    turned = skin.overlap(surface, press_at(21, x=-0.5, y=1.0, yaw=0.2 + math.pi / 2, depth=1.5))

    torch.testing.assert_close(turned, straight.rot90(-1, (1, 2)), rtol=0, atol=1e-4)


def test_edge_pose_can_be_read_from_the_contact(generator: Generator) -> None:
    scene, label = scene_of(generator, "edge_pose", 96)
    overlap = generator.renderer.mechanics.overlap(scene.surface, scene.press).double().numpy()
    x, y = np.meshgrid(grid_centres(15.0), grid_centres(15.0))
    sag = RADIUS - np.sqrt(RADIUS**2 - x**2 - y**2)
    errors = []
    for number, field in enumerate(overlap):
        depth = (field + sag)[field > 0].max()
        reach = math.sqrt(2.0 * RADIUS * depth - depth**2) - 0.4  # mm, within it a plate touches
        disc = np.hypot(x, y) < reach
        touching = disc & (field > 0)
        if not 0.1 < touching.sum() / disc.sum() < 0.9:
            continue  # the edge hardly crosses the contact
        yaw = math.degrees(math.atan2(-y[touching].mean(), -x[touching].mean()))
        offset = _offset_of_segment(touching.sum() / disc.sum()) * reach
        found = (offset, depth, yaw)
        errors.append([f - label[k][number] for f, k in zip(found, ("x", "z", "yaw"), strict=True)])
    mean = np.abs(errors).mean(0)

    assert len(errors) > 48
    assert mean[0] < 0.25
    assert mean[1] < 0.01
    assert mean[2] < 2.0


def _offset_of_segment(share: float) -> float:
    """Offset, in radii, of the chord that leaves this share of a disc on its negative side."""
    offsets = np.linspace(-1.0, 1.0, 2001)
    shares = 1.0 - (np.arccos(offsets) - offsets * np.sqrt(1.0 - offsets**2)) / np.pi
    return float(np.interp(share, shares, offsets))


def test_contact_point_can_be_read_from_the_contact(generator: Generator) -> None:
    scene, label = scene_of(generator, "contact_point", 96)
    overlap = generator.renderer.mechanics.overlap(scene.surface, scene.press).double()
    weight = overlap.sum((1, 2)).numpy()
    centres = torch.from_numpy(grid_centres(15.0))
    radius = scene.surface.body.radius.flatten().numpy()
    shrink = RADIUS / (RADIUS + radius)  # on a curved skin the overlap lies nearer to the apex
    x = (overlap * centres).sum((1, 2)).numpy() / weight / shrink
    y = (overlap * centres[:, None]).sum((1, 2)).numpy() / weight / shrink

    assert np.abs(x - label["x"]).mean() < 0.1
    assert np.abs(y - label["y"]).mean() < 0.1


def test_grating_pitch_can_be_read_from_the_profile(generator: Generator) -> None:
    scene, label = scene_of(generator, "grating", 14)
    x = torch.linspace(-60.0, 60.0, 6001).expand(14, 1, -1)
    points = Points(x=x, y=torch.zeros_like(x), soft=torch.tensor(0.1), spacing=0.02)
    profile = scene.surface.gap(points)[:, 0]
    rising = ((profile[:, 1:] > 0.5) & (profile[:, :-1] <= 0.5)).double()
    first, last = rising.argmax(1), 5999 - rising.flip(1).argmax(1)
    pitch = (last - first) * 0.02 / (rising.sum(1) - 1)
    expected = RIDGE_WIDTH + np.array(GRATING_GAPS)[label["grating"]]

    assert np.allclose(pitch.numpy(), expected, atol=0.02)


def test_blurring_a_grating_keeps_its_mean_depth(generator: Generator) -> None:
    scene, _ = scene_of(generator, "grating", 7)
    grating = scene.surface.body
    x = torch.linspace(0.0, 1.0, 4001)[:-1] * grating.pitch  # one period
    for soft in (0.05, 0.4, 3.0):
        points = Points(x=x, y=torch.zeros_like(x), soft=torch.tensor(soft), spacing=0.01)
        mean = grating.gap(points).mean((1, 2))
        expected = (grating.relief * (1.0 - RIDGE_WIDTH / grating.pitch)).flatten()

        torch.testing.assert_close(mean, expected, rtol=2e-3, atol=1e-3)


def test_every_shape_touches_first_at_its_top_plane() -> None:
    line = torch.linspace(-12.0, 12.0, 241)
    y, x = (field.expand(21, -1, -1) for field in torch.meshgrid(line, line, indexing="ij"))
    gap = all_shapes().gap(Points(x=x, y=y, soft=torch.tensor(0.1), spacing=0.1))

    assert (gap >= 0).all()
    assert (gap.amin((1, 2)) < 0.05).all()
    assert (gap.amax((1, 2)) > 3.0).all()
