"""Nine carbide cutting tools and eleven hand tools, as height functions.

The real GelSight set shows nine cutting tools and the real PnuTac set eleven hand tools, published
as type_1, type_2, … only (github PraRob/VTac-). Which tools those are is not known: names and
dimensions here are inventions of ours, within what a catalogue offers.

Each function gives the depth in mm of the surface below the tool's highest point. Cutting tools
lie on their side along x, tip to the right.

Legend: s = `size` (B, 1, 1), a factor on the lateral dimensions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from vtbench.tasks.simulator.contact import Points
from vtbench.tasks.simulator.shapes import RELIEF, Height, block, box, rounded, wall

_TIP = 6.0  # mm from a cutting tool's origin to its tip
_FACE = 0.15  # mm along the circumference that a cutting face takes, where it is sharp


@dataclass(frozen=True, kw_only=True)
class _Flutes:
    """Teeth around a bar: `count` of them on `radius` mm, wound at `helix` degrees.

    Behind each cutting edge comes a land that falls away by `relief` mm per mm over the share
    `land` of the pitch, then a gullet `depth` mm deep, then the face of the next edge.
    """

    radius: float
    count: int
    helix: float
    land: float
    depth: float
    relief: float = 0.12

    def __call__(self, at: Points, s: Tensor) -> Tensor:
        phase, pitch = self.phase(at, s), self.pitch * s
        into = ((phase - self.land) / (0.4 * (1.0 - self.land))).clamp_(0.0, 1.0)
        loss = (2.0 - into).mul_(into).mul_(self.depth)  # a gullet with a round bottom
        loss.add_(phase.clamp(max=self.land).mul_(self.relief * pitch))
        face = phase.neg_().add_(1.0).mul_(pitch / (_FACE + 2.0 * at.soft)).clamp_(max=1.0)
        return loss.mul_(face)

    @property
    def pitch(self) -> float:
        """mm along the circumference from edge to edge."""
        return 2.0 * math.pi * self.radius / self.count

    def phase(self, at: Points, s: Tensor) -> Tensor:
        """Distance along the circumference from the edge in front, in pitches: 0 … 1."""
        wound = math.tan(math.radians(self.helix)) / self.pitch
        edges = _around(at, self.radius * s).div_(self.pitch * s).sub_(at.x * (wound / s))
        return edges.sub_(edges.floor())


def _around(at: Points, radius: Tensor) -> Tensor:
    """Distance in mm along the circumference of a lying bar from its highest line."""
    return (at.y / radius).clamp_(-0.98, 0.98).asin_().mul_(radius)


def _bar(at: Points, s: Tensor, radius: float) -> Tensor:
    """A lying bar with a flat end."""
    return rounded(at.y, radius * s) + block(at.x - _TIP * s, at.soft)


def _zigzag(value: Tensor, pitch: Tensor) -> Tensor:
    """0 on lines `pitch` apart, 1 midway between them, straight flanks."""
    periods = value / pitch
    return periods.sub_(periods.round()).abs_().mul_(2.0)


_TWO_FLUTES = _Flutes(radius=2.5, count=2, helix=42.0, land=0.38, depth=0.45, relief=0.08)
_FOUR_FLUTES = _Flutes(radius=3.6, count=4, helix=45.0, land=0.38, depth=0.40)
_BALL_FLUTES = _Flutes(radius=3.0, count=2, helix=36.0, land=0.72, depth=0.30, relief=0.02)
_DRILL_FLUTES = _Flutes(radius=2.8, count=2, helix=40.0, land=0.55, depth=0.55, relief=0.0)
_ROUGH_FLUTES = _Flutes(radius=4.2, count=4, helix=38.0, land=0.62, depth=0.45, relief=0.03)
_THREAD_FLUTES = _Flutes(radius=4.0, count=4, helix=0.0, land=0.65, depth=0.9, relief=0.0)
_REAMER_FLUTES = _Flutes(radius=4.0, count=8, helix=0.0, land=0.40, depth=0.45, relief=0.05)


def _end_mill_2_flutes(at: Points, s: Tensor) -> Tensor:
    return _bar(at, s, _TWO_FLUTES.radius) + _TWO_FLUTES(at, s)


def _end_mill_4_flutes(at: Points, s: Tensor) -> Tensor:
    return _bar(at, s, _FOUR_FLUTES.radius) + _FOUR_FLUTES(at, s)


def _ball_nose_mill(at: Points, s: Tensor) -> Tensor:
    radius = _BALL_FLUTES.radius
    beyond = (at.x - (_TIP - radius) * s).clamp_(min=0.0)
    away = torch.hypot(beyond, at.y)  # a bar that ends in half a ball
    outside = (away - radius * s).clamp_(0.0, RELIEF)
    return rounded(away, radius * s) + outside + _BALL_FLUTES(at, s)


def _twist_drill(at: Points, s: Tensor) -> Tensor:
    point = (at.x - (_TIP - 1.7) * s).clamp_(min=0.0) * 1.66  # 118° at the tip
    behind = _DRILL_FLUTES.phase(at, s) * (_DRILL_FLUTES.pitch * s)
    margin = wall(behind - 0.7 * s, at.soft)  # a raised strip at the edge
    body = rounded(at.y, _DRILL_FLUTES.radius * s) + point.clamp_(max=RELIEF)
    return body + 0.14 * margin + _DRILL_FLUTES(at, s)


def _roughing_mill(at: Points, s: Tensor) -> Tensor:
    waves = 0.16 * (1.0 - torch.cos(2.0 * math.pi * at.x / (1.3 * s)))  # break the chip
    return _bar(at, s, _ROUGH_FLUTES.radius) + waves + _ROUGH_FLUTES(at, s)


def _thread_mill(at: Points, s: Tensor) -> Tensor:
    return (
        _bar(at, s, _THREAD_FLUTES.radius) + 0.60 * _zigzag(at.x, 1.5 * s) + _THREAD_FLUTES(at, s)
    )


def _reamer(at: Points, s: Tensor) -> Tensor:
    lead = (at.x - (_TIP - 1.5) * s).clamp(min=0.0)  # 45° at the tip
    return _bar(at, s, _REAMER_FLUTES.radius) + lead.clamp_(max=RELIEF) + _REAMER_FLUTES(at, s)


def _double_cut_burr(at: Points, s: Tensor) -> Tensor:
    radius = 4.5
    around, wound = _around(at, radius * s), 0.7 * at.x  # teeth at ±35°
    teeth = _zigzag(around + wound, 1.3 * s) + _zigzag(around - wound, 1.3 * s)
    return _bar(at, s, radius) + 0.26 * teeth


def _square_insert(at: Points, s: Tensor) -> Tensor:
    """Lying flat: a hole for the screw, a groove along the edges, rounded corners."""
    corner = torch.hypot(
        (at.x.abs() - 4.4 * s).clamp_(min=0.0), (at.y.abs() - 4.4 * s).clamp_(min=0.0)
    )
    outline = corner - 0.8 * s  # zero on the rounded square of 10.4 mm
    hole = (2.3 * s - at.radius).clamp_(0.0, 1.2)  # countersunk at 45°
    inwards = -box(at.x, at.y, 5.2 * s, 5.2 * s)
    groove = (1.0 - ((inwards - 1.1 * s) / (0.6 * s)).square_()).clamp_(min=0.0).mul_(0.35)
    return block(outline, at.soft) + hole + groove


def _hexagon(x: Tensor, y: Tensor, inner: Tensor | float) -> Tensor:
    """Distance-like field of a regular hexagon with corners on the x axis."""
    slanted = 0.5 * math.sqrt(3.0) * x.abs() + 0.5 * y.abs()
    return torch.maximum(slanted, y.abs()) - inner


def _flat_screwdriver(at: Points, s: Tensor) -> Tensor:
    """End on: a straight edge whose flanks widen towards the shaft."""
    flank = (box(at.x, at.y, 4.5 * s, 0.6 * s) * 3.0).clamp_(0.0, 4.5)
    return flank + (at.radius - 5.2 * s).clamp_(0.0, 0.5).mul_(3.0)


def _phillips_screwdriver(at: Points, s: Tensor) -> Tensor:
    """End on: four wings that slope away from a blunt point."""
    wings = torch.minimum(at.x.abs(), at.y.abs()) - 0.55 * s
    slope = 0.42 * (at.radius - 1.0 * s).clamp_(min=0.0)
    valley = (wings * 4.0).clamp_(0.0, 2.4)
    return slope + valley + block(at.radius - 5.0 * s, at.soft)


def _hex_key(at: Points, s: Tensor) -> Tensor:
    """Lying flat: an L of a hexagonal bar, 5 mm across its flats."""
    x, y = at.x + 4.0 * s, at.y + 4.0 * s
    bend = 3.0 * s
    u, v = x - bend, y - bend  # from the centre of the bend
    along = torch.where(v < u, y, x)
    away = torch.where((u < 0) & (v < 0), torch.hypot(u, v) - bend, along).abs_()
    flank = 1.73 * (away - 1.44 * s).clamp_(min=0.0)
    ends = torch.maximum(x - 16.0 * s, y - 8.0 * s)
    return flank.clamp_(max=RELIEF) + block(ends, at.soft)


def _open_spanner(at: Points, s: Tensor) -> Tensor:
    """Lying flat: a jaw that opens at 15° to the handle."""
    x, y = at.x + 2.0 * s, at.y
    cos, sin = math.cos(math.radians(15.0)), math.sin(math.radians(15.0))
    along, across = x * cos + y * sin, y * cos - x * sin
    slot = torch.maximum(along - 1.2 * s, across.abs() - 2.9 * s)
    head = torch.maximum(torch.hypot(x, y) - 6.8 * s, -slot)
    handle = torch.maximum(5.0 * s - x, y.abs() - 2.3 * s)
    return block(torch.minimum(head, handle), at.soft)


def _ring_spanner(at: Points, s: Tensor) -> Tensor:
    """Lying flat: a ring with a hole of twelve points, its handle lower than the ring."""
    x, y = at.x + 2.0 * s, at.y
    hole = torch.minimum(_hexagon(x, y, 3.4 * s), _hexagon(y, x, 3.4 * s))
    ring = torch.maximum(torch.hypot(x, y) - 5.8 * s, -hole)
    handle = torch.maximum(5.0 * s - x, y.abs() - 2.3 * s)
    return torch.minimum(block(ring, at.soft), block(handle, at.soft) + 0.35)


def _socket(at: Points, s: Tensor) -> Tensor:
    """End on: a thin round wall about a hexagonal hole, bevelled on both sides."""
    rim = torch.maximum(at.radius - 5.4 * s, -_hexagon(at.x, at.y, 3.9 * s))
    return block(rim, at.soft) + 0.6 * (at.radius - 5.0 * s).clamp_(0.0, 0.6)


def _hammer(at: Points, s: Tensor) -> Tensor:
    """End on: a slightly domed square face with broken corners and a bevel."""
    outline = torch.maximum(
        box(at.x, at.y, 6.2 * s, 6.2 * s), (at.x.abs() + at.y.abs()) * 0.7071 - 7.2 * s
    )
    bevel = 0.9 * (outline + 1.1 * s).clamp_(min=0.0)
    return bevel.clamp_(max=RELIEF) + block(outline, at.soft) + 0.008 * at.radius.square()


def _pliers(at: Points, s: Tensor) -> Tensor:
    """Lying flat: two tapering jaws that gape, with teeth, on a round joint."""
    x, y = at.x + 4.5 * s, at.y.abs()
    gape = 0.16 * x + 0.35 * s
    teeth = 0.9 * s * _zigzag(x, 2.4 * s)
    outer = 4.2 * s - 0.05 * x
    jaw = torch.maximum(torch.maximum(gape + teeth - y, y - outer), (x - 6.5 * s).abs() - 6.5 * s)
    joint = torch.hypot(x + 0.5 * s, y) - 4.6 * s
    rivet = 0.5 * (1.0 - wall(torch.hypot(x + 0.5 * s, y) - 1.7 * s, at.soft))
    return torch.minimum(block(jaw, at.soft), block(joint, at.soft) + rivet)


def _file(at: Points, s: Tensor) -> Tensor:
    """Lying flat: a blade cut twice, at 45° and less deeply at -60°."""
    first = _zigzag(0.707 * (at.x + at.y), 1.9 * s)
    second = _zigzag(0.5 * at.x - 0.866 * at.y, 1.9 * s)
    blade = torch.maximum(at.y.abs() - 4.5 * s, at.x - 8.0 * s)
    return block(blade, at.soft) + 0.55 * first + 0.40 * second


def _chisel(at: Points, s: Tensor) -> Tensor:
    """Lying flat: a blade with bevelled sides and a slope to its edge."""
    slope = 0.45 * (at.x - 0.5 * s).clamp_(min=0.0)
    sides = 0.8 * (at.y.abs() - 3.4 * s).clamp_(min=0.0)
    edges = torch.maximum(at.y.abs() - 5.2 * s, at.x - 7.0 * s)
    return torch.maximum(slope, sides).clamp_(max=RELIEF) + block(edges, at.soft)


def _punch(at: Points, s: Tensor) -> Tensor:
    """End on: a small flat tip on a cone."""
    return (0.62 * (at.radius - 0.9 * s).clamp_(min=0.0)).clamp_(max=RELIEF)


CUTTING_TOOLS: dict[str, Height] = {
    "end_mill_2_flutes": _end_mill_2_flutes,
    "end_mill_4_flutes": _end_mill_4_flutes,
    "ball_nose_mill": _ball_nose_mill,
    "twist_drill": _twist_drill,
    "roughing_mill": _roughing_mill,
    "thread_mill": _thread_mill,
    "reamer": _reamer,
    "double_cut_burr": _double_cut_burr,
    "square_insert": _square_insert,
}

HAND_TOOLS: dict[str, Height] = {
    "flat_screwdriver": _flat_screwdriver,
    "phillips_screwdriver": _phillips_screwdriver,
    "hex_key": _hex_key,
    "open_spanner": _open_spanner,
    "ring_spanner": _ring_spanner,
    "socket": _socket,
    "hammer": _hammer,
    "pliers": _pliers,
    "file": _file,
    "chisel": _chisel,
    "punch": _punch,
}
