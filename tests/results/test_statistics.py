"""Mean and spread over seeds."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtbench.results.statistics import Summary, mean, sample_sd, summarise


def test_mean_and_sample_standard_deviation_by_hand():
    summary = summarise([2.0, 4.0, 9.0])

    assert summary == Summary(mean=5.0, sd=math.sqrt((9 + 1 + 16) / 2), n=3)


def test_one_value_has_no_spread():
    assert summarise([3.5]) == Summary(mean=3.5, sd=None, n=1)


def test_equal_values_have_spread_zero():
    assert sample_sd([0.1, 0.1, 0.1]) == 0.0


def test_no_values_are_refused():
    with pytest.raises(ValueError, match="at least one"):
        mean([])


@given(st.permutations([1e16, 1.0, -1e16, 0.1, 7.3]))
def test_the_mean_does_not_depend_on_the_order(values):
    assert mean(values) == mean([1e16, 1.0, -1e16, 0.1, 7.3])
