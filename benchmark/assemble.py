"""From `sarl:ram=0` and a profile to a method that can be trained.

A spec's settings may name a loss term (its weight), a field of the method's Config, a field of
its recipe, or `recipe` itself; no two of these share a name. A recipe may replace defaults of the
method, and some of its own numbers for trainings of other lengths (`by_epochs`). The profile then
applies its stated rules: `pretrain.scale` shrinks the fields marked `scaled`,
`pretrain.optimizer: adamw` replaces the optimiser of every method but not its schedule,
`pretrain.views: common` its augmentation, and what is counted in epochs - warm-ups, a queue's
start - shrinks in proportion in trainings of less than 100 epochs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from pydantic import TypeAdapter, ValidationError

from vtbench.benchmark.errors import UsageError, suggestion
from vtbench.benchmark.seeding import seeded
from vtbench.benchmark.settings import Pretrain, Settings
from vtbench.benchmark.spec import Spec, Value
from vtbench.methods.backbones import TIMM
from vtbench.methods.base import Method, MethodConfig, Rule
from vtbench.methods.encoder import Encoder
from vtbench.methods.recipe import Augmentation, Recipe

#: Durations in epochs are meant for trainings of this length, and shorter in shorter ones.
REFERENCE_EPOCHS = 100

RECIPE_SETTINGS = (
    "optimizer", "lr", "lr_scaling", "lr_norm_and_bias", "weight_decay", "decay_norm_and_bias",
    "optimizer_momentum", "schedule", "schedule_interval", "warmup_epochs",
    "warmup_start_factor", "end_factor", "keep", "zero_init_residual",
)  # fmt: skip


def build_encoder(settings: Settings, *, seed: int, zero_init_residual: bool = False) -> Encoder:
    """An untrained encoder; the same seed gives the same weights whatever the method.

    Raises MethodError where it is one of timm's and timm is missing or has no such network.
    """
    chosen = settings.encoder
    with seeded(seed, "encoder"):
        if chosen.name.startswith(TIMM):
            from vtbench.methods.timm_encoder import TimmEncoder

            return TimmEncoder(chosen.name, zero_init_residual=zero_init_residual)  # type: ignore[return-value]
        return Encoder(
            name=chosen.name,
            width=chosen.width,
            max_pool=chosen.max_pool,
            zero_init_residual=zero_init_residual,
        )


def build_method(
    cls: type[Method], spec: Spec, settings: Settings, *, seed: int
) -> tuple[Method, Recipe]:
    """The method of a spec with fresh weights, and the recipe to train it by.

    Raises UsageError where a setting is unknown, ill-typed, or names no recipe.
    """
    weights, config, recipe = resolve(cls, spec, settings.pretrain)
    encoder = build_encoder(settings, seed=seed, zero_init_residual=recipe.zero_init_residual)
    with seeded(seed, "heads", spec.name):  # the same heads whatever is ablated
        return cls(encoder, config, weights), recipe


def resolve(
    cls: type[Method], spec: Spec, pretrain: Pretrain
) -> tuple[dict[str, float], MethodConfig, Recipe]:
    """Term weights, Config and recipe of a spec under a profile."""
    _check_values(spec)
    given = dict(spec.settings)
    recipe = _recipe(cls, spec, str(given.pop("recipe", pretrain.recipe)), pretrain.epochs)
    terms = {key: given.pop(key) for key in list(given) if key in cls.terms}
    named = {key: given.pop(key) for key in list(given) if key in _config_fields(cls)}
    rules = {key: given.pop(key) for key in list(given) if key in RECIPE_SETTINGS}
    if given:
        key = next(iter(given))
        raise UsageError(
            f"{spec.name} has no setting {key!r}{suggestion(key, setting_names(cls))}."
        )
    _check_switches(cls, spec, recipe)
    chosen = {key: value for key, value in recipe.settings.items() if key not in cls.terms}
    own_terms = {key: value for key, value in recipe.settings.items() if key in cls.terms}
    weights = _typed(dict[str, float], {**own_terms, **terms}, spec)
    if not any({**cls.terms, **weights}.values()):
        raise UsageError(f"In {str(spec)!r} every term has weight 0: nothing would be trained.")
    config = _typed(cls.Config, {**chosen, **named}, spec)
    for name, weight in weights.items():
        _check_number(spec, name, weight, least=0)
    _check_config(config, spec)
    config = _shrunk(config, pretrain, keep=set(named))
    _check_config(config, spec)  # a profile's factors may be out of bounds as well
    recipe = _typed(Recipe, {**_shallow(_profiled(recipe, pretrain)), **rules}, spec)
    _check_recipe(recipe, spec)
    return weights, config, recipe


def _check_values(spec: Spec) -> None:
    for key, value in spec.settings:
        if isinstance(value, str) and value.lstrip("+-").lower() in ("nan", "inf", "infinity"):
            raise UsageError(f"In {str(spec)!r}, {key} must be a finite number.")


def _check_switches(cls: type[Method], spec: Spec, recipe: Recipe) -> None:
    """true and false are for switches: as a number true would silently be 1."""
    config = {field.name: field.default for field in fields(cls.Config)}
    defaults = {**cls.terms, **config, **_shallow(recipe)}
    for key, value in spec.settings:
        if isinstance(value, bool) and not isinstance(defaults.get(key), bool):
            raise UsageError(f"In {str(spec)!r}, {key} is no switch: {value} does not fit.")


def _check_config(config: MethodConfig, spec: Spec) -> None:
    """Numbers of a method are positive and within the bounds of their fields."""
    for field in fields(config):
        value = getattr(config, field.name)
        _check_number(spec, field.name, value, **{
            bound: field.metadata.get(bound) for bound in ("least", "most")
        })  # fmt: skip


def _check_recipe(recipe: Recipe, spec: Spec) -> None:
    """Rates are positive, shares lie between 0 and 1, and LARS has a weight decay to work with."""
    for name, value in _shallow(recipe).items():
        shared = name in ("end_factor", "warmup_start_factor", "optimizer_momentum")
        zero = shared or name in ("weight_decay", "warmup_epochs")
        _check_number(spec, name, value, least=0 if zero else None, most=1 if shared else None)
    if recipe.optimizer == "lars" and recipe.weight_decay == 0:
        raise UsageError(f"In {str(spec)!r}, LARS needs weight_decay > 0; set weight_decay=1e-6.")


def _check_number(
    spec: Spec, name: str, value: object, *, least: float | None, most: float | None = None
) -> None:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return
    low = value <= 0 if least is None else value < least
    if low or (most is not None and value > most):
        bounds = "more than 0" if least is None else f"{least:g} or more"
        bounds += "" if most is None else f" and at most {most:g}"
        raise UsageError(f"In {str(spec)!r}, {name}={value:g} must be {bounds}.")


def setting_names(cls: type[Method]) -> list[str]:
    """All settings a spec of this method may carry."""
    return [*cls.terms, *_config_fields(cls), *RECIPE_SETTINGS, "recipe"]


def without_defaults(cls: type[Method], spec: Spec) -> Spec:
    """The spec without term weights that are the method's own defaults: `sarl:ram=0.02` is sarl."""
    same = {key for key, value in spec.settings if cls.terms.get(key) == value}
    return spec.without(same)


def _config_fields(cls: type[Method]) -> list[str]:
    return [field.name for field in fields(cls.Config)]


def _recipe(cls: type[Method], spec: Spec, name: str, epochs: int) -> Recipe:
    """The named recipe, with what it has for the length of training nearest to `epochs`."""
    if name not in cls.recipes:
        raise UsageError(f"{spec.name} has no recipe {name!r}{suggestion(name, cls.recipes)}.")
    recipe = cls.recipes[name]
    if not recipe.by_epochs:
        return recipe
    nearest = min(recipe.by_epochs, key=lambda length: abs(math.log(length / epochs)))
    return replace(recipe, **recipe.by_epochs[nearest])


def _shallow(recipe: Recipe) -> dict[str, Any]:
    return {field.name: getattr(recipe, field.name) for field in fields(recipe)}


def _typed(kind: Any, values: Mapping[str, Value | object], spec: Spec) -> Any:
    try:
        return TypeAdapter(kind).validate_python(dict(values))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        reason = first["msg"][0].lower() + first["msg"][1:]
        raise UsageError(f"In {str(spec)!r}, {key}={first['input']!r}: {reason}.") from None


def _shrunk(config: MethodConfig, pretrain: Pretrain, *, keep: set[str]) -> MethodConfig:
    """Fields marked `scaled` under the profile's rules; what the user set by hand stays."""
    changes = {
        field.name: max(
            field.metadata["least"] or 0,
            _scaled(getattr(config, field.name), field.metadata["scale"], pretrain),
        )
        for field in fields(config)
        if "scale" in field.metadata and field.name not in keep
    }
    return replace(config, **changes)


def _scaled(value: Any, rule: Rule, pretrain: Pretrain) -> Any:
    """One value under its rule; see `methods.base.scaled`."""
    scale = pretrain.scale
    if value == 0:
        return value
    if rule == "waiting":
        return value * (_shortening(pretrain) if scale.waiting is None else scale.waiting)
    if rule == "ema":
        return 1.0 - (1.0 - value) * scale.ema
    if rule == "head":
        narrower = max(round(value * scale.head), scale.narrowest)
        return min(value, narrower, scale.widest or value)
    return max(1, round(value * (scale.queue if rule == "queue" else scale.codes)))


def _shortening(pretrain: Pretrain) -> float:
    return min(1.0, pretrain.epochs / REFERENCE_EPOCHS)


def _profiled(recipe: Recipe, pretrain: Pretrain) -> Recipe:
    recipe = replace(recipe, warmup_epochs=recipe.warmup_epochs * _shortening(pretrain))
    if pretrain.views == "common":
        recipe = replace(recipe, views=(Augmentation(), Augmentation()))
    if pretrain.optimizer == "method":
        return recipe
    return replace(
        recipe,
        optimizer="adamw",
        lr=pretrain.lr,
        lr_scaling="none",
        lr_norm_and_bias=None,
        weight_decay=pretrain.weight_decay,
    )
