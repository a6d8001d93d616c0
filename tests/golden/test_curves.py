"""Five training steps of every method, by its official recipe, give the stored numbers.

They hold losses, views, optimisers and target networks in place as a whole. After a change that is
meant to alter them, run `python tests/golden/test_curves.py`, look at the difference in
curves.json, and say in the commit why it is right.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
import torch

from vtbench.benchmark import assemble, checkpoint, registry
from vtbench.benchmark.pretrain import Plan, Training
from vtbench.benchmark.settings import load_profile
from vtbench.benchmark.spec import Spec

CURVES = Path(__file__).with_name("curves.json")
METHODS = registry.methods()
BUILTIN = [name for name in METHODS if METHODS.entry(name).owners == (registry.BUILTIN_OWNER,)]
SMALL = (
    "encoder.width=8", "encoder.image_size=32", "pretrain.scale.head=0.05",
    "pretrain.scale.narrowest=8", "pretrain.scale.codes=0.02", "pretrain.scale.queue=0.02",
    "pretrain.scale.waiting=0.01", "pretrain.optimizer=method", "pretrain.views=method",
)  # fmt: skip
STEPS, BATCH = 5, 16
#: Steps until rounding shows: pixels that differ by 1e-6 move a loss by less than 1e-4 of itself in
#: these, and by up to 4e-3 two steps later (SimCLR and SARL; 1e-5 for the other methods).
CALM = 3


def photographs(count: int, side: int) -> torch.Tensor:
    """Smooth coloured images (count, side, side, 3), uint8."""
    noise = torch.rand(count, 3, 5, 5, generator=torch.Generator().manual_seed(0))
    smooth = torch.nn.functional.interpolate(noise, size=(side, side), mode="bilinear")
    return (255 * smooth).to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def curve(name: str) -> dict[str, list[float]]:
    """Each term at each step, and how far encoder and heads have moved in the end."""
    settings = load_profile("quick", SMALL).settings
    method, recipe = assemble.build_method(METHODS[name], Spec(name), settings, seed=0)
    start = {n: p.detach().clone() for n, p in method.named_parameters()}
    plan = Plan(identity="golden", epochs=1, batch_size=BATCH, image_size=32, seed=0)
    with tempfile.TemporaryDirectory() as folder:
        images = photographs(STEPS * BATCH, 40)
        training = Training(method, recipe, images, Path(folder), plan)
        training.run_epoch()
        lines = (Path(folder) / checkpoint.LOG).read_text().splitlines()
    rows = [row for row in map(json.loads, lines) if "total" in row]
    terms = {key: [row[key] for row in rows] for key in rows[0] if key != "step"}
    moved = [
        sum(
            (p.detach() - start[n]).square().sum().item()
            for n, p in method.named_parameters()
            if p.requires_grad and n.startswith("encoder.") == encoder
        )
        for encoder in (True, False)
    ]
    return terms | {"moved": [square**0.5 for square in moved]}


@pytest.mark.parametrize("name", BUILTIN)
def test_curve_is_the_stored_one(name: str) -> None:
    expected = json.loads(CURVES.read_text())[name]
    found = curve(name)

    assert list(found) == list(expected)
    for term, values in expected.items():
        for step, (now, then) in enumerate(zip(found[term], values, strict=True)):
            allowed = 2e-3 if step < CALM else 2e-2
            assert now == pytest.approx(then, rel=allowed, abs=1e-4), (term, step)


if __name__ == "__main__":
    torch.set_num_threads(1)
    curves = {
        name: {term: [float(f"{v:.6g}") for v in values] for term, values in curve(name).items()}
        for name in BUILTIN
    }
    lines = (f' "{name}": {json.dumps(values)}' for name, values in curves.items())
    CURVES.write_text("{\n" + ",\n".join(lines) + "\n}\n")
