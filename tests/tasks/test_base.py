"""Scores are the textbook formulas, and labels survive the way to the head and back."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from vtbench.tasks.base import Classification, Metric, Regression, Target
from vtbench.tasks.errors import TaskError

SHAPES = Classification(name="shape", label="shape", classes=tuple("abcdefg"))
POSE = Regression(
    name="pose", targets=(Target("x", "mm"), Target("z", "mm"), Target("yaw", "deg", 360.0))
)


def test_top_k_counts_the_rank_of_the_true_class():
    logits = np.array([[9, 1, 2, 3, 4, 5, 6], [6, 5, 4, 3, 2, 1, 0], [0, 1, 2, 3, 4, 5, 6.0]])

    assert SHAPES.scores(logits, np.array([0, 4, 0])) == {
        "top1": pytest.approx(100 / 3),
        "top5": pytest.approx(200 / 3),
    }


def test_top5_is_left_out_where_it_would_always_be_100():
    few = Classification(name="t", label="t", classes=tuple("abcde"))
    more = Classification(name="t", label="t", classes=tuple("abcdef"))

    assert few.scores(np.eye(5), np.array([1, 2, 3, 4, 0])) == {"top1": 0.0}
    assert set(more.scores(np.eye(6), np.arange(6))) == {"top1", "top5"}
    for task in (few, more):
        assert [metric.name for metric in task.metrics] == list(
            task.scores(np.eye(task.outputs()), np.arange(task.outputs()))
        )


def test_a_constant_prediction_hits_only_one_class():
    scores = SHAPES.scores(np.zeros((7, 7)), np.arange(7))

    assert scores == {"top1": pytest.approx(100 / 7), "top5": pytest.approx(500 / 7)}


def test_errors_are_averaged_per_target_and_then_over_targets():
    true = np.array([[0.0, 0.0, 10.0], [1.0, 2.0, 20.0]])
    predicted = np.array([[1.0, 0.5, 12.0], [0.0, 2.0, 16.0]])

    assert POSE.scores(predicted, true) == {
        "mae": pytest.approx((1.0 + 0.25 + 3.0) / 3),
        "mae_x": 1.0,
        "mae_z": 0.25,
        "mae_yaw": 3.0,
    }


@given(st.integers(0, 2**32 - 1))
def test_the_scores_of_single_samples_average_to_the_primary_score(seed):
    draw = np.random.default_rng(seed)
    for task, targets in (
        (SHAPES, draw.integers(0, 7, 12)),
        (POSE, draw.uniform(-180, 180, (12, 3))),
    ):
        predictions = draw.normal(0, 90, (12, 7 if task is SHAPES else 3))
        samples = task.sample_scores(predictions, targets)

        assert samples.shape == (12,)
        assert samples.mean() == pytest.approx(task.scores(predictions, targets)[task.primary.name])


def test_errors_of_a_periodic_target_go_the_shorter_way_round():
    true = np.array([[0, 0, 179.0], [0, 0, -179.0], [0, 0, 0.0], [0, 0, 90.0]])
    predicted = np.array([[0, 0, -179.0], [0, 0, 541.0], [0, 0, 180.0], [0, 0, 450.0]])

    assert POSE.scores(predicted, true)["mae_yaw"] == pytest.approx((2 + 0 + 180 + 0) / 4)


def test_one_whole_wrap_matters_for_a_target_without_a_period():
    task = Regression(name="t", targets=(Target("yaw", "deg"),))

    assert task.scores(np.array([[360.0]]), np.array([[0.0]]))["mae"] == 360.0


@pytest.mark.parametrize(("task", "shape"), [(SHAPES, (2, 7)), (POSE, (2, 3))])
def test_a_prediction_that_is_not_a_number_is_never_a_hit(task, shape):
    targets = np.zeros(2, np.int64) if task is SHAPES else np.zeros((2, 3))

    with pytest.raises(TaskError, match="learning rate"):
        task.scores(np.full(shape, np.nan), targets)


def test_metrics_say_how_to_read_the_scores():
    average, *axes = POSE.metrics

    assert average == Metric(
        name="mae", label="Avg. MAE", unit="mm, deg", better="lower", decimals=4, primary=True
    )
    assert [(m.name, m.unit, m.primary) for m in axes] == [
        ("mae_x", "mm", False),
        ("mae_z", "mm", False),
        ("mae_yaw", "deg", False),
    ]
    assert [(m.name, m.unit, m.better, m.decimals) for m in SHAPES.metrics] == [
        ("top1", "%", "higher", 2),
        ("top5", "%", "higher", 2),
    ]


@pytest.mark.parametrize("task", [SHAPES, POSE])
def test_one_metric_is_primary_and_every_metric_has_a_score(task):
    predictions = np.zeros((3, task.outputs() if task is SHAPES else 3))
    targets = np.zeros(3, np.int64) if task is SHAPES else np.zeros((3, 3))

    assert [m for m in task.metrics if m.primary] == [task.primary]
    assert list(task.scores(predictions, targets)) == [m.name for m in task.metrics]


def test_the_unit_of_an_average_over_one_unit_is_that_unit():
    task = Regression(name="force", targets=(Target("fx", "N"), Target("fy", "N")))

    assert task.primary.unit == "N"


finite = st.floats(-1e4, 1e4)


@given(
    st.lists(st.tuples(finite, finite, st.floats(-720, 720)), min_size=1, max_size=20),
    st.tuples(finite, st.floats(1e-3, 1e3)),
)
def test_decoding_inverts_encoding(rows, scaling):
    offset, factor = scaling
    targets = np.array(rows) * [factor, 1, 1] + [offset, 0, 0]
    statistics = POSE.statistics(targets)

    decoded = POSE.decode(POSE.encode(targets, statistics), statistics)

    size = np.abs(targets[:, :2]).max() + 1
    np.testing.assert_allclose(decoded[:, :2], targets[:, :2], atol=1e-9 * size)
    assert POSE.scores(decoded, targets)["mae_yaw"] < 1e-6
    assert (decoded[:, 2] > -180).all()
    assert (decoded[:, 2] <= 180).all()


def test_the_seam_of_a_period_decodes_to_its_positive_end():
    statistics = POSE.statistics(np.array([[0, 0, 0.0], [1, 1, 90.0]]))
    seam = POSE.encode(np.array([[0, 0, -180.0], [0, 0, 180.0]]), statistics)

    np.testing.assert_allclose(POSE.decode(seam, statistics)[:, 2], [180, 180])


def test_training_targets_are_encoded_with_zero_mean_and_unit_scale():
    targets = np.random.default_rng(0).normal(size=(50, 3)) * [1e-3, 1e3, 5] + [7, 0, 30]

    encoded = POSE.encode(targets, POSE.statistics(targets))

    assert encoded.shape == (50, 4) == (50, POSE.outputs())
    np.testing.assert_allclose(encoded.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(encoded[:, :2].std(axis=0), 1)
    assert np.square(encoded[:, 2:]).mean() == pytest.approx(1)


def test_sine_and_cosine_keep_the_circle_round():
    targets = np.random.default_rng(0).normal(size=(50, 3))

    assert len(set(POSE.statistics(targets).scale[2:])) == 1


def test_a_target_without_variation_is_predicted_at_its_value():
    targets = np.tile([[3.0, 0.0, 45.0]], (10, 1))
    statistics = POSE.statistics(targets)

    encoded = POSE.encode(targets, statistics)
    assert np.isfinite(encoded).all()
    np.testing.assert_allclose(POSE.decode(encoded + 1, statistics), targets, atol=1e-3, rtol=1e-5)


def test_the_head_draws_the_weights_of_nn_linear_from_its_own_generator():
    before = torch.get_rng_state()
    one, two = (POSE.head(8, generator=torch.Generator().manual_seed(3)) for _ in range(2))

    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(one.weight, two.weight)
    assert one.weight.shape == (POSE.outputs(), 8)
    assert one.weight.abs().max() <= 8**-0.5
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        torch.testing.assert_close(one.weight, nn.Linear(8, 4).weight)


def test_targets_are_read_from_the_named_columns():
    columns = {"z": np.array([3.0]), "yaw": np.array([5.0]), "x": np.array([1.0])}
    dataset = SimpleNamespace(name="edge", columns=columns)

    np.testing.assert_array_equal(POSE.targets(dataset), [[1.0, 3.0, 5.0]])


def test_a_missing_label_is_named():
    columns = {"x": np.zeros(3), "z": np.array([0, np.nan, 0]), "yaw": np.zeros(3)}

    with pytest.raises(TaskError, match="'z' of dataset 'edge' has no finite value in row 1"):
        POSE.targets(SimpleNamespace(name="edge", columns=columns))
    with pytest.raises(TaskError, match="class codes outside"):
        SHAPES.targets(SimpleNamespace(name="s", columns={"shape": np.array([0, 7])}))
