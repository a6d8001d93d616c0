"""Braille cells under a soft skin: bumps that a camera below it sees as bright spots.

Shapes: images of `size` x `size` pixels, RGB. The skin is 12 mm wide.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np

from vtbench.tasks.data.pack import Pack
from vtbench.tasks.data.schema import Column, TaskDeclaration
from vtbench.tasks.data.writer import DatasetContent, write_pack
from vtbench.tasks.errors import DataError
from vtbench_braille.letters import DOTS

PITCH = 2.5  # mm between the dots of a cell
LETTERS = tuple(DOTS)


class BrailleSim:
    """One letter per press, somewhere near the middle of the skin."""

    name = "braille-sim"
    title = "Braille (simulated)"
    source = "simulated"
    sensors = ("braille",)
    tasks = ("braille",)
    counts = {"braille": 60}

    def prepare(
        self,
        folder: Path,
        *,
        size: int,
        counts: Mapping[str, int],
        seed: int,
        progress: Callable[[int, int], None] | None = None,
        world: object = None,
    ) -> Pack:
        """Write counts["braille"] presses drawn from `seed`; DataError for any other request."""
        if set(counts) != {"braille"}:
            raise DataError(f"{self.name} has one set, 'braille', and no {', '.join(counts)}.")
        count = counts["braille"]
        codes = np.arange(count) % len(LETTERS)
        train, val = round(0.6 * count), round(0.8 * count)
        return write_pack(
            folder,
            name=self.name,
            title=self.title,
            source=self.source,
            sensors=self.sensors,
            datasets=[
                DatasetContent(
                    name="braille",
                    count=count,
                    images={"braille": presses(codes, size, seed, progress)},
                    columns={"letter": Column(classes=LETTERS)},
                    labels={"letter": codes},
                    splits=["train"] * train + ["val"] * (val - train) + ["test"] * (count - val),
                )
            ],
            tasks={"braille": TaskDeclaration(dataset="braille", label="letter")},
        )


def presses(
    codes: np.ndarray, size: int, seed: int, progress: Callable[[int, int], None] | None
) -> Iterator[np.ndarray]:
    """The images of letters (N,) one by one, uint8 (1, size, size, 3)."""
    draws = np.random.default_rng(seed)
    for done, code in enumerate(codes, start=1):
        yield press(LETTERS[code], size, draws)[None]
        if progress is not None:
            progress(done, len(codes))


def press(letter: str, size: int, draws: np.random.Generator) -> np.ndarray:
    """One image of a letter, at a random place and pressed in at random strength."""
    y, x = (np.mgrid[:size, :size] + 0.5) / size * 12 - 6  # mm
    left, top = draws.normal(0, 0.5, 2) - (PITCH / 2, PITCH)
    height = np.zeros((size, size))
    for dot in DOTS[letter]:
        column, row = divmod(dot - 1, 3)
        away = np.hypot(x - left - PITCH * column, y - top - PITCH * row)
        height += np.exp(-((away / 0.7) ** 2))
    colour = draws.uniform(0.7, 1) * np.array([170, 140, 110]) * height[..., None]
    return np.clip(40 + colour + draws.normal(0, 8, (size, size, 3)), 0, 255).astype(np.uint8)
