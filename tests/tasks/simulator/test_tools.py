"""Tools are solid, touch somewhere first, press harder when pressed deeper, and all differ."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch import Tensor

from vtbench.tasks.simulator.contact import ContactModel, Points, Press
from vtbench.tasks.simulator.generator import Generator
from vtbench.tasks.simulator.objects import Shapes
from vtbench.tasks.simulator.sensors import GELSIGHT, PNUTAC
from vtbench.tasks.simulator.shapes import Height
from vtbench.tasks.simulator.tools import CUTTING_TOOLS, HAND_TOOLS

TOOLS = CUTTING_TOOLS | HAND_TOOLS


def surface(
    height: Height, *, size: float = 1.0, spacing: float = 0.1, reach: float = 14.0
) -> Tensor:
    """Depth (n, n) of one tool over a square of ±reach mm."""
    line = torch.arange(-reach + spacing / 2, reach, spacing)
    y, x = torch.meshgrid(line, line, indexing="ij")
    points = Points(x=x[None], y=y[None], soft=torch.tensor(spacing), spacing=spacing)
    return height(points, torch.full((1, 1, 1), size))[0]


def test_there_are_nine_cutting_tools_and_eleven_hand_tools() -> None:
    assert len(CUTTING_TOOLS) == 9
    assert len(HAND_TOOLS) == 11
    assert len(TOOLS) == 20


@pytest.mark.parametrize("name", list(TOOLS))
@pytest.mark.parametrize("spacing", [0.07, 0.4])
def test_heights_are_finite_and_some_point_touches_first(name: str, spacing: float) -> None:
    for size in (0.82, 1.0, 1.18):
        gap = surface(TOOLS[name], size=size, spacing=spacing)

        assert gap.isfinite().all()
        assert gap.min() >= 0
        assert gap.min() < 0.02 + 0.3 * spacing
        assert gap.max() > 2.0  # deeper than the press: not a plate without end


@pytest.mark.parametrize("name", list(TOOLS))
def test_a_larger_tool_covers_more(name: str) -> None:
    small, middle, large = (
        (surface(TOOLS[name], size=size, reach=24.0, spacing=0.2) < 1.0).sum()
        for size in (0.82, 1.0, 1.18)
    )

    assert small < middle < large


@pytest.mark.parametrize("catalogue", [CUTTING_TOOLS, HAND_TOOLS])
def test_tools_differ_wherever_they_lie(catalogue: dict[str, Height]) -> None:
    """However a tool is shifted by up to 3 mm, it is not another one."""
    reliefs = [surface(height, spacing=0.5).clamp(max=1.5) for height in catalogue.values()]
    steps = range(-6, 7, 2)
    inner = slice(8, -8)
    for index, one in enumerate(reliefs):
        for other in reliefs[:index]:
            closest = min(
                (one[inner, inner] - other.roll((dy, dx), (0, 1))[inner, inner]).abs().mean()
                for dy in steps
                for dx in steps
            )
            assert closest > 0.02


@pytest.mark.parametrize("name", list(CUTTING_TOOLS))
def test_cutting_tools_end_at_their_tip(name: str) -> None:
    gap = surface(CUTTING_TOOLS[name], spacing=0.2)
    edge = {"square_insert": 5.2}.get(name, 6.0)
    x = torch.arange(-13.9, 14.0, 0.2)

    assert gap[:, x > edge + 0.5].min() > 1.0
    assert gap[:, (x > edge - 3.0) & (x < edge - 0.5)].min() < 0.5


def test_flutes_are_wound_around_their_bar() -> None:
    """Moving along a fluted tool by one turn over its flutes gives the same relief again."""
    height = CUTTING_TOOLS["end_mill_4_flutes"]
    pitch = 2.0 * np.pi * 3.6 / 4.0  # wound at 45°: as far along the bar as around it
    line = torch.linspace(-8.0, -1.0, 200)
    y, x = torch.meshgrid(torch.linspace(-1.5, 1.5, 31), line, indexing="ij")

    def at(shift: float) -> torch.Tensor:
        points = Points(x=x[None] + shift, y=y[None], soft=torch.tensor(0.1), spacing=0.05)
        return height(points, torch.ones(1, 1, 1))

    torch.testing.assert_close(at(0.0), at(-pitch), rtol=0, atol=1e-3)
    assert (at(0.0) - at(-pitch / 2)).abs().mean() > 0.1


def test_a_land_falls_away_behind_its_edge_and_ends_in_a_gullet() -> None:
    pitch = np.pi * 2.5 / np.tan(np.radians(42.0))  # along the bar from edge to edge
    behind = torch.tensor([0.1, 0.3, 0.8]) * pitch
    points = Points(
        x=-behind[None, None], y=torch.zeros(1, 1, 3), soft=torch.tensor(0.05), spacing=0.05
    )
    gap = CUTTING_TOOLS["end_mill_2_flutes"](points, torch.ones(1, 1, 1))[0, 0]

    assert 0.02 < gap[0] < gap[1] - 0.05 < gap[2] - 0.3


@pytest.mark.parametrize("name", list(TOOLS))
def test_force_grows_with_depth_for_every_tool(
    name: str, mechanics: dict[str, ContactModel]
) -> None:
    depths = torch.linspace(0.8, 3.0, 8)
    tool = Shapes(
        codes=np.full(8, list(TOOLS).index(name)), size=torch.ones(8, 1, 1), catalogue=TOOLS
    )
    rest = {field.name: torch.zeros(8) for field in dataclasses.fields(Press)}
    press = Press(**rest | {"depth": depths, "modulus": torch.full((8,), 50.0)})
    sensor = "gelsight" if name in CUTTING_TOOLS else "pnutac"
    force = mechanics[sensor].press(tool, press).normal_force

    assert force[0] > 0
    assert (force.diff() > 0).all()


@pytest.fixture(scope="module")
def mechanics() -> dict[str, ContactModel]:
    return {
        sensor.name: Generator(sensor, size=32, seed=0).renderer.mechanics
        for sensor in (GELSIGHT, PNUTAC)
    }
