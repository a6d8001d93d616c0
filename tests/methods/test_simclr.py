"""SimCLR contrasts the views of a batch."""

from __future__ import annotations

import math

import pytest
import torch
from lightly.loss import NTXentLoss
from torch import nn
from torch.nn import functional as F

from vtbench.methods.simclr import SimCLR, SimCLRConfig

SMALL = SimCLRConfig(hidden_width=32, projection_width=16)


def test_loss_of_orthogonal_images_by_hand(encoder):
    """Every view agrees with its pair (score 1 / T) and is orthogonal to the 2B - 2 others."""
    contrast = SimCLR(encoder, SimCLRConfig(temperature=0.5)).contrast
    z = torch.eye(4)

    expected = -2 + math.log(math.exp(2) + 6)
    assert contrast(z, 3 * z).item() == pytest.approx(expected, rel=1e-6)


def test_loss_is_that_of_the_projections(encoder, views, progress):
    simclr = SimCLR(encoder, SMALL)
    z = F.normalize(simclr.projector(encoder(torch.cat(views.images)).embedding), dim=1)
    scores = (z @ z.T / 0.1).fill_diagonal_(-torch.inf)
    expected = F.cross_entropy(scores, torch.arange(16).roll(8))

    torch.testing.assert_close(simclr.losses(views, progress)["ntxent"], expected)


def test_temperature_is_a_setting(encoder):
    contrast = SimCLR(encoder, SimCLRConfig(temperature=0.5)).contrast
    a, b = torch.randn(8, 16), torch.randn(8, 16)

    torch.testing.assert_close(contrast(a, b), NTXentLoss(temperature=0.5)(a, b))


def test_both_views_share_the_batch_norm_statistics(encoder, views, progress):
    SimCLR(encoder, SMALL).losses(views, progress)

    assert encoder.bn1.num_batches_tracked == 1


@pytest.mark.parametrize(("norm", "count"), [(True, 2), (False, 0)])
def test_head_norm_is_a_setting(encoder, norm, count):
    projector = SimCLR(encoder, SimCLRConfig(head_norm=norm)).projector

    assert sum(isinstance(module, nn.BatchNorm1d) for module in projector.modules()) == count
    assert projector(torch.randn(4, 64)).shape == (4, 128)


def test_views_are_drawn_alike():
    first, second = SimCLR.recipes["official"].views

    assert first == second
    assert first.jitter == (0.8, 0.8, 0.8, 0.2)
