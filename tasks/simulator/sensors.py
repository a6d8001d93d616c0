"""Sensors as declarations: geometry, elastomer, skin and markers, each number with its source.

Lengths are in millimetres, moduli in megapascals, colours are RGB in 0 … 1.
Sources named below:

- *FEM*: the finite-element parameters of a ViTacTip of the same laboratory, public repository
  piotr-blaszyk/shallow-vessel-palpation-simulator-and-AI,
  difftactile/system-params/system-params.json at 3d3645a (later commits rescale them).
- *frames*: measured on the eleven TacTip, eleven ViTac and ten ViTacTip frames published as example
  data of MultiDiffSense, public repository sirine-b/MultiDiffSense_ICRA, data/example at a265b82.
- *fitted*: the constants for which pin displacements of this contact model correlate best with
  those of ten TacTip frames of the same example data (0.88; 0.89 on frames held out).
- *chosen*: no source; picked to look and behave plausibly. The looks of MagicTac and PnuTac are
  chosen as a whole: no picture of them was at hand, only what their papers say in words.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from vtbench.tasks.errors import DataError

if TYPE_CHECKING:
    import torch

Color = tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class Mounting:
    """How much the copies of one sensor differ in how the camera sits: all chosen.

    focal and centre are relative, ± of the focal length and of the image side; roll is ± degrees.
    """

    focal: float = 0.015
    centre: float = 0.015
    roll: float = 4.0


@dataclass(frozen=True, kw_only=True)
class Body:
    """A spherical skin, or a nearly flat one, looked at from behind by one camera.

    lens: "fisheye" is equidistant, r = focal · θ; "pinhole" is r = focal · tan θ.
    focal: focal length / image side. reach: half the side of the square in which contact is
    computed.
    """

    curvature_radius: float = 36.33  # FEM: (20² + 6²) / (2 · 6), wall radius 20, cap height 6
    skin_radius: float = 19.0  # FEM: inner wall radius, the visible disc
    pupil_to_apex: float = 20.0  # FEM: lens to outer apex
    thickness: float = 1.0  # FEM: skin
    lens: Literal["fisheye", "pinhole"] = "fisheye"
    focal: float = 0.531  # frames (FEM: 230 px of 480)
    reach: float = 15.0  # deeper than 3 mm the contact of a flat plate would leave it
    mounting: Mounting = field(default_factory=Mounting)


def flat(*, width: float, crown_radius: float, pupil_to_apex: float, thickness: float) -> Body:
    """A slightly crowned skin of which the image shows `width` mm; it fills the whole image."""
    return Body(
        curvature_radius=crown_radius,
        skin_radius=math.inf,
        pupil_to_apex=pupil_to_apex,
        thickness=thickness,
        lens="pinhole",
        focal=pupil_to_apex / width,
        reach=0.625 * width,
    )


@dataclass(frozen=True, kw_only=True)
class Elastomer:
    """What the skin does under load; see `contact.py` for the formulas."""

    modulus: float = 0.25  # FEM: Young's modulus of the single-material model, MPa
    poisson: float = 0.499  # FEM
    friction: float = 0.85  # FEM
    spread: tuple[float, float] = (1.8, 3.2)  # fitted: widths of the surface response
    spread_weight: tuple[float, float] = (0.4, 0.6)  # fitted
    squeeze: float = 2.4  # fitted: lateral displacement per slope of the wide response
    grip_depth: float = 0.25  # chosen: indentation at which the object holds the skin
    tangential_stiffness: float = 0.35  # chosen: N/mm, so that 2.5 mm of shear reaches ~1 N

    @property
    def plane_strain_modulus(self) -> float:
        """E / (1 - ν²), MPa (Johnson, Contact Mechanics, 1985, section 4.2)."""
        return self.modulus / (1.0 - self.poisson**2)

    def share(self, modulus: torch.Tensor) -> torch.Tensor:
        """β, the skin's part of the overlap with objects of `modulus` (B,): springs in series."""
        return modulus / (modulus + self.plane_strain_modulus)


@dataclass(frozen=True, kw_only=True)
class Pins:
    """Pins on the inner side of the skin, on concentric rings."""

    rings: tuple[int, ...] = (8, 16, 16, 32, 32, 32)  # frames: 137 with the one at the apex
    pitch: float = 1.7  # frames: ring spacing 25 of 512 px
    length: float = 1.2  # chosen: within what the projection of the rings allows
    radius: float = 0.33  # frames: tip radius 4.9 of 512 px (TacTip: 5.3)
    color: Color = (0.10, 0.095, 0.085)  # frames: dark tips on the bright skin
    opacity: float = 0.93  # frames
    stem_opacity: float = 0.16  # chosen: faint shade where the pin grows out of the skin
    misplacement: float = 0.05  # mm, standard deviation in one copy: chosen
    radius_spread: float = 0.05  # relative, standard deviation: chosen


@dataclass(frozen=True, kw_only=True)
class Dots:
    """Flat dots painted on the inside of a membrane, on a staggered lattice."""

    across: int = 11  # chosen: dots along a side
    pitch: float = 2.3  # chosen
    radius: float = 0.42  # chosen
    color: Color = (0.05, 0.05, 0.05)  # chosen
    opacity: float = 0.93  # chosen


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Layers of printed walls inside a clear elastomer (MagicTac, arXiv 2402.01366).

    A layer is parallel to the skin; the walls of all layers run along x and y, one below another.
    """

    depths: tuple[float, ...] = (1.0, 3.0, 5.0)  # mm below the skin: chosen
    widths: tuple[float, ...] = (0.16, 0.14, 0.12)  # mm, of the walls: chosen
    follows: tuple[float, ...] = (1.0, 0.6, 0.3)  # share of the skin's motion: chosen
    pitch: float = 2.0  # mm: chosen
    opacity: float = 0.5  # chosen
    color: Color = (0.05, 0.05, 0.055)  # chosen: dark resin that catches a little light
    misplacement: float = 0.1  # mm, standard deviation of the whole grid in one copy: chosen


@dataclass(frozen=True, kw_only=True)
class ClearSkin:
    """A see-through skin: colour of the untouched skin along its radius, and the tube around it.

    haze: factor on the gap over which an object behind the skin fades.
    transparency: share of an object's light that comes through where the skin touches it.
    """

    # Frames: medians over contacts; inside 0.5 lowered to the part without the LED glare,
    # which the renderer adds by itself.
    radii: tuple[float, ...] = (0.0, 0.35, 0.45, 0.55, 0.65, 0.75, 0.85, 0.95, 1.05)
    red: tuple[float, ...] = (0.50, 0.51, 0.51, 0.505, 0.475, 0.43, 0.370, 0.310, 0.27)
    green: tuple[float, ...] = (0.49, 0.49, 0.48, 0.465, 0.430, 0.385, 0.345, 0.305, 0.27)
    blue: tuple[float, ...] = (0.46, 0.45, 0.43, 0.40, 0.355, 0.31, 0.275, 0.260, 0.23)
    tube: Color = (0.052, 0.071, 0.103)  # frames: r / R of 1.05 … 1.25
    glare_width: float = 0.13  # frames: 0.25 R, as a slope of the skin
    haze: float = 1.0
    transparency: float = 0.92  # chosen


@dataclass(frozen=True, kw_only=True)
class BlackSkin:
    """An opaque skin: nothing of the object is seen, only what stands on the inner side."""

    color: Color = (0.030, 0.028, 0.034)  # frames
    rim: float = 0.02  # frames: brightness of the ring where skin and tube meet


@dataclass(frozen=True, kw_only=True)
class ClearBlock:
    """A clear block with coloured light from three sides, like the base of a DIGIT: all chosen.

    haze, transparency: as in `ClearSkin`; the haze of a dome, 2.2 … 4.0 mm, becomes 0.9 … 1.6.
    ambient: light that comes from everywhere. lights: colour of the left, right and upper LEDs.
    reach: where their light has fallen to 1 / e, in half widths of the image.
    object_light: factor on the light that falls on the object; veil: white that its surface adds.
    """

    ambient: Color = (0.27, 0.26, 0.28)
    lights: tuple[Color, Color, Color] = (
        (0.34, 0.05, 0.06),
        (0.05, 0.30, 0.07),
        (0.05, 0.07, 0.36),
    )
    reach: float = 0.7
    haze: float = 0.4
    transparency: float = 0.80
    object_light: float = 1.9
    veil: float = 0.12


@dataclass(frozen=True, kw_only=True)
class CoatedGel:
    """A gel with a reflecting coat under three coloured lights.

    The linear term in slope of Taxim's table (Si and Yuan, RA-L 2022), and a shadow round contact.

    *gel frames*: 1,648 frames of two GelSight Mini, public repository
    amitparag/Incipient-Slip-Detection, BSD 2-Clause, without their markers; medians of seven rows
    from top to bottom, `centre` in the middle third and `side` at 0.86 of half the width.

    azimuths: where each light shines from, degrees from +x to +y (downwards).
    strength: colour per lateral component of the surface normal.
    """

    centre: tuple[Color, ...] = (  # gel frames
        (0.170, 0.465, 0.560),
        (0.260, 0.475, 0.600),
        (0.390, 0.475, 0.635),
        (0.450, 0.465, 0.630),
        (0.440, 0.445, 0.545),
        (0.400, 0.430, 0.440),
        (0.345, 0.410, 0.385),
    )
    side: tuple[Color, ...] = (  # gel frames
        (0.165, 0.430, 0.510),
        (0.210, 0.425, 0.515),
        (0.305, 0.420, 0.555),
        (0.345, 0.415, 0.545),
        (0.330, 0.400, 0.495),
        (0.315, 0.395, 0.415),
        (0.325, 0.395, 0.375),
    )
    azimuths: tuple[float, float, float] = (210.0, 330.0, 90.0)  # gel frames: rims of imprints
    colors: tuple[Color, Color, Color] = (  # chosen: red, green, blue
        (0.95, 0.18, 0.16),
        (0.16, 0.90, 0.22),
        (0.18, 0.26, 0.98),
    )
    strength: float = 0.42  # gel frames: steep rims differ by up to 0.3 from the untouched gel
    steepness_loss: float = 0.10  # chosen: less light comes back from slopes
    shadow: float = 0.25  # chosen: brightness per mm that a place lies below its neighbourhood


@dataclass(frozen=True, kw_only=True)
class Membrane:
    """A grey inflated membrane, lit by two lights off its axis: all chosen.

    rim: radius in mm of the ring that holds it; dark beyond.
    facing: share of the light that comes along the axis and falls with the cube of the normal.
    """

    color: Color = (0.66, 0.64, 0.615)
    rim: float = 13.2
    facing: float = 0.60
    azimuths: tuple[float, float] = (200.0, 310.0)
    colors: tuple[Color, Color] = ((0.26, 0.245, 0.22), (0.19, 0.20, 0.215))  # warm, cool


Skin = ClearSkin | BlackSkin | ClearBlock | CoatedGel | Membrane
Marks = Pins | Dots | Grid

#: Which marks the renderer of each skin can draw.
CARRIED: dict[type, tuple[type, ...]] = {
    **dict.fromkeys((ClearSkin, BlackSkin, ClearBlock), (Pins, Grid)),
    **dict.fromkeys((CoatedGel, Membrane), (Dots,)),
}


@dataclass(frozen=True, kw_only=True)
class Sensor:
    """One sensor: what is pressed, what marks the motion and what the camera sees.

    build: sensors of one build share the mounting tolerances of their copies, so that the same
    press looks the same but for skin and marks.

    Raises DataError for marks that its skin cannot carry.
    """

    name: str
    title: str
    build: str
    body: Body = field(default_factory=Body)
    elastomer: Elastomer = field(default_factory=Elastomer)
    skin: Skin
    marks: Marks | None = None

    def __post_init__(self) -> None:
        skin, marks, carried = type(self.skin), type(self.marks), CARRIED[type(self.skin)]
        if self.marks is not None and marks not in carried:
            offered = " or ".join(kind.__name__ for kind in carried)
            raise DataError(
                f"The sensor {self.name!r} declares {marks.__name__}, which a {skin.__name__} "
                f"cannot carry; declare {offered}, or no marks."
            )


_DOME = "vitactip"

VITACTIP = Sensor(name="vitactip", title="ViTacTip", build=_DOME, skin=ClearSkin(), marks=Pins())

#: The same without pins.
VITAC = Sensor(name="vitac", title="ViTac", build=_DOME, skin=ClearSkin())

#: The same with an opaque skin and white tips; their colour is from the frames.
TACTIP = Sensor(
    name="tactip",
    title="TacTip",
    build=_DOME,
    skin=BlackSkin(),
    marks=Pins(radius=0.35, color=(0.60, 0.66, 0.69), opacity=1.0, stem_opacity=0.0),
)

#: MagicTac on the base of a TacTip.
MAGICTAC_T = Sensor(
    name="magictac-t",
    title="MagicTac-T",
    build="magictac-t",
    elastomer=Elastomer(modulus=0.5),  # chosen: printed elastomer with walls in it
    skin=ClearSkin(),
    marks=Grid(),
)

#: MagicTac on the base of a DIGIT.
MAGICTAC_D = Sensor(
    name="magictac-d",
    title="MagicTac-D",
    build="magictac-d",
    body=flat(width=18.0, crown_radius=120.0, pupil_to_apex=22.0, thickness=1.0),
    elastomer=Elastomer(
        modulus=0.5, spread=(0.6, 2.0), spread_weight=(0.55, 0.45), squeeze=1.3, grip_depth=0.3
    ),
    skin=ClearBlock(),
    marks=Grid(depths=(0.5, 2.2, 4.4), widths=(0.15, 0.13, 0.11), pitch=1.6),
)

GELSIGHT = Sensor(
    name="gelsight",
    title="GelSight",
    build="gelsight",
    body=flat(width=16.0, crown_radius=120.0, pupil_to_apex=22.0, thickness=2.0),
    elastomer=Elastomer(modulus=0.30, spread=(0.10, 0.70), spread_weight=(0.68, 0.32)),
    skin=CoatedGel(),
)

PNUTAC = Sensor(
    name="pnutac",
    title="PnuTac",
    build="pnutac",
    body=flat(width=26.0, crown_radius=32.0, pupil_to_apex=30.0, thickness=0.5),
    elastomer=Elastomer(
        modulus=0.08, spread=(0.5, 2.4), spread_weight=(0.65, 0.35), squeeze=1.6, grip_depth=0.3
    ),
    skin=Membrane(),
    marks=Dots(),
)

SENSORS: dict[str, Sensor] = {
    sensor.name: sensor
    for sensor in (VITACTIP, TACTIP, VITAC, MAGICTAC_T, MAGICTAC_D, GELSIGHT, PNUTAC)
}
