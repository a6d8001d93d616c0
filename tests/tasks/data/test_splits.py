"""Splits are a partition, keep groups together and classes in proportion."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vtbench.tasks.data.schema import SPLITS
from vtbench.tasks.data.splits import FRACTIONS, assign_splits
from vtbench.tasks.errors import DataError

seeds = st.integers(0, 2**32)


def _sizes(splits: np.ndarray) -> np.ndarray:
    return np.array([np.count_nonzero(splits == split) for split in SPLITS])


@given(count=st.integers(7, 3000), seed=seeds)
def test_sizes_are_the_fractions_rounded(count: int, seed: int) -> None:
    sizes = _sizes(assign_splits(count, seed=seed))

    assert sizes.sum() == count
    assert np.abs(sizes - count * np.array(FRACTIONS)).max() < 1


@given(count=st.integers(3, 50), seed=seeds, grouped=st.booleans())
def test_no_split_is_empty(count: int, seed: int, grouped: bool) -> None:
    groups = np.arange(count) if grouped else None

    assert _sizes(assign_splits(count, seed=seed, groups=groups)).min() >= 1


@given(classes=st.lists(st.sampled_from("abcde"), min_size=7, max_size=300), seed=seeds)
def test_every_class_is_divided_alike(classes: list[str], seed: int) -> None:
    labels = np.array(classes)
    splits = assign_splits(len(labels), seed=seed, stratify=labels)

    assert np.abs(_sizes(splits) - len(labels) * np.array(FRACTIONS)).max() <= 1
    for name in set(classes):
        inside = _sizes(splits[labels == name])
        assert np.abs(inside - (labels == name).sum() * np.array(FRACTIONS)).max() <= 1 + 1e-9


@settings(max_examples=50)
@given(sizes=st.lists(st.integers(1, 20), min_size=3, max_size=60), seed=seeds)
def test_a_group_is_never_divided(sizes: list[int], seed: int) -> None:
    groups = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    splits = assign_splits(len(groups), seed=seed, groups=groups)

    assert all(len(set(splits[groups == group])) == 1 for group in range(len(sizes)))
    assert _sizes(splits).min() >= 1


@settings(max_examples=30)
@given(seed=seeds)
def test_groups_fill_the_fractions_to_within_a_group(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sizes = rng.integers(4, 17, 200)
    groups = np.repeat(np.arange(200), sizes)
    labels = rng.integers(0, 2, 200)[groups]
    splits = assign_splits(len(groups), seed=seed, groups=groups, stratify=labels)

    for label in (0, 1):
        inside = _sizes(splits[labels == label])
        assert np.abs(inside - (labels == label).sum() * np.array(FRACTIONS)).max() <= 16


def test_the_seed_alone_decides() -> None:
    first = assign_splits(100, seed=1)

    assert np.array_equal(first, assign_splits(100, seed=1))
    assert not np.array_equal(first, assign_splits(100, seed=2))


def test_train_and_val_alone_can_be_asked_for() -> None:
    splits = assign_splits(85, seed=0, fractions=(70 / 85, 15 / 85))

    assert _sizes(splits).tolist() == [70, 15, 0]


@pytest.mark.parametrize("fractions", [(0.7, 0.3, 0.0), (0.7, 0.2, 0.2), (1.0,)])
def test_fractions_that_are_none_are_refused(fractions: tuple[float, ...]) -> None:
    with pytest.raises(
        DataError, match="are not positive numbers that sum to 1; give for instance"
    ):
        assign_splits(10, seed=0, fractions=fractions)


def test_too_few_for_three_splits_are_refused() -> None:
    with pytest.raises(DataError, match="2 images cannot fill the splits train, val, test; add"):
        assign_splits(2, seed=0)
    with pytest.raises(DataError, match="2 groups cannot fill the splits"):
        assign_splits(4, seed=0, groups=["a", "a", "b", "b"])
    with pytest.raises(DataError, match="3 classes for 4 images"):
        assign_splits(4, seed=0, stratify=[1, 2, 3])
