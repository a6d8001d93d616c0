"""Sensors as declarations: geometry, elastomer, pins and skin, each number with its source.

Lengths are in millimetres, moduli in megapascals, colours are RGB in 0 … 1.
Sources named below:

- *FEM*: the finite-element parameters of a ViTacTip of the same laboratory, public repository
  piotr-blaszyk/shallow-vessel-palpation-simulator-and-AI,
  difftactile/system-params/system-params.json at 3d3645a (later commits rescale them).
- *frames*: measured on the ten ViTacTip and eleven ViTac frames published as example data of
  MultiDiffSense, public repository sirine-b/MultiDiffSense_ICRA, data/example at a265b82.
- *fitted*: the constants for which pin displacements of this contact model correlate best with
  those of ten TacTip frames of the same example data (0.88; 0.89 on frames held out).
- *chosen*: no source; picked to look and behave plausibly.
"""

from __future__ import annotations

from dataclasses import dataclass, field

Color = tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class Dome:
    """A spherical skin looked at from inside by an equidistant fisheye camera."""

    curvature_radius: float = 36.33  # FEM: (20² + 6²) / (2 · 6), wall radius 20, cap height 6
    skin_radius: float = 19.0  # FEM: inner wall radius, the visible disc
    pupil_to_apex: float = 20.0  # FEM: lens to outer apex
    thickness: float = 1.0  # FEM: skin
    focal: float = 0.531  # frames: focal length / image side; r = focal · θ (FEM: 230 px of 480)


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


@dataclass(frozen=True, kw_only=True)
class Pins:
    """Pins on the inner side of the skin, on concentric rings."""

    rings: tuple[int, ...] = (8, 16, 16, 32, 32, 32)  # frames: 137 with the one at the apex
    pitch: float = 1.7  # frames: ring spacing 25 of 512 px
    length: float = 1.2  # chosen: within what the projection of the rings allows
    radius: float = 0.33  # frames: tip radius 4.9 of 512 px
    color: Color = (0.10, 0.095, 0.085)  # frames: dark tips on the bright skin
    opacity: float = 0.93  # frames
    stem_opacity: float = 0.16  # chosen: faint shade where the pin grows out of the skin


@dataclass(frozen=True, kw_only=True)
class Skin:
    """Colour of the untouched skin along its radius, and the tube around it."""

    # Frames: medians over contacts; inside 0.5 lowered to the part without the LED glare,
    # which the renderer adds by itself.
    radii: tuple[float, ...] = (0.0, 0.35, 0.45, 0.55, 0.65, 0.75, 0.85, 0.95, 1.05)
    red: tuple[float, ...] = (0.50, 0.51, 0.51, 0.505, 0.475, 0.43, 0.370, 0.310, 0.27)
    green: tuple[float, ...] = (0.49, 0.49, 0.48, 0.465, 0.430, 0.385, 0.345, 0.305, 0.27)
    blue: tuple[float, ...] = (0.46, 0.45, 0.43, 0.40, 0.355, 0.31, 0.275, 0.260, 0.23)
    tube: Color = (0.052, 0.071, 0.103)  # frames: r / R of 1.05 … 1.25
    glare_width: float = 0.13  # frames: 0.25 R, as a slope of the skin


@dataclass(frozen=True, kw_only=True)
class Sensor:
    """One sensor: what is pressed, what marks the motion and what the camera sees."""

    name: str
    title: str
    dome: Dome = field(default_factory=Dome)
    elastomer: Elastomer = field(default_factory=Elastomer)
    pins: Pins = field(default_factory=Pins)
    skin: Skin = field(default_factory=Skin)


VITACTIP = Sensor(name="vitactip", title="ViTacTip")
