"""The tasks are neither trivial nor hopeless, and each sensor feels what it should.

Small fits in closed form; docs/simulator/difficulty.py trains networks on all of it.
"""

from __future__ import annotations

import numpy as np
import pytest

from vtbench.tasks.simulator.generator import Generator
from vtbench.tasks.simulator.packs import simulated_packs
from vtbench.tasks.simulator.sensors import SENSORS
from vtbench.tasks.simulator.sets import SETS

HOME = {task: pack.sensors[0] for pack in simulated_packs() for task in pack.tasks}
HOME |= dict.fromkeys(tuple(SETS)[:6], "vitactip")  # the default among the three of that build


def ridge(inputs: np.ndarray, target: np.ndarray, train: int, strength: float) -> np.ndarray:
    """Predictions for the rows after `train`, from those before."""
    scaled = (inputs - inputs[:train].mean(0)) / (inputs[:train].std(0) + 1e-6)
    mean = target[:train].mean(0)
    gram = scaled[:train] @ scaled[:train].T + strength * train * np.eye(train)  # few rows
    return scaled[train:] @ (scaled[:train].T @ np.linalg.solve(gram, target[:train] - mean)) + mean


CLASSIFICATIONS = [
    name for name, scenes in SETS.items() if any(c.classes for c in scenes.columns.values())
]


@pytest.mark.parametrize("name", [name for name in CLASSIFICATIONS if name != "material"])
def test_the_colors_of_an_image_do_not_give_its_class_away(name: str) -> None:
    scenes = SETS[name]
    classes, train = scenes.objects, 30 * scenes.objects
    indices = np.arange(40 * classes)
    codes = indices % classes
    generator = Generator(SENSORS[HOME[name]], size=32, seed=0)
    images = generator.images(scenes, indices, codes).astype(np.float64)
    colors = np.concatenate([images.mean((1, 2)), images.std((1, 2))], axis=1)
    found = ridge(colors, np.eye(classes)[codes], train, 1e-3).argmax(1)

    assert (found == codes[train:]).mean() < max(0.25, 3.0 / classes)


@pytest.mark.parametrize(("sensor", "least", "most"), [("vitac", 0.9, 9.0), ("tactip", 0.0, 0.6)])
def test_drag_is_felt_by_pins_and_not_seen_through_a_bare_skin(
    sensor: str, least: float, most: float
) -> None:
    indices, codes, train = np.arange(800), np.zeros(800, int), 600
    generator = Generator(SENSORS[sensor], size=48, seed=0)
    grey = generator.images(SETS["force"], indices, codes).mean(3).reshape(800, -1)
    labels = generator.labels(SETS["force"], indices, codes)
    force = np.stack([labels["fx"], labels["fy"]], axis=1)
    error = np.abs(ridge(grey, force, train, 0.3) - force[train:]).mean()
    ignorant = np.abs(np.median(force[:train], 0) - force[train:]).mean()

    assert least < error / ignorant < most
