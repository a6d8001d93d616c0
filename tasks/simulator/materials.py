"""The 24 material specimens: eight materials, four degrees of hardness, six surface textures.

The paper's material task is one head of a joint task (material, hardness, texture); how many
levels it has is not published. Every entry here is chosen: moduli span soft foam to rigid
plastic on both sides of the skin's own 0.33 MPa, so that hardness changes what the skin does.
The table runs through the materials three times, so that any stretch of it is balanced.
"""

from __future__ import annotations

from dataclasses import dataclass

from vtbench.tasks.simulator.sensors import Color

MATERIALS = ("wood", "metal", "plastic", "rubber", "fabric", "leather", "foam", "stone")
HARDNESS_MODULUS = {"soft": 0.08, "medium": 0.35, "firm": 1.6, "rigid": 50.0}  # MPa
TEXTURES = ("smooth", "grain", "coarse", "woven", "ribbed", "dotted")


@dataclass(frozen=True)
class Specimen:
    """One sample of material: relief in mm (amplitude, period), colours of heights and valleys."""

    name: str
    material: str
    hardness: str
    texture: str
    amplitude: float
    period: float
    light: str
    dark: str

    @property
    def colors(self) -> tuple[Color, Color]:
        """RGB in 0 … 1 of the heights and of the valleys."""
        return _rgb(self.light), _rgb(self.dark)


SPECIMENS = (
    Specimen("oak", "wood", "rigid", "grain", 0.10, 11.9, "9e7045", "734c2b"),
    Specimen("steel", "metal", "rigid", "smooth", 0.03, 13.6, "a8adb2", "999ea3"),
    Specimen("acrylic", "plastic", "rigid", "smooth", 0.02, 13.6, "d1d6db", "c7ccd4"),
    Specimen("rubber_mat", "rubber", "medium", "smooth", 0.03, 13.6, "29292b", "1f1f21"),
    Specimen("cotton", "fabric", "medium", "woven", 0.25, 8.5, "c7c2b8", "99948a"),
    Specimen("calfskin", "leather", "firm", "grain", 0.15, 10.2, "6b422b", "4c2e1c"),
    Specimen("sponge", "foam", "soft", "coarse", 0.60, 15.3, "d9bd5c", "8c732e"),
    Specimen("slate", "stone", "rigid", "coarse", 0.25, 17.0, "5c6166", "404247"),
    Specimen("balsa", "wood", "firm", "grain", 0.16, 15.3, "ccad80", "ad8c61"),
    Specimen("knurled_steel", "metal", "rigid", "dotted", 0.35, 10.2, "999ca1", "616369"),
    Specimen("abs", "plastic", "rigid", "coarse", 0.20, 13.6, "38383d", "242426"),
    Specimen("ribbed_rubber", "rubber", "medium", "ribbed", 0.45, 11.9, "333333", "1a1a1a"),
    Specimen("denim", "fabric", "firm", "woven", 0.30, 10.2, "4c618c", "2e3b5c"),
    Specimen("cowhide", "leather", "medium", "coarse", 0.35, 15.3, "613b26", "382114"),
    Specimen("eva", "foam", "medium", "smooth", 0.05, 13.6, "40739e", "36638c"),
    Specimen("sandstone", "stone", "rigid", "grain", 0.20, 8.5, "bd9e75", "997a57"),
    Specimen("ribbed_plywood", "wood", "rigid", "ribbed", 0.40, 10.2, "a88052", "7a5433"),
    Specimen("brushed_aluminium", "metal", "rigid", "ribbed", 0.12, 6.8, "c7c7c9", "a8a8ad"),
    Specimen("dotted_ldpe", "plastic", "firm", "dotted", 0.35, 11.9, "b8bdc2", "999ea6"),
    Specimen("dotted_rubber", "rubber", "firm", "dotted", 0.45, 13.6, "732924", "4c1a17"),
    Specimen("felt", "fabric", "soft", "grain", 0.20, 15.3, "75806b", "5c6654"),
    Specimen("suede", "leather", "medium", "smooth", 0.06, 13.6, "8c7054", "7a6147"),
    Specimen("dotted_foam", "foam", "soft", "dotted", 0.55, 15.3, "595961", "383840"),
    Specimen("ribbed_limestone", "stone", "rigid", "ribbed", 0.30, 13.6, "b2ad9e", "8a8578"),
)


def _rgb(digits: str) -> Color:
    red, green, blue = bytes.fromhex(digits)
    return red / 255.0, green / 255.0, blue / 255.0
