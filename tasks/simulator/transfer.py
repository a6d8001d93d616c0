"""The four labelled sets on which a trained encoder meets other sensors.

Class counts and splits follow SARL (arXiv 2512.01908), which names no classes of three of the sets
and prints no ranges: objects and ranges are chosen. Any sensor can render any of the sets.

Units: mm; yaw in radians. Shapes: B samples.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from vtbench.tasks.data.schema import Column
from vtbench.tasks.simulator.objects import Shapes, Surface
from vtbench.tasks.simulator.scenes import Numbers, Samples, SceneSet
from vtbench.tasks.simulator.shapes import SHAPES, Height
from vtbench.tasks.simulator.tools import CUTTING_TOOLS, HAND_TOOLS

#: Ten of the printed indenters that differ clearly from each other where they fit a small block.
SMALL_SHAPES: dict[str, Height] = {
    name: SHAPES[name]
    for name in (
        "edge_bar",
        "pacman",
        "cylinder",
        "ring",
        "dot_in",
        "wave",
        "dots",
        "cross_lines",
        "hexagon",
        "triangle",
    )
}


class TransferSet(SceneSet):
    """Which object of a catalogue is pressed.

    Attributes:
        catalogue: the objects, in the order of their class codes.
        sizes: smallest and largest factor on their lateral dimensions.
    """

    fractions = (0.60, 0.20, 0.20)
    catalogue: ClassVar[Mapping[str, Height]]
    sizes: ClassVar[tuple[float, float]]

    def body(self, samples: Samples) -> Surface:
        size = samples.tensor(samples.draws.uniform("size", *self.sizes))
        return Shapes(codes=samples.codes, size=size.view(-1, 1, 1), catalogue=self.catalogue)


class MagicTacTSet(TransferSet):
    """Which of the 21 printed indenters is pressed, as in the shape set."""

    name = "magictac_t"
    title = "MagicTac-T"
    columns: ClassVar = {"magictac_t": Column(classes=tuple(SHAPES))}
    objects = len(SHAPES)
    catalogue = SHAPES
    sizes = (0.92, 1.08)
    shear = 0.35


class MagicTacDSet(TransferSet):
    """Which of ten printed indenters is pressed, at four fifths of their size."""

    name = "magictac_d"
    title = "MagicTac-D"
    columns: ClassVar = {"magictac_d": Column(classes=tuple(SMALL_SHAPES))}
    objects = len(SMALL_SHAPES)
    catalogue = SMALL_SHAPES
    sizes = (0.8 * 0.82, 0.8 * 1.18)
    shear = 0.35

    def pose(self, samples: Samples) -> Numbers:
        return super().pose(samples) | {"depth": samples.draws.uniform("depth", 0.5, 1.6)}


class GelSightSet(TransferSet):
    """Which of nine cutting tools lies on the gel; it holds a part of each.

    Pose and depth are chosen: most of the imprint is on the 16 mm of gel, and no fainter than on
    real gels (frames of `sensors.CoatedGel`) but for a few presses that hardly touch.
    """

    name = "gelsight"
    title = "GelSight"
    columns: ClassVar = {"gelsight": Column(classes=tuple(CUTTING_TOOLS))}
    objects = len(CUTTING_TOOLS)
    catalogue = CUTTING_TOOLS
    sizes = (0.82, 1.18)
    shear = 0.625  # 0.5 mm

    def pose(self, samples: Samples) -> Numbers:
        draws = samples.draws
        return super().pose(samples) | {
            "x": draws.uniform("x", -3.0, 3.0),
            "y": draws.uniform("y", -3.5, 3.5),
            "yaw": np.radians(draws.uniform("yaw", -46.0, 46.0)),
            "depth": draws.uniform("depth", 0.35, 1.3),
        }


class PnuTacSet(TransferSet):
    """Which of eleven hand tools is pressed into the membrane."""

    name = "pnutac"
    title = "PnuTac"
    columns: ClassVar = {"pnutac": Column(classes=tuple(HAND_TOOLS))}
    objects = len(HAND_TOOLS)
    catalogue = HAND_TOOLS
    sizes = (0.82, 1.18)
    shear = 0.625  # 0.5 mm

    def pose(self, samples: Samples) -> Numbers:
        draws = samples.draws
        return super().pose(samples) | {
            "x": draws.uniform("x", -4.0, 4.0),
            "y": draws.uniform("y", -4.0, 4.0),
            "depth": draws.uniform("depth", 1.2, 3.2),
        }


TRANSFER_SETS = (MagicTacTSet, MagicTacDSet, GelSightSet, PnuTacSet)
