"""BYOL predicts the target's projections in both directions."""

from __future__ import annotations

import pytest
import torch
from lightly.loss import NegativeCosineSimilarity

from vtbench.methods.base import Progress
from vtbench.methods.byol import BYOL, BYOLConfig, prediction_error

SMALL = BYOLConfig(hidden_width=32, projection_width=16)


@pytest.fixture
def byol(encoder):
    return BYOL(encoder, SMALL)


def test_prediction_error_is_the_squared_distance_of_unit_vectors():
    x = torch.tensor([[3.0, 0.0]])

    assert prediction_error(x, 2 * x).item() == 0
    assert prediction_error(x, -x).item() == 4
    assert prediction_error(x, torch.tensor([[1.0, 1.0]])).item() == pytest.approx(2 - 2**0.5)


def test_prediction_error_is_twice_one_minus_lightlys_similarity():
    a, b = torch.randn(8, 16), torch.randn(8, 16)

    torch.testing.assert_close(prediction_error(a, b), 2 + 2 * NegativeCosineSimilarity()(a, b))


def test_prediction_error_has_no_gradient_for_its_target():
    a, b = torch.randn(2, 8, 16, requires_grad=True).unbind()
    gradients = torch.autograd.grad(prediction_error(a, b), [a, b], allow_unused=True)

    assert gradients[0].abs().sum() > 0
    assert gradients[1] is None


def test_loss_is_the_sum_of_both_directions(byol, views, progress, monkeypatch):
    p, t = torch.randn(2, 8, 16).unbind(), torch.randn(2, 8, 16).unbind()
    monkeypatch.setattr(byol, "_predict", lambda view, given=iter(p): next(given))
    monkeypatch.setattr(byol, "_target", lambda view, given=iter(t): next(given))
    loss = byol.losses(views, progress)["prediction"]

    torch.testing.assert_close(loss, prediction_error(p[0], t[1]) + prediction_error(p[1], t[0]))


@pytest.mark.parametrize(("step", "rate"), [(0, 0.99), (50, 0.995), (100, 1.0)])
def test_target_slows_down_to_a_stop(byol, step, rate):
    before = byol.target_projector.module.layers[0].weight.clone()
    with torch.no_grad():
        byol.projector.layers[0].weight.add_(1)
    byol.after_step(Progress(step=step, total_steps=100, steps_per_epoch=10))

    moved = byol.target_projector.module.layers[0].weight - before
    torch.testing.assert_close(moved, torch.full_like(moved, 1 - rate), atol=1e-6, rtol=0)


def test_views_differ_as_in_the_paper():
    first, second = BYOL.recipes["official"].views

    assert (first.blur_probability, first.solarize_probability) == (1.0, 0.0)
    assert (second.blur_probability, second.solarize_probability) == (0.1, 0.2)
    assert first.crop_area == second.crop_area == (0.08, 1.0)


def test_sarl_authors_solarisation_inverts_every_value_but_black():
    threshold = BYOL.recipes["sarl_authors"].views[1].solarize_threshold

    assert 0 < threshold < 1 / 255
