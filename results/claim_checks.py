"""What a source of numbers says of one check of a claim: who is ahead, by how much, on average."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from vtbench.results.cells import is_better
from vtbench.results.claim_sources import Reading, Source, row_title
from vtbench.results.comparison import ALPHA, Comparison, compare_all
from vtbench.results.paper import NUMERALS
from vtbench.results.paper_claims import Ahead, BestAverage, Check, Gain, methods_of
from vtbench.results.rank_analysis import rank_analysis
from vtbench.results.statistics import LEVEL, holm

Holds = Literal["holds", "does not hold", "not decided"]
Seen = Literal["as claimed", "level", "not as claimed"]


@dataclass(frozen=True, kw_only=True)
class Part:
    """What one check says. gap: instead of evidence, who has no result, and where."""

    verdict: Holds
    evidence: str = ""
    gap: tuple[str, str] | None = None
    reason: str = ""
    seen: Seen | None = None


def part_of(check: Check, source: Source) -> Part:
    """What a source says of one check."""
    if isinstance(check, Ahead):
        return _judge_ahead(check, source)
    if isinstance(check, Gain):
        return _judge_gain(check, source)
    return _judge_average(check, source)


def _judge_ahead(check: Ahead, source: Source) -> Part:
    own = source.read(check.number, check.row, check.key)
    others = [source.read(check.number, row, check.key) for row in check.others]
    absent = [reading.title for reading in (own, *others) if reading.mean is None]
    known = [reading for reading in others if reading.mean is not None]
    if own.mean is None or not known:
        return _without_cells(own, absent)
    tests = _tests(own, known) if source.tested else {}
    part = _verdict_ahead(own, known, tests) if source.tested else _as_printed(own, known)
    told = [_pair_text(own, part.nearest, tests), *part.details]
    told += [f"no result of {_some(absent)}"] if absent else []
    undecided = part.verdict != "does not hold" and absent
    return Part(
        verdict="not decided" if undecided else part.verdict,
        reason="cells missing" if undecided else part.reason,
        seen=_direction(own, known),
        evidence=f"{own.column.title}: {'; '.join(told)}.",
    )


def _without_cells(own: Reading, absent: Sequence[str]) -> Part:
    gap = (_some(absent), own.column.title)
    return Part(verdict="not decided", reason="cells missing", gap=gap)


@dataclass(frozen=True, kw_only=True)
class _Outcome:
    """A verdict on known cells. nearest: the method that it turns on.  details: of the others."""

    verdict: Holds
    nearest: Reading
    reason: str = ""
    details: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Test:
    """A comparison of two methods, and its p-value corrected for the others beside it."""

    found: Comparison
    p: float


def _tests(own: Reading, others: Sequence[Reading]) -> dict[str, _Test]:
    """Own against each other, by title; without those that nothing can be said of."""
    if own.seeds is None:
        return {}
    a = own.seeds if own.samples is None else own.samples
    found = compare_all(a, [_paired(own, other) for other in others])
    pairs = [(other.title, c) for other, c in zip(others, found, strict=True) if c is not None]
    corrected = holm([comparison.p for _, comparison in pairs])
    return {title: _Test(c, p) for (title, c), p in zip(pairs, corrected, strict=True)}


def _paired(own: Reading, other: Reading) -> np.ndarray:
    """The other's scores: by sample where they are of the same test samples."""
    assert other.seeds is not None
    if own.samples is None or other.samples is None or own.content != other.content:
        return other.seeds
    same = own.samples.shape[1] == other.samples.shape[1]
    return other.samples if same else other.seeds


def _verdict_ahead(own: Reading, known: Sequence[Reading], tests: Mapping[str, _Test]) -> _Outcome:
    sure = [other for other in known if other.title in tests and tests[other.title].p < ALPHA]
    worse = [other for other in sure if not _wins(own, tests[other.title])]
    if worse:
        return _Outcome(verdict="does not hold", nearest=_best(worse))
    nearest = _best(known)
    untested = [other for other in known if other.title not in tests]
    if untested:
        single = min(own.n, *(other.n for other in untested)) < 2
        return _Outcome(
            verdict="not decided", nearest=nearest, reason="n = 1" if single else "seeds repeat"
        )
    tied = [other.title for other in known if other not in sure]
    if tied:
        return _Outcome(
            verdict="not decided", nearest=nearest, reason="tied",
            details=(f"not told apart from {_some(tied)}",),
        )  # fmt: skip
    return _Outcome(verdict="holds", nearest=nearest)


def _wins(own: Reading, test: _Test) -> bool:
    return is_better(test.found.difference, 0.0, own.column.metric)


def _as_printed(own: Reading, known: Sequence[Reading]) -> _Outcome:
    ahead = all(own.beats(other) for other in known)
    return _Outcome(verdict="holds" if ahead else "does not hold", nearest=_best(known))


def _best(readings: Sequence[Reading]) -> Reading:
    higher = readings[0].column.metric.better == "higher"
    return (max if higher else min)(readings, key=lambda reading: reading.mean or 0.0)


def _direction(own: Reading, known: Sequence[Reading]) -> Seen:
    if any(other.beats(own) for other in known):
        return "not as claimed"
    return "as claimed" if all(own.beats(other) for other in known) else "level"


def _judge_gain(check: Gain, source: Source) -> Part:
    own = source.read(check.number, check.row, check.key)
    others = [source.read(check.number, row, check.key) for row in check.others]
    known = [reading for reading in others if reading.mean is not None]
    absent = [reading.title for reading in (own, *others) if reading.mean is None]
    if own.mean is None or not known:
        return _without_cells(own, absent)
    nearest = _best(known)
    size = _error_of(nearest)
    gain = 100 * (size - _error_of(own)) / size if size else 0.0
    told = f"{own.column.title}: {own.text} against {nearest.text}, an error {_by(gain)}"
    if not source.tested:
        same = round(gain, 1) == check.percent
        return Part(verdict="holds" if same else "does not hold", evidence=f"{told}.")
    seen: Seen = "as claimed" if gain > 0 else "not as claimed"
    verdict, reason, detail = _gain_verdict(check, source, own, nearest, absent)
    return Part(verdict=verdict, reason=reason, seen=seen, evidence=f"{told}{detail}.")


def _gain_verdict(
    check: Gain, source: Source, own: Reading, nearest: Reading, absent: Sequence[str]
) -> tuple[Holds, str, str]:
    """Whether the paper's percentage lies in the interval of ours.

    That is the interval of the difference over the error of the next best, whose own spread in the
    denominator is not counted.
    """
    if not source.comparable(check.number):
        return "not decided", "other data: sizes are not comparable", ""
    if absent:
        return "not decided", "cells missing", f"; no result of {_some(absent)}"
    tests = _tests(own, [nearest])
    if nearest.title not in tests or not _error_of(nearest):
        return "not decided", "n = 1" if min(own.n, nearest.n) < 2 else "seeds repeat", ""
    found = tests[nearest.title].found
    sign = 1 if own.column.metric.better == "higher" else -1
    ends = sorted(100 * sign * end / _error_of(nearest) for end in (found.low, found.high))
    detail = f" ({LEVEL:.0%} interval {ends[0]:.1f} to {ends[1]:.1f} %)"
    inside = ends[0] - 0.05 <= check.percent <= ends[1] + 0.05
    return "holds" if inside else "does not hold", "", detail


def _error_of(reading: Reading) -> float:
    value = reading.mean or 0.0
    return 100 - value if reading.column.metric.better == "higher" else value


def _by(gain: float) -> str:
    return f"{abs(gain):.1f} % {'smaller' if gain >= 0 else 'larger'}"


def _judge_average(check: BestAverage, source: Source) -> Part:
    methods = {
        row: [source.read(check.number, row, key) for key in check.keys]
        for row in methods_of(check.number)
    }
    whole = {row: cells for row, cells in methods.items() if all(c.mean is not None for c in cells)}
    absent = [row_title(check.number, row) for row in methods if row not in whole]
    if check.row not in whole or len(whole) < 3:
        return Part(
            verdict="not decided", reason="cells missing",
            evidence=f"{_place(check)}: results of all {len(check.keys)} tasks are missing for "
            f"{_some(absent)}.",
        )  # fmt: skip
    found = rank_analysis(
        list(whole),
        np.array([[cell.shown for cell in cells] for cells in whole.values()]),
        better=[_better(cell) for cell in next(iter(whole.values()))],
    )
    averages = dict(zip(found.methods, found.ranks, strict=True))
    rival = min((row for row in found.methods if row != check.row), key=averages.__getitem__)
    own, other = averages[check.row], averages[rival]
    apart = not any(check.row in clique and rival in clique for clique in found.cliques)
    seeds = min(cell.n for cells in whole.values() for cell in cells)
    verdict, reason = _average_verdict(
        first=own < other, apart=apart or not source.tested, absent=bool(absent),
        single=source.tested and seeds < 2,
    )  # fmt: skip
    told = (
        f"{_place(check)}: {row_title(check.number, check.row)} has average rank {own:.2f} and "
        f"{row_title(check.number, rival)} {other:.2f} of {len(whole)} methods over {found.blocks} "
        f"tasks (critical difference {found.critical_difference:.2f})"
    )
    missing = f"; no complete row of {_some(absent)}" if absent else ""
    way: Seen = "level" if own == other else "as claimed" if own < other else "not as claimed"
    return Part(verdict=verdict, reason=reason, seen=way, evidence=f"{told}{missing}.")


def _average_verdict(*, first: bool, apart: bool, absent: bool, single: bool) -> tuple[Holds, str]:
    if absent:
        return "not decided", "cells missing"
    if single:
        return "not decided", "n = 1"
    if not apart:
        return "not decided", "tied"
    return ("holds" if first else "does not hold"), ""


def _better(reading: Reading) -> Literal["higher", "lower"]:
    return "higher" if reading.column.metric.better == "higher" else "lower"


# ------------------------------------------------------------------------------- how it is told


def _pair_text(own: Reading, other: Reading, tests: Mapping[str, _Test]) -> str:
    relation = "ahead of" if own.beats(other) else "behind" if other.beats(own) else "level with"
    told = f"{own.text} {relation} {other.text}"
    if other.title in tests:
        return f"{told} ({_p_text(tests[other.title].p)}, {_n_text(own, other)})"
    return f"{told} ({_n_text(own, other)})" if own.n else told


def _n_text(own: Reading, other: Reading) -> str:
    return f"n = {own.n}" if own.n == other.n else f"n = {own.n} and {other.n}"


def _p_text(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"


def _place(check: BestAverage) -> str:
    return f"Table {NUMERALS[check.number]}"


def _some(titles: Sequence[str], most: int = 4) -> str:
    """A list of names, cut where it is long.

    >>> _some(["a", "b", "c", "d", "e", "f"])
    'a, b, c and 3 others'
    """
    if len(titles) <= most:
        return ", ".join(titles)
    return f"{', '.join(titles[: most - 1])} and {len(titles) - most + 1} others"
