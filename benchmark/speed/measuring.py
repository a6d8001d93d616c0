"""Rates of several candidates, measured in turns: read the ratios, not the numbers.

Each round measures every candidate once; the median over rounds is reported, so that a machine
that is busy for a while slows all of them alike. The order of each round is drawn by its number, so
that what a candidate leaves behind - warm caches, freed memory - falls on each of the others.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from vtbench.benchmark.environment import clock

#: Does some work and says how much it was.
Work = Callable[[], int]


@dataclass(frozen=True)
class Rate:
    """Things per second of one candidate: median over rounds, and the slowest and fastest round."""

    name: str
    median: float
    slowest: float
    fastest: float


def measured(
    candidates: Mapping[str, Work], *, rounds: int, time: Callable[[], float] = clock
) -> list[Rate]:
    """The rates of candidates, in their order.

    One round goes before, uncounted: it pays for what is only built once. On a CPU `time` may be
    `cpu_clock`, to which it is all one how busy the machine is with other things.
    """
    rates: dict[str, list[float]] = {name: [] for name in candidates}
    for number in range(rounds + 1):
        for name in turns(list(candidates), number):
            begun = time()
            done = candidates[name]()
            if number:
                rates[name].append(done / (time() - begun))
    return [
        Rate(name, statistics.median(found), min(found), max(found))
        for name, found in rates.items()
    ]


def turns(names: Sequence[str], number: int) -> list[str]:
    """The order of a round: a permutation drawn by its number, all alike likely."""
    return random.Random(number).sample(names, len(names))


def waiting(device: str, work: Callable[[], object]) -> None:
    """Do some work, and wait until the device has done it."""
    work()
    if device.startswith("cuda"):
        import torch

        torch.cuda.synchronize(device)
