"""Images of a skin that is lit from behind and hides the object: GelSight's gel, PnuTac's membrane.

Rays are met with the object's top plane, where the overlap of object and skin is computed pixel by
pixel; the skin's response to it is that of `contact.py`, but fine enough for the narrow Gaussian.
The surface normal gives the shading. Nothing of the object's own colour is seen.

Shapes: B samples, S pixels per side of the image, R = S or 2 S of the fields.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vtbench.tasks.simulator.blur import blur
from vtbench.tasks.simulator.camera import of_copy
from vtbench.tasks.simulator.coats import gel_pictures, light_directions, membrane_pictures
from vtbench.tasks.simulator.contact import Contact, Points, column
from vtbench.tasks.simulator.dots import DotField
from vtbench.tasks.simulator.random import Draws
from vtbench.tasks.simulator.render import Renderer
from vtbench.tasks.simulator.scenes import Scene
from vtbench.tasks.simulator.sensors import Sensor

_DEEPEST_SHADOW = 0.3  # mm below the neighbourhood, from which on it is as dark: chosen
_STEADY = 0.5  # share of the uneven light of `Look` on skins whose lamps are built in: chosen


@dataclass(frozen=True, kw_only=True)
class Relief:
    """The pressed skin at the pixels (B, R, R), mm.

    `height` is the deflection towards the camera, `wide` the wide part of the response by itself;
    `slope_x` and `slope_y` are those of the deflection.
    """

    height: Tensor
    wide: Tensor
    slope_x: Tensor
    slope_y: Tensor


class ReflectingRenderer(Renderer):
    """What opaque skins share. Subclasses paint the untouched skin and shade its relief."""

    def __init__(
        self, sensor: Sensor, *, size: int, copies: int = 1, device: torch.device | str = "cpu"
    ) -> None:
        super().__init__(sensor, size=size, copies=copies, device=device)
        camera, skin = self.camera, sensor.skin
        draws = Draws(0, self.stream, np.arange(copies))
        self._skin = F.avg_pool2d(self.painted(draws), self.factor)  # (K, 3, S, S)
        self._lights = light_directions(skin.azimuths, skin.colors, camera, draws)  # (K, 2, 3)
        self.dots = DotField(sensor.marks, camera, stream=self.stream) if sensor.marks else None
        self._square = camera.ray.square().sum(1)  # (K, R, R) tan² of the viewing angle

    @abstractmethod
    def painted(self, draws: Draws) -> Tensor:
        """Colour (K, 3, R, R) of the untouched skin of K copies."""

    @abstractmethod
    def shaded(self, relief: Relief, copy: Tensor) -> Tensor:
        """Colour (B, 3, S, S) of the pressed skins of the copies (B,); may change the relief."""

    def render(self, scene: Scene, contact: Contact) -> Tensor:
        """Images (B, 3, S, S) in 0 … 1."""
        look = scene.look
        image = self.shaded(self.relief(scene), look.copy)
        size = (self.size, self.size)
        lit = F.interpolate(look.illumination[:, None], size, mode="bilinear", align_corners=True)
        lit.mul_(_STEADY).add_(1.0)
        image.mul_(lit.mul_(look.gain.view(-1, 1, 1, 1)))
        if self.dots:
            covered = self._pool(self.dots.coverage(contact, look.copy))[:, None]
            image.mul_(1.0 - covered).addcmul_(self.dots.color, covered)
        return self._noisy(image, look)

    def relief(self, scene: Scene) -> Relief:
        """How the presses of `scene` emboss the skin."""
        elastomer, camera = self.sensor.elastomer, self.camera
        near, far = elastomer.spread_weight
        indentation = self._indentation(scene)
        narrow, wide = (blur(indentation, sigma / camera.spacing) for sigma in elastomer.spread)
        height = narrow.mul_(near).add_(wide, alpha=far)
        plane = self.sensor.body.pupil_to_apex - scene.press.depth
        per_step = column(camera.focal[scene.look.copy] / (2.0 * plane))
        slope_x, slope_y = _differences(height)
        return Relief(
            height=height, wide=wide, slope_x=slope_x.mul_(per_step), slope_y=slope_y.mul_(per_step)
        )

    def _indentation(self, scene: Scene) -> Tensor:
        """The skin's share β p of the overlap, mm (B, R, R)."""
        camera, press = self.camera, scene.press
        ray = of_copy(camera.ray, scene.look.copy)
        plane = column(self.sensor.body.pupil_to_apex - press.depth)
        x, y = press.to_object(ray[:, 0], ray[:, 1], stretch=plane)
        soft = torch.tensor(camera.spacing, device=x.device)  # of a wall: over two pixels
        gap = scene.surface.gap(Points(x=x, y=y, soft=soft, spacing=camera.spacing))
        radius = self.sensor.body.curvature_radius
        # The sphere's depth - sag at that place is depth - radius + sqrt(radius² - ρ²).
        sphere = of_copy(self._square, scene.look.copy) * plane.square()
        sphere = sphere.neg_().add_(radius**2).clamp_(min=0.0).sqrt_()
        overlap = sphere.sub_(gap).add_(column(press.depth - radius)).clamp_(min=0.0)
        return overlap.mul_(column(self.sensor.elastomer.share(press.modulus)))

    def _lit(
        self, slope_x: Tensor, slope_y: Tensor, facing: Tensor, copy: Tensor
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Lateral components (B, 1, S, S) of the normal, and the lights (B, 3, 1, 1) along each."""
        for axis, slope in enumerate((slope_x, slope_y)):
            normal = self._pool(slope.mul_(facing)).neg_()
            yield normal[:, None], self._lights[copy, axis, :, None, None]


class GelRenderer(ReflectingRenderer):
    """Optics of `CoatedGel`."""

    def painted(self, draws: Draws) -> Tensor:
        """The background of real gels."""
        return gel_pictures(self.sensor.skin, self.camera, draws)

    def shaded(self, relief: Relief, copy: Tensor) -> Tensor:
        """Coloured flanks, darker where steep and beside contact."""
        skin = self.sensor.skin
        facing = _facing(relief.slope_x, relief.slope_y)
        shadow = (relief.wide - relief.height).clamp_(0.0, _DEEPEST_SHADOW)
        dark = (facing - 1.0).mul_(skin.steepness_loss).sub_(shadow, alpha=skin.shadow)
        image = of_copy(self._skin, copy) + self._pool(dark)[:, None]
        for light in self._lit(relief.slope_x, relief.slope_y, facing, copy):
            image.addcmul_(*light, value=skin.strength)
        return image


class MembraneRenderer(ReflectingRenderer):
    """Optics of `Membrane`."""

    def __init__(
        self, sensor: Sensor, *, size: int, copies: int = 1, device: torch.device | str = "cpu"
    ) -> None:
        super().__init__(sensor, size=size, copies=copies, device=device)
        from_centre = sensor.body.curvature_radius - self.camera.sag
        self._bulge = self.camera.skin / from_centre[:, None]  # (K, 2, R, R) slopes at rest

    def painted(self, draws: Draws) -> Tensor:
        """Grey, dark beyond the rim."""
        return membrane_pictures(self.sensor.skin, self.camera, draws)

    def shaded(self, relief: Relief, copy: Tensor) -> Tensor:
        """Its own bulge is shaded like what is pressed into it."""
        bulge = of_copy(self._bulge, copy)
        slope_x, slope_y = relief.slope_x.sub_(bulge[:, 0]), relief.slope_y.sub_(bulge[:, 1])
        facing = _facing(slope_x, slope_y)
        share = self.sensor.skin.facing
        # The cube is chosen, as `Membrane` says.
        along_axis = self._pool(facing.pow(3.0).mul_(share).add_(1.0 - share))[:, None]
        first, second = self._lit(slope_x, slope_y, facing, copy)
        image = torch.addcmul(along_axis, *first).addcmul_(*second)  # (B, 3, S, S)
        return image.clamp_(min=0.0).mul_(of_copy(self._skin, copy))


def _differences(height: Tensor) -> tuple[Tensor, Tensor]:
    """Twice the change per pixel of `height` along x and y; at the border that next to it."""
    along_x, along_y = torch.empty_like(height), torch.empty_like(height)
    torch.sub(height[:, :, 2:], height[:, :, :-2], out=along_x[:, :, 1:-1])
    torch.sub(height[:, 2:], height[:, :-2], out=along_y[:, 1:-1])
    for border, inside in ((0, 1), (-1, -2)):
        along_x[:, :, border] = along_x[:, :, inside]
        along_y[:, border] = along_y[:, inside]
    return along_x, along_y


def _facing(slope_x: Tensor, slope_y: Tensor) -> Tensor:
    """Component of the surface normal along the camera's axis, 0 … 1."""
    return (slope_x * slope_x).addcmul_(slope_y, slope_y).add_(1.0).rsqrt_()
