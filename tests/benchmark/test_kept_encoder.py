"""Which weights are the result: the last, or those of the epoch with the lowest loss."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from vtbench.benchmark import assemble, checkpoint
from vtbench.benchmark.settings import Settings
from vtbench.methods.base import Method, MethodConfig, Progress, Views
from vtbench.methods.recipe import Recipe

Train = Callable[..., dict[str, Any]]
Make = Callable[..., Callable[[], tuple[Method, Recipe]]]

RECIPE = Recipe(optimizer="sgd", lr=0.1, lr_scaling="none", schedule="constant")


class Landscape(Method):
    """A loss of a given height at every step, whose slope is the same at any height."""

    title = "Landscape"
    terms: ClassVar = {"height": 1.0}
    heights: tuple[float, ...] = ()

    def losses(self, views: Views, progress: Progress) -> dict[str, Tensor]:
        slope = self.encoder(views.images[0]).embedding.mean()
        self.readings = {"height": torch.tensor(self.heights[progress.step])}
        return {"height": self.heights[progress.step] + (slope - slope.detach())}


@pytest.fixture
def landscape(settings: Settings) -> Make:
    def make(*heights: float, keep: str = "lowest_loss") -> Callable[[], tuple[Method, Recipe]]:
        def build() -> tuple[Method, Recipe]:
            method = Landscape(assemble.build_encoder(settings, seed=0), MethodConfig())
            method.heights = heights
            return method, replace(RECIPE, keep=keep)

        return build

    return make


def encoder(folder: Path) -> bytes:
    return (folder / checkpoint.ENCODER).read_bytes()


# The lowest single step and the lowest last step of an epoch lie elsewhere than the lowest mean.
VALLEY = (5, 5, 5, 3, 2, 4, 6, 0, 5, 9, 9, 1)


def test_the_encoder_of_the_epoch_with_the_lowest_mean_is_saved(
    landscape: Make, train: Train, tmp_path: Path
) -> None:
    summary = train(landscape(*VALLEY), tmp_path / "four", epochs=4)
    train(landscape(*VALLEY, keep="last"), tmp_path / "two", epochs=2)
    train(landscape(*VALLEY, keep="last"), tmp_path / "last", epochs=4)

    assert summary["kept_epoch"] == 2
    assert encoder(tmp_path / "four") == encoder(tmp_path / "two") != encoder(tmp_path / "last")


def test_the_summary_describes_the_encoder_that_is_saved(
    landscape: Make, train: Train, tmp_path: Path
) -> None:
    summary = train(landscape(*VALLEY), tmp_path, epochs=4)
    rows = [json.loads(line) for line in (tmp_path / checkpoint.LOG).read_text().splitlines()]
    read = [row for row in rows if "spread" in row]

    assert [row["readings"] for row in read] == [{"height": h} for h in (5.0, 4.0, 5.0, 1.0)]
    assert summary["monitor"] == read[1] | {"collapse": ""}


def test_the_last_encoder_is_saved_where_the_recipe_says_nothing_else(
    landscape: Make, train: Train, tmp_path: Path
) -> None:
    assert Recipe(optimizer="sgd", lr=0.1).keep == "last"
    assert "kept_epoch" not in train(landscape(*VALLEY, keep="last"), tmp_path, epochs=4)


def test_of_epochs_with_equal_loss_the_first_is_kept(
    landscape: Make, train: Train, tmp_path: Path
) -> None:
    assert train(landscape(*[1.0] * 9), tmp_path, epochs=3)["kept_epoch"] == 1


@pytest.mark.parametrize("stop_at", [1, 3, 4, 6, 8, 11])
def test_a_stop_changes_neither_the_choice_nor_the_bytes(
    stop_at: int, landscape: Make, train: Train, train_with_a_stop: Train, tmp_path: Path
) -> None:
    # Means in which one lost or doubled step, or a rounded sum, changes the order.
    heights = (0.1, 0.2, 0.3, 0.3, 0.2, 0.1, 0.1, 0.3, 0.2, 0.2, 0.1, 0.3 - 1e-7)
    whole = train(landscape(*heights), tmp_path / "whole", epochs=4)
    cut = train_with_a_stop(landscape(*heights), tmp_path / "cut", stop_at=stop_at, epochs=4)

    assert cut | {"seconds": 0} == whole | {"seconds": 0}
    assert encoder(tmp_path / "cut") == encoder(tmp_path / "whole")
    logs = [(tmp_path / name / checkpoint.LOG).read_bytes() for name in ("cut", "whole")]
    assert logs[0] == logs[1]


def test_a_training_killed_after_its_last_step_still_saves_the_kept_encoder(
    landscape: Make, train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    whole = train(landscape(*VALLEY), tmp_path / "whole", epochs=4)
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "save_encoder", killed)
        with pytest.raises(KeyboardInterrupt):
            train(landscape(*VALLEY), tmp_path / "cut", epochs=4)
    cut = train(landscape(*VALLEY), tmp_path / "cut", epochs=4)

    assert cut | {"seconds": 0} == whole | {"seconds": 0}
    assert encoder(tmp_path / "cut") == encoder(tmp_path / "whole")
