"""The figure of how well maps follow the image: bars from chance to value, and no more claimed."""

from __future__ import annotations

import pytest

from vtbench.results.figures.spatial import layers_and_measures
from vtbench.results.figures.style import styled
from vtbench.results.spatial import MEASURES
from vtbench.results.spatial_table import Reading, SpatialRow, SpatialTable

LAYERS = {"layer3": 6, "layer4": 3}


def reading(layer: str, measure: str, value: float | None) -> Reading:
    known = value is not None
    return Reading(
        layer=layer, measure=measure, warp="all", value=value, chance=0.1 if known else None,
        excess=value - 0.1 if known else None, low=value - 0.2 if known else None,
        high=value if known else None, images=40,
    )  # fmt: skip


def row(spec: str, value: float | None, seeds: tuple[int, ...]) -> SpatialRow:
    readings = {(c, m, "all"): reading(c, m, value) for c in LAYERS for m in MEASURES}
    return SpatialRow(
        spec=spec, title=spec.upper(), role="method", seeds=seeds, readings=readings, samples={}
    )


@pytest.fixture
def table() -> SpatialTable:
    return SpatialTable(
        rows=(row("sarl", 0.8, (0, 1)), row("byol", 0.6, (0,)), row("simclr", None, (0,))),
        ideal=row("ideal", 0.99, ()), layers=LAYERS, warps=("crop",), source="SIMULATED",
        pack="p", sensor="s", profile="quick", sentence="",
    )  # fmt: skip


def test_every_layer_and_measure_has_a_panel_with_what_is_known(table: SpatialTable) -> None:
    with styled():
        plate = layers_and_measures(table)
    panels = {ax.get_label(): ax for ax in plate.figure.axes}

    assert set(panels) == {f"{layer}-{measure}" for layer in LAYERS for measure in MEASURES}
    for ax in panels.values():
        lines = {kind: [line for line in ax.lines if line.get_gid() == kind]
                 for kind in ("mean", "chance", "interval", "ideal")}  # fmt: skip
        assert [line.get_xdata()[0] for line in lines["mean"]] == [0.8, 0.6]
        assert [line.get_xdata()[0] for line in lines["chance"]] == [0.1, 0.1]
        assert lines["interval"][0].get_xdata() == pytest.approx([0.7, 0.9])
        assert lines["ideal"][0].get_xdata()[0] == 0.99


def test_one_seed_is_hollow_and_the_data_is_named(table: SpatialTable) -> None:
    with styled():
        plate = layers_and_measures(table)
    means = [line for line in plate.figure.axes[0].lines if line.get_gid() == "mean"]

    assert means[0].get_markerfacecolor() != "white"
    assert means[1].get_markerfacecolor() == "white"
    assert "SIMULATED" in plate.stem
    assert "SIMULATED" in plate.figure._suptitle.get_text()
    assert "one seed, of which nothing is claimed" in plate.figure._supxlabel.get_text().replace(
        "\n", " "
    )
