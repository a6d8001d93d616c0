"""Encoders go out as safetensors with a card, and come in from files; both ways nothing is lost."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from vtbench.benchmark.model_card import loading
from vtbench.methods.encoder import Encoder
from vtbench.results.store import Store

TINY = ("--profile", "tiny.yaml", "--data", "pack", "--tasks", "shape")
DESK_SHAPE = ("--set", "encoder.width=64", "--set", "encoder.max_pool=true")


def records(folder: Path) -> dict[str, Any]:
    return {record.method_title: record for record in Store.open(folder / "runs").records()}


def blocks(card: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", card, re.DOTALL)


def run_card(folder: Path, pixels: torch.Tensor, monkeypatch: pytest.MonkeyPatch) -> torch.Tensor:
    """What the Python lines of the card make of pixels: first the images, then their features."""
    loading, preparing = re.findall(
        r"```python\n(.*?)```", (folder / "README.md").read_text(), re.S
    )
    scope: dict[str, Any] = {"pixels": pixels}
    monkeypatch.chdir(folder)
    with torch.inference_mode():
        exec(preparing, scope)
        exec(loading, scope)
    return scope["features"]


def plain_torchvision(card: str) -> bool:
    """Whether a card loads its encoder by three lines and without this package."""
    lines = re.search(r"```python\n(.*?)```", card, re.DOTALL)[1].splitlines()
    return len([x for x in lines if x.startswith("model")]) == 3 and "vtbench" not in " ".join(
        lines
    )


@pytest.mark.parametrize("shape", [DESK_SHAPE, ()], ids=["desk", "quick"])
def test_the_card_gives_the_features_of_a_run_and_the_file_its_scores(
    shape: tuple[str, ...], here, monkeypatch
) -> None:
    """From pixels to features in plain torchvision, at sizes that are resized twice."""
    sizes = ("--set", "data.stored_size=40", "--set", "encoder.image_size=36")
    asked = (*TINY, "--set", "pretrain.epochs=1", *shape, *sizes)
    here("run", *asked, "--methods", "simclr")
    done = here("export", "simclr", "--out", "out")
    assert done.returncode == 0, done.stderr

    card = (here.folder / "out" / "README.md").read_text()
    assert plain_torchvision(card) == bool(shape)
    for said in ("SIMULATED", "A tiny pack for tests", "recipe official", "Top-1", "Licence",
                 "profile: tiny", "mean 0.5 and standard deviation 0.5"):  # fmt: skip
        assert said in card
    pixels = torch.from_numpy(np.load(here.folder / "pack" / "colours" / "camera.npy"))
    made = run_card(here.folder / "out", pixels.permute(0, 3, 1, 2), monkeypatch)
    (stored,) = here.folder.glob("runs/features/*--colours-*.npy")
    torch.testing.assert_close(made, torch.from_numpy(np.load(stored)), rtol=0, atol=1e-5)

    monkeypatch.chdir(here.folder)
    (here.folder / "again.safetensors").write_bytes(Path("out/encoder.safetensors").read_bytes())
    found = here("run", *asked, "--methods", "external:weights=again.safetensors")
    assert found.returncode == 0, found.stderr
    assert "what it was trained on is not known" in " ".join(found.stdout.split())
    found = records(here.folder)
    assert found["SimCLR"].scores == found["External: again.safetensors"].scores


@pytest.mark.parametrize(
    "network",
    [{"name": "resnet50", "width": 64, "max_pool": False},
     {"name": "resnet34", "width": 8, "max_pool": True}],
)  # fmt: skip
def test_the_card_loads_other_networks_too(network, tmp_path: Path, monkeypatch) -> None:
    encoder = Encoder(**network).eval()
    save_file(encoder.state_dict(), tmp_path / "encoder.safetensors")
    described = {"backbone": network["name"], **network}
    images = torch.randn(2, 3, 32, 32)
    monkeypatch.chdir(tmp_path)
    scope: dict[str, Any] = {"images": images}
    exec("\n".join(loading(described)), scope)

    torch.testing.assert_close(scope["features"], encoder(images).embedding, rtol=0, atol=1e-6)


def test_the_exported_file_says_what_network_it_is(here) -> None:
    here("run", *TINY, "--methods", "simclr", "--seeds", "2")
    several = here("export", "simclr", "--out", "out")
    assert several.returncode == 2
    assert "--seed 0; --profile 'tiny'" in several.stderr
    assert not (here.folder / "out").exists()

    assert here("export", "simclr", "--seed", "1", "--out", "out").returncode == 0
    content = (here.folder / "out" / "encoder.safetensors").read_bytes()
    assert here("export", "simclr", "--seed", "1", "--out", "out").returncode == 0
    assert (here.folder / "out" / "encoder.safetensors").read_bytes() == content
    length = int.from_bytes(content[:8], "little")
    described = json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["vtbench"])
    assert described == {"backbone": "resnet18", "width": 8, "max_pool": False,
                         "image_size": 32, "normalization": "half"}  # fmt: skip

    plain = here("run", *TINY, "--methods", "external:weights=out/encoder.safetensors")
    assert "ResNet-18 of width 8" in " ".join(plain.stdout.split())


REFUSED = {
    "byol": "has no trained encoder in runs; train one with `bench run --methods byol`",
    "random_init": "is not trained",
    "supervised": "not kept",
    "simclr,byol": "one method",
    "nobody": "There is no method",
    "simclr --profile desk": "no such encoder; there is: --profile 'tiny'",
    "simclr --seed 7": "no such encoder",
}


def test_what_cannot_be_exported_is_said_and_foreign_files_stay(here) -> None:
    here("run", *TINY, "--methods", "simclr")
    for arguments, said in REFUSED.items():
        done = here("export", *arguments.split(), "--out", "nowhere")
        assert (done.returncode, said in done.stderr) == (2, True), done.stderr
        assert not Path("nowhere").exists()

    for name in ("README.md", "encoder.safetensors"):
        folder = Path(f"with-{name}")
        folder.mkdir()
        (folder / name).write_text("precious")
        done = here("export", "simclr", "--out", str(folder))
        assert (done.returncode, "choose another --out" in done.stderr) == (2, True), done.stderr
        assert [path.read_text() for path in folder.iterdir()] == ["precious"]
        assert here("export", "simclr", "--out", str(folder), "--force").returncode == 0


def test_an_external_row_is_named_by_the_content_of_its_file(here) -> None:
    torch.save(Encoder(width=4).state_dict(), "a.pt")
    torch.save({"model": Encoder(width=8).state_dict()}, "b.pt")
    asked = (*TINY, "--seeds", "2", "--methods")
    both = here("run", *asked, "external:weights=a.pt", "external:weights=b.pt")

    assert both.returncode == 0, both.stderr
    assert {"External: a.pt", "External: b.pt"} <= set(records(here.folder))
    assert len([*here.folder.glob("runs/encoders/*")]) == 2  # one a file, not one a seed
    Path("a.pt").rename("c.pt")
    renamed = here("run", *asked, "external:weights=c.pt")
    assert "Nothing is left to do" in renamed.stdout
    torch.save(Encoder(width=4).state_dict(), "c.pt")
    changed = here("plan", *asked, "external:weights=c.pt")
    assert "0 cached, 2 to do" in changed.stdout
    Path("c.pt").write_bytes(b"no weights")
    damaged = here("run", *asked, "external:weights=c.pt")
    assert damaged.returncode == 2
    assert "is no file of weights" in damaged.stderr

    (key,) = {r.method for r in records(here.folder).values() if r.method_title.endswith("b.pt")}
    Path("b.pt").unlink()
    assert "Nothing is left to do" in here("run", *asked, key).stdout
    assert "stale" not in here("table").stdout
    shown = here("show", key, "shape", "1").stdout
    assert "b.pt" in shown
    assert "training log" not in shown
