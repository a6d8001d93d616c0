"""Transfer trains a copy of layer 4 and a classifier, as spelt out here, and nothing else."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from torch import nn

from vtbench.tasks.base import Classification, Regression, Target
from vtbench.tasks.errors import TaskError
from vtbench.tasks.transfer import Multipool, TransferProtocol, fit_transfer

SIDES = Classification(name="side", label="side", classes=("left", "right"))
PLACE = Regression(name="place", targets=(Target("x", "px"), Target("yaw", "deg", 360.0)))
SPLITS = {"train": np.arange(33), "val": np.arange(33, 48), "test": np.arange(48, 64)}
FAST = TransferProtocol(epochs=4, batch_size=16, lr=0.01)


def seeded(*layers):
    """The layers in a row, with weights and statistics that are not those of a fresh module."""
    module, draw = nn.Sequential(*layers), torch.Generator().manual_seed(0)
    for value in module.state_dict().values():
        if value.is_floating_point():
            value.copy_(torch.rand(value.shape, generator=draw) - 0.3)
    for layer in module:
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_var.abs_().add_(0.5)
    return module


def trunk():
    layers = nn.Conv2d(3, 6, 3, stride=2, padding=1), nn.BatchNorm2d(6), nn.ReLU()
    return seeded(*layers).eval()


def last_layer():
    layers = nn.Conv2d(6, 8, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU()
    return seeded(*layers)


def images_and_columns():
    """Noise (64, 3, 8, 8) with a bright bar at column x of eight."""
    draw = np.random.default_rng(0)
    images, column = draw.normal(size=(64, 3, 8, 8)), draw.integers(8, size=64)
    images[np.arange(64), :, :, column] += 3
    return torch.from_numpy(images.astype(np.float32)), column


def maps():
    """What the frozen trunk makes of the images: (64, 6, 4, 4)."""
    with torch.no_grad():
        return trunk()(images_and_columns()[0]).numpy()


def targets(task):
    column = images_and_columns()[1]
    if task is SIDES:
        return (column >= 4).astype(np.int64)
    return np.stack([column, 45.0 * column - 170], axis=1)


def fit(task=SIDES, given=None, layer4=None, *, splits=SPLITS, protocol=FAST, seed=0, **options):
    labels = options.pop("labels", targets(task))
    return fit_transfer(
        maps() if given is None else given,
        layer4 or last_layer(),
        task,
        labels,
        splits,
        protocol=protocol,
        seed=seed,
        **options,
    )


def same(one, two):
    return (
        one.scores == two.scores
        and one.val_scores == two.val_scores
        and one.best_epoch == two.best_epoch
        and np.array_equal(one.predictions, two.predictions)
    )


def plain_training(task, seed, protocol):
    """The same transfer on live images: trunk in eval mode, layer 4 in train mode, best epoch."""
    seeds = torch.randint(2**62, (3,), generator=torch.Generator().manual_seed(seed)).tolist()
    weights, order, _ = (torch.Generator().manual_seed(own) for own in seeds)
    frozen, layer4, head = trunk(), last_layer(), task.head(6 + 8, generator=weights)
    images, labels, train = images_and_columns()[0], targets(task), SPLITS["train"]
    statistics = task.statistics(labels[train])
    wanted = torch.from_numpy(task.encode(labels[train], statistics))
    wanted = wanted if task is SIDES else wanted.float()

    def outputs(batch):
        with torch.no_grad():
            shallow = frozen(batch)
        deep = layer4(shallow)
        return head(torch.cat([shallow.mean((2, 3)), deep.mean((2, 3))], dim=1))

    parameters = [*layer4.parameters(), *head.parameters()]
    decayed = [p for p in parameters if p.ndim > 1]
    plain = {"params": [p for p in parameters if p.ndim == 1], "weight_decay": 0.0}
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": protocol.weight_decay}, plain]
    )
    history = []
    for epoch in range(protocol.epochs):
        shuffled = torch.randperm(33, generator=order)
        layer4.train()
        for step, batch in enumerate([shuffled[:16], shuffled[16:]], start=2 * epoch):
            for group in optimizer.param_groups:
                group["lr"] = (
                    protocol.lr * 0.5 * (1 + math.cos(math.pi * step / (2 * protocol.epochs)))
                )
            optimizer.zero_grad()
            task.loss(outputs(images[train][batch]), wanted[batch]).backward()
            optimizer.step()
        layer4.eval()
        decoded = task.decode(outputs(images).detach().numpy(), statistics)
        val_scores = task.scores(decoded[SPLITS["val"]], labels[SPLITS["val"]])
        history.append((val_scores, epoch + 1, decoded[SPLITS["test"]]))
    sign = 1 if task is SIDES else -1
    return max(history, key=lambda entry: (sign * entry[0][task.primary.name], entry[1]))


@pytest.mark.parametrize("task", [SIDES, PLACE])
def test_a_transfer_on_stored_maps_equals_one_that_runs_the_frozen_trunk(task):
    protocol = TransferProtocol(epochs=5, batch_size=16, lr=0.1, weight_decay=0.5)
    result = fit(task, protocol=protocol, seed=1)

    val_scores, epoch, predictions = plain_training(task, 1, protocol)
    assert result.best_epoch == epoch
    assert result.val_scores == pytest.approx(val_scores, rel=1e-3)
    np.testing.assert_allclose(result.predictions, predictions, rtol=1e-2, atol=1e-2)
    assert result.scores == task.scores(result.predictions, targets(task)[SPLITS["test"]])
    np.testing.assert_array_equal(result.test_indices, SPLITS["test"])


def test_the_given_layer_and_maps_are_left_as_they_are():
    layer4, given = last_layer().eval().requires_grad_(False), maps()
    before, maps_before = copy.deepcopy(layer4.state_dict()), given.copy()
    fit(given=given, layer4=layer4)

    assert all(torch.equal(value, before[name]) for name, value in layer4.state_dict().items())
    assert not layer4.training
    assert not any(parameter.requires_grad for parameter in layer4.parameters())
    np.testing.assert_array_equal(given, maps_before)


def test_a_frozen_layer_is_trained_all_the_same():
    moved = last_layer().eval().requires_grad_(False)
    with torch.inference_mode():
        moved = moved.double().float()  # as when an encoder is moved while it only infers

    assert same(fit(layer4=moved), fit())


def test_the_seed_alone_decides_the_result():
    given, layer4 = maps(), last_layer()
    torch.manual_seed(0)
    one, other = fit(given=given, layer4=layer4, seed=1), fit(seed=2)
    torch.manual_seed(5)
    before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()
    two = fit(given=given, layer4=layer4, seed=1)

    assert same(one, two)
    assert not np.array_equal(one.predictions, other.predictions)
    assert torch.equal(torch.get_rng_state(), before)
    assert np.array_equal(np.random.get_state()[1], numpy_before)


@pytest.mark.parametrize("task", [SIDES, PLACE])
def test_test_images_never_influence_what_is_kept(task):
    labels, altered = targets(task), maps()
    labels[SPLITS["test"]] = labels[SPLITS["test"][::-1]]
    altered[SPLITS["test"][1:]] *= 5
    one, two = fit(task), fit(task, altered, labels=labels)

    assert (one.best_epoch, one.val_scores) == (two.best_epoch, two.val_scores)
    np.testing.assert_allclose(one.predictions[0], two.predictions[0], rtol=1e-4)
    assert one.scores != two.scores


def test_another_order_of_the_test_images_only_reorders_the_predictions():
    order = np.random.default_rng(3).permutation(16)
    one, two = fit(), fit(splits={**SPLITS, "test": SPLITS["test"][order]})

    np.testing.assert_allclose(two.predictions, one.predictions[order], rtol=1e-5)
    assert (one.scores, one.val_scores) == (two.scores, two.val_scores)


def test_validation_targets_choose_the_epoch_but_do_not_train():
    altered = targets(SIDES)
    altered[SPLITS["val"]] = 0
    one_epoch = TransferProtocol(epochs=1, batch_size=16)

    np.testing.assert_array_equal(
        fit(protocol=one_epoch).predictions, fit(protocol=one_epoch, labels=altered).predictions
    )


def test_a_small_task_is_learnt():
    protocol = TransferProtocol(epochs=20, batch_size=16, lr=0.03)
    result = fit(PLACE, protocol=protocol)

    chance = np.abs(targets(PLACE)[48:, 0] - targets(PLACE)[:33, 0].mean()).mean()
    assert result.scores["mae_x"] < chance
    assert fit(SIDES, protocol=protocol).scores["top1"] > 60


class Watched:
    """Maps that remember which rows were read."""

    def __init__(self, values):
        self.values, self.ndim, self.dtype, self.reads = values, values.ndim, values.dtype, []

    def __len__(self):
        return len(self.values)

    def __getitem__(self, rows):
        self.reads.append(np.asarray(rows).tolist())
        return self.values[rows]


def test_maps_are_read_in_batches_and_those_of_test_images_come_last():
    watched = Watched(maps())
    fit(given=watched, protocol=TransferProtocol(epochs=2, batch_size=16))

    train, val, test = (SPLITS[name].tolist() for name in ("train", "val", "test"))
    assert watched.reads[:4] == [train, val, test, [33]]  # are they finite, and how wide
    epochs, last = watched.reads[4:-1], watched.reads[-1]
    assert [len(rows) for rows in epochs] == [16, 17, 15] * 2  # the last image joins a batch
    assert sorted(epochs[0] + epochs[1]) == train
    assert sorted(epochs[3] + epochs[4]) == train
    assert epochs[2] == epochs[5] == val
    assert last == test


def test_maps_in_a_file_and_in_half_precision_are_enough(tmp_path):
    exact = maps().astype(np.float16)
    np.save(tmp_path / "maps.npy", exact)
    stored = np.load(tmp_path / "maps.npy", mmap_mode="r")

    assert same(fit(given=stored), fit(given=exact.astype(np.float32)))


def test_reduced_precision_gives_nearly_the_same_training():
    one_epoch = TransferProtocol(epochs=1, batch_size=16)
    full, half = (fit(PLACE, protocol=one_epoch, precision=p) for p in ("32", "bf16"))

    assert not np.array_equal(full.predictions, half.predictions)
    np.testing.assert_allclose(half.predictions[:, 0], full.predictions[:, 0], atol=0.5)


def test_layers_are_pooled_by_average_and_on_request_by_maximum_too():
    given = torch.from_numpy(maps()[:2])
    layer4 = last_layer().eval()
    deep = layer4(given)
    averages = [given.mean((2, 3)), deep.mean((2, 3))]
    both = [averages[0], given.amax((2, 3)), averages[1], deep.amax((2, 3))]

    for pool, expected in (("avg", averages), ("avgmax", both)):
        pooled = Multipool(layer4, pool).eval()(given)
        torch.testing.assert_close(pooled, torch.cat(expected, dim=1))
    other = fit(protocol=TransferProtocol(epochs=4, batch_size=16, lr=0.01, pool="avgmax"))
    assert not np.array_equal(other.predictions, fit().predictions)


def test_progress_is_told_after_every_epoch():
    reports = []
    result = fit(progress=lambda *report: reports.append(report))

    assert [(done, total) for done, total, _ in reports] == [(n, 4) for n in range(1, 5)]
    assert set(reports[0][2]) == {"loss", "top1"}
    assert reports[result.best_epoch - 1][2]["top1"] == result.val_scores["top1"]


def test_the_rate_falls_from_its_full_value_along_a_half_cosine():
    protocol = TransferProtocol(lr=0.4)

    assert [protocol.rate(step, 2) for step in range(2)] == pytest.approx([0.4, 0.2])


def broken():
    given = maps()
    given[40, 1, 2, 3] = np.inf
    return given


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"given": maps()[:, :, 0]}, "maps \\(N, C, h, w\\)"),
        ({"given": maps().astype(np.float64)}, "not 4 dimensions of float64"),
        ({"given": maps()[:60]}, "maps of 60 images but targets of 64"),
        ({"given": broken()}, "non-finite maps for val images"),
        ({"splits": {**SPLITS, "train": np.array([3])}}, "at least two training images"),
        ({"splits": {**SPLITS, "val": np.array([], int)}}, "val split has no image"),
        ({"layer4": nn.Sequential(last_layer(), nn.Flatten())}, "gives 2 dimensions"),
        ({"task": PLACE, "protocol": TransferProtocol(epochs=1, lr=1e38)}, "diverged"),
        ({"precision": "16"}, "'16'"),
    ],
)
def test_what_cannot_be_transferred_is_named(options, message):
    with pytest.raises(TaskError, match=message):
        fit(**options)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"epochs": 0}, "at least one epoch"),
        ({"batch_size": 1}, "at least two images"),
        ({"pool": "max"}, "'max'"),
    ],
)
def test_a_protocol_that_cannot_work_is_refused(values, message):
    with pytest.raises(TaskError, match=message):
        TransferProtocol(**values)
