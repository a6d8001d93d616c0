"""docs/encoders.md and docs/python.md: their Python runs, on a tiny profile."""

from __future__ import annotations

import inspect
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from vtbench.benchmark import api
from vtbench.benchmark.external import NORMALIZATIONS
from vtbench.methods.backbones import RESNETS
from vtbench.methods.encoder import Encoder
from vtbench.methods.views import whole_images
from vtbench.tasks.data.resize import resized

DOCS = Path(__file__).parents[2] / "docs"
ENCODERS, PYTHON = ((DOCS / name).read_text("utf-8") for name in ("encoders.md", "python.md"))


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page, flags=re.DOTALL)


COMMANDS = [line for block in blocks(ENCODERS, "bash") for line in block.splitlines()]


def test_the_export_of_the_page_writes_what_it_says(here) -> None:
    here("run", "--methods", "sarl", "--tasks", "shape", "--profile", "tiny.yaml", "--data", "pack")
    (command,) = (c for c in COMMANDS if "export" in c)
    done = here(*shlex.split(command)[1:])

    assert done.returncode == 0, done.stderr
    written = {path.name for path in Path("sarl-encoder").iterdir()}
    assert written == {"encoder.safetensors", "README.md"}


@pytest.mark.parametrize(("number", "network"), [(0, {}), (1, {"width": 16, "max_pool": False})])
def test_the_page_loads_encoders(
    number: int, network: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("sarl-encoder").mkdir()
    encoder = Encoder(**network).eval()
    save_file(encoder.state_dict(), "sarl-encoder/encoder.safetensors")
    scope: dict[str, Any] = {"images": torch.randn(2, 3, 32, 32)}
    exec(blocks(ENCODERS, "python")[number], scope)
    made = scope["model"].eval()(scope["images"])

    made = made if isinstance(made, torch.Tensor) else made.embedding
    torch.testing.assert_close(made, encoder(scope["images"]).embedding, rtol=0, atol=1e-6)


def test_the_page_makes_images_as_a_run_does() -> None:
    pixels = torch.randint(0, 256, (2, 60, 80, 3), dtype=torch.uint8)
    scope: dict[str, Any] = {"pixels": pixels.permute(0, 3, 1, 2).contiguous()}
    exec(blocks(ENCODERS, "python")[2], scope)

    kept = torch.from_numpy(resized(pixels.numpy(), 56))
    assert torch.equal(scope["images"], whole_images(kept, size=48))


def test_the_page_names_all_backbones_and_normalisations() -> None:
    assert all(f"`{name}`" in ENCODERS for name in (*RESNETS, *NORMALIZATIONS))


def test_the_python_of_the_page_runs(here, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the page's arguments checked against the signatures, and then made small."""
    pytest.importorskip("pandas")
    small = {"methods": ["random_init", "raw_pixels"], "tasks": ["shape"], "seeds": 1, "jobs": 1,
             "profile": "tiny.yaml", "data": "pack", "progress": False, "settings": {}}  # fmt: skip

    def made_small(function: Any) -> Any:
        accepted = inspect.signature(function)

        def call(*arguments: Any, **named: Any) -> Any:
            accepted.bind(*arguments, **named)
            wanted = {name: v for name, v in small.items() if name in accepted.parameters}
            return function(**wanted)

        return call

    monkeypatch.setattr(api, "run", made_small(api.run))
    monkeypatch.setattr(api, "plan", made_small(api.plan))
    scope: dict[str, Any] = {"__name__": "__main__"}
    for block in blocks(PYTHON, "python"):
        exec(block, scope)

    assert set(scope["main"].task) == {"shape"}
    columns = PYTHON.partition("`run` gives a row for each score:")[2].partition("A cell")[0]
    assert set(re.findall(r"`(\w+)`", columns)) - {"real", "simulated"} == set(scope["found"])
