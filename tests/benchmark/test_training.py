"""The training loop: exact resume, what it writes, methods under a profile."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from vtbench.benchmark import assemble, checkpoint, registry
from vtbench.benchmark.errors import TrainingDiverged, UsageError
from vtbench.benchmark.pretrain import Plan, Training
from vtbench.benchmark.settings import Settings, load_profile
from vtbench.benchmark.spec import Spec
from vtbench.methods import BUILTIN
from vtbench.methods.byol import BYOL
from vtbench.methods.errors import MethodError
from vtbench.methods.recipe import Augmentation
from vtbench.methods.sarl import SARL
from vtbench.methods.simclr import SimCLR
from vtbench.results import trained, validation

METHODS = {name: registry.methods()[name] for name in BUILTIN}
Train = Callable[..., dict[str, Any]]


# ------------------------------------------------------------------ resume


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("stop_at", [1, 4])
def test_a_training_stopped_at_any_step_ends_bit_for_bit_the_same(
    name: str, stop_at: int, train: Train, train_with_a_stop: Train, tmp_path: Path
) -> None:
    whole = train(name, tmp_path / "whole")
    cut = train_with_a_stop(name, tmp_path / "cut", stop_at=stop_at)

    for file in (checkpoint.ENCODER, checkpoint.LOG, trained.DIGESTS):
        assert (tmp_path / "cut" / file).read_bytes() == (tmp_path / "whole" / file).read_bytes()
    assert cut | {"seconds": 0} == whole | {"seconds": 0}
    assert not (tmp_path / "cut" / checkpoint.CHECKPOINT).exists()


@pytest.mark.parametrize("name", METHODS)
def test_a_training_killed_after_its_last_step_has_the_same_summary(
    name: str, train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "save_encoder", killed)
        with pytest.raises(KeyboardInterrupt):
            train(name, tmp_path / "cut")

    whole = train(name, tmp_path / "whole")
    assert train(name, tmp_path / "cut") | {"seconds": 0} == whole | {"seconds": 0}


def test_another_seed_gives_another_encoder(train: Train, tmp_path: Path) -> None:
    train("simclr", tmp_path / "a")
    train("simclr", tmp_path / "b", seed=1)
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


def test_a_damaged_encoder_is_set_aside_and_trained_again(train: Train, tmp_path: Path) -> None:
    train("simclr", tmp_path)
    whole = (tmp_path / checkpoint.ENCODER).read_bytes()
    assert checkpoint.load_summary(tmp_path, "a") is not None
    (tmp_path / checkpoint.ENCODER).write_bytes(whole[:100])

    assert checkpoint.load_summary(tmp_path, "a") is None
    aside = tmp_path.with_name(f"{tmp_path.name}.unreadable")
    assert (aside / checkpoint.ENCODER).read_bytes() == whole[:100]
    train("simclr", tmp_path)
    assert (tmp_path / checkpoint.ENCODER).read_bytes() == whole


# ------------------------------------------------------------------ what is written


def test_every_term_is_logged_at_every_step_and_the_monitor_at_every_epoch(
    train: Train, tmp_path: Path
) -> None:
    train("sarl", tmp_path)
    rows = [json.loads(line) for line in (tmp_path / checkpoint.LOG).read_text().splitlines()]
    losses = [row for row in rows if "total" in row]

    assert [row["step"] for row in losses] == list(range(6))
    for row in losses:
        parts = sum(SARL.terms[name] * row[name] for name in SARL.terms)
        assert row["total"] == pytest.approx(parts, rel=1e-5)
    assert sum("effective_rank" in row for row in rows) == 2


def test_the_summary_says_what_was_built_as_a_record_can_hold_it(
    train: Train, settings: Settings, tmp_path: Path
) -> None:
    spec = Spec.parse("sarl:ram=0:lr=0.005")
    _, config, chosen = assemble.resolve(SARL, spec, settings.pretrain)
    summary = validation.plain(train(str(spec), tmp_path), "training")

    stored = json.loads((tmp_path / checkpoint.SUMMARY).read_text())
    assert stored.pop("provenance").keys() == {"seconds", "devices"}
    assert {k: v for k, v in summary.items() if k not in ("seconds", "devices")} == stored
    assert summary["config"] == validation.plain(asdict(config), "config")
    assert summary["weights"] == {**SARL.terms, "ram": 0}
    assert (summary["recipe"]["lr"], summary["recipe"]["optimizer"]) == (0.005, "adamw")
    assert summary["recipe"]["views"][0]["crop_area"] == list(chosen.views[0].crop_area)


def test_a_loss_that_is_no_number_is_named(
    train: Train, settings: Settings, tmp_path: Path
) -> None:
    method, chosen = assemble.build_method(SimCLR, Spec("simclr"), settings, seed=0)
    with torch.no_grad():
        method.projector.layers[0].weight.fill_(float("nan"))

    with pytest.raises(TrainingDiverged, match=r"SimCLR: the loss term 'ntxent' became nan"):
        train(lambda: (method, chosen), tmp_path)


def test_a_run_with_fewer_images_than_a_batch_trains_on_all_of_them(
    train: Train, images: torch.Tensor, tmp_path: Path
) -> None:
    assert train("byol", tmp_path, images=images[:9])["batch_size"] == 9


def test_training_has_the_batches_that_fit(
    settings: Settings, images: torch.Tensor, tmp_path: Path
) -> None:
    method, chosen = assemble.build_method(SimCLR, Spec("simclr"), settings, seed=0)
    sizes = Plan(identity="a", epochs=2, batch_size=16, image_size=32, seed=0)
    training = Training(method, chosen, images, tmp_path, sizes)

    assert (training.steps_per_epoch, training.total_steps) == (3, 6)


@pytest.mark.parametrize("damage", [b"[1]\n", b"\xff\xfe", b'{"step": "x"}\n', b'{"st'])
def test_a_damaged_log_stops_no_training(train: Train, tmp_path: Path, damage: bytes) -> None:
    (tmp_path / checkpoint.LOG).write_bytes(damage)
    train("simclr", tmp_path)

    rows = [json.loads(line) for line in (tmp_path / checkpoint.LOG).read_text().splitlines()]
    assert rows[0]["step"] == 0


# ------------------------------------------------------------------ methods under a profile


def test_the_paper_profile_leaves_every_recipe_and_width_as_its_authors_have_it() -> None:
    pretraining = load_profile("paper").settings.pretrain
    for name, cls in METHODS.items():
        weights, config, chosen = assemble.resolve(cls, Spec(name), pretraining)
        assert weights == {}
        assert config == cls.Config()
        assert replace(chosen, by_epochs={}) == replace(cls.recipes["official"], by_epochs={})


def test_a_recipe_may_differ_by_the_length_of_the_training() -> None:
    pretraining = load_profile("paper").settings.pretrain
    found = {}
    for epochs in (30, 100, 250, 800):
        length = pretraining.model_copy(update={"epochs": epochs})
        _, config, chosen = assemble.resolve(BYOL, Spec("byol"), length)
        found[epochs] = (chosen.lr, config.ema, chosen.weight_decay)

    assert found == {
        30: (0.45, 0.97, 1e-6),
        100: (0.45, 0.99, 1e-6),
        250: (0.3, 0.99, 1e-6),
        800: (0.2, 0.996, 1.5e-6),
    }


def test_a_recipe_may_weigh_the_terms_and_the_user_has_the_last_word() -> None:
    pretraining = load_profile("paper").settings.pretrain
    cls = METHODS["vicreg"]
    weights, _, _ = assemble.resolve(cls, Spec.of("vicreg", recipe="sarl_authors"), pretraining)
    spec = Spec.of("vicreg", recipe="sarl_authors", variance=3)

    assert weights == {"variance": 50.0}
    assert assemble.resolve(cls, spec, pretraining)[0] == {"variance": 3.0}


def test_what_is_counted_in_epochs_shrinks_with_the_training() -> None:
    pretraining = load_profile("paper").settings.pretrain
    short = pretraining.model_copy(update={"epochs": 20})
    _, config, _ = assemble.resolve(METHODS["swav"], Spec("swav"), short)
    _, kept, _ = assemble.resolve(METHODS["swav"], Spec.parse("swav:frozen_epochs=2"), short)

    assert (config.queue_from_epoch, config.frozen_epochs) == (3.0, 0.2)
    assert kept.frozen_epochs == 2
    assert assemble.resolve(METHODS["minc"], Spec("minc"), short)[2].warmup_epochs == 2


def test_quick_shrinks_what_is_marked_and_says_what_it_replaces() -> None:
    pretraining = load_profile("quick").settings.pretrain
    _, config, chosen = assemble.resolve(BYOL, Spec("byol"), pretraining)

    limits = (pretraining.scale.widest, pretraining.scale.narrowest)
    assert (config.hidden_width, config.projection_width) == limits
    assert config.ema == 0.97  # the authors' preset for the shortest training, 40 epochs
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
    """But for the last norms of the residual branches, which some authors start at zero."""
    expected = assemble.build_encoder(settings, seed=3).state_dict()
    for name, cls in METHODS.items():
        built = assemble.build_method(cls, Spec(name), settings, seed=3)[0].encoder.state_dict()
        other = {key for key, value in expected.items() if not torch.equal(built[key], value)}
        assert all(key.endswith("bn2.weight") for key in other)
        assert bool(other) == cls.recipes["official"].zero_init_residual


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
        ("sarl:sal_layer2=0:sal_layer3=0:sal_layer4=0", "are all 0"),
        ("sarl:ram_correspondence=foo", "nearest"),
        ("byol:ema=1.5", "more than 0 and at most 1"),
        ("byol:lr=-1", "more than 0"),
        ("byol:warmup_epochs=-3", "0 or more"),
        ("byol:optimizer_momentum=2", "at most 1"),
        ("byol:end_factor=-1", "0 or more"),
        ("byol:lr_norm_and_bias=0", "more than 0"),
        ("barlow_twins:redundancy=-1", "0 or more"),
        ("minc:moment_ema=3", "at most 1"),
        ("densecl:queue_share=7", "at most 1"),
        ("densecl:queue_length=0", "1 or more"),
        ("swav:queue_length=-1", "0 or more"),
        ("swav:prototypes=1", "2 or more"),
        ("cplearn:codes=1", "2 or more"),
        ("cplearn:smallest_share=0.5", "must be less than 1"),
    ],
)
def test_settings_that_make_no_sense_are_refused(text: str, message: str) -> None:
    spec = Spec.parse(text)
    with pytest.raises((UsageError, MethodError), match=message):
        assemble.resolve(METHODS[spec.name], spec, load_profile("quick").settings.pretrain)


def test_a_profile_that_turns_a_rate_negative_is_refused() -> None:
    pretraining = load_profile("quick", ["pretrain.scale.ema=1000"]).settings.pretrain
    with pytest.raises(UsageError, match=r"ema=.* must be more than 0"):
        assemble.resolve(SARL, Spec("sarl"), pretraining)


def test_a_step_waits_for_no_copy_to_the_device(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copies: list[tuple[bool, str]] = []  # whether it is waited for, and by which file
    move = Tensor.to

    def noted(self: Tensor, *to: Any, **options: Any) -> Tensor:
        if any(isinstance(where, str | torch.device) for where in (*to, options.get("device"))):
            caller = traceback.extract_stack(limit=2)[0].filename
            copies.append((not options.get("non_blocking"), caller))
        return move(self, *to, **options)

    method, recipe = assemble.build_method(SARL, Spec("sarl"), settings, seed=0)
    images = torch.randint(0, 256, (8, 36, 36, 3), dtype=torch.uint8)
    plan = Plan(identity="x", epochs=1, batch_size=4, image_size=32, seed=0)
    training = Training(method, recipe, images, tmp_path, plan)
    monkeypatch.setattr(Tensor, "to", noted)
    training.run_step(torch.arange(4))

    ours = [(waited, Path(caller).name) for waited, caller in copies if "-packages" not in caller]
    assert len(ours) > 5  # rows, crops, colours, geometry
    assert [caller for waited, caller in ours if waited] == []
