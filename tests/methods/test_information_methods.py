"""Barlow Twins, VICReg and MINC: what their matrices are made of."""

from __future__ import annotations

import pytest
import torch
from lightly.loss import vicreg_loss
from torch.nn import functional as F

from vtbench.methods.barlow_twins import (
    BarlowTwins,
    BarlowTwinsConfig,
    correlation_square_sum,
    standardized,
)
from vtbench.methods.base import Progress
from vtbench.methods.minc import (
    MINC,
    MINCConfig,
    alignment,
    quadratic_form,
    second_moment,
)
from vtbench.methods.vicreg import VICReg, VICRegConfig, covariance, lost_variance

START = Progress(step=0, total_steps=100, steps_per_epoch=10)


def test_correlations_are_those_of_the_batch():
    z1, z2 = torch.randn(2, 64, 5).unbind()
    together = torch.corrcoef(torch.cat([z1, z2], dim=1).T)[:5, 5:]
    a, b = standardized(z1), standardized(3 * z2 + 2)

    torch.testing.assert_close(a.T @ b / 64, together, atol=1e-4, rtol=0)
    torch.testing.assert_close(
        correlation_square_sum(a, b), together.square().sum(), atol=1e-4, rtol=1e-4
    )


def test_unbiased_deviations_keep_correlations_below_one():
    z = standardized(torch.randn(4, 5), unbiased=True)

    torch.testing.assert_close(z.square().mean(dim=0), torch.full((5,), 3 / 4), atol=1e-3, rtol=0)


def test_barlow_twins_terms_are_the_diagonal_and_the_rest(encoder, views, progress):
    barlow = BarlowTwins(encoder, BarlowTwinsConfig(projection_width=8))
    z1, z2 = (barlow.projector(encoder(view).embedding) for view in views.images)
    C = standardized(z1).T @ standardized(z2) / len(z1)
    losses = barlow.losses(views, progress)

    torch.testing.assert_close(losses["invariance"], (1 - C.diagonal()).square().sum())
    rest = C[~torch.eye(8, dtype=torch.bool)]
    torch.testing.assert_close(losses["redundancy"], rest.square().sum(), atol=1e-4, rtol=1e-4)


def test_vicreg_loses_no_variance_above_one():
    assert lost_variance(10 * torch.randn(100, 4)) == 0
    assert lost_variance(torch.zeros(100, 4)).item() == pytest.approx(1 - 1e-2)


@pytest.mark.parametrize(("images", "width"), [(8, 16), (30, 4), (2, 9)])
def test_covariance_is_lightlys(images, width):
    z = torch.randn(images, width, dtype=torch.float64, requires_grad=True)
    ours, theirs = covariance(z), vicreg_loss.covariance_loss(z)

    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(*(torch.autograd.grad(loss, z)[0] for loss in (ours, theirs)))


def test_vicreg_adds_up_as_the_code(encoder, views, progress):
    vicreg = VICReg(encoder, VICRegConfig(projection_width=16))
    z1, z2 = (vicreg.projector(encoder(view).embedding) for view in views.images)
    losses = vicreg.losses(views, progress)

    assert losses["invariance"].item() == pytest.approx((z1 - z2).square().mean().item(), rel=1e-4)
    mean = (lost_variance(z1) + lost_variance(z2)) / 2
    assert losses["variance"].item() == pytest.approx(mean.item(), rel=1e-4)


@pytest.fixture
def build_minc(encoder):
    def build(**settings) -> MINC:
        torch.manual_seed(0)
        return MINC(encoder, MINCConfig(hidden_width=32, projection_width=16, **settings))

    return build


def test_minc_predicts_view_one_from_view_two(build_minc, views, progress, monkeypatch):
    minc, seen = build_minc(), {}
    monkeypatch.setattr(minc, "_project", lambda x: seen.setdefault("online", x).flatten(1)[:, :16])
    monkeypatch.setattr(minc, "_target", lambda x: seen.setdefault("target", x).flatten(1)[:, :16])
    minc.losses(views, progress)

    assert seen["online"] is views.images[1]
    assert seen["target"] is views.images[0]


def test_mincs_moment_is_used_before_the_step_takes_part_in_it(build_minc, views):
    minc = build_minc()
    first = minc.losses(views, START)
    targets = minc.fresh_targets.clone()
    minc.after_step(START)

    assert first["second_moment"] == 0
    torch.testing.assert_close(minc.moment, 0.2 * second_moment(targets))
    torch.testing.assert_close(targets.norm(dim=1), torch.ones(8))


def test_mincs_moment_can_start_from_the_first_batch(build_minc, views):
    minc = build_minc(first_moment="batch")
    losses = minc.losses(views, START)

    torch.testing.assert_close(minc.moment, second_moment(minc.fresh_targets))
    assert losses["second_moment"] > 0


def test_minc_can_look_in_both_directions(build_minc, views, progress):
    minc = build_minc(both_directions=True)
    minc.losses(views, progress)

    assert minc.fresh_targets.shape == (16, 16)


def test_total_collapse_costs_minc_more_than_agreement_gains():
    z = F.normalize(torch.ones(8, 16), dim=1)
    loss = -10 * alignment(z, z) + 50 * quadratic_form(z, second_moment(z), "full")

    assert loss.item() == pytest.approx(40)


def test_minc_says_that_it_is_a_reconstruction():
    assert "reconstruction" in MINC.notes
    assert "reconstruction" in MINC.caveat
