"""`bench figure` on a made-up store: what can be drawn is, and the rest is said."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from vtbench.benchmark import fingerprint, spatial_maps, tabling
from vtbench.benchmark.cli_figure import figure
from vtbench.benchmark.errors import UnknownName
from vtbench.benchmark.figures import FigureRequest, draw, figure_names
from vtbench.methods.base import Views
from vtbench.methods.encoder import Encoder
from vtbench.results.figures import FIGURES
from vtbench.results.figures.style import Plate


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Made-up records are taken for current ones, and no data is at hand."""
    monkeypatch.setattr(tabling, "stale_records", lambda *_, **__: {})
    monkeypatch.setenv("VTBENCH_CACHE", str(tmp_path / "nothing"))


def drawn(world: Any, *names: str, **request: Any) -> tuple[list[str], list[str]]:
    """Names of the plates, and sentences."""
    items = list(draw(world.store, FigureRequest(names=names, **request)))
    plates = [item.stem.partition("--")[0] for item in items if isinstance(item, Plate)]
    return plates, [item for item in items if isinstance(item, str)]


@pytest.mark.usefixtures("fresh")
def test_everything_that_the_store_has_is_drawn_and_the_rest_is_said(world: Any) -> None:
    plates, sentences = drawn(world, *FIGURES)

    assert {"bars-table1", "edge_axes", "ranks", "cost", "curves-sarl", "curves-monitors",
            "scatter-edge_pose", "confusion-shape", "confusion-grating"} <= set(plates)  # fmt: skip
    said = "\n".join(sentences)
    for name in ("samples", "embedding", "ablation", "sarl_maps"):
        assert f"{name}: " in said
    assert "no features are stored" in said
    assert "the data of vitactip-sim is not at hand" in said


@pytest.mark.usefixtures("fresh")
def test_stored_features_are_mapped(world: Any) -> None:
    pytest.importorskip("sklearn")
    for record in world.records:
        if record.task == "shape" and record.training:
            made_of = fingerprint.of_values(record.data["fingerprint"], "abcd")
            path = world.store.features_path(
                record.training["id"], f"shape-{made_of[:8]}", "vitactip"
            )
            world.store.write_array(path, np.random.default_rng(record.seed).normal(size=(40, 6)))

    plates, sentences = drawn(world, "embedding", methods=["sarl", "byol"])
    assert plates == ["embedding-shape"]
    assert any("SARL on edge_pose, seed 0: no features are stored" in s for s in sentences)


def test_nothing_stale_is_drawn(world: Any) -> None:
    plates, sentences = drawn(world, *FIGURES)

    assert not plates
    assert {sentence.partition(":")[0] for sentence in sentences} >= set(FIGURES)


@pytest.mark.usefixtures("fresh")
def test_an_empty_store_is_said(empty_world: Any) -> None:
    plates, sentences = drawn(empty_world, "ranks")

    assert not plates
    assert sentences == [
        "ranks: This store holds no results for Table I yet; fill it with `bench run`."
    ]


@pytest.mark.usefixtures("fresh")
def test_the_command_writes_files_and_says_where(world: Any, tmp_path: Path, capsys: Any) -> None:
    figure("ranks", store=world.store.root, out=tmp_path / "out", form="png")

    (path,) = (tmp_path / "out").iterdir()
    assert path.name == "ranks--SIMULATED--vitactip-sim--vitactip--quick--n3.png"
    assert "wrote " in capsys.readouterr().out


def test_a_wrong_name_is_refused_with_a_suggestion() -> None:
    assert figure_names("all") == list(FIGURES)
    with pytest.raises(UnknownName, match="did you mean 'ranks'"):
        figure_names("rank")


def test_help_imports_neither_torch_nor_matplotlib() -> None:
    script = (
        "import sys\nfrom vtbench.benchmark import cli\nsys.argv = ['bench', 'figure', '--help']\n"
        "try:\n    cli.main()\nexcept SystemExit as stop:\n    assert not stop.code\n"
        "assert not {'torch', 'matplotlib', 'numpy'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr


# ------------------------------------------------------------------------------- maps


def test_centres_are_unit_rows_that_do_not_change() -> None:
    tokens = torch.nn.functional.normalize(
        torch.randn(60, 4, generator=torch.Generator().manual_seed(0)), dim=1
    )
    centres = spatial_maps.part_centres(tokens, 5)

    assert centres.shape == (5, 4)
    assert torch.allclose(centres.norm(dim=1), torch.ones(5))
    assert torch.equal(centres, spatial_maps.part_centres(tokens, 5))
    assert len(spatial_maps.part_centres(tokens[:3], 5)) == 3


def test_two_clear_parts_are_told_apart() -> None:
    tokens = torch.tensor([[1.0, 0.0]] * 3 + [[0.0, 1.0]] * 2)

    found = (tokens @ spatial_maps.part_centres(tokens, 2).T).argmax(dim=1).tolist()
    assert found[:3] == [found[0]] * 3
    assert found[3:] == [1 - found[0]] * 2


def test_equal_views_agree_and_outline_each_other() -> None:
    encoder = Encoder(width=8, max_pool=False).eval()
    image = torch.rand(2, 3, 48, 48, generator=torch.Generator().manual_seed(1)) * 2 - 1
    whole = torch.tensor([[[1.0, 0, 0], [0, 1, 0]]]).expand(2, 2, 2, 3)
    with torch.no_grad():
        pairs = spatial_maps.pairs_of(
            encoder, Views((image, image), whole), torch.eye(32)[:4], 6, ["a", "b"]
        )

    assert [pair.agreement for pair in pairs] == pytest.approx([1.0, 1.0], abs=1e-4)
    assert np.allclose(pairs[0].outlines[0][:4], [[-1, -1], [1, -1], [1, 1], [-1, 1]], atol=1e-6)
    assert np.array_equal(*pairs[1].parts)
    assert pairs[0].pixels[0].shape == (48, 48, 3)


def test_a_correlation_of_too_few_or_flat_cells_is_unknown() -> None:
    assert np.isnan(spatial_maps.correlation(torch.ones(2), torch.ones(2)))
    assert np.isnan(spatial_maps.correlation(torch.ones(5), torch.arange(5.0)))
    assert spatial_maps.correlation(torch.arange(5.0), -torch.arange(5.0)) == pytest.approx(-1)
