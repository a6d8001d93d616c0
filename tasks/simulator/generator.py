"""Samples by number: images and labels of any indices of a set, in any order, in any batch.

Shapes: N samples, S pixels per side.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch

from vtbench.tasks.simulator.random import Draws
from vtbench.tasks.simulator.render import Renderer
from vtbench.tasks.simulator.scenes import Numbers, Samples, Scene, SceneSet
from vtbench.tasks.simulator.sensors import VITACTIP, Sensor
from vtbench.tasks.simulator.textures import TextureAtlas

_BATCH = {"cpu": 16, "cuda": 512}  # fields of 16 images stay in the cache of one core


class Generator:
    """Renders one sensor's samples from a seed.

    copies: physical copies of the sensor in play; 1 as in a single laboratory.
    shear: factor on the unlabelled motion after touch (standard deviation 0.8 mm and 3°); None
        takes each set's own.
    variety: see `Samples`.
    zoom: 1 shows the whole skin; 2 its central half, as images are cropped to the pins.

    Raises DataError for a size that the renderer cannot make.
    """

    def __init__(
        self,
        *,
        size: int,
        seed: int,
        sensor: Sensor = VITACTIP,
        copies: int = 1,
        shear: float | None = None,
        variety: float = 1.0,
        zoom: float = 1.0,
        device: torch.device | str = "cpu",
        batch: int | None = None,
    ) -> None:
        dome = replace(sensor.dome, focal=sensor.dome.focal * zoom)
        self.renderer = Renderer(
            replace(sensor, dome=dome), size=size, copies=copies, device=device
        )
        self.seed, self.copies, self.shear, self.variety = seed, copies, shear, variety
        self.size = size
        self.batch = batch or _BATCH.get(torch.device(device).type, 16)
        self._atlas = TextureAtlas(device=torch.device(device))

    def samples(self, scenes: SceneSet, indices: np.ndarray, codes: np.ndarray) -> Samples:
        """The samples `indices` (N,) of a set, whose objects have `codes` (N,)."""
        draws = Draws(self.seed, scenes.name, indices)
        return Samples(draws=draws, codes=codes, atlas=self._atlas, variety=self.variety)

    def scene(self, scenes: SceneSet, samples: Samples) -> Scene:
        """The presses of some samples."""
        return scenes.scene(samples, shear=self.shear, copies=self.copies)

    @torch.no_grad()
    def images(self, scenes: SceneSet, indices: np.ndarray, codes: np.ndarray) -> np.ndarray:
        """Images uint8 (N, S, S, 3)."""
        images = np.empty((len(indices), self.size, self.size, 3), dtype=np.uint8)
        for rows in self._batches(codes):
            scene = self.scene(scenes, self.samples(scenes, indices[rows], codes[rows]))
            image = self.renderer.render(scene, self.renderer.contact(scene))
            levels = image.mul_(255.0).add_(0.5).to(torch.uint8)
            images[rows] = levels.permute(0, 2, 3, 1).cpu().numpy()
        return images

    @torch.no_grad()
    def labels(self, scenes: SceneSet, indices: np.ndarray, codes: np.ndarray) -> Numbers:
        """The label columns of a set, float64 or int64 codes (N,)."""
        labels = scenes.drawn_labels(self.samples(scenes, indices, codes))
        felt = [name for name in scenes.columns if name not in labels]
        for name in felt:
            labels[name] = np.empty(len(indices))
        for rows in self._batches(codes) if felt else ():
            scene = self.scene(scenes, self.samples(scenes, indices[rows], codes[rows]))
            numbers = scenes.felt_labels(self.renderer.contact(scene))
            for name in felt:
                labels[name][rows] = numbers[name]
        return labels

    def _batches(self, codes: np.ndarray) -> Iterator[np.ndarray]:
        """Positions of a few samples at a time, equal objects together: fewer, larger steps."""
        order = np.argsort(codes, kind="stable")
        for start in range(0, len(order), self.batch):
            yield order[start : start + self.batch]
