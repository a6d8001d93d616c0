"""An opaque skin shows the shape that is pressed into it, under its own lights, and no more."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from vtbench.tasks.errors import DataError
from vtbench.tasks.simulator.blur import blur
from vtbench.tasks.simulator.contact import Press
from vtbench.tasks.simulator.generator import Generator
from vtbench.tasks.simulator.objects import Ball, Shapes, Surface
from vtbench.tasks.simulator.scenes import Scene, World
from vtbench.tasks.simulator.sensors import (
    CARRIED,
    GELSIGHT,
    MAGICTAC_D,
    PNUTAC,
    SENSORS,
    VITACTIP,
    Dots,
    Grid,
    Marks,
    Mounting,
    Pins,
    Sensor,
)
from vtbench.tasks.simulator.sets import SETS
from vtbench.tasks.simulator.shapes import SHAPES

RIGID = 1e6  # MPa
CENTRED = Mounting(focal=0.0, centre=0.0, roll=0.0)


@pytest.fixture(scope="module")
def gel() -> Generator:
    return Generator(GELSIGHT, size=112, seed=0)


@pytest.fixture(scope="module")
def membrane() -> Generator:
    return Generator(PNUTAC, size=112, seed=0)


@pytest.fixture(params=["gelsight", "pnutac"])
def generator(request: pytest.FixtureRequest, gel: Generator, membrane: Generator) -> Generator:
    return {"gelsight": gel, "pnutac": membrane}[request.param]


def centred(sensor: Sensor, size: int = 112) -> Generator:
    """A sensor mounted without tolerances."""
    body = dataclasses.replace(sensor.body, mounting=CENTRED)
    return Generator(dataclasses.replace(sensor, body=body), size=size, seed=0)


def scene_of(generator: Generator, count: int, name: str | None = None) -> Scene:
    scenes = SETS[name or generator.renderer.sensor.name]
    codes = np.arange(count) % scenes.objects
    return scenes.scene(generator.samples(scenes, np.arange(count), codes))


def with_look(scene: Scene, **changes: torch.Tensor) -> Scene:
    return dataclasses.replace(scene, look=dataclasses.replace(scene.look, **changes))


def plainly_lit(scene: Scene) -> Scene:
    """Even light of the common strength, no noise."""
    look = scene.look
    return with_look(
        scene,
        gain=torch.ones_like(look.gain),
        illumination=torch.zeros_like(look.illumination),
        noise_scale=torch.zeros_like(look.noise_scale),
    )


def pressing(generator: Generator, surface: Surface, **values: object) -> Scene:
    """One surface under an even light, in the given pose."""
    rest = {field.name: 0.0 for field in dataclasses.fields(Press)} | {"modulus": RIGID} | values
    numbers = {name: torch.tensor([value], dtype=torch.float32) for name, value in rest.items()}
    scene = plainly_lit(scene_of(generator, 1))
    return dataclasses.replace(scene, surface=surface, press=Press(**numbers))


def ball(radius: float) -> Ball:
    return Ball(radius=torch.full((1, 1, 1), radius))


def shape(name: str) -> Shapes:
    return Shapes(codes=np.array([list(SHAPES).index(name)]), size=torch.ones(1, 1, 1))


def render(generator: Generator, scene: Scene) -> torch.Tensor:
    return generator.renderer.render(scene, generator.renderer.contact(scene))


def untouched(generator: Generator, scene: Scene) -> Scene:
    free = torch.full_like(scene.press.depth, -0.5)
    return dataclasses.replace(scene, press=dataclasses.replace(scene.press, depth=free))


def test_an_untouched_gel_shows_its_own_colors_and_no_more(gel: Generator) -> None:
    scene = untouched(gel, plainly_lit(scene_of(gel, 9)))

    assert torch.equal(render(gel, scene), gel.renderer._skin.expand(9, -1, -1, -1))


def test_an_object_that_does_not_touch_leaves_no_trace(generator: Generator) -> None:
    scene = untouched(generator, plainly_lit(scene_of(generator, 9)))
    shear = torch.full((9,), 2.0)
    press = dataclasses.replace(scene.press, shear_x=shear, twist=shear)
    images = render(generator, dataclasses.replace(scene, press=press))
    relief = generator.renderer.relief(scene)

    assert torch.equal(images, images[:1].expand(9, -1, -1, -1))
    assert relief.height.eq(0).all()
    assert relief.slope_x.eq(0).all()
    assert relief.slope_y.eq(0).all()


def test_nothing_of_the_object_is_seen_but_its_shape(generator: Generator) -> None:
    scene = scene_of(generator, 22)
    look = scene.look
    recolored = with_look(
        dataclasses.replace(scene, surface=scene.surface.body),  # without its print
        bright=1.0 - look.bright,
        dark=1.0 - look.dark,
        haze=look.haze * 3.0,
        glare=look.glare + 0.3,
        relief_x=look.relief_x + 0.1,
    )

    assert (scene.surface.strength > 0).any()
    assert torch.equal(render(generator, scene), render(generator, recolored))


def test_gain_and_light_scale_the_image(generator: Generator) -> None:
    scene = plainly_lit(scene_of(generator, 6))
    plain = render(generator, scene)
    halved = render(generator, with_look(scene, gain=torch.full((6,), 0.5)))
    look = scene.look
    dimmed = render(
        generator, with_look(scene, illumination=torch.full_like(look.illumination, -0.5))
    )
    free = plain.mean(1) > 0.2  # beside the dots

    torch.testing.assert_close(halved.mean(1)[free], 0.5 * plain.mean(1)[free], rtol=0, atol=0.02)
    assert (dimmed.mean(1)[free] < 0.9 * plain.mean(1)[free]).all()


@pytest.mark.parametrize("sigma", [0.7, 1.4, 2.9, 4.3, 9.0])
def test_a_blurred_point_is_a_gaussian(sigma: float) -> None:
    image = torch.zeros(1, 129, 127)
    image[0, 60:62, 64:66] = 0.25
    spot = blur(image, sigma)[0].double()
    place = torch.arange(129.0).double()
    centre = (spot.sum(1) * place).sum(), (spot.sum(0) * place[:127]).sum()
    variance = (spot.sum(1) * (place - centre[0]) ** 2).sum()

    assert spot.sum().item() == pytest.approx(1.0, abs=1e-5)
    assert centre[0].item() == pytest.approx(60.5, abs=0.02)
    assert centre[1].item() == pytest.approx(64.5, abs=0.02)
    assert math.sqrt(variance.item() - 0.25) == pytest.approx(sigma, rel=0.06)
    torch.testing.assert_close(blur(torch.ones(2, 37, 58), sigma), torch.ones(2, 37, 58))


def test_the_slope_of_a_cone_is_its_own(gel: Generator) -> None:
    """Between apex and rim the skin follows a cone that falls by 0.9 mm per mm, less its crown."""
    scene = pressing(gel, shape("cone"), depth=2.0)
    relief = gel.renderer.relief(scene)
    x, y = gel.renderer.camera.skin[0]
    radius = torch.hypot(x, y)
    flank = (radius > 0.8) & (radius < 1.2)
    slope = torch.hypot(relief.slope_x, relief.slope_y)[0][flank]
    outwards = (relief.slope_x[0] * x + relief.slope_y[0] * y)[flank]

    assert slope.mean().item() == pytest.approx(0.9, rel=0.1)
    assert (outwards < 0).all()


def test_the_relief_is_the_deflection_of_the_contact_model(generator: Generator) -> None:
    """Two ways to the same quantity: image pixels here, a coarse grid in contact.py."""
    scene = scene_of(generator, 11)
    contact = generator.renderer.contact(scene)
    camera = generator.renderer.camera
    plane = generator.renderer.sensor.body.pupil_to_apex - scene.press.depth.view(-1, 1, 1, 1)
    places = camera.ray.permute(0, 2, 3, 1) * plane
    coarse = F.avg_pool2d(contact.at(places, 0)[:, 0], 8)
    fine = F.avg_pool2d(generator.renderer.relief(scene).height, 8)
    scale = (coarse * fine).sum() / (coarse * coarse).sum()

    assert scale.item() == pytest.approx(1.0, abs=0.03)
    assert torch.corrcoef(torch.stack([coarse.flatten(), fine.flatten()]))[0, 1] > 0.985


def test_a_soft_object_leaves_a_shallower_imprint(generator: Generator) -> None:
    soft, hard = (
        generator.renderer.relief(
            pressing(generator, ball(4.0), depth=0.8, modulus=modulus)
        ).height.amax()
        for modulus in (0.3, RIGID)
    )
    own = generator.renderer.sensor.elastomer.plane_strain_modulus

    assert (soft / hard).item() == pytest.approx(0.3 / (0.3 + own), rel=0.01)


@pytest.mark.parametrize(("channel", "azimuth"), list(enumerate(GELSIGHT.skin.azimuths)))
def test_a_flank_has_the_color_of_the_light_that_it_faces(channel: int, azimuth: float) -> None:
    """The colours at the rims of imprints in frames of amitparag/Incipient-Slip-Detection."""
    gel = centred(GELSIGHT)
    scene = pressing(gel, ball(4.0), depth=0.6)
    change = (render(gel, scene) - render(gel, untouched(gel, scene)))[0]
    x, y = gel.renderer.camera.skin[0]
    towards = math.cos(math.radians(azimuth)) * x + math.sin(math.radians(azimuth)) * y
    radius = torch.hypot(x, y)
    flank = (radius > 1.0) & (radius < 1.7)
    facing, averted = flank & (towards > 0.9 * radius), flank & (towards < -0.9 * radius)

    assert change[:, facing].mean(1).argmax() == channel
    assert change[channel][facing].mean() > 0.05
    assert change[channel][averted].mean() < -0.05


def test_mirrored_lights_and_a_mirrored_press_give_a_mirrored_picture() -> None:
    gel = centred(GELSIGHT)
    scene = pressing(gel, shape("pacman"), x=1.5, y=0.7, yaw=0.4, depth=0.7)
    there = pressing(gel, shape("pacman"), x=-1.5, y=0.7, yaw=math.pi - 0.4, depth=0.7)
    skin = gel.renderer._skin
    change = render(gel, scene) - skin
    gel.renderer._lights = gel.renderer._lights * torch.tensor([-1.0, 1.0]).view(1, 2, 1)
    mirrored = render(gel, there) - skin

    inside = skin.amin((0, 1)) + change.amin((0, 1)) > 0.02  # not cut off at black
    assert change.abs().amax() > 0.1
    torch.testing.assert_close(
        mirrored.flip(-1)[..., inside], change[..., inside], rtol=0, atol=0.01
    )


def test_a_mirrored_press_gives_a_mirrored_relief() -> None:
    membrane = centred(PNUTAC)
    here = membrane.renderer.relief(pressing(membrane, ball(3.0), x=3.0, y=1.0, depth=2.0))
    there = membrane.renderer.relief(pressing(membrane, ball(3.0), x=-3.0, y=1.0, depth=2.0))

    torch.testing.assert_close(there.height.flip(-1), here.height, rtol=0, atol=1e-4)
    torch.testing.assert_close(there.slope_x.flip(-1), -here.slope_x, rtol=0, atol=1e-3)
    torch.testing.assert_close(there.slope_y.flip(-1), here.slope_y, rtol=0, atol=1e-3)
    assert here.height.amax() > 0.5


def test_the_gel_is_darker_beside_a_contact() -> None:
    gel = centred(GELSIGHT)
    scene = pressing(gel, shape("cylinder"), depth=0.8)
    change = (render(gel, scene) - render(gel, untouched(gel, scene)))[0].mean(0)
    radius = gel.renderer.camera.skin[0].norm(dim=0)
    beside = change[(radius > 5.3) & (radius < 5.7)].mean()  # all around: no light prevails

    assert beside < -0.02
    assert change[radius > 7.5].abs().max() < 0.005


def test_the_bulging_membrane_is_brighter_where_it_faces_its_lights() -> None:
    membrane = centred(PNUTAC)
    scene = untouched(membrane, pressing(membrane, ball(4.0)))
    image = render(membrane, scene)[0].mean(0)
    x, y = membrane.renderer.camera.skin[0]
    free = (torch.hypot(x, y) < 10.0) & (image > 0.2)
    lights = membrane.renderer._lights[0].mean(1)  # of all together, along x and y

    for place, light in zip((x, y), lights, strict=True):
        towards = place * light.sign()
        facing, averted = (image[free & side].mean() for side in (towards > 4.0, towards < -4.0))
        assert facing > 1.02 * averted


def test_the_membrane_is_darker_where_it_is_steep() -> None:
    membrane = centred(dataclasses.replace(PNUTAC, marks=None))
    membrane.renderer._lights = torch.zeros_like(membrane.renderer._lights)
    image = render(membrane, pressing(membrane, shape("cylinder"), depth=2.0))[0].mean(0)
    radius = membrane.renderer.camera.skin[0].norm(dim=0)

    assert image[(radius > 4.6) & (radius < 5.2)].mean() < 0.85 * image[radius < 3.0].mean()


def test_dots_rest_on_their_lattice_and_are_dark(membrane: Generator) -> None:
    dots = membrane.renderer.dots
    scene = untouched(membrane, plainly_lit(scene_of(membrane, 2)))
    contact = membrane.renderer.contact(scene)
    x, y, z = dots.positions(contact, scene.look.copy)
    covered = dots.coverage(contact, scene.look.copy)
    grey = render(membrane, scene).mean(1)
    near = membrane.renderer.camera.skin[0].norm(dim=0) < 9.0

    assert torch.equal(torch.stack([x, y], -1), dots.roots.expand(2, -1, -1))
    assert z.max() < PNUTAC.body.pupil_to_apex - PNUTAC.body.thickness + 1e-5
    assert grey[(covered > 0.9) & near].mean() < 0.15
    assert grey[(covered == 0) & near].mean() > 0.35
    nearest = torch.cdist(dots.roots[0], dots.roots[0]).fill_diagonal_(99.0).amin(1)
    assert nearest.mean().item() == pytest.approx(2.3, abs=0.15)
    assert len(dots.roots[0]) == 121


def test_dots_cover_as_much_as_they_are_large() -> None:
    membrane = centred(PNUTAC, size=32)
    scene = untouched(membrane, pressing(membrane, ball(4.0)))
    covered = membrane.renderer.dots.coverage(membrane.renderer.contact(scene), scene.look.copy)
    share = covered[0][membrane.renderer.camera.skin[0].norm(dim=0) < 9.5].mean().item()
    marks = PNUTAC.marks
    expected = math.pi * marks.radius**2 / (marks.pitch**2 * math.sqrt(0.75))

    assert share == pytest.approx(marks.opacity * expected, rel=0.12)


def test_dots_move_outwards_and_nearer_under_a_press_and_follow_a_shear() -> None:
    membrane = centred(PNUTAC)
    dots, copy = membrane.renderer.dots, torch.tensor([0])

    def places(**values: object) -> torch.Tensor:
        scene = pressing(membrane, ball(4.0), **values)
        return torch.stack(dots.positions(membrane.renderer.contact(scene), copy), -1)[0]

    rest, pressed = places(depth=-1.0), places(depth=2.0)
    dragged = places(depth=2.0, shear_x=0.6, shear_y=-0.3)
    radius = rest[:, :2].norm(dim=1)
    ring, middle = (radius > 2.0) & (radius < 5.0), radius < 2.0
    outwards = ((pressed - rest)[:, :2] * rest[:, :2]).sum(1) / radius

    assert (outwards[ring] > 0.05).all()
    assert (pressed - rest)[middle, 2].max() < -0.5
    drag = (dragged - pressed)[middle].mean(0)
    assert drag[0] > 0.3
    assert drag[1].item() == pytest.approx(-drag[0].item() / 2, rel=0.01)
    assert (dragged - pressed)[radius > 11.0].abs().max() < 0.05


def test_a_gel_without_marks_does_not_show_shear_and_one_with_dots_does(gel: Generator) -> None:
    marked = Generator(dataclasses.replace(GELSIGHT, marks=Dots(pitch=1.4)), size=64, seed=0)
    changes = []
    for generator in (gel, marked):
        scene = pressing(generator, shape("cylinder"), depth=0.8)
        press = dataclasses.replace(scene.press, shear_x=torch.tensor([0.8]))
        dragged = dataclasses.replace(scene, press=press)
        changes.append((render(generator, scene) - render(generator, dragged)).abs().amax())

    assert changes[0] == 0
    assert changes[1] > 0.2


@pytest.mark.parametrize(
    ("sensor", "marks", "sentence"),
    [
        (
            GELSIGHT,
            Pins(),
            "'gelsight' declares Pins, which a CoatedGel cannot carry; declare Dots,",
        ),
        (GELSIGHT, Grid(), "declares Grid"),
        (PNUTAC, Pins(), "declares Pins, which a Membrane cannot"),
        (
            VITACTIP,
            Dots(),
            "Dots, which a ClearSkin cannot carry; declare Pins or Grid, or no marks",
        ),
        (MAGICTAC_D, Dots(), "declares Dots, which a ClearBlock cannot"),
    ],
)
def test_marks_that_a_skin_cannot_carry_are_refused_where_they_are_declared(
    sensor: Sensor, marks: Marks, sentence: str
) -> None:
    with pytest.raises(DataError, match=sentence):
        dataclasses.replace(sensor, marks=marks)


@pytest.mark.parametrize("sensor", list(SENSORS.values()), ids=list(SENSORS))
def test_marks_that_a_skin_carries_are_seen(sensor: Sensor) -> None:
    bare = dataclasses.replace(sensor, marks=None)
    for kind in CARRIED[type(sensor.skin)]:
        marked = dataclasses.replace(sensor, marks=kind())
        plain, shown = (
            Generator(declared, size=32, seed=0).images(
                SETS["shape"], np.arange(1), np.zeros(1, int)
            )
            for declared in (bare, marked)
        )

        assert (plain != shown).any(axis=-1).mean() > 0.05


def test_a_smaller_picture_is_the_larger_one_averaged(generator: Generator) -> None:
    small = Generator(generator.renderer.sensor, size=56, seed=0)
    fine, coarse = (render(g, plainly_lit(scene_of(g, 11))) for g in (generator, small))

    assert (F.avg_pool2d(fine, 2) - coarse).abs().mean() < 0.004


@pytest.mark.parametrize("size", [32, 34, 62, 114, 224])
def test_any_even_size_can_be_rendered(generator: Generator, size: int) -> None:
    name = generator.renderer.sensor.name
    images = Generator(generator.renderer.sensor, size=size, seed=0).images(
        SETS[name], np.arange(4), np.array([0, 3, 5, 8])
    )

    assert images.shape == (4, size, size, 3)
    assert images.std() > 15


@pytest.mark.parametrize("name", list(SETS))
def test_opaque_skins_show_every_set(generator: Generator, name: str) -> None:
    small = Generator(generator.renderer.sensor, size=32, seed=0)
    scene = plainly_lit(scene_of(small, 4, name))
    images = render(small, scene)

    assert images.isfinite().all()
    assert (images - render(small, untouched(small, scene))).abs().amax() > 0.02


def test_other_copies_of_the_sensor_look_different(generator: Generator) -> None:
    several = Generator(generator.renderer.sensor, size=48, seed=0, world=World(copies=3))
    scene = plainly_lit(pressing(several, ball(4.0), depth=0.5))
    images = torch.cat(
        [render(several, with_look(scene, copy=torch.tensor([copy]))) for copy in range(3)]
    )
    together = dataclasses.replace(
        scene,
        surface=Ball(radius=torch.full((3, 1, 1), 4.0)),
        press=Press(**{k: v.expand(3) for k, v in vars(scene.press).items()}),
        look=type(scene.look)(
            **{k: v.expand(3, *v.shape[1:]) for k, v in vars(scene.look).items()}
            | {"copy": torch.arange(3)}
        ),
    )

    assert all((images[a] - images[b]).abs().mean() > 0.005 for a in range(3) for b in range(a))
    torch.testing.assert_close(render(several, together), images, rtol=0, atol=0)
