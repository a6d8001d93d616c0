"""The six labelled sets of the simulated ViTacTip.

Class counts and label columns follow SARL (arXiv 2512.01908); it prints no ranges, so those are
chosen unless a source stands beside them.

Units: mm, N, MPa; yaw in degrees in labels, in radians in `Press`. Shapes: B samples.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch

from vtbench.tasks.data.schema import Column
from vtbench.tasks.simulator.appearance import specimen_colors
from vtbench.tasks.simulator.contact import Contact
from vtbench.tasks.simulator.materials import HARDNESS_MODULUS, MATERIALS, SPECIMENS, TEXTURES
from vtbench.tasks.simulator.objects import (
    RIDGE_WIDTH,
    Ball,
    Grating,
    Plate,
    Shapes,
    Sheet,
    Surface,
)
from vtbench.tasks.simulator.scenes import Numbers, Samples, SceneSet
from vtbench.tasks.simulator.sensors import VITACTIP
from vtbench.tasks.simulator.shapes import SHAPES
from vtbench.tasks.simulator.textures import VARIANTS, tile_index
from vtbench.tasks.simulator.transfer import TRANSFER_SETS

GRATING_GAPS = (0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0)  # mm between ridges
SHEAR = 0.35  # chosen: a robot's press never is quite straight; pins alone feel it most
CONTACT_DISC = 8.0  # mm, radius of the disc that contact points fill evenly


class ShapeSet(SceneSet):
    """Which of 21 printed indenters is pressed. Published poses reach ±5 mm; here ±3 mm."""

    name = "shape"
    columns: ClassVar = {"shape": Column(classes=tuple(SHAPES))}
    objects = len(SHAPES)
    shear = SHEAR

    def body(self, samples: Samples) -> Surface:
        size = samples.tensor(samples.draws.uniform("size", 0.92, 1.08))
        return Shapes(codes=samples.codes, size=size.view(-1, 1, 1))


class GratingSet(SceneSet):
    """Which of seven ridge spacings is pressed."""

    name = "grating"
    columns: ClassVar = {"grating": Column(classes=tuple(f"{gap:.2f} mm" for gap in GRATING_GAPS))}
    objects = len(GRATING_GAPS)
    shear = SHEAR

    def body(self, samples: Samples) -> Surface:
        pitch = samples.tensor(RIDGE_WIDTH + np.array(GRATING_GAPS)[samples.codes])
        relief = samples.tensor(samples.draws.uniform("relief", 1.0, 1.4))
        return Grating(pitch=pitch.view(-1, 1, 1), relief=relief.view(-1, 1, 1))

    def pose(self, samples: Samples) -> Numbers:
        return super().pose(samples) | {
            "yaw": samples.draws.uniform("yaw", -np.pi / 4, np.pi / 4),
            "depth": samples.draws.uniform("depth", 1.0, 2.4),
        }


class MaterialSet(SceneSet):
    """Which of 24 specimens is pressed, as its material, hardness and texture."""

    name = "material"
    columns: ClassVar = {
        "material": Column(classes=MATERIALS),
        "hardness": Column(classes=tuple(HARDNESS_MODULUS)),
        "texture": Column(classes=TEXTURES),
    }
    objects = len(SPECIMENS)
    shear = SHEAR

    def surface(self, samples: Samples) -> Surface:
        return self.body(samples)  # a specimen's two colours follow its own relief

    def body(self, samples: Samples) -> Surface:
        codes = samples.codes
        texture = np.array([TEXTURES.index(specimen.texture) for specimen in SPECIMENS])[codes]
        amplitude = np.array([specimen.amplitude for specimen in SPECIMENS])[codes]
        period = np.array([specimen.period for specimen in SPECIMENS])[codes]
        return Sheet(
            atlas=samples.atlas,
            tile=torch.from_numpy(tile_index(texture, codes % VARIANTS)).to(samples.device),
            amplitude=samples.tensor(amplitude).view(-1, 1, 1),
            period=samples.tensor(period * samples.draws.uniform("size", 0.92, 1.08)),
        )

    def pose(self, samples: Samples) -> Numbers:
        draws = samples.draws
        modulus = np.array([HARDNESS_MODULUS[specimen.hardness] for specimen in SPECIMENS])
        return super().pose(samples) | {
            "x": draws.uniform("x", -9.0, 9.0),  # more than half a period: any part of the relief
            "y": draws.uniform("y", -9.0, 9.0),
            "depth": draws.uniform("depth", 1.3, 2.1),
            "modulus": modulus[samples.codes] * np.exp(0.08 * draws.normal("modulus")[:, 0]),
        }

    def colors(self, samples: Samples) -> tuple[np.ndarray, np.ndarray]:
        return specimen_colors(samples.draws, samples.codes)

    def drawn_labels(self, samples: Samples) -> Numbers:
        def code(name: str, column: Column) -> np.ndarray:
            classes = column.classes or ()
            return np.array([classes.index(getattr(specimen, name)) for specimen in SPECIMENS])

        return {name: code(name, column)[samples.codes] for name, column in self.columns.items()}


class ForceSet(SceneSet):
    """The force in N under a ball of 4 mm radius that presses and drags."""

    name = "force"
    columns: ClassVar = {axis: Column(unit="N") for axis in ("fx", "fy", "fz")}

    def body(self, samples: Samples) -> Surface:
        return Ball(radius=samples.tensor(np.full((len(samples.draws), 1, 1), 4.0)))

    def pose(self, samples: Samples) -> Numbers:
        return super().pose(samples) | {"depth": samples.draws.uniform("depth", 0.2, 3.0)}

    def motion(self, samples: Samples, factor: float) -> Numbers:
        """The drag is the label: it does not scale with the unlabelled motion of other sets."""
        unlabelled = super().motion(samples, factor)
        return unlabelled | {
            "shear_x": samples.draws.uniform("drag x", -2.5, 2.5),
            "shear_y": samples.draws.uniform("drag y", -2.5, 2.5),
        }

    def felt_labels(self, contact: Contact) -> Numbers:
        forces = (contact.shear_force_x, contact.shear_force_y, contact.normal_force)
        return {
            axis: force.double().cpu().numpy().round(6)  # micronewtons: float32 ends there
            for axis, force in zip(self.columns, forces, strict=True)
        }


class ContactPointSet(SceneSet):
    """Where a ball of 2.0 … 3.5 mm radius touches, in mm from the apex."""

    name = "contact_point"
    columns: ClassVar = {"x": Column(unit="mm"), "y": Column(unit="mm")}
    shear = SHEAR

    def body(self, samples: Samples) -> Surface:
        radius = samples.tensor(samples.draws.uniform("radius", 2.0, 3.5))
        return Ball(radius=radius.view(-1, 1, 1))

    def pose(self, samples: Samples) -> Numbers:
        point = self.drawn_labels(samples)
        distance = np.hypot(point["x"], point["y"])
        first_touch = distance**2 / (2.0 * VITACTIP.body.curvature_radius)
        depth = first_touch + samples.draws.uniform("depth", 0.6, 2.2)
        return super().pose(samples) | point | {"depth": depth}

    def drawn_labels(self, samples: Samples) -> Numbers:
        distance = CONTACT_DISC * np.sqrt(samples.draws.uniform("distance"))
        angle = samples.draws.uniform("angle", 0.0, 2.0 * np.pi)
        x, y = distance * np.cos(angle), distance * np.sin(angle)
        return {"x": x.round(6), "y": y.round(6)}


class EdgePoseSet(SceneSet):
    """Where the straight edge of a plate lies: offset and depth in mm, yaw in degrees.

    x is the signed distance from the apex to the edge along the edge's normal, which points away
    from the plate. Ranges of offset and yaw as in PoseNet's 3-D edge (Lepora, RAM 2020).
    """

    name = "edge_pose"
    columns: ClassVar = {
        "x": Column(unit="mm"),
        "z": Column(unit="mm"),
        "yaw": Column(unit="deg"),  # ±45°, so it does not wrap
    }
    shear = SHEAR

    def body(self, samples: Samples) -> Surface:
        thickness = samples.tensor(samples.draws.uniform("thickness", 4.0, 8.0))
        return Plate(relief=thickness.view(-1, 1, 1))

    def pose(self, samples: Samples) -> Numbers:
        label = self.drawn_labels(samples)
        yaw = np.radians(label["yaw"])
        x, y = label["x"] * np.cos(yaw), label["x"] * np.sin(yaw)
        return super().pose(samples) | {"x": x, "y": y, "yaw": yaw, "depth": label["z"]}

    def drawn_labels(self, samples: Samples) -> Numbers:
        draws = samples.draws
        return {
            "x": draws.uniform("edge x", -5.0, 5.0).round(6),
            "z": draws.uniform("edge z", 0.5, 2.5).round(6),
            "yaw": draws.uniform("edge yaw", -45.0, 45.0).round(6),
        }


_LABELLED = (ShapeSet, GratingSet, MaterialSet, ForceSet, ContactPointSet, EdgePoseSet)

#: The six sets of ViTacTip, then those of `transfer`.
SETS: dict[str, SceneSet] = {kind.name: kind() for kind in (*_LABELLED, *TRANSFER_SETS)}
