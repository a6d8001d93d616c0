"""What all labelled sets share: objects, pose, motion and appearance of a batch of presses.

Units: mm, N, MPa, rad. Shapes: B samples.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from vtbench.tasks.data.schema import Column
from vtbench.tasks.simulator.appearance import Look, draw_look, printed_part_colors, tensor
from vtbench.tasks.simulator.contact import Contact, Press
from vtbench.tasks.simulator.materials import HARDNESS_MODULUS
from vtbench.tasks.simulator.objects import Printed, Surface
from vtbench.tasks.simulator.random import Draws
from vtbench.tasks.simulator.textures import VARIANTS, TextureAtlas, tile_index

Numbers = dict[str, np.ndarray]


@dataclass(frozen=True, kw_only=True)
class World:
    """What all samples of a pack have in common; labels do not depend on it, but for `shear`.

    zoom: 1 shows the whole skin of a dome; 2 its central half, as images are cropped to the pins.
    variety: how much light, haze, colour and prints differ between samples, from 0 (not at all)
        to 1 (as in `appearance`).
    copies: physical copies of the sensor in play; 1 as in a single laboratory.
    held_out_copies: how many of the copies only the test split sees.
    shear: factor on the unlabelled motion after touch (standard deviation 0.8 mm and 3°); None
        takes each set's own.
    """

    zoom: float = 1.0
    variety: float = 1.0
    copies: int = 1
    held_out_copies: int = 0
    shear: float | None = None


@dataclass(frozen=True, kw_only=True)
class Samples:
    """Which samples are meant: their random numbers and the codes (B,) of their objects.

    held_out: which of them are seen by copies that are held out (B,); none when left out.
    """

    draws: Draws
    codes: np.ndarray
    atlas: TextureAtlas
    world: World = World()
    held_out: np.ndarray | None = None

    @property
    def device(self) -> torch.device:
        """Where their fields are computed."""
        return self.atlas.image.device

    @property
    def copy(self) -> np.ndarray:
        """Which physical copy of the sensor sees each sample, int64 (B,)."""
        held = self.world.held_out_copies
        common = self.draws.integer("copy", self.world.copies - held)
        if self.held_out is None or not held:
            return common
        apart = self.world.copies - held + self.draws.integer("held-out copy", held)
        return np.where(self.held_out, apart, common)

    def tensor(self, values: np.ndarray) -> torch.Tensor:
        """Drawn numbers as float32 on that device."""
        return tensor(values, self.device)


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A batch of presses ready to be computed and rendered."""

    surface: Surface
    press: Press
    look: Look


class SceneSet(ABC):
    """One labelled set. Subclasses say what differs from a rigid object pressed near the apex.

    Attributes:
        columns: the label columns.
        title: of its task, where that is none that vtbench knows by name.
        fractions: of train, val and test images; 70 / 15 / 15 % (SARL, arXiv 2512.01908).
        objects: number of different objects, which occur equally often.
        shear: factor on the unlabelled motion after touch, of standard deviation 0.8 mm and 3°.
            The published contacts have none (the move columns of the poses in
            sirine-b/MultiDiffSense_ICRA are 0); PoseNet (Lepora, RAM 2020) collects edges with it.
            Without any, pins alone tell shapes apart as well as sight does (docs/simulator.md).
    """

    name: ClassVar[str]
    columns: ClassVar[dict[str, Column]]
    title: ClassVar[str | None] = None
    fractions: ClassVar[tuple[float, float, float]] = (0.70, 0.15, 0.15)
    objects: ClassVar[int] = 1
    shear: ClassVar[float] = 0.0

    @abstractmethod
    def body(self, samples: Samples) -> Surface:
        """The objects."""

    def drawn_labels(self, samples: Samples) -> Numbers:
        """The label columns that pose or object give, float64 or int64 codes (B,).

        By default an object's code is its class.
        """
        return {name: samples.codes for name, column in self.columns.items() if column.classes}

    def felt_labels(self, contact: Contact) -> Numbers:
        """The label columns that only the contact gives, float64 (B,)."""
        raise NotImplementedError(f"the labels of {self.name} do not depend on the contact")

    def pose(self, samples: Samples) -> Numbers:
        """Pose, depth and stiffness (B,): the keys of `Press` but for the motion."""
        draws = samples.draws
        return {
            "x": draws.uniform("x", -3.0, 3.0),
            "y": draws.uniform("y", -3.0, 3.0),
            "yaw": draws.uniform("yaw", -np.pi / 2, np.pi / 2),
            "depth": draws.uniform("depth", 0.7, 2.5),
            "modulus": np.full(len(draws), HARDNESS_MODULUS["rigid"]),
        }

    def motion(self, samples: Samples, factor: float) -> Numbers:
        """Motion after touch (B,): the remaining keys of `Press`."""
        motion = factor * samples.draws.normal("motion", width=3, limit=2.0)
        return {
            "shear_x": 0.8 * motion[:, 0],
            "shear_y": 0.8 * motion[:, 1],
            "twist": np.radians(3.0) * motion[:, 2],
        }

    def colors(self, samples: Samples) -> tuple[np.ndarray, np.ndarray]:
        """Two colours (B, 3) of each object."""
        return printed_part_colors(samples.draws, samples.world.variety)

    def surface(self, samples: Samples) -> Surface:
        """The objects, half of them with a print that can be seen and not felt."""
        draws = samples.draws
        tile = tile_index(1 + draws.integer("print", 5), draws.integer("print variant", VARIANTS))
        strength = draws.uniform("print strength", 0.2, 1.0) * self._printed(samples)
        return Printed(
            body=self.body(samples),
            atlas=samples.atlas,
            tile=torch.from_numpy(tile).to(samples.device),
            period=samples.tensor(draws.uniform("print period", 10.0, 24.0)),
            strength=samples.tensor(strength),
        )

    def _printed(self, samples: Samples) -> np.ndarray:
        return samples.draws.uniform("printed") < 0.5 * samples.world.variety

    def scene(self, samples: Samples) -> Scene:
        """Everything that is needed to render the samples."""
        world = samples.world
        motion = self.motion(samples, self.shear if world.shear is None else world.shear)
        numbers = self.pose(samples) | motion
        return Scene(
            surface=self.surface(samples),
            press=Press(**{name: samples.tensor(values) for name, values in numbers.items()}),
            look=draw_look(
                samples.draws,
                self.colors(samples),
                copy=samples.copy,
                device=samples.device,
                variety=world.variety,
            ),
        )
