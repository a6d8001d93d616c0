"""Samples by number: images and labels of any indices of a set, in any order, in any batch.

Shapes: N samples, S pixels per side.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch

from vtbench.tasks.simulator.random import Draws
from vtbench.tasks.simulator.reflecting import GelRenderer, MembraneRenderer
from vtbench.tasks.simulator.render import Renderer
from vtbench.tasks.simulator.scenes import Numbers, Samples, SceneSet, World
from vtbench.tasks.simulator.see_through import BACKDROPS, SeeThroughRenderer
from vtbench.tasks.simulator.sensors import CoatedGel, Membrane, Sensor
from vtbench.tasks.simulator.textures import TextureAtlas

_BATCH = {"cpu": 16, "cuda": 512}  # fields of 16 images stay in the cache of one core

#: The renderer that each skin asks for.
RENDERERS: dict[type, type[Renderer]] = {
    **dict.fromkeys(BACKDROPS, SeeThroughRenderer),
    CoatedGel: GelRenderer,
    Membrane: MembraneRenderer,
}


class Generator:
    """Renders one sensor's samples from a seed.

    Raises DataError for a size that the renderer cannot make.
    """

    def __init__(
        self,
        sensor: Sensor,
        *,
        size: int,
        seed: int,
        world: World = World(),
        device: torch.device | str = "cpu",
        batch: int | None = None,
    ) -> None:
        self.renderer = renderer(sensor, size=size, world=world, device=device)
        self.seed, self.size, self.world = seed, size, world
        self.batch = batch or _BATCH.get(torch.device(device).type, 16)
        self._atlas = TextureAtlas(device=torch.device(device))

    def samples(
        self,
        scenes: SceneSet,
        indices: np.ndarray,
        codes: np.ndarray,
        held_out: np.ndarray | None = None,
    ) -> Samples:
        """The samples `indices` (N,) of a set, whose objects have `codes` (N,).

        held_out: which of them (N,) are seen by the sensor copies that are held out.
        """
        return Samples(
            draws=Draws(self.seed, scenes.name, indices),
            codes=codes,
            atlas=self._atlas,
            world=self.world,
            held_out=held_out,
        )

    @torch.no_grad()
    def images(
        self,
        scenes: SceneSet,
        indices: np.ndarray,
        codes: np.ndarray,
        held_out: np.ndarray | None = None,
    ) -> np.ndarray:
        """Images uint8 (N, S, S, 3) of the samples."""
        images = np.empty((len(indices), self.size, self.size, 3), dtype=np.uint8)
        for rows in self._batches(codes):
            held = None if held_out is None else held_out[rows]
            scene = scenes.scene(self.samples(scenes, indices[rows], codes[rows], held))
            image = self.renderer.render(scene, self.renderer.contact(scene))
            levels = image.mul_(255.0).add_(0.5).to(torch.uint8)
            for channel in range(3):  # five times as fast as one permuted copy
                images[rows, ..., channel] = levels[:, channel].cpu().numpy()
        return images

    @torch.no_grad()
    def labels(self, scenes: SceneSet, indices: np.ndarray, codes: np.ndarray) -> Numbers:
        """The label columns of a set, float64 or int64 codes (N,)."""
        labels = scenes.drawn_labels(self.samples(scenes, indices, codes))
        felt = [name for name in scenes.columns if name not in labels]
        for name in felt:
            labels[name] = np.empty(len(indices))
        for rows in self._batches(codes) if felt else ():
            scene = scenes.scene(self.samples(scenes, indices[rows], codes[rows]))
            numbers = scenes.felt_labels(self.renderer.contact(scene))
            for name in felt:
                labels[name][rows] = numbers[name]
        return labels

    def _batches(self, codes: np.ndarray) -> Iterator[np.ndarray]:
        """Positions of a few samples at a time, equal objects together: fewer, larger steps."""
        order = np.argsort(codes, kind="stable")
        for start in range(0, len(order), self.batch):
            yield order[start : start + self.batch]


def renderer(
    sensor: Sensor, *, size: int, world: World = World(), device: torch.device | str = "cpu"
) -> Renderer:
    """The renderer that a sensor's skin asks for; a dome is cropped by the world's zoom."""
    if sensor.body.lens == "fisheye":
        body = replace(sensor.body, focal=sensor.body.focal * world.zoom)
        sensor = replace(sensor, body=body)
    return RENDERERS[type(sensor.skin)](sensor, size=size, copies=world.copies, device=device)
