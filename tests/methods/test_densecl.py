"""DenseCL: keys of a slow network, two queues, and cells that match."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from vtbench.methods.base import Progress
from vtbench.methods.densecl import DenseCL, DenseCLConfig, contrast

SMALL = DenseCLConfig(hidden_width=32, projection_width=16, queue_length=64)


def at(step: int, steps_per_epoch: int = 10) -> Progress:
    return Progress(step=step, total_steps=10 * steps_per_epoch, steps_per_epoch=steps_per_epoch)


@pytest.fixture
def densecl(encoder):
    return DenseCL(encoder, SMALL)


def test_contrast_by_hand():
    """The key agrees fully (score 1 / T), the three queued vectors are orthogonal (score 0)."""
    q = torch.eye(4)[:1]
    loss = contrast(5 * q, 2 * q, torch.eye(4)[1:], temperature=0.5)

    assert loss.item() == pytest.approx(math.log(math.exp(2) + 3) - 2)


def test_contrast_has_no_gradient_for_the_keys():
    q, k = torch.randn(2, 8, 16, requires_grad=True).unbind()
    gradients = torch.autograd.grad(contrast(q, k, torch.randn(5, 16)), [q, k], allow_unused=True)

    assert gradients[0].abs().sum() > 0
    assert gradients[1] is None


def test_keys_come_from_the_slow_network(densecl, views):
    with torch.no_grad():
        for parameter in densecl.encoder.parameters():
            parameter.mul_(0)
    densecl.losses(views, at(0))
    features = densecl.target_encoder(views.images[1])
    expected = F.normalize(densecl.target_global_projector(features.embedding), dim=1)

    torch.testing.assert_close(densecl.fresh_keys[0], expected)


def test_the_queues_take_one_key_an_image(densecl, views):
    densecl.losses(views, at(3))
    global_keys, dense_keys = densecl.fresh_keys
    densecl.after_step(at(3))

    assert global_keys.shape == dense_keys.shape == (8, 16)
    torch.testing.assert_close(densecl.global_queue.features[24:32], global_keys)
    torch.testing.assert_close(densecl.dense_queue.features[24:32], dense_keys)
    torch.testing.assert_close(dense_keys.norm(dim=1), torch.ones(8))


def test_pooled_keys_are_normalised_after_the_mean(densecl, views):
    densecl.losses(views, at(0))
    maps = densecl.target_encoder(views.images[1]).maps["layer4"].flatten(2).transpose(1, 2)
    expected = F.normalize(densecl.target_dense_projector(maps).mean(dim=1), dim=1)

    torch.testing.assert_close(densecl.fresh_keys[1], expected)


@pytest.mark.parametrize(
    ("steps_per_epoch", "length"), [(100, 64), (10, 40), (3, 8), (1, 8)], ids=str
)
def test_the_queue_holds_at_most_half_of_the_images(densecl, steps_per_epoch, length):
    assert densecl._queue_length(at(0, steps_per_epoch), batch=8) == length


def test_the_queue_wraps(densecl, views):
    for step in range(6):
        densecl.losses(views, at(step))
        densecl.after_step(at(step))
        last = densecl.fresh_keys[0]

    torch.testing.assert_close(densecl.global_queue.features[:8], last)  # 5 batches are in use


def test_the_dense_term_can_wait(encoder, views):
    densecl = DenseCL(encoder, replace(SMALL, global_only_epochs=1.0))

    waiting, later = densecl.losses(views, at(9)), densecl.losses(views, at(10))

    assert waiting["dense"] == 0
    torch.testing.assert_close(densecl.total(waiting), later["global"])  # λ = 0: weight 1
    assert later["dense"] > 0


def test_every_cell_is_matched_with_the_most_similar_one(densecl, views, monkeypatch):
    seen = {}

    def match(x, y, values):
        seen.update(x=x, y=y, values=values)
        return values

    monkeypatch.setattr("vtbench.methods.densecl.most_similar", match)
    densecl.losses(views, at(0))

    assert seen["x"].shape == seen["y"].shape == (8, 4, 64)  # backbone features
    assert seen["values"].shape == (8, 4, 16)  # projected keys
