"""Images per second of the simulated sensors."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vtbench.benchmark.speed.measuring import Work
from vtbench.tasks.simulator.generator import Generator
from vtbench.tasks.simulator.packs import simulated_packs
from vtbench.tasks.simulator.sensors import SENSORS
from vtbench.tasks.simulator.sets import SETS


def rendering(*, size: int, images: int, device: str = "cpu") -> Iterator[tuple[str, Work]]:
    """For each simulated sensor, rendering `images` images of its own sets to uint8.

    Raises DataError for a size that cannot be rendered.
    """
    for pack in simulated_packs():
        generator = Generator(SENSORS[pack.sensors[0]], size=size, seed=0, device=device)
        sets = [SETS[name] for name in pack.tasks]
        each = max(1, images // len(sets))

        def render(generator: Generator = generator, sets: list = sets, each: int = each) -> int:
            for scenes in sets:
                generator.images(scenes, np.arange(each), np.arange(each) % scenes.objects)
            return each * len(sets)

        yield pack.sensors[0], render
