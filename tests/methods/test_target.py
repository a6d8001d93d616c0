"""Target networks follow slowly, without gradient, and keep their own batch-norm statistics."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from vtbench.methods.target import TargetNetwork, cosine_momentum


@pytest.fixture
def network() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))


def test_starts_as_a_separate_copy(network):
    target = TargetNetwork(network)

    for ours, theirs in zip(target.parameters(), network.parameters(), strict=True):
        assert torch.equal(ours, theirs)
        assert ours.data_ptr() != theirs.data_ptr()


def test_takes_no_gradient(network):
    target = TargetNetwork(network)
    output = target(torch.randn(5, 3, requires_grad=True))

    assert not output.requires_grad
    assert not any(parameter.requires_grad for parameter in target.parameters())
    assert all(parameter.requires_grad for parameter in network.parameters())


def test_update_is_the_moving_average(network):
    target = TargetNetwork(network)
    before = [parameter.clone() for parameter in target.parameters()]
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter))

    target.update(network, momentum=0.9)

    for old, new, online in zip(before, target.parameters(), network.parameters(), strict=True):
        torch.testing.assert_close(new, 0.9 * old + 0.1 * online)


def test_momentum_one_changes_nothing_and_zero_copies(network):
    target = TargetNetwork(network)
    before = target.module[0].weight.clone()
    nn.init.normal_(network[0].weight)

    target.update(network, momentum=1.0)
    assert torch.equal(target.module[0].weight, before)
    target.update(network, momentum=0.0)
    assert torch.equal(target.module[0].weight, network[0].weight)


def test_batch_norm_statistics_are_its_own(network):
    target = TargetNetwork(network)
    network(torch.randn(8, 3) + 5)
    before = [buffer.clone() for buffer in target.buffers()]

    target.update(network, momentum=0.5)

    assert all(map(torch.equal, target.buffers(), before))
    target(torch.randn(8, 3) - 5)
    assert not torch.equal(target.module[1].running_mean, before[0])


def test_stays_in_train_mode(network):
    owner = nn.Module()
    owner.target = TargetNetwork(network.eval())

    for switch in (owner.train, owner.eval):
        switch()
        assert all(module.training for module in owner.target.modules())


def test_cosine_momentum_rises_from_its_start_to_one():
    rates = [cosine_momentum(0.99, fraction) for fraction in (0, 0.25, 0.5, 0.75, 1)]

    assert rates == sorted(rates)
    assert rates[0] == pytest.approx(0.99)
    assert rates[2] == pytest.approx(0.995)
    assert rates[4] == 1.0
