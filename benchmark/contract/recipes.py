"""Whether the recipes of a method can be trained by, at any length of training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields

from vtbench.benchmark.assemble import resolve
from vtbench.benchmark.settings import Pretrain
from vtbench.benchmark.spec import Spec
from vtbench.methods.base import Method
from vtbench.methods.recipe import Augmentation, Recipe

#: Epochs of trainings at which a recipe is tried: `by_epochs` may hold others for each.
LENGTHS = (1, 100, 1000)


def check_weights(terms: Mapping[str, object]) -> None:
    """Raise AssertionError for a default weight that is no number from 0 up."""
    for term, weight in terms.items():
        fits = isinstance(weight, (int, float)) and 0 <= weight < float("inf")
        assert fits, f"the weight of the term {term!r} is {weight!r}, not a number from 0 up"


def check_recipes(recipes: Mapping[str, object]) -> None:
    """Raise AssertionError where `official` is missing, and for what is no recipe with views."""
    assert "official" in recipes, f"recipes must hold 'official'; it has {[*recipes]}"
    for name, recipe in recipes.items():
        assert isinstance(recipe, Recipe), f"the recipe {name!r} is no Recipe but {recipe!r}"
        assert recipe.views, f"the recipe {name!r} has no views"
        strange = [view for view in recipe.views if not isinstance(view, Augmentation)]
        assert not strange, f"the recipe {name!r} has the view {strange[0]!r}, no Augmentation"


def try_recipe(method: Method, name: str, pretrain: Pretrain) -> None:
    """Raise AssertionError or UsageError for a recipe that the method cannot be trained by.

    A profile may replace optimiser and views; they are looked at as the recipe has them too.
    """
    cls, recipe = type(method), method.recipes[name]
    own = {"optimizer": "method", "views": "method"}
    for epochs in LENGTHS:
        for replaced in ({}, own):
            length = pretrain.model_copy(update={"epochs": epochs, **replaced})
            resolve(cls, Spec.of("method", recipe=name), length)
    wrong = [*_unknown_names(cls, recipe)]
    assert not wrong, f"the recipe {name!r} sets {wrong[0]}"
    lost = sorted({*recipe.constant_lr_modules} - {child for child, _ in method.named_children()})
    assert not lost, f"the recipe {name!r} names {lost[0]!r}, which the method does not have"


def _unknown_names(cls: type[Method], recipe: Recipe) -> Iterator[str]:
    of_method = {*cls.terms, *(field.name for field in fields(cls.Config))}
    of_recipe = {field.name for field in fields(Recipe)}
    for changes in recipe.by_epochs.values():
        yield from (f"{key!r} by epochs, no field of Recipe" for key in {*changes} - of_recipe)
    nested = [changes.get("settings", {}) for changes in recipe.by_epochs.values()]
    for settings in (recipe.settings, *nested):
        unknown = sorted({*settings} - of_method)  # type: ignore[call-overload]
        yield from (f"{key!r}, neither a term nor a field of Config" for key in unknown)
