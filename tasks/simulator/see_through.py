"""Images of a skin that is looked through, or at its inner side: marks in front of a backdrop.

    image = Σ backdrop's colours · amounts · (1 - coverage) + colour of the marks · coverage + noise

What the backdrop and the marks are follows from the sensor's declaration; see `backdrop.py`,
`pins.py` and `grid.py`. Fine structure is computed at twice the image size below 112 pixels and
averaged, for a mark would be smaller than a pixel; colour comes last.

Shapes: B samples, S pixels per side of the image, R = S or 2 S of the fields.
"""

from __future__ import annotations

from types import NoneType

import torch

from vtbench.tasks.simulator.backdrop import BlackBackdrop, LampLit, Layer, SideLit
from vtbench.tasks.simulator.contact import Contact, column
from vtbench.tasks.simulator.grid import GridLayers
from vtbench.tasks.simulator.marks import NoMarks
from vtbench.tasks.simulator.pins import PinField
from vtbench.tasks.simulator.render import Renderer
from vtbench.tasks.simulator.scenes import Scene
from vtbench.tasks.simulator.sensors import BlackSkin, ClearBlock, ClearSkin, Grid, Pins, Sensor

BACKDROPS = {ClearSkin: LampLit, BlackSkin: BlackBackdrop, ClearBlock: SideLit}
MARKS = {NoneType: NoMarks, Pins: PinField, Grid: GridLayers}


class SeeThroughRenderer(Renderer):
    """Optics of the skins in BACKDROPS with the marks in MARKS."""

    def __init__(
        self, sensor: Sensor, *, size: int, copies: int = 1, device: torch.device | str = "cpu"
    ) -> None:
        super().__init__(sensor, size=size, copies=copies, device=device)
        backdrop, marks = BACKDROPS[type(sensor.skin)], MARKS[type(sensor.marks)]
        self.backdrop = backdrop(sensor.skin, self.camera, size=size, stream=self.stream)
        self.marks = marks(sensor.marks, self.camera, stream=self.stream)

    def render(self, scene: Scene, contact: Contact) -> torch.Tensor:
        """Images (B, 3, S, S) in 0 … 1."""
        look = scene.look
        covered = self.marks.coverage(contact, look.copy)
        shown = self._pool(covered) * column(look.gain)
        first, *others = self.backdrop.layers(scene, contact, covered.neg().add_(1.0))
        image = first.color * first.amount[:, None]
        for color, amount in (*others, Layer(self.marks.color, shown)):
            image.addcmul_(color, amount[:, None])
        return self._noisy(image, look)
