"""What lies behind the marks: the skin's own picture, and the object and lamp as it shows them.

A backdrop is a list of layers, each a colour times a one-channel field of how much of it there is:

    image = Σ colour_i · amount_i

Every field is already weighted with what the marks leave free. What has fine structure is computed
at R pixels, what the smooth skin gives at H pixels and interpolated.

Shapes: K sensor copies, B samples, S pixels per side of the image, R = S or 2 S, H = R / 2.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from vtbench.tasks.simulator.appearance import ILLUMINATION_CELLS, Look
from vtbench.tasks.simulator.camera import Camera, of_copy
from vtbench.tasks.simulator.contact import DEFLECTION, SLOPE_X, SLOPE_Y, Contact, Points, column
from vtbench.tasks.simulator.resampling import doubled, halved
from vtbench.tasks.simulator.scenes import Scene
from vtbench.tasks.simulator.sensors import BlackSkin, ClearBlock, ClearSkin
from vtbench.tasks.simulator.skin import black_dome, clear_dome, side_lit_block


class Layer(NamedTuple):
    """A colour, broadcastable to (B, 3, S, S), and how much of it there is (B, S, S)."""

    color: torch.Tensor
    amount: torch.Tensor


@dataclass(frozen=True, kw_only=True)
class Shares:
    """How much of each pixel (B, S, S) is skin, and how much light the object sends.

    `printed` is the part of the object's light that has its second colour.
    """

    skin: torch.Tensor
    object: torch.Tensor
    printed: torch.Tensor | None


class Backdrop(ABC):
    """Skin and what it shows, for K sensor copies whose pictures (K, 3, R, R) are given."""

    def __init__(self, picture: torch.Tensor, camera: Camera, *, size: int) -> None:
        self.camera, self.size = camera, size
        self.picture = self._at_size(picture)  # (K, 3, S, S)

    @abstractmethod
    def layers(self, scene: Scene, contact: Contact, free: torch.Tensor) -> Iterator[Layer]:
        """What is seen where the marks leave the view `free` (B or 1, R, R), 0 … 1."""

    def _at_size(self, field: torch.Tensor) -> torch.Tensor:
        """A fine field (…, R, R) as (…, S, S)."""
        return field if field.shape[-1] == self.size else halved(field)


class BlackBackdrop(Backdrop):
    """An opaque skin, which nothing but the exposure changes."""

    def __init__(self, skin: BlackSkin, camera: Camera, *, size: int, stream: str) -> None:
        super().__init__(black_dome(skin, camera, stream=stream), camera, size=size)

    def layers(
        self,
        scene: Scene,
        contact: Contact,  # noqa: ARG002
        free: torch.Tensor,
    ) -> Iterator[Layer]:
        """The skin."""
        amount = self._at_size(free) * column(scene.look.gain)
        yield Layer(of_copy(self.picture, scene.look.copy), amount)


class ClearBackdrop(Backdrop):
    """A see-through skin. Subclasses say where the light comes from."""

    def __init__(
        self, skin: ClearSkin | ClearBlock, picture: torch.Tensor, camera: Camera, *, size: int
    ) -> None:
        super().__init__(picture, camera, size=size)
        self.skin = skin
        self._places = halved(camera.skin).permute(0, 2, 3, 1).contiguous()  # (K, H, H, 2) mm
        self._hats = _hats(size).to(camera.ray.device)  # (5, S)

    def shares(self, scene: Scene, deflection: torch.Tensor, free: torch.Tensor) -> Shares:
        """How much is seen of what, where the skin has moved by `deflection` (B, H, H) in mm."""
        seen, shade, tone = self._object(scene, doubled(deflection))
        skin = self._at_size((1.0 - seen).mul_(free))
        light = shade.mul_(seen).mul_(free)
        printed = None if tone is None else self._at_size(tone.mul_(light))
        return Shares(skin=skin, object=self._at_size(light), printed=printed)

    def _object(
        self, scene: Scene, deflection: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        """Visibility, shading and tone of the object behind the skin, each (B, R, R).

        Rays are met with the object's top plane. What hangs in the air behind the skin is out of
        focus and fades with its gap to the skin.
        """
        look, press, camera = scene.look, scene.press, self.camera
        ray = of_copy(camera.ray, look.copy)
        plane = column(camera.body.pupil_to_apex - press.depth)
        x, y = press.to_object(ray[:, 0], ray[:, 1], stretch=plane)
        air = of_copy(camera.sag, look.copy) - column(press.depth)
        sharp = max(0.10, camera.spacing / 2.0)  # mm; this and the loss of focus are chosen
        soft = torch.relu(air).mul_(0.35).add_(sharp)
        points = Points(x=x, y=y, soft=soft, spacing=camera.spacing)
        gap, tone = scene.surface.gap_and_tone(points)
        behind = air.add_(gap).add_(deflection).clamp_(min=0.0)
        behind.mul_(column(-1.0 / (self.skin.haze * look.haze))).clamp_(min=-30.0)
        seen = behind.exp_().mul_(of_copy(camera.disc, look.copy)).mul_(self.skin.transparency)
        return seen, _shading(gap, look, camera.spacing), tone

    def _lit(self, look: Look) -> torch.Tensor:
        """Exposure times the uneven light across the skin (B, S, S)."""
        rows = torch.matmul(self._hats.T.double(), look.illumination.double()).float()  # (B, S, 5)
        lit = rows[..., 0, None] * self._hats[0]
        for cell in range(1, ILLUMINATION_CELLS):
            lit.add_(rows[..., cell, None] * self._hats[cell])
        return lit.add_(1.0).mul_(column(look.gain))


class LampLit(ClearBackdrop):
    """A clear dome under a ring of white LEDs, which is reflected in the skin."""

    def __init__(self, skin: ClearSkin, camera: Camera, *, size: int, stream: str) -> None:
        picture = clear_dome(skin, camera, stream=stream)
        super().__init__(skin, picture, camera, size=size)
        self._disc = self._at_size(camera.disc)  # (K, S, S)
        self._white = torch.ones(1, 3, 1, 1, device=camera.ray.device)

    def layers(self, scene: Scene, contact: Contact, free: torch.Tensor) -> Iterator[Layer]:
        """The skin, its reflection of the lamp and the object's colours."""
        look = scene.look
        places = of_copy(self._places, look.copy)
        fields = contact.at(places, DEFLECTION, SLOPE_X, SLOPE_Y)
        shares = self.shares(scene, fields[:, 0], free)
        glare = self._glare(fields[:, 1:], places, look)
        yield Layer(of_copy(self.picture, look.copy), self._lit(look).mul_(shares.skin))
        yield Layer(self._white, shares.skin.mul_(glare).mul_(column(look.glare)))
        # The lamp brightens the object too where it is reflected: both numbers are chosen.
        lamp = glare.mul_(0.45).add_(0.78).mul_(column(look.gain))
        yield Layer(look.bright[..., None, None], shares.object.mul_(lamp))
        if shares.printed is not None:
            yield Layer((look.dark - look.bright)[..., None, None], shares.printed.mul_(lamp))

    def _glare(self, slopes: torch.Tensor, places: torch.Tensor, look: Look) -> torch.Tensor:
        """Reflection of the LED ring in the bent skin (B, S, S), 0 … 1.

        It lies where the skin's slope (`slopes` (B, 2, H, H) more than at rest) is the lamp's, so
        it spreads as the skin is flattened.
        """
        curvature = 1.0 / self.camera.body.curvature_radius
        slope_x = slopes[:, 0] + places[..., 0] * curvature - column(look.lamp_x)
        slope_y = slopes[:, 1] + places[..., 1] * curvature - column(look.lamp_y)
        away = slope_x.square_().add_(slope_y.square_())
        away.mul_(-0.5 / self.skin.glare_width**2).clamp_(min=-30.0)
        glare = away.exp_()
        if glare.shape[-1] != self.size:
            glare = doubled(glare)
        return glare.mul_(of_copy(self._disc, look.copy))


class SideLit(ClearBackdrop):
    """A clear block with coloured LEDs at its sides, which light the object too."""

    def __init__(self, skin: ClearBlock, camera: Camera, *, size: int, stream: str) -> None:
        picture = side_lit_block(skin, camera, stream=stream)
        super().__init__(skin, picture, camera, size=size)

    def layers(self, scene: Scene, contact: Contact, free: torch.Tensor) -> Iterator[Layer]:
        """The block and the object's colours in its light."""
        look = scene.look
        deflection = contact.at(of_copy(self._places, look.copy), DEFLECTION)[:, 0]
        shares = self.shares(scene, deflection, free)
        gain = column(look.gain)
        picture = of_copy(self.picture, look.copy)
        light = picture * self.skin.object_light
        yield Layer(picture, self._lit(look).mul_(shares.skin))
        bright = (light * look.bright[..., None, None]).add_(self.skin.veil)
        yield Layer(bright, shares.object.mul_(gain))
        if shares.printed is not None:
            printed = light * (look.dark - look.bright)[..., None, None]
            yield Layer(printed, shares.printed.mul_(gain))


def _shading(gap: torch.Tensor, look: Look, spacing: float) -> torch.Tensor:
    """Brightness of relief (B, R, R) under light off the axis; grooves are darker."""
    shade = gap.clamp(max=1.0).mul_(-0.30).add_(1.0)
    per_step = 1.0 / (2.0 * spacing)
    across = (gap[:, :, 2:] - gap[:, :, :-2]).mul_(column(look.relief_x * per_step))
    shade[:, :, 1:-1].add_(across)
    down = (gap[:, 2:] - gap[:, :-2]).mul_(column(look.relief_y * per_step))
    shade[:, 1:-1].add_(down)
    return shade.clamp_(0.40, 1.5)


def _hats(size: int) -> torch.Tensor:
    """Weights (5, S) of the cells of `Look.illumination`, whose outermost lie on the border."""
    places = np.linspace(0.0, ILLUMINATION_CELLS - 1.0, size)
    away = np.abs(places[None] - np.arange(ILLUMINATION_CELLS)[:, None])
    return torch.tensor(np.maximum(1.0 - away, 0.0), dtype=torch.float32)
