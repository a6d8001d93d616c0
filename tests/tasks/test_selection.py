"""Which of several candidates the validation images choose."""

from __future__ import annotations

from vtbench.tasks.base import Classification, Regression, Target
from vtbench.tasks.selection import best_candidate

LETTERS = Classification(name="letters", label="letters", classes=tuple("abcdef"))
FORCE = Regression(name="force", targets=(Target("z", "N"),))


def test_the_best_primary_score_wins_whichever_way_is_better():
    accuracies = [{"top1": 10.0, "top5": 90.0}, {"top1": 20.0, "top5": 80.0}]
    errors = [{"mae": 3.0}, {"mae": 1.0}, {"mae": 2.0}]

    assert best_candidate(LETTERS, accuracies) == 1
    assert best_candidate(FORCE, errors) == 1


def test_of_equal_candidates_the_first_wins():
    assert best_candidate(FORCE, [{"mae": 2.0}, {"mae": 1.0}, {"mae": 1.0}]) == 1


def test_candidates_that_diverged_are_passed_over():
    assert best_candidate(FORCE, [{}, {"mae": 2.0}, {}, {"mae": 1.0}]) == 3
    assert best_candidate(FORCE, [{}, {}]) is None
