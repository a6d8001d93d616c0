"""CPLearn: a fixed dictionary, and two views that choose from it."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from vtbench.methods.cplearn import (
    CPLearn,
    CPLearnConfig,
    cross_entropy,
    divergence_from_uniform,
)

SMALL = CPLearnConfig(projection_width=16, codes=24)


@pytest.fixture
def cplearn(encoder):
    return CPLearn(encoder, SMALL)


def test_the_dictionary_is_stored_and_never_trained(cplearn):
    assert "dictionary" in cplearn.state_dict()
    assert "dictionary" not in dict(cplearn.named_parameters())
    assert cplearn.dictionary.dtype == torch.int8


def test_divergence_is_zero_for_uniform_shares_and_ln_k_for_one_code():
    uniform = torch.full((4, 24), -math.log(24))
    one = torch.full((4, 24), -1e4)
    one[:, 3] = 0

    assert divergence_from_uniform(uniform).item() == pytest.approx(0, abs=1e-6)
    assert divergence_from_uniform(one).item() == pytest.approx(math.log(24), rel=1e-6)


def test_gradients_flow_through_both_sides_of_the_cross_entropy():
    p, q = torch.randn(2, 8, 24, requires_grad=True).unbind()
    loss = cross_entropy(p.log_softmax(1), q.log_softmax(1))

    assert all(g.abs().sum() > 0 for g in torch.autograd.grad(loss, [p, q]))


def test_one_direction_takes_prior_and_codes_from_the_first_view(encoder, views, progress):
    torch.manual_seed(0)
    both = CPLearn(encoder, SMALL)
    torch.manual_seed(0)
    first = CPLearn(encoder, replace(SMALL, directions="first"))
    p1, p2 = (first._log_codes(view) for view in views.images)
    losses = first.losses(views, progress)

    torch.testing.assert_close(losses["prior"], divergence_from_uniform(p1))
    torch.testing.assert_close(losses["invariance"], cross_entropy(p1, p2))
    assert both.losses(views, progress)["prior"] != losses["prior"]


@pytest.mark.parametrize("options", [{"projection_norm": "l2"}, {"temperature_rows": 64}], ids=str)
def test_options_change_the_codes(encoder, views, progress, options):
    def losses(config):
        torch.manual_seed(0)
        return CPLearn(encoder, config).losses(views, progress)

    assert losses(SMALL)["invariance"] != losses(replace(SMALL, **options))["invariance"]


def test_a_fixed_number_of_rows_frees_the_temperature_from_the_batch(encoder, views):
    cplearn = CPLearn(encoder, replace(SMALL, temperature_rows=64)).eval()
    view = views.images[0]

    torch.testing.assert_close(cplearn._log_codes(view)[:4], cplearn._log_codes(view[:4]))
