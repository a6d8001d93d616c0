"""The simulated packs: the labelled sets of one sensor, rendered and written to disk.

A sample is a pure function of seed, set and index, and its class of the sizes of the splits; so the
same call writes the same bytes, and the packs of ViTacTip, ViTac and TacTip hold the same presses
with the same labels and splits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch

from vtbench.tasks.data.pack import Pack
from vtbench.tasks.data.schema import TaskDeclaration
from vtbench.tasks.data.writer import DatasetContent, write_pack
from vtbench.tasks.errors import DataError
from vtbench.tasks.simulator.generator import Generator
from vtbench.tasks.simulator.random import balanced_codes
from vtbench.tasks.simulator.render import check_size
from vtbench.tasks.simulator.scenes import SceneSet, World
from vtbench.tasks.simulator.sensors import SENSORS, Sensor
from vtbench.tasks.simulator.sets import SETS

Progress = Callable[[int, int], None]

_BLOCK = 256  # images made and handed over together


class SimulatedPack:
    """The pack of one sensor. Subclasses name it.

    Their attributes are plain literals: `bench list` reads them without running this. Only `sensor`
    is none: a declaration of one's own, where `SENSORS` has no sensor of that name.

    device: where the images are computed.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    source = "simulated"
    sensors: ClassVar[tuple[str, ...]]
    tasks: ClassVar[tuple[str, ...]]
    about: ClassVar[str] = "published geometry of the sensor"
    sensor: ClassVar[Sensor | None] = None

    def __init__(self, *, device: torch.device | str = "cpu") -> None:
        self.device = device

    def prepare(
        self,
        folder: Path,
        *,
        size: int,
        counts: Mapping[str, int],
        seed: int,
        progress: Progress | None = None,
        world: World = World(),
    ) -> Pack:
        """Render the sets named in `counts` with that many images each and write the pack.

        `progress` is called with (images done, images in all). Nothing is at `folder` until all
        is written. Raises DataError for an unknown set, too few images, a size that cannot be
        rendered, more copies held out than there are, or a folder that cannot be written.
        """
        self.check(size=size, counts=counts, world=world)
        (name,) = self.sensors
        sensor = self.sensor or SENSORS[name]
        generator = Generator(sensor, size=size, seed=seed, world=world, device=self.device)
        report = _Report(progress, sum(counts.values()))
        return write_pack(
            folder,
            name=self.name,
            title=self.title,
            source=self.source,
            sensors=self.sensors,
            datasets=[
                _content(SETS[name], count, generator, report) for name, count in counts.items()
            ],
            tasks={name: _task(SETS[name]) for name in counts},
            licence="MIT",
            citation=f"Simulated by vtbench, {self.about}; {_facts(seed, world)}.",
        )

    def check(self, *, size: int, counts: Mapping[str, int], world: World = World()) -> None:
        """Raise DataError for what `prepare` would refuse, without rendering anything."""
        check_size(size)
        offered = ", ".join(self.tasks)
        if not counts:
            raise DataError(f"No images are asked for; name at least one set of: {offered}.")
        for name, count in counts.items():
            if name not in self.tasks:
                raise DataError(f"{self.name} has no set {name!r}; it has: {offered}.")
            fewest, objects = fewest_images(SETS[name]), SETS[name].objects
            if count < fewest:
                one = "one" if objects == 1 else f"one of each of its {objects} objects"
                raise DataError(
                    f"{count} images of {name!r} are too few for every split to hold {one}; "
                    f"ask for {fewest} or more."
                )
        if not 0 <= world.held_out_copies < world.copies:
            raise DataError(
                f"{world.held_out_copies} of {world.copies} sensor copies cannot be held out; "
                "leave at least one for training."
            )


class ViTacTipSim(SimulatedPack):
    """What the paper asks of ViTacTip."""

    name = "vitactip-sim"
    title = "ViTacTip (simulated)"
    sensors = ("vitactip",)
    tasks = ("shape", "grating", "material", "force", "contact_point", "edge_pose")
    about = "after the published geometry and frames of ViTacTip"


class TacTipSim(SimulatedPack):
    """The presses of `vitactip-sim` felt by pins alone, under an opaque skin."""

    name = "tactip-sim"
    title = "TacTip (simulated)"
    sensors = ("tactip",)
    tasks = ("shape", "grating", "material", "force", "contact_point", "edge_pose")
    about = "after the published geometry and frames of ViTacTip's opaque twin"


class ViTacSim(SimulatedPack):
    """The presses of `vitactip-sim` seen through a skin without pins."""

    name = "vitac-sim"
    title = "ViTac (simulated)"
    sensors = ("vitac",)
    tasks = ("shape", "grating", "material", "force", "contact_point", "edge_pose")
    about = "after the published geometry and frames of ViTacTip's twin without pins"


class MagicTacTSim(SimulatedPack):
    """Shapes on a clear dome with a grid inside."""

    name = "magictac-t-sim"
    title = "MagicTac-T (simulated)"
    sensors = ("magictac-t",)
    tasks = ("magictac_t",)
    about = "after what is written about MagicTac; its look is a guess"


class MagicTacDSim(SimulatedPack):
    """Shapes on a flat clear block with a grid inside."""

    name = "magictac-d-sim"
    title = "MagicTac-D (simulated)"
    sensors = ("magictac-d",)
    tasks = ("magictac_d",)
    about = "after what is written about MagicTac; its look is a guess"


class GelSightSim(SimulatedPack):
    """Cutting tools on a coated gel; the real set names its classes type_1 to type_9 only."""

    name = "gelsight-sim"
    title = "GelSight (simulated)"
    sensors = ("gelsight",)
    tasks = ("gelsight",)
    about = "with nine tools of our invention; the real set names none"


class PnuTacSim(SimulatedPack):
    """Hand tools on an inflated membrane; the real set names its classes type_1 to type_11 only."""

    name = "pnutac-sim"
    title = "PnuTac (simulated)"
    sensors = ("pnutac",)
    tasks = ("pnutac",)
    about = "with eleven tools of our invention; its look is a guess"


class _Report:
    """Counts images over all sets."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress = progress
        self._total = total
        self._done = 0

    def add(self, images: int) -> None:
        self._done += images
        if self._progress:
            self._progress(self._done, self._total)


def split_ranges(count: int, fractions: tuple[float, float, float]) -> dict[str, tuple[int, int]]:
    """Index ranges [start, stop) of train, val and test."""
    train, val = round(fractions[0] * count), round((fractions[0] + fractions[1]) * count)
    return {"train": (0, train), "val": (train, val), "test": (val, count)}


def fewest_images(scenes: SceneSet) -> int:
    """From how many images on every split shows each object of a set at least once."""
    count = math.ceil((scenes.objects + 1) / min(scenes.fractions))  # rounding takes less than one
    while _smallest_split(count - 1, scenes.fractions) >= scenes.objects:
        count -= 1
    return count


def _smallest_split(count: int, fractions: tuple[float, float, float]) -> int:
    return min(stop - start for start, stop in split_ranges(count, fractions).values())


def _facts(seed: int, world: World) -> str:
    shear = "as each set has it" if world.shear is None else f"{world.shear:g}"
    return (
        f"seed {seed}, sensor copies {world.copies} ({world.held_out_copies} in the test images "
        f"only), unlabelled shear {shear}, zoom {world.zoom:g}, variety of appearance "
        f"{world.variety:g}"
    )


def _content(scenes: SceneSet, count: int, generator: Generator, report: _Report) -> DatasetContent:
    ranges = split_ranges(count, scenes.fractions)
    codes = balanced_codes(generator.seed, scenes.name, ranges, scenes.objects)
    splits = np.repeat(list(ranges), [stop - start for start, stop in ranges.values()])
    sensor = generator.renderer.sensor
    return DatasetContent(
        name=scenes.name,
        count=count,
        images={sensor.name: _blocks(scenes, codes, splits == "test", generator, report)},
        columns=scenes.columns,
        labels=generator.labels(scenes, np.arange(count), codes),
        splits=splits,
    )


def _blocks(
    scenes: SceneSet,
    codes: np.ndarray,
    held_out: np.ndarray,
    generator: Generator,
    report: _Report,
) -> Iterator[np.ndarray]:
    for start in range(0, len(codes), _BLOCK):
        indices = np.arange(start, min(start + _BLOCK, len(codes)))
        yield generator.images(scenes, indices, codes[indices], held_out[indices])
        report.add(len(indices))


def _task(scenes: SceneSet) -> TaskDeclaration:
    label = next((name for name, column in scenes.columns.items() if column.classes), None)
    if label:  # the first class column; the material set has two more
        return TaskDeclaration(dataset=scenes.name, label=label, title=scenes.title)
    return TaskDeclaration(dataset=scenes.name, targets=tuple(scenes.columns), title=scenes.title)


def simulated_packs() -> list[type[SimulatedPack]]:
    """The packs of this module: plugins may have further ones."""
    return [pack for pack in SimulatedPack.__subclasses__() if pack.__module__ == __name__]
