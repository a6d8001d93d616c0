"""Nearest neighbours equal a brute-force vote, and the validation images choose how many vote."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vtbench.tasks import knn
from vtbench.tasks.base import Classification, Regression, Target
from vtbench.tasks.errors import TaskError
from vtbench.tasks.knn import KnnProtocol, fit_knn

LETTERS = Classification(name="letters", label="letters", classes=tuple("abcdef"))
POSE = Regression(name="pose", targets=(Target("x", "mm"), Target("yaw", "deg", 360.0)))
SPLITS = {"train": np.arange(40), "val": np.arange(40, 60), "test": np.arange(60, 90)}
SOME = KnnProtocol(neighbours=(1, 3, 7, 200))


def features_and_targets(task, seed=0):
    """Noisy features (90, 12) that lie in another direction for each class or pose."""
    draw = np.random.default_rng(seed)
    noise = draw.normal(size=(90, 12)).astype(np.float32)
    if task is LETTERS:
        labels = draw.integers(6, size=90)
        return noise + 2 * np.eye(12, dtype=np.float32)[labels], labels
    yaw = draw.uniform(-180, 180, 90)
    labels = np.stack([draw.normal(5, 2, 90), yaw], axis=1)
    noise[:, 0] += 4 * np.cos(np.radians(yaw))
    noise[:, 1] += 4 * np.sin(np.radians(yaw))
    return noise, labels


def fit(task, *, inputs=None, labels=None, splits=SPLITS, protocol=SOME):
    own = features_and_targets(task)
    inputs = own[0] if inputs is None else inputs
    return fit_knn(inputs, task, own[1] if labels is None else labels, splits, protocol=protocol)


def brute_force(task, k, rows, temperature=0.07):
    """The vote of the k nearest training images, image by image, in float64."""
    inputs, labels = features_and_targets(task)
    train, predictions = SPLITS["train"], []
    for row in rows:
        lengths = np.linalg.norm(inputs[train], axis=1) * np.linalg.norm(inputs[row])
        cosines = inputs[train].astype(np.float64) @ inputs[row] / lengths
        nearest = np.argsort(-cosines)[:k]
        weights = np.exp(cosines[nearest] / temperature)
        weights /= weights.sum()
        if task is LETTERS:
            votes = [weights[labels[train][nearest] == code].sum() for code in range(6)]
            predictions.append(votes)
        else:
            x, yaw = labels[train][nearest].T
            turn = np.sum(weights * np.exp(1j * np.radians(yaw)))
            predictions.append([np.sum(weights * x), np.degrees(np.angle(turn))])
    return np.array(predictions)


@pytest.mark.parametrize("task", [LETTERS, POSE])
@pytest.mark.parametrize("k", [1, 7, 40])
def test_the_vote_equals_a_brute_force_reference(task, k):
    result = fit(task, protocol=KnnProtocol(neighbours=(k,)))

    expected = brute_force(task, k, SPLITS["test"])
    np.testing.assert_allclose(result.predictions, expected, rtol=1e-3, atol=1e-4)
    assert result.chosen == {"neighbours": k}
    assert result.best_epoch == 0
    labels = features_and_targets(task)[1]
    assert result.scores == task.scores(result.predictions, labels[SPLITS["test"]])
    np.testing.assert_array_equal(result.test_indices, SPLITS["test"])


@pytest.mark.parametrize("task", [LETTERS, POSE])
def test_the_number_of_neighbours_is_the_best_on_the_validation_images(task):
    labels = features_and_targets(task)[1][SPLITS["val"]]
    scores = {k: task.scores(brute_force(task, k, SPLITS["val"]), labels) for k in (1, 3, 7)}
    sign = 1 if task is LETTERS else -1
    best = max(scores, key=lambda k: sign * scores[k][task.primary.name])

    result = fit(task)

    assert result.chosen == {"neighbours": best}
    assert result.val_scores == pytest.approx(scores[best], rel=1e-3)


@pytest.mark.parametrize("task", [LETTERS, POSE])
def test_test_images_choose_nothing(task):
    inputs, labels = features_and_targets(task)
    labels[SPLITS["test"]] = labels[SPLITS["test"][::-1]]
    inputs[SPLITS["test"][1:]] *= -1
    one, two = fit(task), fit(task, inputs=inputs, labels=labels)

    assert (one.chosen, one.val_scores) == (two.chosen, two.val_scores)
    np.testing.assert_allclose(one.predictions[0], two.predictions[0], rtol=1e-4)
    assert one.scores != two.scores


@pytest.mark.parametrize("task", [LETTERS, POSE])
def test_nothing_depends_on_how_many_images_are_compared_at_once(task, monkeypatch):
    whole = fit(task)
    monkeypatch.setattr(knn, "CELLS", 100)
    parts = fit(task)

    np.testing.assert_allclose(parts.predictions, whole.predictions, rtol=1e-5)
    assert parts.chosen == whole.chosen


def test_the_length_of_a_feature_vector_says_nothing():
    inputs, _ = features_and_targets(LETTERS)
    stretched = inputs * np.random.default_rng(1).uniform(0.1, 10, (90, 1)).astype(np.float32)

    np.testing.assert_allclose(
        fit(LETTERS, inputs=stretched).predictions, fit(LETTERS).predictions, atol=1e-4
    )


def test_features_are_standardised_on_request_only():
    inputs, _ = features_and_targets(LETTERS)
    moved = inputs * np.linspace(1, 4, 12, dtype=np.float32) + 30
    standard = KnnProtocol(neighbours=(7,), standardize_features=True)
    plain = KnnProtocol(neighbours=(7,))
    one = fit(LETTERS, inputs=inputs, protocol=standard)
    two = fit(LETTERS, inputs=moved, protocol=standard)

    np.testing.assert_allclose(two.predictions, one.predictions, atol=1e-3)
    assert not np.allclose(fit(LETTERS, inputs=moved, protocol=plain).predictions, one.predictions)


def test_of_equally_good_numbers_the_first_is_taken():
    labels = np.zeros(90, np.int64)  # whoever votes, all are right

    result = fit(LETTERS, labels=labels, protocol=KnnProtocol(neighbours=(5, 1, 10)))

    assert result.chosen == {"neighbours": 5}
    assert result.predictions.dtype == np.float32
    np.testing.assert_allclose(result.predictions[:, 0], 1, rtol=1e-6)


def test_numbers_beyond_the_training_images_are_passed_over():
    few = {**SPLITS, "train": SPLITS["train"][:4]}

    assert fit(LETTERS, splits=few).chosen["neighbours"] in (1, 3)
    with pytest.raises(TaskError, match="4 training images have no 5 neighbours"):
        fit(LETTERS, splits=few, protocol=KnnProtocol(neighbours=(5, 10)))


def test_a_feature_vector_of_zeros_and_the_global_random_state_are_no_obstacle():
    inputs = np.zeros((90, 12), np.float32)
    before = torch.get_rng_state()

    assert np.isfinite(fit(POSE, inputs=inputs).predictions).all()
    assert torch.equal(torch.get_rng_state(), before)


def test_features_that_are_not_numbers_and_empty_splits_are_named():
    inputs, _ = features_and_targets(LETTERS)
    inputs[45, 3] = np.nan

    with pytest.raises(TaskError, match="non-finite features for val images"):
        fit(LETTERS, inputs=inputs)
    with pytest.raises(TaskError, match="test split has no image"):
        fit(LETTERS, splits={**SPLITS, "test": []})


@pytest.mark.parametrize("values", [{"neighbours": ()}, {"neighbours": (0, 1)}])
def test_a_protocol_without_neighbours_is_refused(values):
    with pytest.raises(TaskError, match="at least 1"):
        KnnProtocol(**values)


@pytest.mark.parametrize("temperature", [0.0, float("nan")])
def test_a_temperature_must_be_positive(temperature):
    with pytest.raises(TaskError, match="above 0"):
        KnnProtocol(temperature=temperature)
