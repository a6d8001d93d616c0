"""Images of a see-through dome with pins: skin, lamp, object behind the skin, pins, noise.

    image = skin · A + Σ colour_i · O_i + G + pin colour · P

A, O_i, G and P are one-channel fields: how much of a pixel is skin, object of each of its two
colours, reflection of the lamp, and pin. What has fine structure is computed at twice the image
size below 112 pixels and averaged, for a pin would be smaller than a pixel; colour comes last.

Shapes: B samples, S pixels per side of the image, R = S or 2 S of the fields.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from vtbench.tasks.errors import DataError
from vtbench.tasks.simulator.appearance import NOISE_FIELDS, Look
from vtbench.tasks.simulator.camera import Camera, of_copy, sag
from vtbench.tasks.simulator.contact import (
    DEFLECTION,
    SLOPE_X,
    SLOPE_Y,
    Contact,
    ContactModel,
    Points,
    column,
    grid_centres,
)
from vtbench.tasks.simulator.pins import PinField
from vtbench.tasks.simulator.random import Draws
from vtbench.tasks.simulator.scenes import Scene
from vtbench.tasks.simulator.sensors import Dome, Sensor
from vtbench.tasks.simulator.skin import skin_pictures

SMALLEST, LARGEST = 32, 256
_SUPERSAMPLED_BELOW = 112  # pixels; a pin is then at least 2 pixels wide in the fields
_CLEAREST = 0.92  # share of the light that comes through the skin where it touches: chosen
_OUTSIDE = 50.0  # mm per mm; beyond the skin's rim nothing can be touched


@dataclass(frozen=True, kw_only=True)
class _Amounts:
    """How much of each pixel is what (B, S, S); `dark` is the part of `bright` of second colour."""

    hidden: torch.Tensor
    bright: torch.Tensor
    dark: torch.Tensor | None
    pin: torch.Tensor


class Renderer:
    """Physics and optics of `copies` physical copies of one sensor at one image size.

    Raises DataError for a size that is odd or not within 32 … 256.
    """

    def __init__(
        self, sensor: Sensor, *, size: int, copies: int = 1, device: torch.device | str = "cpu"
    ) -> None:
        if size % 2 or not SMALLEST <= size <= LARGEST:
            raise DataError(
                f"The simulator cannot render {size} pixels; choose an even size from {SMALLEST} "
                f"to {LARGEST}."
            )
        device = torch.device(device)
        stream = f"copies of {sensor.name}"
        self.sensor, self.size = sensor, size
        self.factor = 2 if size < _SUPERSAMPLED_BELOW else 1
        self.camera = Camera(
            sensor.dome, size=size * self.factor, copies=copies, stream=stream, device=device
        )
        self.mechanics = ContactModel(sensor.elastomer, _rest_shape(sensor.dome), device=device)
        self.pins = PinField(sensor.pins, self.camera, stream=stream, device=device)
        self._build_tables(skin_pictures(sensor.skin, self.camera, stream=stream), device)

    def _build_tables(self, skin: torch.Tensor, device: torch.device) -> None:
        camera = self.camera
        self._skin = F.avg_pool2d(skin, self.factor)  # (K, 3, S, S)
        self._disc = F.avg_pool2d(camera.disc, self.factor)  # (K, S, S)
        places = F.avg_pool2d(camera.skin, self.factor)
        self._places = places.permute(0, 2, 3, 1).contiguous()  # (K, S, S, 2) mm
        self._fine_places = camera.skin.permute(0, 2, 3, 1).contiguous()  # (K, R, R, 2) mm
        self._noise = _noise_fields(self.size).to(device)
        self._pin_color = torch.tensor(self.sensor.pins.color, device=device).view(1, 3, 1, 1)

    def contact(self, scene: Scene) -> Contact:
        """What the presses of `scene` do to the skin."""
        return self.mechanics.press(scene.surface, scene.press)

    def render(self, scene: Scene, contact: Contact) -> torch.Tensor:
        """Images (B, 3, S, S) in 0 … 1."""
        pin = self.pins.coverage(contact, scene.look.copy)
        free = 1.0 - pin
        seen, shade, tone = self._object(scene, contact)
        hidden = self._pool(free * (1.0 - seen))
        bright = shade.mul_(seen).mul_(free)
        dark = None if tone is None else self._pool(tone.mul_(bright))
        amounts = _Amounts(hidden=hidden, bright=self._pool(bright), dark=dark, pin=self._pool(pin))
        return self._color(amounts, self._glare(contact, scene.look), scene.look)

    def _pool(self, field: torch.Tensor) -> torch.Tensor:
        """Means over the `factor` × `factor` fine pixels of each pixel: (B, R, R) to (B, S, S)."""
        if self.factor == 1:
            return field
        rows = field[:, 0::2] + field[:, 1::2]
        return (rows[:, :, 0::2] + rows[:, :, 1::2]).mul_(0.25)

    def _glare(self, contact: Contact, look: Look) -> torch.Tensor:
        """Reflection of the LED ring in the bent skin (B, S, S), 0 … 1.

        It lies where the skin's slope is the lamp's, so it spreads as the skin is flattened.
        """
        places = of_copy(self._places, look.copy)  # (B, S, S, 2) mm
        slopes = _at(contact.fields[:, SLOPE_X : SLOPE_Y + 1], places)
        curvature = 1.0 / self.sensor.dome.curvature_radius
        slope_x = slopes[:, 0] + places[..., 0] * curvature - column(look.lamp_x)
        slope_y = slopes[:, 1] + places[..., 1] * curvature - column(look.lamp_y)
        away = slope_x.square_().addcmul_(slope_y, slope_y)
        away.mul_(0.5 / self.sensor.skin.glare_width**2).clamp_(max=30.0)
        return torch.exp(away.neg_()).mul_(of_copy(self._disc, look.copy))

    def _object(
        self, scene: Scene, contact: Contact
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        """Visibility, shading and tone of the object behind the skin, each (B, R, R).

        Rays are met with the object's top plane. What hangs in the air behind the skin is out of
        focus and fades with its gap to the skin.
        """
        look, press, camera = scene.look, scene.press, self.camera
        ray = of_copy(camera.ray, look.copy)
        plane = column(self.sensor.dome.pupil_to_apex - press.depth)
        x, y = press.to_object(ray[:, 0] * plane, ray[:, 1] * plane)
        air = of_copy(camera.sag, look.copy) - column(press.depth)
        sharp = max(0.10, camera.spacing / 2.0)  # mm; this and the loss of focus are chosen
        soft = torch.relu(air).mul_(0.35).add_(sharp)
        points = Points(x=x, y=y, soft=soft, spacing=camera.spacing)
        gap, tone = scene.surface.gap_and_tone(points)
        deflection = _at(
            contact.fields[:, DEFLECTION : DEFLECTION + 1], of_copy(self._fine_places, look.copy)
        )
        behind = air.add_(gap).add_(deflection[:, 0]).clamp_(min=0.0).div_(column(-look.haze))
        seen = torch.exp(behind.clamp_(min=-30.0)).mul_(of_copy(camera.disc, look.copy))
        return seen.mul_(_CLEAREST), _shading(gap, look, camera.spacing), tone

    def _color(self, amounts: _Amounts, glare: torch.Tensor, look: Look) -> torch.Tensor:
        """Colours how much there is of everything, and adds camera noise."""
        size = (self.size, self.size)
        lit = F.interpolate(look.illumination[:, None], size, mode="bilinear", align_corners=True)
        gain = column(look.gain)
        reflected = (0.78 + 0.45 * glare) * gain
        lights = [
            (of_copy(self._skin, look.copy), amounts.hidden * lit[:, 0].add_(1.0) * gain),
            (look.bright[..., None, None], amounts.bright * reflected),
            (self._pin_color, amounts.pin),
        ]
        if amounts.dark is not None:
            lights.append(((look.dark - look.bright)[..., None, None], amounts.dark * reflected))
        image = (glare * amounts.hidden * column(look.glare))[:, None].repeat(1, 3, 1, 1)
        for color, amount in lights:
            image.addcmul_(color, amount[:, None])
        # Noise measured on dark and bright parts of the published frames: 0.005 … 0.011.
        sigma = (0.005 + 0.006 * image[:, 1:2]) * look.noise_scale.view(-1, 1, 1, 1)
        return image.addcmul_(self._noise[look.noise_field], sigma).clamp_(0.0, 1.0)


def _at(fields: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """Fields of the elastic grid (B, C, m, m) at places (B or 1, h, w, 2) in mm: (B, C, h, w)."""
    grid = (places / ContactModel.half_width).expand(len(fields), -1, -1, -1)
    return F.grid_sample(fields, grid, mode="bilinear", align_corners=False)


def _shading(gap: torch.Tensor, look: Look, spacing: float) -> torch.Tensor:
    """Brightness of relief under light off the axis; grooves are darker."""
    shade = 1.0 - 0.30 * gap.clamp(max=1.0)
    per_step = 1.0 / (2.0 * spacing)
    shade[:, :, 1:-1] += (gap[:, :, 2:] - gap[:, :, :-2]) * column(look.relief_x * per_step)
    shade[:, 1:-1, :] += (gap[:, 2:, :] - gap[:, :-2, :]) * column(look.relief_y * per_step)
    return shade.clamp_(0.40, 1.5)


def _rest_shape(dome: Dome) -> np.ndarray:
    """Sag in mm of the undeformed skin on the contact grid (n, n)."""
    centres = grid_centres()
    rho = np.hypot(centres[:, None], centres[None])
    return sag(rho, dome) + _OUTSIDE * np.maximum(rho - dome.skin_radius, 0.0)


def _noise_fields(size: int) -> torch.Tensor:
    """Standard noise (F, 3, S, S), correlated along rows as by demosaicing."""
    draws = Draws(0, "camera noise", np.arange(NOISE_FIELDS))
    noise = draws.normal(f"{size} pixels", width=3 * size**2).reshape(-1, 3, size, size)
    noise += 0.5 * np.roll(noise, 1, axis=-1)
    return torch.from_numpy((noise / noise.std()).astype(np.float32))
