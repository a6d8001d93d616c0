"""The simulated pack: six labelled sets of one sensor, written to disk.

A sample is a pure function of seed, set and index, and its class of the sizes of the splits; so the
same call writes the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import torch

from vtbench.tasks.data.pack import Pack
from vtbench.tasks.data.schema import TaskDeclaration
from vtbench.tasks.data.writer import DatasetContent, write_pack
from vtbench.tasks.errors import DataError
from vtbench.tasks.simulator.generator import Generator
from vtbench.tasks.simulator.random import balanced_codes
from vtbench.tasks.simulator.scenes import SceneSet
from vtbench.tasks.simulator.sensors import VITACTIP
from vtbench.tasks.simulator.sets import SETS

Progress = Callable[[int, int], None]

_BLOCK = 256  # images made and handed over together
_FEWEST = 7  # images of a set, so that 70 / 15 / 15 % leaves no split empty


class ViTacTipSim:
    """The pack `vitactip-sim`: what the paper asks of ViTacTip, on simulated images.

    copies, shear: see `Generator`; one copy and each set's own shear unless told.
    `sensors` and `tasks` are plain literals: `bench list` reads them without running this.
    """

    name = "vitactip-sim"
    title = "ViTacTip (simulated)"
    source = "simulated"
    sensors = ("vitactip",)
    tasks = ("shape", "grating", "material", "force", "contact_point", "edge_pose")

    def __init__(
        self,
        *,
        copies: int = 1,
        shear: float | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        self.copies = copies
        self.shear = shear
        self.device = device

    def prepare(
        self,
        folder: Path,
        *,
        size: int,
        counts: Mapping[str, int],
        seed: int,
        progress: Progress | None = None,
        zoom: float = 1.0,
        variety: float = 1.0,
    ) -> Pack:
        """Render the sets named in `counts` with that many images each and write the pack.

        `progress` is called with (images done, images in all). Nothing is at `folder` until all
        is written. Raises DataError for an unknown set, too few images, a size that cannot be
        rendered, or a folder that cannot be written.
        """
        _check(counts)
        generator = Generator(
            size=size,
            seed=seed,
            copies=self.copies,
            shear=self.shear,
            variety=variety,
            zoom=zoom,
            device=self.device,
        )
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
            citation=(
                "Simulated by vtbench after the published geometry of ViTacTip; "
                f"seed {seed}, sensor copies {self.copies}, unlabelled shear "
                f"{'as each set has it' if self.shear is None else self.shear}, "
                f"zoom {zoom:g}, variety of appearance {variety:g}."
            ),
        )


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


def split_ranges(count: int) -> dict[str, tuple[int, int]]:
    """Index ranges [start, stop) of 70 / 15 / 15 % (SARL, arXiv 2512.01908)."""
    train, val = round(0.70 * count), round(0.85 * count)
    return {"train": (0, train), "val": (train, val), "test": (val, count)}


def _check(counts: Mapping[str, int]) -> None:
    if not counts:
        raise DataError(f"No images are asked for; name at least one set of: {', '.join(SETS)}.")
    for name, count in counts.items():
        if name not in SETS:
            raise DataError(f"The simulator has no set {name!r}; it has: {', '.join(SETS)}.")
        if count < _FEWEST:
            raise DataError(f"{count} images of {name!r} are too few; ask for {_FEWEST} or more.")


def _content(scenes: SceneSet, count: int, generator: Generator, report: _Report) -> DatasetContent:
    ranges = split_ranges(count)
    codes = balanced_codes(generator.seed, scenes.name, ranges, scenes.objects)
    sizes = [stop - start for start, stop in ranges.values()]
    return DatasetContent(
        name=scenes.name,
        count=count,
        images={VITACTIP.name: _blocks(scenes, codes, generator, report)},
        columns=scenes.columns,
        labels=generator.labels(scenes, np.arange(count), codes),
        splits=np.repeat(list(ranges), sizes),
    )


def _blocks(
    scenes: SceneSet, codes: np.ndarray, generator: Generator, report: _Report
) -> Iterator[np.ndarray]:
    for start in range(0, len(codes), _BLOCK):
        indices = np.arange(start, min(start + _BLOCK, len(codes)))
        yield generator.images(scenes, indices, codes[indices])
        report.add(len(indices))


def _task(scenes: SceneSet) -> TaskDeclaration:
    label = next((name for name, column in scenes.columns.items() if column.classes), None)
    if label:  # the first class column; the material set has two more
        return TaskDeclaration(dataset=scenes.name, label=label)
    return TaskDeclaration(dataset=scenes.name, targets=tuple(scenes.columns))
