"""torch.compile where it is asked for: where it does not work it says so and changes nothing."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch

from vtbench.benchmark import assemble, compiling, registry
from vtbench.benchmark.pretrain import Plan, Training
from vtbench.benchmark.settings import load_profile
from vtbench.benchmark.spec import Spec
from vtbench.methods.encoder import Encoder
from vtbench.methods.timm_encoder import TimmEncoder

SMALL = ("encoder.width=8", "pretrain.scale.widest=16", "pretrain.scale.narrowest=8")


def trained(folder: Path, *, compile: bool) -> Training:
    settings = load_profile("quick", SMALL).settings
    method, recipe = assemble.build_method(
        registry.methods()["byol"], Spec("byol"), settings, seed=0
    )
    images = torch.randint(
        0, 256, (8, 36, 36, 3), generator=torch.manual_seed(0), dtype=torch.uint8
    )
    plan = Plan(identity="x", epochs=1, batch_size=4, image_size=32, seed=0, compile=compile)
    training = Training(method, recipe, images, folder, plan)
    training.run_epoch()
    return training


def test_where_nothing_can_be_compiled_the_training_goes_on_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(_function: object) -> object:
        raise RuntimeError("no compiler\nlong explanation")

    plain = trained(tmp_path / "plain", compile=False)
    monkeypatch.setattr(compiling.torch, "compile", lambda function: refuse)
    with caplog.at_level(logging.WARNING):
        eager = trained(tmp_path / "eager", compile=True)

    assert "does not work here (RuntimeError: no compiler); training goes on" in caplog.text
    assert eager.summary()["compiled"] is False
    assert "compiled" not in plain.summary()
    for name, value in plain.method.state_dict().items():
        assert torch.equal(value, eager.method.state_dict()[name]), name


def test_encoders_of_either_kind_are_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stub(TimmEncoder):
        def __init__(self) -> None:  # without timm
            torch.nn.Module.__init__(self)

    monkeypatch.setattr(compiling, "_refusal", lambda _: None)
    compiled: list[torch.nn.Module] = []
    monkeypatch.setattr(torch.nn.Module, "compile", lambda self, **_: compiled.append(self))
    method = torch.nn.ModuleList([Encoder(width=8), Stub(), torch.nn.Linear(2, 2)])

    assert compiling.compile_encoders(method, torch.device("cpu"))
    assert compiled == [method[0], method[1]]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_compiled_encoders_train_alike_and_keep_their_names(tmp_path: Path) -> None:
    plain, compiled = (
        trained(tmp_path / str(compile), compile=compile) for compile in (False, True)
    )
    if not compiled.compiled:
        pytest.skip("torch.compile does not work here")

    assert list(plain.method.state_dict()) == list(compiled.method.state_dict())
    for name, value in plain.method.encoder.state_dict().items():
        torch.testing.assert_close(value, compiled.method.encoder.state_dict()[name])
