"""Mean, spread and interval over seeds; p-values of several tests."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from vtbench.results.statistics import (
    Summary,
    holm,
    mean,
    sample_sd,
    summarise,
    t_quantile,
    t_tails,
    within,
)

probabilities = st.lists(st.floats(0, 1), min_size=1, max_size=8)


def test_mean_and_sample_standard_deviation_by_hand():
    summary = summarise([2.0, 4.0, 9.0])

    assert (summary.mean, summary.sd, summary.n) == (5.0, math.sqrt((9 + 1 + 16) / 2), 3)


def test_one_value_has_neither_spread_nor_interval():
    assert summarise([3.5]) == Summary(mean=3.5, sd=None, n=1, low=None, high=None)


def test_equal_values_have_spread_zero_and_an_interval_of_one_point():
    assert sample_sd([0.1, 0.1, 0.1]) == 0.0
    assert summarise([0.5, 0.5]) == Summary(mean=0.5, sd=0.0, n=2, low=0.5, high=0.5)


def test_no_values_are_refused():
    with pytest.raises(ValueError, match="at least one"):
        mean([])


@given(st.permutations([1e16, 1.0, -1e16, 0.1, 7.3]))
def test_the_mean_does_not_depend_on_the_order(values):
    assert mean(values) == mean([1e16, 1.0, -1e16, 0.1, 7.3])


@pytest.mark.parametrize("level", [0.9, 0.95, 0.99])
def test_the_interval_is_that_of_student(level):
    values = [81.2, 84.9, 80.3, 83.0, 85.5]
    expected = stats.t.interval(level, 4, loc=np.mean(values), scale=stats.sem(values))

    summary = summarise(values, level=level)

    assert (summary.low, summary.high) == pytest.approx(expected)


def test_the_interval_of_three_seeds_by_the_printed_table_of_t():
    summary = summarise([10.0, 12.0, 14.0])  # t(0.975, 2) = 4.303, sd = 2

    assert summary.high - 12 == pytest.approx(4.303 * 2 / math.sqrt(3), abs=1e-3)
    assert 12 - summary.low == pytest.approx(summary.high - 12)


def test_the_interval_holds_the_true_mean_as_often_as_it_says():
    rng = np.random.default_rng(3)
    summaries = [summarise(rng.normal(5.0, 2.0, size=3).tolist()) for _ in range(2000)]

    assert np.mean([s.low <= 5.0 <= s.high for s in summaries]) == pytest.approx(0.95, abs=0.015)


@pytest.mark.parametrize("degrees", [1.0, 2.0, 3.7, 179.0])
def test_students_t_is_that_of_scipy(degrees):
    assert t_quantile(0.975, degrees) == pytest.approx(stats.t.ppf(0.975, degrees))
    assert t_tails(-1.7, degrees) == pytest.approx(2 * stats.t.sf(1.7, degrees))
    assert t_tails(1.7, degrees) == t_tails(-1.7, degrees)


def test_a_published_number_lies_in_the_interval_or_not():
    ours = Summary(mean=5.0, sd=1.0, n=3, low=4.0, high=6.0)

    assert [within(number, ours) for number in (3.99, 4.0, 5.0, 6.0, 6.01)] == [
        False, True, True, True, False]  # fmt: skip


def test_what_printing_rounded_away_is_allowed_for():
    ours = Summary(mean=5.0, sd=1.0, n=3, low=4.0, high=6.0)

    assert within(6.04, ours, rounding=0.05)
    assert within(3.96, ours, rounding=0.05)
    assert not within(6.06, ours, rounding=0.05)


def test_without_an_interval_nothing_is_said_of_a_published_number():
    assert within(5.0, summarise([5.0])) is None


def test_holm_by_hand():
    # sorted .01 x 4, .02 x 3, .03 x 2 -> not below the one before, .5
    assert holm([0.03, 0.01, 0.5, 0.02]) == pytest.approx([0.06, 0.04, 0.5, 0.06])


def test_one_p_value_stays_as_it_is_and_none_give_none():
    assert holm([0.04]) == [0.04]
    assert holm([]) == []


@given(probabilities)
def test_holm_only_raises_to_at_most_one_and_keeps_the_order(p):
    corrected = holm(p)

    assert all(a <= b <= 1 for a, b in zip(p, corrected, strict=True))
    assert all(
        corrected[i] <= corrected[j] for i in range(len(p)) for j in range(len(p)) if p[i] <= p[j]
    )


@given(probabilities)
def test_holm_lies_between_no_correction_and_bonferronis(p):
    assert max(holm(p)) >= max(p)
    assert min(holm(p)) == min(1.0, min(p) * len(p))


@given(probabilities, st.randoms())
def test_holm_does_not_depend_on_the_order(p, random):
    order = list(range(len(p)))
    random.shuffle(order)

    assert holm([p[i] for i in order]) == [holm(p)[i] for i in order]
