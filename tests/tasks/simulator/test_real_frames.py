"""Simulated TacTip, ViTac and ViTacTip beside the published frames of the real ones.

The frames are the example data of sirine-b/MultiDiffSense_ICRA (MIT), 512 pixels wide, in the
folder vitactip-frames of VTBENCH_REAL_DATA: the same presses of a bar seen by all three.
"""

from __future__ import annotations

import csv
import dataclasses
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from vtbench.tasks.simulator.camera import Camera
from vtbench.tasks.simulator.contact import Points, Press
from vtbench.tasks.simulator.generator import Generator
from vtbench.tasks.simulator.pins import PinField
from vtbench.tasks.simulator.sensors import TACTIP, VITAC, VITACTIP, Mounting, Sensor
from vtbench.tasks.simulator.sets import SETS
from vtbench.tasks.simulator.shapes import block, box

pytestmark = pytest.mark.skipif(
    "VTBENCH_REAL_DATA" not in os.environ,
    reason="VTBENCH_REAL_DATA does not name the folder of real recordings",
)

SIZE = 512
CENTRE = (256.1, 250.7)  # column and row of the middle of the pins, median of the TacTip frames
RINGS = (1, 8, 16, 16, 32, 32, 32)

# Where the bar lies in ViTac frames 0 … 10: column and row of its middle in pixels, and its angle
# in degrees; its ends were found by contrast with the skin on both sides.
BARS = (
    (240.2, 269.9, 0.6),
    (265.5, 201.2, 0.6),
    (242.8, 272.1, 1.0),
    (301.5, 249.9, 3.0),
    (210.5, 238.3, 2.7),
    (301.6, 251.3, 5.0),
    (291.5, 234.5, 5.1),
    (274.0, 262.5, 3.8),
    (244.4, 219.6, 3.1),
    (215.4, 239.0, 4.1),
    (250.7, 239.6, 4.6),
)


@dataclass(frozen=True)
class Bar:
    """The pressed bar: 20 × 2.2 mm, measured on the same frames."""

    def gap(self, at: Points) -> torch.Tensor:
        return block(box(at.x, at.y, 10.0, 1.1), at.soft)


@pytest.fixture(scope="module")
def frames() -> Path:
    return Path(os.environ["VTBENCH_REAL_DATA"]) / "vitactip-frames"


@pytest.fixture(scope="module")
def real_tips(frames: Path) -> np.ndarray:
    """Column and row (11, 137, 2) of the pin tips, in the order of the first frame's."""
    tips = [pin_tips(frames / "TacTip" / f"{number}.jpg") for number in range(len(BARS))]
    reference = tips[2]
    for _ in range(5):  # pins move less than half their distance from the median
        matched = np.array([found[nearest(reference, found)] for found in tips])
        reference = np.median(matched, axis=0)
    return matched


def pin_tips(path: Path) -> np.ndarray:
    """Centres (n, 2) of the bright spots of a TacTip frame."""
    grey = torch.from_numpy(np.asarray(Image.open(path), dtype=np.float32)).mean(2) / 255.0
    row, column = torch.meshgrid(*[torch.arange(SIZE) + 0.5] * 2, indexing="ij")
    bright = (grey > 0.3) & (torch.hypot(row - SIZE / 2, column - SIZE / 2) < 190.0)
    label = torch.arange(1.0, SIZE**2 + 1.0).view(SIZE, SIZE) * bright
    for _ in range(40):  # the largest number floods its spot
        label = F.max_pool2d(label[None], 3, 1, 1)[0] * bright
    _, spot = torch.unique(label[bright], return_inverse=True)
    weight, places = grey[bright].double(), torch.stack([column, row], 2)[bright].double()
    pixels = torch.bincount(spot)
    total = torch.bincount(spot, weight)
    sums = [torch.bincount(spot, weight * place) for place in places.T]
    return (torch.stack(sums, 1) / total[:, None])[pixels > 25].numpy()


def nearest(points: np.ndarray, to: np.ndarray) -> np.ndarray:
    return ((points[:, None] - to[None]) ** 2).sum(-1).argmin(1)


def simulated_tips(poses: np.ndarray) -> np.ndarray:
    """Column and row (11, 137, 2) of the tips under the same presses, z = 0 being 1.5 mm deep."""
    ideal = dataclasses.replace(
        TACTIP,
        marks=dataclasses.replace(TACTIP.marks, misplacement=0.0, radius_spread=0.0),
        body=dataclasses.replace(TACTIP.body, mounting=Mounting(focal=0.0, centre=0.0, roll=0.0)),
    )
    camera = Camera(ideal.body, size=SIZE, copies=1, stream="ideal", device=torch.device("cpu"))
    pins = PinField(ideal.marks, camera, stream="ideal")
    column, row, angle = np.array(BARS).T
    depth = 1.5 - poses[:, 2]  # negative z is deeper
    per_pixel = (ideal.body.pupil_to_apex - depth) / (ideal.body.focal * SIZE)  # mm
    numbers = {field.name: np.zeros(len(BARS)) for field in dataclasses.fields(Press)} | {
        "x": (column - CENTRE[0]) * per_pixel,
        "y": (row - CENTRE[1]) * per_pixel,
        "yaw": np.radians(angle),
        "depth": depth,
        "modulus": np.full(len(BARS), 50.0),
    }
    press = Press(**{name: torch.from_numpy(v).float() for name, v in numbers.items()})
    mechanics = Generator(ideal, size=64, seed=0).renderer.mechanics
    copy = torch.zeros(len(BARS), dtype=torch.long)
    tip, _ = pins.positions(mechanics.press(Bar(), press), copy)
    moved = torch.stack(camera.project(*tip, copy), dim=-1).double().numpy()
    return moved + (np.array(CENTRE) - SIZE / 2)


@pytest.mark.parametrize(
    ("sensor", "folder", "near"),
    [(TACTIP, "TacTip", 0.01), (VITAC, "ViTac", 0.05), (VITACTIP, "ViTacTip", 0.05)],
    ids=lambda value: getattr(value, "name", ""),
)
def test_mean_color_is_that_of_the_frames(
    frames: Path, sensor: Sensor, folder: str, near: float
) -> None:
    pictures = [np.asarray(Image.open(path)) for path in (frames / folder).glob("*.jpg")]
    bars = np.zeros(48, dtype=int)
    images = Generator(sensor, size=112, seed=0).images(SETS["shape"], np.arange(48), bars)
    real, simulated = (np.mean(each, axis=(0, 1, 2)) / 255.0 for each in (pictures, images))

    assert len(pictures) >= 10
    assert simulated == pytest.approx(real, abs=near)


def test_pin_rings_have_the_radii_of_the_frames(frames: Path, real_tips: np.ndarray) -> None:
    def radii(tips: np.ndarray) -> np.ndarray:
        distance = np.sort(np.linalg.norm(tips - tips.mean(1, keepdims=True), axis=-1), axis=1)
        rings = np.split(distance, np.cumsum(RINGS)[:-1], axis=1)
        return np.array([np.median(ring) for ring in rings[1:]])

    assert real_tips.shape == (11, 137, 2)
    assert radii(simulated_tips(poses(frames))) == pytest.approx(radii(real_tips), abs=5.0)


def poses(frames: Path) -> np.ndarray:
    """x, y, z in mm (11, 3) of the presses as published.

    The order is that of the frames: the bar's place is linear in x and y within 2 pixels in rows.
    """
    with (frames / "poses.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["image_name"]]
    return np.array([[float(row[f"pose_{axis}"]) for axis in (1, 2, 3)] for row in rows])


def test_pins_move_as_the_real_ones_do(frames: Path, real_tips: np.ndarray) -> None:
    """Motion relative to the median press, for there is no frame without contact."""
    simulated = simulated_tips(poses(frames))
    real_rest, rest = np.median(real_tips, axis=0), np.median(simulated, axis=0)
    real = real_tips - real_rest
    moved = (simulated - rest)[:, nearest(real_rest, rest)]

    def correlation(a: np.ndarray, b: np.ndarray) -> float:
        return float((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum()))

    shuffled = [correlation(real, np.roll(moved, shift, axis=0)) for shift in range(1, 11)]

    assert correlation(real, moved) > 0.8
    assert np.median([correlation(a, b) for a, b in zip(real, moved, strict=True)]) > 0.8
    assert 0.9 < (real * moved).sum() / (moved * moved).sum() < 1.3
    assert abs(np.mean(shuffled)) < 0.2
