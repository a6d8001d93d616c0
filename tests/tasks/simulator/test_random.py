"""Random numbers are pure functions of (seed, stream, index, column)."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from vtbench.tasks.simulator.packs import split_ranges
from vtbench.tasks.simulator.random import Draws, balanced_codes


def test_a_number_depends_on_its_index_alone() -> None:
    indices = np.array([7, 3, 100, 3])
    some = Draws(5, "edge_pose", indices).table("yaw", 2)
    everything = Draws(5, "edge_pose", np.arange(101)).table("yaw", 2)

    assert np.array_equal(some, everything[indices])


def test_seed_stream_and_column_give_other_numbers() -> None:
    indices = np.arange(64)
    base = Draws(0, "shape", indices).uniform("x")
    others = [
        Draws(1, "shape", indices).uniform("x"),
        Draws(0, "grating", indices).uniform("x"),
        Draws(0, "shape", indices).uniform("y"),
    ]

    for other in others:
        assert not np.isin(other, base).any()


def test_uniform_numbers_fill_their_range_evenly() -> None:
    values = Draws(0, "any", np.arange(20_000)).uniform("x", -2.0, 4.0)
    counts = np.histogram(values, bins=12, range=(-2.0, 4.0))[0]

    assert counts.sum() == 20_000
    assert np.abs(counts / (20_000 / 12) - 1.0).max() < 0.1


def test_neighbouring_indices_and_columns_are_uncorrelated() -> None:
    table = Draws(0, "any", np.arange(20_000)).table("x", 2)
    neighbours = np.corrcoef([table[:-1, 0], table[1:, 0], table[1:, 1]])

    assert np.abs(neighbours - np.eye(3)).max() < 0.03


def test_normal_numbers_are_standard_and_stay_within_their_limit() -> None:
    values = Draws(0, "any", np.arange(5_000)).normal("x", width=4)
    clipped = Draws(0, "any", np.arange(5_000)).normal("x", width=4, limit=2.0)

    assert abs(values.mean()) < 0.03
    assert abs(values.std() - 1.0) < 0.03
    assert np.array_equal(clipped, values.clip(-2.0, 2.0))


@settings(max_examples=40, deadline=None)
@given(count=st.integers(7, 400), classes=st.integers(1, 24), seed=st.integers(0, 9))
def test_classes_are_balanced_in_every_split(count: int, classes: int, seed: int) -> None:
    ranges = split_ranges(count, (0.70, 0.15, 0.15))
    codes = balanced_codes(seed, "shape", ranges, classes)

    for start, stop in [*ranges.values(), (0, count)]:
        counts = np.bincount(codes[start:stop], minlength=classes)
        assert counts.max() - counts.min() <= 1


def test_the_order_of_classes_is_shuffled_by_the_seed() -> None:
    ranges = split_ranges(210, (0.70, 0.15, 0.15))
    first, second = (balanced_codes(seed, "shape", ranges, 21) for seed in (0, 1))

    assert not np.array_equal(first, second)
    assert not np.array_equal(first[:21], np.arange(21))
