"""The monitor: three kinds of collapse are told from health, and health from too few images."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from vtbench.benchmark import checkpoint, monitor, recording, registry
from vtbench.benchmark.rows import select_rows
from vtbench.methods.encoder import Encoder
from vtbench.methods.simclr import SimCLR
from vtbench.methods.views import whole_images

Train = Callable[..., dict[str, Any]]


@pytest.fixture
def g() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def kind(embeddings: Tensor) -> str:
    return monitor.collapse(monitor.read(embeddings))


def around(centres: Tensor, counts: list[int], g: torch.Generator) -> Tensor:
    """Points around the centres (K, D), so near that they hardly differ."""
    points = centres.repeat_interleave(torch.tensor(counts), dim=0)
    return points + 1e-4 * torch.randn(points.shape, generator=g)


def smooth_images(count: int, g: torch.Generator, side: int = 5) -> Tensor:
    noise = torch.rand(count, 3, side, side, generator=g)
    smooth = F.interpolate(noise, size=(32, 32), mode="bicubic").clamp(0, 1)
    return (255 * smooth).to(torch.uint8).permute(0, 2, 3, 1).contiguous()


# ------------------------------------------------------------------ the kinds


def test_embeddings_in_all_directions_are_healthy(g: torch.Generator) -> None:
    reading = monitor.read(torch.randn(256, 64, generator=g))

    assert reading["spread"] == pytest.approx(1.0, abs=0.05)
    assert reading["effective_rank"] > 40
    assert (reading["distinct"], reading["images"]) == (1.0, 256)
    assert monitor.collapse(reading) == ""


def test_one_point_is_a_complete_collapse(g: torch.Generator) -> None:
    assert kind(torch.ones(256, 64) + 1e-4 * torch.randn(256, 64, generator=g)) == "complete"


@pytest.mark.parametrize("dimensions", [64, 512])
@pytest.mark.parametrize("law", [torch.randn, torch.rand])
def test_a_line_is_a_dimensional_collapse(
    dimensions: int, law: Callable[..., Tensor], g: torch.Generator
) -> None:
    direction = torch.randn(1, dimensions, generator=g)
    offset = torch.randn(1, dimensions, generator=g)
    assert kind(offset + law(256, 1, generator=g) * direction) == "dimensional"


@pytest.mark.parametrize(
    "counts", [[128, 128], [250, 6], [64] * 4, [200, 28, 28], [16] * 16], ids=str
)
def test_a_few_points_are_a_collapse_into_clusters_however_uneven(
    counts: list[int], g: torch.Generator
) -> None:
    centres = torch.randn(len(counts), 64, generator=g)
    assert kind(around(centres, counts, g)) == "cluster"


@pytest.mark.parametrize("value", [0.0, float("nan"), float("inf"), 1e38, 1e-38])
def test_a_dead_or_exploded_encoder_is_a_complete_collapse(value: float) -> None:
    reading = monitor.read(torch.full((50, 64), value))

    assert monitor.collapse(reading) == "complete"
    json.dumps(reading, allow_nan=False)


def test_one_image_without_a_number_is_enough(g: torch.Generator) -> None:
    embeddings = torch.randn(50, 64, generator=g)
    embeddings[7, 3] = float("nan")
    assert kind(embeddings) == "complete"


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_the_unit_of_the_embeddings_does_not_matter(scale: float, g: torch.Generator) -> None:
    embeddings = torch.randn(50, 64, generator=g)
    assert monitor.read(scale * embeddings) == monitor.read(embeddings)


# ------------------------------------------------------------------ no false alarm


@pytest.mark.parametrize("count", [2, 3, 4, 8, 16, 50, 256])
@pytest.mark.parametrize("side", [2, 5, 32])
def test_an_untrained_narrow_encoder_is_healthy_on_any_number_of_images(
    count: int, side: int, g: torch.Generator
) -> None:
    images = whole_images(smooth_images(count, g, side), size=32)
    for seed in range(3):
        torch.manual_seed(seed)
        encoder = Encoder(width=8, max_pool=False).eval()
        with torch.no_grad():
            assert kind(encoder(images).embedding) == ""


def test_repeated_images_are_looked_at_once(g: torch.Generator) -> None:
    few = smooth_images(5, g)
    looked_at = monitor.fixed_images(few.repeat(20, 1, 1, 1))

    assert len(looked_at) == 5
    assert {image.numpy().tobytes() for image in looked_at} == {
        image.numpy().tobytes() for image in few
    }


@pytest.mark.parametrize(("count", "looked_at"), [(1, 1), (256, 256), (257, 129), (1000, 250)])
def test_at_most_256_images_are_looked_at(count: int, looked_at: int, g: torch.Generator) -> None:
    assert len(monitor.fixed_images(smooth_images(count, g))) == looked_at


def test_one_image_alone_can_be_read() -> None:
    assert monitor.read(torch.ones(1, 8))["images"] == 1


# ------------------------------------------------------------------ where it is written


def test_readings_are_rounded_and_never_break_the_json() -> None:
    readings = {"share": torch.tensor(1 / 3), "broken": torch.tensor(float("nan"))}
    assert monitor.rounded(readings) == {"share": 0.3333, "broken": None}


def test_the_readings_of_a_method_are_in_log_and_summary(train: Train, tmp_path: Path) -> None:
    summary = train("swav", tmp_path)
    rows = [json.loads(line) for line in (tmp_path / checkpoint.LOG).read_text().splitlines()]
    read = [row for row in rows if "spread" in row]

    assert all(0 <= row["readings"]["prototype_entropy"] <= 1 for row in read)
    assert summary["monitor"] == read[-1] | {"collapse": ""}


def test_collapse_and_caveat_are_noted_in_the_record(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SimCLR, "caveat", "take care")
    simclr, control = select_rows(["simclr", "random_init"], registry.methods())
    collapsed = {"monitor": {"collapse": "cluster"}}

    assert recording.notes(simclr, {"monitor": {"collapse": ""}}) == ("take care",)
    assert recording.notes(simclr, collapsed) == ("take care", recording.COLLAPSES["cluster"])
    assert recording.notes(control, {}) == ()


def test_every_kind_of_collapse_has_words() -> None:
    assert {"", *recording.COLLAPSES} == set(monitor.Collapse.__args__)
