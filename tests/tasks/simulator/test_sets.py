"""Samples are reproducible one by one, and labels are what the sets promise."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vtbench.tasks.simulator.generator import Generator
from vtbench.tasks.simulator.materials import MATERIALS, SPECIMENS
from vtbench.tasks.simulator.packs import split_ranges
from vtbench.tasks.simulator.random import balanced_codes
from vtbench.tasks.simulator.scenes import World
from vtbench.tasks.simulator.sensors import SENSORS, VITACTIP
from vtbench.tasks.simulator.sets import SETS

CODES = {name: np.arange(24) % scenes.objects for name, scenes in SETS.items()}


@pytest.fixture(scope="module")
def generator() -> Generator:
    return Generator(VITACTIP, size=48, seed=3)


def images_of(generator: Generator, name: str, indices: np.ndarray) -> np.ndarray:
    return generator.images(SETS[name], indices, CODES[name][indices])


@pytest.fixture(scope="module")
def batched() -> dict[int, Generator]:
    """The same with other sizes of a batch."""
    return {batch: Generator(VITACTIP, size=48, seed=3, batch=batch) for batch in (1, 5, 64)}


@pytest.mark.parametrize("name", list(SETS))
def test_pixels_do_not_depend_on_order_or_batch(
    generator: Generator, batched: dict[int, Generator], name: str
) -> None:
    together = images_of(generator, name, np.arange(24))
    shuffled = np.random.default_rng(0).permutation(24)
    for other in batched.values():
        assert np.array_equal(images_of(other, name, shuffled), together[shuffled])


def test_pixels_and_labels_do_not_depend_on_the_number_of_threads(generator: Generator) -> None:
    threads = torch.get_num_threads()
    results = []
    try:
        for count in (1, 3, 5):  # two on two busy cores spin while they wait for each other
            torch.set_num_threads(count)
            results.append(
                [images_of(generator, name, np.arange(24)) for name in SETS]
                + [generator.labels(SETS["force"], np.arange(24), CODES["force"])["fz"]]
            )
    finally:
        torch.set_num_threads(threads)

    for other in results[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(results[0], other, strict=True))


def test_another_seed_gives_other_images_and_labels(generator: Generator) -> None:
    other = Generator(VITACTIP, size=48, seed=4)
    for name, scenes in SETS.items():
        first, second = (images_of(g, name, np.arange(4)) for g in (generator, other))
        assert (first != second).mean() > 0.2
        if not any(column.classes for column in scenes.columns.values()):
            labels = [g.labels(scenes, np.arange(4), CODES[name][:4]) for g in (generator, other)]
            assert all((labels[0][key] != labels[1][key]).all() for key in scenes.columns)


def test_the_unlabelled_shear_moves_pins_and_no_label() -> None:
    still, moving = (
        Generator(VITACTIP, size=48, seed=3, world=World(shear=shear)) for shear in (0.0, 1.0)
    )
    for name, scenes in SETS.items():
        labels = [g.labels(scenes, np.arange(24), CODES[name]) for g in (still, moving)]
        images = [images_of(g, name, np.arange(4)) for g in (still, moving)]

        assert all(np.array_equal(labels[0][key], labels[1][key]) for key in scenes.columns)
        assert (images[0] != images[1]).any()


@pytest.mark.parametrize("name", ["shape", "grating", "material", "contact_point", "edge_pose"])
def test_each_set_has_its_own_slip_and_none_where_none_is_asked_for(name: str) -> None:
    scenes = SETS[name]

    def slip(shear: float | None) -> np.ndarray:
        generator = Generator(VITACTIP, size=48, seed=3, world=World(shear=shear))
        indices = np.arange(200)
        samples = generator.samples(scenes, indices, indices % scenes.objects)
        return scenes.scene(samples).press.shear_x.numpy()

    assert not slip(0.0).any()
    assert np.allclose(slip(None), scenes.shear * slip(1.0))
    assert 0.6 < slip(1.0).std() < 0.9  # mm, of a Gaussian of 0.8 cut off at two deviations


def test_other_copies_of_the_sensor_look_different() -> None:
    several = Generator(VITACTIP, size=48, seed=3, world=World(copies=4))
    scenes = SETS["edge_pose"]
    copies = scenes.scene(several.samples(scenes, np.arange(64), np.zeros(64, int)))
    skins = several.renderer.backdrop.picture

    assert set(copies.look.copy.tolist()) == {0, 1, 2, 3}
    assert all((skins[a] - skins[b]).abs().mean() > 0.005 for a in range(4) for b in range(a))
    one = several.images(scenes, np.arange(8), np.zeros(8, int))
    again = Generator(VITACTIP, size=48, seed=3, world=World(copies=4), batch=3).images(
        scenes, np.arange(8), np.zeros(8, int)
    )
    assert np.array_equal(one, again)


def test_held_out_copies_are_seen_by_the_samples_that_are_held_out_and_by_no_other() -> None:
    world = World(copies=6, held_out_copies=2)
    generator = Generator(VITACTIP, size=48, seed=3, world=world)
    indices, held_out = np.arange(300), np.arange(300) >= 200
    copy = generator.samples(SETS["shape"], indices, indices % 21, held_out).copy

    assert set(copy[:200]) == {0, 1, 2, 3}
    assert set(copy[200:]) == {4, 5}


def test_labels_are_the_same_on_every_sensor_of_a_build_and_images_are_not() -> None:
    trio = [Generator(SENSORS[name], size=48, seed=3) for name in ("vitactip", "vitac", "tactip")]
    for name, scenes in SETS.items():
        labels = [g.labels(scenes, np.arange(24), CODES[name]) for g in trio]
        images = [images_of(g, name, np.arange(3)) for g in trio]

        for a in range(3):
            assert all(np.array_equal(labels[0][key], labels[a][key]) for key in scenes.columns)
            assert all((images[a] != images[b]).mean() > 0.05 for b in range(a))


@pytest.mark.parametrize(
    ("name", "column", "low", "high"),
    [
        ("edge_pose", "x", -5.0, 5.0),
        ("edge_pose", "z", 0.5, 2.5),
        ("edge_pose", "yaw", -45.0, 45.0),
        ("contact_point", "x", -8.0, 8.0),
        ("contact_point", "y", -8.0, 8.0),
        ("force", "fx", -0.9, 0.9),
        ("force", "fy", -0.9, 0.9),
        ("force", "fz", 0.0, 4.2),
    ],
)
def test_labels_fill_their_range(
    generator: Generator, name: str, column: str, low: float, high: float
) -> None:
    labels = generator.labels(SETS[name], np.arange(400), np.zeros(400, int))[column]
    margin = 0.15 * (high - low)

    assert low <= labels.min() < low + margin
    assert high - margin < labels.max() <= high


def test_contact_points_fill_a_disc(generator: Generator) -> None:
    label = generator.labels(SETS["contact_point"], np.arange(2000), np.zeros(2000, int))
    inner = np.hypot(label["x"], label["y"]) < 8.0 / np.sqrt(2.0)

    assert abs(inner.mean() - 0.5) < 0.05  # half of the area


def test_material_labels_are_those_of_the_specimen(generator: Generator) -> None:
    codes = np.arange(24)
    scenes = SETS["material"]
    labels = generator.labels(scenes, codes, codes)

    for name, column in scenes.columns.items():
        found = [column.classes[code] for code in labels[name]]
        assert found == [getattr(specimen, name) for specimen in SPECIMENS]


@pytest.mark.parametrize("count", [60, 133, 900])
def test_materials_are_balanced_in_every_split(generator: Generator, count: int) -> None:
    ranges = split_ranges(count, SETS["material"].fractions)
    codes = balanced_codes(0, "material", ranges, len(SPECIMENS))
    label = generator.labels(SETS["material"], np.arange(count), codes)["material"]

    for start, stop in ranges.values():
        counts = np.bincount(label[start:stop], minlength=len(MATERIALS))
        assert counts.max() - counts.min() <= 1


def test_mean_color_does_not_give_the_material_away(generator: Generator) -> None:
    scenes = SETS["material"]
    codes = np.arange(480) % scenes.objects
    samples = generator.samples(scenes, np.arange(480), codes)
    color = scenes.colors(samples)[0]
    centre = np.stack([color[codes == code].mean(0) for code in range(24)])
    nearest = ((color[:, None] - centre) ** 2).sum(-1).argmin(1)

    assert (nearest == codes).mean() < 0.5
