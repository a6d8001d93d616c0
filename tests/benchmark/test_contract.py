"""Every registered method fulfils the contract, and the contract finds the faults it looks for."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import pytest
import torch

from vtbench.benchmark import registry
from vtbench.benchmark.contract import MethodContract
from vtbench.benchmark.errors import UsageError
from vtbench.methods.base import Method
from vtbench.methods.byol import BYOL
from vtbench.methods.simclr import SimCLR

METHODS = registry.methods()


class TestEveryMethod(MethodContract):
    @pytest.fixture(autouse=True, params=list(METHODS))
    def _method(self, request: pytest.FixtureRequest) -> None:
        self.method = METHODS[request.param]


# ------------------------------------------------------------------ faults that it finds


class Sound(SimCLR):
    """SimCLR, to spoil in one place each below."""


class WrongTerm(Sound):
    def losses(self, views, progress):
        return {"other": super().losses(views, progress)["ntxent"]}


class NotFinite(Sound):
    def losses(self, views, progress):
        return {"ntxent": super().losses(views, progress)["ntxent"] * float("inf")}


class NoScalar(Sound):
    def losses(self, views, progress):
        return {"ntxent": super().losses(views, progress)["ntxent"][None]}


class HalfPrecision(Sound):
    def losses(self, views, progress):
        return {"ntxent": super().losses(views, progress)["ntxent"].bfloat16()}


class UnusedParameter(Sound):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.unused = torch.nn.Linear(2, 2)


class AttachedReading(Sound):
    def losses(self, views, progress):
        losses = super().losses(views, progress)
        self.readings = {"loss": losses["ntxent"]}
        return losses


class FixedBatch(Sound):
    def losses(self, views, progress):
        return {k: v * torch.ones(8)[: len(views.images[0])].view(8).mean()
                for k, v in super().losses(views, progress).items()}  # fmt: skip


class Unlearnable(Sound):
    def losses(self, views, progress):
        return {"ntxent": super().losses(views, progress)["ntxent"] * 1e-6 + 1}


class Forgetful(Sound):
    """Keeps a moving average that no checkpoint holds."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.register_buffer("average", torch.zeros(()))
        self.steps_done = 0

    def after_step(self, progress):
        self.steps_done += 1
        self.average.fill_(self.steps_done)


class Absent(Sound):
    """Keeps what its loss depends on where no checkpoint looks."""

    bonus = 0.0

    def losses(self, views, progress):
        return {k: v + self.bonus for k, v in super().losses(views, progress).items()}

    def after_step(self, progress):
        self.bonus += 0.5


class Mutating(Sound):
    def losses(self, views, progress):
        views.images[0].add_(1)
        return super().losses(views, progress)


class Random(Sound):
    def losses(self, views, progress):
        return {k: v + torch.rand(()) for k, v in super().losses(views, progress).items()}


class SeedsItself(Sound):
    def losses(self, views, progress):
        torch.manual_seed(7)
        return super().losses(views, progress)


class Detached(Sound):
    def losses(self, views, progress):
        return {k: v.detach() for k, v in super().losses(views, progress).items()}


class NegativeWeight(Sound):
    terms: ClassVar = {"ntxent": -1.0}


OFFICIAL = SimCLR.recipes["official"]


class WrongOptimizer(Sound):
    recipes: ClassVar = {"official": replace(OFFICIAL, optimizer="sgdd")}


class WrongRate(Sound):
    recipes: ClassVar = {"official": replace(OFFICIAL, lr=-0.1)}


class WrongSetting(Sound):
    recipes: ClassVar = {"official": replace(OFFICIAL, settings={"heat": 1})}


class WrongModule(Sound):
    recipes: ClassVar = {"official": replace(OFFICIAL, constant_lr_modules=("predictor",))}


class WrongLength(Sound):
    recipes: ClassVar = {"official": replace(OFFICIAL, by_epochs={9: {"settings": {"heat": 1}}})}


class WithoutViews(Sound):
    recipes: ClassVar = {"official": replace(OFFICIAL, views=())}


class EagerTarget(BYOL):
    def losses(self, views, progress):
        self.target_encoder.update(self.encoder, 0.9)
        return super().losses(views, progress)


class UnevenTarget(BYOL):
    def after_step(self, progress):
        super().after_step(progress)
        with torch.no_grad():
            self.target_encoder.module.conv1.weight.add_(0.01)


class Computed(Sound):
    title = "Com" + "puted"


LOSSES = "test_losses_are_finite_float32_scalars_one_for_each_wanted_term"
ALONE = "test_losses_leave_views_and_the_global_random_numbers_alone"
DECLARED = "test_declarations_are_complete"
RECIPES = "test_every_recipe_can_be_built"
STATE = "test_state_survives_saving_and_loading_bit_for_bit"
TARGETS = "test_targets_move_only_after_a_step_and_only_towards_the_online_network"

#: The test that finds a fault, and what it says.
FAULTS = {
    WrongTerm: (LOSSES, "'other'"),
    NotFinite: (LOSSES, "inf"),
    NoScalar: (LOSSES, "scalar"),
    HalfPrecision: ("test_mixed_precision_stays_finite_and_near", "must be float32"),
    Detached: (LOSSES, "the term ntxent has no gradient"),
    UnusedParameter: (
        "test_gradients_reach_every_trainable_parameter_and_no_other", "unused.weight gets no"
    ),
    AttachedReading: ("test_readings_are_detached_scalars", "loss must be detached"),
    FixedBatch: ("test_any_batch_from_two_and_any_size_from_32_pixels_works", "shape '\\[8\\]'"),
    Unlearnable: ("test_a_fixed_batch_is_learnt_in_a_few_steps", "25 steps on one batch bring"),
    Forgetful: (STATE, "after loading these go on differently: average"),
    Absent: (STATE, "the losses go on as"),
    Mutating: (ALONE, "the views are changed in place"),
    Random: (ALONE, "the global random numbers of torch are drawn or seeded"),
    SeedsItself: (ALONE, "the global random numbers of torch are drawn or seeded"),
    NegativeWeight: (DECLARED, "the weight of the term 'ntxent' is -1.0"),
    WithoutViews: (DECLARED, "the recipe 'official' has no views"),
    WrongOptimizer: (RECIPES, "optimizer='sgdd'"),
    WrongRate: (RECIPES, "lr=-0.1 must be more than 0"),
    WrongSetting: (RECIPES, "sets 'heat', neither a term nor a field of Config"),
    WrongLength: (RECIPES, "sets 'heat', neither a term nor a field of Config"),
    WrongModule: (RECIPES, "names 'predictor', which the method does not have"),
    EagerTarget: (TARGETS, "target_encoder moved without after_step"),
    UnevenTarget: (TARGETS, "target_encoder moved not by EMA"),
    Computed: ("test_declarations_can_be_read_without_running_the_file", "title"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_faulty_method_is_found(fault: type[Method]) -> None:
    """`TestEveryMethod` shows that the methods which are spoilt here have none of these faults."""
    contract = MethodContract()
    contract.method = fault
    test, said = FAULTS[fault]

    with pytest.raises((AssertionError, RuntimeError, UsageError), match=said):
        getattr(contract, test)()
