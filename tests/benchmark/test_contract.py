"""Every registered method fulfils the contract, and the contract finds the faults it looks for."""

from __future__ import annotations

import pytest
import torch

from vtbench.benchmark import registry
from vtbench.benchmark.contract import MethodContract
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
    """A method without fault, to spoil in one place each below."""


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


FAULTS = {
    WrongTerm: "test_losses_are_finite_float32_scalars_one_for_each_wanted_term",
    NotFinite: "test_losses_are_finite_float32_scalars_one_for_each_wanted_term",
    NoScalar: "test_losses_are_finite_float32_scalars_one_for_each_wanted_term",
    HalfPrecision: "test_mixed_precision_stays_finite_and_near",
    UnusedParameter: "test_gradients_reach_every_trainable_parameter_and_no_other",
    AttachedReading: "test_readings_are_detached_scalars",
    FixedBatch: "test_any_batch_from_two_and_any_size_from_32_pixels_works",
    Unlearnable: "test_a_fixed_batch_is_learnt_in_a_few_steps",
    Forgetful: "test_state_survives_saving_and_loading_bit_for_bit",
    EagerTarget: "test_targets_move_only_after_a_step_and_only_towards_the_online_network",
    UnevenTarget: "test_targets_move_only_after_a_step_and_only_towards_the_online_network",
    Computed: "test_declarations_can_be_read_without_running_the_file",
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_faulty_method_is_found(fault: type[Method]) -> None:
    contract = MethodContract()
    contract.method = fault

    with pytest.raises((AssertionError, RuntimeError)):
        getattr(contract, FAULTS[fault])()


def test_a_method_without_fault_passes_the_tests_that_find_faults() -> None:
    for sound, names in ((Sound, set(FAULTS.values())), (BYOL, set(FAULTS.values()))):
        contract = MethodContract()
        contract.method = sound
        for name in names - {"test_declarations_can_be_read_without_running_the_file"}:
            getattr(contract, name)()
