"""Are two methods different: calibrated verdicts, ties with the best, ranks over tasks."""

from __future__ import annotations

import subprocess
import sys
from itertools import combinations, permutations

import numpy as np
import pytest
from scipy import stats

from vtbench.results.comparison import bootstrap_errors, compare, compare_all, tie_group
from vtbench.results.errors import ResultsError
from vtbench.results.rank_analysis import average_ranks, critical_difference, rank_analysis


def scores(
    *,
    seeds: int = 3,
    n: int = 180,
    mean: float = 0.0,
    by_sample: float = 1.0,
    by_seed: float = 0.1,
    noise: float = 0.5,
    rng: np.random.Generator,
) -> np.ndarray:
    """Scores that vary by sample, by seed and by both; sd as given."""
    return (
        mean
        + rng.normal(0, by_sample, size=(1, n))
        + rng.normal(0, by_seed, size=(seeds, 1))
        + rng.normal(0, noise, size=(seeds, n))
    )


def hits(accuracy: float, *, seeds: int = 3, n: int = 180, rng: np.random.Generator) -> np.ndarray:
    return 100.0 * (rng.random((seeds, n)) < accuracy)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


# Two methods


def test_very_different_methods_are_told_apart(rng):
    found = compare(hits(0.95, rng=rng), hits(0.6, rng=rng))

    assert found.p < 1e-3
    assert 20 < found.low < found.difference < found.high < 50
    assert found.method == "samples and seeds"


def test_equal_scores_are_equal(rng):
    a = hits(0.9, rng=rng)
    found = compare(a, a)

    assert (found.difference, found.p) == (0.0, 1.0)
    assert found.low <= 0 <= found.high


def test_scores_that_are_equal_but_for_rounding_are_equal(rng):
    a = scores(by_seed=0.0, noise=0.0, mean=0.1, rng=rng)

    assert compare(a, a * 3 / 3).p == 1.0


def test_exchanging_the_methods_turns_the_sign_and_nothing_else(rng):
    a, b = hits(0.9, rng=rng), hits(0.85, seeds=5, rng=rng)
    there, back = compare(a, b), compare(b, a)

    assert there.difference == pytest.approx(-back.difference)
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low))
    assert there.p == pytest.approx(back.p)


def test_the_order_of_seeds_does_not_matter(rng):
    a, b = scores(rng=rng), scores(mean=0.2, rng=rng)

    assert compare(a[[2, 0, 1]], b).p == pytest.approx(compare(a, b).p)


def test_the_order_of_samples_matters_only_if_it_breaks_the_pairs(rng):
    common = rng.normal(0, 3, size=180)
    a, b = (scores(mean=mean, by_sample=0.3, rng=rng) + common for mean in (0.3, 0.0))
    order = rng.permutation(180)
    paired, shuffled = compare(a[:, order], b[:, order]), compare(a[:, order], b)

    assert paired.p == pytest.approx(compare(a, b).p, rel=0.3)
    assert shuffled.high - shuffled.low > 2 * (paired.high - paired.low)


def test_a_unit_changes_the_difference_and_not_the_verdict(rng):
    a, b = scores(rng=rng), scores(mean=0.2, rng=rng)
    small, large = compare(a, b), compare(1000 * a + 5, 1000 * b + 5)

    assert large.difference == pytest.approx(1000 * small.difference)
    assert large.high == pytest.approx(1000 * small.high)
    assert large.p == pytest.approx(small.p)


def test_the_interval_holds_zero_exactly_where_the_p_value_is_large(rng):
    found = [
        compare(scores(rng=rng), scores(mean=mean, rng=rng), resamples=200)
        for mean in np.linspace(0, 1, 60)
    ]
    holds_zero = [c.low <= 0 <= c.high for c in found]

    assert holds_zero == [c.p >= 0.05 for c in found]
    assert len(set(holds_zero)) == 2


def test_a_surer_interval_is_wider(rng):
    a, b = scores(rng=rng), scores(rng=rng)

    assert compare(a, b, level=0.99).low < compare(a, b).low < compare(a, b, level=0.9).low


def test_one_seed_gives_no_verdict(rng):
    one, three = hits(0.99, seeds=1, rng=rng), hits(0.2, rng=rng)

    assert compare(one, three) is None
    assert compare(three, one) is None
    assert compare(one[:, 0], three.mean(axis=1)) is None


def test_the_same_call_gives_the_same_numbers_and_another_seed_almost(rng):
    a, b = scores(rng=rng), scores(mean=0.2, rng=rng)

    assert compare(a, b) == compare(a, b)
    assert compare(a, b, seed=1) != compare(a, b)
    assert compare(a, b, seed=1).high == pytest.approx(compare(a, b).high, rel=0.05)


def test_comparing_with_several_is_comparing_with_each(rng):
    a, *others = (scores(seeds=n, mean=0.1 * n, rng=rng) for n in (3, 2, 5, 1))
    others.append(others[0].mean(axis=1))

    together, apart = compare_all(a, others), [compare(a, b) for b in others]

    assert [c and c.method for c in together] == [c and c.method for c in apart]
    assert [c.p for c in together if c] == pytest.approx([c.p for c in apart if c])
    assert together[2] is None


# What a verdict rests on


def test_seed_means_alone_are_judged_by_welch():
    a, b = np.array([80.0, 82.5, 81.0]), np.array([78.0, 79.5, 75.0, 80.0, 77.0])
    expected = stats.ttest_ind(a, b, equal_var=False)
    interval = expected.confidence_interval()

    found = compare(a, b)

    assert found.p == pytest.approx(expected.pvalue)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert found.method == "seeds only"


def test_samples_known_of_one_method_only_do_not_count(rng):
    a, b = scores(rng=rng), scores(rng=rng)

    assert compare(a, b.mean(axis=1)) == compare(a.mean(axis=1), b.mean(axis=1))


def test_a_single_test_sample_says_nothing_of_samples():
    found = compare(np.array([[1.0], [2.0]]), np.array([[1.5], [4.0]]))

    assert found.method == "seeds only"


def test_where_seeds_do_not_vary_it_is_the_paired_t_test(rng):
    a, b = (np.repeat(rng.normal(size=(1, 400)), 3, axis=0) for _ in range(2))
    a, b = (s - s.mean() + mean for s, mean in ((a, 0.1), (b, 0.0)))
    expected = stats.ttest_rel(a[0], b[0])

    assert compare(a, b, resamples=20_000).p == pytest.approx(expected.pvalue, rel=0.05)


def test_where_samples_do_not_vary_it_is_welchs_test():
    a, b = (np.repeat(np.array(means)[:, None], 50, axis=1) for means in ([1.0, 2, 4], [3.0, 7, 6]))
    expected = stats.ttest_ind(a[:, 0], b[:, 0], equal_var=False).pvalue

    assert compare(a, b).p == pytest.approx(expected)


def test_both_errors_make_the_interval_wider_than_either(rng):
    a, b = scores(by_seed=0.2, rng=rng), scores(by_seed=0.2, rng=rng)
    calm = [s - s.mean(axis=1, keepdims=True) + s.mean() for s in (a, b)]

    def width(found):
        return found.high - found.low

    assert width(compare(a, b)) > width(compare(*calm))
    assert width(compare(a, b)) > width(compare(a.mean(axis=1), b.mean(axis=1)))


def test_the_bootstrap_finds_the_standard_error_of_a_mean(rng):
    values = np.stack([rng.normal(size=300), rng.exponential(size=300) * 7, np.full(300, 2.0)])
    expected = values.std(axis=1, ddof=1) / np.sqrt(300)

    errors = bootstrap_errors(values, resamples=20_000)

    assert errors == pytest.approx(expected, rel=0.02, abs=1e-12)


def test_the_bootstrap_of_few_samples_is_not_too_small():
    values = np.array([[1.0, 2.0, 4.0]])
    expected = values.std(ddof=1) / np.sqrt(3)

    assert bootstrap_errors(values, resamples=50_000) == pytest.approx(expected, rel=0.02)


def test_resamples_are_drawn_in_portions_where_samples_are_many(rng):
    values = rng.normal(size=(2, 50_000))

    assert bootstrap_errors(values, resamples=100) == pytest.approx(1 / np.sqrt(50_000), rel=0.3)


def test_seed_means_that_repeat_exactly_are_no_evidence():
    assert compare(np.array([98.9, 98.9, 98.9]), np.array([98.3, 98.3, 98.3])) is None
    assert compare(np.array([98.9, 98.9]), np.array([98.9, 98.9])).p == 1.0


def test_without_any_spread_a_difference_counts_as_a_sign_test_counts_it():
    found = compare(np.full((3, 12), 100.0), np.zeros((3, 12)))

    assert found.p == 2.0**-11
    assert (found.low, found.high) == (100.0, 100.0)
    assert compare(np.full((3, 4), 100.0), np.zeros((3, 4))).p > 0.05


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        (np.zeros((3, 10)), np.zeros((3, 11)), "10 and 11 test samples"),
        (np.zeros((3, 2, 2)), np.zeros((3, 2)), r"not \(3, 2, 2\)"),
        (np.zeros((0, 5)), np.zeros((3, 5)), r"not \(0, 5\)"),
        (np.array([1.0, np.nan]), np.zeros(3), "finite"),
    ],
)
def test_what_cannot_be_compared_is_refused(a, b, message):
    with pytest.raises(ResultsError, match=message):
        compare(a, b)


# Is the verdict as sure as it says?


def rejections(draw, *, times: int = 500, **drawn) -> float:
    rng = np.random.default_rng(11)
    found = [compare(draw(rng), draw(rng), resamples=200, **drawn) for _ in range(times)]
    return float(np.mean([c.p < 0.05 for c in found]))


@pytest.mark.parametrize("seeds", [3, 5])
@pytest.mark.parametrize("by_seed", [0.0, 0.1, 0.3])
def test_equal_methods_are_seldom_called_different(seeds, by_seed):
    rate = rejections(lambda rng: scores(seeds=seeds, by_seed=by_seed, rng=rng))

    assert 0.005 < rate < 0.06


@pytest.mark.parametrize("seeds", [3, 5])
def test_methods_of_which_one_varies_by_seed_are_seldom_called_different(seeds):
    varying = iter([0.2, 0.0] * 1000)

    def draw(rng):
        return scores(seeds=seeds, by_sample=0.5, by_seed=next(varying), noise=0.0, rng=rng)

    assert rejections(draw, times=1000) < 0.065


@pytest.mark.parametrize("seeds", [3, 5])
def test_methods_of_equal_accuracy_are_seldom_called_different(seeds):
    def draw(rng):
        difficulty = rng.beta(8, 1, size=180)
        slip = rng.normal(0, 0.02, size=(seeds, 1))
        return 100.0 * (rng.random((seeds, 180)) < difficulty + slip)

    assert rejections(draw) < 0.06


def test_seeds_or_samples_alone_would_be_too_sure():
    def draw(rng):
        return scores(by_seed=0.15, rng=rng)

    rng = np.random.default_rng(5)
    pairs = [(draw(rng), draw(rng)) for _ in range(300)]
    by_seeds = np.mean([compare(a.mean(1), b.mean(1)).p < 0.05 for a, b in pairs])
    by_samples = np.mean([stats.ttest_rel(a.mean(0), b.mean(0)).pvalue < 0.05 for a, b in pairs])

    assert by_seeds > 0.07
    assert by_samples > 0.12


def test_a_real_difference_is_mostly_found():
    rng = np.random.default_rng(2)
    found = [compare(scores(mean=0.5, rng=rng), scores(rng=rng), resamples=200) for _ in range(100)]

    assert np.mean([c.p < 0.05 for c in found]) > 0.8
    assert np.mean([c.low <= 0.5 <= c.high for c in found]) > 0.9


# Ties with the best


def test_the_best_and_its_equals_are_tied_and_the_worse_are_not(rng):
    group = tie_group(
        {name: hits(p, rng=rng) for name, p in {"a": 0.5, "b": 0.91, "c": 0.9, "d": 0.7}.items()},
        better="higher",
    )

    assert group.best in {"b", "c"}
    assert group.tied == {"b", "c"}
    assert not group.undecided
    assert group.p.keys() == group.comparisons.keys() == {"a", "b", "c", "d"} - {group.best}


def test_the_best_error_is_the_lowest(rng):
    errors = {"a": 5 + scores(rng=rng), "b": 1 + scores(rng=rng)}

    assert tie_group(errors, better="lower").best == "b"
    assert tie_group(errors, better="higher").tied == {"a"}


def test_ties_do_not_depend_on_the_order_of_methods(rng):
    methods = {name: scores(mean=0.2 * i, rng=rng) for i, name in enumerate("abcd")}
    groups = [
        tie_group({name: methods[name] for name in order}, better="higher")
        for order in permutations("abcd")
    ]

    assert all(group == groups[0] for group in groups)


def test_identical_methods_tie(rng):
    a = hits(0.9, rng=rng)
    group = tie_group({"y": a, "x": a.copy()}, better="higher")

    assert group.tied == {"x", "y"}
    assert group.best == "x"


def test_the_p_values_of_several_methods_are_corrected(rng):
    methods = {
        name: scores(mean=mean, rng=rng) for name, mean in zip("abc", (1, 0.5, 0.4), strict=True)
    }
    group = tie_group(methods, better="higher")

    smaller, larger = sorted(group.comparisons, key=lambda name: group.comparisons[name].p)
    assert group.p[smaller] == min(1.0, 2 * group.comparisons[smaller].p)
    assert group.p[larger] == max(group.p[smaller], group.comparisons[larger].p)


def test_a_stricter_level_ties_more(rng):
    methods = {
        name: scores(mean=mean, rng=rng) for name, mean in zip("ab", (0.8, 0.0), strict=True)
    }

    assert tie_group(methods, better="higher", alpha=0.05).tied == {"a"}
    assert tie_group(methods, better="higher", alpha=1e-9).tied == {"a", "b"}


def test_nothing_is_claimed_where_the_best_has_one_seed(rng):
    methods = {"a": hits(0.99, seeds=1, rng=rng), "b": hits(0.5, rng=rng), "c": hits(0.4, rng=rng)}

    assert tie_group(methods, better="higher") is None


def test_a_worse_method_with_one_seed_is_undecided_and_does_not_count(rng):
    judged = {"a": hits(0.9, rng=rng), "b": hits(0.85, rng=rng)}
    group = tie_group(judged | {"c": hits(0.5, seeds=1, rng=rng)}, better="higher")

    assert group.undecided == {"c"}
    assert "c" not in group.tied
    assert group.p == pytest.approx(tie_group(judged, better="higher").p)


def test_nothing_is_claimed_without_a_second_method(rng):
    assert tie_group({}, better="higher") is None
    assert tie_group({"a": hits(0.9, rng=rng)}, better="higher") is None
    alone = {"a": hits(0.9, rng=rng), "b": hits(0.5, seeds=1, rng=rng)}
    assert tie_group(alone, better="higher") is None


def test_a_method_as_good_as_any_is_seldom_left_out():
    rng = np.random.default_rng(13)
    left_out = [
        "a" not in tie_group(
            {name: scores(rng=rng) for name in "abcdef"}, better="higher", resamples=200
        ).tied
        for _ in range(300)
    ]  # fmt: skip

    assert np.mean(left_out) < 0.06


# Ranks over tasks

TEN_TASKS = np.array(
    [
        [0.90, 0.80, 0.70, 0.95, 0.60, 0.88, 0.79, 0.91, 0.85, 0.77],
        [0.80, 0.81, 0.60, 0.90, 0.50, 0.80, 0.70, 0.89, 0.80, 0.70],
        [0.70, 0.60, 0.65, 0.80, 0.55, 0.70, 0.71, 0.80, 0.70, 0.60],
        [0.60, 0.50, 0.50, 0.70, 0.40, 0.60, 0.60, 0.70, 0.70, 0.50],
    ]
)
HIGHER = ("higher",) * 10


def test_average_ranks_are_those_of_scipy():
    expected = stats.rankdata(-TEN_TASKS, axis=0).mean(axis=1)

    assert average_ranks(TEN_TASKS, HIGHER) == pytest.approx(expected)
    assert average_ranks(-TEN_TASKS, ("lower",) * 10) == pytest.approx(expected)


def test_each_task_is_ranked_in_its_own_direction():
    values = np.array([[90.0, 0.1], [80.0, 0.2], [70.0, 0.3]])

    assert average_ranks(values, ("higher", "lower")).tolist() == [1, 2, 3]
    assert average_ranks(values, ("higher", "higher")).tolist() == [2, 2, 2]


def test_friedmans_p_value_is_that_of_scipy():
    found = rank_analysis("abcd", TEN_TASKS, better=HIGHER)

    assert found.friedman_p == pytest.approx(stats.friedmanchisquare(*TEN_TASKS).pvalue)


def test_friedmans_p_value_by_hand():
    # two methods swap: ranks 1, 2, 3 thrice and 2, 1, 3 once; rank sums 5, 7, 12
    values = np.array([[3, 3, 3, 2], [2, 2, 2, 3], [1, 1, 1, 1]])
    chi_square = 12 / (4 * 3 * 4) * (25 + 49 + 144) - 3 * 4 * 4  # = 6.5

    found = rank_analysis("abc", values, better=("higher",) * 4)

    assert found.ranks == (1.25, 1.75, 3.0)
    assert found.friedman_p == pytest.approx(np.exp(-chi_square / 2))  # χ² with 2 degrees


@pytest.mark.parametrize(
    ("methods", "q"), [(2, 1.960), (3, 2.343), (4, 2.569), (5, 2.728), (6, 2.850), (10, 3.164)]
)
def test_critical_differences_follow_demsars_table_5(methods, q):
    blocks = 12
    found = critical_difference(methods, blocks)

    assert found == pytest.approx(q * np.sqrt(methods * (methods + 1) / (6 * blocks)), abs=1e-3)


def test_critical_differences_of_demsars_example():
    assert critical_difference(4, 14) == pytest.approx(1.25, abs=0.005)
    assert critical_difference(4, 14, alpha=0.10) == pytest.approx(1.12, abs=0.005)


@pytest.mark.parametrize("alpha", [0.01, 0.05, 0.2])
def test_pairs_in_no_common_clique_are_those_that_scikit_posthocs_tells_apart(alpha):
    from scikit_posthocs import posthoc_nemenyi_friedman  # takes more than a second

    p = posthoc_nemenyi_friedman(TEN_TASKS.T).to_numpy()
    found = rank_analysis("abcd", TEN_TASKS, better=HIGHER, alpha=alpha)

    apart = {
        pair
        for pair in combinations("abcd", 2)
        if not any(set(pair) <= set(clique) for clique in found.cliques)
    }

    assert apart == {pair for pair in combinations("abcd", 2)
                     if p["abcd".index(pair[0]), "abcd".index(pair[1])] < alpha}  # fmt: skip
    assert apart


def test_methods_are_listed_best_first_with_the_cliques_of_neighbours():
    found = rank_analysis("dcba", TEN_TASKS[::-1], better=HIGHER)

    assert found.methods == ("a", "b", "c", "d")
    assert found.ranks == pytest.approx((1.1, 2.2, 2.75, 3.95))
    assert found.critical_difference == pytest.approx(2.569 * np.sqrt(20 / 60), abs=1e-3)  # 1.48
    assert found.cliques == (("a", "b"), ("b", "c"), ("c", "d"))
    assert (found.blocks, found.alpha) == (10, 0.05)


def test_a_clique_within_a_clique_is_not_listed():
    values = np.array([range(20, 30), range(10, 20), range(10, 20), range(10)])
    found = rank_analysis("abcd", values, better=HIGHER)

    assert found.ranks == (1.0, 2.5, 2.5, 4.0)
    assert found.cliques == (("b", "c"),)


def test_a_method_that_differs_from_all_stands_alone():
    order = [[4, 3, 2, 1], [4, 2, 3, 1], [4, 3, 2, 1], [4, 3, 1, 2], [4, 2, 3, 1]] * 6
    found = rank_analysis("abcd", np.array(order).T, better=("higher",) * 30)

    assert all("a" not in clique for clique in found.cliques)


def test_the_order_of_methods_and_tasks_does_not_matter():
    tasks, methods = [3, 1, 0, 2, 9, 8, 7, 6, 5, 4], [2, 0, 3, 1]
    found = rank_analysis(["abcd"[i] for i in methods], TEN_TASKS[methods][:, tasks], better=HIGHER)
    expected = rank_analysis("abcd", TEN_TASKS, better=HIGHER)

    assert (found.methods, found.cliques) == (expected.methods, expected.cliques)
    assert found.ranks == pytest.approx(expected.ranks)
    assert found.friedman_p == pytest.approx(expected.friedman_p)


def test_where_friedman_finds_nothing_all_are_one_clique():
    rng = np.random.default_rng(0)
    found = rank_analysis("abcd", rng.normal(size=(4, 10)), better=HIGHER)

    assert found.friedman_p >= 0.05
    assert found.cliques == (found.methods,)


def test_methods_that_are_equal_everywhere_are_one_clique():
    found = rank_analysis("cab", np.ones((3, 4)), better=("higher",) * 4)

    assert found.methods == ("a", "b", "c")
    assert found.ranks == (2.0, 2.0, 2.0)
    assert found.friedman_p == 1.0
    assert found.cliques == (("a", "b", "c"),)


@pytest.mark.parametrize(("methods", "blocks"), [(2, 5), (3, 1), (0, 0)])
def test_too_few_methods_or_tasks_are_refused(methods, blocks):
    with pytest.raises(ResultsError, match="3 or more methods and 2 or more tasks"):
        rank_analysis("abc"[:methods], np.zeros((methods, blocks)), better=HIGHER[:blocks])


def test_gaps_wrong_shapes_and_equal_names_are_refused():
    gap = TEN_TASKS.copy()
    gap[0, 0] = np.nan

    with pytest.raises(ResultsError, match="gaps"):
        rank_analysis("abcd", gap, better=HIGHER)
    with pytest.raises(ResultsError, match="3 methods and 10 blocks"):
        rank_analysis("abc", TEN_TASKS, better=HIGHER)
    with pytest.raises(ResultsError, match="different names"):
        rank_analysis("abca", TEN_TASKS, better=HIGHER)


# What it costs


@pytest.mark.parametrize(
    ("script", "absent"),
    [
        ("", ("scipy", "pandas")),
        ("compare(np.array([1.0, 2]), np.array([3.0, 5]))", ("scipy.stats", "pandas")),
        ("rank_analysis('abc', np.eye(3), better=['higher'] * 3)", ("scikit_posthocs", "pandas")),
    ],
)
def test_only_what_is_needed_is_imported(script, absent):
    lines = (
        "import sys\nimport numpy as np\n"
        "from vtbench.results.comparison import compare\n"
        "from vtbench.results.rank_analysis import rank_analysis\n"
        f"{script}\n"
        f"found = set({absent!r}) & set(sys.modules)\n"
        "assert not found, found\n"
    )
    done = subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
