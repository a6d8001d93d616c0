"""The five sensors that are looked through, or at the inside of whose skin pins are looked at."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from vtbench.tasks.simulator.contact import Contact, Press
from vtbench.tasks.simulator.generator import Generator
from vtbench.tasks.simulator.grid import GridLayers
from vtbench.tasks.simulator.objects import Ball, Plate, Shapes, Surface
from vtbench.tasks.simulator.resampling import doubled, halved
from vtbench.tasks.simulator.scenes import Scene, World
from vtbench.tasks.simulator.see_through import SeeThroughRenderer
from vtbench.tasks.simulator.sensors import (
    MAGICTAC_D,
    MAGICTAC_T,
    TACTIP,
    VITAC,
    VITACTIP,
    Grid,
    Mounting,
    Sensor,
)
from vtbench.tasks.simulator.sets import SETS
from vtbench.tasks.simulator.shapes import SHAPES

SEE_THROUGH = (VITACTIP, VITAC, TACTIP, MAGICTAC_T, MAGICTAC_D)
MARKED = (VITACTIP, TACTIP, MAGICTAC_T, MAGICTAC_D)
GRIDS = (MAGICTAC_T, MAGICTAC_D)
TASKS = ("shape", "grating", "material", "force", "contact_point", "edge_pose")

of_each = pytest.mark.parametrize("sensor", SEE_THROUGH, ids=lambda sensor: sensor.name)
of_each_marked = pytest.mark.parametrize("sensor", MARKED, ids=lambda sensor: sensor.name)
of_each_grid = pytest.mark.parametrize("sensor", GRIDS, ids=lambda sensor: sensor.name)


def scene_of(generator: Generator, name: str, count: int, start: int = 0) -> Scene:
    scenes = SETS[name]
    indices = np.arange(start, start + count)
    return scenes.scene(generator.samples(scenes, indices, indices % scenes.objects))


def press_at(count: int, **values: object) -> Press:
    rest = {field.name: 0.0 for field in dataclasses.fields(Press)} | {"modulus": 50.0} | values
    numbers = {name: torch.as_tensor(value, dtype=torch.float32) for name, value in rest.items()}
    return Press(**{name: value.expand(count) for name, value in numbers.items()})


def with_look(scene: Scene, **changes: torch.Tensor) -> Scene:
    return dataclasses.replace(scene, look=dataclasses.replace(scene.look, **changes))


def with_press(scene: Scene, **changes: torch.Tensor) -> Scene:
    return dataclasses.replace(scene, press=dataclasses.replace(scene.press, **changes))


def without_noise(scene: Scene) -> Scene:
    return with_look(scene, noise_scale=torch.zeros_like(scene.look.noise_scale))


def render(generator: Generator, scene: Scene) -> torch.Tensor:
    return generator.renderer.render(scene, generator.renderer.contact(scene))


def zero(count: int) -> torch.Tensor:
    """The first copy, for each of `count` presses."""
    return torch.zeros(count, dtype=torch.long)


def coverage(generator: Generator, contact: Contact, copy: torch.Tensor) -> torch.Tensor:
    return generator.renderer.marks.coverage(contact, copy)


def ideal(sensor: Sensor) -> Sensor:
    """A sensor whose copies are centred and whose marks stand where they should."""
    mounting = Mounting(focal=0.0, centre=0.0, roll=0.0)
    still = {"misplacement": 0.0, "radius_spread": 0.0}
    marks = sensor.marks and dataclasses.replace(
        sensor.marks, **{name: still[name] for name in still if hasattr(sensor.marks, name)}
    )
    body = dataclasses.replace(sensor.body, mounting=mounting)
    return dataclasses.replace(sensor, body=body, marks=marks)


@of_each_marked
def test_marks_do_not_move_by_one_bit_without_contact(sensor: Sensor) -> None:
    generator = Generator(sensor, size=64, seed=0)
    scene = scene_of(generator, "shape", 6)
    free = with_press(scene, depth=torch.full((6,), -0.01), shear_x=torch.full((6,), 2.0))
    far = with_press(scene, depth=torch.full((6,), -9.0), twist=torch.full((6,), 1.0))
    resting, also, pressed = (
        coverage(generator, generator.renderer.contact(each), scene.look.copy)
        for each in (free, far, scene)
    )

    assert torch.equal(resting, also)
    assert torch.equal(resting[0], resting[1])
    assert (pressed - resting).abs().amax((1, 2)).min() > 0.05
    assert 0.02 < resting.mean() < 0.5


def other_light(scene: Scene) -> Scene:
    """The scene with an object, a lamp and a haze that look different altogether."""
    look = scene.look
    return dataclasses.replace(
        with_look(
            scene,
            bright=1.0 - look.bright,
            dark=0.3 * look.dark,
            glare=2.0 * look.glare,
            haze=0.5 * look.haze,
            lamp_x=look.lamp_x + 0.1,
            lamp_y=look.lamp_y - 0.1,
            relief_x=-3.0 * look.relief_x,
            relief_y=look.relief_y + 0.1,
            illumination=-2.0 * look.illumination,
        ),
        surface=scene.surface.body,
    )


@pytest.mark.parametrize("size", [56, 112])
def test_tactip_sees_nothing_of_object_and_lamp(size: int) -> None:
    generator = Generator(TACTIP, size=size, seed=0)
    scene = scene_of(generator, "shape", 8)
    images = render(generator, scene)

    assert torch.equal(render(generator, other_light(scene)), images)


@pytest.mark.parametrize("sensor", [VITACTIP, VITAC, MAGICTAC_T, MAGICTAC_D], ids=lambda s: s.name)
def test_the_others_see_it(sensor: Sensor) -> None:
    generator = Generator(sensor, size=56, seed=0)
    scene = scene_of(generator, "shape", 8)
    change = (render(generator, other_light(scene)) - render(generator, scene)).abs()

    assert change.mean((1, 2, 3)).min() > 0.01


def test_exposure_noise_and_press_change_a_tactip_image() -> None:
    generator = Generator(TACTIP, size=56, seed=0)
    scene = scene_of(generator, "shape", 4)
    silent = without_noise(scene)
    image = render(generator, silent)
    exposed = render(generator, with_look(silent, gain=1.1 * silent.look.gain))

    torch.testing.assert_close(exposed, 1.1 * image, rtol=1e-5, atol=1e-6)
    assert not torch.equal(render(generator, scene), image)
    assert (render(generator, with_press(silent, depth=silent.press.depth + 0.5)) != image).any()


@pytest.mark.parametrize("size", [56, 128])
def test_vitactip_is_vitac_but_for_its_pins(size: int) -> None:
    pinned, bare = (Generator(sensor, size=size, seed=0) for sensor in (VITACTIP, VITAC))
    for name in ("shape", "material"):
        scene = without_noise(scene_of(pinned, name, 6))
        contact = pinned.renderer.contact(scene)
        covered = coverage(pinned, contact, scene.look.copy)
        covered = F.avg_pool2d(covered, covered.shape[-1] // size)[:, None].expand(-1, 3, -1, -1)
        difference = bare.renderer.render(scene, contact) - pinned.renderer.render(scene, contact)

        assert torch.equal(contact.fields, bare.renderer.contact(scene).fields)
        assert difference[covered == 0].eq(0).all()
        assert (covered == 0).float().mean() > 0.5
        assert difference[covered > 0.8].mean() > 0.1


def test_vitac_and_tactip_share_presses_camera_and_pins_with_vitactip() -> None:
    generators = [Generator(s, size=32, seed=0, world=World(copies=3)) for s in SEE_THROUGH[:3]]
    pinned, bare, black = (generator.renderer for generator in generators)

    assert torch.equal(pinned.camera.ray, bare.camera.ray)
    assert torch.equal(pinned.camera.ray, black.camera.ray)
    assert torch.equal(pinned.marks.roots, black.marks.roots)
    assert torch.equal(pinned.backdrop.picture, bare.backdrop.picture)
    assert bare.marks.coverage(None, zero(2)).eq(0).all()


def test_tips_are_white_on_black_in_tactip_and_dark_in_vitactip() -> None:
    levels = []
    for sensor in (TACTIP, VITACTIP):
        generator = Generator(sensor, size=128, seed=0)
        scene = scene_of(generator, "contact_point", 8)
        contact = generator.renderer.contact(scene)
        covered = coverage(generator, contact, scene.look.copy)
        image = generator.renderer.render(scene, contact).mean(1)
        levels.append((image[covered > 0.8].mean(), image[(covered == 0)].mean()))
    (white, black), (dark, skin) = levels

    assert white > 0.5 > 0.06 > black
    assert dark < 0.15 < 0.25 < skin


def test_pins_stand_on_the_normal_of_the_pressed_skin() -> None:
    generator = Generator(ideal(VITACTIP), size=64, seed=0)
    pins, body = generator.renderer.marks, VITACTIP.body
    contact = generator.renderer.mechanics.press(ball(), press_at(1, x=2.0, y=-1.0, depth=2.0))
    rest = pins.roots.double()  # (1, n, 2) mm

    def height(places: torch.Tensor) -> torch.Tensor:
        """z of the inner skin in mm (1, n)."""
        sag = body.curvature_radius - (body.curvature_radius**2 - places.square().sum(-1)).sqrt()
        lifted = contact.at(places.float()[:, None], 0)[:, 0, 0].double()
        return body.pupil_to_apex - body.thickness - sag - lifted

    tip, root = (torch.stack(part, -1).double() for part in pins.positions(contact, zero(1)))
    moved = contact.at(rest.float()[:, None])[0, 3:, 0].T.double()
    step = 0.6 * torch.eye(2, dtype=torch.float64)  # mm; about a cell of the elastic grid
    slopes = [(height(rest + s) - height(rest - s))[0] / 1.2 for s in step]
    pin = tip[0] - root[0]
    pin[:, 2] += body.thickness / 2.0  # `root` is in the middle of the skin

    torch.testing.assert_close(root[0, :, :2], rest[0] + moved, rtol=0, atol=1e-5)
    torch.testing.assert_close(root[0, :, 2], height(rest)[0] + 0.5, rtol=0, atol=1e-4)
    torch.testing.assert_close(pin.norm(dim=1), torch.full_like(pin[:, 0], 1.2), rtol=0, atol=1e-4)
    for axis, slope in enumerate(slopes):
        across = pin[:, axis] + pin[:, 2] * slope  # along the skin: nothing

        assert across.abs().max() < 0.05
        assert (pin[:, axis].abs() > 0.2).any()


def test_where_a_clear_skin_holds_a_pin_there_is_a_faint_shade() -> None:
    stemless = dataclasses.replace(VITACTIP.marks, stem_opacity=0.0)
    with_stems, without = (
        Generator(sensor, size=224, seed=0).renderer
        for sensor in (VITACTIP, dataclasses.replace(VITACTIP, marks=stemless))
    )
    contact = with_stems.mechanics.press(ball(), press_at(1, depth=1.0))
    shade = with_stems.marks.coverage(contact, zero(1)) - without.marks.coverage(contact, zero(1))

    assert shade.min() == 0
    assert shade.max() == pytest.approx(VITACTIP.marks.stem_opacity, abs=0.02)
    assert (shade > 0.1).float().mean() > 0.005


@pytest.mark.parametrize("sensor", [VITAC, MAGICTAC_D], ids=lambda sensor: sensor.name)
def test_exposure_scales_all_but_the_reflected_lamp(sensor: Sensor) -> None:
    bare = dataclasses.replace(sensor, marks=None)
    generator = Generator(bare, size=56, seed=0)
    scene = without_noise(scene_of(generator, "shape", 4))
    dim = with_look(scene, gain=torch.full((4,), 0.4), glare=torch.zeros(4))
    dimmer = with_look(dim, gain=torch.full((4,), 0.2))

    torch.testing.assert_close(
        2.0 * render(generator, dimmer), render(generator, dim), rtol=0, atol=1e-5
    )


@pytest.mark.parametrize("sensor", [VITAC, MAGICTAC_D], ids=lambda sensor: sensor.name)
def test_the_skin_lets_through_its_declared_share(sensor: Sensor) -> None:
    """Two plates of different colour differ by the share of their light that comes through."""

    def difference(transparency: float) -> float:
        skin = dataclasses.replace(sensor.skin, transparency=transparency)
        generator = Generator(dataclasses.replace(sensor, skin=skin), size=32, seed=0)
        scene = with_look(
            without_noise(scene_of(generator, "material", 2)), gain=torch.full((2,), 0.4)
        )
        white, grey = (
            with_look(scene, bright=torch.full((2, 3), v), dark=torch.full((2, 3), v))
            for v in (0.9, 0.5)
        )
        return (render(generator, white) - render(generator, grey)).mean().item()

    assert difference(0.0) == 0
    assert difference(0.8) == pytest.approx(2.0 * difference(0.4), rel=1e-3)
    assert difference(0.4) > 0.01


# Means of all eleven TacTip, eleven ViTac and ten ViTacTip frames of sirine-b/MultiDiffSense_ICRA.
@pytest.mark.parametrize(
    ("sensor", "mean"),
    [
        (TACTIP, (0.059, 0.058, 0.064)),
        (VITACTIP, (0.339, 0.334, 0.307)),
        (VITAC, (0.392, 0.380, 0.347)),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_mean_color_is_near_that_of_the_real_frames(
    sensor: Sensor, mean: tuple[float, ...]
) -> None:
    generator = Generator(sensor, size=56, seed=0)
    found = [mean_color(generator, name, np.arange(21)) for name in TASKS]

    assert np.mean(found, axis=0) == pytest.approx(mean, abs=0.05)


def mean_color(generator: Generator, name: str, codes: np.ndarray) -> np.ndarray:
    images = generator.images(SETS[name], np.arange(len(codes)), codes % SETS[name].objects)
    return images.mean((0, 1, 2)) / 255.0


# A grid of one wall along each axis, through the middle, one layer deep.
def crossed(depth: float, follows: float) -> Sensor:
    cross = Grid(depths=(depth,), widths=(0.4,), follows=(follows,), pitch=60.0, opacity=1.0)
    return ideal(dataclasses.replace(MAGICTAC_T, marks=cross))


@functools.cache
def renderer_of(sensor: Sensor) -> SeeThroughRenderer:
    return SeeThroughRenderer(sensor, size=224)


def wall_column(sensor: Sensor, surface: Surface, press: Press, row: float = 0.36) -> float:
    """Column in pixels of the wall along y, at that part of the image's height."""
    renderer = renderer_of(sensor)
    contact = renderer.mechanics.press(surface, press)
    covered = renderer.marks.coverage(contact, zero(1))[0]
    line = covered[int(row * 224)].double()
    return float((line * (torch.arange(224) + 0.5)).sum() / line.sum())


def ball(count: int = 1) -> Ball:
    return Ball(radius=torch.full((count, 1, 1), 4.0))


def plate() -> Plate:
    return Plate(relief=torch.full((1, 1, 1), 6.0))


LAYERS = ((1.0, 1.0), (3.0, 0.6), (5.0, 0.3))  # depth in mm, share of the skin's motion


@pytest.mark.parametrize(("depth", "follows"), LAYERS)
def test_walls_move_away_from_a_press(depth: float, follows: float) -> None:
    sensor = crossed(depth, follows)
    still = wall_column(sensor, ball(), press_at(1, x=-2.5, y=-5.0, depth=-1.0))
    pushed = wall_column(sensor, ball(), press_at(1, x=-2.5, y=-5.0, depth=2.0))
    pulled = wall_column(sensor, ball(), press_at(1, x=2.5, y=-5.0, depth=2.0))

    assert still == pytest.approx(112.0, abs=1e-3)
    assert pushed - still > 0.6 * follows
    assert pulled - still == pytest.approx(still - pushed, abs=1e-2)


@pytest.mark.parametrize(("depth", "follows"), LAYERS)
def test_walls_follow_the_shear_of_the_held_skin(depth: float, follows: float) -> None:
    sensor, wide = crossed(depth, follows), press_at(1, x=30.0, depth=2.5)
    shear = 0.3  # mm; held by friction
    still = wall_column(sensor, plate(), wide, row=0.45)
    sheared = dataclasses.replace(wide, shear_x=torch.tensor([shear]))
    moved = wall_column(sensor, plate(), sheared, row=0.45) - still
    nearer = sensor.body.pupil_to_apex - depth - 2.5 * follows  # mm from the pupil: pressed flat
    expected = shear * follows * sensor.body.focal * 224 / nearer

    assert moved == pytest.approx(expected, rel=0.08)


def test_walls_off_the_axis_move_outward_as_the_skin_comes_nearer() -> None:
    """Parallax of the lifted skin, besides what it is squeezed outward."""
    grid = Grid(depths=(1.0,), widths=(0.3,), follows=(1.0,), pitch=3.0, opacity=1.0)
    renderer = Generator(
        ideal(dataclasses.replace(MAGICTAC_T, marks=grid)), size=224, seed=0
    ).renderer
    copy = zero(1)
    lines = []
    for depth in (-1.0, 1.5):
        contact = renderer.mechanics.press(plate(), press_at(1, x=40.0, depth=depth))
        line = renderer.marks.coverage(contact, copy)[0, 120, 122:140].double()
        lines.append(float((line * torch.arange(122.5, 140.0)).sum() / line.sum()))
    still, moved = lines
    rise, _, _, shift, _ = contact.at(torch.tensor([[[[3.0, 1.3]]]]))[0, :, 0, 0].tolist()  # mm

    assert still - 112.0 == pytest.approx(3.0 / 19.0 * 0.531 * 224, rel=0.03)
    assert rise > 0.8
    assert (moved - 112.0) / (still - 112.0) == pytest.approx(
        (1.0 + shift / 3.0) * 19.0 / (19.0 - rise), rel=0.02
    )


def test_the_grid_rolls_with_its_copy_and_moves_with_the_skin() -> None:
    straight = crossed(1.0, 1.0)
    body = dataclasses.replace(straight.body, mounting=Mounting(focal=0.0, centre=0.0, roll=40.0))
    sensor = dataclasses.replace(straight, body=body)
    roll = float(renderer_of(sensor).camera.roll[0])
    # Rows within 3 mm of the apex, where the other wall is out of the way; pressed to one side.
    wide = press_at(1, x=30.0, depth=2.5)
    upper, lower = (wall_near(sensor, wide, row, roll) for row in (0.40, 0.60))
    shear = 0.3
    along, across = (
        dataclasses.replace(
            wide, shear_x=torch.tensor([float(shear * x)]), shear_y=torch.tensor([float(shear * y)])
        )
        for x, y in ((-np.sin(roll), np.cos(roll)), (np.cos(roll), np.sin(roll)))
    )
    moved = wall_near(sensor, across, 0.40, roll) - upper
    kept = wall_near(sensor, along, 0.40, roll) - upper

    assert abs(roll) > 0.05
    assert (upper - lower) / (0.2 * 224) == pytest.approx(np.tan(roll), abs=0.02)
    assert moved * np.cos(roll) == pytest.approx(shear * 0.531 * 224 / 16.5, rel=0.1)
    assert abs(kept) < 0.1


def wall_near(sensor: Sensor, press: Press, row: float, roll: float) -> float:
    """As `wall_column` under a plate, within 12 pixels of where a rolled wall is expected."""
    renderer = renderer_of(sensor)
    contact = renderer.mechanics.press(plate(), press)
    covered = renderer.marks.coverage(contact, zero(1))[0]
    middle = round(112 - (row - 0.5) * 224 * np.tan(roll))
    line = covered[int(row * 224), middle - 12 : middle + 12].double()
    return float((line * (torch.arange(middle - 12, middle + 12) + 0.5)).sum() / line.sum())


def test_walls_narrower_than_a_pixel_keep_their_area() -> None:
    grid = Grid(depths=(1.0,), widths=(0.08,), follows=(1.0,), pitch=1.03, opacity=1.0)
    sensor = ideal(dataclasses.replace(MAGICTAC_T, marks=grid))
    renderer = SeeThroughRenderer(sensor, size=112)  # 0.34 mm per pixel
    contact = renderer.mechanics.press(ball(), press_at(1, depth=-1.0))
    covered = renderer.marks.coverage(contact, zero(1))[0, 36:76, 36:76]

    assert covered.mean() == pytest.approx(1.0 - (1.0 - 0.08 / 1.03) ** 2, rel=0.15)
    assert covered.max() < 0.3


def test_the_grid_of_each_copy_lies_a_little_elsewhere() -> None:
    still = crossed(1.0, 1.0)
    loose = dataclasses.replace(still, marks=dataclasses.replace(still.marks, misplacement=0.3))
    marks = SeeThroughRenderer(loose, size=64, copies=8).marks
    assert isinstance(marks, GridLayers)
    place = marks.layers[0].rest[:, :, 32, 32] * 60.0  # mm, where the axis meets each copy's layer

    assert 0.1 < place.std(0).min() < place.std(0).max() < 0.6


def test_the_grid_ends_with_the_skin() -> None:
    renderer = Generator(MAGICTAC_T, size=112, seed=0).renderer
    contact = renderer.mechanics.press(ball(), press_at(1, depth=1.0))
    covered = renderer.marks.coverage(contact, zero(1))[0]

    assert covered[renderer.camera.radius[0] > 1.05].max() < 0.01
    assert covered[renderer.camera.radius[0] < 0.95].mean() > 0.1


@of_each_grid
def test_deeper_layers_move_less(sensor: Sensor) -> None:
    generator = Generator(sensor, size=64, seed=0)
    marks = generator.renderer.marks
    assert isinstance(marks, GridLayers)
    press = press_at(1, depth=1.5, shear_x=0.5, shear_y=-0.3)
    contact = generator.renderer.mechanics.press(ball(), press)
    copy = zero(1)
    moved = [torch.hypot(*layer.motion(contact, copy)).mean().item() for layer in marks.layers]

    assert moved[0] > 1.2 * moved[1] > 1.2**2 * moved[2] > 0


@of_each_grid
def test_what_is_behind_a_wall_is_darker(sensor: Sensor) -> None:
    generator = Generator(sensor, size=224, seed=0)
    bare = Generator(dataclasses.replace(sensor, marks=None), size=224, seed=0)
    scene = without_noise(scene_of(generator, "shape", 3))
    contact = generator.renderer.contact(scene)
    covered = coverage(generator, contact, scene.look.copy)[:, None]
    grid, plain = (g.renderer.render(scene, contact) for g in (generator, bare))
    wall = generator.renderer.marks.color * scene.look.gain.view(-1, 1, 1, 1)

    expected = plain * (1.0 - covered) + wall * covered
    exposed = plain < 1.0  # a brighter one is clipped

    torch.testing.assert_close(grid[exposed], expected[exposed], rtol=0, atol=1e-5)
    assert exposed.float().mean() > 0.9
    assert 0.1 < covered.mean() < 0.4
    assert covered.max() > 1.0 - (1.0 - sensor.marks.opacity) ** 2


def mirrored(scene: Scene) -> Scene:
    """The scene with left and right swapped; its objects are alike on both sides."""
    press, look = scene.press, scene.look
    return with_look(
        with_press(scene, x=-press.x, yaw=-press.yaw, shear_x=-press.shear_x, twist=-press.twist),
        lamp_x=-look.lamp_x,
        relief_x=-look.relief_x,
        illumination=look.illumination.flip(-1),
    )


@of_each
@pytest.mark.parametrize("size", [64, 128])
def test_a_mirrored_scene_gives_the_mirrored_image(sensor: Sensor, size: int) -> None:
    generator, mirror = (Generator(ideal(sensor), size=size, seed=0) for _ in range(2))
    backdrop, marks = mirror.renderer.backdrop, mirror.renderer.marks
    backdrop.picture = backdrop.picture.flip(-1)  # stains and glints have no symmetry
    if hasattr(marks, "roots"):
        marks.roots = marks.roots * torch.tensor([-1.0, 1.0])  # nor have the rings of pins
    codes = np.array([list(SHAPES).index(n) for n in ("edge_bar", "ring", "cuboid", "cross_lines")])
    scene = without_noise(scene_of(generator, "shape", 4))
    shear = torch.tensor([0.6, -0.4, 0.2, -0.8])
    scene = with_press(scene, shear_x=shear, shear_y=-0.5 * shear, twist=0.1 * shear)
    scene = dataclasses.replace(scene, surface=Shapes(codes=codes, size=torch.ones(4, 1, 1)))
    image, swapped = render(generator, scene), render(mirror, mirrored(scene))

    torch.testing.assert_close(swapped.flip(-1), image, rtol=0, atol=5e-3)
    assert (swapped - image).abs().mean() > 0.003


def test_leds_of_the_block_are_red_green_and_blue_from_left_right_and_above() -> None:
    generator = Generator(MAGICTAC_D, size=64, seed=0)
    picture = generator.renderer.backdrop.picture[0]
    left, right, above = picture[:, :, :12], picture[:, :, -12:], picture[:, :12]
    red, green, blue = (
        [side[channel].mean() for side in (left, right, above)] for channel in range(3)
    )

    assert max(red) == red[0] > red[1] + 0.1
    assert max(green) == green[1] > green[0] + 0.1
    assert max(blue) == blue[2] > picture[2, -12:].mean() + 0.1


def test_the_block_lights_its_object_in_its_colors_and_has_no_lamp() -> None:
    generator = Generator(MAGICTAC_D, size=64, seed=0)
    scene = without_noise(scene_of(generator, "material", 4))
    white = with_look(scene, bright=torch.ones(4, 3), dark=torch.ones(4, 3))
    image = render(generator, white)
    look = scene.look
    relit = with_look(white, glare=3.0 * look.glare, lamp_x=look.lamp_x + 0.2)

    assert torch.equal(render(generator, relit), image)
    assert (image[:, 0, :, :12].mean() / image[:, 1, :, :12].mean()) > 1.15
    assert (image[:, 1, :, -12:].mean() / image[:, 0, :, -12:].mean()) > 1.15


def test_objects_fade_sooner_in_a_block_than_in_a_dome() -> None:
    """The gap over which an object fades is the declared factor times the drawn haze."""

    def seen(haze: float, drawn: float) -> torch.Tensor:
        sensor = dataclasses.replace(
            MAGICTAC_D, skin=dataclasses.replace(MAGICTAC_D.skin, haze=haze)
        )
        generator = Generator(sensor, size=32, seed=0)
        scene = without_noise(scene_of(generator, "shape", 4))
        return render(generator, with_look(scene, haze=torch.full((4,), drawn)))

    torch.testing.assert_close(seen(0.4, 3.0), seen(1.0, 1.2), rtol=0, atol=1e-5)
    assert (seen(0.4, 3.0) - seen(1.0, 3.0)).abs().mean() > 0.005


@of_each
@pytest.mark.parametrize("size", [32, 110, 114, 256])
def test_any_even_size_can_be_rendered(sensor: Sensor, size: int) -> None:
    generator = Generator(sensor, size=size, seed=0)
    images = generator.images(SETS["force"], np.arange(2), np.zeros(2, dtype=int))

    assert images.shape == (2, size, size, 3)
    assert images.std() > 8
    assert not np.array_equal(images[0], images[1])


@of_each
def test_a_smaller_picture_is_the_larger_one_averaged(sensor: Sensor) -> None:
    large, small = (Generator(sensor, size=size, seed=0) for size in (112, 56))
    fine, coarse = (render(g, without_noise(scene_of(g, "shape", 6))) for g in (large, small))

    assert (F.avg_pool2d(fine, 2) - coarse).abs().mean() < 0.002
    assert (F.avg_pool2d(fine, 2) - coarse).abs().max() < 0.1


@of_each
def test_a_sample_does_not_depend_on_its_batch(sensor: Sensor) -> None:
    world = World(copies=3)
    together, apart = (
        Generator(sensor, size=48, seed=0, world=world, batch=batch) for batch in (9, 2)
    )
    indices, codes = np.arange(9), np.arange(9)
    order = np.array([4, 8, 0, 2, 6, 1, 7, 3, 5])
    images = together.images(SETS["shape"], indices, codes)

    assert np.array_equal(apart.images(SETS["shape"], indices[order], codes[order]), images[order])


@of_each
def test_another_copy_of_the_sensor_sees_the_press_differently(sensor: Sensor) -> None:
    generator = Generator(sensor, size=56, seed=0, world=World(copies=2, held_out_copies=1))
    scenes, rows = SETS["shape"], np.arange(6)
    own, again, other = (
        generator.images(scenes, rows, rows, held_out=np.full(6, held)).astype(float)
        for held in (False, False, True)
    )

    assert np.array_equal(own, again)
    assert np.abs(own - other).mean((1, 2, 3)).min() > 2.0
    assert np.abs(own.mean((1, 2, 3)) - other.mean((1, 2, 3))).max() < 20.0


def test_fields_are_halved_and_doubled_as_torch_does() -> None:
    field = torch.arange(2 * 6 * 8, dtype=torch.float32).view(2, 6, 8).sin()
    linear = F.interpolate(field[:, None], scale_factor=2, mode="bilinear", align_corners=False)

    torch.testing.assert_close(doubled(field), linear[:, 0], rtol=0, atol=1e-6)
    torch.testing.assert_close(halved(field), F.avg_pool2d(field, 2), rtol=0, atol=1e-6)
