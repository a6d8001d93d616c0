"""The tuned probe tries the fixed one among others and looks at the test images once."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vtbench.tasks import probe
from vtbench.tasks.base import Classification, Regression, Target
from vtbench.tasks.errors import TaskError
from vtbench.tasks.probe import Examples, ProbeProtocol, Rates, fit_probe, train_heads
from vtbench.tasks.tuned import TunedGrid, fit_tuned

LETTERS = Classification(name="letters", label="letters", classes=tuple("abcdef"))
POSE = Regression(name="pose", targets=(Target("x", "mm"), Target("yaw", "deg", 360.0)))
FAST = ProbeProtocol(batch_size=16, classification_epochs=5, regression_epochs=5)
SPLITS = {"train": np.arange(40), "val": np.arange(40, 60), "test": np.arange(60, 90)}
ONLY_FIXED = TunedGrid(lr_factors=(1.0,), weight_decays=(0.01,))


def features():
    draw = np.random.default_rng(0)
    return (draw.normal(size=(90, 12)) * draw.uniform(0.5, 3, 12) + 2).astype(np.float32)


def targets(task, seed=1):
    draw = np.random.default_rng(seed)
    if task is LETTERS:
        return draw.integers(6, size=90)
    return np.stack([draw.normal(5, 2, 90), draw.uniform(-180, 180, 90)], axis=1)


def fit(task, *, inputs=None, labels=None, grid=None, protocol=FAST, seed=3):
    return fit_tuned(
        features() if inputs is None else inputs,
        task,
        targets(task) if labels is None else labels,
        SPLITS,
        protocol=protocol,
        grid=grid or TunedGrid(),
        seed=seed,
    )


def with_rates(task, rates):
    """The fixed protocol with other rates for this kind of task."""
    return ProbeProtocol(
        batch_size=16,
        **{f"{task.kind}_epochs": 5, f"{task.kind}_lr": rates.lr},
        **{f"{task.kind}_weight_decay": rates.weight_decay},
    )


def same(one, two):
    return (
        one.scores == two.scores
        and one.val_scores == two.val_scores
        and one.best_epoch == two.best_epoch
        and np.array_equal(one.predictions, two.predictions)
    )


@pytest.mark.parametrize("task", [LETTERS, POSE])
def test_heads_side_by_side_become_what_they_become_alone(task):
    rates = TunedGrid().rates(FAST.rates(task))
    rows = {name: np.asarray(own) for name, own in SPLITS.items()}
    train, val, test = (Examples.of(features(), targets(task), rows, name) for name in SPLITS)
    heads = train_heads(train, val, task, rates, protocol=FAST, seed=3, device="cpu")

    assert len(heads) == 15
    for own, head in zip(rates, heads, strict=True):
        alone = fit_probe(
            features(), task, targets(task), SPLITS, protocol=with_rates(task, own), seed=3
        )
        assert same(head.read(test), alone)


@pytest.mark.parametrize("task", [LETTERS, POSE])
def test_the_winner_is_the_best_fixed_probe_of_the_grid_on_the_validation_images(task):
    rates = TunedGrid().rates(FAST.rates(task))
    probes = [
        fit_probe(features(), task, targets(task), SPLITS, protocol=with_rates(task, own), seed=3)
        for own in rates
    ]
    sign = 1 if task is LETTERS else -1
    best = max(range(15), key=lambda i: sign * probes[i].val_scores[task.primary.name])

    result = fit(task)

    assert same(result, probes[best])
    assert result.chosen == {"lr": rates[best].lr, "weight_decay": rates[best].weight_decay}
    assert best != 0  # else the choice would not be tested
    assert probes[0].val_scores != result.val_scores


@pytest.mark.parametrize("task", [LETTERS, POSE])
def test_a_grid_of_the_fixed_rates_alone_is_the_fixed_probe(task):
    fixed = ProbeProtocol(
        batch_size=16,
        classification_epochs=5,
        regression_epochs=5,
        classification_weight_decay=0.01,
    )
    one = fit_probe(features(), task, targets(task), SPLITS, protocol=fixed, seed=3)
    two = fit(task, grid=ONLY_FIXED, protocol=fixed)

    assert same(one, two)
    assert one.chosen == {}
    assert two.chosen == {"lr": fixed.rates(task).lr, "weight_decay": 0.01}


def test_the_fixed_rates_come_first_and_no_pair_twice():
    grid = TunedGrid(lr_factors=(0.5, 1.0), weight_decays=(0.0, 0.1))
    half, whole = 0.01, 0.02

    assert grid.rates(Rates(whole, 0.1)) == [
        Rates(whole, 0.1), Rates(half, 0.0), Rates(half, 0.1), Rates(whole, 0.0)
    ]  # fmt: skip
    assert grid.rates(Rates(whole, 0.7))[0] == Rates(whole, 0.7)
    assert len(grid.rates(Rates(whole, 0.7))) == 5


def test_of_equally_good_rates_the_fixed_ones_are_taken():
    labels = np.zeros(90, np.int64)
    inputs = np.ones((90, 12), np.float32)

    result = fit(LETTERS, inputs=inputs, labels=labels)

    assert result.val_scores["top1"] == 100
    assert result.chosen == {"lr": FAST.classification_lr, "weight_decay": 0.0}


@pytest.mark.parametrize("task", [LETTERS, POSE])
def test_test_images_never_influence_what_is_kept(task):
    inputs, labels = features(), targets(task)
    labels[SPLITS["test"]] = targets(task, seed=9)[SPLITS["test"]]
    inputs[SPLITS["test"][1:]] *= 100
    one, two = fit(task), fit(task, inputs=inputs, labels=labels)

    assert (one.chosen, one.best_epoch, one.val_scores) == (
        two.chosen,
        two.best_epoch,
        two.val_scores,
    )
    np.testing.assert_allclose(one.predictions[0], two.predictions[0], rtol=1e-4)


def test_test_images_are_predicted_once_whatever_the_size_of_the_grid(monkeypatch):
    sizes = []
    outputs = probe._outputs
    monkeypatch.setattr(
        probe, "_outputs", lambda head, inputs: sizes.append(len(inputs)) or outputs(head, inputs)
    )
    fit(LETTERS)

    assert sizes == [20] * 15 * 5 + [30]


def test_rates_that_diverge_are_passed_over_unless_all_do():
    wild = TunedGrid(lr_factors=(1e40,), weight_decays=(0.0,))
    one = fit_probe(features(), POSE, targets(POSE), SPLITS, protocol=FAST, seed=3)

    assert same(fit(POSE, grid=wild), one)
    with pytest.raises(TaskError, match="diverged"):
        fit(POSE, grid=wild, protocol=ProbeProtocol(regression_epochs=2, regression_lr=1e38))


def test_the_seed_alone_decides_the_result():
    before = torch.get_rng_state()
    one, two, other = fit(LETTERS), fit(LETTERS), fit(LETTERS, seed=4)

    assert same(one, two)
    assert one.chosen == two.chosen
    assert not np.array_equal(one.predictions, other.predictions)
    assert torch.equal(torch.get_rng_state(), before)


def test_features_that_are_not_numbers_are_blamed_on_the_encoder():
    inputs = features()
    inputs[70, 3] = np.inf

    with pytest.raises(TaskError, match="non-finite features for test images"):
        fit(LETTERS, inputs=inputs)


@pytest.mark.parametrize(
    "values",
    [
        {"lr_factors": ()},
        {"lr_factors": (0.0, 1.0)},
        {"weight_decays": ()},
        {"weight_decays": (-0.1,)},
    ],
)
def test_a_grid_that_cannot_be_trained_is_refused(values):
    with pytest.raises(TaskError, match="A tuned probe needs"):
        TunedGrid(**values)
