"""Optimisers and schedules: what a recipe's numbers become."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from lightly.utils import lars as lightly_lars

from vtbench.benchmark import assemble, registry
from vtbench.benchmark.errors import UsageError
from vtbench.benchmark.lars import LARS
from vtbench.benchmark.optimizers import build_optimizer, learning_rate_factor
from vtbench.benchmark.settings import Settings, load_profile
from vtbench.benchmark.spec import Spec
from vtbench.methods import BUILTIN
from vtbench.methods.base import Progress
from vtbench.methods.byol import BYOL
from vtbench.methods.recipe import Recipe
from vtbench.methods.simclr import SimCLR

METHODS = {name: registry.methods()[name] for name in BUILTIN}


def recipe(**changes: object) -> Recipe:
    return replace(Recipe(optimizer="sgd", lr=0.4, weight_decay=1e-4), **changes)


def test_rates_follow_the_batch_size_by_the_stated_rule(settings: Settings) -> None:
    method, _ = assemble.build_method(SimCLR, Spec("simclr"), settings, seed=0)
    for scaling, rate in (("linear", 0.1), ("sqrt", 0.2), ("none", 0.4)):
        optimizer = build_optimizer(method, recipe(lr_scaling=scaling), batch_size=64)
        rates = [group["lr"] for group in optimizer.param_groups]
        assert rates == pytest.approx([rate] * len(rates))


@pytest.mark.parametrize("name", METHODS)
def test_every_trainable_parameter_is_in_one_group_and_flat_ones_do_not_decay(
    name: str, settings: Settings
) -> None:
    method, _ = assemble.build_method(METHODS[name], Spec(name), settings, seed=0)
    optimizer = build_optimizer(method, recipe(), batch_size=256)
    grouped = [p for group in optimizer.param_groups for p in group["params"]]

    assert len(grouped) == len({id(p) for p in grouped})
    assert {id(p) for p in grouped} == {id(p) for p in method.parameters() if p.requires_grad}
    for group in optimizer.param_groups:
        flat = {p.ndim <= 1 for p in group["params"]}
        assert flat == {group["weight_decay"] == 0}


def test_named_modules_keep_their_first_rate(settings: Settings) -> None:
    method, _ = assemble.build_method(BYOL, Spec("byol"), settings, seed=0)
    optimizer = build_optimizer(method, recipe(constant_lr_modules=("predictor",)), batch_size=256)
    constant = {id(p) for g in optimizer.param_groups if g["constant"] for p in g["params"]}

    assert constant == {id(p) for p in method.predictor.parameters()}


def test_lars_without_decay_is_refused_since_it_would_be_plain_sgd() -> None:
    pretraining = load_profile("paper").settings.pretrain
    with pytest.raises(UsageError, match="LARS needs weight_decay > 0"):
        assemble.resolve(BYOL, Spec.parse("byol:weight_decay=0"), pretraining)


def test_flat_parameters_may_have_a_rate_of_their_own(settings: Settings) -> None:
    method, _ = assemble.build_method(BYOL, Spec("byol"), settings, seed=0)
    optimizer = build_optimizer(method, recipe(lr_norm_and_bias=0.004), batch_size=128)
    rates = {p.ndim <= 1: g["lr"] for g in optimizer.param_groups for p in g["params"]}

    assert rates == pytest.approx({True: 0.002, False: 0.2})


def factors(chosen: Recipe, steps: int = 100, per_epoch: int = 10) -> list[float]:
    return [learning_rate_factor(chosen, Progress(step, steps, per_epoch)) for step in range(steps)]


def test_warm_up_is_linear_and_the_cosine_ends_at_its_end() -> None:
    found = factors(recipe(warmup_epochs=2, end_factor=0.1))

    assert found[:3] == pytest.approx([0.0, 0.05, 0.1])
    assert found[20] == 1.0
    assert found[60] == pytest.approx(0.1 + 0.9 * (1 + math.cos(math.pi / 2)) / 2)
    assert found[-1] == pytest.approx(0.1, abs=1e-3)
    assert found[20:] == sorted(found[20:], reverse=True)


def test_a_rate_per_epoch_changes_only_between_epochs() -> None:
    found = factors(recipe(schedule_interval="epoch"))

    assert all(len(set(found[start : start + 10])) == 1 for start in range(0, 100, 10))
    assert len(set(found)) == 10


def test_a_warm_up_per_epoch_starts_above_zero_and_ends_at_the_peak() -> None:
    found = factors(recipe(schedule_interval="epoch", warmup_epochs=4))[::10]

    assert found[:4] == pytest.approx([0.25, 0.5, 0.75, 1.0])
    assert found[4] == 1.0
    assert found[7] == pytest.approx((1 + math.cos(math.pi / 2)) / 2)


@pytest.mark.parametrize("epochs", [1, 2, 3, 50, 100])
def test_no_recipe_spends_an_epoch_at_rate_zero(epochs: int) -> None:
    pretraining = load_profile("paper").settings.pretrain.model_copy(update={"epochs": epochs})
    for name in BUILTIN:
        cls = registry.methods()[name]
        for chosen in cls.recipes:
            built = assemble.resolve(cls, Spec.of(name, recipe=chosen), pretraining)[2]
            found = factors(built, steps=10 * epochs, per_epoch=10)
            epoch_means = [sum(found[i : i + 10]) for i in range(0, 10 * epochs, 10)]
            assert min(epoch_means) > 0, (name, chosen)


def test_a_constant_rate_is_constant() -> None:
    assert set(factors(recipe(schedule="constant"))) == {1.0}


def test_a_parameter_may_get_its_first_gradient_later_than_others(settings: Settings) -> None:
    """As heads that wait do; torch's fused SGD with momentum fails at that."""
    method, _ = assemble.build_method(SimCLR, Spec("simclr"), settings, seed=0)
    optimizer = build_optimizer(method, recipe(), batch_size=256)
    first, second = optimizer.param_groups[0]["params"][:2]
    before = [first.detach().clone(), second.detach().clone()]
    first.grad = torch.ones_like(first)
    optimizer.step()
    assert torch.equal(second, before[1])
    second.grad = torch.ones_like(second)
    optimizer.step()

    rate, decay = 0.4, 1e-4
    expected = before[1] - rate * (1 + decay * before[1])
    torch.testing.assert_close(second.detach(), expected)


@pytest.mark.parametrize("decay", [1e-6, 0.1, 0.0])
def test_lars_takes_the_steps_of_lightlys(decay: float) -> None:
    """Zero weights, zero gradients and late gradients included."""
    generator = torch.Generator().manual_seed(0)
    start = [
        torch.randn(4, 3, generator=generator),
        torch.zeros(5),
        torch.randn(2, 2, generator=generator),
        torch.randn(3, generator=generator),
    ]
    ours, theirs = ([t.clone().requires_grad_() for t in start] for _ in range(2))
    options = {"lr": 0.3, "momentum": 0.9, "weight_decay": decay}
    optimizers = [LARS([{"params": ours}], **options), lightly_lars.LARS(theirs, **options)]
    for step in range(4):
        gradients = [torch.randn(t.shape, generator=generator) for t in start]
        gradients[2].zero_()
        for mine, other, gradient in zip(ours, theirs, gradients, strict=True):
            mine.grad = other.grad = None if mine is ours[3] and step < 2 else gradient
        for optimizer in optimizers:
            optimizer.step()

        for mine, other in zip(ours, theirs, strict=True):
            torch.testing.assert_close(mine, other, rtol=1e-6, atol=1e-7)
