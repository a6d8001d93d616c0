"""SwAV: prototypes, multi-crop, and the queue that helps small batches."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from vtbench.methods.base import Progress
from vtbench.methods.queue import FeatureQueue, whole_batches
from vtbench.methods.recipe import Augmentation
from vtbench.methods.swav import SwAV, SwAVConfig, entropy
from vtbench.methods.views import make_views

SMALL = SwAVConfig(
    hidden_width=32,
    projection_width=16,
    prototypes=12,
    queue_length=16,
    queue_from_epoch=1.0,
    frozen_epochs=0.5,
)


def at(step: int) -> Progress:
    return Progress(step=step, total_steps=100, steps_per_epoch=10)


@pytest.fixture
def swav(encoder):
    return SwAV(encoder, SMALL)


def gradient(swav, views, step):
    swav.zero_grad()
    swav.total(swav.losses(views, at(step))).backward()
    return swav.prototypes.weight.grad


def test_prototypes_have_no_bias_and_unit_norm_in_every_forward_pass(swav, views):
    assert swav.prototypes.bias is None
    with torch.no_grad():
        swav.prototypes.weight.mul_(3)
    swav.losses(views, at(50))

    torch.testing.assert_close(swav.prototypes.weight.norm(dim=1), torch.ones(12))


def test_prototypes_are_frozen_at_first(swav, views):
    assert gradient(swav, views, step=4) is None
    assert gradient(swav, views, step=5).abs().sum() > 0


def test_frozen_prototypes_stay_where_they_are_under_decay_and_momentum(swav, views):
    swav.losses(views, at(0))
    before = swav.prototypes.weight.detach().clone()
    optimizer = torch.optim.SGD(swav.parameters(), lr=1.0, momentum=0.9, weight_decay=0.1)
    for step in range(5):
        optimizer.zero_grad()
        swav.total(swav.losses(views, at(step))).backward()
        optimizer.step()
        swav.after_step(at(step))

    torch.testing.assert_close(swav.prototypes.weight, before)


def test_the_queue_is_unused_until_its_epoch_has_come_and_it_is_full(swav, views):
    used = {}
    for step in (0, 9, 10, 11, 12, 13):
        swav.losses(views, at(step))
        used[step] = bool(swav._queued(at(step), 8))
        swav.after_step(at(step))

    assert used == {0: False, 9: False, 10: False, 11: False, 12: True, 13: True}


def test_the_queue_holds_the_last_features_of_each_full_view(swav, views):
    for step in (10, 11, 12):
        swav.losses(views, at(step))
        features = swav.fresh_features
        swav.after_step(at(step))

    for queue, last in zip(swav.queues, features, strict=True):
        torch.testing.assert_close(queue.features[:8], last)
        torch.testing.assert_close(queue.features.norm(dim=1), torch.ones(16))


def test_queued_features_change_the_codes(encoder, views):
    torch.manual_seed(0)
    swav = SwAV(encoder, SMALL)
    torch.manual_seed(0)
    without = SwAV(encoder, replace(SMALL, queue_length=0))
    with torch.no_grad():
        swav.queues[0].features.copy_(F.normalize(torch.ones(16, 16), dim=1))

    assert swav.losses(views, at(50))["swapped"] != without.losses(views, at(50))["swapped"]


def test_small_views_are_predicted_but_have_no_codes(encoder, monkeypatch):
    swav = SwAV(encoder, SMALL)
    images = torch.randint(0, 255, (8, 40, 40, 3), dtype=torch.uint8)
    small = Augmentation(crop_area=(0.05, 0.14), relative_size=0.5)
    generator = torch.Generator().manual_seed(0)
    views = make_views(images, (Augmentation(),) * 2 + (small,) * 3, size=32, generator=generator)
    seen = {}

    def swap(high, low, queue):
        seen.update(high=high, low=low)
        return torch.zeros(1)

    monkeypatch.setattr(swav.swap, "forward", swap)
    swav.losses(views, at(0))

    assert [s.shape for s in seen["high"] + seen["low"]] == [(8, 12)] * 5
    assert (len(seen["high"]), len(seen["low"])) == (2, 3)


def test_each_view_gets_its_own_scores(swav, views):
    """Views of one size pass the encoder together; their order must survive."""
    swav.eval()
    z = swav._project(views.images)
    alone = [F.normalize(swav.projector(swav.encoder(v).embedding), dim=1) for v in views.images]

    for ours, expected in zip(z, alone, strict=True):
        torch.testing.assert_close(ours, expected)


def test_entropy_is_a_share():
    assert entropy(torch.zeros(4, 12)).item() == pytest.approx(1)
    assert entropy(torch.eye(12)[:1].repeat(4, 1) * 1e4).item() == pytest.approx(0)


# ------------------------------------------------------------------ the queue


def test_the_oldest_batch_is_overwritten():
    queue = FeatureQueue(6, 2)
    batches = [torch.full((2, 2), float(i)) for i in range(5)]
    for i, batch in enumerate(batches):
        queue.push(batch, batches_before=i, length=6)

    assert queue.features[:, 0].tolist() == [3, 3, 4, 4, 2, 2]


def test_only_the_part_in_use_is_written():
    queue = FeatureQueue(7, 2)
    last = queue.features[-3:].clone()
    for i in range(5):
        queue.push(torch.zeros(2, 2), batches_before=i, length=4)

    assert torch.equal(queue.features[-3:], last)
    assert queue.recent(4).abs().sum() == 0


def test_a_batch_larger_than_the_queue_fills_it():
    queue = FeatureQueue(3, 2)
    queue.push(torch.arange(10.0).view(5, 2), batches_before=4, length=3)

    assert queue.features.tolist() == [[0, 1], [2, 3], [4, 5]]


def test_an_unfilled_queue_holds_unit_vectors_and_is_saved():
    queue = FeatureQueue(5, 8)

    torch.testing.assert_close(queue.features.norm(dim=1), torch.ones(5))
    assert list(queue.state_dict()) == ["features"]


@pytest.mark.parametrize(
    ("length", "batch", "whole"), [(3840, 256, 3840), (100.5, 16, 96), (9, 10, 0)]
)
def test_whole_batches(length, batch, whole):
    assert whole_batches(length, batch) == whole
