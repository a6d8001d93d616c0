"""The training loop: schedules, groups, exact resume, monitors."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from vtbench.benchmark import assemble, checkpoint, monitor
from vtbench.benchmark.errors import Interrupted, TrainingDiverged, UsageError
from vtbench.benchmark.optimizers import build_optimizer, learning_rate_factor
from vtbench.benchmark.pretrain import Plan, Training, pretrain
from vtbench.benchmark.settings import Settings, load_profile
from vtbench.benchmark.spec import Spec
from vtbench.methods.base import Progress
from vtbench.methods.byol import BYOL
from vtbench.methods.recipe import Augmentation, Recipe
from vtbench.methods.sarl import SARL
from vtbench.methods.simclr import SimCLR

METHODS = {"sarl": SARL, "byol": BYOL, "simclr": SimCLR}


@pytest.fixture
def settings(tiny_profile: Path) -> Settings:
    return load_profile(str(tiny_profile)).settings


@pytest.fixture
def images() -> torch.Tensor:
    return torch.randint(0, 256, (50, 32, 32, 3), generator=torch.manual_seed(0)).to(torch.uint8)


def plan(**changes: object) -> Plan:
    defaults = {"identity": "a", "epochs": 2, "batch_size": 16, "image_size": 32, "seed": 0}
    return Plan(**{**defaults, **changes})


def train(name: str, settings: Settings, images: torch.Tensor, folder: Path, **changes: object):
    method, recipe = assemble.build_method(METHODS[name], Spec(name), settings, seed=0)
    return pretrain(method, recipe, images, folder, plan(**changes))


# ------------------------------------------------------------------ resume


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("stop_at", [1, 3, 4])
def test_a_training_stopped_at_any_step_ends_bit_for_bit_the_same(
    name: str, stop_at: int, settings: Settings, images: torch.Tensor, tmp_path: Path
) -> None:
    train(name, settings, images, tmp_path / "whole")
    steps = iter(range(100))
    with pytest.raises(Interrupted):
        train(name, settings, images, tmp_path / "cut", should_stop=lambda: next(steps) >= stop_at)
    assert (tmp_path / "cut" / checkpoint.CHECKPOINT).exists()
    train(name, settings, images, tmp_path / "cut")

    for file in (checkpoint.ENCODER, checkpoint.LOG):
        assert (tmp_path / "cut" / file).read_bytes() == (tmp_path / "whole" / file).read_bytes()
    assert not (tmp_path / "cut" / checkpoint.CHECKPOINT).exists()


def test_another_seed_gives_another_encoder(
    settings: Settings, images: torch.Tensor, tmp_path: Path
) -> None:
    train("simclr", settings, images, tmp_path / "a")
    train("simclr", settings, images, tmp_path / "b", seed=1)
    a, b = ((tmp_path / n / checkpoint.ENCODER).read_bytes() for n in "ab")

    assert a != b


@pytest.mark.parametrize("damage", [b"", b"not a checkpoint", None])
def test_a_damaged_or_foreign_checkpoint_is_set_aside(tmp_path: Path, damage: bytes | None) -> None:
    if damage is None:
        checkpoint.save_checkpoint(tmp_path, {"identity": "another", "step": 1})
    else:
        (tmp_path / checkpoint.CHECKPOINT).write_bytes(damage)

    assert checkpoint.load_checkpoint(tmp_path, "mine") is None
    assert (tmp_path / (checkpoint.CHECKPOINT + ".unreadable")).exists()


def test_every_term_is_logged_at_every_step_and_the_monitor_at_every_epoch(
    settings: Settings, images: torch.Tensor, tmp_path: Path
) -> None:
    train("sarl", settings, images, tmp_path)
    rows = [json.loads(line) for line in (tmp_path / checkpoint.LOG).read_text().splitlines()]
    losses = [row for row in rows if "total" in row]

    assert [row["step"] for row in losses] == list(range(6))
    for row in losses:
        parts = sum(SARL.terms[name] * row[name] for name in SARL.terms)
        assert row["total"] == pytest.approx(parts, rel=1e-5)
    assert sum("effective_rank" in row for row in rows) == 2


def test_a_loss_that_is_no_number_is_named(
    settings: Settings, images: torch.Tensor, tmp_path: Path
) -> None:
    method, recipe = assemble.build_method(SimCLR, Spec("simclr"), settings, seed=0)
    with torch.no_grad():
        method.projector.layers[0].weight.fill_(float("nan"))

    with pytest.raises(TrainingDiverged, match=r"SimCLR: the loss term 'total' became nan"):
        pretrain(method, recipe, images, tmp_path, plan())


def test_a_run_with_fewer_images_than_a_batch_trains_on_all_of_them(
    settings: Settings, images: torch.Tensor, tmp_path: Path
) -> None:
    assert train("byol", settings, images[:9], tmp_path)["batch_size"] == 9


def test_a_damaged_encoder_is_set_aside_and_trained_again(
    settings: Settings, images: torch.Tensor, tmp_path: Path
) -> None:
    train("simclr", settings, images, tmp_path)
    whole = (tmp_path / checkpoint.ENCODER).read_bytes()
    assert checkpoint.load_summary(tmp_path, "a") is not None
    assert checkpoint.load_summary(tmp_path, "another") is None
    (tmp_path / checkpoint.ENCODER).write_bytes(whole[:100])

    assert checkpoint.load_summary(tmp_path, "a") is None
    train("simclr", settings, images, tmp_path)
    assert (tmp_path / checkpoint.ENCODER).read_bytes() == whole


@pytest.mark.parametrize("damage", [b"[1]\n", b"\xff\xfe", b'{"step": "x"}\n', b'{"st'])
def test_a_damaged_log_stops_no_training(
    settings: Settings, images: torch.Tensor, tmp_path: Path, damage: bytes
) -> None:
    (tmp_path / checkpoint.LOG).write_bytes(damage)
    train("simclr", settings, images, tmp_path)

    rows = [json.loads(line) for line in (tmp_path / checkpoint.LOG).read_text().splitlines()]
    assert rows[0]["step"] == 0


# ------------------------------------------------------------------ optimisers and schedules


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


def test_lars_without_decay_is_refused_since_it_would_be_plain_sgd(settings: Settings) -> None:
    method, _ = assemble.build_method(BYOL, Spec("byol"), settings, seed=0)
    with pytest.raises(UsageError, match="LARS needs weight_decay > 0"):
        build_optimizer(method, recipe(optimizer="lars", weight_decay=0.0), batch_size=256)


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


def test_a_constant_rate_is_constant() -> None:
    assert set(factors(recipe(schedule="constant"))) == {1.0}


# ------------------------------------------------------------------ methods under a profile


def test_the_paper_profile_leaves_every_recipe_and_width_as_its_authors_have_it() -> None:
    pretraining = load_profile("paper").settings.pretrain
    for name, cls in METHODS.items():
        weights, config, chosen = assemble.resolve(cls, Spec(name), pretraining)
        assert weights == {}
        assert config == cls.Config()
        assert chosen == cls.recipes["official"]


def test_quick_shrinks_what_is_marked_and_says_what_it_replaces() -> None:
    pretraining = load_profile("quick").settings.pretrain
    _, config, chosen = assemble.resolve(BYOL, Spec("byol"), pretraining)

    assert (config.hidden_width, config.projection_width) == (1024, 64)
    assert config.ema == BYOL.Config().ema
    assert chosen.optimizer == "adamw"
    assert chosen.views == (Augmentation(), Augmentation())
    assert chosen.warmup_epochs == pytest.approx(0.1 * pretraining.epochs)


def test_what_the_user_sets_by_hand_is_not_shrunk() -> None:
    pretraining = load_profile("quick").settings.pretrain
    spec = Spec.parse("byol:hidden_width=100:ema=0.9:lr=0.5:recipe=sarl_authors")
    _, config, chosen = assemble.resolve(BYOL, spec, pretraining)

    assert (config.hidden_width, config.ema, chosen.lr) == (100, 0.9, 0.5)


def test_setting_names_of_a_method_never_clash() -> None:
    for cls in METHODS.values():
        names = assemble.setting_names(cls)
        assert len(names) == len(set(names))


def test_methods_of_one_seed_start_from_the_same_encoder(settings: Settings) -> None:
    states = [
        assemble.build_method(cls, Spec(name), settings, seed=3)[0].encoder.state_dict()
        for name, cls in METHODS.items()
    ] + [assemble.build_encoder(settings, seed=3).state_dict()]

    assert all(torch.equal(states[0][k], other[k]) for other in states for k in states[0])


def test_ablations_of_one_seed_start_from_the_same_heads(settings: Settings) -> None:
    specs = [Spec("sarl"), Spec.parse("sarl:ram=0"), Spec.parse("sarl:ppda=0:ram=0:sal=0")]
    states = [assemble.build_method(SARL, s, settings, seed=0)[0].state_dict() for s in specs]

    for other in states[1:]:
        assert all(torch.equal(states[0][key], value) for key, value in other.items())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sarl:ram=nan", "finite"),
        ("sarl:lr=inf", "finite"),
        ("sarl:ppda_temperature=0", "more than 0"),
        ("sarl:hidden_width=0", "more than 0"),
        ("sarl:global=0:sal=0:ppda=0:ram=0", "every term has weight 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        assemble.resolve(SARL, Spec.parse(text), load_profile("quick").settings.pretrain)


# ------------------------------------------------------------------ collapse


def test_the_monitor_tells_collapse_from_health() -> None:
    g = torch.Generator().manual_seed(0)
    healthy = torch.randn(256, 64, generator=g)
    point = torch.ones(256, 64) + 1e-4 * torch.randn(256, 64, generator=g)
    line = torch.randn(256, 1, generator=g) * torch.randn(1, 64, generator=g)
    read = [
        {"spread": monitor.spread(x), "effective_rank": monitor.effective_rank(x)}
        for x in (healthy, point, line)
    ]

    assert read[0]["spread"] == pytest.approx(1.0, abs=0.05)
    assert read[0]["effective_rank"] > 40
    assert [monitor.collapsed(reading) for reading in read] == [False, True, True]


def test_training_has_the_batches_that_fit(
    settings: Settings, images: torch.Tensor, tmp_path: Path
) -> None:
    method, chosen = assemble.build_method(SimCLR, Spec("simclr"), settings, seed=0)
    training = Training(method, chosen, images, tmp_path, plan())

    assert (training.steps_per_epoch, training.total_steps) == (3, 6)
