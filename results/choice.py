"""Which of several settings is the best on the validation images: a pure function of records.

With one task the best has the best mean score over seeds. With several, each task ranks the
candidates by that mean, equal ones sharing the mean of their places, and the best has the lowest
mean rank over the tasks: a mean of scores would add percent to millimetres.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vtbench.results.record import MetricFacts, Record
from vtbench.results.statistics import Summary, mean, summarise


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One combination of settings. `number` 0 is the default.

    spec, profile: how it is run again. values: the settings searched, as text.
    records: what was found on the validation images, of all tasks and seeds.
    """

    number: int
    spec: str
    profile: str
    values: Mapping[str, str]
    records: Sequence[Record]

    @property
    def default(self) -> bool:
        return self.number == 0


@dataclass(frozen=True)
class Column:
    """The primary score of a task."""

    task: str
    task_title: str
    metric: MetricFacts


@dataclass(frozen=True)
class Judged:
    """A candidate with its mean of every column and its mean rank, or why it has none."""

    candidate: Candidate
    scores: tuple[Summary, ...] = ()
    rank: float | None = None
    failure: str | None = None


@dataclass(frozen=True)
class Choice:
    """All candidates, the best first and the failed ones last."""

    columns: tuple[Column, ...]
    judged: tuple[Judged, ...]

    @property
    def winner(self) -> Judged | None:
        """The best, or None where all failed."""
        first = self.judged[0] if self.judged else None
        return None if first is None or first.failure else first

    @property
    def default(self) -> Judged | None:
        return next((found for found in self.judged if found.candidate.default), None)


def choose(candidates: Sequence[Candidate], tasks: Sequence[str], seeds: int) -> Choice:
    """Order the candidates. One that lacks a task or a seed is never chosen; of equal ones the
    default comes first, then the one with the lower number."""
    columns = columns_of([record for one in candidates for record in one.records], tasks)
    failures = {one.number: _failure(one, len(tasks) * seeds) for one in candidates}
    whole = [one for one in candidates if failures[one.number] is None]
    scores = {one.number: scores_of(one.records, columns) for one in whole}
    ranks = _mean_ranks(scores, columns)
    order = sorted(whole, key=lambda one: (ranks[one.number], one.number))
    judged = [Judged(one, scores[one.number], ranks[one.number]) for one in order]
    failed = [one for one in candidates if failures[one.number] is not None]
    judged += [Judged(one, failure=failures[one.number]) for one in failed]
    return Choice(columns, tuple(judged))


def columns_of(records: Sequence[Record], tasks: Sequence[str]) -> tuple[Column, ...]:
    """The primary scores of the tasks that any record answers."""
    done = {record.task: record for record in records if record.done}
    return tuple(
        Column(task, done[task].task_title, next(m for m in done[task].metrics if m.primary))
        for task in tasks
        if task in done
    )


def scores_of(records: Sequence[Record], columns: Sequence[Column]) -> tuple[Summary, ...]:
    """The mean over seeds of every column; all of them must have a record."""
    return tuple(
        summarise(
            [r.scores[column.metric.name] for r in records if r.done and r.task == column.task]
        )
        for column in columns
    )


def _failure(candidate: Candidate, expected: int) -> str | None:
    failed = [record for record in candidate.records if not record.done]
    if failed:
        first = min(failed, key=lambda record: (record.seed, record.task))
        return f"{first.task}, seed {first.seed}: {first.error}"
    return None if len(candidate.records) == expected else "not every task and seed has a result"


def _mean_ranks(
    scores: Mapping[int, tuple[Summary, ...]], columns: Sequence[Column]
) -> dict[int, float]:
    places: dict[int, list[float]] = {number: [] for number in scores}
    for index, column in enumerate(columns):
        sign = -1 if column.metric.better == "higher" else 1
        values = {number: sign * found[index].mean for number, found in scores.items()}
        for number, value in values.items():
            better = sum(other < value for other in values.values())
            equal = sum(other == value for other in values.values())
            places[number].append(better + (equal + 1) / 2)
    return {number: mean(found) for number, found in places.items()}
