"""The sets of the other sensors: balanced, split 60 / 20 / 20, reproducible, distinguishable."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from vtbench.tasks.simulator.generator import Generator
from vtbench.tasks.simulator.packs import split_ranges
from vtbench.tasks.simulator.random import balanced_codes
from vtbench.tasks.simulator.scenes import World
from vtbench.tasks.simulator.sensors import GELSIGHT, PNUTAC, SENSORS, Sensor, flat
from vtbench.tasks.simulator.sets import SETS
from vtbench.tasks.simulator.transfer import TRANSFER_SETS

HOME = {kind.name: SENSORS[kind.name.replace("_", "-")] for kind in TRANSFER_SETS}
OPAQUE = [("gelsight", GELSIGHT), ("pnutac", PNUTAC)]


def images_of(name: str, sensor: Sensor, codes: np.ndarray, **options: object) -> np.ndarray:
    generator = Generator(sensor, size=48, seed=2, **options)
    return generator.images(SETS[name], np.arange(len(codes)), codes)


def test_the_six_sets_come_first_and_four_follow() -> None:
    assert list(SETS) == [
        "shape",
        "grating",
        "material",
        "force",
        "contact_point",
        "edge_pose",
        "magictac_t",
        "magictac_d",
        "gelsight",
        "pnutac",
    ]


@pytest.mark.parametrize(
    ("name", "title", "classes"),
    [
        ("magictac_t", "MagicTac-T", 21),
        ("magictac_d", "MagicTac-D", 10),
        ("gelsight", "GelSight", 9),
        ("pnutac", "PnuTac", 11),
    ],
)
def test_sets_have_the_published_number_of_classes(name: str, title: str, classes: int) -> None:
    scenes = SETS[name]
    (column,) = scenes.columns.values()

    assert scenes.title == title
    assert scenes.objects == classes == len(column.classes) == len(set(column.classes))
    assert column.classes == tuple(scenes.catalogue)


@pytest.mark.parametrize("name", list(HOME))
def test_classes_are_balanced_in_splits_of_60_20_20(name: str) -> None:
    scenes = SETS[name]
    ranges = split_ranges(500, scenes.fractions)
    codes = balanced_codes(0, name, ranges, scenes.objects)

    assert ranges == {"train": (0, 300), "val": (300, 400), "test": (400, 500)}
    for start, stop in ranges.values():
        counts = np.bincount(codes[start:stop], minlength=scenes.objects)
        assert counts.max() - counts.min() <= 1


@pytest.mark.parametrize("name", list(HOME))
def test_the_label_is_the_object(name: str) -> None:
    scenes = SETS[name]
    codes = np.arange(40) % scenes.objects
    labels = Generator(HOME[name], size=32, seed=0).labels(scenes, np.arange(40), codes)

    assert list(labels) == list(scenes.columns)
    assert np.array_equal(next(iter(labels.values())), codes)


@pytest.mark.parametrize(
    ("name", "reach", "yaw", "depth", "size"),
    [
        ("magictac_t", (3.0, 3.0), 90.0, (0.7, 2.5), (0.92, 1.08)),
        ("magictac_d", (3.0, 3.0), 90.0, (0.5, 1.6), (0.656, 0.944)),
        ("gelsight", (3.0, 3.5), 46.0, (0.35, 1.3), (0.82, 1.18)),
        ("pnutac", (4.0, 4.0), 90.0, (1.2, 3.2), (0.82, 1.18)),
    ],
)
def test_poses_and_sizes_fill_their_ranges(
    name: str,
    reach: tuple[float, float],
    yaw: float,
    depth: tuple[float, float],
    size: tuple[float, float],
) -> None:
    scenes = SETS[name]
    samples = Generator(HOME[name], size=32, seed=0).samples(
        scenes, np.arange(2000), np.zeros(2000, int)
    )
    pose = scenes.pose(samples)
    ranges = {
        "x": (-reach[0], reach[0]),
        "y": (-reach[1], reach[1]),
        "yaw": (-np.radians(yaw), np.radians(yaw)),
        "depth": depth,
    }
    drawn = {key: pose[key] for key in ranges} | {"size": scenes.body(samples).size.numpy()}
    for key, (low, high) in (ranges | {"size": size}).items():
        margin = 0.01 * (high - low)
        assert low - 1e-6 <= drawn[key].min() < low + margin
        assert high - margin < drawn[key].max() <= high + 1e-6


@pytest.mark.parametrize(("name", "sensor"), OPAQUE)
def test_pixels_do_not_depend_on_order_or_batch(name: str, sensor: Sensor) -> None:
    codes = np.arange(24) % SETS[name].objects
    together = images_of(name, sensor, codes)
    order = np.random.default_rng(0).permutation(24)
    for batch in (1, 5, 64):
        generator = Generator(sensor, size=48, seed=2, batch=batch)
        shuffled = generator.images(SETS[name], order, codes[order])

        assert np.array_equal(shuffled, together[order])


@pytest.mark.parametrize(("name", "sensor"), OPAQUE)
def test_tools_in_the_same_pose_look_different(name: str, sensor: Sensor) -> None:
    """Same index: same pose, light and noise, so that only the tool can differ."""
    scenes = SETS[name]
    generator = Generator(sensor, size=64, seed=2)
    pictures = [
        generator.images(scenes, np.arange(12), np.full(12, code)).astype(float)
        for code in range(scenes.objects)
    ]
    for index, one in enumerate(pictures):
        for other in pictures[:index]:
            assert np.abs(one - other).mean() > 0.3


def test_imprints_are_as_clear_as_on_real_gels_but_for_one_in_twenty() -> None:
    """The strongest of 412 real frames differ by 0.13 … 0.30; most of these touch hardly at all."""
    scenes = SETS["gelsight"]
    generator = Generator(GELSIGHT, size=48, seed=0)
    codes = np.arange(360) % scenes.objects
    scene = scenes.scene(generator.samples(scenes, np.arange(360), codes))
    renderer = generator.renderer
    shown = renderer.shaded(renderer.relief(scene), scene.look.copy) - renderer._skin
    change = shown.abs().amax(1).flatten(1)  # of the untouched gel's colour, per pixel
    strongest, imprint = change.quantile(0.995, dim=1), (change > 0.04).float().mean(1)

    assert strongest.median() > 0.18
    assert (strongest < 0.08).float().mean() < 0.05
    for code in range(scenes.objects):
        assert (imprint[codes == code] < 0.015).float().mean() <= 0.05


def test_most_of_an_imprint_is_on_the_gel() -> None:
    scenes = SETS["gelsight"]
    wider = dataclasses.replace(
        GELSIGHT, body=flat(width=32.0, crown_radius=120.0, pupil_to_apex=22.0, thickness=2.0)
    )
    generator = Generator(wider, size=48, seed=0)
    indices = np.arange(180)
    touched = generator.renderer._indentation(
        scenes.scene(generator.samples(scenes, indices, indices % scenes.objects))
    ).gt(0.0)
    side = touched.shape[1]
    on_gel = touched[:, side // 4 : -side // 4, side // 4 : -side // 4].flatten(1).sum(1)

    share = on_gel / touched.flatten(1).sum(1)
    assert share.min() > 0.5
    assert share.mean() > 0.85


def test_dots_show_the_unlabelled_shear_and_a_bare_gel_does_not() -> None:
    codes = np.arange(9)
    for name, sensor in OPAQUE:
        still, own, moving = (
            images_of(name, sensor, codes, world=World(shear=shear)) for shear in (0.0, None, 1.0)
        )
        assert np.array_equal(still, moving) == (name == "gelsight")
        assert np.array_equal(still, own) == (name == "gelsight")


@pytest.mark.parametrize(("name", "factor"), [("magictac_d", 0.35), ("pnutac", 0.625)])
def test_the_unlabelled_shear_is_as_strong_as_said(name: str, factor: float) -> None:
    scenes = SETS[name]
    samples = Generator(HOME[name], size=32, seed=0).samples(
        scenes, np.arange(4000), np.zeros(4000, int)
    )
    press = scenes.scene(samples).press

    # Normal numbers cut off at ±2 standard deviations: theirs is 0.96.
    assert press.shear_x.std().item() == pytest.approx(0.8 * factor, rel=0.08)
    assert press.shear_y.std().item() == pytest.approx(0.8 * factor, rel=0.08)
