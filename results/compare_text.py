"""The comparison with the paper as text for the terminal, Markdown and CSV. Nothing here prints."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from vtbench.results.cells import Column
from vtbench.results.claim_verdicts import Finding
from vtbench.results.grids import bullet, csv_text, filled, grid, markdown_grid
from vtbench.results.matches import ColumnMatch, Match, TableMatch
from vtbench.results.paper import NUMERALS
from vtbench.results.paper_claims import NOT_CHECKED

_ARROWS = {"higher": "↑", "lower": "↓"}
_EMPTY = {"missing": "–", "failed": "failed", "stale": "stale"}
_WORDS = {"holds": "HOLDS", "does not hold": "DOES NOT HOLD", "not decided": "not decided"}
_ORDER = "Order of the methods (Kendall's tau-b; means alone, not tested)"
PAPER = "SARL, arXiv 2512.01908"


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """All that is known. lacking: what is not in the store, with the command that fills it."""

    tables: Sequence[TableMatch]
    findings: Sequence[Finding]
    lacking: Sequence[str] = ()


def to_text(
    comparison: Comparison, width: int = 80, *, values: bool = True, claims: bool = True
) -> str:
    """Standing, claims, order and values, no line longer than `width` where it can be helped."""
    blocks = [_head(comparison, width)]
    if claims:
        blocks.append(_claims_text(comparison.findings, width))
    if values:
        blocks += [_table_text(table, width) for table in comparison.tables]
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def to_markdown(comparison: Comparison, *, values: bool = True, claims: bool = True) -> str:
    """The same as GitHub Markdown."""
    blocks = [[f"# Beside the paper ({PAPER})"], [f"- {line}" for line in _standings(comparison)]]
    if claims:
        blocks += [["## Claims"], [tally(comparison.findings)], _claims_markdown(comparison)]
        blocks += [_notes_markdown(comparison.findings)]
    if values:
        for table in comparison.tables:
            blocks += list(_table_markdown(table))
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def values_csv(comparison: Comparison) -> str:
    """A line for each cell of the paper, with unrounded numbers of ours."""
    lines = [
        [
            table.number, cell.row, column.column.name, cell.status,
            *_summary(cell), cell.published, cell.difference, cell.verdict,
            cell.rank, cell.published_rank, *_agreement(column),
        ]
        for table in comparison.tables
        for column in table.columns
        for cell in column.cells
    ]  # fmt: skip
    header = [
        "table", "row", "column", "status", "ours", "low", "high", "n", "paper", "difference",
        "verdict", "rank", "paper_rank", "tau", "tau_p", "tau_methods",
    ]  # fmt: skip
    return csv_text(header, lines)


def claims_csv(comparison: Comparison) -> str:
    """A line for each claim."""
    header = [
        "id", "verdict", "reason", "seen", "in_print", "sentence", "source", "evidence", "note",
    ]  # fmt: skip
    lines = [
        [
            found.claim.id, found.verdict, found.reason, found.seen, found.printed,
            found.claim.sentence, found.claim.source, " ".join(found.evidence), found.claim.note,
        ]
        for found in comparison.findings
    ]  # fmt: skip
    return csv_text(header, lines)


def tally(findings: Sequence[Finding]) -> str:
    """How many claims hold, in a sentence."""
    counts = Counter(found.verdict for found in findings)
    return (
        f"Of {len(findings)} claims {counts['holds']} hold, {counts['does not hold']} do not, and "
        f"{counts['not decided']} are not decided."
    )


# ------------------------------------------------------------------------------- what stands first


def _head(comparison: Comparison, width: int) -> list[str]:
    lines = [*textwrap.wrap(f"Beside the paper ({PAPER})", width), ""]
    return lines + [part for line in _standings(comparison) for part in bullet(line, width)]


def standings(tables: Sequence[TableMatch]) -> list[str]:
    """What may be compared in which of the tables."""
    named: dict[str, list[str]] = {}
    for table in tables:
        named.setdefault(table.standing, []).append(NUMERALS[table.number])
    return [f"{_named(numbers)}: {standing}" for standing, numbers in named.items()]


def _standings(comparison: Comparison) -> list[str]:
    """What may be compared in which tables, and what is missing."""
    return [*(standings(comparison.tables) or ["Nothing to compare yet."]), *comparison.lacking]


def _named(numerals: Sequence[str]) -> str:
    return f"Table{'s' if len(numerals) > 1 else ''} {', '.join(numerals)}"


# ------------------------------------------------------------------------------- claims


def _claims_text(findings: Sequence[Finding], width: int) -> list[str]:
    lines = ["Claims", "", *filled(tally(findings), width)]
    for found in findings:
        lines += ["", *filled(f"{_headline(found)}: {found.claim.sentence}", width)]
        lines += filled(f"[{found.claim.id}; {found.claim.source}]", width, "    ")
        for line in _remarks(found):
            lines += textwrap.wrap(
                line, max(width, 30), initial_indent="    ", subsequent_indent="      "
            )
    lines += ["", "Not checked:"]
    return lines + [
        part for sentence, why in NOT_CHECKED for part in bullet(f"{sentence}: {why}.", width)
    ]


def _headline(found: Finding) -> str:
    reason = f" ({found.reason})" if found.reason else ""
    return f"{_WORDS[found.verdict]}{reason}"


def _remarks(found: Finding) -> list[str]:
    """Evidence, what the paper's own tables say where it is something else, and the note."""
    return [*told(found), *([f"Note: {found.claim.note}"] if found.claim.note else [])]


def told(found: Finding) -> list[str]:
    """The evidence on a claim, and that the paper's own tables say something else."""
    in_print = "In the paper's own tables this does not hold."
    return [*_seen(found), *([in_print] if found.printed != "holds" else [])]


def _seen(found: Finding) -> list[str]:
    """The evidence, and the direction where that is all there is."""
    if found.verdict != "not decided" or found.seen is None:
        return [*found.evidence]
    return [*found.evidence, f"The means are {found.seen}."]


def _claims_markdown(comparison: Comparison) -> list[str]:
    rows = [
        [
            _headline(found),
            found.claim.sentence,
            found.claim.source,
            " ".join(_seen(found)),
            found.printed,
        ]
        for found in comparison.findings
    ]
    return markdown_grid(["Verdict", "Claim", "Where", "Evidence", "In print"], rows)


def _notes_markdown(findings: Sequence[Finding]) -> list[str]:
    noted = [f"- {found.claim.id}: {found.claim.note}" for found in findings if found.claim.note]
    left = [f"- Not checked: {sentence}: {why}." for sentence, why in NOT_CHECKED]
    return noted + left


# ------------------------------------------------------------------------------- tables


def _table_text(table: TableMatch, width: int) -> list[str]:
    lines = [*textwrap.wrap(table.title, width), *textwrap.wrap(table.caption, width), ""]
    lines += [*textwrap.wrap(_ORDER, width), ""]
    lines += grid(*_order(table), width)
    for column in table.columns:
        if _is_empty(column):
            lines += ["", f"{_title(column.column)}: no result yet"]
        else:
            lines += ["", _title(column.column), *grid(*_cells(table, column), width)]
    return lines


def _table_markdown(table: TableMatch) -> Iterator[list[str]]:
    yield [f"## {table.title}"]
    yield [table.caption]
    yield [f"{_ORDER}:"]
    yield markdown_grid(*_order(table))
    for column in table.columns:
        if _is_empty(column):
            yield [f"**{_title(column.column)}**: no result yet"]
        else:
            yield [f"**{_title(column.column)}**"]
            yield markdown_grid(*_cells(table, column))


def _is_empty(column: ColumnMatch) -> bool:
    return all(cell.verdict == "missing" for cell in column.cells)


def _title(column: Column) -> str:
    unit = f" ({column.metric.unit})" if column.metric.unit else ""
    return f"{column.title}{unit} {_ARROWS[column.metric.better]}"


def _order(table: TableMatch) -> tuple[list[str], list[list[str]]]:
    """How far each column's order is the paper's, and who is first."""
    header = ["Column", "tau", "p", "Methods", "First: ours", "First: paper"]
    return header, [_order_row(column) for column in table.columns]


def _order_row(column: ColumnMatch) -> list[str]:
    found = column.agreement
    both = sum(cell.rank is not None for cell in column.cells)
    numbers = [f"{found.tau:+.2f}", p_text(found.p)] if found else ["–", "–"]
    return [
        column.column.title, *numbers, str(both),
        _leaders(column.first), _leaders(column.published_first),
    ]  # fmt: skip


def p_text(p: float) -> str:
    """A p-value with three decimals."""
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def _leaders(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) < 2 else f"{len(names)} alike"


def _cells(table: TableMatch, column: ColumnMatch) -> tuple[list[str], list[list[str]]]:
    """Values and verdicts where they may be compared, else values and ranks."""
    if table.comparable:
        header = ["Method", "Ours", "95 % interval", "n", "Paper", "Diff.", "Verdict"]
        return header, [_value_row(cell, column.column) for cell in column.cells]
    header = ["Method", "Ours", "95 % interval", "n", "Rank", "Paper", "Its rank", "Note"]
    return header, [_rank_row(cell, column.column) for cell in column.cells]


def _value_row(cell: Match, column: Column) -> list[str]:
    difference = cell.difference
    shown = "" if difference is None else f"{difference:+.{column.metric.decimals}f}"
    return [cell.title, *_own(cell, column), _paper(cell, column), shown, _value_verdict(cell)]


def _value_verdict(cell: Match) -> str:
    return "" if cell.ours is None else cell.verdict


def _rank_row(cell: Match, column: Column) -> list[str]:
    ranks = ["" if rank is None else str(rank) for rank in (cell.rank, cell.published_rank)]
    note = "one seed" if cell.ours is not None and cell.ours.n == 1 else ""
    return [cell.title, *_own(cell, column), ranks[0], _paper(cell, column), ranks[1], note]


def _own(cell: Match, column: Column) -> list[str]:
    """Ours: mean, interval and number of seeds, or the word that stands for them."""
    if cell.ours is None:
        return [_EMPTY.get(cell.verdict, "–"), "", ""]
    decimals, ours = column.metric.decimals, cell.ours
    interval = "n = 1: none"
    if ours.low is not None and ours.high is not None:
        interval = f"[{ours.low:.{decimals}f}, {ours.high:.{decimals}f}]"
    return [f"{ours.mean:.{decimals}f}", interval, str(ours.n)]


def _paper(cell: Match, column: Column) -> str:
    decimals = 2 if column.metric.better == "higher" else 4
    return f"{cell.published:.{decimals}f}"


def _summary(cell: Match) -> list[object]:
    ours = cell.ours
    return [None, None, None, 0] if ours is None else [ours.mean, ours.low, ours.high, ours.n]


def _agreement(column: ColumnMatch) -> list[object]:
    found = column.agreement
    return [None, None, None] if found is None else [found.tau, found.p, found.methods]
