"""Pictures of simulated sensors to look at, with the labels under each image.

Shapes: N images of S x S pixels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image

from vtbench.tasks.data.describe import value_text
from vtbench.tasks.data.sheet import Section, Strip, Tile, contact_sheet
from vtbench.tasks.simulator.generator import Generator
from vtbench.tasks.simulator.scenes import SceneSet, World
from vtbench.tasks.simulator.sensors import Sensor

_ABREAST = 8


def set_sheet(
    sensor: Sensor, scenes: SceneSet, *, count: int, size: int, seed: int, world: World
) -> Image.Image:
    """`count` images of one set as a sensor sees it.

    Raises DataError for a size that cannot be rendered.
    """
    generator = Generator(sensor, size=size, seed=seed, world=world)
    tiles = _tiles(generator, scenes, count)
    strips = [Strip("", "", tiles[start : start + _ABREAST]) for start in range(0, count, _ABREAST)]
    return _sheet(sensor.title, [Section(scenes.name, strips)], size, seed, world)


def sensor_sheet(
    sensor: Sensor, sets: Sequence[SceneSet], *, size: int, seed: int, world: World
) -> Image.Image:
    """One row of images for each of the sets."""
    generator = Generator(sensor, size=size, seed=seed, world=world)
    strips = [Strip(scenes.name, "", _tiles(generator, scenes, _ABREAST)) for scenes in sets]
    return _sheet(sensor.title, [Section(f"sensor {sensor.name}", strips)], size, seed, world)


def overview(
    sensors: Sequence[tuple[Sensor, Sequence[SceneSet]]], *, size: int, seed: int, world: World
) -> Image.Image:
    """One row for each sensor, with images of its sets in turn."""
    strips = []
    for sensor, sets in sensors:
        generator = Generator(sensor, size=size, seed=seed, world=world)
        each = [_tiles(generator, scenes, -(-_ABREAST // len(sets))) for scenes in sets]
        if len(sets) > 1:  # which of them a label belongs to is not plain from the label
            each = [_named(tiles, scenes.name) for tiles, scenes in zip(each, sets, strict=True)]
        mixed = [tiles[turn] for turn in range(len(each[0])) for tiles in each][:_ABREAST]
        strips.append(Strip(sensor.title, sensor.name, mixed))
    return _sheet("Simulated sensors", [Section("", strips)], size, seed, world)


def _sheet(
    title: str, sections: Sequence[Section], size: int, seed: int, world: World
) -> Image.Image:
    facts = (
        f"simulated by vtbench, rendered at {size} x {size} pixels, seed {seed}, zoom "
        f"{world.zoom:g}, variety of appearance {world.variety:g}"
    )
    return contact_sheet(title=title, facts=facts, source="simulated", sections=sections)


def _tiles(generator: Generator, scenes: SceneSet, count: int) -> list[Tile]:
    """The first samples of a set, with objects spread evenly over all that it has."""
    indices = np.arange(count)
    codes = (
        np.linspace(0, scenes.objects - 1, count).round().astype(np.int64)
        if count < scenes.objects
        else indices % scenes.objects
    )
    images = generator.images(scenes, indices, codes)
    labels = generator.labels(scenes, indices, codes)
    captions = [_caption(scenes, labels, index) for index in indices]
    return [Tile(image, text) for image, text in zip(images, captions, strict=True)]


def _named(tiles: Sequence[Tile], name: str) -> list[Tile]:
    return [Tile(tile.image, f"{name}:\n{tile.caption}") for tile in tiles]


def _caption(scenes: SceneSet, labels: Mapping[str, np.ndarray], index: int) -> str:
    lines = []
    for name, column in scenes.columns.items():
        value = labels[name][index]
        if column.classes is not None:
            lines.append(column.classes[int(value)])
        else:
            lines.append(f"{name} {value_text(value, labels[name])} {column.unit}".strip())
    return "\n".join(lines)
