"""The probe equals a plain training loop, repeats exactly, and never looks at the test images."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from vtbench.tasks.base import Classification, Regression, Target
from vtbench.tasks.errors import TaskError
from vtbench.tasks.probe import ProbeProtocol, feature_statistics, fit_probe
from vtbench.tasks.selection import BestEpoch

LETTERS = Classification(name="letters", label="letters", classes=tuple("abcdef"))
POSE = Regression(name="pose", targets=(Target("x", "mm"), Target("yaw", "deg", 360.0)))
FAST = ProbeProtocol(batch_size=16, classification_epochs=8, regression_epochs=8)
SPLITS = {"train": np.arange(40), "val": np.arange(40, 60), "test": np.arange(60, 90)}


def features(rows=90, width=12, seed=0):
    draw = np.random.default_rng(seed)
    return (draw.normal(size=(rows, width)) * draw.uniform(0.5, 3, width) + 2).astype(np.float32)


def targets(task, rows=90, seed=1):
    draw = np.random.default_rng(seed)
    if task is LETTERS:
        return draw.integers(6, size=rows)
    return np.stack([draw.normal(5, 2, rows), draw.uniform(-180, 180, rows)], axis=1)


def same(one, two):
    return (
        one.scores == two.scores
        and one.val_scores == two.val_scores
        and one.best_epoch == two.best_epoch
        and np.array_equal(one.predictions, two.predictions)
    )


def plain_training(inputs, task, labels, protocol, seed):
    """The same training with data loaders, `nn.Linear` and torch's plain optimisers."""
    draw = torch.Generator().manual_seed(seed)
    head = torch.nn.Linear(inputs.shape[1], task.outputs())
    bound = 1 / math.sqrt(inputs.shape[1])
    with torch.no_grad():
        head.weight.uniform_(-bound, bound, generator=draw)
        head.bias.uniform_(-bound, bound, generator=draw)
    train, val, test = (SPLITS[name] for name in ("train", "val", "test"))
    centred = (inputs - inputs[train].mean(0)) / inputs[train].std(0)
    statistics = task.statistics(labels[train])
    wanted = torch.from_numpy(task.encode(labels, statistics))
    wanted = wanted if task is LETTERS else wanted.float()
    data = TensorDataset(torch.from_numpy(centred[train]), wanted[train])
    if task is LETTERS:
        optimizer = torch.optim.SGD(head.parameters(), lr=0.02, momentum=0.9)
    else:
        optimizer = torch.optim.AdamW(head.parameters(), lr=0.01)
    history = []
    for _ in range(protocol.epochs(task)):
        order = torch.randperm(len(train), generator=draw).tolist()
        for batch, target in DataLoader(data, batch_size=protocol.batch_size, sampler=order):
            optimizer.zero_grad()
            task.loss(head(batch), target).backward()
            optimizer.step()
        outputs = head(torch.from_numpy(centred)).detach().numpy()
        predictions = task.decode(outputs, statistics)
        history.append((task.scores(predictions[val], labels[val]), predictions[test]))
    sign = 1 if task is LETTERS else -1
    best = max(range(len(history)), key=lambda e: sign * history[e][0][task.primary.name])
    return best + 1, *history[best]


@pytest.mark.parametrize("task", [LETTERS, POSE])
def test_the_probe_equals_a_plain_training_loop(task):
    result = fit_probe(features(), task, targets(task), SPLITS, protocol=FAST, seed=3)

    epoch, val_scores, predictions = plain_training(features(), task, targets(task), FAST, 3)
    assert result.best_epoch == epoch
    assert result.val_scores == pytest.approx(val_scores, rel=1e-4)
    np.testing.assert_allclose(result.predictions, predictions, rtol=1e-3, atol=1e-4)
    assert result.scores == task.scores(result.predictions, targets(task)[SPLITS["test"]])
    np.testing.assert_array_equal(result.test_indices, SPLITS["test"])


@pytest.mark.parametrize("task", [LETTERS, POSE])
def test_the_seed_alone_decides_the_result(task):
    torch.manual_seed(0)
    one = fit_probe(features(), task, targets(task), SPLITS, protocol=FAST, seed=3)
    torch.manual_seed(1)
    other = fit_probe(features(), task, targets(task), SPLITS, protocol=FAST, seed=4)
    two = fit_probe(features(), task, targets(task), SPLITS, protocol=FAST, seed=3)

    assert same(one, two)
    assert not np.array_equal(one.predictions, other.predictions)


def test_the_global_random_state_is_left_alone():
    before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()
    fit_probe(features(), LETTERS, targets(LETTERS), SPLITS, protocol=FAST, seed=3)

    assert torch.equal(torch.get_rng_state(), before)
    assert np.array_equal(np.random.get_state()[1], numpy_before)


@pytest.mark.parametrize("task", [LETTERS, POSE])
def test_test_images_never_influence_what_is_kept(task):
    one = fit_probe(features(), task, targets(task), SPLITS, protocol=FAST, seed=3)
    inputs, labels = features(), targets(task)
    labels[SPLITS["test"]] = targets(task, seed=9)[SPLITS["test"]]
    inputs[SPLITS["test"][1:]] *= 100
    two = fit_probe(inputs, task, labels, SPLITS, protocol=FAST, seed=3)

    assert (one.best_epoch, one.val_scores) == (two.best_epoch, two.val_scores)
    np.testing.assert_allclose(one.predictions[0], two.predictions[0], rtol=1e-4)
    assert one.scores != two.scores


def test_validation_targets_choose_the_epoch_but_do_not_train():
    labels, altered = targets(LETTERS), targets(LETTERS)
    altered[SPLITS["val"]] = 0
    one_epoch = ProbeProtocol(batch_size=16, classification_epochs=1)
    one = fit_probe(features(), LETTERS, labels, SPLITS, protocol=one_epoch, seed=3)
    two = fit_probe(features(), LETTERS, altered, SPLITS, protocol=one_epoch, seed=3)

    np.testing.assert_array_equal(one.predictions, two.predictions)


def test_of_equally_good_epochs_the_last_is_kept():
    best = BestEpoch(LETTERS, np.array([0, 1]))
    logits = np.eye(6)
    wrong, half, right = logits[[5, 5]], logits[[0, 5]], logits[[0, 1]]
    for epoch, predictions in enumerate([wrong, half, right, half, right], start=1):
        best.offer(epoch, predictions, lambda epoch=epoch: f"weights of epoch {epoch}")

    assert (best.epoch, best.weights) == (5, "weights of epoch 5")
    assert best.scores["top1"] == 100.0


def test_of_regressions_the_lowest_error_is_kept_and_a_broken_epoch_never():
    best = BestEpoch(POSE, np.zeros((1, 2)))
    for epoch, error in enumerate([3.0, np.nan, 1.0, 2.0], start=1):
        best.offer(epoch, np.full((1, 2), error), lambda epoch=epoch: epoch)

    assert (best.epoch, best.weights, best.scores["mae"]) == (3, 3, 1.0)


def test_separable_classes_are_told_apart():
    labels = targets(LETTERS)
    inputs = 0.1 * features() + 3 * np.eye(12, dtype=np.float32)[labels]

    protocol = ProbeProtocol(batch_size=1, classification_epochs=3)
    result = fit_probe(inputs, LETTERS, labels, SPLITS, protocol=protocol, seed=0)

    assert result.scores == {"top1": 100.0, "top5": 100.0}
    assert result.predictions.shape == (30, 6)
    assert result.predictions.dtype == np.float32


def test_a_linear_relation_is_found():
    angle = np.radians(targets(POSE)[:, 1])
    hidden = np.stack([targets(POSE)[:, 0], np.sin(angle), np.cos(angle)], axis=1)
    inputs = (hidden @ np.random.default_rng(2).normal(size=(3, 6))).astype(np.float32)

    result = fit_probe(inputs, POSE, targets(POSE), SPLITS, protocol=ProbeProtocol(), seed=0)

    assert result.scores["mae_x"] < 0.2
    assert result.scores["mae_yaw"] < 10
    assert result.predictions.shape == (30, 2)


@pytest.mark.parametrize("noise", [0.0, 1e-7])
@pytest.mark.parametrize("task", [LETTERS, POSE])
def test_a_collapsed_encoder_scores_like_chance(task, noise):
    inputs = (1 + noise * features()).astype(np.float32)
    inputs[SPLITS["test"]] *= 1.0001

    result = fit_probe(inputs, task, targets(task), SPLITS, protocol=FAST, seed=0)

    if task is LETTERS:
        assert result.scores["top1"] < 50
    else:
        assert result.scores["mae_x"] < 4
        assert result.scores["mae_yaw"] <= 180


def test_a_feature_that_wakes_up_on_test_images_does_not_explode():
    inputs = features()
    inputs[:, 0] = 0
    quiet = fit_probe(inputs, POSE, targets(POSE), SPLITS, protocol=FAST, seed=0)
    inputs[SPLITS["test"][:3], 0] = 1
    awake = fit_probe(inputs, POSE, targets(POSE), SPLITS, protocol=FAST, seed=0)

    assert awake.scores["mae_x"] == pytest.approx(quiet.scores["mae_x"], abs=1)


def test_features_are_divided_by_their_deviation_but_not_by_almost_nothing():
    train = np.stack([[-1.0, 0, 5, 1e-9], [1.0, 0, 5, -1e-9]]).astype(np.float32)

    mean, scale = feature_statistics(train)

    np.testing.assert_allclose(mean, [0, 0, 5, 0])
    np.testing.assert_allclose(scale, [1, 0.025, 0.025, 0.025], rtol=1e-6)
    assert feature_statistics(np.zeros((3, 2), np.float32))[1].tolist() == [1, 1]


def test_a_class_that_is_missing_in_training_is_no_obstacle():
    labels = targets(LETTERS)
    labels[SPLITS["train"]] = labels[SPLITS["train"]] % 5

    result = fit_probe(features(), LETTERS, labels, SPLITS, protocol=FAST, seed=0)

    assert result.predictions.shape == (30, 6)


def test_a_single_training_image_is_enough():
    splits = {**SPLITS, "train": np.array([7])}
    for task in (LETTERS, POSE):
        result = fit_probe(features(), task, targets(task), splits, protocol=FAST, seed=0)

        assert np.isfinite(result.predictions).all()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_features_that_are_not_numbers_are_blamed_on_the_encoder(value):
    inputs = features()
    inputs[45, 3] = value

    with pytest.raises(TaskError, match="encoder gives non-finite features for val images"):
        fit_probe(inputs, LETTERS, targets(LETTERS), SPLITS, protocol=FAST, seed=0)


def test_an_empty_split_is_named():
    splits = {**SPLITS, "val": np.array([], np.int64)}

    with pytest.raises(TaskError, match="val split has no image"):
        fit_probe(features(), LETTERS, targets(LETTERS), splits, protocol=FAST, seed=0)


def test_a_probe_that_diverges_says_so():
    wild = ProbeProtocol(regression_epochs=2, regression_lr=1e38)

    with pytest.raises(TaskError, match="diverged"):
        fit_probe(features(), POSE, targets(POSE), SPLITS, protocol=wild, seed=0)


def test_the_absolute_error_can_be_trained_on_instead():
    absolute = ProbeProtocol(batch_size=16, regression_epochs=8, regression_loss="l1")
    one = fit_probe(features(), POSE, targets(POSE), SPLITS, protocol=FAST, seed=0)
    two = fit_probe(features(), POSE, targets(POSE), SPLITS, protocol=absolute, seed=0)

    assert not np.array_equal(one.predictions, two.predictions)


def test_without_standardisation_features_are_taken_as_they_are():
    raw = ProbeProtocol(batch_size=16, classification_epochs=8, standardize_features=False)
    inputs = features()
    mean, scale = feature_statistics(inputs[SPLITS["train"]])
    one = fit_probe(inputs, LETTERS, targets(LETTERS), SPLITS, protocol=FAST, seed=0)
    two = fit_probe(
        (inputs - mean) / scale, LETTERS, targets(LETTERS), SPLITS, protocol=raw, seed=0
    )

    assert same(one, two)


def test_a_protocol_without_epochs_is_refused():
    with pytest.raises(TaskError, match="at least 1"):
        ProbeProtocol(classification_epochs=0)
