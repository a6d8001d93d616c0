"""How fast the parts are, measured side by side in one run: read the ratios, not the numbers.

Each round measures every candidate once; the median over rounds is reported, so that a machine
that is busy for a while slows all of them alike.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from vtbench.benchmark.environment import clock


@dataclass(frozen=True)
class Rate:
    """Things per second of one candidate: median over rounds, and the slowest and fastest round."""

    name: str
    median: float
    slowest: float
    fastest: float


def measured(candidates: Mapping[str, Callable[[], int]], *, rounds: int) -> list[Rate]:
    """The rates of candidates, each of which does some work and says how much it was.

    One round goes before, uncounted: it pays for what is only built once.
    """
    rates: dict[str, list[float]] = {name: [] for name in candidates}
    for counted in range(rounds + 1):
        for name, work in candidates.items():
            begun = clock()
            done = work()
            if counted:
                rates[name].append(done / (clock() - begun))
    return [
        Rate(name, statistics.median(found), min(found), max(found))
        for name, found in rates.items()
    ]


def rendering(
    *, size: int, images: int, device: str = "cpu"
) -> Iterator[tuple[str, Callable[[], int]]]:
    """For each simulated sensor, rendering `images` images of its own sets to uint8.

    Raises DataError for a size that cannot be rendered.
    """
    import numpy as np

    from vtbench.tasks.simulator.generator import Generator
    from vtbench.tasks.simulator.packs import SimulatedPack
    from vtbench.tasks.simulator.sensors import SENSORS
    from vtbench.tasks.simulator.sets import SETS

    for pack in SimulatedPack.__subclasses__():
        generator = Generator(SENSORS[pack.sensors[0]], size=size, seed=0, device=device)
        sets = [SETS[name] for name in pack.tasks]
        each = max(1, images // len(sets))

        def render(generator: Generator = generator, sets: list = sets, each: int = each) -> int:
            for scenes in sets:
                generator.images(scenes, np.arange(each), np.arange(each) % scenes.objects)
            return each * len(sets)

        yield pack.sensors[0], render
