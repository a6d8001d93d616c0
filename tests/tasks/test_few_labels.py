"""Few labels are drawn class by class, from the train split only, the same for all encoders."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vtbench.tasks.base import Classification, Regression, Target
from vtbench.tasks.errors import TaskError
from vtbench.tasks.few_labels import few_labels

LETTERS = Classification(name="letters", label="letters", classes=tuple("abcdef"))
POSE = Regression(name="pose", targets=(Target("x", "mm"),))


def case(counts=(100, 50, 7, 0, 340, 3)):
    """Codes with these numbers of training images per class, shuffled, and 30 others."""
    draw = np.random.default_rng(0)
    train = draw.permutation(np.repeat(np.arange(6), counts))
    codes = np.concatenate([draw.integers(6, size=30), train])
    rows = np.arange(30, len(codes))
    return codes, {"train": draw.permutation(rows), "val": np.arange(9, -1, -1), "test": [20, 11]}


def numbers(codes, rows):
    return np.bincount(codes[rows], minlength=6).tolist()


@pytest.mark.parametrize(
    ("fraction", "expected"),
    [(0.01, [1, 1, 1, 0, 3, 1]), (0.10, [10, 5, 1, 0, 34, 1]), (0.5, [50, 25, 4, 0, 170, 2])],
)
def test_each_class_keeps_its_share_and_at_least_one_image(fraction, expected):
    codes, splits = case()

    kept = few_labels(LETTERS, codes, splits, fraction=fraction, seed=0)["train"]

    assert numbers(codes, kept) == expected
    assert len(set(kept.tolist())) == sum(expected)


def test_of_a_regression_a_share_of_all_training_images_is_kept():
    _, splits = case()
    values = np.random.default_rng(1).normal(size=(530, 1))

    for fraction, expected in ((0.0001, 1), (0.01, 5), (0.10, 50), (1.0, 500)):
        kept = few_labels(POSE, values, splits, fraction=fraction, seed=0)["train"]
        assert len(set(kept.tolist())) == expected
        assert set(kept.tolist()) <= set(splits["train"].tolist())


def test_val_and_test_stay_whole():
    codes, splits = case()

    kept = few_labels(LETTERS, codes, splits, fraction=0.01, seed=0)

    assert list(kept) == ["train", "val", "test"]
    np.testing.assert_array_equal(kept["val"], splits["val"])
    np.testing.assert_array_equal(kept["test"], splits["test"])


def test_all_labels_are_the_train_split_itself():
    codes, splits = case()

    kept = few_labels(LETTERS, codes, splits, fraction=1.0, seed=0)

    np.testing.assert_array_equal(kept["train"], splits["train"])


def test_the_seed_alone_decides_the_draw():
    codes, splits = case()
    before = torch.get_rng_state()
    one, two, other = (
        few_labels(LETTERS, codes, splits, fraction=0.1, seed=seed)["train"] for seed in (1, 1, 2)
    )

    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, other)
    assert torch.equal(torch.get_rng_state(), before)


def test_labels_of_val_and_test_images_are_not_looked_at():
    codes, splits = case()
    altered = codes.copy()
    altered[:30] = 5
    one, two = (
        few_labels(LETTERS, labels, splits, fraction=0.1, seed=0) for labels in (codes, altered)
    )

    np.testing.assert_array_equal(one["train"], two["train"])


@settings(max_examples=30, deadline=None)
@given(
    counts=st.lists(st.integers(0, 40), min_size=6, max_size=6).filter(sum),
    fractions=st.tuples(*[st.floats(0.001, 1.0)] * 2),
    seed=st.integers(0, 2**62),
)
def test_a_smaller_fraction_is_a_part_of_a_larger_one(counts, fractions, seed):
    codes, splits = case(counts)
    small, large = (
        few_labels(LETTERS, codes, splits, fraction=own, seed=seed)["train"]
        for own in sorted(fractions)
    )

    assert set(small.tolist()) <= set(large.tolist()) <= set(splits["train"].tolist())
    assert set(codes[small]) == set(codes[splits["train"]])
    order = {row: place for place, row in enumerate(splits["train"].tolist())}
    assert [order[row] for row in small.tolist()] == sorted(order[row] for row in small.tolist())


@pytest.mark.parametrize("fraction", [0.0, -0.1, 1.01, float("nan")])
def test_a_fraction_outside_its_range_is_refused(fraction):
    codes, splits = case()

    with pytest.raises(TaskError, match="lies above 0 and up to 1"):
        few_labels(LETTERS, codes, splits, fraction=fraction, seed=0)


def test_an_empty_split_is_named():
    codes, splits = case()

    with pytest.raises(TaskError, match="train split has no image"):
        few_labels(LETTERS, codes, {**splits, "train": []}, fraction=0.1, seed=0)
