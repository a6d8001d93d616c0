"""SimSiam predicts its own projections, taken as constants."""

from __future__ import annotations

import pytest
import torch

from vtbench.methods.simsiam import SimSiam, SimSiamConfig, projection_std

SMALL = SimSiamConfig(hidden_width=32, projection_width=16, predictor_width=8)


@pytest.fixture
def simsiam(encoder):
    return SimSiam(encoder, SMALL)


def test_loss_is_the_mean_of_both_directions(simsiam, views, progress, monkeypatch):
    z, p = torch.randn(2, 8, 16).unbind(), torch.randn(2, 8, 16).unbind()
    monkeypatch.setattr(simsiam.projector, "forward", lambda _, given=iter(z): next(given))
    monkeypatch.setattr(simsiam.predictor, "forward", lambda _, given=iter(p): next(given))
    loss = simsiam.losses(views, progress)["similarity"]
    cosine = torch.nn.functional.cosine_similarity

    torch.testing.assert_close(loss, -(cosine(p[0], z[1]) + cosine(p[1], z[0])).mean() / 2)


def test_no_gradient_passes_through_the_target_side(simsiam, views, progress, monkeypatch):
    """With a predictor that passes no gradient, none is left."""
    predict = simsiam.predictor.forward
    monkeypatch.setattr(simsiam.predictor, "forward", lambda z: predict(z.detach()))
    simsiam.total(simsiam.losses(views, progress)).backward()

    assert all(p.grad is None for p in simsiam.encoder.parameters())
    assert all(p.grad is None for p in simsiam.projector.parameters())
    assert all(p.grad is not None for p in simsiam.predictor.parameters())


def test_projection_std_is_one_on_the_sphere_and_zero_after_a_collapse():
    assert projection_std(torch.randn(4000, 64)).item() == pytest.approx(1.0, abs=0.02)
    assert projection_std(torch.randn(1, 64).expand(100, 64)).item() == pytest.approx(0, abs=1e-5)


def test_output_of_the_projector_is_standardised_without_learnt_scale(simsiam):
    assert not list(simsiam.projector.layers[-1].parameters())
    assert not any(layer.bias is not None for layer in simsiam.projector.layers[::3])


def test_the_predictors_rate_is_constant_but_not_with_the_sarl_authors():
    official, authors = SimSiam.recipes["official"], SimSiam.recipes["sarl_authors"]

    assert official.constant_lr_modules == ("predictor",)
    assert authors.constant_lr_modules == ()
    assert (official.warmup_epochs, authors.warmup_epochs) == (0, 10)
