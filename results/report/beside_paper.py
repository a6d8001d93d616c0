"""The comparison with the paper as the page shows it: claims, orders of methods, values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vtbench.results import compare_text
from vtbench.results.cells import Column
from vtbench.results.claim_verdicts import Finding
from vtbench.results.compare_text import Comparison
from vtbench.results.marks import header
from vtbench.results.matches import ColumnMatch, Match, TableMatch
from vtbench.results.paper import NUMERALS

#: A verdict as a word for a style.
_CLASSES = {"holds": "holds", "does not hold": "fails", "not decided": "open"}


@dataclass(frozen=True, kw_only=True)
class ClaimView:
    """A claim with what the tables say. verdict: with its reason.  look: a word for its style."""

    id: str
    sentence: str
    source: str
    verdict: str
    look: str
    evidence: Sequence[str]
    note: str


@dataclass(frozen=True, kw_only=True)
class Grid:
    """A small table. words: the columns that are not numbers."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: Sequence[int] = (0,)


def claim_views(findings: Sequence[Finding]) -> list[ClaimView]:
    """Every claim, in the paper's order."""
    return [
        ClaimView(
            id=found.claim.id,
            sentence=found.claim.sentence,
            source=found.claim.source,
            verdict=found.verdict + (f" ({found.reason})" if found.reason else ""),
            look=_CLASSES[found.verdict],
            evidence=compare_text.told(found),
            note=found.claim.note,
        )
        for found in findings
    ]


def standings(comparison: Comparison) -> list[str]:
    """What may be compared in which tables, and what is missing."""
    return [*compare_text.standings(shown_matches(comparison)), *comparison.lacking]


def shown_matches(comparison: Comparison) -> list[TableMatch]:
    """The tables of which there is any number of ours."""
    return [match for match in comparison.tables if match.missing[0] < match.missing[1]]


def order_grid(match: TableMatch) -> Grid:
    """How far each column's order of methods is the paper's, and who is first."""
    return Grid(
        title=f"Table {NUMERALS[match.number]}: order of the methods",
        head=["Column", "Kendall's tau", "p", "methods", "first: ours", "first: paper"],
        rows=[_order(column) for column in match.columns],
        words=(0, 4, 5),
    )


def value_grids(match: TableMatch) -> list[Grid]:
    """Our values beside the paper's, a grid for each column that has any of ours."""
    return [
        Grid(
            title=f"{column.column.task_title} {header(column.column)}",
            head=["Method", "ours", "95 % interval", "n", "rank", "paper", "its rank", "verdict"],
            rows=[_values(cell, column.column) for cell in column.cells],
            words=(0, 7),
        )
        for column in match.columns
        if any(cell.ours is not None for cell in column.cells)
    ]


def _order(column: ColumnMatch) -> list[str]:
    found = column.agreement
    both = sum(cell.rank is not None for cell in column.cells)
    tau, p = (f"{found.tau:+.2f}", compare_text.p_text(found.p)) if found else ("–", "–")
    names = [_leaders(column.first), _leaders(column.published_first)]
    return [column.column.title, tau, p, str(both), *names]


def _leaders(names: Sequence[str]) -> str:
    return ", ".join(names) if 0 < len(names) < 3 else f"{len(names)} alike" if names else "–"


def _values(cell: Match, column: Column) -> list[str]:
    decimals = column.metric.decimals
    paper = f"{cell.published:.{2 if column.metric.better == 'higher' else 4}f}"
    ranks = ["" if rank is None else str(rank) for rank in (cell.rank, cell.published_rank)]
    ours = ["–", "", ""]
    if cell.ours is not None:
        low, high = cell.ours.low, cell.ours.high
        known = low is not None and high is not None
        interval = f"{low:.{decimals}f} to {high:.{decimals}f}" if known else "none"
        ours = [f"{cell.ours.mean:.{decimals}f}", interval, str(cell.ours.n)]
    return [cell.title, *ours, ranks[0], paper, ranks[1], cell.verdict]
