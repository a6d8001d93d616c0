"""Gradient shares: the right numbers, at the right steps, without a trace in the training."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn

from vtbench.benchmark import assemble, checkpoint, gradients
from vtbench.benchmark.errors import TrainingDiverged
from vtbench.benchmark.settings import Settings
from vtbench.benchmark.spec import Spec
from vtbench.methods.base import Method, MethodConfig, Progress, Views
from vtbench.methods.encoder import Encoder
from vtbench.methods.recipe import Recipe
from vtbench.methods.sarl import SARL
from vtbench.methods.views import make_views

Train = Callable[..., dict[str, Any]]

RECIPE = Recipe(optimizer="adamw", lr=1e-3, lr_scaling="none", weight_decay=0.1)


class Known(Method):
    """Weighted, `steep` pulls three times as hard on layer2 and layer3 as `flat`; others never."""

    title = "Known"
    terms: ClassVar = {"flat": 1.0, "steep": 1.5, "last_stage": 1.0, "head": 1.0, "constant": 1.0}

    def __init__(self, encoder: Encoder) -> None:
        super().__init__(encoder, MethodConfig())
        self.head = nn.Linear(2, 2)
        nn.init.ones_(self.head.weight)

    def losses(self, views: Views, progress: Progress) -> dict[str, Tensor]:
        features = self.encoder(views.images[0])
        slope = features.maps["layer3"].mean()
        return {
            "flat": slope,
            "steep": 2 * slope,
            "last_stage": self.encoder.layer4(features.maps["layer3"].detach()).mean(),
            "head": self.head.weight.square().sum(),
            "constant": torch.ones(()),
        }


def known(settings: Settings, cls: type[Method] = Known) -> Callable[[], tuple[Method, Recipe]]:
    return lambda: (cls(assemble.build_encoder(settings, seed=0)), RECIPE)


def log(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / checkpoint.LOG).read_text().splitlines()]


def test_shares_are_those_of_the_weighted_terms_and_zero_where_nothing_is_reached(
    settings: Settings, train: Train, tmp_path: Path
) -> None:
    shares = train(known(settings), tmp_path)["gradient_shares"]

    assert shares == {
        "flat": 0.25, "steep": 0.75, "last_stage": 0.0, "head": 0.0, "constant": 0.0
    }  # fmt: skip


def test_shares_are_zero_where_no_term_reaches_the_layers() -> None:
    assert gradients.shares({"a": 0.0, "b": 0.0}) == {"a": 0.0, "b": 0.0}


def test_norms_are_those_of_autograd_and_no_gradient_is_left(
    settings: Settings, images: Tensor
) -> None:
    method, recipe = assemble.build_method(SARL, Spec("sarl"), settings, seed=0)
    views = make_views(images[:8], recipe.views, size=32, generator=torch.manual_seed(0))
    losses = method.losses(views, Progress(0, 10, 5))
    layers = (method.encoder.layer2, method.encoder.layer3)
    parameters = [p for layer in layers for p in layer.parameters()]
    expected = []
    for name, weight in SARL.terms.items():
        found = torch.autograd.grad(weight * losses[name], parameters, retain_graph=True)
        expected.append(torch.cat([gradient.flatten() for gradient in found]).norm())
    norms = gradients.gradient_norms(
        method, losses, lambda term, **options: term.backward(**options)
    )

    torch.testing.assert_close(norms, torch.stack(expected))
    assert all(p.grad is None for p in method.parameters())


def test_shares_are_logged_after_the_losses_of_their_step(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gradients, "EVERY", 2)
    summary = train("sarl", tmp_path)
    rows = log(tmp_path)
    at = [index for index, row in enumerate(rows) if "gradient_shares" in row]

    assert [rows[index]["step"] for index in at] == [0, 2, 3, 4]  # epochs start at 0 and 3
    for index in at:
        assert rows[index - 1]["total"]
        assert rows[index - 1]["step"] == rows[index]["step"]
        assert list(rows[index]["gradient_shares"]) == sorted(SARL.terms)
        assert sum(rows[index]["gradient_shares"].values()) == pytest.approx(1, abs=1e-5)
    assert summary["gradient_shares"] == rows[at[-1]]["gradient_shares"]


@pytest.mark.parametrize("spec", ["byol", "sarl:sal=0:ppda=0:ram=0"])
def test_one_term_alone_has_no_share(spec: str, train: Train, tmp_path: Path) -> None:
    assert "gradient_shares" not in train(spec, tmp_path)
    assert not any("gradient_shares" in row for row in log(tmp_path))


@pytest.mark.parametrize("precision", ["32", "bf16"])
def test_looking_at_the_gradients_changes_nothing_in_the_training(
    precision: str, train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gradients, "EVERY", 1)
    looked = train("sarl", tmp_path / "looked", precision=precision)
    monkeypatch.setattr(gradients, "is_due", lambda *_: False)
    train("sarl", tmp_path / "blind", precision=precision)

    assert looked["gradient_shares"]
    a, b = ((tmp_path / name / checkpoint.ENCODER).read_bytes() for name in ("looked", "blind"))
    assert a == b
    losses = [
        [row for row in log(tmp_path / name) if "total" in row] for name in ("looked", "blind")
    ]
    assert losses[0] == losses[1]


def test_a_training_stopped_between_two_looks_logs_the_same_shares(
    train: Train, train_with_a_stop: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gradients, "EVERY", 2)
    train("sarl", tmp_path / "whole")
    for stop_at in range(1, 6):
        train_with_a_stop("sarl", tmp_path / f"cut{stop_at}", stop_at=stop_at)
        assert log(tmp_path / f"cut{stop_at}") == log(tmp_path / "whole")


class Cliff(Known):
    """A finite loss with an infinite gradient."""

    title = "Cliff"

    def losses(self, views: Views, progress: Progress) -> dict[str, Tensor]:
        losses = super().losses(views, progress)
        return losses | {"steep": (0 * losses["flat"]).sqrt()}


def test_a_gradient_that_is_no_number_is_named(
    settings: Settings, train: Train, tmp_path: Path
) -> None:
    with pytest.raises(TrainingDiverged, match=r"Cliff: the gradient of the term 'steep' became"):
        train(known(settings, Cliff), tmp_path, epochs=1, batch_size=50)


class Idle(Known):
    """The head gets a gradient in the first step only."""

    title = "Idle"

    def losses(self, views: Views, progress: Progress) -> dict[str, Tensor]:
        losses = super().losses(views, progress)
        return losses if progress.step == 0 else losses | {"head": torch.zeros(())}


def test_a_parameter_without_gradient_is_not_moved_by_decay_or_momentum(
    settings: Settings, train: Train, tmp_path: Path
) -> None:
    heads = []
    for steps in (1, 6):
        built = known(settings, Idle)()
        train(lambda built=built: built, tmp_path / str(steps), epochs=steps, batch_size=50)
        heads.append(built[0].head.weight.detach())

    assert (heads[0] < 1).all()
    assert torch.equal(heads[0], heads[1])
