"""The supervised reference learns, repeats exactly, and never looks at the test split."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from vtbench.tasks.base import Classification, Regression, Target
from vtbench.tasks.errors import TaskError
from vtbench.tasks.supervised import SupervisedProtocol, fit_supervised

SIDES = Classification(name="side", label="side", classes=("left", "right"))
PLACE = Regression(name="place", targets=(Target("x", "px"),))
SPLITS = {"train": np.arange(33), "val": np.arange(33, 48), "test": np.arange(48, 64)}
FAST = SupervisedProtocol(epochs=6, batch_size=16, lr=0.01)


def build():
    """An encoder with the same weights at every call."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
        )


def images_and_columns(seed=0):
    """Dark noise with a bright bar at column x of eight."""
    draw = np.random.default_rng(seed)
    images = draw.integers(0, 60, size=(64, 8, 8, 3), dtype=np.uint8)
    column = draw.integers(8, size=64)
    images[np.arange(64), :, column] += 180
    return torch.from_numpy(images), column


def targets(task, column):
    return (column >= 4).astype(np.int64) if task is SIDES else column[:, None].astype(float)


def prepare(batch, generator):
    inputs = batch.permute(0, 3, 1, 2).float() / 127.5 - 1
    if generator is not None:
        inputs = inputs + 0.01 * torch.rand(inputs.shape, generator=generator)
    return inputs


def fit(task, *, seed=0, protocol=FAST, prepare=prepare, labels=None, **options):
    images, column = images_and_columns()
    labels = targets(task, column) if labels is None else labels
    return fit_supervised(
        build, images, prepare, task, labels, SPLITS, protocol=protocol, seed=seed, **options
    )


def same(one, two):
    return (
        one.scores == two.scores
        and one.val_scores == two.val_scores
        and np.array_equal(one.predictions, two.predictions)
    )


def plain_training(task, seed, protocol):
    """The same training, spelt out: generators, two weight-decay groups, cosine, best epoch."""
    seeds = torch.randint(2**62, (3,), generator=torch.Generator().manual_seed(seed)).tolist()
    weights, order, augmentation = (torch.Generator().manual_seed(own) for own in seeds)
    network = nn.Sequential(build(), task.head(32, generator=weights))
    images, column = images_and_columns()
    labels, train = targets(task, column), SPLITS["train"]
    statistics = task.statistics(labels[train])
    wanted = torch.from_numpy(task.encode(labels[train], statistics)).float()
    (kernel, scale, shift), (matrix, bias) = network[0].parameters(), network[1].parameters()
    decayed = {"params": [kernel, matrix], "weight_decay": protocol.weight_decay}
    optimizer = torch.optim.AdamW([decayed, {"params": [scale, shift, bias], "weight_decay": 0}])
    steps, history = 2 * protocol.epochs, []
    for epoch in range(protocol.epochs):
        shuffled = torch.randperm(33, generator=order)
        network.train()
        for step, batch in enumerate([shuffled[:16], shuffled[16:]], start=2 * epoch):
            for group in optimizer.param_groups:
                group["lr"] = protocol.lr * 0.5 * (1 + np.cos(np.pi * step / steps))
            optimizer.zero_grad()
            outputs = network(prepare(images[train][batch], augmentation))
            task.loss(outputs, wanted[batch]).backward()
            optimizer.step()
        network.eval()
        decoded = task.decode(network(prepare(images, None)).detach().numpy(), statistics)
        val_score = task.scores(decoded[SPLITS["val"]], labels[SPLITS["val"]])["mae"]
        history.append((val_score, epoch + 1, decoded[SPLITS["test"]]))
    return min(history, key=lambda entry: entry[0])


def test_the_reference_equals_a_plain_training_loop():
    protocol = SupervisedProtocol(epochs=7, batch_size=16, lr=0.3, weight_decay=0.5)
    result = fit(PLACE, seed=0, protocol=protocol)

    val_score, best_epoch, predictions = plain_training(PLACE, 0, protocol)
    assert best_epoch < protocol.epochs  # else the choice of the epoch would not be tested
    assert result.best_epoch == best_epoch
    assert result.val_scores["mae"] == pytest.approx(val_score, rel=1e-3)
    np.testing.assert_allclose(result.predictions, predictions, rtol=1e-2, atol=1e-2)


def test_a_small_classification_is_learnt():
    result = fit(SIDES, protocol=SupervisedProtocol(epochs=12, batch_size=16, lr=0.01))

    assert result.scores == {"top1": 100.0}
    assert result.predictions.shape == (16, 2)
    np.testing.assert_array_equal(result.test_indices, SPLITS["test"])


def test_a_small_regression_is_learnt_in_the_targets_own_units():
    result = fit(PLACE, protocol=SupervisedProtocol(epochs=25, batch_size=16, lr=0.01))

    _, column = images_and_columns()
    chance = np.abs(column[48:] - column[:33].mean()).mean()
    assert result.scores["mae"] < chance / 1.5


def test_the_seed_alone_decides_the_result():
    torch.manual_seed(0)
    one, other = fit(SIDES, seed=1), fit(SIDES, seed=2)
    torch.manual_seed(5)
    before = torch.get_rng_state()
    two = fit(SIDES, seed=1)

    assert same(one, two)
    assert not np.array_equal(one.predictions, other.predictions)
    assert torch.equal(torch.get_rng_state(), before)


def test_test_labels_never_influence_what_is_kept():
    labels = targets(SIDES, images_and_columns()[1])
    labels[SPLITS["test"]] = 1 - labels[SPLITS["test"]]
    one, two = fit(SIDES), fit(SIDES, labels=labels)

    np.testing.assert_array_equal(one.predictions, two.predictions)
    assert (one.best_epoch, one.val_scores) == (two.best_epoch, two.val_scores)
    assert one.scores["top1"] == 100 - two.scores["top1"]


def test_only_training_images_are_augmented():
    images, seen = images_and_columns()[0], {True: set(), False: set()}

    def watched(batch, generator):
        for image in batch:
            rows = (images == image).flatten(1).all(1).nonzero()
            seen[generator is not None].update(rows[:, 0].tolist())
        return prepare(batch, generator)

    fit(SIDES, prepare=watched, protocol=SupervisedProtocol(epochs=1, batch_size=16))

    assert seen[True] == set(SPLITS["train"])
    assert seen[False] == {*SPLITS["val"], *SPLITS["test"]}


def test_a_last_batch_of_one_joins_the_batch_before():
    sizes = []

    def watched(batch, generator):
        if generator is not None:
            sizes.append(len(batch))
        return prepare(batch, generator)

    fit(SIDES, prepare=watched, protocol=SupervisedProtocol(epochs=1, batch_size=16))

    assert sizes == [16, 17]


def test_progress_is_told_after_every_epoch():
    reports = []
    result = fit(SIDES, progress=lambda *report: reports.append(report))

    assert [(done, total) for done, total, _ in reports] == [(n, 6) for n in range(1, 7)]
    assert set(reports[0][2]) == {"loss", "top1"}
    assert reports[result.best_epoch - 1][2]["top1"] == result.val_scores["top1"]
    assert max(info["top1"] for _, _, info in reports) == result.val_scores["top1"]
    assert reports[-1][2]["loss"] < reports[0][2]["loss"]


def test_reduced_precision_gives_nearly_the_same_training():
    one_epoch = SupervisedProtocol(epochs=1, batch_size=16)
    full, half = (fit(PLACE, protocol=one_epoch, precision=p) for p in ("32", "bf16"))

    assert not np.array_equal(full.predictions, half.predictions)
    np.testing.assert_allclose(half.predictions, full.predictions, atol=0.5)


def test_the_rate_falls_from_its_full_value_along_a_half_cosine():
    protocol = SupervisedProtocol(lr=0.4)

    assert [protocol.rate(step, 4) for step in range(4)] == pytest.approx(
        [0.4, 0.2 + 0.2 * 0.5**0.5, 0.2, 0.2 - 0.2 * 0.5**0.5]
    )
    assert SupervisedProtocol(lr=0.4, schedule="constant").rate(3, 4) == 0.4


def test_divergence_and_unknown_precision_are_named():
    with pytest.raises(TaskError, match="diverged"):
        fit(PLACE, protocol=SupervisedProtocol(epochs=1, lr=1e38))
    with pytest.raises(TaskError, match="'16'"):
        fit(PLACE, precision="16")
